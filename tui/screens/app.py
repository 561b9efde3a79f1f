"""The program on screen: opens a context, keeps what is shown true, and leads from screen to screen.

On the way to the first frame this imports Textual and little else; whatever talks to Kubernetes is loaded by the
gateway after that frame stands.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.driver import Driver
from textual.signal import Signal
from textual.timer import Timer

from tui import state
from tui.consoles.hosting import ConsolesApp
from tui.paths import config_dir
from tui.problem import Cause, Problem, ProblemError
from tui.screens import situation, terminal, themes
from tui.screens.ending import EndingApp
from tui.screens.frugal import FrugalApp
from tui.screens.gateway import ClusterGateway, Gateway
from tui.screens.keyorder import OrderedKeys
from tui.screens.overview.order import SORTS, Order
from tui.screens.overview.screen import LAYOUTS, OverviewScreen
from tui.screens.suspending import SuspendingApp
from tui.screens.switching import SwitchingApp
from tui.screens.teaching import TeachingApp
from tui.systems.model import Workload
from tui.text import one_line
from tui.widgets.statusline import Status, StatusLine

if TYPE_CHECKING:
    from tui.kube.options import ConnectOptions
    from tui.settings import Settings
    from tui.systems.live import Live, Update

log = logging.getLogger(__name__)

#: Seconds between two looks at the ages on screen.
TICK = 5.0
#: Seconds without another size after which the terminal is thought to have settled.
SETTLED = 0.1
#: Seconds for which a key that is being answered may keep the workloads from being derived anew.
ANSWER = 0.2
#: Seconds given to the connections to close when the program ends.
PARTING = 1.0


class StatetuiApp(ConsolesApp, SwitchingApp, TeachingApp, OrderedKeys, FrugalApp, SuspendingApp, EndingApp):
    """statetui.

    Args:
        options: which context to open.
        settings: what the person has set.
        gateway: opens contexts; the default talks to Kubernetes.
        clock: seconds of the wall clock.
        monotonic: seconds that never go back, for the time since the last key.
        driver_class: another way to the terminal, for tests.

    Attributes:
        live: the opened context, None until there is one.
        status: what the status line says.
        ages: published every few seconds, when ages may read differently.
    """

    TITLE = "statetui"
    # All there are: a sheet that is read when its screen is pushed makes Textual apply all of them anew to everything.
    CSS_PATH: ClassVar[list[str | PurePath]] = [
        "app.tcss", "overview/overview.tcss", "chooser.tcss", "workload/workload.tcss",
        "../consoles/dialogs.tcss", "../consoles/prompts.tcss", "../consoles/sql/console.tcss",
        "../consoles/sql/operations.tcss", "../consoles/bucket/console.tcss",
        "../consoles/queue/console.tcss",
    ]  # fmt: skip
    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "namespace", "Namespace", id="app.namespace"),
        Binding("c", "context", "Context", id="app.context"),
        Binding("r,ctrl+r", "retry", "Try again now", show=False, id="app.retry"),
        Binding("t", "theme", "Theme", show=False, id="app.theme"),
        Binding("ctrl+l,R", "redraw", "Redraw the screen", show=False, id="app.redraw"),
        Binding("question_mark,f1", "help", "Help", id="app.help"),
        Binding("ctrl+p,colon", "palette", "Everything", id="app.palette"),
        Binding("q,ctrl+q", "quit", "Quit", id="app.quit"),
    ]

    def __init__(
        self,
        options: ConnectOptions,
        settings: Settings,
        *,
        gateway: Gateway | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        driver_class: type[Driver] | None = None,
    ) -> None:
        super().__init__(driver_class=driver_class)
        self.settings = settings
        self.options = options
        self.clock = clock
        self.monotonic = monotonic
        self.live: Live | None = None
        self.status = Status(options.context or "")
        self.animation_level = "none"
        self.tick = clock()
        self._remembered = state.recall()
        self.gateway: Gateway = gateway or ClusterGateway()
        self._problem: Problem | None = None
        self._told_left_out = False
        self._loaded_ahead = False
        self._tally = situation.Tally()
        self._tasks: set[asyncio.Task[None]] = set()
        self._watching: asyncio.Task[None] | None = None
        self._settling: Timer | None = None
        self._set_theme()
        if self.settings.keys:
            self.set_keymap(dict(self.settings.keys))

    # --- starting and ending

    def get_default_screen(self) -> OverviewScreen:
        """The overview is the screen below all others."""
        layout = self.settings.layout
        if not self.settings.chosen("layout"):
            layout = self._remembered.get("layout", layout)
        sort = self._remembered.get("sort", "")
        order = Order(sort=sort.rstrip("-"), reverse=sort.endswith("-")) if sort.rstrip("-") in SORTS else Order()
        return OverviewScreen(layout if layout in LAYOUTS else "auto", order)

    def on_mount(self) -> None:
        """Opens the context once the first frame stands."""
        self.ages: Signal[float] = Signal(self, "ages")
        self.app_resume_signal.subscribe(self, lambda _: self.action_redraw())
        self.set_interval(TICK, self._tick)
        if self._driver is not None and not self.is_headless:
            self.watch_terminal()
        self.call_after_refresh(self.connect, self.options)

    async def on_unmount(self) -> None:
        """Lets connections close, but not for long."""
        await self.close_forwards()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            with contextlib.suppress(Exception):
                await asyncio.wait(self._tasks, timeout=PARTING)

    def _tick(self) -> None:
        self.tick = self.clock()
        self.refresh_view()
        self.ages.publish(self.tick)

    # --- the opened context

    @property
    def workloads(self) -> Mapping[str, Workload]:
        """What is known of the opened context."""
        return self.live.workloads if self.live is not None else {}

    @property
    def overview(self) -> OverviewScreen:
        """The screen below all others."""
        screen = self.screen_stack[0]
        assert isinstance(screen, OverviewScreen)  # noqa: S101  (get_default_screen made it)
        return screen

    def connect(self, options: ConnectOptions) -> None:
        """Opens a context in place of the one before, which is left to end by itself: it may be unreachable."""
        if self._watching is not None:
            self._watching.cancel()
        if self.live is not None:
            self.live.listeners.clear()
        self.end_consoles()
        self.options = options
        self.live = self._problem = None
        self._tally.clear()
        self.overview.show_all({})
        self._watching = asyncio.create_task(self._watch(options), name="watch")
        self._tasks.add(self._watching)
        self._watching.add_done_callback(self._tasks.discard)
        self.refresh_view()

    async def _watch(self, options: ConnectOptions) -> None:
        try:
            live = await self.gateway.open(options)
            if options is not self.options:
                return
            self.live = live
            live.listeners.append(lambda update: self._take(live, update))
            self._tell_left_out(live.catalogue.problems)
            self._take_all()
            await live.run()
        except ProblemError as error:
            self._fail(options, error.problem)
        except Exception as error:
            log.exception("the context could not be opened")
            self._fail(
                options,
                Problem(Cause.INTERNAL, "statetui made a mistake", repr(error), "The log file has the details."),
            )

    def _tell_left_out(self, problems: Sequence[Problem]) -> None:
        """Tells once of system files that cannot be used; the status line counts them as long as the program runs."""
        if not self._told_left_out:
            for problem in problems:
                text = one_line(str(problem))
                self.notify(text, title="A system file was left out", severity="warning", markup=False)
        self._told_left_out = True

    def _fail(self, options: ConnectOptions, problem: Problem) -> None:
        if options is self.options:
            self.live = None
            self._problem = problem
            self.refresh_view()

    def _take_all(self) -> None:
        self._tally.clear()
        self._tally.take(self.workloads.values())
        self.overview.show_all(self.workloads)
        self.refresh_view()

    def _take(self, live: Live, update: Update) -> None:
        """An update of the opened context; those of one that was left are late and mean nothing."""
        if live is not self.live or not self.is_running:
            return
        if update.complete and not self._loaded_ahead:
            self._load_ahead()
        self.look_for_faults(live)
        self._tally.take(update.changed, update.gone)
        self.overview.apply(update.changed, update.gone, self.workloads)
        self.refresh_view()

    def _load_ahead(self) -> None:
        """Loads what the first key may open, now that nobody waits for anything."""
        self._loaded_ahead = True
        loading = asyncio.create_task(asyncio.to_thread(_screens), name="load ahead")
        self._tasks.add(loading)
        loading.add_done_callback(self._tasks.discard)

    def refresh_view(self) -> None:
        """Brings status and overview to what is known; the overview only while it can be seen."""
        if not self.screen_stack or not self.overview.is_mounted:
            return
        self.follow_forwards()
        overview = self.overview
        wanted = self.options.context or ""
        if self.live is None:
            now = situation.opening(wanted, self._problem)
        else:
            name = self.live.context.name if self.live.context is not None else wanted
            seen = situation.Seen(
                wanted, self._tally.counts, len(overview.shown), overview.view, self.settings.protects(name)
            )
            now = situation.judge(self.live, seen)
        if all(screen is overview or screen.is_modal for screen in self.screen_stack):
            overview.draw(now.notice, stale=now.stale)
        if now.status != self.status:
            self.status = now.status
            for line in self.screen.query(StatusLine):
                line.show(now.status)

    def open_workload(self, key: str) -> None:
        """Shows one workload on a screen of its own."""
        from tui.screens.workload.screen import WorkloadScreen  # noqa: PLC0415  (not needed to start)

        if self.live is not None and key in self.workloads:
            self.push_screen(WorkloadScreen(self.live, key, [workload.key for workload in self.overview.shown]))

    def remember(self, key: str, value: str) -> None:
        """Keeps a choice for the next start."""
        if self._remembered.get(key) != value:
            self._remembered[key] = value
            state.remember(key, value)

    # --- looks

    def _set_theme(self) -> None:
        """The theme of the settings, else the one chosen last, else the default; no mistake in it keeps us out."""
        name = self.settings.theme or self._remembered.get("theme", "") or themes.DEFAULT
        try:
            theme = themes.load(name, config_dir() / "themes")
        except ProblemError as error:
            log.warning("%s", error.problem)
            theme = themes.load(themes.DEFAULT)
        self.register_theme(theme)
        self.theme = theme.name

    def use_theme(self, name: str) -> None:
        """Changes the theme for now and for the next start."""
        try:
            theme = themes.load(name, config_dir() / "themes")
        except ProblemError as error:
            self.notify(str(error.problem), severity="error", markup=False)
            return
        self.register_theme(theme)
        self.theme = theme.name
        self.remember("theme", name)
        self.overview.restyle()

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """For themes that are not ours."""
        return {"cursor": "#333333", "frame": "#555555", "frame-focus": "#aaaaaa", "muted": "#888888"}

    def on_resize(self) -> None:
        """The terminal has moved its lines about, once or many times: when it rests, everything is drawn anew.

        Textual draws nothing when the last of many sizes is the one it knew before, whatever became of the screen.
        """
        if self._frames is not None:
            self._frames.invalidate()
        if self._settling is not None:
            self._settling.stop()
        self._settling = self.set_timer(SETTLED, self.action_redraw)

    # --- keys

    async def on_event(self, event: events.Event) -> None:
        """Takes the key that ends a jump before anything else does. While a key is answered nothing is derived."""
        if not isinstance(event, events.Key) or not self.screen_stack:
            await super().on_event(event)
            return
        screen, live = self.screen, self.live
        if isinstance(screen, OverviewScreen) and screen.take_key(event):
            return
        if live is not None:
            live.rest(ANSWER)
        try:
            await super().on_event(event)
        finally:
            if live is not None:
                live.rest(0.0)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The switchers are not offered where they are out of place."""
        if action in ("namespace", "context", "retry", "theme", "help") and getattr(self.screen, "ALONE", False):
            return False
        if action in ("namespace", "context", "retry") and getattr(self.screen, "WORKING", False):
            return False
        return super().check_action(action, parameters)

    def action_redraw(self) -> None:
        """Draws everything anew, whatever the terminal shows, at the size that it has."""
        if not self.screen_stack:  # it is asked for a moment after a resize, and the end may come first
            return
        if not self.is_headless and (size := terminal.size(self.size)) != self.size:
            self.post_message(events.Resize(size, size))
        if self._frames is not None:
            self._frames.invalidate()
        self.screen.refresh()
        self.overview.restyle()

    def action_retry(self) -> None:
        """Tries again at once whatever waits for its next attempt."""
        if self.live is not None:
            self.live.retry_now()
        elif self._problem is not None:
            self.connect(self.options)

    def action_help(self) -> None:
        """Help for what has the focus."""
        from tui.screens.help import HelpScreen, help_of, keys_of  # noqa: PLC0415  (not needed to start)

        if not isinstance(self.screen, HelpScreen):
            keys = keys_of(active.binding for active in self.screen.active_bindings.values())
            self.push_screen(HelpScreen(help_of(self.focused or self.screen), keys))


def _screens() -> None:
    """The modules of the screens that are pushed."""
    from tui.consoles.bucket import screen as buckets  # noqa: PLC0415, F401
    from tui.consoles.queue import screen as queues  # noqa: PLC0415, F401
    from tui.consoles.sql import screen as console  # noqa: PLC0415, F401
    from tui.screens import help, switchers  # noqa: PLC0415, F401
    from tui.screens.forwards import desk, dialog, question  # noqa: PLC0415, F401
    from tui.screens.workload import screen  # noqa: PLC0415, F401
