"""For people: an aligned table, a record below the other when that is too wide, and Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tui.services.sql.cells import Line, on_one_line, width_of
from tui.services.sql.formats.base import numeric, texts
from tui.services.sql.model import Column, Row
from tui.text import safe

#: Rows by which the columns' widths are decided; rows behind them may stand out.
SAMPLE = 1000
#: Cells of the terminal that one cell may take; what is cut ends in `…`.
LONGEST = 4096
_SEPARATOR = "  "


class TableWriter:
    """An aligned table: numbers to the right, NULL as `∅`, each row on one line, with signs for controls."""

    def __init__(self, *, width: int | None = None, vertical: bool | None = None) -> None:
        """Decides by the first rows.

        Args:
            width: cells of the terminal; None for no limit.
            vertical: each record below the one before; None for when a line does not fit into `width`.
        """
        self._width = width
        self._wanted = self._vertical = vertical
        self._columns: tuple[Column, ...] = ()
        self._names: list[str] = []
        self._held: list[Row] | None = []
        self._widths: list[int] = []
        self._count = 0

    def start(self, columns: Sequence[Column]) -> bytes:
        """Nothing yet."""
        self._columns, self._held, self._count = tuple(columns), [], 0
        self._vertical = self._wanted
        self._names = [safe(column.name) for column in columns]
        return b""

    def rows(self, rows: Sequence[Row]) -> bytes:
        """The next rows, once the widths are decided."""
        if self._held is not None:
            self._held.extend(rows)
            return self._decide() if len(self._held) >= SAMPLE else b""
        return self._text(rows)

    def finish(self) -> bytes:
        """What was held back."""
        return self._decide() if self._held is not None else b""

    def _decide(self) -> bytes:
        held, self._held = self._held or [], None
        self._widths = [max(1, width_of(name)) for name in self._names]
        for row in held:
            for place, cell in enumerate(row):
                self._widths[place] = max(self._widths[place], on_one_line(cell, LONGEST).width)
        line = sum(self._widths) + len(_SEPARATOR) * max(0, len(self._widths) - 1)
        if self._vertical is None:
            self._vertical = self._width is not None and line > self._width and bool(held)
        if self._vertical:
            return self._text(held)
        rule = _SEPARATOR.join("─" * width for width in self._widths)
        names = (Line(name, on_one_line(name, LONGEST).shape, width_of(name)) for name in self._names)
        return f"{self._line(names)}\n{rule}\n".encode("utf-8", "replace") + self._text(held)

    def _text(self, rows: Iterable[Row]) -> bytes:
        if self._vertical:
            return "".join(map(self._record, rows)).encode("utf-8", "replace")
        return "".join(f"{self._line(on_one_line(cell, LONGEST) for cell in row)}\n" for row in rows).encode(
            "utf-8", "replace"
        )

    def _line(self, cells: Iterable[Line]) -> str:
        parts = []
        for column, width, line in zip(self._columns, self._widths, cells, strict=True):
            blanks = " " * (width - line.width)
            parts.append(blanks + line.text if numeric(column) else line.text + blanks)
        return _SEPARATOR.join(parts).rstrip(" ")

    def _record(self, row: Row) -> str:
        self._count += 1
        widest = max(map(width_of, self._names), default=0)
        head = f"── {self._count} "
        lines = [head + "─" * max(3, widest + 4 - len(head))]
        for name, cell in zip(self._names, row, strict=True):
            blanks = " " * (widest - width_of(name))
            lines.append(f"{name}{blanks}  {on_one_line(cell, LONGEST).text}".rstrip(" "))
        return "\n".join(lines) + "\n"


_MARKDOWN = str.maketrans({
    "\\": "\\\\", "|": "\\|", "*": "\\*", "_": "\\_", "`": "\\`", "[": "\\[", "]": "\\]", "<": "&lt;", ">": "&gt;",
    "&": "&amp;",
})  # fmt: skip


class MarkdownWriter:
    """A table as GitHub's Markdown has it: NULL is `*NULL*`, line ends are `<br>`, the rest stands for itself."""

    def start(self, columns: Sequence[Column]) -> bytes:
        """The two lines of the head."""
        rule = ("--:" if numeric(column) else "---" for column in columns)
        return self._lines([[_marked(column.name) for column in columns], list(rule)]) if columns else b""

    def rows(self, rows: Sequence[Row]) -> bytes:
        """The next lines."""
        return self._lines([["*NULL*" if cell is None else _marked(cell) for cell in texts(row)] for row in rows])

    def finish(self) -> bytes:
        """Nothing."""
        return b""

    def _lines(self, rows: Iterable[Sequence[str]]) -> bytes:
        return "".join(f"| {' | '.join(row)} |\n" for row in rows).encode("utf-8", "replace")


def _marked(cell: str) -> str:
    lines = cell.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "<br>".join(safe(line.translate(_MARKDOWN)) for line in lines)
