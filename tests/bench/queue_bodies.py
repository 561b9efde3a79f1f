"""The messages of the queues' bench: numbered, so that their order can be told."""

from __future__ import annotations

from pathlib import Path

_DIGITS = 8


def template(size: int) -> bytes:
    """For `statetui queue publish --template`: makes what `body` makes."""
    return b"{n:%02d} " % _DIGITS + b"x" * (size - _DIGITS - 1)


def body(number: int, size: int) -> bytes:
    """The message of that number; the first is 1."""
    return b"%0*d " % (_DIGITS, number) + b"x" * (size - _DIGITS - 1)


def complete(file: Path, count: int, size: int) -> bool:
    """Whether a file holds all of them, each once and in their order, each with the end of a line behind it."""
    number = 0
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if line != body(number, size) + b"\n":
                return False
    return number == count
