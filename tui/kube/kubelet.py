"""Reads how full the volumes are, from the kubelets' summaries through the API server."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection, Mapping

import msgspec

from tui.kube.decode import UNREADABLE
from tui.kube.server import Server
from tui.kube.store import Store
from tui.kube.usage import Usage
from tui.kube.usagebook import DENIED, READING, Claim, Node, UsageBook, is_running
from tui.problem import Cause, Problem, ProblemError

log = logging.getLogger(__name__)

#: Seconds between two readings of a node; requests at the same time; seconds for one.
EVERY, AT_ONCE, PATIENCE = 30.0, 4, 10.0
#: Seconds between two looks at which nodes there are and which claims still wait for their first figure.
LOOK = 3.0
#: A node that hosts a pod without figures is read again so soon.
SOONER = 8.0
#: Seconds until a forbidden reading is tried again.
SLOW = 300.0


class _ClaimRef(msgspec.Struct, frozen=True, gc=False):
    name: str = ""
    namespace: str = ""


class _Volume(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    pvc_ref: _ClaimRef | None = None
    used_bytes: int | None = None
    capacity_bytes: int | None = None
    available_bytes: int | None = None
    inodes_used: int | None = None
    inodes: int | None = None


class _PodStats(msgspec.Struct, frozen=True, gc=False):
    volume: list[_Volume] = []


class _Summary(msgspec.Struct, frozen=True, gc=False):
    pods: list[_PodStats] = []


class UsagePoller:
    """Reads the summary of each node that hosts pods with claims.

    The nodes are known from the pods, so that no right to list nodes is needed; `get` on `nodes/proxy` is.
    """

    def __init__(self, server: Server, store: Store, book: UsageBook) -> None:
        self._server, self._store, self._book = server, store, book
        self._forbidden_until = float("-inf")
        self._gate = asyncio.Semaphore(AT_ONCE)

    def retry_now(self) -> None:
        """Reads all nodes at the next look, forbidden or not."""
        self._forbidden_until = float("-inf")
        for node in self._book.nodes.values():
            node.asked = float("-inf")

    async def run(self) -> None:
        """Reads until cancelled."""
        while True:
            try:
                await self.look()
            except Exception:
                log.exception("a defect in the reading of usage")
            await asyncio.sleep(LOOK)

    async def look(self) -> None:
        """Reads the nodes that are due, and compares what is known of their claims."""
        hosted = self._hosted()
        self._book.keep_nodes(hosted)
        due = [name for name, claims in hosted.items() if self._due(name, claims)]
        if self._book.denied:  # still forbidden, most likely: one question, now and then, is enough to know
            due = due[:1] if time.monotonic() >= self._forbidden_until else []
        await asyncio.gather(*(self._read(name) for name in due))
        for claims in hosted.values():
            self._book.compare(claims)
            await asyncio.sleep(0)
        self._book.forget_but({claim for claims in hosted.values() for claim in claims})
        self._book.settled = True

    def _hosted(self) -> Mapping[str, list[Claim]]:
        """The claims by the node that their running pod is on; "" for those whose pod runs nowhere."""
        hosted: dict[str, list[Claim]] = {}
        for claim, pods in self._store.mounted():
            node = next((pod.spec.node_name for pod in pods if is_running(pod)), "")
            hosted.setdefault(node, []).append(claim)
        return hosted

    def _due(self, name: str, claims: Collection[Claim]) -> bool:
        if not name:
            return False
        waited = time.monotonic() - self._book.node(name).asked
        return waited >= EVERY or (waited >= SOONER and any(self._book.get(*claim) == READING for claim in claims))

    async def _read(self, name: str) -> None:
        node = self._book.node(name)
        node.asked = time.monotonic()
        try:
            async with self._gate:
                body = await self._server.get(f"/api/v1/nodes/{name}/proxy/stats/summary", timeout=PATIENCE)
            summary = msgspec.json.decode(body, type=_Summary)
        except ProblemError as error:
            self._failed(name, node, error.problem)
            return
        except UNREADABLE as error:
            node.problem = f"{name} answered nonsense"
            log.info("usage of %s: %s", name, error)
            return
        self._book.denied = False
        node.problem, node.read = "", True
        now = time.time()
        for pod in summary.pods:
            for volume in pod.volume:
                ref = volume.pvc_ref
                if ref is not None and volume.used_bytes is not None and volume.capacity_bytes:
                    usage = Usage(
                        volume.used_bytes,
                        volume.capacity_bytes,
                        volume.available_bytes or 0,
                        volume.inodes_used,
                        volume.inodes,
                        at=now,
                    )
                    self._book.note((ref.namespace, ref.name), usage)

    def _failed(self, name: str, node: Node, problem: Problem) -> None:
        reason = reason_of(name, problem)
        if node.problem != reason:
            log.info("usage of %s: %s", name, problem)
        node.problem = reason
        if problem.cause is Cause.FORBIDDEN:
            self._book.denied = True
            self._forbidden_until = time.monotonic() + SLOW


def reason_of(node: str, problem: Problem) -> str:
    """Why a node could not be read, in a few words."""
    said = problem.evidence
    if problem.cause is Cause.FORBIDDEN:
        return DENIED
    if problem.cause is Cause.TIMEOUT:
        return f"no answer from {node}"
    if problem.cause in (Cause.UNREACHABLE, Cause.CREDENTIALS):
        return "the API server does not answer" if problem.cause is Cause.UNREACHABLE else "credentials not accepted"
    if problem.cause is Cause.ABSENT:
        return f"node {node} is gone" if "nodes" in said and "not found" in said else f"{node} has no stats/summary"
    if "not allowed" in said:
        return f"API server refuses to proxy to {node}: address not allowed"
    if "dial tcp" in said or "error trying to reach service" in said:
        return f"API server cannot reach {node}"
    return f"{node}: {said or problem.what}"[:80]
