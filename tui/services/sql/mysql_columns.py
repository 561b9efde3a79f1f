"""What a result of MySQL's protocol says of itself: its columns, and how it ended."""

from __future__ import annotations

from typing import Any

from tui.services.sql.model import Column, Look
from tui.services.sql.mysql_driver import BYTES, TEXT
from tui.services.sql.mysql_rows import kind


def columns_of(fields: list[Any]) -> tuple[tuple[Column, ...], list[tuple[Any, ...]]]:
    """The columns of a result, and how their cells are decoded."""
    columns, decoders = [], []
    for field in fields:
        name, look = kind(field.type_code, field.flags, field.charsetnr)
        columns.append(Column(field.name, name, look))
        decoders.append(BYTES if look is Look.BINARY else TEXT)
    return tuple(columns), decoders


def tag_of(message: bytes) -> str:
    """`Query OK`, with what the server says of it (`Rows matched: 1  Changed: 1  Warnings: 0`)."""
    said = message.decode("utf-8", "replace")
    said = said[
        next((index for index, char in enumerate(said) if char.isalpha()), len(said)) :
    ]  # its length comes first
    return f"Query OK, {said}" if said else "Query OK"
