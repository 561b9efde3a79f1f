"""The carriers of one context: made when needed, kept ready for the next connection, and let go when nobody comes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from tui.kube.forward.carrier import Carrier, SpdyRemote
from tui.kube.forward.liveness import PING_AFTER
from tui.kube.forward.remote import Sink
from tui.kube.forward.targets import PodPort
from tui.problem import Cause, Problem, ProblemError

log = logging.getLogger(__name__)

#: Carriers that lie ready for one pod at most; a burst makes more, which are closed when it is over.
KEPT = 4
#: Seconds after which one that nobody has used is closed.
UNUSED = 120.0

Pod = tuple[str, str, str]


class Carriers:
    """Carriers by pod. One serves every port of its pod.

    Args:
        make: opens the websocket of a new one, whose two callbacks are given.
    """

    def __init__(
        self, make: Callable[[PodPort, Callable[[Carrier], None], Callable[[Carrier], None]], Awaitable[Carrier]]
    ) -> None:
        self._make = make
        self._idle: dict[Pod, list[Carrier]] = {}
        self._all: set[Carrier] = set()
        self._making: dict[Pod, asyncio.Task[None]] = {}
        self._loop = asyncio.get_running_loop()

    async def open(self, at: PodPort, sink: Sink) -> SpdyRemote:
        """Opens a connection on a carrier that lies ready, else on a new one.

        Raises:
            ProblemError: a new one cannot be had.
        """
        while idle := self._idle.get(_key(at)):
            carrier = idle.pop()  # the one used last is the surest to live
            if not idle:
                self._make_ready(at)
            if (remote := await carrier.open(at.port, sink)) is not None:
                return remote
            for other in list(self._idle.get(_key(at), ())):
                other.drop()  # they went the same way; to wait for each in vain takes longer than programs wait
        remote = await (await self._new(at)).open(at.port, sink)
        if remote is None:
            raise ProblemError(Problem(Cause.UNREACHABLE, f"The connection to {at.pod} was lost as it opened"))
        self._make_ready(at)
        return remote

    def look(self, now: float) -> None:
        """Lets the unused go and keeps the others alive; called every few seconds."""
        for idle in list(self._idle.values()):
            for carrier in list(idle):
                if now - carrier.parked > UNUSED or (not carrier.answered and now - carrier.pinged > PING_AFTER):
                    carrier.close()
                elif now - max(carrier.socket.heard, carrier.pinged) > PING_AFTER:
                    carrier.pinged = now
                    carrier.ping()

    def close(self) -> None:
        """Closes all that lie idle and makes no more."""
        for task in self._making.values():
            task.cancel()
        for carrier in list(self._all):
            carrier.close()

    def _make_ready(self, at: PodPort) -> None:
        """Makes one for the next connection, unless one is in the making."""
        key = _key(at)
        if key not in self._making:
            self._making[key] = self._loop.create_task(self._make_one(at), name=f"carrier to {at.pod}")

    async def _make_one(self, at: PodPort) -> None:
        try:
            carrier = await self._new(at)
            self._lay_ready(at, carrier)
        except ProblemError as error:
            log.debug("no carrier to %s was made ready: %s", at.pod, error.problem)
        finally:
            self._making.pop(_key(at), None)

    async def _new(self, at: PodPort) -> Carrier:
        carrier = await self._make(at, lambda free: self._lay_ready(at, free), lambda gone: self._forget(at, gone))
        if carrier.alive:  # what came with the handshake may have ended it already
            self._all.add(carrier)
        return carrier

    def _lay_ready(self, at: PodPort, carrier: Carrier) -> None:
        idle = self._idle.setdefault(_key(at), [])
        if len(idle) >= KEPT or not carrier.alive:
            carrier.close()
            return
        carrier.parked = self._loop.time()
        idle.append(carrier)

    def _forget(self, at: PodPort, carrier: Carrier) -> None:
        self._all.discard(carrier)
        idle = self._idle.get(_key(at), [])
        if carrier in idle:
            idle.remove(carrier)
        if not idle:
            self._idle.pop(_key(at), None)


def _key(at: PodPort) -> Pod:
    return at.namespace, at.pod, at.uid
