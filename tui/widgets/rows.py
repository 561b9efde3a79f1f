"""A table of keyed rows that repaints only what changed.

The stock table repaints itself as a whole for each changed cell, which is 20 KB at 140×40. This one is given all
its rows each time, compares them with those it has, and marks the regions of the cells that differ. Only visible
rows are ever turned into strips, so that ten thousand rows cost no more than forty.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.widgets.columns import Column, Place, fit, lay_out, width_of
from tui.widgets.ink import Cell, Piece, inks, paper
from tui.widgets.strips import strip_of

if TYPE_CHECKING:
    from tui.widgets.row import Row

__all__ = ["Cell", "Column", "RowTable"]

#: Above this many changed regions a full repaint is no dearer.
MANY_REGIONS = 60
#: Terminals from this width on have two cells between columns instead of one.
ROOMY = 100


class TableMessage(Message):
    """Something that a table tells."""

    def __init__(self, table: RowTable) -> None:
        super().__init__()
        self.table = table

    @property
    def control(self) -> RowTable:
        """The table, for `@on` with a selector."""
        return self.table


class RowTable(ScrollView, can_focus=True):
    """A table with a row cursor that stays on its row, whatever happens around it.

    Attributes:
        empty_text: what stands there when there are no rows.
    """

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {"rows--header", "rows--cursor"}
    DEFAULT_CSS = """
    RowTable {
        height: 1fr;
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-size-vertical: 1;
        & > .rows--header { color: $foreground-muted; text-style: bold; }
        & > .rows--cursor { background: $boost; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Row up", show=False, id="rows.up"),
        Binding("down,j", "move(1)", "Row down", show=False, id="rows.down"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="rows.page-up"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="rows.page-down"),
        Binding("home,g", "first", "First row", show=False, id="rows.first"),
        Binding("end,G", "last", "Last row", show=False, id="rows.last"),
        Binding("enter", "select", "Open", id="rows.open"),
    ]

    class Highlighted(TableMessage):
        """The cursor came to another row (None: there is none)."""

        def __init__(self, table: RowTable, key: str | None) -> None:
            super().__init__(table)
            self.key = key

    class Selected(TableMessage):
        """The row under the cursor was opened, by key or by a click on it."""

        def __init__(self, table: RowTable, key: str) -> None:
            super().__init__(table)
            self.key = key

    class HeaderClicked(TableMessage):
        """A column's title was clicked."""

        def __init__(self, table: RowTable, column: str) -> None:
            super().__init__(table)
            self.column = column

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        empty_text: Cell = "",
        show_header: bool = True,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        # With links on, Textual repaints the whole widget whenever the pointer crosses a cell.
        self.auto_links = False
        self.columns = tuple(columns)
        self.empty_text = empty_text
        self._top = int(show_header)
        self._rows: tuple[Row, ...] = ()
        self._index: dict[str, int] = {}
        self._cursor = -1
        self._natural = [column.title_width for column in self.columns]
        self._places: tuple[Place, ...] = ()
        self._laid_out = -1
        self._sorted: tuple[str, bool] | None = None

    # --- what it shows

    @property
    def rows(self) -> tuple[Row, ...]:
        """The rows in display order."""
        return self._rows

    @property
    def cursor_key(self) -> str | None:
        """The key of the row under the cursor."""
        return self._rows[self._cursor].key if self._rows else None

    @property
    def cursor_row(self) -> Row | None:
        """The row under the cursor."""
        return self._rows[self._cursor] if self._rows else None

    def set_rows(self, rows: Sequence[Row]) -> None:
        """Shows these rows and repaints the cells that differ.

        The cursor stays on its row and, as far as possible, on its line of the screen; when its row is gone it
        goes to the one that took the place. Rows that are the same object as before cost next to nothing.
        """
        before, self._rows = self._rows, tuple(rows)
        pairs = enumerate(zip(before, self._rows, strict=False))
        same = next((at for at, (old, new) in pairs if old is not new), min(len(before), len(self._rows)))
        rest, ahead = before[same:], self._rows[same:]
        if len(rest) == len(ahead) and all(old.key == new.key for old, new in zip(rest, ahead, strict=True)):
            if not self._widen([new for old, new in zip(rest, ahead, strict=True) if old is not new], ()):
                self._repaint_lines(before, self.scroll_offset.y)
            return
        key = before[self._cursor].key if before else None
        offset = self._cursor - self.scroll_offset.y
        if rest:
            self._index = {row.key: position for position, row in enumerate(self._rows)}
        else:  # more were read: what was there stands where it stood
            self._index.update((row.key, position) for position, row in enumerate(ahead, same))
        self._widen(ahead, rest)
        fallback = min(max(self._cursor, 0), len(self._rows) - 1)
        self._cursor = self._index.get(key, fallback) if key is not None else fallback
        scroll = self.scroll_offset.y
        if len(before) != len(self._rows):
            self.virtual_size = Size(0, len(self._rows) + self._top)
        if 0 <= offset < self._page and self._cursor - offset != scroll:
            self.scroll_to(y=max(0, self._cursor - offset), animate=False, force=True)
        if self.scroll_offset.y == scroll:
            self._repaint_lines(before, scroll)
        else:
            self.refresh()
        if self.cursor_key != key:
            self._show_cursor()
            self.post_message(self.Highlighted(self, self.cursor_key))

    def set_empty_text(self, text: Cell) -> None:
        """Changes what stands there when there are no rows."""
        if text != self.empty_text:
            self.empty_text = text
            if not self._rows:
                self.refresh()

    def forget_widths(self) -> None:
        """Measures the columns afresh with the next rows, because those will be others."""
        self._natural = [column.title_width for column in self.columns]

    def show_sort(self, column: str | None, descending: bool = False) -> None:
        """Marks the column by which the caller sorted the rows."""
        now = (column, descending) if column is not None else None
        if now != self._sorted:
            self._sorted = now
            self.refresh(Region(0, 0, self.size.width, 1))

    def move_to(self, key: str) -> bool:
        """Puts the cursor on a row; False when there is no such row."""
        position = self._index.get(key)
        if position is None:
            return False
        self._go(position)
        return True

    # --- what changed

    @property
    def _page(self) -> int:
        """How many rows fit on screen."""
        return max(1, self.size.height - self._top)

    def _widen(self, rows: Sequence[Row], before: Sequence[Row]) -> bool:
        """Takes note of wider cells; True when a column's width follows from it, so that all must be laid out anew."""
        known = set(map(id, before))
        wider = False
        for row in rows:
            if id(row) in known:
                continue
            for position, cell in enumerate(row.cells):
                if (width := width_of(cell)) > self._natural[position]:
                    self._natural[position] = max(width, width_of(self.columns[position].title) + 1)
                    wider = True
        return wider and self._lay_out()

    def _lay_out(self) -> bool:
        """Computes the columns' places; True (and a full repaint) when they changed."""
        width = self.size.width
        # One cell stays free at either end: for the cursor's mark, and for the scroll bar, which comes and goes.
        gap = 2 if width >= ROOMY else 1
        places = lay_out(self.columns, self._natural, width - 1, margin=1, gap=gap)
        changed = places != self._places
        self._places, self._laid_out = places, width
        if changed:
            self.refresh()
        return changed

    def _repaint_lines(self, before: Sequence[Row], scroll: int) -> None:
        """Compares what stood on each visible line with what stands there now: often the same rows with other cells."""
        if not before or not self._rows:
            self.refresh()
            return
        regions: list[Region] = []
        for line in range(self._page):
            at = scroll + line
            old = before[at] if at < len(before) else None
            new = self._rows[at] if at < len(self._rows) else None
            if old is new:
                continue
            y = line + self._top
            if old is None or new is None or old.ink != new.ink:
                regions.append(Region(0, y, self.size.width, 1))
                continue
            regions += [
                Region(place.x, y, place.width, 1)
                for place in self._places
                if old.cells[place.index] != new.cells[place.index]
            ]
        if len(regions) > MANY_REGIONS:
            self.refresh()
        elif regions:
            self.refresh(*regions)

    # --- drawing

    def on_resize(self) -> None:
        """Another width: the columns are measured afresh, so that one wide name of the past is forgotten."""
        if self._laid_out == self.size.width:
            return
        self.forget_widths()
        self._widen(self._rows, ())
        self._lay_out()
        self._show_cursor()

    def render_line(self, y: int) -> Strip:
        """One line of the table; only what is visible is ever asked for."""
        if self._laid_out < 0:
            self._lay_out()
        width = self.size.width
        ground = Style(bgcolor=self.background_colors[1].rich_color)
        if y < self._top:
            ground += self.get_component_rich_style("rows--header")
            return strip_of(self._header(), self._styles(), ground, width)
        if not self._rows:
            text = fit(self.empty_text, max(0, width - 2), ink="dim") if y == self._top else []
            return strip_of([(" ", ""), *text], self._styles(), ground, width)
        at = self.scroll_offset.y + y - self._top
        if at >= len(self._rows):
            return Strip.blank(width, ground)
        row = self._rows[at]
        pieces: list[Piece] = [("▌" if at == self._cursor else " ", "title")]
        x = 1
        for place in self._places:
            if place.x > x:
                pieces.append((" " * (place.x - x), row.ink))
            column = self.columns[place.index]
            pieces += fit(row.cells[place.index], place.width, column.align, row.ink, column.keep)
            x = place.x + place.width
        if at == self._cursor:
            pieces, ground = self._under_cursor(pieces, ground)
        return strip_of(pieces, self._styles(), ground, width)

    def _under_cursor(self, pieces: list[Piece], ground: Style) -> tuple[list[Piece], Style]:
        """The row under the cursor on the theme's ground; reversed where sixteen colours leave none that suits all."""
        bold = Style(bold=self.has_focus or None)
        if self.app.native_ansi_color:
            return [(text, "") for text, _ in pieces], ground + bold + Style(reverse=self.has_focus or None)
        return pieces, ground + (paper(self.app, "cursor") or self.get_component_rich_style("rows--cursor")) + bold

    def _styles(self) -> Mapping[str, Style]:
        return inks(self.app)

    def _header(self) -> list[Piece]:
        pieces: list[Piece] = []
        x = 0
        for place in self._places:
            column = self.columns[place.index]
            title = column.title
            if self._sorted is not None and self._sorted[0] == column.key:
                title += "▼" if self._sorted[1] else "▲"
            pieces.append((" " * (place.x - x), "header"))
            pieces += fit(title, place.width, column.align, "header")
            x = place.x + place.width
        return pieces

    # --- moving

    def _go(self, position: int) -> None:
        position = min(max(position, 0), len(self._rows) - 1)
        if not self._rows or position == self._cursor:
            return
        left, self._cursor = self._cursor, position
        self._repaint_row(left)
        self._repaint_row(position)
        self._show_cursor()
        self.post_message(self.Highlighted(self, self.cursor_key))

    def _repaint_row(self, position: int) -> None:
        line = position - self.scroll_offset.y
        if 0 <= line < self._page:
            self.refresh(Region(0, line + self._top, self.size.width, 1))

    def _show_cursor(self) -> None:
        top = self.scroll_offset.y
        if self._cursor < top:
            self.scroll_to(y=max(0, self._cursor), animate=False, force=True)
        elif self._cursor >= top + self._page:
            self.scroll_to(y=self._cursor - self._page + 1, animate=False, force=True)

    def on_focus(self) -> None:
        """The cursor's line looks different with the focus."""
        self._repaint_row(self._cursor)

    def on_blur(self) -> None:
        """The cursor's line looks different without the focus."""
        self._repaint_row(self._cursor)

    def action_move(self, rows: int) -> None:
        """Moves the cursor up or down."""
        self._go(self._cursor + rows)

    def action_page(self, pages: int) -> None:
        """Moves the cursor by screenfuls."""
        self._go(self._cursor + pages * self._page)

    def action_first(self) -> None:
        """Moves the cursor to the first row."""
        self._go(0)

    def action_last(self) -> None:
        """Moves the cursor to the last row."""
        self._go(len(self._rows) - 1)

    def action_select(self) -> None:
        """Opens the row under the cursor."""
        if (key := self.cursor_key) is not None:
            self.post_message(self.Selected(self, key))

    def on_click(self, event: events.Click) -> None:
        """A click on the header names a column, one on a row moves the cursor, one on the cursor's row opens it."""
        offset = event.get_content_offset(self)
        if offset is None:
            return
        if offset.y < self._top:
            for place in self._places:
                if place.x <= offset.x < place.x + place.width + 1:
                    self.post_message(self.HeaderClicked(self, self.columns[place.index].key))
            return
        at = self.scroll_offset.y + offset.y - self._top
        if at >= len(self._rows):
            return
        if at == self._cursor:
            self.action_select()
        else:
            self._go(at)
