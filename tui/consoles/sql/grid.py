"""A grid over the rows of a result: millions of them, of which only the visible lines are ever drawn."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.consoles.sql.gridpainting import Painter, gutter_of
from tui.consoles.sql.layout import GAP, ColumnLayout, Place
from tui.consoles.sql.selection import Range
from tui.consoles.sql.view import RowView
from tui.services.sql.model import Cell, Column, Row

#: While rows stream in, the scroll bar is drawn anew when there are this many times as many.
STEP = 1.1


class ResultGrid(ScrollView, can_focus=True):
    """Rows with a cell cursor, a header that stays, and row numbers.

    Attributes:
        view: the rows that are shown, None before there is a result.
        layout_: which columns stand where.
        marking: whether moving extends the range, as with shift.
    """

    ALLOW_SELECT = False
    HELP: ClassVar[str] = """Result
The rows of a result, as the server printed them: ∅ is NULL, ↵ and ⇥ are line ends and tabs in a cell, … says that a
cell holds more than is shown; enter shows the whole cell, space the whole row. The line below tells how many rows are
here and whether there are more. Sorting and filtering are done here, over the rows that are here, and the line says
so; the statement is never run again for it. v marks a range where the terminal has no shift with arrows; y copies by
way of the terminal (OSC 52), x exports to a file."""
    DEFAULT_CSS = """
    ResultGrid {
        height: 1fr;
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-size-vertical: 1;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1, 0)", "Row up", show=False, id="result.up"),
        Binding("down,j", "move(1, 0)", "Row down", show=False, id="result.down"),
        Binding("left,h", "move(0, -1)", "Column left", show=False, id="result.left"),
        Binding("right,l", "move(0, 1)", "Column right", show=False, id="result.right"),
        Binding("shift+up,K", "extend(-1, 0)", "Range up", show=False, id="result.extend-up"),
        Binding("shift+down,J", "extend(1, 0)", "Range down", show=False, id="result.extend-down"),
        Binding("shift+left,H", "extend(0, -1)", "Range left", show=False, id="result.extend-left"),
        Binding("shift+right,L", "extend(0, 1)", "Range right", show=False, id="result.extend-right"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="result.page-up"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="result.page-down"),
        Binding("ctrl+left,0", "edge(-1)", "First column", show=False, id="result.first-column"),
        Binding("ctrl+right,dollar_sign", "edge(1)", "Last column", show=False, id="result.last-column"),
        Binding("home,g", "first", "First row", show=False, id="result.first"),
        Binding("end,G", "last", "Last row, reads on", show=False, id="result.last"),
        Binding("enter", "open", "Cell", id="result.open"),
        Binding("V", "mark(True)", "Mark rows", show=False, id="result.mark-rows"),
        Binding("w", "widen(True)", "Wider", show=False, id="result.widen"),
        Binding("W", "widen(False)", "Narrower", show=False, id="result.narrow"),
    ]

    class Moved(Message):
        """The cursor or the range changed, or the grid came near its end."""

        def __init__(self, grid: ResultGrid) -> None:
            super().__init__()
            self.grid = grid

        def can_replace(self, message: Message) -> bool:
            """The newest says it all."""
            return isinstance(message, ResultGrid.Moved)

    class Opened(Message):
        """The cell under the cursor is to be shown whole."""

    class EndWanted(Message):
        """The last row is wanted, so that whatever is not read yet must be."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.auto_links = False
        self.view: RowView | None = None
        self.layout_ = ColumnLayout(0)
        self.marking = False
        self._row = self._at = 0  # position of the row, index among the shown columns
        self._anchor: tuple[int, int] | None = None
        self._whole_rows = False
        self._gutter = 3
        self._drawn = 0

    # --- what it shows

    def show(self, view: RowView | None, place: tuple[ColumnLayout, int, int] | None = None) -> None:
        """Shows another result.

        Args:
            view: its rows.
            place: columns, row and column as `place` told them when it was shown before; None for its first cell.
        """
        self.view = view
        self.drop_range()
        columns = len(view.store.columns) if view is not None else 0
        self.layout_, self._row, self._at = place or (ColumnLayout(columns), 0, 0)
        self._drawn = len(view) if view is not None else 0
        self._measure()
        self._count()
        self.scroll_to(0, max(0, self._row - self.page // 2), animate=False, force=True)
        self.refresh()

    @property
    def place(self) -> tuple[ColumnLayout, int, int]:
        """Where one is, for coming back."""
        return self.layout_, self._row, self._at

    def grown(self, *, reading: bool = False) -> None:
        """More rows are there: paints the lines that they fill, and nothing when those are not on screen.

        Args:
            reading: whether still more are coming right now.
        """
        if self.view is None:
            return
        before, self._drawn = self._drawn, len(self.view)
        if self._measure():  # a column grew: seldom, and a number that is cut is worse than a repaint
            self.refresh()
        elif before < (end := self.scroll_offset.y + self.page):
            top = max(0, before - self.scroll_offset.y)
            count = min(end, self._drawn) - max(before, self.scroll_offset.y)
            if count > 0:
                self.refresh(Region(0, top + 1, self.size.width, count))
        self._count(now=not reading)

    def reordered(self) -> None:
        """Other rows are shown, or in another order: everything is painted anew, the cursor goes to the first row."""
        if self.view is None:
            return
        self._row = 0
        self._drawn = len(self.view)
        self.drop_range()
        self._count()
        self.scroll_to(y=0, animate=False, force=True)
        self.refresh()
        self.post_message(self.Moved(self))

    def laid_out(self) -> None:
        """Columns were hidden, shown or given another width."""
        self._at = max(0, min(self._at, len(self.layout_.shown) - 1))
        self._measure()
        self.layout_.reveal(self._at)
        self.refresh()
        self.post_message(self.Moved(self))

    def _count(self, *, now: bool = True) -> None:
        """Takes the number of rows; while more of them stream in (`now` is False) the scroll bar follows in steps."""
        rows = len(self.view) if self.view is not None else 0
        if (gutter := gutter_of(len(self.view.store) if self.view is not None else 0)) != self._gutter:
            self._gutter = gutter
            self._measure()
            self.refresh()
        before, size = self.virtual_size.height, Size(0, rows + 1)
        if before == size.height or (not now and before < size.height < before * STEP):
            return
        if self.show_vertical_scrollbar is (size.height > self.size.height):
            # Assigning it lays out the whole screen and repaints all of the grid; only the scroll bar differs.
            self.set_reactive(ResultGrid.virtual_size, size)
            self._scroll_update(size)
        else:
            self.virtual_size = size

    def _measure(self) -> bool:
        """Takes the columns' widths; True when they stand elsewhere."""
        if self.view is None or not self.size.width:
            return False
        changed = self.layout_.measure(self.view.store.widths, max(1, self.size.width - self._gutter - 1))
        return self.layout_.reveal(self._at) or changed

    @property
    def page(self) -> int:
        """How many rows fit on screen."""
        return max(1, self.size.height - 1)

    # --- where one is

    @property
    def position(self) -> int:
        """The position of the cursor's row."""
        return self._row

    @property
    def column(self) -> int | None:
        """The index in the result of the cursor's column; None when there is none."""
        return self.layout_.shown[self._at] if self.layout_.shown else None

    @property
    def column_at(self) -> int:
        """The place of the cursor's column among those shown."""
        return self._at

    @property
    def row(self) -> Row | None:
        """The row under the cursor."""
        return self.view.row(self._row) if self.view is not None and self._row < len(self.view) else None

    @property
    def cell(self) -> tuple[Column, Cell] | None:
        """The cell under the cursor and its column."""
        if (row := self.row) is None or self.view is None or (column := self.column) is None:
            return None
        return self.view.store.columns[column], row[column]

    @property
    def range(self) -> Range | None:
        """The marked range, None when there is none."""
        if self._anchor is None:
            return None
        rows = sorted((self._anchor[0], self._row))
        left, right = sorted((self._anchor[1], self._at))
        shown = self.layout_.shown
        return Range(rows[0], rows[1], tuple(shown if self._whole_rows else shown[left : right + 1]))

    def drop_range(self) -> None:
        """Marks nothing any more."""
        self.marking = self._whole_rows = False
        if self._anchor is not None:
            self._anchor = None
            self.refresh()
            self.post_message(self.Moved(self))

    # --- drawing

    def on_resize(self) -> None:
        """Another width."""
        if self._measure():
            self.refresh()
        self._show_row()

    def render_line(self, y: int) -> Strip:
        """One line; only those on screen are ever asked for."""
        painter = Painter(self, self._gutter)
        if y == 0:
            return painter.header()
        return painter.row(self.scroll_offset.y + y - 1)

    def places(self) -> list[Place]:
        """The columns on screen, from the end of the row numbers on."""
        return self.layout_.places()

    def _paint_cells(self, row: int, *ats: int) -> None:
        line = row - self.scroll_offset.y
        if not 0 <= line < self.page:
            return
        wanted = {self.layout_.shown[at] for at in ats if at < len(self.layout_.shown)}
        regions = [
            Region(self._gutter + place.x, line + 1, place.width + GAP, 1)
            for place in self.places()
            if place.index in wanted
        ]
        if regions:
            self.refresh(*regions)

    def _paint_row(self, row: int) -> None:
        if 0 <= (line := row - self.scroll_offset.y) < self.page:
            self.refresh(Region(0, line + 1, self.size.width, 1))

    # --- moving

    def go(self, row: int, at: int) -> None:
        """Puts the cursor on a cell, as near as there is one: position of the row, place among the columns shown."""
        if self.view is None or not self.layout_.shown:
            return
        row = max(0, min(row, len(self.view) - 1))
        at = max(0, min(at, len(self.layout_.shown) - 1))
        if (row, at) == (self._row, self._at):
            return
        before_row, before_at = self._row, self._at
        self._row, self._at = row, at
        if self.layout_.reveal(at) or (self._anchor is not None and before_at != at):
            self.refresh()
        elif row == before_row:
            self._paint_cells(row, before_at, at)
            if before_at != at:
                self.refresh(Region(0, 0, self.size.width, 1))
        elif self._anchor is not None:
            for each in range(max(min(row, before_row), self.scroll_offset.y), max(row, before_row) + 1):
                if each >= self.scroll_offset.y + self.page:
                    break
                self._paint_row(each)
        else:
            self._paint_row(before_row)
            self._paint_row(row)
            if before_at != at:
                self.refresh(Region(0, 0, self.size.width, 1))
        self._show_row()
        self.post_message(self.Moved(self))

    def _show_row(self) -> None:
        self._count()
        top = self.scroll_offset.y
        if self._row < top:
            self.scroll_to(y=self._row, animate=False, force=True)
        elif self._row >= top + self.page:
            self.scroll_to(y=self._row - self.page + 1, animate=False, force=True)

    def on_focus(self) -> None:
        """The cursor looks different with the focus."""
        self._paint_row(self._row)

    def on_blur(self) -> None:
        """The cursor looks different without the focus."""
        self._paint_row(self._row)

    def _moved(self, row: int, at: int) -> None:
        if not self.marking and self._anchor is not None:
            self.drop_range()
        self.go(row, at)

    def action_move(self, rows: int, columns: int) -> None:
        """Moves the cursor; with a mark, extends the range."""
        self._moved(self._row + rows, self._at + columns)

    def action_extend(self, rows: int, columns: int) -> None:
        """Extends the range."""
        if self._anchor is None:
            self._anchor = (self._row, self._at)
        self.go(self._row + rows, self._at + columns)

    def action_page(self, pages: int) -> None:
        """Moves by screenfuls."""
        self._moved(self._row + pages * self.page, self._at)

    def action_edge(self, end: int) -> None:
        """Goes to the first (-1) or the last (1) column."""
        self._moved(self._row, 0 if end < 0 else len(self.layout_.shown) - 1)

    def action_first(self) -> None:
        """Goes to the first row."""
        self._moved(0, self._at)

    def action_last(self) -> None:
        """Goes to the last row that is here, and asks for those that are not."""
        if self.view is not None:
            self._moved(len(self.view) - 1, self._at)
            self.post_message(self.EndWanted())

    def action_mark(self, whole_rows: bool = False) -> None:
        """Begins a range at the cursor, of cells or of whole rows, or drops it."""
        if self.marking:
            self.drop_range()
            return
        self.marking, self._whole_rows = True, whole_rows
        if self._anchor is None:
            self._anchor = (self._row, self._at)
        self.refresh()
        self.post_message(self.Moved(self))

    def action_widen(self, wider: bool) -> None:
        """Makes the cursor's column wider or narrower."""
        if (column := self.column) is not None:
            self.layout_.widen(column, wider=wider)
            self.laid_out()

    def action_open(self) -> None:
        """Shows the cell whole."""
        if self.cell is not None:
            self.post_message(self.Opened())

    def on_click(self, event: events.Click) -> None:
        """A click goes to a cell; one on the cursor's cell shows it whole."""
        offset = event.get_content_offset(self)
        if offset is None or self.view is None or offset.y < 1:
            return
        row = self.scroll_offset.y + offset.y - 1
        x = offset.x - self._gutter
        found = next((place for place in self.places() if place.x <= x < place.x + place.width + GAP), None)
        if row >= len(self.view) or found is None:
            return
        at = self.layout_.shown.index(found.index)
        if (row, at) == (self._row, self._at):
            self.action_open()
        else:
            self._moved(row, at)
