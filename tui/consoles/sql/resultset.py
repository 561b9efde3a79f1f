"""The results of a run as they come: sets of rows, messages in order, and when reading pauses. Without a screen.

Reading follows what is asked for: a few rows at first, more when somebody goes towards the end, all on request. What
is not read yet stays on the server behind an open cursor; nothing is ever cut off in silence.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias, cast

from tui.services.sql.gridded import SHORTENED
from tui.services.sql.model import Column, Columns, Done, Event, Lost, Notice, Row, Rows, ServerError
from tui.services.sql.plans.model import Plan
from tui.services.sql.rows import BUDGET, RowStore

#: Rows that are read of a result before anybody asks for more, and how many more each time.
FIRST = 1000
#: Takes rows as they come; awaited before the next ones are asked for.
Tap: TypeAlias = Callable[[Sequence[Row]], Awaitable[None]]


class State(StrEnum):
    """Where the reading of a result stands."""

    READING = "reading"
    PAUSED = "paused"  # as many rows as were asked for are here; the cursor is open
    FULL = "full"  # memory for rows is spent; the cursor is open
    ENDED = "ended"
    FAILED = "failed"
    STOPPED = "stopped"  # given up by us; there is more that nobody will read


@dataclass(frozen=True, slots=True)
class Message:
    """What happened, in the order in which it did.

    Attributes:
        statement: whose.
        what: the end of a statement or of a result, a notice, a refusal, or the loss of the connection.
        result: number of the result that it ends, None for none.
    """

    statement: str
    what: Done | Notice | ServerError | Lost
    result: int | None = None


@dataclass(eq=False)
class ResultSet:
    """One result with rows, or a plan.

    Attributes:
        number: counted from 1 over the run.
        statement: that brought it.
        store: its rows.
        state: where the reading stands.
        done: the server's word on its end.
        error: why reading ended early.
        passed: rows that were read for an export only, when there was no memory left for them.
        wanted: rows that were asked for so far, None for all.
        cut: the server's value that lost its end, in a sentence; empty when all are whole.
        plan: the tree, when this is the answer to EXPLAIN.
    """

    number: int
    statement: str
    store: RowStore
    state: State = State.READING
    done: Done | None = None
    error: ServerError | Lost | None = None
    passed: int = 0
    wanted: int | None = FIRST
    cut: str = ""
    plan: Plan | None = None
    began: float = field(default_factory=time.monotonic)
    seconds: float = 0.0
    _tap: Tap | None = None
    _more: asyncio.Event = field(default_factory=asyncio.Event)
    _over: asyncio.Event = field(default_factory=asyncio.Event)  # reading, or the tap, came to its end
    _tap_error: Exception | None = None

    @property
    def columns(self) -> tuple[Column, ...]:
        """Its columns."""
        return self.store.columns

    @property
    def open(self) -> bool:
        """Whether there may be more rows to read."""
        return self.state in (State.READING, State.PAUSED, State.FULL)

    @property
    def read(self) -> int:
        """Rows that came so far, kept or passed on."""
        return len(self.store) + self.passed

    def want(self, rows: int | None) -> None:
        """Asks for rows up to a number of them, None for all. Memory that was spent is granted once more."""
        if not self.open:
            return
        if self.wanted is not None:
            self.wanted = None if rows is None else max(self.wanted, rows)
        if self.state is State.FULL and rows is None:
            self.store.budget += BUDGET
        self._more.set()

    async def stream(self, tap: Tap) -> None:
        """Hands all rows to a tap, those that are here and then those that are still to be read, to the end.

        Raises:
            ServerError: reading failed.
            Lost: the connection went while reading.
            EOFError: reading was given up.
            Exception: whatever the tap raised; reading pauses then.
        """
        given = 0
        while given < len(self.store):
            batch = list(self.store.rows(given, given + FIRST))
            await tap(batch)
            given += len(batch)
            await asyncio.sleep(0)
        if self.passed:
            raise EOFError(f"{self.passed:,} rows were read for an export and are not here any more")
        if self.open:
            self._tap = tap  # nothing was awaited since the last row was handed over
            self._tap_error = None
            self._over.clear()
            self.wanted = None
            self._more.set()
            try:
                await self._over.wait()
            finally:
                self._release()
            if self._tap_error is not None:
                raise self._tap_error
        if self.error is not None:
            raise self.error
        if self.state is State.STOPPED:
            raise EOFError(f"reading was given up after {self.read:,} rows")

    def _release(self) -> None:
        """No tap any more: what was read for it alone is not read on for nobody."""
        self._tap = None
        if self.open:
            self.wanted = self.read

    async def _take(self, rows: Sequence[Row]) -> None:
        tap = self._tap
        if tap is None or not self.store.full:
            self.store.append(rows)
        else:
            self.passed += len(rows)
        if tap is not None:
            try:
                await tap(rows)
            except Exception as error:
                self._tap_error = error
                self._release()
                self._over.set()

    def _must_pause(self) -> State | None:
        if self._tap is not None:
            return None
        if self.passed:  # rows after a gap would be taken for the next ones
            return State.PAUSED if self.wanted is not None else State.STOPPED
        if self.store.full:
            return State.FULL
        return State.PAUSED if self.wanted is not None and self.read >= self.wanted else None

    def _end(self, state: State) -> None:
        self.state = state
        self._over.set()
        self._more.set()


class Run:
    """All that the statements of one run bring, one after the other.

    Attributes:
        sets: the results with rows.
        messages: ends, notices and errors, in order.
        statements: how many were sent.
    """

    def __init__(self, *, first: int | None = FIRST, changed: Callable[[], None] = lambda: None) -> None:
        """Nothing yet.

        Args:
            first: rows after which a result pauses; None to read on to the end, as the statements of a script must
                (the next one waits for the end of the one before).
            changed: called when there is something new; often, so that it had better only take note.
        """
        self.sets: list[ResultSet] = []
        self.messages: list[Message] = []
        self.statements = 0
        self._first = first
        self._changed = changed
        self._stopped = False

    @property
    def current(self) -> ResultSet | None:
        """The result that is being read, or whose reading pauses."""
        return self.sets[-1] if self.sets and self.sets[-1].open else None

    def follow(self, changed: Callable[[], None]) -> None:
        """Tells somebody else of what is new."""
        self._changed = changed

    def say(self, message: Message) -> None:
        """Tells of what happened beside what statements bring: that one was not sent."""
        self.messages.append(message)
        self._changed()

    def stop(self) -> None:
        """Gives up what is not read yet: the statement ends on the server, and the result says so.

        A statement that runs, without any rows yet, is ended by `Session.cancel` only.
        """
        self._stopped = True
        if (current := self.current) is not None:
            current._more.set()

    def forget(self) -> None:
        """Lets the rows go: nobody looks at them any more, though a dialog that was closed may hold on to a result."""
        for each in self.sets:
            each.store.clear()

    async def take(self, statement: str, events: AsyncIterator[Event]) -> bool:
        """Reads what one statement brings, as far as it is asked for.

        Args:
            statement: as it was sent.
            events: of `Session.run`; closed here, early when reading is given up.

        Returns:
            Whether it went well; else the error is the last message.
        """
        self.statements += 1
        self._stopped = False
        try:
            # Session.run promises a generator; closing it early ends the statement on the server.
            async with aclosing(cast("_Closing", events)):
                async for event in events:
                    await self._event(statement, event)
                    if not await self._pause():
                        self._close(State.STOPPED)
                        return True
        except (ServerError, Lost) as error:
            current = self._close(State.FAILED, error)
            self.messages.append(Message(statement, error, current))
            return False
        finally:
            self._close(State.STOPPED)
            self._changed()
        return True

    async def _event(self, statement: str, event: Event) -> None:
        if isinstance(event, Rows):
            if (current := self.current) is not None:
                await current._take(event.rows)
            self._changed()
            await asyncio.sleep(0)  # keys and frames have their turn even when the next rows are here already
            return
        if isinstance(event, Columns):
            self._close(State.ENDED)
            store = RowStore(event.columns, budget=self._budget())
            self.sets.append(ResultSet(len(self.sets) + 1, statement, store, wanted=self._first))
        elif isinstance(event, Done):
            number = None
            if (current := self.current) is not None:
                current.done, number = event, current.number
                self._close(State.ENDED)
            self.messages.append(Message(statement, event, number))
        else:
            if event.code == SHORTENED and (current := self.current) is not None:
                current.cut = current.cut or event.message
            self.messages.append(Message(statement, event))
        self._changed()

    def _budget(self) -> int:
        """Of all results together; a thousand small ones are free."""
        return max(1 << 20, BUDGET - sum(each.store.used for each in self.sets))

    async def _pause(self) -> bool:
        """Waits while nobody wants more; False when it is given up."""
        current = self.current
        while current is not None and not self._stopped and (state := current._must_pause()) is not None:
            if state is State.STOPPED:
                return False
            current.state = state
            current.seconds = time.monotonic() - current.began
            self._changed()
            current._more.clear()
            await current._more.wait()
            current.state = State.READING
        return not self._stopped

    def _close(self, state: State, error: ServerError | Lost | None = None) -> int | None:
        current = self.current
        if current is None:
            return None
        current.error = error
        current.seconds = current.done.seconds if current.done is not None else time.monotonic() - current.began
        current._end(state)
        return current.number


class _Closing(AsyncIterator[Event]):
    """An iterator that can be closed, for the types only."""

    async def aclose(self) -> None: ...


def said_of(result: ResultSet) -> str:
    """How much of a result is here and whether there is more; never a silent limit."""
    count = f"{len(result.store):,} row{'' if len(result.store) == 1 else 's'}"
    tail = f" · {result.passed:,} more went to the export only" if result.passed else ""
    match result.state:
        case State.READING:
            return f"{count} so far · reading{tail}"
        case State.PAUSED if result.passed:
            return f"{count} of more · those behind them went to the export only; run the statement again to see them"
        case State.PAUSED:
            return f"{count} of more · {seconds(result.seconds)} · paused: end reads on{tail}"
        case State.FULL:
            size = f"{result.store.used >> 20} MB"
            return f"{count} of more · {size} of memory are spent: end reads on all the same, x exports{tail}"
        case State.FAILED:
            return f"{count}, then an error: m shows it{tail}"
        case State.STOPPED:
            return f"{count} of more · given up, the rest was not read{tail}"
    return f"{count} · {seconds(result.seconds)} · all{tail}"


def seconds(value: float) -> str:
    """A duration for a person: `12 ms`, `3.4 s`, `2 min 05 s`."""
    if value < 1:
        return f"{value * 1000:.0f} ms" if value >= 0.001 else "<1 ms"
    return f"{value:.1f} s" if value < 60 else f"{int(value) // 60} min {int(value) % 60:02} s"
