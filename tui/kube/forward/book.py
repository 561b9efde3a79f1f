"""All forwards of one context: made, looked after and ended here."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Sequence

from tui.kube.api import Api
from tui.kube.forward.dial import Dialer
from tui.kube.forward.forward import DRAIN, PATIENCE, Forward
from tui.kube.forward.kubectl import KubectlForwards
from tui.kube.forward.liveness import Sleep
from tui.kube.forward.targets import Target
from tui.kube.forward.views import State
from tui.kube.resources import ENDPOINTSLICES, PODS, SERVICES
from tui.kube.store import Store

log = logging.getLogger(__name__)

#: Seconds between two rounds; each notes the throughput.
ROUND = 1.0
#: Seconds between two looks at open connections.
LOOK = 5.0
#: Seconds between two looks at the targets while the cluster changes and changes.
CALM = 0.05
#: What decides where a forward leads.
_RELEVANT = frozenset((PODS.key, SERVICES.key, ENDPOINTSLICES.key))


class Forwards:
    """The forwards of a context.

    Attributes:
        on_change: called whenever one of them, or one of its tunnels, comes into another state; not for bytes.
    """

    def __init__(
        self,
        api: Api,
        store: Store,
        *,
        kubectl: Sequence[str] = (),
        known: Callable[[str], bool | None] = lambda _: True,
    ) -> None:
        """Makes an empty book; nothing is opened.

        Args:
            api: the context's API server.
            store: what the cluster holds.
            kubectl: what leads a kubectl to the same cluster as the same user.
            known: whether the store holds all there is of a resource, by its key; None while that is on its way.
        """
        self.on_change: list[Callable[[], None]] = []
        self._store = store
        self._known = known
        self._kubectl = KubectlForwards(kubectl)
        self._dialer = Dialer(api, self._kubectl)
        self._forwards: dict[int, Forward] = {}
        self._numbers = 0
        self._looking: asyncio.TimerHandle | None = None
        self._looked = 0.0
        self._loop = asyncio.get_running_loop()
        self._rounds: asyncio.Task[None] | None = None
        store.on_write.append(self._written)

    def __iter__(self) -> Iterator[Forward]:
        """The forwards, oldest first."""
        return iter(list(self._forwards.values()))

    def get(self, number: int) -> Forward | None:
        """One of them by its number."""
        return self._forwards.get(number)

    @property
    def protocol(self) -> str:
        """What pods are reached by, empty before the first connection."""
        return self._dialer.protocol or ""

    def known(self, resource: str) -> bool | None:
        """Whether the store holds all there is of a resource; for targets."""
        return self._known(resource)

    def add(
        self, target: Target, *, name: str = "", sticky: bool = True, patience: float = PATIENCE, private: bool = False
    ) -> Forward:
        """Makes a forward; see `Forward`. Nothing listens before `Forward.listen`."""
        self._numbers += 1
        forward = Forward(
            self._numbers, target, self._dialer, self._store, name=name, sticky=sticky, patience=patience,
            pods_known=lambda: bool(self._known(PODS.key)),
        )  # fmt: skip
        forward.private = private
        forward.on_change.append(self._changed)
        self._forwards[forward.number] = forward
        forward.look()
        if self._rounds is None:
            self._rounds = self._loop.create_task(self._go_round(), name="forwards")
        self._changed()
        return forward

    async def remove(self, forward: Forward, *, drain: float = DRAIN) -> None:
        """Stops a forward and forgets it."""
        await forward.stop(drain=drain)
        self._forwards.pop(forward.number, None)
        self._changed()

    def look(self) -> None:
        """Something that targets depend on may have changed."""
        if self._looking is None and self._forwards:
            wait = max(0.0, self._looked + CALM - self._loop.time())
            self._looking = self._loop.call_later(wait, self._look)

    async def close(self, *, drain: float = 0.0) -> None:
        """Stops all of them; safe to call twice."""
        with contextlib.suppress(ValueError):
            self._store.on_write.remove(self._written)
        if self._looking is not None:
            self._looking.cancel()
        if self._rounds is not None:
            self._rounds.cancel()
        await asyncio.gather(*(forward.stop(drain=drain) for forward in self))
        self._forwards.clear()
        self._dialer.close()
        await self._kubectl.close()

    def _written(self, resource: str) -> None:
        if resource in _RELEVANT:
            self.look()

    def _look(self) -> None:
        self._looking, self._looked = None, self._loop.time()
        for forward in self:
            forward.look()

    async def _go_round(self) -> None:
        """Samples the throughput and looks after what is open."""
        sleep = Sleep(time.time(), time.monotonic())
        due = self._loop.time() + LOOK
        while True:
            await asyncio.sleep(ROUND)
            now = self._loop.time()
            resumed = sleep.woke(time.time(), time.monotonic())
            if resumed:
                log.info("the machine was asleep, or its clock was set: connections are asked whether they still live")
            for forward in self:
                forward.sample()
                if resumed or now >= due:
                    forward.check(now, resumed=resumed)
            if now >= due:
                due = now + LOOK
                self._dialer.look(now)
            if resumed or any(forward.state is State.RESOLVING for forward in self):
                self._look()

    def _changed(self) -> None:
        for listener in list(self.on_change):
            listener()
