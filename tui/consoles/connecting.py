"""A console's connection: from the search for who one may be to a service that answers, and why there is none.

Object stores and brokers are connected to alike: all logins are found, the best is taken or one is asked for, once, and
kept in memory. SQL is not: a session follows a role, renews itself and loses transactions; see `sql.connecting`.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import ClassVar, Generic, Protocol, TypeAlias, TypeVar

from tui.problem import Cause, Problem
from tui.systems.model import Workload

#: The source of a login that a person typed.
TYPED = "typed"


class Phase(StrEnum):
    """Where the connection stands. A console says it in its own terms: see `Connection.state`."""

    LOOKING = "looking"
    ASKING = "asking"
    CONNECTING = "connecting"
    OPEN = "connected"
    LOST = "no answer"  # there is still something to ask
    FAILED = "not connected"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Terms:
    """What a console calls what one logs in with.

    Attributes:
        one: what there is to have, after `looking for` (`the keys`, `a login`).
        any: the same, after `waiting for` (`keys`, `a login`).
        name: before a source and a colon (`keys`, `login`).
        whose: what the pod's definition is read for (`its keys`, `users`).
        title: of the question, before the workload's name (`Keys for`, `Login to`).
        other: what a key offers where there is trouble (`other keys`, `another user`).
        as_other: what was chosen when somebody asks for another login.
    """

    one: str
    any: str
    name: str
    whose: str
    title: str
    other: str
    as_other: str


class Login(Protocol):
    """Who one is to a service; a frozen dataclass, in memory only."""

    @property
    def source(self) -> str:
        """Where it comes from, in words."""
        ...


class Service(Protocol):
    """What is there once one is connected."""

    async def close(self) -> None:
        """Ends it."""
        ...


LoginT = TypeVar("LoginT", bound=Login)
#: What was found of logins, and what was looked for.
FoundT = TypeVar("FoundT")
ServiceT = TypeVar("ServiceT", bound=Service)
_LoginT_contra = TypeVar("_LoginT_contra", bound=Login, contravariant=True)
_ServiceT_co = TypeVar("_ServiceT_co", bound=Service, covariant=True)


class Access(Protocol[_LoginT_contra, FoundT, _ServiceT_co]):
    """What a connection asks of the cluster; see a console's `LiveAccess`, tests have others."""

    context: str

    @property
    def workload(self) -> Workload | None:
        """The workload as it is now; None when it is gone."""
        ...

    async def look(self) -> FoundT:
        """Looks for who one may be."""
        ...

    async def open(self, login: _LoginT_contra, found: FoundT, /, *, read_only: bool) -> _ServiceT_co:
        """Connects."""
        ...


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person is asked when there is no login.

    Attributes:
        problem: why, with the Secret and the right that would have served, or the service's refusal.
        name: the user, or the access key, that is offered.
    """

    problem: Problem
    name: str = ""


#: Asks a person for a login; None when they leave it.
Ask: TypeAlias = Callable[[Asked], Awaitable[LoginT | None]]


class Connection(Generic[LoginT, FoundT, ServiceT]):
    """One console's way to one service.

    Attributes:
        terms: what this console calls what one logs in with.
        errors: what the service's client may raise.
        phase: where it stands.
        since: of `phase`, seconds of the wall clock.
        problem: why there is no connection, or why the last question had no answer.
        found: what was found of logins, None before the first search.
        opened: the service; None while not connected.
        read_only: whether the client is to refuse changes, from the next `open` on.
    """

    terms: ClassVar[Terms]
    errors: ClassVar[tuple[type[Exception], ...]]

    def __init__(
        self,
        access: Access[LoginT, FoundT, ServiceT],
        ask: Ask[LoginT],
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
        self.found: FoundT | None = None
        self.opened: ServiceT | None = None
        self.read_only = False
        self._login: LoginT | None = None
        self._before = ""
        self._ask = ask
        self._changed = changed
        self._clock = clock
        self._lock = asyncio.Lock()

    # --- what each service knows for itself

    def problem_of(self, error: Exception) -> Problem:
        """What a person is told of one of `errors`."""
        raise NotImplementedError

    def logins(self, found: FoundT) -> tuple[LoginT, ...]:
        """The logins that were found, the best first."""
        raise NotImplementedError

    def missing(self, found: FoundT, workload: str, ask: str) -> Asked:
        """Why there is no login, and which name is offered.

        Args:
            found: what was found.
            workload: its name.
            ask: what one may do instead, without a full stop.
        """
        raise NotImplementedError

    def doubts(self, error: Exception) -> bool:
        """Whether an error means that the login may be wrong: the next attempt looks for it, or asks, anew."""
        return self.problem_of(error).cause in (Cause.CREDENTIALS, Cause.REJECTED)

    # --- what is known

    @property
    def source(self) -> str:
        """Where the login comes from, in words."""
        return self._login.source if self._login is not None else ""

    @property
    def usable(self) -> bool:
        """Whether there is something to ask, even if its last answer did not come."""
        return self.opened is not None and self.phase in (Phase.OPEN, Phase.LOST)

    @property
    def state(self) -> str:
        """The phase, in words."""
        said = {Phase.LOOKING: f"looking for {self.terms.one}", Phase.ASKING: f"waiting for {self.terms.any}"}
        return said.get(self.phase, str(self.phase))

    def turn(self, phase: Phase, problem: Problem | None = None) -> None:
        """Takes note of another phase."""
        if phase is self.phase and problem == self.problem:
            return
        if phase is not self.phase:
            self.phase, self.since = phase, self._clock()
        self.problem = problem
        self._changed()

    # --- opening

    async def open(self, login: LoginT | None = None, *, as_other: bool = False) -> bool:
        """Finds a login and connects; what fails is told by `phase` and `problem`.

        Args:
            login: the one to use, None for the best that is found, or the same as before.
            as_other: asks for one even where some are known.

        Returns:
            Whether there is a service that answers.
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
            except self.errors as error:
                if self.doubts(error):
                    self._login = None  # a Secret may have been changed
                self.turn(Phase.FAILED, self.problem_of(error))
                return False
            except asyncio.CancelledError:
                self.turn(Phase.FAILED, Problem(Cause.TIMEOUT, "Connecting was given up"))
                raise
            self.turn(Phase.OPEN)
            return True

    def forget_login(self) -> None:
        """Looks for the login anew when it opens next: the one with the same source, as it is then."""
        self._before, self._login = self.source, None

    async def _find(self, *, as_other: bool) -> LoginT | None:
        self.turn(Phase.LOOKING)
        found = self.found = await self.access.look()
        logins = self.logins(found)
        if logins and not as_other:
            # Who had chosen another login than the best is not given more rights than that one has.
            return next((one for one in logins if one.source == self._before), logins[0])
        workload = self.access.workload
        asked = self.missing(found, workload.name if workload is not None else "this workload", "Type them here")
        if as_other:
            known = logins[0].source if logins else ""
            asked = replace(asked, problem=Problem(Cause.CREDENTIALS, self.terms.as_other, known))
        self.turn(Phase.ASKING, asked.problem)
        given = await self._ask(asked)
        if given is None:
            self.turn(Phase.FAILED, replace(asked.problem, remedy=""))
        return given

    # --- ending

    async def close(self) -> None:
        """Ends it for good."""
        await self._end()
        self._login = None
        self.turn(Phase.CLOSED)

    async def _end(self) -> None:
        opened, self.opened = self.opened, None
        if opened is not None:
            with contextlib.suppress(*self.errors, OSError):
                await opened.close()
