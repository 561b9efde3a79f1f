"""The screen of one workload. It follows the workload while it lives, and says so when it does not any more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container

from tui.kube.resources import BUILT_IN
from tui.kube.times import clock
from tui.screens.base import BaseScreen
from tui.screens.forwards.hosting import workload_badge
from tui.screens.workload.claims import ClaimsTab
from tui.screens.workload.conditions import ConditionsTab
from tui.screens.workload.events import EventsTab
from tui.screens.workload.headline import Sheet, Sides, TabLine, headline
from tui.screens.workload.members import MembersTab
from tui.screens.workload.panel import SHORT, Tab
from tui.screens.workload.view import View
from tui.screens.workload.yaml_tab import YamlTab
from tui.systems.model import Health, Workload
from tui.widgets.keyline import KeyLine
from tui.widgets.statusline import StatusLine

if TYPE_CHECKING:
    from tui.screens.app import StatetuiApp
    from tui.systems.live import Live, Update

#: The tabs in the order of their keys.
TABS = ("Members", "Claims", "Events", "Conditions", "YAML")
#: Seconds between two looks at what no workload tells of: new events, what the kubelet said of a probe.
LOOK = 1.0


class WorkloadScreen(BaseScreen):
    """One workload.

    Args:
        live: what is watched.
        key: the workload's key.
        keys: the keys of all workloads in the order in which they were listed, for the way to the neighbours.
    """

    CSS_PATH = "workload.tcss"
    HELP: ClassVar[str] = """One workload
Its first line says what it is, where, how it was installed and how many members are ready; the second what goes on.
Keys 1 to 5, tab and shift+tab turn the tabs; [ and ] go to the neighbours in the list; y shows the object under the
cursor as YAML; esc goes back. Everything is live; when the workload is deleted, its last known state stays."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", id="workload.back"),
        Binding("tab", "turn(1)", "Next tab", id="workload.next-tab", priority=True),
        Binding("shift+tab", "turn(-1)", "Previous tab", show=False, id="workload.previous-tab", priority=True),
        *(
            Binding(str(index + 1), f"tab({index})", name, show=False, id=f"workload.{name.lower()}")
            for index, name in enumerate(TABS)
        ),
        Binding("s", "app.sql", "SQL", id="app.sql"),
        Binding("b", "app.bucket", "Buckets", id="app.bucket"),
        Binding("m", "app.queue", "Messages", id="app.queue"),
        Binding("S", "app.operations", "Operations", show=False, id="app.operations"),
        Binding("f", "app.forward", "Forward", id="app.forward"),
        Binding("y", "yaml", "YAML", id="workload.show-yaml"),
        Binding("left_square_bracket", "neighbour(-1)", "Previous", show=False, id="workload.previous"),
        Binding("right_square_bracket", "neighbour(1)", "Next workload", id="workload.next"),
    ]

    def __init__(self, live: Live, key: str, keys: Sequence[str] = ()) -> None:
        super().__init__()
        self._live = live
        self._key = key
        self._keys = tuple(keys)
        self._workload: Workload | None = live.workloads.get(key)
        self._gone_at: float | None = None
        self._tab = 0
        self._tabs: dict[int, Tab] = {}
        self._turning = False

    @property
    def key(self) -> str:
        """The key of the workload shown."""
        return self._key

    @property
    def tab(self) -> str:
        """The name of the open tab."""
        return TABS[self._tab]

    def compose(self) -> ComposeResult:
        """The head; the tabs' bodies are mounted when they are first looked at."""
        yield StatusLine()
        yield Sheet(id="headline")
        yield Sheet(id="banner")
        yield TabLine(id="tabs")
        yield Container(id="body")
        yield KeyLine()

    async def on_mount(self) -> None:
        """Begins to follow the workload."""
        self._live.listeners.append(self._follow)
        self.set_interval(LOOK, self._look)
        self._host.ages.subscribe(self, lambda _: self._look())
        await self._turn_to(0)

    def on_unmount(self) -> None:
        """Follows no more."""
        if self._follow in self._live.listeners:
            self._live.listeners.remove(self._follow)

    def on_screen_resume(self) -> None:
        """Catches up with what happened while another screen was in front."""
        super().on_screen_resume()
        self._show()

    def on_resize(self, event: events.Resize) -> None:
        """The tabs' names are shorter on a narrow terminal; on a low one what is asked for comes before the head."""
        self.set_class(event.size.height < SHORT, "-short")
        self._show_head()

    # --- following

    @property
    def _host(self) -> StatetuiApp:
        return cast("StatetuiApp", self.app)

    def _now(self) -> float:
        return self._host.clock()

    def _follow(self, update: Update) -> None:
        if self._key in self._live.workloads:
            changed = self._live.workloads[self._key] is not self._workload or self._gone_at is not None
            self._workload, self._gone_at = self._live.workloads[self._key], None
            if changed or update.feeds:
                self._show()
        elif self._key in update.gone and self._gone_at is None:
            self._gone_at = self._now()
            self._show()

    def _look(self) -> None:
        """Draws again: ages, events and probes move without the workload moving. What is the same costs no byte."""
        if not self.is_current:
            return
        if self._host.live is not self._live:
            # Another context was opened: nothing that stands here will ever change again.
            self.dismiss()
            return
        self._show()

    def _view(self) -> View | None:
        if self._workload is None:
            return None
        cluster = self._live.cluster
        if cluster is None:
            return View(self._workload, None, self._now(), self._gone_at)
        badge = workload_badge(self._live, self._workload)
        return View(self._workload, cluster.store, self._now(), self._gone_at, cluster.feeds, badge)

    def _show(self) -> None:
        if not self.is_mounted or not self.is_current:
            return
        self._show_head()
        view, tab = self._view(), self._tabs.get(self._tab)
        if view is not None and tab is not None and tab.is_mounted:
            if isinstance(tab, YamlTab):
                tab.connect(self._live.api)
            tab.show(view)

    def _show_head(self) -> None:
        view = self._view()
        banner = self.query_one("#banner", Sheet)
        if view is None:
            self.query_one("#headline", Sheet).set_sides([Sides(((f"{self._key} is not known any more", "warn"),))])
            return
        self.query_one("#headline", Sheet).set_sides(headline(view))
        banner.display = view.gone_at is not None
        if view.gone_at is not None:
            text = f"deleted at {clock(view.gone_at)}: what follows is its last known state"
            banner.set_sides([Sides((("◍ ", "terminating"), (text, "strong")), (("esc goes back ", "dim"),))])
        self.query_one(TabLine).set_tabs([(name, _note(name, view)) for name in TABS], self._tab)

    # --- tabs

    async def _turn_to(self, index: int) -> None:
        self._tab = index
        body = self.query_one("#body", Container)
        if index not in self._tabs:
            self._tabs[index] = self._make(index)
            await body.mount(self._tabs[index])
        for at, tab in self._tabs.items():
            tab.display = at == index
        self._show()
        self.set_focus(self._tabs[index].main())

    def _make(self, index: int) -> Tab:
        if TABS[index] == "YAML":
            return YamlTab({resource.key: resource for resource in (*BUILT_IN, *self._live.catalogue.customs)})
        return (MembersTab, ClaimsTab, EventsTab, ConditionsTab)[index]()

    async def action_tab(self, index: int) -> None:
        """Opens a tab."""
        await self._turn_to(index)

    async def action_turn(self, step: int) -> None:
        """Turns to the next or the previous tab."""
        await self._turn_to((self._tab + step) % len(TABS))

    @on(TabLine.Chosen)
    async def _chosen(self, message: TabLine.Chosen) -> None:
        await self._turn_to(message.index)

    async def action_yaml(self) -> None:
        """Shows the object under the cursor as YAML."""
        selected = self._tabs[self._tab].selected()
        await self._turn_to(TABS.index("YAML"))
        tab = self._tabs[self._tab]
        if selected is not None and isinstance(tab, YamlTab):
            tab.go_to(*selected)

    # --- elsewhere

    def reachable(self) -> tuple[str, str]:
        """This workload; among its members the one under the cursor."""
        selected = self._tabs[self._tab].selected() if self.tab == "Members" and self._tab in self._tabs else None
        return self._key, selected[1] if selected is not None else ""

    def action_back(self) -> None:
        """Closes the search line, or goes back to where one came from."""
        tab = self._tabs.get(self._tab)
        if not (isinstance(tab, YamlTab) and tab.leave_search()):
            self.dismiss()

    def action_neighbour(self, step: int) -> None:
        """Shows the next or the previous workload of the list."""
        keys = [
            key for key in self._keys or sorted(self._live.workloads) if key in self._live.workloads or key == self._key
        ]
        if self._key not in keys or len(keys) < 2:
            return
        self._key = keys[(keys.index(self._key) + step) % len(keys)]
        self._workload, self._gone_at = self._live.workloads.get(self._key), None
        self._show()


def _note(name: str, view: View) -> str:
    """What stands after a tab's name."""
    workload = view.workload
    if name == "Members":
        return str(len(workload.members))
    if name == "Claims":
        return str(len(workload.claims))
    if name == "Conditions":
        unwell = any(member.health is not Health.READY for member in workload.members)
        return "⚠" if unwell or workload.why or any(warning.alarms for warning in workload.warnings) else ""
    return ""
