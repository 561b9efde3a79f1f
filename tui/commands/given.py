"""Files that a command line names."""

from __future__ import annotations

import sys
from pathlib import Path

from tui.commands.wronguse import WrongUseError
from tui.problem import Cause, Problem, ProblemError


def unreadable(file: str, error: OSError | UnicodeDecodeError) -> Problem:
    """Why a file cannot be used."""
    said = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
    return Problem(Cause.CONFIG, f"{file} cannot be read", said or "")


def first_line(file: str) -> str:
    """The first line of a file, of stdin for `-`: a password, a secret key.

    Raises:
        ProblemError: CONFIG, it cannot be read.
    """
    try:
        content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return content.decode("utf-8").split("\n", 1)[0].removesuffix("\r")
    except (OSError, UnicodeDecodeError) as error:
        raise ProblemError(unreadable(file, error)) from error


def contents(file: str) -> bytes:
    """All of a file, of stdin for `-`.

    Raises:
        WrongUseError: it cannot be read.
    """
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise WrongUseError(unreadable(file, error)) from error
