"""What drives the controllers: one work queue of the objects that may differ from what is wanted.

The calls of `Objects` return at once and are never out of date, so a controller is an ordinary function that compares
what there is with what is wanted, does the next step and returns. It is called again on every change that concerns it.
What it keeps in memory, if anything, are indices of what the changes said: after a restart all objects arrive anew, and
it goes on from what it finds.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from tui.sandbox.controllers.meta import controller_of, namespace_of
from tui.sandbox.controllers.shape import is_sound
from tui.sandbox.model import ApiError, Change, Objects

log = logging.getLogger(__name__)

#: Seconds until an object that failed is tried again; doubled with each failure.
RETRY, RETRY_MOST = 0.05, 60.0

#: The namespace and the name of what a controller looks after.
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Clock:
    """Where the time comes from, both in seconds.

    Attributes:
        wall: what is written into objects and compared with what stands there.
        ticks: what delays are counted in; it never goes back.
    """

    wall: Callable[[], float] = time.time
    ticks: Callable[[], float] = time.monotonic


class Controller(Protocol):
    """Looks after the objects of one resource.

    Attributes:
        resources: the resources whose changes concern it.
    """

    resources: ClassVar[tuple[str, ...]]

    def concerned(self, change: Change) -> Iterable[Key]:
        """What has to be looked at after a change."""

    def reconcile(self, key: Key) -> float | None:
        """Does what is to be done for one object; it may be gone.

        Returns:
            after how many seconds to look again though nothing changes, None for never.
        """


def owners(change: Change, kind: str) -> Iterable[Key]:
    """The objects of a kind that control what changed, now or before the change."""
    for obj in (change.object, change.old):
        reference = controller_of(obj) if obj else None
        if reference and reference.get("kind") == kind:
            yield namespace_of(change.object), str(reference["name"])


class Engine:
    """The work queue of all controllers. An object that waits in it is there once."""

    def __init__(self, controllers: Sequence[Controller], clock: Clock) -> None:
        self._controllers, self._clock = controllers, clock
        self._by_resource: dict[str, list[int]] = {}
        for index, controller in enumerate(controllers):
            for resource in controller.resources:
                self._by_resource.setdefault(resource, []).append(index)
        self._ready: dict[tuple[int, Key], None] = {}
        self._due: dict[tuple[int, Key], float] = {}
        self._later: list[tuple[float, int, Key]] = []
        self._failures: dict[tuple[int, Key], int] = {}

    @property
    def resources(self) -> list[str]:
        """The resources whose changes must be noticed."""
        return list(self._by_resource)

    def notice(self, change: Change) -> None:
        """Takes in a change: whatever it concerns is looked at next. A broken object concerns nobody."""
        if not is_sound(change.resource, change.object):
            return
        for index in self._by_resource.get(change.resource, ()):
            try:
                for key in self._controllers[index].concerned(change):
                    self._ready[index, key] = None
            except (AttributeError, KeyError, TypeError, ValueError):
                log.warning("a %s cannot be understood", change.resource, exc_info=True)

    def step(self) -> float | None:
        """Looks at the next object, if one waits.

        Returns:
            after how many seconds to call again: 0 for at once, None for not before the next change.
        """
        now = self._clock.ticks()
        while self._later and self._later[0][0] <= now:
            due, index, key = heapq.heappop(self._later)
            if self._due.get((index, key)) == due:
                del self._due[index, key]
                self._ready[index, key] = None
        if self._ready:
            job = next(iter(self._ready))
            del self._ready[job]
            self._do(job)
            return 0.0
        return max(0.0, self._later[0][0] - now) if self._later else None

    def _do(self, job: tuple[int, Key]) -> None:
        index, key = job
        controller = self._controllers[index]
        try:
            again = controller.reconcile(key)
        except Exception as error:  # a fault in one object must not stop the others
            failures = self._failures[job] = self._failures.get(job, 0) + 1
            again = min(RETRY * 2 ** min(failures - 1, 20), RETRY_MOST)
            known = isinstance(error, ApiError)
            level = logging.DEBUG if known and error.reason == "Conflict" else logging.WARNING  # type: ignore[attr-defined]
            log.log(level, "%s of %s: %s", type(controller).__name__, "/".join(key), error, exc_info=not known)
        else:
            self._failures.pop(job, None)
        if again is None:
            self._due.pop(job, None)
        else:
            due = self._due[job] = self._clock.ticks() + again
            heapq.heappush(self._later, (due, index, key))


async def drive(engine: Engine, objects: Objects) -> None:
    """Runs an engine until it is cancelled. It sleeps while nothing changes and nothing is due."""
    woken = asyncio.Event()

    async def listen() -> None:
        async for change in objects.subscribe(engine.resources):
            engine.notice(change)
            woken.set()

    async with asyncio.TaskGroup() as group:
        group.create_task(listen())
        while True:
            pause = engine.step()
            if pause == 0:
                # Others have their turn between any two objects: the API answers while a thousand wait here.
                await asyncio.sleep(0)
                continue
            # Not `wait_for`: before Python 3.12 it forgets a cancellation when what it waits for comes just then.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await woken.wait()
            woken.clear()
