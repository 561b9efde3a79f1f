"""The app's part in faults: in a sandbox, the palette makes things go wrong on purpose, and well again."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, cast

from textual.app import App

from tui.problem import ProblemError
from tui.screens.base import BaseScreen
from tui.text import one_line

if TYPE_CHECKING:
    from tui.kube.api import Api
    from tui.kube.context import Context
    from tui.kube.faults import Known, Sort
    from tui.screens.app import StatetuiApp
    from tui.screens.chooser import Choice
    from tui.systems.live import Live
    from tui.systems.model import Member

log = logging.getLogger(__name__)

#: What is refused where no resource is named: it stands on every screen.
RESOURCE = "pods"


class TeachingApp(App[None]):
    """An app that knows the faults of the opened context, where that is a sandbox.

    Attributes:
        faults: what the sandbox said of its faults last; None when the opened server is none.
    """

    faults: Known | None = None
    _asked: Live | None = None

    @property
    def _taught(self) -> StatetuiApp:
        return cast("StatetuiApp", self)

    def look_for_faults(self, live: Live) -> None:
        """Asks, once for each context, a server that calls itself a sandbox; nobody is told when it has none."""
        cluster, context = live.cluster, live.context
        if live is self._asked or cluster is None or context is None or not cluster.server_version:
            return
        from tui.kube.faults import MARK  # noqa: PLC0415  (not needed to start)

        self._asked, self.faults = live, None
        if MARK in cluster.server_version and not self._taught.settings.protects(context.name):
            self.run_worker(self._learn(live), exit_on_error=False)

    async def _learn(self, live: Live) -> None:
        from tui.kube import faults  # noqa: PLC0415

        if live.api is None:
            return
        try:
            found = await faults.known(live.api)
        except ProblemError as error:
            log.info("no faults: %s", error.problem)
            return
        if live is self._taught.live:
            self.faults = found

    def fault_choices(self) -> list[Choice]:
        """What the palette offers: faults of what is selected, and the end of those that go on."""
        if self.faults is None or self._asked is None or self._taught.live is not self._asked:
            return []
        from tui.screens.chooser import Choice  # noqa: PLC0415  (not needed to start)

        # Others make and end faults, too: what is offered next time is what goes on then.
        self.run_worker(self._learn(self._asked), exit_on_error=False)
        namespace, members = self._selected_members()
        ends = [
            Choice(
                f"mend {each.name} {each.target}".rstrip(), f"End fault: {each.name} {each.target}".rstrip(), each.said
            )
            for each in self.faults.active
        ]
        going = {(each.name, each.target) for each in self.faults.active}
        starts = []
        for sort in self.faults.possible:
            for target in _targets(sort, namespace, members):
                if (sort.name, target) in going:
                    continue
                shown = target.partition("/")[2] or target
                starts.append(
                    Choice(f"fault {sort.name} {target}".rstrip(), f"Fault: {sort.name} {shown}".rstrip(), sort.summary)
                )
        return [*ends, *starts]

    def _selected_members(self) -> tuple[str, list[Member]]:
        """The namespace and the members that exist of the workload under the cursor; the one under it first."""
        screen = self.screen
        key, pod = screen.reachable() if isinstance(screen, BaseScreen) else ("", "")
        workload = self._taught.workloads.get(key)
        if workload is None:
            return "", []
        there = [member for member in workload.members if member.uid]
        return workload.namespace, sorted(there, key=lambda member: member.pod != pod)

    def make_fault(self, what: str) -> None:
        """Makes the fault of a choice's value: `NAME TARGET`; a line says what has happened."""
        name, _, target = what.partition(" ")
        from tui.kube import faults  # noqa: PLC0415

        async def act(api: Api) -> str:
            return (await faults.start(api, name, target)).said

        self._act(act)

    def end_fault(self, what: str) -> None:
        """Ends the fault of a choice's value: `NAME TARGET`; a line says so."""
        name, _, target = what.partition(" ")
        from tui.kube import faults  # noqa: PLC0415

        async def act(api: Api) -> str:
            return f"ended: {', '.join(await faults.end(api, name, target))}"

        self._act(act)

    def _act(self, act: Callable[[Api], Awaitable[str]]) -> None:
        live = self._taught.live
        if live is not None:
            self.run_worker(self._acted(live, act), exit_on_error=False)

    async def _acted(self, live: Live, act: Callable[[Api], Awaitable[str]]) -> None:
        if live.context is None:
            return
        api = writing(live.context)
        try:
            said = await act(api)
        except ProblemError as error:
            self._taught.tell((("✗ ", "failing"), (one_line(str(error.problem)), "")))
        else:
            self._taught.tell((("✓ ", "ready"), (one_line(said), "")))
        finally:
            await api.close()
        await self._learn(live)


def writing(context: Context) -> Api:
    """An `Api` that may change the sandbox; one of its own, so that the gate of the one that watches stays closed."""
    from tui.kube.api import Api  # noqa: PLC0415  (not needed to start)

    api = Api(context)
    api.read_only = False
    return api


def _targets(sort: Sort, namespace: str, members: list[Member]) -> list[str]:
    """What a fault is offered for; nothing when nothing that is selected fits."""
    if not sort.target:
        return [""]
    if sort.target == "resource":
        return [RESOURCE]
    if sort.target == "claim":
        return [f"{namespace}/{member.claims[0].name}" for member in members if member.claims]
    return [f"{namespace}/{member.pod}" for member in members]
