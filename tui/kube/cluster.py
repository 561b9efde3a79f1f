"""One cluster, watched: which feeds there are, in which order they start, and how the whole of them is doing."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from tui.kube.access import discover, is_served
from tui.kube.api import Api
from tui.kube.backoff import Backoff, happens
from tui.kube.connection import Connection, blind_spots, judge
from tui.kube.feeds import Feed
from tui.kube.kubelet import UsagePoller
from tui.kube.objects import Object
from tui.kube.presence import Lookout
from tui.kube.reflector import SLOW, Reflector
from tui.kube.resources import BUILT_IN, CLAIMS, DAEMONSETS, DEPLOYMENTS, PODS, REPLICASETS, STATEFULSETS, Resource
from tui.kube.scope import Readable, Scope, namespace_names, negotiate
from tui.kube.server import Habits
from tui.kube.store import Store
from tui.kube.usagebook import UsageBook
from tui.kube.watchdog import Watchdog
from tui.problem import Cause, ProblemError

log = logging.getLogger(__name__)

#: What workloads are derived from; everything else may come later.
NEEDED: tuple[Resource, ...] = (STATEFULSETS, PODS, CLAIMS, DEPLOYMENTS, REPLICASETS, DAEMONSETS)
#: Without these nothing can be shown as complete.
ESSENTIAL = (PODS, STATEFULSETS, CLAIMS)
#: Seconds for which the others of `NEEDED`, the custom resources and their discovery may fail or bring nothing before
#: the workloads count as complete without them: a broken conversion webhook must not hide every database.
PATIENCE = 5.0
#: Seconds after which the rest starts, even if something needed has not settled.
HEAD_START = 3.0

#: Seconds for which the answers about rights are good for a feed that is refused a little later than the others.
FRESH = 60.0

Key = tuple[str, str | None]


class Cluster:
    """Reflectors, usage and their supervision for one context.

    Attributes:
        store: what the cluster holds.
        usage: how full the claims are.
        scope: what is watched.
        lookout: looks whether the namespace exists that was asked for, None where nobody asked for one.
        server_version: as the server says it, empty until it has.
        complete: whether everything that workloads are derived from has arrived, or is known not to come. Once true
            it stays true.
        on_feed: called, at most once per turn of the event loop, when a feed, the connection, the scope or the version
            changes.
    """

    def __init__(
        self,
        api: Api,
        *,
        namespace: str | None = None,
        all_namespaces: bool = False,
        customs: Sequence[Resource] = (),
        poll_usage: bool = True,
        low_bandwidth: bool = False,
    ) -> None:
        chosen = None if all_namespaces else namespace
        self.store = Store()
        self.usage = UsageBook(self.store)
        self.usage.settled = not poll_usage
        self.scope = Scope((chosen,), asked=True) if chosen else Scope()
        self.lookout = Lookout(api, chosen, self._changed) if chosen else None
        self.server_version = ""
        self.complete = False
        self.on_feed: list[Callable[[], None]] = []
        self._api = api
        self._customs = {resource.key: resource for resource in customs}
        self._namespace = namespace
        self._habits = Habits(streams_lists=not low_bandwidth)
        self._reflectors: dict[Key, Reflector] = {}
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None
        self._poller = UsagePoller(api, self.store, self.usage) if poll_usage else None
        self._watchdog = Watchdog(api, self._all, self._changed)
        self._refused: dict[str, Resource] = {}  # by key: may not be listed in the whole cluster
        self._negotiated: Readable | None = None
        self._negotiated_at = 0.0
        self._discovered = not customs
        self._discovery_failed = False
        self._core_settled_at = float("inf")  # monotonic seconds
        self._look_at_rights = asyncio.Event()
        self._on_demand = False  # the user wants the rights looked at again
        self._look_for_customs = asyncio.Event()
        self._core_settled = asyncio.Event()
        self._completed = asyncio.Event()
        self._notified = False
        self._connection = Connection("connecting", time.time())

    # --- reading

    @property
    def feeds(self) -> Mapping[Key, Feed]:
        """The state of each feed, by resource key and namespace (None: the whole cluster)."""
        return {key: reflector.feed for key, reflector in self._reflectors.items()}

    @property
    def connection(self) -> Connection:
        """The state of the whole."""
        self._connection = judge(
            self._connection,
            [reflector.feed for reflector in self._core_reflectors()],
            complete=self.complete,
            synced=any(reflector.state.synced for reflector in self._all()),
            silence=self._watchdog.problem,
            blind=self._blind_spots(),
        )
        return self._connection

    async def namespaces(self) -> list[str]:
        """The namespaces to choose from: all there are, or those known from what may be read."""
        try:
            return await namespace_names(self._api)
        except ProblemError as error:
            log.info("the namespaces cannot be listed: %s", error.problem)
        known = {self._api.context.namespace, *(self.scope.namespaces or ())}
        for resource in (PODS, STATEFULSETS, CLAIMS):
            known.update(item.namespace for item in self.store.all(resource.key, Object))
        return sorted(known)

    # --- what the user may ask for

    def retry_now(self) -> None:
        """Tries everything again at once that waits, was forbidden or was absent."""
        for reflector in self._all():
            reflector.retry_now()
        if self._poller is not None:
            self._poller.retry_now()
        self._on_demand = True
        self._look_at_rights.set()
        self._look_for_customs.set()
        if self.lookout is not None:
            self.lookout.retry_now()

    # --- running

    async def run(self) -> None:
        """Watches until cancelled. Trouble with the network or the rights never ends it."""
        try:
            async with asyncio.TaskGroup() as self._group:
                for resource in NEEDED:
                    self._start(resource, self.scope.namespaces)
                others = (self._watchdog.run, self._discover, self._the_rest, self._negotiate, self._version)
                for other in others:
                    self._group.create_task(other())
                if self.lookout is not None:
                    self._group.create_task(self.lookout.run())
        finally:
            self._group = None

    def _start(self, resource: Resource, namespaces: tuple[str, ...] | None) -> None:
        """Starts the feeds of a resource, in the whole cluster or in each of the namespaces."""
        if self._group is None:
            return
        for namespace in (None,) if namespaces is None or not resource.namespaced else namespaces:
            key = (resource.key, namespace)
            if key not in self._reflectors:
                reflector = Reflector(
                    self._api, resource, namespace, self.store, habits=self._habits, notify=self._changed
                )
                self._reflectors[key] = reflector
                self._tasks[key] = self._group.create_task(reflector.run(), name=f"watch {resource.key}")

    async def _stop(self, key: Key, *, forget: bool) -> None:
        """Ends a feed; `forget` also takes its objects out of the store."""
        reflector, task = self._reflectors.pop(key, None), self._tasks.pop(key, None)
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        if reflector is not None and forget:
            self.store.replace(key[0], key[1], ())

    async def _the_rest(self) -> None:
        """Starts what the first table does not need once that is there, and the usage after it."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HEAD_START):
                await self._core_settled.wait()
        for resource in BUILT_IN:
            if resource not in NEEDED:
                self._start(resource, self._namespaces_of(resource))
        while not self.complete:
            # Nothing may happen any more that would lead to a new judgement: time alone decides about what fails.
            if not await happens(self._completed, 0.5) and self._all_known():
                self._changed()
        if self._poller is not None:
            await self._poller.run()

    async def _version(self) -> None:
        """Learns the server's version, which nothing waits for."""
        backoff = Backoff(first=0.5)
        while not self.server_version:
            try:
                self.server_version = await self._api.version()
            except ProblemError as error:
                await asyncio.sleep(backoff.next(error.problem.retry_after))
        self._changed()

    async def _discover(self) -> None:
        """Starts the feeds of custom resources whose definitions exist, and looks for new ones now and then."""
        if not self._customs:
            return
        backoff = Backoff()
        while True:
            try:
                served = await discover(self._api, groups={resource.group for resource in self._customs.values()})
            except ProblemError as error:
                log.info("discovery: %s", error.problem)
                pause = backoff.next(error.problem.retry_after)
                # An answer that says nothing of resource types: each is asked for itself then.
                answered = error.problem.cause not in (Cause.UNREACHABLE, Cause.TIMEOUT, Cause.CREDENTIALS)
                present = list(self._customs.values()) if answered else []
                self._discovered = self._discovered or answered
                self._discovery_failed = True
            else:
                pause, self._discovered = SLOW, True
                present = [resource for resource in self._customs.values() if is_served(resource, served)]
            for resource in present:
                self._start(resource, self._namespaces_of(resource))
            self._changed()
            await happens(self._look_for_customs, pause)

    # --- rights

    async def _negotiate(self) -> None:
        """Where the whole cluster may not be listed, finds the namespaces that may; asks again slowly or on demand."""
        if self.scope.asked:
            return
        backoff = Backoff(longest=5.0)
        while True:
            due = not await happens(self._look_at_rights, SLOW if self._refused else None)
            due, self._on_demand = due or self._on_demand, False
            refused = {resource.key: resource for resource in self._newly_refused()}
            wanted = self._refused | refused if due else refused
            if not wanted:
                continue
            try:
                regained = set() if refused else await self._regained(wanted.values())
                await self._apply(wanted, regained, await self._rights(fresh=not refused))
            except ProblemError as error:
                await asyncio.sleep(backoff.next(error.problem.retry_after))
                self._look_at_rights.set()
                self._on_demand = self._on_demand or due
            else:
                backoff.reset()

    def _newly_refused(self) -> list[Resource]:
        """Resources whose feed of the whole cluster is forbidden, and which namespaces may still allow."""
        feeds = [reflector.feed for (_, namespace), reflector in self._reflectors.items() if namespace is None]
        return [
            feed.resource
            for feed in feeds
            if feed.resource.namespaced and feed.problem is not None and feed.problem.cause is Cause.FORBIDDEN
        ]

    async def _rights(self, *, fresh: bool) -> Readable:
        """Where what may be listed; asked for all resources at once, because the others are about to be refused too."""
        if self._negotiated is None or fresh or time.monotonic() - self._negotiated_at > FRESH:
            everything = [resource for resource in (*BUILT_IN, *self._customs.values()) if resource.namespaced]
            self._negotiated = await negotiate(self._api, everything)
            self._negotiated_at = time.monotonic()
        return self._negotiated

    async def _regained(self, refused: Iterable[Resource]) -> set[str]:
        """The keys of formerly refused resources that may now be listed in the whole cluster."""
        regained = set()
        for resource in refused:
            for version in resource.versions:
                try:
                    await self._api.get(resource.path(version, None), params={"limit": "1"})
                except ProblemError as error:
                    if error.problem.cause in (Cause.FORBIDDEN, Cause.ABSENT):
                        continue
                    raise
                regained.add(resource.key)
                break
        return regained

    async def _apply(self, wanted: Mapping[str, Resource], regained: set[str], found: Readable) -> None:
        """Brings the feeds in line with the rights."""
        reason = self.scope.reason
        for key, resource in wanted.items():
            keep = None if key in regained else found.by_resource[key]
            for feed in [feed for feed in self._reflectors if feed[0] == key]:
                if feed[1] is None and keep is not None:
                    problem = self._reflectors[feed].feed.problem
                    reason = reason or (problem.evidence or problem.what if problem else "")
                elif keep is not None and feed[1] in keep:
                    continue
                await self._stop(feed, forget=keep is not None)
            if keep is None:
                self._refused.pop(key, None)
            else:
                self._refused[key] = resource
            self._start(resource, keep)
        limited = any(resource.key in self._refused for resource in NEEDED)
        self.scope = Scope(found.namespaces, reason=reason) if limited else Scope()
        log.info("watching %s", self.scope.text)
        self._changed()

    def _namespaces_of(self, resource: Resource) -> tuple[str, ...] | None:
        """Where a resource that starts late is watched: the whole cluster, unless the others were refused there."""
        if self.scope.asked:
            return self.scope.namespaces
        refused = all(needed.key in self._refused for needed in NEEDED)
        if self._negotiated is None or not resource.namespaced or not refused:
            return None
        self._refused[resource.key] = resource
        return self._negotiated.by_resource[resource.key]

    # --- judging

    def _all(self) -> list[Reflector]:
        return list(self._reflectors.values())

    def _core_reflectors(self) -> list[Reflector]:
        """The reflectors of what workloads are derived from."""
        keys = {resource.key for resource in NEEDED} | set(self._customs)
        return [reflector for (key, _), reflector in self._reflectors.items() if key in keys]

    def _needed_settled(self) -> bool:
        """Whether everything that workloads are derived from is there, or known not to come (soon)."""
        if not self._reflectors or (not self.scope.asked and self._newly_refused()):
            return False
        long_ago = time.monotonic() - PATIENCE
        essential = {resource.key for resource in ESSENTIAL}
        for reflector in self._core_reflectors():
            feed, state = reflector.feed, reflector.state
            stuck_since = state.failing_since or state.heard
            if not feed.settled and (feed.resource.key in essential or stuck_since > long_ago):
                return False
        return True

    def _all_known(self) -> bool:
        """Whether it is also known which custom resources there are, or that it cannot be known soon."""
        given_up = time.monotonic() - self._core_settled_at > PATIENCE
        return self._needed_settled() and (self._discovered or given_up)

    def _blind_spots(self) -> str:
        """What is not seen, and why."""
        refused = [resource for resource in (*NEEDED, *self._customs.values()) if resource.key in self._refused]
        said = blind_spots(
            [reflector.feed for reflector in self._all()],
            NEEDED,
            refused,
            self.scope.text,
            missing=[reflector.feed for reflector in self._core_reflectors()] if self.complete else (),
        )
        if self.complete and not self._discovered:
            said.append("the custom resources are not known: discovery fails")
        return "; ".join(said)

    # --- telling

    def _changed(self) -> None:
        """Something about the feeds changed: judged and told in the next turn of the loop, once for many changes."""
        if not self._notified:
            self._notified = True
            asyncio.get_running_loop().call_soon(self._tell)

    def _tell(self) -> None:
        self._notified = False
        if not self.complete:
            # What arrives now lives long. The collector need not look at it again and again: with 10,000 pods that
            # stalls the loop for 200 ms at a time.
            gc.freeze()
        if self._needed_settled() and not self._core_settled.is_set():
            self._core_settled_at = time.monotonic()
            self._core_settled.set()
            if self._discovery_failed:  # the server has come back, then
                self._look_for_customs.set()
        if not self.complete and self._all_known():
            self.complete = True
            self._completed.set()
        if not self.scope.asked and self._newly_refused():
            self._look_at_rights.set()
        for listener in list(self.on_feed):
            listener()
