"""`statetui get`: prints what the panes know, once or as it changes."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tui.commands import exits
from tui.commands.opening import LOOK, Opening, live_for, tell_nowhere
from tui.commands.printers import Printer, printer
from tui.commands.remarks import note
from tui.kube.feeds import Feed, Phase
from tui.kube.options import ConnectOptions
from tui.kube.usagebook import READING
from tui.settings import Settings
from tui.settings_readers import nearest
from tui.systems.live import Update
from tui.systems.model import Workload
from tui.systems.naming import select

#: Seconds to wait for the first figures of use, once everything else has come.
USAGE_WAIT = 2.0


@dataclass(frozen=True, slots=True)
class Request:
    """What is wanted.

    Attributes:
        names: workloads by name, `namespace/name` or the name of one of their objects; empty for all.
        output: table, wide, json or yaml.
        watch: whether to go on with what changes.
        usage: whether to ask the kubelets how full the volumes are.
        timeout: seconds to wait for a complete answer.
    """

    names: tuple[str, ...] = ()
    output: str = "table"
    watch: bool = False
    usage: bool = True
    timeout: float = 30.0


def run(options: ConnectOptions, settings: Settings, request: Request) -> int:
    """Connects, prints, and returns the exit code.

    Raises:
        ProblemError: the cluster cannot be reached, or allows nothing.
    """
    # Nothing of a short life is worth collecting, and ten thousand pods make the collector run again and again.
    gc.disable()
    return asyncio.run(_Get(options, settings, request).run())


class _Get:
    """One run of `get`."""

    def __init__(self, options: ConnectOptions, settings: Settings, request: Request) -> None:
        self._request = request
        self._live = live_for(options, usage=request.usage)
        self._changed: dict[str, Workload | None] = {}
        self._live.listeners.append(self._hear)
        self._opening = Opening(self._live, request.timeout)

    async def run(self) -> int:
        """Prints, and returns the exit code."""
        deadline = time.monotonic() + self._request.timeout
        async with self._opening:
            arrived = await self._opening.arrive()
            if arrived:
                await self._read_usage(deadline - time.monotonic())
                self._changed.clear()
            chosen, missing = select(self._live.workloads.values(), self._request.names)
            out = printer(self._request.output, self._live, named=bool(self._request.names), watch=self._request.watch)
            out.first(chosen)
            self._tell_gaps(chosen, arrived=arrived)
            nowhere = arrived and not chosen and await tell_nowhere(self._live)
            for name in missing:
                near = nearest(name, {item.name for item in self._live.workloads.values()})
                note(f"no workload is called {name}" + (f"; did you mean {near}?" if near else ""))
            if self._request.watch and not missing:
                await self._follow(out, chosen)
            return exits.OK if arrived and not missing and not nowhere else exits.FAILED

    def _hear(self, update: Update) -> None:
        self._changed.update({item.key: item for item in update.changed})
        self._changed.update(dict.fromkeys(update.gone))

    async def _read_usage(self, seconds: float) -> None:
        """Waits for the first figures of use, so long at most."""
        deadline = time.monotonic() + min(seconds, USAGE_WAIT)
        while self._request.usage and not self._usage_known() and time.monotonic() < deadline:
            await self._opening.wait(LOOK)

    def _usage_known(self) -> bool:
        """Whether waiting brings no more figures: each claim has one, or a reason, or a node that knows none yet."""
        book = self._live.cluster.usage if self._live.cluster else None
        unread = [
            (item.namespace, claim.name)
            for item in self._live.workloads.values()
            for claim in item.claims
            if claim.usage is None and claim.usage_unknown == READING
        ]
        if book is None or not unread:
            return True
        # What the book knows better than the workloads is on its way to them.
        return book.settled and all(book.get(*claim) == READING for claim in unread)

    def _tell_gaps(self, chosen: Sequence[Workload], *, arrived: bool) -> None:
        """Says on stderr what is missing from the answer."""
        cluster = self._live.cluster
        if cluster is None:
            return
        if not arrived:
            note(f"incomplete after {self._request.timeout:g} s; still waiting for {', '.join(self._opening.late)}")
        for text in gaps(cluster.feeds.values()):
            note(text)
        if arrived and not chosen and not self._request.names:
            note(f"no stateful workload in {cluster.scope.text}")

    # --- changes

    async def _follow(self, out: Printer, shown: Iterable[Workload]) -> None:
        gc.enable()
        known = {item.key: item for item in shown}
        while True:
            changed, self._changed = self._changed, {}
            for key, item in changed.items():
                before = known.get(key)
                if item is None:
                    if known.pop(key, None) is not None and before is not None:
                        out.change("DELETED", before)
                elif before is not None or select([item], self._request.names)[0]:
                    known[key] = item
                    out.change("MODIFIED" if before else "ADDED", item)
            self._opening.tell_connection()
            await self._opening.wait(3600)


def gaps(feeds: Iterable[Feed]) -> list[str]:
    """One line for each thing that may not be read, and what is lost by it."""
    refused: dict[str, Feed] = {feed.resource.rbac: feed for feed in feeds if feed.phase is Phase.FORBIDDEN}
    return [f"{name} may not be read; not known: {feed.resource.needed_for}" for name, feed in refused.items()]
