"""One opened context, live: the cluster's objects, the workloads derived from them, and word of what changed.

The screens and `statetui get` both stand on this. It owns no truth of its own: reflectors write the store, the
recogniser derives workloads, and this module decides when: changes are collected for `BATCH` seconds, so that a storm
of events costs ten derivations a second and no more, while a lone change is passed on at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from tui.kube.api import Api
from tui.kube.cluster import Cluster
from tui.kube.context import ConnectOptions, Context, load_context
from tui.kube.feeds import held_whole
from tui.kube.forward.book import Forwards
from tui.kube.options import kubectl_arguments
from tui.problem import Cause, Problem, ProblemError
from tui.systems.catalogue import Catalogue
from tui.systems.collecting import Collector
from tui.systems.model import Workload
from tui.systems.observed import Observed
from tui.systems.reach import Reach
from tui.systems.recognise import Recogniser

log = logging.getLogger(__name__)

#: Seconds between two batches while changes keep coming.
BATCH = 0.1
#: Seconds of deriving after which the watches and the screen get their turn, and how long that is. A key needs several
#: turns of the event loop to become a frame.
SLICE, TURN = 0.004, 0.001
#: The same while there is nothing on the screen yet that a key could move.
FIRST_SLICE = 0.03
#: Seconds between two words of how far the first lists have come.
PROGRESS = 0.2
#: In a storm the next batch waits for so many times what the last one took, at most `LONGEST` seconds: a workload that
#: changes again and again is then derived less often, and half of the processor stays free.
EASE, LONGEST = 2.0, 0.5
#: Seconds after which members are looked at again though nothing changed: some states (a probe that has failed for
#: long, a claim pending too long) are a matter of time alone.
LOOK_AGAIN = 30.0
#: Seconds after which nobody is taken to be waiting for anything.
QUIET = 1.0


@dataclass(frozen=True, slots=True)
class Update:
    """What a listener is told.

    Attributes:
        changed: workloads that are new or look different.
        gone: keys of workloads that are no more.
        feeds: whether the connection, the scope or a feed's state changed.
        complete: whether everything that workloads are derived from has arrived (or is known not to come).
    """

    changed: tuple[Workload, ...] = ()
    gone: tuple[str, ...] = ()
    feeds: bool = False
    complete: bool = False


class Live:
    """A context that is being watched.

    Attributes:
        context: what was connected to, None until the kubeconfig has been read.
        cluster: the watched cluster, None until then.
        problem: why it could not be opened at all (kubeconfig, credentials); network trouble is the cluster's to tell.
        listeners: called with each Update, on the event loop.
        forwards: the forwards of this context, None until the kubeconfig has been read.
        reach: makes their targets, None until then.
        observed: what servers said of themselves; whoever asks them puts it there.
    """

    def __init__(
        self,
        options: ConnectOptions,
        catalogue: Catalogue,
        *,
        usage: bool = True,
        read_only: bool = True,
    ) -> None:
        self.options = options
        self.catalogue = catalogue
        self.context: Context | None = None
        self.cluster: Cluster | None = None
        self.problem: Problem | None = None
        self.listeners: list[Callable[[Update], None]] = []
        self.forwards: Forwards | None = None
        self.reach: Reach | None = None
        self.observed = Observed()
        self._read_only = read_only
        self._usage = usage
        self._recogniser: Recogniser | None = None
        self._api: Api | None = None
        self._feeds_changed = asyncio.Event()
        self._retry = asyncio.Event()
        self._rest_until = 0.0  # monotonic seconds
        self._waited_at = 0.0  # when somebody waited last, likewise
        self._rested = asyncio.Event()

    @property
    def workloads(self) -> Mapping[str, Workload]:
        """What is known now, by workload key."""
        return self._recogniser.workloads if self._recogniser else {}

    @property
    def complete(self) -> bool:
        """Whether the workloads are all there is to see with these rights."""
        return self.cluster is not None and self.cluster.complete

    @property
    def api(self) -> Api | None:
        """Who reads single objects, None until the kubeconfig has been read."""
        return self._api

    def retry_now(self) -> None:
        """Tries again at once whatever waits for its next attempt."""
        self._retry.set()
        if self.cluster is not None:
            self.cluster.retry_now()

    def rest(self, seconds: float) -> None:
        """Derives nothing for so long, because somebody waits for something else; 0 ends that."""
        self._rest_until = time.monotonic() + seconds
        if seconds > 0:
            self._waited_at = time.monotonic()
            self._rested.clear()
        else:
            self._rested.set()

    async def run(self) -> None:
        """Opens the context and keeps the workloads true until cancelled. Never raises for trouble outside."""
        cluster, recogniser = await self._open()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(cluster.run())
                tasks.create_task(self._pump(cluster, recogniser))
        except* Exception as group:
            log.exception("a task of the live view ended")
            self._fail(
                Problem(
                    Cause.INTERNAL,
                    "statetui made a mistake and stopped watching",
                    repr(group.exceptions[0]),
                    "Press r to connect again; the log file has the details.",
                )
            )
            raise
        finally:
            await self.close()

    async def close(self) -> None:
        """Closes forwards and session; safe to call twice."""
        if self.forwards is not None:
            await self.forwards.close()
        api, self._api = self._api, None
        if api is not None:
            await api.close()

    async def _open(self) -> tuple[Cluster, Recogniser]:
        """Reads the kubeconfig; when that fails, says so and tries again when asked to."""
        while True:
            self._retry.clear()
            try:
                self.context = await asyncio.to_thread(load_context, self.options)
            except ProblemError as error:
                self._fail(error.problem)
                await self._retry.wait()
                continue
            self.problem = None
            self._api = Api(self.context)
            self._api.read_only = self._read_only
            self.cluster = Cluster(
                self._api,
                namespace=self.options.namespace,
                all_namespaces=self.options.all_namespaces,
                customs=self.catalogue.customs,
                poll_usage=self._usage,
                low_bandwidth=self.options.low_bandwidth,
            )
            self.cluster.on_feed.append(self._feeds_changed.set)
            self._recogniser = Recogniser(self.cluster.store, self.cluster.usage, self.catalogue, self.observed)
            cluster, store = self.cluster, self.cluster.store

            def holds(resource: str, cluster: Cluster = cluster) -> bool | None:
                return held_whole(cluster.feeds.values(), resource)

            self.forwards = Forwards(self._api, store, kubectl=kubectl_arguments(self.options), known=holds)
            self.reach = Reach(store, self.catalogue, lambda: self.workloads, holds)
            self._tell(Update(feeds=True))
            return cluster, self._recogniser

    async def _pump(self, cluster: Cluster, recogniser: Recogniser) -> None:
        look_again, tell_again, told = time.monotonic() + LOOK_AGAIN, 0.0, False
        collector = Collector()
        while True:
            await self._wait(cluster, look_again - time.monotonic())
            if not cluster.complete:
                # Half the objects make wrong workloads (members "not created" whose pods are still on their way), and
                # each half would be derived anew with the next one: until all is there, only the states are told.
                recogniser.take(cluster.store.drain())
                if self._feeds_changed.is_set() and time.monotonic() >= tell_again:
                    self._feeds_changed.clear()
                    self._tell(Update(feeds=True))
                    tell_again = time.monotonic() + PROGRESS
                await asyncio.sleep(BATCH / 4)
                continue
            await self._rest()
            began = time.monotonic()
            changes = cluster.store.drain()
            usage = cluster.usage.drain()
            feeds = self._feeds_changed.is_set()
            self._feeds_changed.clear()
            with contextlib.nullcontext() if told else _uncollected():
                slice_ = SLICE if told else FIRST_SLICE
                delta = recogniser.apply(changes, usage, within=slice_)
                while recogniser.unsettled:
                    await asyncio.sleep(TURN)
                    await self._rest()
                    delta = delta.then(recogniser.apply((), within=slice_))
            if time.monotonic() >= look_again:
                look_again = time.monotonic() + LOOK_AGAIN
                delta = delta.then(recogniser.refresh())
                collector.collect(quiet=time.monotonic() - self._waited_at > QUIET)
            if delta.changed or delta.gone or feeds or not told:
                told = True
                await self._rest()
                self._tell(Update(delta.changed, delta.gone, feeds, cluster.complete))
            await asyncio.sleep(min(max(BATCH, EASE * (time.monotonic() - began)), LONGEST))

    async def _rest(self) -> None:
        while not self._rested.is_set() and (left := self._rest_until - time.monotonic()) > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._rested.wait()

    async def _wait(self, cluster: Cluster, seconds: float) -> None:
        waits = [
            asyncio.ensure_future(cluster.store.changed()),
            asyncio.ensure_future(self._feeds_changed.wait()),
            asyncio.ensure_future(cluster.usage.changed()),
            asyncio.ensure_future(self.observed.changed()),
        ]
        try:
            await asyncio.wait(waits, timeout=max(seconds, 0.0), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def _fail(self, problem: Problem) -> None:
        self.problem = problem
        self._tell(Update(feeds=True))

    def _tell(self, update: Update) -> None:
        if self.forwards is not None and (update.changed or update.gone or update.feeds):
            self.forwards.look()  # roles are known from workloads
        for listener in list(self.listeners):
            listener(update)


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """For making many values that live long: keeps the collector from looking at all of them again and again.

    Later on it looks less often, too: with 10,000 pods that change a full collection takes 100 ms, in which neither a
    key nor an event is heard. What it is there for, cycles, the workloads have none of; those of others `collecting`
    is for.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.freeze()
        gc.set_threshold(2_000, 5, 1_000)
