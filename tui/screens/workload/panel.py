"""A list with the facts of the row under the cursor: beside it on a wide terminal, below it on a narrow one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.message import Message
from textual.widget import Widget

from tui.screens.workload.view import View
from tui.widgets.columns import Column
from tui.widgets.ink import Cell
from tui.widgets.lines import Line, Lines
from tui.widgets.row import Row
from tui.widgets.rows import RowTable

#: From this width on, in cells, the facts stand beside the list.
WIDE = 110
#: On a terminal of fewer lines there is no room for the facts below the list: they take its place while they are read.
LOW = 15
#: On a terminal of fewer lines the head gives way, too.
SHORT = 8


class Tab(Container):
    """One tab's body. It is mounted when it is first looked at and told what to show only while it is looked at."""

    def show(self, view: View) -> None:
        """Draws a workload as it is now."""
        raise NotImplementedError

    def main(self) -> Widget:
        """The widget that gets the focus when the tab is turned to."""
        raise NotImplementedError

    def selected(self) -> tuple[str, str] | None:
        """The object under the cursor, as the resource's key and the name, for the YAML tab."""
        return None


class Facts(Lines):
    """The facts of one row; they can be scrolled once they have the focus."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,left,h", "leave", "Back to the list", id="workload.facts-leave"),
    ]

    class Left(Message):
        """The reader wants to go back to the list."""

    def action_leave(self) -> None:
        """Goes back to the list."""
        self.post_message(self.Left())


class ListTab(Tab):
    """A table and, for the row under its cursor, the facts."""

    COLUMNS: ClassVar[Sequence[Column]] = ()
    EMPTY: ClassVar[Cell] = ""
    RESOURCE: ClassVar[str] = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,l", "facts", "Facts", show=False, id="workload.facts"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._view: View | None = None
        self._shown: str | None = None
        self._compact = True
        self._reading = False

    def rows(self, view: View) -> list[Row]:
        """The rows of a workload."""
        raise NotImplementedError

    def facts(self, view: View, key: str, compact: bool) -> list[Line]:
        """The facts of one row.

        Args:
            view: what is drawn.
            key: the row's key.
            compact: True when there is room for a few lines only.
        """
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        """The list, then the facts."""
        yield RowTable(self.COLUMNS, empty_text=self.EMPTY)
        yield Facts()

    def main(self) -> Widget:
        """The list, or the facts where they have taken its place."""
        table = self.query_one(RowTable)
        return table if table.display else self.query_one(Facts)

    def show(self, view: View) -> None:
        """Draws the rows, and the facts of the one under the cursor."""
        if self._view is not None and self._view.workload.key != view.workload.key:
            self._shown = None
            self.query_one(RowTable).forget_widths()
        self._view = view
        refusal = view.refusal(self.RESOURCE)
        table = self.query_one(RowTable)
        table.set_empty_text(((f"not to be seen: {refusal}", "warn"),) if refusal else self.EMPTY)
        table.set_rows(self.rows(view))
        self._show_facts()

    def _show_facts(self) -> None:
        view, key = self._view, self.query_one(RowTable).cursor_key
        facts = self.query_one(Facts)
        low = self._compact and self.screen.size.height < LOW
        facts.display = key is not None and (self._reading or not low)
        self.query_one(RowTable).display = not (low and facts.display)
        if view is None or key is None:
            return
        facts.set_lines(self.facts(view, key, self._compact), top=key != self._shown)
        self._shown = key

    def on_resize(self, event: events.Resize) -> None:
        """Turns the facts from below to beside."""
        compact = event.size.width < WIDE
        self.set_class(not compact, "-wide")
        self._compact = compact
        self._reading = self.query_one(Facts).has_focus
        self._show_facts()

    @on(RowTable.Highlighted)
    def _another_row(self) -> None:
        self._show_facts()

    @on(RowTable.Selected)
    def action_facts(self) -> None:
        """Goes to the facts, which get more room while they are read."""
        if self.query_one(RowTable).cursor_key is not None:
            self._reading = True
            self._show_facts()
            self.screen.set_focus(self.query_one(Facts))

    @on(Facts.Left)
    def _leave_facts(self) -> None:
        self._reading = False
        self._show_facts()
        self.screen.set_focus(self.query_one(RowTable))
