"""A forward: a target, its state, and the tunnels that lead through it.

The port that programs connect to, where one was asked for, never goes away while the forward stands; what is promised
of connections is that each one fails cleanly and that the next one finds the pod that is ready then.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from tui.kube import times
from tui.kube.forward.dial import Dialer
from tui.kube.forward.listener import Address, Listener
from tui.kube.forward.local import LocalEnd
from tui.kube.forward.opener import Opener
from tui.kube.forward.pin import Pin
from tui.kube.forward.remote import Remote, Sink
from tui.kube.forward.tally import Tally
from tui.kube.forward.targets import PodPort, Target, Waiting, preferred
from tui.kube.forward.tunnel import Tunnel
from tui.kube.forward.views import ForwardView, Phase, State
from tui.kube.objects import Pod
from tui.kube.resources import PODS
from tui.kube.store import Store
from tui.problem import Cause, Problem, ProblemError

#: Seconds that a program which connects is made to wait for a pod to become ready.
PATIENCE = 10.0
#: Seconds that connections get to finish when a forward is stopped.
DRAIN = 2.0
#: A connection without a byte for so many seconds is not in the middle of anything.
IDLE = 0.2
#: Seconds after its start for which a pod that refuses may just not be listening yet.
YOUNG = 20.0


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection for our own clients: one end of a socket pair, which no other program can reach.

    Attributes:
        socket: non-blocking; whoever takes it closes it.
        tunnel: what is behind it.
    """

    socket: socket.socket
    tunnel: Tunnel

    async def streams(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The connection as a pair of streams."""
        return await asyncio.open_connection(sock=self.socket)


class Forward:
    """One forward. `views.ForwardView` says what it knows."""

    def __init__(
        self,
        number: int,
        target: Target,
        dialer: Dialer,
        store: Store,
        *,
        name: str = "",
        sticky: bool = True,
        patience: float = PATIENCE,
        pods_known: Callable[[], bool] = lambda: True,
    ) -> None:
        """Leads to a target; nothing is opened yet.

        Args:
            number: see `ForwardView`.
            target: what it leads to.
            dialer: opens far ends.
            store: what the cluster holds.
            name: see `ForwardView`.
            sticky: whether a connection goes where the one before went, as long as that pod is ready; else they are
                spread over all pods.
            patience: see `PATIENCE`.
            pods_known: whether the store holds all pods, so that one that it lacks does not exist.
        """
        self.pods_known = pods_known
        self.number = number
        self.target = target
        self.name = name or f"{target.text}:{target.port}"
        self.sticky = sticky
        self.patience = patience
        self.state, self.since = State.RESOLVING, time.time()
        self.reason = self.evidence = self.remedy = ""
        #: Whether it is one of a client of ours, which nobody opened by hand.
        self.private = False
        self.listener: Listener | None = None
        self.on_change: list[Callable[[], None]] = []
        #: Called with each tunnel that has opened, and with each that is over.
        self.on_tunnel: list[Callable[[Tunnel], None]] = []
        self._dialer = dialer
        self._store = store
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._tunnels: dict[int, Tunnel] = {}
        self._tally = Tally()
        self._turns = 0  # pods that were looked for
        self._last: PodPort | None = None
        self._trouble: Problem | None = None
        self._troubled_with: frozenset[str] = frozenset()
        self._ready_pods: frozenset[str] = frozenset()

    # --- reading

    def view(self) -> ForwardView:
        """The forward as it is now."""
        sent, received = self._tally.totals(self._tunnels.values())
        return ForwardView(
            number=self.number,
            name=self.name,
            namespace=self.target.namespace,
            target=self.target.text,
            port=self.target.port,
            address=self.listener.address if self.listener is not None else "",
            pod=self._last,
            protocol=self._dialer.protocol or "",
            state=self.state,
            reason=self.reason,
            evidence=self.evidence,
            since=self.since,
            tunnels=tuple(tunnel.view() for tunnel in self._tunnels.values()),
            recent=tuple(self._tally.recent),
            sent=sent,
            received=received,
            connections=self._tally.connections,
            failures=self._tally.failures,
            rates=tuple(self._tally.rates),
            remedy=self.remedy,
        )

    # --- using

    async def connect(self, pin: Pin | None = None) -> Connection:
        """Opens a connection for a client of ours, without any listener.

        Args:
            pin: whose pod is to be reached, in place of any that fits.

        Raises:
            ProblemError: no pod is ready in time, or it cannot be reached; the reason is the forward's.
        """
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        tunnel = pin.accept() if pin is not None else self.accept()
        try:
            await self._loop.connect_accepted_socket(lambda: LocalEnd(tunnel), ours)
            await tunnel.attached()
        except BaseException:
            theirs.close()
            raise
        return Connection(theirs, tunnel)

    async def listen(self, wanted: Address) -> None:
        """Opens the address for other programs; in place of the one before, if there was one.

        Raises:
            ProblemError: it cannot be had, or the forward was stopped.
        """
        self.check_open()
        listener = Listener(self.accept)
        await listener.open(wanted)
        if self.listener is not None:
            self.listener.close()
        self.listener = listener
        self._changed()

    def unlisten(self) -> None:
        """Closes the address for other programs; connections go on."""
        if self.listener is not None:
            self.listener.close()
            self.listener = None
            self._changed()

    @contextlib.asynccontextmanager
    async def pin(self) -> AsyncIterator[Pin]:
        """Connections to one pod and never to another, for drivers that take sockets.

        Yields:
            The pin; its connections end with the context.

        Raises:
            ProblemError: no pod is ready in time.
        """
        pin = Pin(self, await self.find(self._loop.time() + self.patience, set()))
        try:
            yield pin
        finally:
            pin.close()

    @contextlib.asynccontextmanager
    async def pinned(self, file_name: str) -> AsyncIterator[Path]:
        """A Unix socket that leads to one pod and never to another, for drivers that insist on an address.

        What such a driver opens beside its connection (asyncpg's cancel request) reaches the same pod. The socket
        stands in a directory of its own that only this user may enter.

        Args:
            file_name: the socket's name in its directory, as the driver wants it (`.s.PGSQL.5432`).

        Yields:
            The directory. The socket goes with the context; connections through it are ended.

        Raises:
            ProblemError: no pod is ready in time.
        """
        async with self.pin() as pin, pin.listening(file_name) as directory:
            yield directory

    def retarget(self, target: Target) -> None:
        """Leads elsewhere from the next connection on; those that are open stay where they are."""
        self.target = target
        self._last = None
        self._trouble = None
        self.look()

    async def stop(self, *, drain: float = DRAIN) -> None:
        """Accepts no more, lets connections finish for a moment, and ends those that do not."""
        if self.state in (State.DRAINING, State.STOPPED):
            return
        if self.listener is not None:
            self.listener.close()
        self._set(State.DRAINING, "stopped by you")
        self._tell_waiters()
        deadline = self._loop.time() + drain
        try:
            while self._tunnels and self._loop.time() < deadline:
                busy = [tunnel for tunnel in self._tunnels.values() if tunnel.busy(IDLE)]
                if not busy:
                    break
                await asyncio.sleep(IDLE / 4)
        finally:  # cancelled by somebody in a hurry, too: what is cut must not look like an orderly end
            for tunnel in list(self._tunnels.values()):
                tunnel.close("the forward was stopped")
            self._set(State.STOPPED, "stopped by you")

    def accept(self, opener: Opener | None = None) -> Tunnel:
        """A tunnel that waits for its near end."""
        tunnel = Tunnel(opener or self, self.patience)
        self._tunnels[tunnel.number] = tunnel
        self._tally.connections += 1
        self._changed()
        return tunnel

    # --- looking after it: called by the book

    def look(self) -> None:
        """Something in the cluster may have changed: judges the state anew, and wakes who waits for a pod."""
        if self.state in (State.DRAINING, State.STOPPED):
            return
        found = self.target.resolve()
        if isinstance(found, Waiting):
            self._ready_pods = frozenset()
            self._trouble = None
            told = (found.problem.evidence, found.problem.remedy) if found.problem is not None else ()
            if found.problem is None and not self.pods_known():
                self._set(State.RESOLVING, "the pods are not known yet")
            else:
                self._set(State.WAITING, found.reason, *told)
        else:
            self._ready_pods = frozenset(at.uid for at in found)
            if self._trouble is not None and self._ready_pods != self._troubled_with:
                self._trouble = None
            if self._trouble is not None:
                self._set(State.DEGRADED, self._trouble.what, self._trouble.evidence, self._trouble.remedy)
            else:
                self._last = preferred(found, last=self._last, avoid=(), turn=0)
                self._set(State.READY, "")
        for tunnel in list(self._tunnels.values()):
            self._look_at(tunnel)
        self._tell_waiters()

    def _look_at(self, tunnel: Tunnel) -> None:
        at = tunnel.pod
        if at is not None and tunnel.phase in (Phase.OPEN, Phase.LINGERING) and not self.stands(at):
            tunnel.evict(f"pod {at.pod} was deleted")

    def check_open(self) -> None:
        """Raises a ProblemError once the forward has been stopped."""
        if self.state in (State.DRAINING, State.STOPPED):
            raise ProblemError(Problem(Cause.UNREACHABLE, "The forward was stopped"))

    def stands(self, at: PodPort) -> bool:
        """Whether a pod is still the one that it was, as far as pods may be read."""
        pod = self._store.named(PODS.key, at.namespace, at.pod, Pod)
        return pod.uid == at.uid if pod is not None else not self.pods_known()

    def check(self, now: float, *, resumed: bool) -> None:
        """Looks after open connections."""
        for tunnel in list(self._tunnels.values()):
            tunnel.check(now, resumed=resumed)

    def sample(self) -> None:
        """Notes the throughput of the last second."""
        self._tally.sample(self._tunnels.values())

    # --- for tunnels

    async def find(self, deadline: float, avoid: set[str]) -> PodPort:
        """The pod for a new connection; see `Opener`."""
        while True:
            self.check_open()
            found = self.target.resolve()
            if not isinstance(found, Waiting):
                last = self._last if self.sticky else None
                at = preferred(found, last=last, avoid=avoid, turn=self._turns)
                self._turns += 1
                self._last = at
                return at
            if found.problem is not None:
                raise ProblemError(found.problem)
            left = deadline - self._loop.time()
            if left <= 0:
                raise ProblemError(
                    Problem(
                        Cause.TIMEOUT, f"There is no pod to connect to: {found.reason}",
                        f"waited for {self.patience:.0f} s" if deadline else "",
                        "The connection was ended; the next one waits again.",
                    )
                )  # fmt: skip
            news = self._news
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await news.wait()

    async def dial(self, at: PodPort, sink: Sink) -> Remote:
        """Opens a far end; see `Opener`."""
        return await self._dialer.dial(at, sink)

    def may_recover(self, at: PodPort) -> bool:
        """Whether a refusal may be over soon: the pod is gone or going, or its containers have only just started."""
        pod = self._store.named(PODS.key, at.namespace, at.pod, Pod)
        if pod is None or pod.uid != at.uid or pod.metadata.deletion_timestamp is not None:
            return True
        started = [
            times.parse(status.state.running.started_at) if status.state.running is not None else None
            for status in pod.status.container_statuses
        ]
        # No time: it does not run, which the next word of the watch will tell.
        return any(moment is None or time.time() - moment < YOUNG for moment in started)

    def is_going(self, at: PodPort) -> bool:
        """Whether a pod is being deleted, or is another one by now."""
        pod = self._store.named(PODS.key, at.namespace, at.pod, Pod)
        return not self.stands(at) or (pod is not None and pod.metadata.deletion_timestamp is not None)

    def opened(self, tunnel: Tunnel) -> None:
        """A tunnel has a far end, which proves nothing of the port."""
        for listener in list(self.on_tunnel):
            listener(tunnel)
        self._changed()

    def succeeded(self, tunnel: Tunnel) -> None:
        """A connection has come about, as far as can be told."""
        if self._trouble is not None:
            self._trouble = None
            self.look()

    def troubled(self, problem: Problem) -> None:
        """A connection failed."""
        self._trouble, self._troubled_with = problem, self._ready_pods
        if self.state is State.READY:
            self._set(State.DEGRADED, problem.what, problem.evidence, problem.remedy)

    def closed(self, tunnel: Tunnel) -> None:
        """A tunnel is over."""
        if self._tunnels.pop(tunnel.number, None) is None:
            return
        self._tally.add(tunnel)
        for listener in list(self.on_tunnel):
            listener(tunnel)
        self._changed()

    # --- telling

    def _set(self, state: State, reason: str, evidence: str = "", remedy: str = "") -> None:
        if state is not self.state:
            self.since = time.time()
        elif (reason, evidence, remedy) == (self.reason, self.evidence, self.remedy):
            return
        self.state, self.reason, self.evidence, self.remedy = state, reason, evidence, remedy
        self._changed()

    def _tell_waiters(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    def _changed(self) -> None:
        for listener in list(self.on_change):
            listener()
