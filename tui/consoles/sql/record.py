"""One row as a list, a column a line: for results that are wider than any terminal."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message

from tui.services.sql.cells import Shape, on_one_line, whole, width_of
from tui.services.sql.model import Cell, Column, Row
from tui.text import safe
from tui.widgets.ink import Piece
from tui.widgets.lines import Line, Lines

#: Lines of one cell; the cell's own view has all of them.
MOST = 12
#: Names are cut at this width, and cells shown as text at this many characters.
NAME, CHARACTERS = 32, 2000


class Record(Lines):
    """Name and value of each column of one row."""

    HELP: ClassVar[str] = """Row
One row of the result, a column a line, all of them, hidden ones too. Left and right go to the row before and the next
one, space goes back to the grid."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "turn(-1)", "Row before", id="record.previous"),
        Binding("right,l", "turn(1)", "Next row", id="record.next"),
        Binding("space", "leave", "Grid", id="record.leave"),
    ]

    class Turned(Message):
        """Another row is wanted."""

        def __init__(self, step: int) -> None:
            super().__init__()
            self.step = step

    class Left(Message):
        """The grid is wanted."""

    def show(self, columns: tuple[Column, ...], row: Row, *, top: bool) -> None:
        """Shows a row; `top` for one of another result."""
        width = min(NAME, max((width_of(safe(column.name)) for column in columns), default=0))
        lines: list[Line] = []
        for column, cell in zip(columns, row, strict=True):
            lines += described(column, cell, width)
        self.set_lines(lines, top=top)

    def action_turn(self, step: int) -> None:
        """Goes to another row."""
        self.post_message(self.Turned(step))

    def action_leave(self) -> None:
        """Goes back to the grid."""
        self.post_message(self.Left())


def described(column: Column, cell: Cell, width: int) -> list[Line]:
    """A cell behind its column's name.

    Args:
        column: its column.
        cell: as the server printed it.
        width: of the names.
    """
    name = on_one_line(column.name or "(no name)", max(1, width))
    head: tuple[Piece, ...] = ((" " * (width - name.width), ""), (name.text, "key"), ("  ", ""))
    indent: Piece = (" " * (width + 2), "")
    hang = width + 2
    if not isinstance(cell, str):
        line = on_one_line(cell, 60)
        return [Line((*head, (line.text, "dim" if line.shape is Shape.NULL else "accent")), hang)]
    more = len(cell) - CHARACTERS
    shown = whole(cell, column.look) if more <= 0 else whole(cell[:CHARACTERS])
    lines = [Line((*(head if at == 0 else (indent,)), (text, "")), hang) for at, text in enumerate(shown.lines[:MOST])]
    if more > 0 or len(shown.lines) > MOST:
        hidden = f"… {more:,} characters" if more > 0 else f"… {len(shown.lines) - MOST:,} lines"
        lines.append(Line((indent, (f"{hidden} more: enter on the cell in the grid shows all", "dim")), hang))
    return lines
