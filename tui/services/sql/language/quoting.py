"""Names and values written into statements, so that they are only ever names and values."""

from __future__ import annotations

import re

from tui.services.sql.language.words import Words, words
from tui.services.sql.model import Wire

_PLAIN = {
    # PostgreSQL folds what is not quoted to lower case.
    Wire.POSTGRES: re.compile(r"[a-z_\u0080-\U0010ffff][a-z0-9_$\u0080-\U0010ffff]*"),
    Wire.MYSQL: re.compile(r"[A-Za-z_$\u0080-\uffff][0-9A-Za-z_$\u0080-\uffff]*"),
}


def identifier(name: str, wire: Wire) -> str:
    """A name in its grammar's quotes."""
    quote = '"' if wire is Wire.POSTGRES else "`"
    return f"{quote}{name.replace(quote, quote * 2)}{quote}"


def identifier_if_needed(name: str, wire: Wire) -> str:
    """A name as a person would write it: in quotes only where it would be something else without them."""
    if not _PLAIN[wire].fullmatch(name) or name.lower() in words(wire, Words.RESERVED):
        return identifier(name, wire)
    return name if wire is Wire.MYSQL or name == name.lower() else identifier(name, wire)


def qualified(schema: str, name: str, wire: Wire) -> str:
    """A relation's full name, both parts in quotes."""
    return f"{identifier(schema, wire)}.{identifier(name, wire)}"


def literal(text: str, wire: Wire) -> str:
    """A text as a value, right under any setting of `standard_conforming_strings` and `NO_BACKSLASH_ESCAPES`.

    Raises:
        ValueError: it holds a zero character, which no server takes in a text of PostgreSQL's.
    """
    if "\0" in text:
        raise ValueError("a zero character cannot be part of a value")
    quoted = text.replace("'", "''")
    if "\\" not in text:
        return f"'{quoted}'"
    if wire is Wire.POSTGRES:
        return "E'" + quoted.replace("\\", "\\\\") + "'"
    return f"CONVERT(0x{text.encode().hex()} USING utf8mb4)"
