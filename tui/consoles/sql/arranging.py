"""Finding, filtering, sorting, hiding: what is done here with the rows that are here."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input

from tui.consoles.sql.foot import Foot
from tui.consoles.sql.grid import ResultGrid
from tui.consoles.sql.record import Record
from tui.consoles.sql.resultset import ResultSet
from tui.consoles.sql.view import Sort, filter_by, filter_of
from tui.screens.chooser import Choice, Chooser
from tui.services.sql.rows import Filter

_HINTS = {
    "find": "find in the cells that are shown",
    "filter": "show rows with this text, or of this column: > 5, != x, is null",
    "jump": "row number",
}


class ArrangedPane(Vertical):
    """A grid with a line for typing and a line that tells, and what the two lines are for.

    Attributes:
        result: what is shown.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "ask('find')", "Find", id="result.find"),
        Binding("n", "find(1)", "Next match", show=False, id="result.next-match"),
        Binding("N", "find(-1)", "Previous match", show=False, id="result.previous-match"),
        Binding("f", "ask('filter')", "Filter", id="result.filter"),
        Binding("equals_sign", "same(False)", "Only this value", show=False, id="result.same"),
        Binding("exclamation_mark", "same(True)", "All but this value", show=False, id="result.other"),
        Binding("s", "sort", "Sort", id="result.sort"),
        Binding("o", "go_to_column", "Go to a column", show=False, id="result.go-to-column"),
        Binding("number_sign", "ask('jump')", "Go to a row", show=False, id="result.jump"),
    ]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.result: ResultSet | None = None
        self._asked = ""
        self._sought = ""
        self._ordering = 0  # sorts and filters that are under way: one that is given up ends after the next began

    def compose(self) -> ComposeResult:
        """The grid, the row as a list, the two lines."""
        yield ResultGrid()
        yield Record()
        entry = Input(select_on_focus=True)
        entry.cursor_blink = False
        entry.display = False
        yield entry
        yield Foot()

    @property
    def grid(self) -> ResultGrid:
        """The grid."""
        return self.query_one(ResultGrid)

    @property
    def foot(self) -> Foot:
        """The line below."""
        return self.query_one(Foot)

    def tell(self) -> None:
        """Says in the line below how things stand now."""
        raise NotImplementedError

    # --- finding, filtering, sorting

    def action_ask(self, what: str) -> None:
        """Opens the line for typing."""
        self._asked = what
        entry = self.query_one(Input)
        entry.placeholder = _HINTS[what]
        entry.value = ""
        entry.display = True
        entry.focus()

    def close_entry(self) -> None:
        """Closes the line for typing."""
        entry = self.query_one(Input)
        if entry.display:
            had_focus = entry.has_focus
            entry.display = False
            if had_focus:
                self.grid.focus()

    @on(Input.Submitted)
    def _submitted(self, message: Input.Submitted) -> None:
        message.stop()
        self.close_entry()
        typed, view, column = message.value, self.grid.view, self.grid.column
        if view is None or column is None or not typed.strip():
            return
        if self._asked == "find":
            self._sought = typed
            self._find(1)
        elif self._asked == "filter":
            self.reorder((*view.filters, filter_of(typed, column)), view.sort)
        else:
            self._jump(typed)

    def _jump(self, typed: str) -> None:
        digits = re.sub(r"[\s,._']", "", typed)
        view, result = self.grid.view, self.result
        if not digits.isdecimal() or view is None or result is None:
            self.foot.tell(f"“{typed}” is no row number", ink="failing")
            return
        wanted = int(digits)
        self.grid.go(wanted - 1, self.grid.column_at)
        if wanted > len(view) and result.open and view.plain:
            result.want(wanted)
            self.foot.tell(f"reading on to row {wanted:,}; it is not here yet: # goes there then")
        elif wanted > len(view):
            self.foot.tell(f"there are {len(view):,} rows", ink="warn")

    def action_find(self, step: int) -> None:
        """Goes to the next or the previous cell with the text."""
        if self._sought:
            self._find(step)

    @work(exclusive=True, group="find", exit_on_error=False)
    async def _find(self, step: int) -> None:
        grid = self.grid
        if (view := grid.view) is None:
            return
        self.foot.tell(f"looking for “{self._sought}”…", seconds=0)
        at = grid.column_at if step > 0 or grid.column_at else 0
        found = await view.find(self._sought, grid.position, at, step, grid.layout_.shown)
        self.foot.hush()
        if view is not grid.view:
            return
        more = "; there are more rows that are not read" if self.result is not None and self.result.open else ""
        if found is None:
            self.foot.tell(f"“{self._sought}” is in none of the {len(view):,} rows shown{more}", ink="warn")
        else:
            grid.go(*found)

    def action_same(self, unequal: bool) -> None:
        """Shows only rows with the cursor's value in its column, or all others."""
        found, view, column = self.grid.cell, self.grid.view, self.grid.column
        if found is not None and view is not None and column is not None:
            self.reorder((*view.filters, filter_by(found[1], column, unequal=unequal)), view.sort)

    def action_sort(self) -> None:
        """Sorts by the cursor's column, upwards, downwards, not at all."""
        view, column = self.grid.view, self.grid.column
        if view is None or column is None:
            return
        now = view.sort
        if now is None or now.column != column:
            self.reorder(view.filters, Sort(column))
        else:
            self.reorder(view.filters, None if now.descending else Sort(column, descending=True))

    @work(exclusive=True, group="order", exit_on_error=False)
    async def reorder(self, filters: tuple[Filter, ...], sort: Sort | None) -> None:
        """Shows the rows that fit, in an order; a long one leaves keys and frames their turn."""
        if (view := self.grid.view) is None:
            return
        self.workers.cancel_group(self, "extend")
        self._ordering += 1
        self.foot.tell(f"{'sorting' if sort != view.sort else 'filtering'} {len(view.store):,} rows…", seconds=0)
        try:
            await view.apply(filters, sort)
        except ValueError as error:
            self.foot.tell(str(error), ink="failing")
            return
        finally:
            self._ordering -= 1
        self.foot.hush()
        if view is self.grid.view:
            self.grid.reordered()
            if self.result is not None and self.result.open:
                self.foot.tell("only the rows that are here; there are more: end reads on", ink="warn")
            self.tell()

    # --- columns

    def action_columns(self) -> None:
        """Hides or shows columns."""
        self._choose_column("Columns: enter hides or shows one", self._toggled, everything=True)

    def action_go_to_column(self) -> None:
        """Goes to a column by its name."""
        self._choose_column("Go to a column", self._went, everything=False)

    def _choose_column(self, title: str, then: Callable[[str | None], None], *, everything: bool) -> None:
        if self.result is None:
            return
        shown = set(self.grid.layout_.shown)
        choices = [
            Choice(str(at), column.name or "(no name)", f"{column.type}{'' if at in shown else '  hidden'}",
                   current=at == self.grid.column)
            for at, column in enumerate(self.result.columns)
            if everything or at in shown
        ]  # fmt: skip
        if everything and len(shown) < len(choices):
            choices.insert(0, Choice("all", "show all columns", f"{len(choices) - len(shown)} are hidden"))
        self.app.push_screen(Chooser(title, choices), then)

    def _toggled(self, value: str | None) -> None:
        if value is None:
            return
        layout = self.grid.layout_
        if value == "all":
            layout.show_all()
        elif not layout.toggle(int(value)):
            self.foot.tell("the last column stays", ink="warn")
        self.grid.laid_out()

    def _went(self, value: str | None) -> None:
        if value is not None:
            self.grid.go(self.grid.position, self.grid.layout_.shown.index(int(value)))
