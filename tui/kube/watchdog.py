"""Notices that the API server does not answer, where the watches themselves cannot tell.

A watch on which nothing happens and a watch whose server is frozen look alike. The rule:

- While something arrived on any watch within `BEAT` seconds, the server is alive and is left alone.
- Otherwise it is asked for `/readyz` every `BEAT` seconds. Whatever it answers, a refusal too, it is alive.
- Two requests in a row without an answer within `PATIENCE` seconds, or without a connection: every live feed is shown
  stale, since the moment when the server was last heard. The watches are kept: they may go on where they stood.
- From the first failure on it is asked every second. The first answer ends the pauses of feeds that wait to try again,
  and opens those watches anew, at the same resource version, that are still silent: their connections may have died
  unnoticed.
- A watch that has brought nothing for `QUIET` seconds, not even one of the bookmarks that come each minute, is opened
  anew at the same resource version. So are all watches after the machine slept (the wall clock moved on, the monotonic
  clock did not). A wall clock that was set back changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection

from tui.kube.reflector import Reflector
from tui.kube.server import Server
from tui.kube.times import clock
from tui.problem import Cause, Problem, ProblemError

log = logging.getLogger(__name__)

BEAT = 5.0
PATIENCE = 4.0
#: Seconds between two requests while the server does not answer.
URGENT = 1.0
QUIET = 150.0
#: The wall clock ran ahead of the monotonic clock by so many seconds: the machine slept.
SLEPT = 30.0


class Watchdog:
    """Watches over the reflectors of one cluster.

    Attributes:
        problem: why nothing can be heard of the server, None while it answers.
        since: when it was last heard, seconds of the wall clock; 0 while it answers.
    """

    def __init__(
        self,
        server: Server,
        reflectors: Callable[[], Collection[Reflector]],
        notify: Callable[[], None],
        *,
        beat: float = BEAT,
        patience: float = PATIENCE,
        urgent: float = URGENT,
    ) -> None:
        self.problem: Problem | None = None
        self.since = 0.0
        self._server, self._reflectors, self._notify = server, reflectors, notify
        self._beat, self._patience, self._urgent = beat, patience, urgent
        self._failures = 0
        self._answered = time.monotonic()
        self._ahead = time.time() - time.monotonic()

    async def run(self) -> None:
        """Watches until cancelled."""
        while True:
            await asyncio.sleep(self._urgent if self._failures or self._failing() else self._beat)
            self._look_at_clocks()
            self._look_at_quiet()
            if self._failures or self._failing() or time.monotonic() - self._heard() >= self._beat:
                await self._ask()

    async def _ask(self) -> None:
        try:
            await self._server.get("/readyz", accept="*/*", timeout=self._patience)
        except ProblemError as error:
            if error.problem.cause in (Cause.TIMEOUT, Cause.UNREACHABLE):
                self._missed(error.problem)
                return
            self._present(ready=error.problem.cause is not Cause.SERVER)
        else:
            self._present(ready=True)

    def _missed(self, problem: Problem) -> None:
        self._failures += 1
        if self._failures < 2:
            return
        if self.problem is None:
            self.since = time.time() - (time.monotonic() - self._heard())
            log.warning("the API server does not answer: %s", problem)
            said = f"nothing heard since {clock(self.since)}"
            evidence = f"{said} ({problem.evidence})" if problem.evidence else said
            self.problem = Problem(problem.cause, "the API server does not answer", evidence)
            self._notify()
        for reflector in self._reflectors():
            reflector.state.hush(self.problem, self.since)

    def _present(self, *, ready: bool) -> None:
        """It answered; `ready` is False while it says itself that it still starts: too early for new tries."""
        self._answered = time.monotonic()
        if not self._failures:
            return
        if self.problem is not None:
            log.info("the API server answers again")
            self.problem, self.since = None, 0.0
            self._notify()
        if ready:
            self._failures = 0
        for reflector in self._reflectors():
            if ready:
                reflector.kick()
            if reflector.state.silent is not None and reflector.following:
                reflector.recycle()
            else:
                reflector.state.unhush()

    def _failing(self) -> bool:
        return any(reflector.state.failing for reflector in self._reflectors())

    def _heard(self) -> float:
        """When anything was last heard of the server, monotonic seconds."""
        return max((self._answered, *(reflector.state.heard for reflector in self._reflectors())))

    def _look_at_clocks(self) -> None:
        before, self._ahead = self._ahead, time.time() - time.monotonic()
        if self._ahead - before > SLEPT:
            log.info("the clock leapt %d s ahead: watches are opened anew", self._ahead - before)
            self._recycle(self._reflectors())

    def _look_at_quiet(self) -> None:
        long_ago = time.monotonic() - QUIET
        self._recycle([reflector for reflector in self._reflectors() if reflector.state.heard < long_ago])

    def _recycle(self, reflectors: Collection[Reflector]) -> None:
        for reflector in reflectors:
            if reflector.following:
                reflector.recycle()
