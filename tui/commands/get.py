"""`statetui get`: prints what the panes know, once or as it changes."""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tui import paths
from tui.commands import exits
from tui.commands.printers import Printer, printer
from tui.kube.feeds import Feed, Phase
from tui.kube.options import ConnectOptions
from tui.kube.usagebook import READING
from tui.problem import Cause, Problem, ProblemError
from tui.settings import Settings
from tui.settings_readers import nearest
from tui.systems.catalogue import load_catalogue
from tui.systems.live import Live, Update
from tui.systems.model import Workload
from tui.systems.naming import select
from tui.text import one_line

#: Seconds to wait for the first figures of use, once everything else has come.
USAGE_WAIT = 2.0
#: Seconds between two looks at what announces itself by no change.
LOOK = 0.05
#: Seconds after which a connection that fails counts as failed; one reset connection among six is no verdict.
STUBBORN = 1.0
#: Trouble that waiting does not cure.
_FINAL = (Cause.CONFIG, Cause.CREDENTIALS, Cause.PROTOCOL, Cause.INTERNAL)
#: The resources without which there is no workload to tell of.
_ESSENTIAL = ("statefulsets", "pods", "persistentvolumeclaims", "deployments", "daemonsets")


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
        catalogue = load_catalogue([paths.config_dir() / "systems"])
        for problem in catalogue.problems:
            note(str(problem))
        self._request = request
        self._live = Live(options, catalogue, usage=request.usage)
        self._news = asyncio.Event()
        self._changed: dict[str, Workload | None] = {}
        self._live.listeners.append(self._hear)
        self._complete = False
        self._failing_since: float | None = None

    async def run(self) -> int:
        """Prints, and returns the exit code."""
        task = asyncio.create_task(self._live.run())
        try:
            arrived = await self._arrive(task)
            chosen, missing = select(self._live.workloads.values(), self._request.names)
            out = printer(self._request.output, self._live, named=bool(self._request.names), watch=self._request.watch)
            out.first(chosen)
            self._tell_gaps(chosen, arrived=arrived)
            for name in missing:
                near = nearest(name, {item.name for item in self._live.workloads.values()})
                note(f"no workload is called {name}" + (f"; did you mean {near}?" if near else ""))
            if self._request.watch and not missing:
                await self._follow(task, out, chosen)
            return exits.OK if arrived and not missing else exits.FAILED
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self._live.close()

    def _hear(self, update: Update) -> None:
        self._changed.update({item.key: item for item in update.changed})
        self._changed.update(dict.fromkeys(update.gone))
        # Not `live.complete`: the objects are there a moment before the workloads are made of them.
        self._complete = self._complete or update.complete
        self._news.set()

    # --- the first answer

    async def _arrive(self, task: asyncio.Task[None]) -> bool:
        """Waits until everything has come. False when the time was over before: half of it would make wrong workloads.

        Raises:
            ProblemError: there is nothing to print and there will not be.
        """
        deadline = time.monotonic() + self._request.timeout
        while not self._complete:
            self._refuse()
            if time.monotonic() >= deadline:
                self._give_up()
                return False
            pause = LOOK if self._failing_since else deadline - time.monotonic()
            await self._wait(pause, task)
        self._refuse()
        usage_deadline = min(deadline, time.monotonic() + USAGE_WAIT)
        while self._request.usage and not self._usage_known() and time.monotonic() < usage_deadline:
            await self._wait(LOOK, task)
        self._changed.clear()
        return True

    async def _wait(self, seconds: float, task: asyncio.Task[None]) -> None:
        """Waits for news, as long as that; raises what has ended the watching."""
        self._news.clear()
        news = asyncio.ensure_future(self._news.wait())
        done, _ = await asyncio.wait((news, task), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        news.cancel()
        if task in done:
            task.result()

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

    def _refuse(self) -> None:
        """Raises when what is known already says that no answer will come."""
        if self._live.problem is not None:
            raise ProblemError(self._live.problem)
        cluster = self._live.cluster
        if cluster is None:
            return
        connection = cluster.connection
        if connection.state != "failed" or connection.problem is None:
            self._failing_since = None
        elif connection.problem.cause in _FINAL or self._failed_for(STUBBORN):
            raise ProblemError(connection.problem)
        essential = [feed for feed in cluster.feeds.values() if feed.resource.plural in _ESSENTIAL]
        refused = [feed for feed in essential if feed.phase is Phase.FORBIDDEN and feed.problem is not None]
        if cluster.complete and essential and len(refused) == len(essential):
            raise ProblemError(_nothing_allowed(refused[0], cluster.scope.text))

    def _failed_for(self, seconds: float) -> bool:
        now = time.monotonic()
        self._failing_since = self._failing_since or now
        return now - self._failing_since >= seconds

    def _give_up(self) -> None:
        """The time is over: raises when there is nothing to print."""
        cluster = self._live.cluster
        if cluster is not None and any(feed.settled for feed in cluster.feeds.values()):
            return
        problem = cluster.connection.problem if cluster is not None else None
        where = self._live.context.server if self._live.context else "the cluster"
        raise ProblemError(
            Problem(
                Cause.TIMEOUT,
                f"{where} gave no answer within {self._request.timeout:g} s",
                str(problem or ""),
                "`statetui doctor` looks at each step.",
            )
        )

    def _tell_gaps(self, chosen: Sequence[Workload], *, arrived: bool) -> None:
        """Says on stderr what is missing from the answer."""
        cluster = self._live.cluster
        if cluster is None:
            return
        if not arrived:
            late = [f"{feed.resource.rbac} ({feed.phase.value})" for feed in cluster.feeds.values() if not feed.settled]
            note(f"incomplete after {self._request.timeout:g} s; still waiting for {', '.join(late)}")
        for text in gaps(cluster.feeds.values()):
            note(text)
        if arrived and not chosen and not self._request.names:
            note(f"no stateful workload in {cluster.scope.text}")

    # --- changes

    async def _follow(self, task: asyncio.Task[None], out: Printer, shown: Iterable[Workload]) -> None:
        gc.enable()
        known = {item.key: item for item in shown}
        state = "live"
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
            state = self._tell_connection(state)
            await self._wait(3600, task)

    def _tell_connection(self, before: str) -> str:
        cluster = self._live.cluster
        connection = cluster.connection if cluster else None
        if connection is None or connection.state == before:
            return before
        reason = f": {connection.problem}" if connection.problem and connection.state != "live" else ""
        note(f"the connection is {connection.state}{reason}")
        return connection.state


def gaps(feeds: Iterable[Feed]) -> list[str]:
    """One line for each thing that may not be read, and what is lost by it."""
    refused: dict[str, Feed] = {feed.resource.rbac: feed for feed in feeds if feed.phase is Phase.FORBIDDEN}
    return [f"{name} may not be read; not known: {feed.resource.needed_for}" for name, feed in refused.items()]


def _nothing_allowed(feed: Feed, scope: str) -> Problem:
    evidence = feed.problem.evidence if feed.problem else ""
    return Problem(
        Cause.FORBIDDEN,
        f"this user may read no workloads in {scope}",
        evidence,
        "Name a namespace that you may read with -n, or ask for the rights that `statetui doctor` lists.",
    )


def note(text: str) -> None:
    """A remark for people, beside the output."""
    print(f"statetui: {one_line(text)}", file=sys.stderr, flush=True)
