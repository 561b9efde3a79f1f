"""What a script is split into."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Sort(StrEnum):
    """What a piece of a script is."""

    STATEMENT = "statement"  # for the server
    COMMAND = "command"  # for the client: a psql backslash line, a mysql DELIMITER line
    DATA = "data"  # lines for the COPY … FROM STDIN before it; the closing `\\.` is not part of them


@dataclass(frozen=True, slots=True)
class Piece:
    r"""A piece of a script.

    Attributes:
        text: without blanks around it and without its delimiter; comments before a statement belong to it.
        start: index of its first character in the whole script.
        end: index behind its last one.
        line: number of its first line, from 1.
        delimiter: what ended it (`;`, `\G`, `\gx`), empty when the script ended first.
    """

    sort: Sort
    text: str
    start: int
    end: int
    line: int
    delimiter: str = ""
