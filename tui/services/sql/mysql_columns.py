"""What a result of MySQL's protocol says of itself: its columns, and how it ended."""

from __future__ import annotations

from typing import Any

from tui.services.sql.model import Column, Look, Notice
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


def left_out(more: int, kept: int) -> Notice:
    """That there were more warnings than the server keeps.

    Args:
        more: how many are not there.
        kept: how many are; `max_error_count` says how many may be, 64 or 1024 where nobody has set it.
    """
    return Notice(
        "WARNING", f"{more:,} more warning{'' if more == 1 else 's'} of this statement: the server kept {kept:,}", "",
        hint=f"SET max_error_count = {min(65_535, kept + more)} has it keep them from the next statement on.",
    )  # fmt: skip
