"""Lists of words per dialect, one a line; lines that begin with `#` say where a list comes from."""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from pathlib import Path

from tui.services.sql.model import Wire


class Words(StrEnum):
    """The lists that there are for each dialect."""

    RESERVED = "reserved"  # keywords that a name must not be without quotes
    KEYWORDS = "keywords"  # the other keywords
    FUNCTIONS = "functions"
    TYPES = "types"
    SETTINGS = "settings"


@cache
def words(wire: Wire, which: Words) -> frozenset[str]:
    """One list, in lower case. Read once, at first use."""
    return _read(f"{wire}.{which}")


@cache
def cockroach_keywords() -> frozenset[str]:
    """What CockroachDB's grammar knows beyond PostgreSQL's."""
    return _read("cockroach.keywords")


@cache
def keywords(wire: Wire) -> frozenset[str]:
    """All keywords of a grammar, reserved or not, in lower case; CockroachDB's with PostgreSQL's."""
    both = words(wire, Words.RESERVED) | words(wire, Words.KEYWORDS)
    return both | cockroach_keywords() if wire is Wire.POSTGRES else both


def _read(name: str) -> frozenset[str]:
    text = (Path(__file__).parent / f"{name}.txt").read_text("utf-8")
    return frozenset(line for line in text.splitlines() if line and not line.startswith("#"))
