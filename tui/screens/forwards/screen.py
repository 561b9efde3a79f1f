"""All forwards of the opened context: what each leads to, how it is, and the connections through it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, ClassVar, cast

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.widget import Widget

from tui.kube.forward.forward import Forward
from tui.kube.forward.listener import HOST, TcpAddress
from tui.kube.forward.views import ForwardView, State
from tui.problem import Problem, ProblemError
from tui.screens.base import BaseScreen
from tui.screens.forwards import desk
from tui.screens.forwards.details import defined_details, details, tunnel_details
from tui.screens.forwards.dialog import ForwardDialog
from tui.screens.forwards.follow import Follower
from tui.screens.forwards.parts import EMPTY, ForwardFacts, ForwardList, TunnelList
from tui.screens.forwards.question import Question, counted, ending
from tui.screens.forwards.rows import COLUMNS, DEFINED, TUNNELS, defined_row, forward_row, tunnel_row
from tui.screens.forwards.signs import rate
from tui.screens.workload.headline import Sheet, Sides
from tui.systems import forwarding
from tui.widgets.ink import Cell
from tui.widgets.keyline import KeyLine
from tui.widgets.notice import Notice
from tui.widgets.rows import RowTable
from tui.widgets.statusline import StatusLine

if TYPE_CHECKING:
    from tui.kube.forward.book import Forwards
    from tui.screens.app import StatetuiApp
    from tui.settings_forwards import ForwardSetting
    from tui.systems.live import Live
    from tui.systems.reach import Reach

log = logging.getLogger(__name__)

#: Seconds between two looks at bytes and rates; states are shown at once.
LOOK = 1.0
#: From this width on the facts stand beside the tunnels.
WIDE = 130
#: With fewer lines there is room for the list alone, or for what has the focus.
LOW = 12
_OVER = (State.DRAINING, State.STOPPED)


class ForwardsScreen(BaseScreen):
    """The forwards of one context.

    Args:
        live: the context.
    """

    CSS_PATH = "forwards.tcss"
    HERE: ClassVar[frozenset[str]] = frozenset({"forwards"})
    HELP: ClassVar[str] = "Forwards\nf opens one, from here or from any workload; tab goes from part to part."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", id="forwards.back"),
        Binding("f", "app.forward", "New", id="app.forward"),
        Binding("y", "copy", "Copy", id="forwards.copy"),
        Binding("d", "stop", "Stop", id="forwards.stop"),
        Binding("e", "change", "Change", id="forwards.change"),
        Binding("s", "restart", "Restart", id="forwards.restart"),
        Binding("a", "address", "Address", id="forwards.address"),
    ]

    def __init__(self, live: Live) -> None:
        super().__init__()
        self._live = live
        self._follower: Follower | None = None
        self._shown: str | None = None
        self._lines = 0
        self._can: tuple[State, bool] | None = None
        self._refused: dict[str, Problem] = {}
        self._views: dict[int, ForwardView] = {}

    @property
    def _host(self) -> StatetuiApp:
        return cast("StatetuiApp", self.app)

    @property
    def _book(self) -> Forwards:
        assert self._live.forwards is not None  # noqa: S101  (the app opens the screen only then)
        return self._live.forwards

    def compose(self) -> ComposeResult:
        """The list, and of the selected forward facts and tunnels."""
        yield StatusLine()
        yield Sheet(id="head")
        yield Notice(EMPTY, id="empty")
        yield ForwardList(COLUMNS, id="list")
        with Container(id="below"):
            yield ForwardFacts(id="facts")
            yield TunnelList(TUNNELS, id="tunnels", empty_text="no connection yet")
        yield KeyLine()

    def on_mount(self) -> None:
        """Begins to follow."""
        self._follower = Follower(self, self._book, self._show)
        self.set_interval(LOOK, self._show)
        self._show()

    def on_unmount(self) -> None:
        """Follows no more."""
        if self._follower is not None:
            self._follower.close()

    def on_screen_resume(self) -> None:
        """Catches up."""
        super().on_screen_resume()
        self._show()

    def on_resize(self, event: events.Resize) -> None:
        """Facts beside or above the tunnels."""
        self.set_class(event.size.width >= WIDE, "-wide")
        self._arrange()

    # --- showing

    def show(self, number: int) -> None:
        """Brings the list up to date and puts the cursor on a forward."""
        self._show()
        self.query_one(ForwardList).move_to(str(number))
        self.set_focus(self.query_one(ForwardList))

    def _show(self) -> None:
        """Draws what is known now; what is the same costs no byte."""
        if not self.is_mounted or not self.is_current:
            return
        if self._host.live is not self._live:
            self.dismiss()  # another context was opened, and these forwards ended with this one
            return
        now = self._host.clock()
        self._views = {forward.number: forward.view() for forward in self._book}
        rows = [forward_row(view, now) for view in self._views.values()]
        for name, setting in self._defined().items():
            problem = self._refused.get(name)
            rows.append(defined_row(name, *_words(name, setting), problem.what if problem is not None else ""))
        self.query_one(ForwardList).set_rows(rows)
        self._show_head()
        self._show_selected()
        self._arrange()
        forward = self._selected
        can = (forward.state, forward.listener is None) if forward is not None else None
        if can != self._can:
            self._can = can
            self.refresh_bindings()

    def _show_head(self) -> None:
        views = self._views.values()
        live = [view for view in views if view.state not in _OVER]
        connections = sum(len(view.tunnels) for view in views)
        recent = [view.rates[-1] for view in live if view.rates]
        flow = rate(sum(sent for sent, _ in recent), sum(received for _, received in recent))
        flow = (*flow, (" ", "")) if not isinstance(flow, str) else flow
        left: Cell = (
            ("⇄ ", "accent"),
            ("Forwards", "strong"),
            (f"   {counted(len(live), 'forward')}, {counted(connections, 'connection')}", "dim"),
        )
        self.query_one("#head", Sheet).set_sides([Sides(left, flow)])

    def _show_selected(self) -> None:
        key = self.query_one(ForwardList).cursor_key
        other, self._shown = key != self._shown, key
        facts, tunnels = self.query_one(ForwardFacts), self.query_one(TunnelList)
        if other:
            tunnels.forget_widths()
        if (name := self._selected_name) in (defined := self._defined()):
            facts.set_lines(defined_details(name, *_words(name, defined[name]), self._refused.get(name)), top=other)
            tunnels.set_rows(())
            return
        forward = self._selected
        view = self._views.get(forward.number) if forward is not None else None
        if forward is None or view is None:
            return
        now = self._host.clock()
        uid = view.pod.uid if view.pod is not None else ""
        each = {str(tunnel.number): tunnel for tunnel in (*view.tunnels, *view.recent)}
        tunnels.set_rows([tunnel_row(tunnel, now, uid) for tunnel in each.values()])
        if not tunnels.has_focus:
            tunnels.action_first()  # nobody reads there: the open ones are what counts
        if tunnels.has_focus and tunnels.cursor_key in each:
            facts.set_lines(tunnel_details(each[tunnels.cursor_key], now))
        else:
            facts.set_lines(details(view, now, sticky=forward.sticky, narrow=self.has_class("-wide")), top=other)

    @property
    def _selected(self) -> Forward | None:
        key = self.query_one(ForwardList).cursor_key
        return self._book.get(int(key)) if key is not None and key.isdecimal() else None

    @property
    def _selected_name(self) -> str:
        """The name of the definition under the cursor, empty when it is a forward that stands."""
        key = self.query_one(ForwardList).cursor_key or ""
        return key.removeprefix(DEFINED) if key.startswith(DEFINED) else ""

    def _defined(self) -> dict[str, ForwardSetting]:
        """The forwards of the settings that are not started."""
        context = self._live.context
        standing = {view.name for view in self._views.values()}
        found = self._host.settings.forwards_of(context.name) if context is not None else {}
        return {name: setting for name, setting in found.items() if name not in standing}

    def _arrange(self) -> None:
        """Shares out the lines: the list has what it needs, up to a good third; a low screen shows one part alone."""
        rows = len(self.query_one(ForwardList).rows)
        height = self.size.height - 3
        low = height < LOW
        reading = self.focused in (self.query_one(ForwardFacts), self.query_one(TunnelList))
        _display(self.query_one("#empty"), not rows)
        _display(self.query_one(ForwardList), bool(rows) and not (low and reading))
        _display(self.query_one("#below"), bool(rows) and (reading or not low))
        lines = max(3, height if low else min(rows + 1, height * 2 // 5))
        if self._lines != lines:
            self._lines = lines
            self.query_one(ForwardList).styles.height = lines
        self.set_class(not self.query_one(TunnelList).rows, "-unused")
        if rows and self.focused is None:
            self.set_focus(self.query_one(ForwardList))

    @on(RowTable.Highlighted, "ForwardList")
    def _another(self) -> None:
        self._show_selected()
        self.refresh_bindings()

    @on(RowTable.Highlighted, "TunnelList")
    @on(events.DescendantFocus)
    def _another_tunnel(self) -> None:
        self._show_selected()

    @on(RowTable.Selected, "ForwardList")
    def _open(self) -> None:
        if name := self._selected_name:
            self._do(self._start(name))
            return
        tunnels = self.query_one(TunnelList)
        self.query_one("#below").display = True
        self.set_focus(tunnels if tunnels.rows else self.query_one(ForwardFacts))
        self._arrange()

    def action_list(self) -> None:
        """Back to the list."""
        self.query_one(ForwardList).display = True
        self.set_focus(self.query_one(ForwardList))
        self._arrange()

    def action_back(self) -> None:
        """Back to where one came from."""
        self.dismiss()

    # --- doing

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what can be done with the selected forward is offered."""
        if action in ("copy", "stop", "change", "restart", "address"):
            forward = self._selected if self.is_mounted else None
            if forward is None:
                return False
            if action in ("change", "address"):
                return forward.state not in _OVER
            return action != "copy" or forward.listener is not None
        return super().check_action(action, parameters)

    def action_copy(self) -> None:
        """Copies the address."""
        if (forward := self._selected) is not None and forward.listener is not None:
            self._host.copy(forward.listener.address)

    def action_stop(self) -> None:
        """Stops it; asks first when connections would end. One that is stopped goes off the list."""
        forward = self._selected
        if forward is None:
            return
        if forward.state is State.STOPPED:
            self._do(self._book.remove(forward, drain=0))
        else:
            self._ask(f"Stop {forward.name}?", forward, "stop it", lambda: self._do(forward.stop()))

    def action_restart(self) -> None:
        """Starts it again: every connection is made anew."""
        if (forward := self._selected) is not None and forward.state is not State.DRAINING:
            again = self._restart
            self._ask(f"Restart {forward.name}?", forward, "restart it", lambda: self._do(again(forward)))

    async def _start(self, name: str) -> None:
        setting = self._defined().get(name)
        if setting is None:
            return
        self._refused.pop(name, None)
        try:
            made = await desk.start(self._live, name, setting)
        except ProblemError as error:
            self._refused[name] = error.problem
            self._show()
            return
        if self.is_mounted:
            self.show(made.number)

    async def _restart(self, forward: Forward) -> None:
        made = await desk.restart(self._book, forward)
        if self.is_mounted:
            self._show()
            self.query_one(ForwardList).move_to(str(made.number))

    def action_address(self) -> None:
        """Closes the address for other programs, or opens it again."""
        if (forward := self._selected) is None:
            return
        if forward.listener is not None:
            forward.unlisten()
        else:
            self._do(self._listen(forward))

    async def _listen(self, forward: Forward) -> None:
        suggestion = desk.ChangeDesk(self._book, self._reach, None, forward).suggest(str(forward.target.port))
        await forward.listen(desk.again(suggestion) or TcpAddress())

    def action_change(self) -> None:
        """The dialog with what it is now."""
        if (forward := self._selected) is None:
            return
        workload = forwarding.workload_of(forward.target, self._live)
        made = desk.ChangeDesk(self._book, self._reach, workload, forward)
        name = f"statetui-{workload.name if workload is not None else forward.number}"
        title = f"Change {forward.name}; open connections stay where they are"
        self._host.push_screen(
            ForwardDialog(title, made, made.ports, made.ways, made.start(), name=name, done="change it")
        )

    @property
    def _reach(self) -> Reach:
        assert self._live.reach is not None  # noqa: S101  (it comes with the forwards)
        return self._live.reach

    def _ask(self, title: str, forward: Forward, yes: str, then: Callable[[], None]) -> None:
        told = ending([forward.view()])
        if not told:
            then()
            return
        self._host.push_screen(Question(title, told, yes=yes), lambda answer: then() if answer else None)

    def _do(self, work: Coroutine[object, object, object]) -> None:
        """Does it in the app's time: leaving this screen must not leave it half done."""

        async def done() -> None:
            try:
                await work
            except ProblemError as error:
                self._host.notify(str(error.problem), severity="error", markup=False)
            except Exception:
                log.exception("a forward could not be changed")
                self._host.notify("statetui made a mistake; the log file has it", severity="error", markup=False)

        self._host.run_worker(done(), exit_on_error=False)


def _words(name: str, setting: ForwardSetting) -> tuple[str, str]:
    """What a definition leads to and where it will listen."""
    definition = forwarding.defined(name, setting)
    to = ", ".join(part for part in (definition.text, definition.role or definition.pod) if part)
    local = definition.local
    return to, "likeliest port" if local is None else f"{HOST}:{local}" if isinstance(local, int) else local


def _display(widget: Widget, shown: bool) -> None:
    if widget.display != shown:
        widget.display = shown
