"""The console's connection: from the search for credentials to a session, and what is known when it goes."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TypeAlias

from tui.consoles.sql.access import Access, TellingRouter, Way
from tui.problem import Cause, Problem, ProblemError
from tui.services.sql.model import Facts, Login, Lost, Options, ServerError, Transaction
from tui.services.sql.renewing import Renewing
from tui.systems.reach import follows

#: The source of a login that a person typed.
TYPED = "typed"


class Phase(StrEnum):
    """Where the connection stands."""

    LOOKING = "looking for the credentials"
    ASKING = "waiting for a login"
    CONNECTING = "connecting"
    OPEN = "connected"
    LOST = "lost"  # the next statement opens a new one
    RESTING = "at rest"  # ended by us while nobody used it; the next statement opens a new one
    FAILED = "not connected"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person is asked when there is no login.

    Attributes:
        problem: why, with the Secret and the right that would have served, or the server's refusal.
        user: offered.
        database: offered.
    """

    problem: Problem
    user: str = ""
    database: str = ""


@dataclass(frozen=True, slots=True)
class Given:
    """What a person answers. In memory only."""

    user: str
    password: str = field(repr=False)
    database: str = ""


#: Asks a person for a login; None when they leave it.
Ask: TypeAlias = Callable[[Asked], Awaitable[Given | None]]


class Connection:
    """One console's way to one server.

    Attributes:
        way: whom it leads to.
        options: how the session is to be.
        phase: where it stands.
        since: of `phase`, seconds of the wall clock.
        problem: why there is no session, or why it went.
        session: the session, None before there was a login.
        lost_transaction: whether an open transaction went with the last session.
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
            ask: for a login where none is found.
            read_only: whether the servers are told to refuse writes.
            changed: called when something did.
            clock: seconds of the wall clock.
        """
        self.access = access
        self.way = Way()
        self.options = Options(application="statetui console")
        self.phase = Phase.CLOSED
        self.since = clock()
        self.problem: Problem | None = None
        self.session: Renewing | None = None
        self.lost_transaction = False
        self.asked_read_only = read_only
        self._ask = ask
        self._changed = changed
        self._clock = clock
        self._login: Login | None = None
        self._lock = asyncio.Lock()

    # --- what is known

    @property
    def facts(self) -> Facts | None:
        """What is known of the session, or of the last one; None before the first."""
        with contextlib.suppress(ProblemError):
            return self.session.facts if self.session is not None else None
        return None

    @property
    def transaction(self) -> Transaction:
        """Where it stands."""
        if self.lost_transaction:
            return Transaction.LOST
        return self.session.transaction if self.session is not None else Transaction.NONE

    @property
    def login(self) -> Login | None:
        """Who one is, for a second session to the same server. Never to be printed, logged or kept."""
        return self._login

    @property
    def source(self) -> str:
        """Where the login comes from, in words."""
        return self._login.source if self._login is not None else ""

    @property
    def opening(self) -> bool:
        """Whether a session is being opened."""
        return self._lock.locked()

    def turn(self, phase: Phase, problem: Problem | None = None) -> None:
        """Takes note of another phase."""
        if phase is not self.phase:
            self.phase, self.since = phase, self._clock()
        self.problem = problem
        self._changed()

    # --- opening

    async def open(self, way: Way | None = None, *, as_other: bool = False) -> bool:
        """Finds the credentials and opens a session; what fails is told by `phase` and `problem`.

        Args:
            way: to whom, None for the same as before.
            as_other: asks for a login even where one is known.

        Returns:
            Whether there is one.
        """
        async with self._lock:
            await self._end()
            self.way = way or self.way
            return await self._open(as_other=as_other)

    async def _open(self, *, as_other: bool) -> bool:
        try:
            login = None if as_other else self._login
            if login is None:
                login = await self._find(as_other=as_other)
            if login is None:
                return False
            self._login = login
            read_only = self.asked_read_only or follows(self.access.workload, self.way.role, self.way.member)
            self.options = replace(self.options, read_only=read_only)
            self.session = self.access.session(self.way, login, self.options)
            self.turn(Phase.CONNECTING)
            await self.session.open()
        except ProblemError as error:
            if error.problem.cause is Cause.CREDENTIALS:
                self._login = None  # the next attempt looks anew: a Secret may have been changed
            self.turn(Phase.FAILED, error.problem)
            return False
        except asyncio.CancelledError:
            self.turn(Phase.FAILED, Problem(Cause.TIMEOUT, "Connecting was given up"))
            raise
        self.turn(Phase.OPEN)
        return True

    async def _find(self, *, as_other: bool) -> Login | None:
        self.turn(Phase.LOOKING)
        found = await self.access.look(self.way)
        if found.login is not None and not as_other:
            return found.login
        workload = self.access.workload
        problem = found.problem(workload.name if workload is not None else "this workload")
        if as_other:
            problem = Problem(Cause.CREDENTIALS, "Log in as somebody else", found.login.source if found.login else "")
        # What is said of command lines does not help here.
        remedy = problem.remedy.replace("Give --user and --password-file", "Type them here")
        asked = Asked(replace(problem, remedy=remedy), found.user, found.database)
        self.turn(Phase.ASKING, asked.problem)
        given = await self._ask(asked)
        if given is None:
            self.turn(Phase.FAILED, replace(problem, remedy=""))
            return None
        return Login(given.user, given.password, given.database, found.tls, TYPED)

    async def use_database(self, name: str) -> bool:
        """Opens a session with another database, in place of this one."""
        if self._login is not None:
            self._login = replace(self._login, database=name)
        return await self.open()

    # --- while it stands

    async def look(self) -> None:
        """Notices a connection that has gone while nobody used it."""
        session = self.session
        if self.phase is not Phase.OPEN or session is None or not session.is_open or await session.alive():
            return
        self.lose(self.ended(), transaction=session.transaction in (Transaction.OPEN, Transaction.FAILED))

    def ended(self) -> Problem | None:
        """Why the last connection ended, as far as it is known."""
        router = self.session.router if self.session is not None else None
        return router.ended() if isinstance(router, TellingRouter) else None

    def lose(self, why: Problem | None, *, transaction: bool) -> None:
        """Takes note of a session that was lost."""
        facts = self.facts
        what = f"Session with {facts.member if facts is not None else self.way.text} lost"
        what += ", open transaction lost" if transaction else ""
        reason = f"{why.what}{f': {why.evidence}' if why.evidence else ''}" if why is not None else ""
        self.lost_transaction = transaction
        remedy = f"The next statement opens a new session with {self.way.text}."
        self.turn(Phase.LOST, Problem(Cause.UNREACHABLE, what, reason, remedy))

    async def rest(self, why: str) -> None:
        """Ends a session that nobody uses; login and facts are kept, and the next statement opens a new one.

        Args:
            why: half a sentence for the person who comes back.
        """
        session = self.session
        if session is None or not session.is_open:
            return
        rolled_back = await session.rest()
        self.lost_transaction = rolled_back
        facts = self.facts
        what = f"Session with {facts.member if facts is not None else self.way.text} ended: {why}"
        what += "; its open transaction was rolled back" if rolled_back else ""
        remedy = "The next statement opens a new one. What SET had set and temporary tables are gone."
        self.turn(Phase.RESTING, Problem(Cause.UNREACHABLE, what, "", remedy))

    def settle(self) -> None:
        """Takes note of a session that a statement has used: it stands, whatever was before."""
        if self.session is not None and self.session.is_open:
            self.lost_transaction = False
            if self.phase is not Phase.OPEN:
                self.turn(Phase.OPEN)

    # --- ending

    async def close(self) -> None:
        """Ends the session for good."""
        await self._end()
        self._login = None
        self.turn(Phase.CLOSED)

    async def _end(self) -> None:
        session, self.session = self.session, None
        self.lost_transaction = False
        if session is not None:
            with contextlib.suppress(ProblemError, Lost, ServerError, OSError, TimeoutError):
                await session.close()
