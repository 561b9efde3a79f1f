"""The console's connection: from the search for a login to a broker that answers."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeAlias

from tui.consoles.queue.access import Access
from tui.consoles.queue.client import ERRORS, Opened, problem_of
from tui.problem import Cause, Problem
from tui.services.queue.model import Login
from tui.systems.queuekeys import FoundLogins

#: The source of a login that a person typed.
TYPED = "typed"


class Phase(StrEnum):
    """Where the connection stands."""

    LOOKING = "looking for a login"
    ASKING = "waiting for a login"
    CONNECTING = "connecting"
    OPEN = "connected"
    LOST = "no answer"
    FAILED = "not connected"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person is asked when there is no login.

    Attributes:
        problem: why, with the Secret and the right that would have served, or the broker's refusal.
        user: the name that is offered.
    """

    problem: Problem
    user: str = ""


#: Asks a person for a login; None when they leave it.
Ask: TypeAlias = Callable[[Asked], Awaitable[Login | None]]


class Connection:
    """One console's way to one broker.

    Attributes:
        phase: where it stands.
        since: of `phase`, seconds of the wall clock.
        problem: why there is no connection, or why the last look had no answer.
        found: what was found of logins, None before the first search.
        opened: the broker; None while not connected.
        read_only: whether the client is to refuse changes.
    """

    def __init__(
        self,
        access: Access,
        ask: Ask,
        *,
        changed: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Opens nothing yet.

        Args:
            access: to the cluster.
            ask: for a login where none is found.
            changed: called when something did.
            clock: seconds of the wall clock.
        """
        self.access = access
        self.phase = Phase.CLOSED
        self.since = clock()
        self.problem: Problem | None = None
        self.found: FoundLogins | None = None
        self.opened: Opened | None = None
        self.read_only = False
        self._login: Login | None = None
        self._ask = ask
        self._changed = changed
        self._clock = clock
        self._lock = asyncio.Lock()

    @property
    def source(self) -> str:
        """Where the login comes from, in words."""
        return self._login.source if self._login is not None else ""

    @property
    def usable(self) -> bool:
        """Whether there is a broker to ask, even if its last answer did not come."""
        return self.opened is not None and self.phase in (Phase.OPEN, Phase.LOST)

    def turn(self, phase: Phase, problem: Problem | None = None) -> None:
        """Takes note of another phase."""
        if phase is self.phase and problem == self.problem:
            return
        if phase is not self.phase:
            self.phase, self.since = phase, self._clock()
        self.problem = problem
        self._changed()

    async def open(self, login: Login | None = None, *, as_other: bool = False) -> bool:
        """Finds a login and connects; what fails is told by `phase` and `problem`.

        Args:
            login: the one to use, None for the best that is found, or the same as before.
            as_other: asks for one even where some are known.

        Returns:
            Whether there is a broker that answers.
        """
        async with self._lock:
            await self._end()
            try:
                chosen = login or (None if as_other else self._login) or await self._find(as_other=as_other)
                if chosen is None:
                    return False
                self._login = chosen
                self.turn(Phase.CONNECTING)
                found = self.found or await self.access.look()
                self.found = found
                self.opened = await self.access.open(chosen, found, read_only=self.read_only)
            except ERRORS as error:
                problem = problem_of(error)
                if problem.cause in (Cause.CREDENTIALS, Cause.REJECTED):
                    self._login = self.found = None  # the next attempt looks anew: a Secret may have been changed
                self.turn(Phase.FAILED, problem)
                return False
            except asyncio.CancelledError:
                self.turn(Phase.FAILED, Problem(Cause.TIMEOUT, "Connecting was given up"))
                raise
            self.turn(Phase.OPEN)
            return True

    async def _find(self, *, as_other: bool) -> Login | None:
        self.turn(Phase.LOOKING)
        found = self.found = await self.access.look()
        if found.logins and not as_other:
            return found.logins[0]
        workload = self.access.workload
        problem = found.problem(workload.name if workload is not None else "this workload", "Type them here")
        if as_other:
            known = found.logins[0].source if found.logins else ""
            problem = Problem(Cause.CREDENTIALS, "Log in as another user", known)
        self.turn(Phase.ASKING, problem)
        given = await self._ask(Asked(problem, found.user))
        if given is None:
            self.turn(Phase.FAILED, replace(problem, remedy=""))
            return None
        return replace(given, source=TYPED)

    async def close(self) -> None:
        """Ends it for good."""
        await self._end()
        self._login = None
        self.turn(Phase.CLOSED)

    async def _end(self) -> None:
        opened, self.opened = self.opened, None
        if opened is not None:
            with contextlib.suppress(*ERRORS):
                await opened.client.close()
