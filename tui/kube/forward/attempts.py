"""Finding a tunnel its far end: which pod, and whether a failure is worth another attempt."""

from __future__ import annotations

import asyncio
import random
from typing import Protocol

from tui.kube.forward.opener import Opener
from tui.kube.forward.remote import Remote, Sink
from tui.kube.forward.targets import PodPort
from tui.problem import Cause, Problem, ProblemError

#: Seconds before the next attempt, at first and at the longest.
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 1.0
#: Failures that may be over soon: the pod was just replaced, the API server restarts.
_PASSING = (Cause.ABSENT, Cause.UNREACHABLE, Cause.TIMEOUT, Cause.SERVER, Cause.THROTTLED, Cause.REJECTED)


class Attempts:
    """The attempts of one tunnel, within the time that its program is made to wait."""

    def __init__(self, opener: Opener, patience: float) -> None:
        """Does nothing yet.

        Args:
            opener: finds pods and dials them.
            patience: seconds for all attempts together.
        """
        self._opener = opener
        self._patience = patience
        self._loop = asyncio.get_running_loop()
        self._deadline = 0.0
        self._pause = FIRST_PAUSE
        self._avoid: set[str] = set()
        self._refusal: Problem | None = None

    def begin(self) -> None:
        """The program has connected: the time runs."""
        self._deadline = self._loop.time() + self._patience

    @property
    def time_left(self) -> bool:
        """Whether there is time for another attempt."""
        return self._loop.time() < self._deadline

    def refused(self, at: PodPort, problem: Problem) -> None:
        """The connection inside a pod did not come about. The pod is asked again only if that may be over soon."""
        self._avoid.add(at.uid)
        self._refusal = None if self._opener.may_recover(at) else problem

    def lost(self, at: PodPort) -> None:
        """The way to a pod broke before anything went through. Another pod is better, the same one will do."""
        self._avoid.add(at.uid)
        self._refusal = None

    async def open(self, tunnel: TunnelSink, *, again: bool) -> Remote:
        """Finds a pod and opens its port, until that succeeds, the time is over or it makes no sense.

        Args:
            tunnel: whom the far end tells; its `pod` and `why` say what is tried.
            again: whether an attempt has failed before.

        Raises:
            ProblemError: the last failure.
        """
        if again and self._refusal is None:
            await self._wait()
        while True:
            tunnel.pod = await self._find()
            tunnel.why = f"connecting to {tunnel.pod}"
            try:
                return await self._opener.dial(tunnel.pod, tunnel)
            except ProblemError as error:
                tunnel.why = str(error.problem)
                if error.problem.cause not in _PASSING or not self.time_left:
                    raise
            await self._wait()

    async def _find(self) -> PodPort:
        """The next pod; after a refusal that will stand, another one that is ready at this moment, or none."""
        if self._refusal is None:
            return await self._opener.find(self._deadline, self._avoid)
        try:
            at = await self._opener.find(0.0, self._avoid)
        except ProblemError:
            at = None
        if at is None or at.uid in self._avoid:
            raise ProblemError(self._refusal)
        return at

    async def _wait(self) -> None:
        pause, self._pause = self._pause, min(2 * self._pause, LONGEST_PAUSE)
        await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311  (only spreads attempts)


class TunnelSink(Sink, Protocol):
    """A tunnel, as far as its attempts see it."""

    pod: PodPort | None
    why: str
