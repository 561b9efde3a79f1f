"""The console's screen as far as it asks the broker: what the open tab lists, again and again while somebody looks."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from typing import Any

from textual.timer import Timer

from tui.consoles.connecting import Phase
from tui.consoles.guard import Guard
from tui.consoles.queue.access import Access
from tui.consoles.queue.client import ERRORS, problem_of
from tui.consoles.queue.connected import ConnectedScreen
from tui.consoles.queue.filters import parse
from tui.consoles.queue.panes import NODES, QUEUES, TABS, VHOSTS, Around
from tui.consoles.queue.queuelist import QueueList
from tui.consoles.queue.values import Cluster, Node, Place
from tui.problem import Problem
from tui.services.queue import facts
from tui.systems.queuesession import Half
from tui.widgets.rows import RowTable

#: The broker is not asked again before so many times what its last answers took, at most so many seconds: with many
#: queues each of them is a walk through all, and others want to be served as well.
EASE, LONGEST = 8.0, 30.0
#: Seconds for which the first page has the server to itself.
AHEAD = 0.5


class FollowingScreen(ConnectedScreen):
    """What the tabs list.

    Attributes:
        tab: the one that is open.
        queues: the queues that were read; None before there was a broker.
        items: what the other tabs list, by tab; `by_key` the same by the rows' keys.
        cluster: all nodes together; None while unknown.
        problems: why a tab's list could not be had, by tab.
        filters: what was typed to find something, by tab.
    """

    def __init__(self, access: Access, name: str, guard: Guard) -> None:
        super().__init__(access, name, guard)
        self.tab = QUEUES
        self.queues: QueueList | None = None
        self.items: dict[int, Sequence[Any]] = {}
        self.by_key: dict[int, dict[str, Any]] = {}
        self.cluster: Cluster | None = None
        self.problems: dict[int, Problem] = {}
        self.filters: dict[int, str] = {}
        self.said: Problem | None = None
        self._asking = False
        self._not_before = 0.0  # monotonic seconds
        self._dirty = False
        self._typing: Timer | None = None
        self._loaded: dict[str, tuple[Sequence[facts.Binding], Sequence[Any]]] = {}

    @property
    def listed(self) -> RowTable:
        """The list of the open tab."""
        raise NotImplementedError

    def look(self) -> None:
        """Draws what is new."""
        raise NotImplementedError

    def rest(self) -> None:
        """The cursor has come to rest."""
        raise NotImplementedError

    async def show_queue(self, place: Place) -> None:
        """Goes to a queue."""
        raise NotImplementedError

    @property
    def queue(self) -> facts.Queue | None:
        """The queue under the cursor, None on another tab."""
        return self.queues.get(self.listed.cursor_key) if self.tab == QUEUES and self.queues is not None else None

    @property
    def item(self) -> Any:  # noqa: ANN401  (of the open tab's kind)
        """What is under the cursor."""
        if self.tab == QUEUES:
            return self.queue
        return self.by_key.get(self.tab, {}).get(self.listed.cursor_key or "")

    @property
    def vhost(self) -> str:
        """The virtual host that something new goes to: that under the cursor, of the filter, or the login's."""
        queue = self.queue
        if queue is not None:
            return queue.vhost
        item = self.item
        if isinstance(item, facts.Exchange):
            return item.vhost
        if self.queues is not None and self.queues.filter.vhost:
            return self.queues.filter.vhost
        return self.client.facts.vhost

    @property
    def nodes(self) -> Sequence[Node]:
        """The nodes, as they were told last."""
        return self.items.get(NODES, ())

    @property
    def vhosts(self) -> Sequence[facts.Vhost]:
        """The virtual hosts, as far as they were asked for."""
        return self.items.get(VHOSTS, ())

    # --- asking

    def _connected(self) -> None:
        """There is a broker: asks it."""
        self.queues = QueueList(self.client)
        self.items, self.by_key, self.problems, self._loaded = {}, {}, {}, {}
        if self.filters.get(QUEUES):
            self.queues.filter = parse(self.filters[QUEUES])
        self.do(self._begin(), group="begin")

    async def _begin(self) -> None:
        # The page first: with many queues the server has enough to do with it. Then alarms, which are told on every
        # tab, and virtual hosts, which are offered in forms; each is shown once it is there.
        more = [at for at in (NODES, VHOSTS) if at != self.tab]
        async with asyncio.TaskGroup() as asking:
            await asyncio.wait([asking.create_task(self.load())], timeout=AHEAD)
            for at in more:
                asking.create_task(self._load_more(at))
        # Last: with many queues it costs the server half as much as a page of them, which all are waiting for.
        if self.connection.usable:
            with contextlib.suppress(*ERRORS):
                await self.client.learn()
        self.look()

    async def _load_more(self, at: int) -> None:
        await self._load_tab(at)
        self._changed()

    async def load(self) -> None:
        """Asks for what the open tab shows."""
        if self._asking or not self.connection.usable:
            return
        self._asking = True
        try:
            await self._load_tab(self.tab)
            if self.tab == NODES and self._has(Half.MANAGEMENT):
                self._changed()  # the whole of them takes the server longer
                self.cluster = await self.client.cluster()
        except ERRORS as error:
            self._lost(problem_of(error))
        finally:
            self._asking = False
        self.look()

    def _has(self, half: Half) -> bool:
        return self.connection.usable and self.client.facts.lack(half) is None

    async def _load_tab(self, at: int) -> None:
        if not self._has(Half.MANAGEMENT):
            return
        if at == QUEUES:
            queues = self.queues
            if queues is None:
                return
            if queues.reading_all:
                return  # a page of them would only keep the server from it
            if not queues.begun:
                good = await queues.find(queues.filter)
            else:
                good = await queues.again([queues.page_of(self.listed.cursor_key or "")] if self.tab == QUEUES else [1])
            self._judge(at, None if good else queues.problem)
            return
        try:
            found = await TABS[at].load(self.client)
        except ERRORS as error:
            self._judge(at, problem_of(error))
            return
        around = self._around()
        self.items[at] = found
        self.by_key[at] = {TABS[at].row(one, around).key: one for one in found}
        self._judge(at, None)

    def _judge(self, at: int, problem: Problem | None) -> None:
        """One list that fails is that list's matter; no answer at all is the connection's."""
        if problem is None:
            self.problems.pop(at, None)
            if self.connection.phase is Phase.LOST:
                self.connection.turn(Phase.OPEN)
            return
        self.problems[at] = problem
        self._lost(problem)

    def _lost(self, problem: Problem) -> None:
        if problem.cause.value in ("unreachable", "timeout") and self.connection.usable:
            self.connection.turn(Phase.LOST, problem)

    def _around(self) -> Around:
        return Around(self.access.workload, self.cluster)

    async def _poll(self) -> None:
        """Asks again, while somebody looks."""
        if self.is_current and self.connection.usable and not self._asking and time.monotonic() >= self._not_before:
            self.do(self._again(), group="poll")

    async def _again(self) -> None:
        began = time.monotonic()
        await self.load()
        if self.tab != NODES:
            await self._load_tab(NODES)
            self.look()
        now = time.monotonic()
        # One that does not answer is asked as often as ever: its return is waited for.
        self._not_before = now + min(LONGEST, EASE * (now - began)) if self.connection.phase is Phase.OPEN else now

    async def reload(self) -> None:
        """Asks anew for what is shown, and for what depends on it."""
        self._loaded = {}
        await self._again()
        self.rest()
