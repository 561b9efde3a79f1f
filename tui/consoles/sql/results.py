"""The results of a run: a line of tabs, and below it the messages, a result or a plan."""

from __future__ import annotations

import time
from typing import ClassVar

from rich.style import Style
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message as TextualMessage
from textual.strip import Strip
from textual.widget import Widget

from tui.consoles.sql.messages import Messages
from tui.consoles.sql.pane import ResultPane
from tui.consoles.sql.plan import PlanView
from tui.consoles.sql.resultset import ResultSet, Run, State
from tui.services.sql.model import Lost, ServerError, Wire
from tui.services.sql.plans.model import Plan
from tui.widgets.columns import width_of
from tui.widgets.ink import Piece, inks
from tui.widgets.strips import strip_of

#: Seconds between two looks at a run while rows stream in.
OFTEN = 0.1
#: The sign of a result's state before its name, and its ink.
_SIGNS = {
    State.READING: ("◐", "running"), State.PAUSED: ("○", "waiting"), State.FULL: ("○", "warn"),
    State.ENDED: ("", ""), State.FAILED: ("✗", "failing"), State.STOPPED: ("■", "stopped"),
}  # fmt: skip


def title_of(result: ResultSet) -> tuple[Piece, ...]:
    """What a result's tab says: number, rows, state."""
    sign, ink = _SIGNS[result.state]
    more = "+" if result.state is not State.ENDED else ""
    count = f"{len(result.store):,}{more} row{'' if len(result.store) == 1 and not more else 's'}"
    what = "plan" if result.plan is not None else count
    return ((f"result {result.number}", ""), (f" · {what}", "dim"), (f" {sign}" if sign else "", ink))


class ResultTabs(Widget):
    """One line: as many tabs as fit, the chosen one always among them.

    Attributes:
        chosen: index of the tab; 0 is that of the messages.
    """

    ALLOW_SELECT = False
    DEFAULT_CSS: ClassVar[str] = "ResultTabs { height: 1; background: $panel; }"

    class Clicked(TextualMessage):
        """A tab was clicked."""

        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index

    def __init__(self) -> None:
        super().__init__()
        self.auto_links = False
        self.chosen = 0
        self._tabs: list[tuple[Piece, ...]] = []
        self._spans: list[tuple[int, int, int]] = []

    def show(self, tabs: list[tuple[Piece, ...]], chosen: int) -> None:
        """Shows these tabs, one of them chosen; repaints only when they differ."""
        if (tabs, chosen) != (self._tabs, self.chosen):
            self._tabs, self.chosen = tabs, chosen
            self.refresh()

    def _first(self, room: int) -> int:
        """The first tab of those shown: the chosen one is wholly there, with its neighbour when there is room."""
        first, used = self.chosen, width_of(self._tabs[self.chosen]) + 3
        if self.chosen + 1 < len(self._tabs):
            used += width_of(self._tabs[self.chosen + 1]) + 3
        while first > 0 and used + width_of(self._tabs[first - 1]) + 3 <= room:
            first -= 1
            used += width_of(self._tabs[first]) + 3
        return first

    def render_line(self, y: int) -> Strip:
        """The line."""
        width = self.size.width
        ground = Style(bgcolor=self.background_colors[1].rich_color)
        self._spans = []
        if not self._tabs:
            return Strip.blank(width, ground)
        first = self._first(width - 4)
        pieces: list[Piece] = [("‹" if first else " ", "accent")]
        x = 1
        for index in range(first, len(self._tabs)):
            tab, here = self._tabs[index], index == self.chosen
            size = width_of(tab) + 3
            if x + size > width - 1 and index > first:
                pieces += [(" " * (width - x - 1), ""), ("›", "accent")]
                break
            # Brackets tell the chosen one where there are no colours.
            pieces.append(("[" if here else " ", "title"))
            pieces += [(text, "title" if here else ink) for text, ink in tab]
            pieces.append(("] " if here else "  ", "title"))
            self._spans.append((x, x + size, index))
            x += size
        return strip_of(pieces, inks(self.app), ground, width)

    def on_click(self, event: events.Click) -> None:
        """Chooses the tab under the pointer."""
        for start, end, index in self._spans:
            if start <= event.x < end:
                self.post_message(self.Clicked(index))


class Results(Vertical):
    """Follows a run: goes to its first rows when they come, to the messages when it ends in an error or without rows.

    Attributes:
        run: what is followed, None before the first statement.
    """

    HELP: ClassVar[str] = """Results
The first tab has the messages of all statements, each further one a result: its number, its rows (+: there are more),
its state. [ and ] go from tab to tab."""
    DEFAULT_CSS: ClassVar[str] = """
    Results { height: 1fr; layout: vertical; }
    Results > Messages, Results > PlanView, Results > ResultPane { display: none; }
    Results.-messages > Messages, Results.-plan > PlanView, Results.-rows > ResultPane { display: block; }
    Results > Messages, Results > PlanView { padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left_square_bracket,ctrl+pageup", "turn(-1)", "Result before", show=False, id="results.previous"),
        Binding("right_square_bracket,ctrl+pagedown", "turn(1)", "Next result", id="results.next"),
        Binding("m", "messages", "Messages", id="results.messages"),
    ]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.run: Run | None = None
        self._chosen = 0
        self._by_hand = False
        self._last = 0.0
        self._coming = False
        self._awaited = True  # no rows of this run have been seen yet

    def compose(self) -> ComposeResult:
        """Tabs, and what they lead to."""
        yield ResultTabs()
        yield Messages()
        yield ResultPane()
        yield PlanView()

    @property
    def pane(self) -> ResultPane:
        """The result with rows that is shown, or would be."""
        return self.query_one(ResultPane)

    @property
    def chosen(self) -> int:
        """The tab: 0 the messages, then the results by their number."""
        return self._chosen

    # --- following

    def show(self, run: Run, *, wire: Wire) -> None:
        """Follows another run; the results of the one before go.

        Args:
            run: whose `take` is going on, or will.
            wire: the dialect of what is copied.
        """
        if self.run is not None:
            self.run.follow(lambda: None)
            self.run.stop()
            self.pane.show(None)
            self.run.forget()
        self.run = run
        self.pane.wire = wire
        self._chosen, self._by_hand, self._awaited = 0, False, True
        run.follow(self._changed)
        self._show()

    def on_unmount(self) -> None:
        """Screens are garbage in a cycle once they are left, which may never be collected: the rows go now."""
        if self.run is not None:
            self.run.follow(lambda: None)
            self.run.forget()

    def put_plan(self, result: ResultSet, plan: Plan) -> None:
        """Has the tab of a result show the plan that its rows are."""
        result.plan = plan
        self._show()

    def _changed(self) -> None:
        """Something is new: the first rows are shown at once, all else when the last look is a while ago."""
        if not self.is_mounted:
            return
        if self._awaited and self.run is not None and self.run.sets and self.run.sets[0].read:
            self._awaited, self._coming = False, True
            self.call_later(self._show)
        if self._coming:
            return
        self._coming = True
        wait = OFTEN - (time.monotonic() - self._last)
        if wait <= 0:
            self.call_later(self._show)
        else:
            self.set_timer(wait, self._show)

    def _show(self) -> None:
        self._coming, self._last = False, time.monotonic()
        run = self.run
        if run is None or not self.is_mounted:
            return
        if not self._by_hand:
            self._chosen = _best(run)
        count = len(run.messages)
        wrong = sum(isinstance(each.what, ServerError | Lost) for each in run.messages)
        sign: Piece = (" ✗", "failing") if wrong else ("", "")
        tabs: list[tuple[Piece, ...]] = [(("messages", ""), (f" {count}", "dim"), sign)]
        tabs += [title_of(each) for each in run.sets]
        self.query_one(ResultTabs).show(tabs, self._chosen)
        self._show_chosen(run)

    def _show_chosen(self, run: Run) -> None:
        had_focus = self.has_focus_within
        result = run.sets[self._chosen - 1] if self._chosen else None
        kind = "-messages" if result is None else "-plan" if result.plan is not None else "-rows"
        before = next((each for each in ("-messages", "-plan", "-rows") if self.has_class(each)), "")
        if kind != before:
            self.remove_class("-messages", "-plan", "-rows")
            self.add_class(kind)
            if had_focus:
                self.screen.set_focus(self.main())
        if result is None:
            self.query_one(Messages).follow(run)
        elif result.plan is not None:
            self.query_one(PlanView).show(result.plan)
        else:
            self.pane.show(result)

    def main(self) -> Widget:
        """The widget that the focus belongs to."""
        if self.has_class("-rows"):
            return self.pane.main()
        return self.query_one(PlanView) if self.has_class("-plan") else self.query_one(Messages)

    # --- choosing

    def go(self, index: int) -> None:
        """Shows a tab: 0 the messages, then the results by their number."""
        if self.run is None or not 0 <= index <= len(self.run.sets):
            return
        self._chosen, self._by_hand = index, True
        self._show()

    def action_turn(self, step: int) -> None:
        """Goes to the tab before or the next one, round the ends."""
        if self.run is not None:
            self.go((self._chosen + step) % (len(self.run.sets) + 1))

    def action_messages(self) -> None:
        """Goes to the messages, or back to the last result."""
        if self.run is not None:
            self.go(0 if self._chosen else len(self.run.sets))

    def on_result_tabs_clicked(self, message: ResultTabs.Clicked) -> None:
        """Goes to the tab."""
        message.stop()
        self.go(message.index)


def _best(run: Run) -> int:
    """The tab to show when nobody chose: an error before everything, then the first result, else the messages."""
    if run.messages and isinstance(run.messages[-1].what, ServerError | Lost):
        failed = run.messages[-1].result
        # Rows that came before an error are worth more than its words, which the line below them points to.
        return failed if failed is not None and len(run.sets[failed - 1].store) else 0
    return 1 if run.sets else 0
