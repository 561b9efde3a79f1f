"""Where statements are run: one at a time, each once, held back where they destroy, told of in the history.

No Textual here: the screen draws what stands in the attributes, and is told when to look again.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from tui.consoles.sql.connecting import Connection, Phase
from tui.consoles.sql.guard import Guard, Held
from tui.consoles.sql.resultset import FIRST, Message, Run, State
from tui.consoles.sql.running import Outcome, Running, Statement
from tui.problem import Cause, Problem, ProblemError
from tui.services.sql.gate import enforces
from tui.services.sql.history import History, Status
from tui.services.sql.language.classify import classify
from tui.services.sql.language.facts import Control, Sort
from tui.services.sql.language.pieces import Sort as PieceSort
from tui.services.sql.language.split import split
from tui.services.sql.model import Done, Lost, Notice, ServerError, Transaction, Wire
from tui.services.sql.renewing import RENEWED, Renewing

#: Asks whether a statement that is held back is meant.
Confirm: TypeAlias = Callable[[Held], Awaitable[bool]]
#: Characters of a script that are split at a time: a large one must not hold up the keys.
CHUNK = 1 << 16
#: Seconds after which a cancellation that the server does not answer may be given up.
PATIENCE = 2.0
#: Of statements that need no transaction of their own.
_OUTSIDE = (Sort.TRANSACTION, Sort.SETTING, Sort.SHOW, Sort.SESSION)


class Desk:
    """Runs statements over one connection.

    Attributes:
        connection: the session's.
        guard: what is held back.
        history: of the workload.
        results: what the last run brought, or brings.
        running: what runs now; None when nothing does.
        outcome: how the last run ended; None before the first.
        manual: whether a transaction is begun by itself before a statement that has none.
    """

    def __init__(
        self,
        connection: Connection,
        guard: Guard,
        history: History,
        confirm: Confirm,
        *,
        changed: Callable[[], None] = lambda: None,
        begun: Callable[[Run], None] = lambda _: None,
        defined: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Runs nothing yet.

        Args:
            connection: opened or not.
            guard: what is held back.
            history: where statements are kept.
            confirm: asks a person.
            changed: called when something did.
            begun: called with what will bring the results of a run, before its first statement.
            defined: called after a statement that changed definitions.
            clock: seconds of the wall clock.
        """
        self.connection = connection
        self.guard = guard
        self.history = history
        self.results = Run(changed=changed)
        self.running: Running | None = None
        self.outcome: Outcome | None = None
        self.manual = False
        self._confirm = confirm
        self._changed = changed
        self._begun = begun
        self._defined = defined
        self._clock = clock
        self._task: asyncio.Task[None] | None = None
        self._stopped = False
        self._unknown = False  # a statement was given up after it had been sent

    # --- what is known

    @property
    def wire(self) -> Wire:
        """Whose grammar."""
        return self.connection.access.wire

    @property
    def paused(self) -> bool:
        """Whether a result waits with its cursor open until somebody wants more rows of it."""
        current = self.results.current
        return self.running is not None and current is not None and current.state in (State.PAUSED, State.FULL)

    @property
    def busy(self) -> bool:
        """Whether a statement runs that must end, or be cancelled, before the next one."""
        return self.running is not None and not self.paused

    @property
    def unfinished(self) -> str:
        """What would be lost by leaving, in words; empty when nothing would."""
        lost = []
        if self.busy:
            lost.append("the running statement is cancelled")
        if transaction := self.unfinished_transaction:
            lost.append(transaction)
        return " and ".join(lost)

    @property
    def unfinished_transaction(self) -> str:
        """What leaving would do to the transaction, in words; empty when there is none."""
        is_open = self.connection.transaction in (Transaction.OPEN, Transaction.FAILED)
        return "the open transaction is rolled back" if is_open else ""

    # --- running

    def start(self, statements: Iterable[Statement]) -> bool:
        """Runs statements one after the other until one is refused; nothing when one runs already.

        A result that waits with an open cursor is given up, and says so. While a session is being opened nothing is
        run either: nobody knows yet which one it will be.
        """
        if self.busy or self.connection.opening:
            return False
        self._task = asyncio.create_task(self._run(iter(statements), self._task))
        return True

    def script(self, text: str, offset: int = 0) -> Iterator[Statement]:
        """The statements of a text, each with its place; found as they are needed.

        Args:
            text: one statement or many.
            offset: where it begins in its buffer.
        """
        chunks = (text[at : at + CHUNK] for at in range(0, len(text), CHUNK))
        for piece in split(chunks, self.wire):
            if piece.sort is PieceSort.STATEMENT:
                yield Statement(piece.text, offset + piece.start)
            elif piece.sort is PieceSort.COMMAND and piece.text[:9].lower() != "delimiter":
                yield Statement(piece.text, offset + piece.start)  # refused by name, by `_refused`

    async def wait(self) -> None:
        """Waits for the end of what runs."""
        if self._task is not None:
            await asyncio.wait({self._task})

    async def _run(self, statements: Iterator[Statement], before: asyncio.Task[None] | None) -> None:
        await self._make_room(before)
        first, second = next(statements, None), next(statements, None)
        if first is None:
            return
        # The statements of a script must be read to their end: the next one waits for it.
        self.results = Run(first=FIRST if second is None else None, changed=self._changed)
        self._stopped = self._unknown = False
        self.outcome = None
        self._begun(self.results)
        began, number, done, statement = self._clock(), 0, 0, first
        outcome = Outcome(Status.CANCELLED, statement=first, said="it was given up before it was sent")
        try:
            while True:
                number += 1
                self.running = Running(statement, number, second is None, self._clock())
                self._changed()
                outcome = await self._one(statement)
                done += outcome.status is Status.OK
                if outcome.status is not Status.OK or second is None or self._stopped:
                    break
                statement, second = second, next(statements, None)
                if number % 64 == 0:
                    await asyncio.sleep(0)
        except asyncio.CancelledError:
            if self._unknown:
                outcome = Outcome(Status.LOST, statement=statement, said=_UNKNOWN, seconds=self._clock() - began)
                self._keep(outcome)
            raise
        finally:
            self.running = None
            rest = "nothing after it was sent" if second is not None else ""
            said = "; ".join(part for part in (outcome.said, rest) if part)
            self.outcome = replace(outcome, done=done, seconds=self._clock() - began, said=said)
            self._changed()

    async def _make_room(self, before: asyncio.Task[None] | None) -> None:
        """Gives up a result that waits, so that the session is free."""
        if before is not None and not before.done():
            self.results.stop()
            await asyncio.wait({before})

    async def _one(self, statement: Statement) -> Outcome:
        facts = classify(statement.text, self.wire)
        if why := self._refused(statement):
            return self._not_sent(statement, "NOT SENT", why)
        in_transaction = self.manual or self.connection.transaction is Transaction.OPEN
        held = self.guard.held(statement.text, facts, transaction=in_transaction)
        if held is not None and not await self._meant(held):
            return self._not_sent(statement, "HELD BACK", "it was not sent; the session and its transaction stand")
        session = await self._session()
        if session is None:
            return self._cannot(statement, self.connection.problem)
        none = session.transaction is Transaction.NONE and facts.control is Control.NONE
        if self.manual and none and facts.sort not in _OUTSIDE:
            begun = await self._send(session, self._begin)
            if begun.status is not Status.OK:
                return begun
        outcome = await self._send(session, statement)
        self._keep(outcome)
        if outcome.status is Status.OK and facts.sort is Sort.DDL:
            self._defined()
        return outcome

    @property
    def _begin(self) -> Statement:
        return Statement("BEGIN" if self.wire is Wire.POSTGRES else "START TRANSACTION")

    def _refused(self, statement: Statement) -> str:
        """Why a statement cannot be sent at all; empty when it can."""
        if statement.text.startswith("\\"):
            client = "psql" if self.wire is Wire.POSTGRES else "mysql"
            return f"only {client} itself understands {statement.text.split()[0]}: statetui sql WORKLOAD --{client}"
        options, known = self.connection.options, self.connection.facts
        enforced = known is None or enforces(known)
        return self.guard.refusal(statement.text, self.wire, read_only=options.read_only, enforced=enforced)

    async def _meant(self, held: Held) -> bool:
        if self.running is not None:
            self.running = replace(self.running, asking=True)
        try:
            return await self._confirm(held)
        finally:
            if self.running is not None:
                # A person's time for thinking is not the statement's.
                self.running = replace(self.running, asking=False, began=self._clock())
            self._changed()

    async def _session(self) -> Renewing | None:
        """The session; where there was none yet, it is opened first."""
        if self.connection.session is None and not await self.connection.open():
            return None
        return self.connection.session

    async def _send(self, session: Renewing, statement: Statement) -> Outcome:
        """Sends a statement and reads what comes, as far as it is wanted."""
        began, seen, sets = self._clock(), len(self.results.messages), len(self.results.sets)
        if not session.is_open and self.connection.phase is not Phase.LOST:
            self.connection.turn(Phase.CONNECTING)
        try:
            went_well = await self.results.take(statement.text, session.run(statement.text))
        except ProblemError as failure:
            self.connection.turn(Phase.FAILED, failure.problem)
            return self._cannot(statement, failure.problem)
        told = [each.what for each in self.results.messages[seen:]]
        error = told[-1] if told and not went_well else None
        if isinstance(error, Lost):
            self.connection.lose(self.connection.ended() or error.problem, transaction=error.transaction)
        else:
            self.connection.settle()
        done = next((each for each in reversed(told) if isinstance(each, Done)), None)
        result = self.results.sets[-1] if len(self.results.sets) > sets else None
        count = done.count if done is not None else None
        # That a session is a new one must not be overlooked.
        said = next((each.message for each in told if isinstance(each, Notice) and each.code == RENEWED), "")
        return Outcome(
            _status(error, stopped=result is not None and result.state is State.STOPPED),
            tag=done.tag if done is not None else "",
            count=result.read if count is None and result is not None else count,
            seconds=done.seconds if done is not None else self._clock() - began,
            error=error if isinstance(error, ServerError | Lost) else None,
            statement=statement,
            said=said,
        )

    def _keep(self, outcome: Outcome) -> None:
        """Tells the history."""
        statement, known = outcome.statement, self.connection.facts
        if statement is not None:
            self.history.add(
                statement.text, outcome.status, datetime.now(UTC) - timedelta(seconds=outcome.seconds),
                rows=outcome.count, seconds=outcome.seconds, member=known.member if known is not None else "",
                database=known.database if known is not None else "",
                code=outcome.error.code if isinstance(outcome.error, ServerError) else "",
            )  # fmt: skip

    def _not_sent(self, statement: Statement, word: str, why: str) -> Outcome:
        self.results.say(Message(statement.text, Notice(word, why)))
        outcome = Outcome(Status.DECLINED, statement=statement, said=why)
        self._keep(outcome)
        return outcome

    def _cannot(self, statement: Statement, problem: Problem | None) -> Outcome:
        """No session can be had: the statement was not sent."""
        if problem is not None:
            self.results.say(Message(statement.text, Lost(problem)))
        return Outcome(Status.ERROR, statement=statement, said="it was not sent: there is no session")

    # --- transactions

    async def control(self, verb: str) -> None:
        """Begins, commits or rolls back, as the person chose; a result that waits is given up first.

        Args:
            verb: BEGIN, COMMIT or ROLLBACK.
        """
        if self.busy or self.connection.opening:
            return
        before, self._task = self._task, asyncio.current_task()
        await self._make_room(before)
        session = await self._session()
        if session is None:
            return
        statement = self._begin if verb == "BEGIN" else Statement(verb)
        self.running = Running(statement, 1, True, self._clock())
        self._changed()
        try:
            self.outcome = await self._send(session, statement)
        finally:
            self.running = None
            self._changed()

    # --- cancelling

    async def cancel(self) -> None:
        """Cancels what runs, on the server; asked again after a while, gives the connection up with it."""
        running, session = self.running, self.connection.session
        if running is None:
            return
        self._stopped = True
        if self.paused:
            self.results.stop()
            return
        if running.cancelling is not None:
            if self._clock() - running.cancelling >= PATIENCE and self._task is not None:
                self._unknown = session is not None and session.is_open
                self._task.cancel()
                await self.connection.close()
                self.connection.turn(Phase.LOST, _GIVEN_UP)
            return
        self.running = replace(running, cancelling=self._clock())
        self._changed()
        if session is None or not session.is_open:
            if self._task is not None:
                self._task.cancel()  # it is still on its way there: nothing was sent
            return
        with contextlib.suppress(ProblemError, Lost, ServerError, OSError, TimeoutError):
            await session.cancel()

    async def close(self) -> None:
        """Ends everything."""
        task = self._task
        if task is not None and not task.done():
            self._stopped = True
            self.results.stop()
            task.cancel()
            await asyncio.wait({task}, timeout=PATIENCE)
        await self.connection.close()


_UNKNOWN = "what became of the statement is not known; it is not sent again"
_GIVEN_UP = Problem(
    Cause.TIMEOUT, "The server did not answer the cancellation, and the connection was given up", "",
    "What became of the statement is not known; it is not sent again. The next one opens a new session.",
)  # fmt: skip


def _status(error: object, *, stopped: bool) -> Status:
    if isinstance(error, Lost):
        return Status.LOST
    if isinstance(error, ServerError):
        return Status.CANCELLED if error.cancelled else Status.ERROR
    return Status.CANCELLED if stopped else Status.OK
