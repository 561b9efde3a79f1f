"""How a grid's lines are drawn: header, row numbers, cells, cursor and range."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui.consoles.sql.layout import GAP
from tui.consoles.sql.view import right_aligned
from tui.services.sql.cells import Line, Shape, on_one_line
from tui.widgets.ink import inks, paper

if TYPE_CHECKING:
    from tui.consoles.sql.grid import ResultGrid

#: The ink of a cell by its shape; the sign in it says the same.
_INKS = {Shape.NULL: "dim", Shape.EMPTY: "", Shape.BINARY: "accent", Shape.TEXT: ""}


def gutter_of(rows: int) -> int:
    """Cells that the numbers of so many rows take, with the mark of the cursor's row and the gap."""
    return max(2, len(f"{rows}")) + 1 + GAP


class Painter:
    """Draws one line of a grid.

    The cursor's cell is reversed and bold (without the focus only bold), its row has a mark; cells of a range are
    reversed, so that both are seen without colours.
    """

    def __init__(self, grid: ResultGrid, gutter: int) -> None:
        self._grid = grid
        self._gutter = gutter
        self._inks = inks(grid.app)
        self._ground = Style(bgcolor=grid.background_colors[1].rich_color)

    def header(self) -> Strip:
        """The names, the direction of the sort, and whether there are columns on either side."""
        grid = self._grid
        width = grid.size.width
        style = self._ground + self._inks["dim"] + Style(bold=True)
        if grid.view is None:
            return Strip.blank(width, self._ground)
        layout, places = grid.layout_, grid.places()
        text = "‹".rjust(self._gutter - GAP) + " " * GAP if layout.left else " " * self._gutter
        segments = [Segment(text, style)]
        sort = grid.view.sort
        for place in places:
            column = grid.view.store.columns[place.index]
            mark = "" if sort is None or sort.column != place.index else "▼" if sort.descending else "▲"
            # The mark of the sort is worth more than the last letter of the name.
            line = on_one_line(column.name or "(no name)", max(1, place.width - len(mark)))
            name = _aligned(Line(line.text + mark, line.shape, line.width + len(mark)), place.width,
                            right=right_aligned(column.look))  # fmt: skip
            here = place.index == grid.column
            segments.append(Segment(name, style + self._inks["title"] if here else style))
            segments.append(Segment(" " * GAP, style))
        strip = Strip(segments).adjust_cell_length(width, self._ground)
        cut = bool(places) and places[-1].width < layout.width(places[-1].index)
        more = cut or layout.left + len(places) < len(layout.shown)
        # The last cell is the scroll bar's.
        return Strip([*strip.crop(0, width - 2), Segment("› ", style)]) if more else strip

    def row(self, position: int) -> Strip:
        """The row at a position; a blank line behind the last one."""
        grid, width = self._grid, self._grid.size.width
        if grid.view is None or position >= len(grid.view):
            text = "  no rows" if position == 0 and grid.view is not None else ""
            return Strip([Segment(text, self._ground + self._inks["dim"])]).adjust_cell_length(width, self._ground)
        here = position == grid.position
        ground = self._ground
        if here and grid.has_focus and not grid.app.native_ansi_color:
            ground += paper(grid.app, "cursor") or Style()
        cells = grid.view.row(position)
        number = f"{grid.view.number(position) + 1:>{self._gutter - GAP - 1}}"
        chosen = grid.range
        marked = frozenset(chosen.columns) if chosen is not None and chosen.first <= position <= chosen.last else ()
        segments = [
            Segment("▌" if here else " ", ground + self._inks["accent"]),
            Segment(number + " " * GAP, ground + self._inks["dim"]),
        ]
        for place in grid.places():
            column = grid.view.store.columns[place.index]
            line = on_one_line(cells[place.index], place.width)
            style = ground + self._inks[_INKS[line.shape]]
            if here and place.index == grid.column:
                style = self._cursor(style, in_range=bool(marked))
            elif place.index in marked:
                style += Style(reverse=True)
            segments.append(Segment(_aligned(line, place.width, right=right_aligned(column.look)), style))
            segments.append(Segment(" " * GAP, ground))
        return Strip(_merged(segments)).adjust_cell_length(width, ground)

    def _cursor(self, style: Style, *, in_range: bool) -> Style:
        if not self._grid.has_focus:
            return style + Style(bold=True)
        return style + Style(reverse=True, bold=True, underline=True if in_range else None)


def _aligned(line: Line, width: int, *, right: bool) -> str:
    pad = " " * max(0, width - line.width)
    return pad + line.text if right else line.text + pad


def _merged(segments: list[Segment]) -> list[Segment]:
    """Neighbours of one look as one segment: each costs 40 bytes on the wire."""
    merged: list[Segment] = []
    for segment in segments:
        if merged and merged[-1].style == segment.style:
            merged[-1] = Segment(merged[-1].text + segment.text, segment.style)
        else:
            merged.append(segment)
    return merged
