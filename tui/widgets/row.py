"""A row of a table, apart from the table: what it is made of is not loaded before there is one to show."""

from __future__ import annotations

import msgspec

from tui.widgets.ink import Cell


class Row(msgspec.Struct, frozen=True, gc=False):
    """One row: its key, unique in the table, its cells in the order of the columns, and their default ink.

    It holds texts alone: the collector of cycles need not look at ten thousand of them.
    """

    key: str
    cells: tuple[Cell, ...]
    ink: str = ""
