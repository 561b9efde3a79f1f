"""A result with rows: the grid, a row as a list, the line for typing, the line that tells."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import ClassVar
from weakref import WeakKeyDictionary

from textual import on, work
from textual.binding import Binding, BindingType
from textual.message import Message as TextualMessage
from textual.widget import Widget
from textual.widgets import Input

from tui.consoles.sql.arranging import ArrangedPane
from tui.consoles.sql.cellview import CellView
from tui.consoles.sql.export import Export
from tui.consoles.sql.exporting import ExportDialog
from tui.consoles.sql.exports import Exports
from tui.consoles.sql.foot import Foot
from tui.consoles.sql.grid import ResultGrid
from tui.consoles.sql.layout import GAP, ColumnLayout
from tui.consoles.sql.record import Record
from tui.consoles.sql.resultset import FIRST, ResultSet, State, said_of
from tui.consoles.sql.selection import Range, TooLong, cell_text, fits, formatted
from tui.consoles.sql.view import RowView, said_of_filter
from tui.screens.chooser import Choice, Chooser
from tui.services.sql.formats import FormatError
from tui.services.sql.model import Wire
from tui.text import one_line
from tui.widgets.ink import Piece

_COPIES = (
    ("tsv", "TSV", "for spreadsheets"), ("csv", "CSV", ""), ("json", "JSON", ""),
    ("markdown", "Markdown", "a table"), ("insert", "INSERT", "statements"),
)  # fmt: skip
_FROM = re.compile(r"""\bfrom\s+((?:["`]?[\w$]+["`]?\.)*["`]?[\w$]+["`]?)""", re.IGNORECASE)


def table_of(statement: str) -> str:
    """A guess at the table that a statement reads, for INSERT; `t` without one."""
    found = _FROM.search(statement)
    return re.sub(r'["`]', "", found[1]) if found else "t"


class ResultPane(ArrangedPane):
    """Shows one result at a time and follows it while it is read.

    Attributes:
        result: what is shown.
        wire: the dialect of INSERT.
        exports: what is being written to a file.
    """

    class Exporting(TextualMessage):
        """An export began or ended."""

    DEFAULT_CSS: ClassVar[str] = """
    ResultPane { height: 1fr; layout: vertical; }
    ResultPane Record { display: none; padding: 0 1; }
    ResultPane.-record Record { display: block; }
    ResultPane.-record ResultGrid { display: none; }
    ResultPane Input { height: 1; border: none; padding: 0 1; background: $panel; }
    ResultPane Input:focus { border: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "drop", "Drop", show=False, id="result.drop"),
        Binding("space,R", "record", "Row", id="result.record"),
        Binding("y", "copy", "Copy", id="result.copy"),
        Binding("Y", "copy_cell", "Copy the cell", show=False, id="result.copy-cell"),
        Binding("x", "export", "Export", id="result.export"),
        Binding("v", "mark", "Mark", id="result.mark"),
        Binding("c", "columns", "Columns", id="result.columns"),
    ]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.wire = Wire.POSTGRES
        self.exports = Exports(self._exported)
        self._kept: WeakKeyDictionary[ResultSet, tuple[RowView, tuple[ColumnLayout, int, int]]] = WeakKeyDictionary()
        self._to_end = False
        self._extending = False
        self._turned = False  # whether somebody chose between grid and list

    # --- what it shows

    def show(self, result: ResultSet | None) -> None:
        """Shows a result; one that was shown before as it was left."""
        if result is self.result:
            self.follow()
            return
        if self.result is not None and self.grid.view is not None:
            self._kept[self.result] = self.grid.view, self.grid.place
        self.result = result
        self._to_end = self._turned = False
        self.close_entry()
        self.foot.hush()
        self.set_class(False, "-record")
        if result is None:
            self.grid.show(None)
        else:
            self.grid.show(*self._kept.get(result, (RowView(result.store), None)))
        self.follow()

    def follow(self) -> None:
        """Takes what came since: called as rows come, and at the end."""
        result, view = self.result, self.grid.view
        if result is None or view is None:
            self.foot.show(())
            return
        if view.unseen and not self._extending and not self._ordering and (view.sort is None or not result.open):
            self._extending = True
            self._extend(view)
        self.grid.grown(reading=result.state is State.READING)
        if result.state is State.ENDED:
            if self._to_end:
                self._to_end = False
                self.grid.go(len(view) - 1, self.grid.column_at)
            wide = sum(result.store.widths) + GAP * len(result.columns) > self.grid.size.width
            if len(result.store) == 1 and wide and not self._turned and len(result.columns) > 1:
                self._turn(record=True)
        self.tell()

    @work(exclusive=True, group="extend", exit_on_error=False)
    async def _extend(self, view: RowView) -> None:
        try:
            if view.sort is None:
                await view.extend()
            else:
                await view.apply(view.filters, view.sort)
                if view is self.grid.view:
                    self.grid.refresh()
        finally:
            self._extending = False
        if view is self.grid.view:
            self.grid.grown()
            self.tell()

    def tell(self) -> None:
        """How much is here, how it is sorted and filtered, where the cursor is."""
        result, grid = self.result, self.grid
        if result is None or (view := grid.view) is None:
            return
        left: list[Piece] = [(said_of(result), "warn" if result.state in (State.FULL, State.STOPPED) else "")]
        names = tuple(column.name for column in result.columns)
        if view.filters:
            told = " and ".join(said_of_filter(each, names) for each in view.filters)
            left.append((f" · {len(view):,} shown: {told}", "accent"))
        if view.sort is not None:
            name = one_line(names[view.sort.column]) or f"column {view.sort.column + 1}"
            of = "" if result.state is State.ENDED and not view.unseen else f" of the {view.covered:,} fetched"
            left.append((f" · by {name} {'▼' if view.sort.descending else '▲'}{of}", "accent"))
        right: list[Piece] = []
        if (chosen := grid.range) is not None:
            rows, columns = chosen.size
            right.append((f"{rows:,} × {columns:,} marked  ", "accent"))
        if (column := grid.column) is not None:
            hidden = len(result.columns) - len(grid.layout_.shown)
            right += [
                (one_line(result.columns[column].type), "dim"),
                (f" {grid.column_at + 1}/{len(grid.layout_.shown)}", ""),
                (f" ({hidden} hidden)" if hidden else "", "dim"),
            ]
        self.foot.show(tuple(left), tuple(right))

    @on(ResultGrid.Moved)
    def _moved(self, message: ResultGrid.Moved) -> None:
        message.stop()
        self._to_end = False
        result, view = self.result, self.grid.view
        near = view is not None and self.grid.position + 2 * self.grid.page >= len(view)
        if result is not None and view is not None and view.plain and near and result.state is State.PAUSED:
            result.want(result.read + FIRST)
        self.tell()

    @on(ResultGrid.EndWanted)
    def _end_wanted(self, message: ResultGrid.EndWanted) -> None:
        message.stop()
        if self.result is not None and self.result.open:
            self._to_end = True
            self.result.want(None)

    def main(self) -> Widget:
        """The widget that the focus belongs to."""
        return self.query_one(Record) if self.has_class("-record") else self.grid

    # --- one cell, one row

    @on(ResultGrid.Opened)
    def _opened(self, message: ResultGrid.Opened) -> None:
        message.stop()
        grid = self.grid
        if (found := grid.cell) is not None and grid.view is not None:
            self.app.push_screen(CellView(*found, grid.view.number(grid.position) + 1))

    def action_mark(self) -> None:
        """Begins a range at the cursor, or drops it."""
        self.grid.action_mark()

    def action_record(self) -> None:
        """Shows the row as a list, or goes back to the grid."""
        if self.grid.row is not None:
            self._turned = True
            self._turn(record=not self.has_class("-record"))

    @on(Record.Left)
    def _left(self, message: Record.Left) -> None:
        message.stop()
        self.action_record()

    def _turn(self, *, record: bool) -> None:
        had_focus = self.has_focus_within
        self.set_class(record, "-record")
        if record:
            self._show_record(top=True)
        else:
            self.foot.hush()
        if had_focus:
            self.screen.set_focus(self.main())

    def _show_record(self, *, top: bool = False) -> None:
        grid = self.grid
        if (row := grid.row) is not None and self.result is not None and grid.view is not None:
            self.query_one(Record).show(self.result.columns, row, top=top)
            number = grid.view.number(grid.position) + 1
            self.foot.tell(f"row {number:,} · {said_of(self.result)}", seconds=0, ink="")

    @on(Record.Turned)
    def _turn_row(self, message: Record.Turned) -> None:
        message.stop()
        self.grid.go(self.grid.position + message.step, self.grid.column_at)
        self._show_record()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Escape is the screen's when there is nothing to drop here."""
        view = self.grid.view if self.is_mounted else None
        if action == "drop":
            inside = self.query_one(Input).display or self.has_class("-record") or self.grid.range is not None
            return inside or (view is not None and bool(view.filters))
        return view is not None

    def action_drop(self) -> None:
        """Closes the line, the list, drops the range, or the last filter, whichever is there."""
        view = self.grid.view
        if self.query_one(Input).display:
            self.close_entry()
        elif self.has_class("-record"):
            self.foot.hush()
            self.action_record()
        elif self.grid.range is not None:
            self.grid.drop_range()
        elif view is not None and view.filters:
            self.reorder(view.filters[:-1], view.sort)
        self.tell()

    # --- copying, exporting

    def action_copy(self) -> None:
        """Asks as what, then copies the range, or the cell or row under the cursor."""
        grid = self.grid
        if (chosen := grid.range or self._whole_row()) is None:
            return
        rows, columns = chosen.size
        what = f"{rows:,} × {columns:,} cells" if grid.range is not None else "the row"
        choices = [Choice(form, f"{what} as {name}", detail) for form, name, detail in _COPIES]
        cell = Choice("cell", "the cell", "as the server printed it")
        choices.insert(0 if grid.range is None else len(choices), cell)

        def copy(form: str | None) -> None:
            if form == "cell":
                self.action_copy_cell()
            elif form is not None:
                self._copy(chosen, form)

        self.app.push_screen(Chooser("Copy", choices), copy)

    def action_copy_cell(self) -> None:
        """Copies the cell under the cursor as it is; a range as TSV."""
        grid = self.grid
        if (chosen := grid.range) is not None:
            self._copy(chosen, "tsv")
        elif (found := grid.cell) is not None:
            self._put(lambda: fits(cell_text(found[1])), "the cell" if found[1] is not None else "NULL as nothing")

    def _whole_row(self) -> Range | None:
        grid = self.grid
        return None if grid.row is None else Range(grid.position, grid.position, tuple(grid.layout_.shown))

    def _copy(self, chosen: Range, form: str) -> None:
        if (view := self.grid.view) is not None and self.result is not None:
            table, wire = table_of(self.result.statement), self.wire
            rows, columns = chosen.size
            self._put(
                lambda: formatted(view, chosen, form, wire=wire, table=table), f"{rows:,} × {columns:,} as {form}"
            )

    def _put(self, made: Callable[[], str], what: str) -> None:
        try:
            text = made()
        except (TooLong, FormatError) as error:
            self.foot.tell(str(error), ink="failing")
            return
        self.app.copy_to_clipboard(text)
        self.foot.tell(f"copied {what}: {len(text):,} characters")

    def action_export(self) -> None:
        """Asks where to and as what, and writes all rows to a file."""
        if self.exports.current is not None:
            self.foot.tell("an export is under way: ctrl+c cancels it", ink="warn")
        elif self.result is not None:
            dialog = ExportDialog(self.result, wire=self.wire, table=table_of(self.result.statement))
            self.app.push_screen(dialog, self._export)

    def _export(self, export: Export | None) -> None:
        if export is not None:
            self.exports.start(export)
            self.post_message(self.Exporting())

    def _exported(self) -> None:
        """Whatever is looked at by now, its end is told; unless it outlives the pane, whose parts go before it does."""
        for foot in self.query(Foot):
            foot.tell("".join(text for text, _ in self.exports.said), ink=self.exports.said[0][1])
            self.post_message(self.Exporting())

    async def on_unmount(self) -> None:
        """Nothing half written stays."""
        await self.exports.cancel()
