"""The console's connection: from the search for keys to a store that answers, and what is known when it does not."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeAlias

from tui.consoles.bucket.access import Access
from tui.consoles.bucket.client import Opened
from tui.problem import Cause, Problem, ProblemError
from tui.services.bucket.model import Keys, Lost, StoreError
from tui.systems.bucketkeys import FoundKeys

#: The source of keys that a person typed.
TYPED = "typed"


class Phase(StrEnum):
    """Where the connection stands."""

    LOOKING = "looking for the keys"
    ASKING = "waiting for keys"
    CONNECTING = "connecting"
    OPEN = "connected"
    FAILED = "not connected"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person is asked when there are no keys.

    Attributes:
        problem: why, with the Secret and the right that would have served, or the store's refusal.
        access: the access key that is offered.
    """

    problem: Problem
    access: str = ""


#: Asks a person for keys; None when they leave it.
Ask: TypeAlias = Callable[[Asked], Awaitable[Keys | None]]


class Connection:
    """One console's way to one store.

    Attributes:
        phase: where it stands.
        since: of `phase`, seconds of the wall clock.
        problem: why there is no connection.
        found: what was found of keys, None before the first search.
        opened: the store and what moves its bytes; None while not connected.
        read_only: whether the client is to refuse changes.
    """

    def __init__(
        self,
        access: Access,
        ask: Ask,
        *,
        read_only: bool = False,
        changed: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Opens nothing yet.

        Args:
            access: to the cluster.
            ask: for keys where none are found.
            read_only: whether the client is to refuse changes.
            changed: called when something did.
            clock: seconds of the wall clock.
        """
        self.access = access
        self.phase = Phase.CLOSED
        self.since = clock()
        self.problem: Problem | None = None
        self.found: FoundKeys | None = None
        self.opened: Opened | None = None
        self.read_only = read_only
        self._keys: Keys | None = None
        self._ask = ask
        self._changed = changed
        self._clock = clock
        self._lock = asyncio.Lock()

    @property
    def source(self) -> str:
        """Where the keys come from, in words."""
        return self._keys.source if self._keys is not None else ""

    def turn(self, phase: Phase, problem: Problem | None = None) -> None:
        """Takes note of another phase."""
        if phase is not self.phase:
            self.phase, self.since = phase, self._clock()
        self.problem = problem
        self._changed()

    async def open(self, keys: Keys | None = None, *, as_other: bool = False) -> bool:
        """Finds the keys and connects; what fails is told by `phase` and `problem`.

        Args:
            keys: those to use, None for the best that are found, or the same as before.
            as_other: asks for keys even where some are known.

        Returns:
            Whether there is a store that answers.
        """
        async with self._lock:
            await self._end()
            try:
                chosen = keys or (None if as_other else self._keys) or await self._find(as_other=as_other)
                if chosen is None:
                    return False
                self._keys = chosen
                self.turn(Phase.CONNECTING)
                found = self.found or await self.access.look()
                self.found = found
                self.opened = await self.access.open(chosen, found, read_only=self.read_only)
            except ProblemError as error:
                if error.problem.cause is Cause.CREDENTIALS:
                    self._keys = None  # the next attempt looks anew: a Secret may have been changed
                self.turn(Phase.FAILED, error.problem)
                return False
            except (StoreError, Lost) as error:
                self._keys = None
                self.turn(Phase.FAILED, error.problem)
                return False
            except asyncio.CancelledError:
                self.turn(Phase.FAILED, Problem(Cause.TIMEOUT, "Connecting was given up"))
                raise
            self.turn(Phase.OPEN)
            return True

    async def _find(self, *, as_other: bool) -> Keys | None:
        self.turn(Phase.LOOKING)
        found = self.found = await self.access.look()
        if found.keys and not as_other:
            return found.keys[0]
        workload = self.access.workload
        problem = found.problem(workload.name if workload is not None else "this workload", "Type them here")
        if as_other:
            known = found.keys[0].source if found.keys else ""
            problem = Problem(Cause.CREDENTIALS, "Log in with other keys", known)
        self.turn(Phase.ASKING, problem)
        given = await self._ask(Asked(problem, found.access))
        if given is None:
            self.turn(Phase.FAILED, replace(problem, remedy=""))
            return None
        return replace(given, source=TYPED)

    async def close(self) -> None:
        """Ends it for good."""
        await self._end()
        self._keys = None
        self.turn(Phase.CLOSED)

    async def _end(self) -> None:
        opened, self.opened = self.opened, None
        if opened is not None:
            with contextlib.suppress(ProblemError, Lost, StoreError, OSError, TimeoutError):
                await opened.mover.close()
            with contextlib.suppress(ProblemError, Lost, StoreError, OSError, TimeoutError):
                await opened.client.close()
