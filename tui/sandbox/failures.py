"""Why a sandbox does not start, or has ended: what happened, the evidence, what to do next, as a person is told it."""

from __future__ import annotations

import errno
import os
import pwd
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from tui.sandbox.journal import Damaged

#: A disk is full for these reasons, and cannot be written to for those.
_FULL = (errno.ENOSPC, errno.EDQUOT)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


@dataclass(frozen=True, slots=True)
class Failure:
    """What is told.

    Attributes:
        what: what happened, one line.
        evidence: what it is known by.
        remedy: what to do next.
    """

    what: str
    evidence: str
    remedy: str

    def __str__(self) -> str:
        """As lines for a terminal."""
        return "\n".join([self.what, *(f"  {line}" for line in self.evidence.splitlines()), self.remedy])

    def told(self) -> dict[str, str]:
        """As what travels to the program that has started the sandbox."""
        return asdict(self)


def explain(problem: BaseException, directory: Path, port: int = 0) -> Failure:
    """Puts into words why a sandbox with this directory and API port has failed.

    Args:
        problem: what was raised; its causes are looked at as well.
        directory: where everything is kept.
        port: of the API; 0 when any would have done.
    """
    system = _system_error(problem)
    evidence = str(problem) or type(problem).__name__
    if isinstance(problem, Damaged):
        return Failure(
            "what the sandbox has kept cannot be read",
            evidence,
            f"Move {directory} away, or forget it (statetui demo --reset): its volumes are in {directory / 'volumes'}.",
        )
    if system is None:
        return Failure("the sandbox cannot go on", evidence, "The log says more; start it again.")
    if system.errno in _FULL:
        return Failure(
            f"the disk of {directory} is full",
            f"{_subject(system)}{os.strerror(system.errno or 0)}{_space(directory)}",
            "Make room there and start it again: nothing that was answered is lost.",
        )
    if system.errno in _FORBIDDEN:
        return Failure(
            f"{directory} cannot be written",
            f"{_subject(system)}{os.strerror(system.errno or 0)}{_rights(directory)}",
            "Give it to this user, or choose another directory (XDG_STATE_HOME, or --directory of the sandbox).",
        )
    if system.errno == errno.EADDRINUSE and port:
        return Failure(
            f"port {port} is taken",
            f"another program listens on 127.0.0.1:{port}",
            "End that program (`ss -ltnp` names it), choose another --port, or leave it out.",
        )
    if system.errno in (errno.ENOTDIR, errno.EEXIST):
        return Failure(
            f"{directory} cannot be used",
            f"{_subject(system)}{os.strerror(system.errno)}",
            "Something else has this name: move it away, or choose another directory (XDG_STATE_HOME, or --directory).",
        )
    return Failure("the sandbox cannot start", evidence, "The log says more; start it again.")


def _system_error(problem: BaseException | None) -> OSError | None:
    while problem is not None:
        if isinstance(problem, OSError) and problem.errno is not None:
            return problem
        problem = problem.__cause__ or problem.__context__
    return None


def _subject(problem: OSError) -> str:
    return f"{problem.filename}: " if problem.filename else ""


def _existing(directory: Path) -> Path:
    """The directory, or the nearest above it that is there."""
    for place in (directory, *directory.parents):
        if os.path.lexists(place):
            return place
    return Path("/")


def _space(directory: Path) -> str:
    try:
        found = shutil.disk_usage(_existing(directory))
    except OSError:
        return ""
    return f" ({found.free >> 20} MiB of {found.total >> 20} MiB are free)"


def _rights(directory: Path) -> str:
    place = _existing(directory)
    try:
        found = place.stat()
    except OSError:
        return ""
    return (
        f" ({place} belongs to {_name(found.st_uid)}, mode {found.st_mode & 0o7777:04o}; this is {_name(os.geteuid())})"
    )


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
