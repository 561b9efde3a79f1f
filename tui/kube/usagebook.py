"""The last known use of each claim, or why it is not known."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from tui.kube import quantity
from tui.kube.objects import PersistentVolumeClaim, Pod
from tui.kube.resources import CLAIMS
from tui.kube.store import Store
from tui.kube.times import clock as time_of_day
from tui.kube.times import parse
from tui.kube.usage import Usage

#: Kubelets measure volumes about once a minute: before a pod has run for so long, its missing figure says nothing.
SETTLING = 90.0
#: A figure older than this is no longer shown as the present one.
TOO_OLD = 180.0
#: A file system so much larger than its claim holds more than the claim.
SHARED = 1.5

READING = "reading…"
DENIED = "needs get on nodes/proxy"
Claim = tuple[str, str]


@dataclass(slots=True)
class Node:
    """What is known of reading a node.

    Attributes:
        asked: when it was last asked, monotonic seconds; minus infinity: never.
        read: whether it has ever answered.
        problem: why the last reading failed, in a few words; empty when it did not.
    """

    asked: float = float("-inf")
    read: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True)
class _Known:
    """A figure, when it was read (monotonic), and for which claim: one made anew under its name has another uid."""

    uid: str
    usage: Usage
    read: float


class UsageBook:
    """The last known use of each claim, or why there is none. The poller writes it, recognition reads it.

    Args:
        store: claims, and the pods that mount them.
        clock: monotonic seconds, for the age of figures.

    Attributes:
        nodes: what is known of reading each node.
        denied: whether the right to read any of them is missing.
        settled: whether every node has been asked once (or nothing is polled).
    """

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self.nodes: dict[str, Node] = {}
        self.denied = False
        self.settled = False
        self._store, self._clock = store, clock
        self._known: dict[Claim, _Known] = {}
        self._waiting: dict[Claim, float] = {}  # since when a claim has waited for its first figure
        self._told: dict[Claim, Usage | str] = {}
        self._dirty: set[Claim] = set()
        self._changed = asyncio.Event()

    def get(self, namespace: str, claim: str) -> Usage | str:
        """The use of a claim, or why it cannot be known, in a few words."""
        found = self._store.named(CLAIMS.key, namespace, claim, PersistentVolumeClaim)
        if found is None:
            return "claim not found"
        known = self._known.get((namespace, claim))
        if known is not None and known.uid == found.uid and self._clock() - known.read <= TOO_OLD:
            return known.usage
        reason = self._reason(found)
        if known is not None and known.uid == found.uid and reason != READING:
            return f"{quantity.text(known.usage.used)} at {time_of_day(known.usage.at)}; {reason}"
        return reason

    def _reason(self, claim: PersistentVolumeClaim) -> str:
        """Why there is no present figure."""
        if claim.spec.volume_mode == "Block":
            return "block volume: no file system to measure"
        pods = list(self._store.pods_of_claim(claim.namespace, claim.name))
        if not pods:
            return "not mounted by any pod"
        running = [pod for pod in pods if is_running(pod)]
        if not running:
            return "its pod is not running"
        node = self.nodes.get(running[0].spec.node_name)
        if self.denied and (node is None or not node.read):
            return DENIED
        if node is None or not (node.read or node.problem):
            return READING
        if node.problem:
            return node.problem
        started = max((parse(pod.status.start_time) or 0.0) for pod in running)
        # The clocks of nodes differ from ours: whoever has waited long enough here need not look at them.
        waiting = self._waiting.get((claim.namespace, claim.name))
        if time.time() < started + SETTLING and (waiting is None or self._clock() - waiting < SETTLING):
            return READING
        name = claim.spec.storage_class_name
        return f"class {name} reports no usage" if name else "its volume reports no usage"

    # --- writing: for the poller

    def node(self, name: str) -> Node:
        """What is known of reading a node."""
        return self.nodes.setdefault(name, Node())

    def keep_nodes(self, names: Collection[str]) -> None:
        """Forgets nodes that host no claims any more."""
        for name in [name for name in self.nodes if name not in names]:
            del self.nodes[name]

    def note(self, claim: Claim, usage: Usage) -> None:
        """Notes a figure."""
        found = self._store.named(CLAIMS.key, *claim, PersistentVolumeClaim)
        if found is not None:
            own = quantity.parse(found.status.capacity.storage or found.spec.resources.requests.storage)
            if own and usage.capacity > own * SHARED:
                usage = replace(usage, shared=True)
            self._known[claim] = _Known(found.uid, usage, self._clock())

    def compare(self, claims: Collection[Claim]) -> None:
        """Marks those of the claims as changed for which `get` answers otherwise than at the last comparison."""
        for claim in claims:
            says = self.get(*claim)
            if says == READING:
                self._waiting.setdefault(claim, self._clock())
            elif isinstance(says, Usage):
                self._waiting.pop(claim, None)
            if self._told.get(claim) != says:
                self._told[claim] = says
                self._dirty.add(claim)
        if self._dirty:
            self._changed.set()

    def forget_but(self, claims: Collection[Claim]) -> None:
        """Forgets claims that are mounted no more, once their figures are too old to be of use."""
        for claim in [claim for claim in self._told if claim not in claims]:
            known = self._known.get(claim)
            if known is None or self._clock() - known.read > TOO_OLD:
                self._known.pop(claim, None)
                self._waiting.pop(claim, None)
                del self._told[claim]
                self._dirty.add(claim)
                self._changed.set()

    # --- changes: for the one consumer

    async def changed(self) -> None:
        """Waits until `drain` has something to return."""
        await self._changed.wait()

    def drain(self) -> set[Claim]:
        """The claims, (namespace, name), whose use or reason changed since the last call."""
        dirty, self._dirty = self._dirty, set()
        self._changed.clear()
        return dirty


def is_running(pod: Pod) -> bool:
    """Whether a kubelet runs it, so that its volumes are measured."""
    return bool(pod.spec.node_name) and pod.status.phase == "Running"
