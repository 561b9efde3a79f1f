"""Messages of a queue in their order, as many as are wanted, without holding them here.

The first is asked for singly: the broker says then what it would not say to a consumer (a stream gives nothing), and
how many there are. The others are delivered to a consumer with a window, so that no message waits for a round trip.
Never are more taken than were asked for: each that is taken and put back is marked, and a quorum queue counts it. So
the window holds what is wanted at most, and the last of them are acknowledged once the consumer is ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator, Sequence

from pamqp import commands

from tui.problem import Cause, Problem
from tui.services.queue.amqp import Broker
from tui.services.queue.lane import Lane
from tui.services.queue.model import Lost, Message, Refused, Settle
from tui.services.queue.properties import from_incoming

#: Messages that the broker may send ahead of what is settled.
WINDOW = 2000
#: The most that one consumer may be given before anything is settled: the protocol counts them in two bytes.
_MOST = 65_535
#: How many are given at once, and how many bytes of them.
_PAGE, _BYTES = 500, 8 << 20
#: Bytes that may wait to be looked at before the connection is not read any further.
_HELD = 64 << 20
#: So few are asked for singly, as are those that no consumer is given.
_FEW = 20
#: Seconds without a message after which one looks whether there are any.
_QUIET = 1.0
#: The same, after which what is there is asked for singly: another consumer may have the queue for itself.
_STUCK = 3.0


class Drain:
    """Messages that are taken from a queue.

    Attributes:
        taken: how many were given so far.
        settled: how many of them the broker was told of: that they are done with.
    """

    def __init__(self, broker: Broker, lane: Lane, queue: str, count: int, how: Settle) -> None:
        """Is made by `drain`."""
        self.taken = 0
        self.settled = 0
        self._broker = broker
        self._lane = lane
        self._queue = queue
        self._count = count
        self._how = how
        self._there = 0
        self._granted = 0
        self._window = 0
        self._consumers: list[str] = []
        self._singly = count <= _FEW
        self._last = self._stored = 0
        self._since = time.monotonic()

    async def next(self) -> Sequence[Message]:
        """The next messages; none when as many came as are wanted, or the queue is empty.

        Raises:
            Refused: the queue is not there (any more), or one may not read it.
            Lost: the connection went; a stream is told this way (540), because the broker closes the connection for it.
        """
        with self._told():
            came = await self._next()
        self.taken += len(came)
        if came:
            self._last = came[-1].tag
        return came

    async def stored(self) -> None:
        """All that was given is stored as it was asked, and is settled now; with REQUEUE nothing happens.

        Raises:
            Refused: the queue was deleted, or the broker closed the channel.
            Lost: the connection went.
        """
        if self._how is Settle.REQUEUE:
            return
        due = self._stored = self._last
        with self._told():
            if self.taken == self._count:
                await self._end_consumers()
            elif self._consumers:  # more would be delivered in their place than are wanted
                due = min(due, self._count - self._window)
            await self._settle(due)

    async def finish(self) -> None:
        """Settles what is left as it was asked, and waits until the broker has done it.

        Raises:
            Refused: the queue was deleted meanwhile, and what was in it.
            Lost: the connection went: which of the last were settled, nobody can tell.
        """
        with self._told():
            await self._end_consumers()
            if self._how is not Settle.REQUEUE:
                await self._settle(self._last)
            elif self._last:
                self._lane.reject(0, multiple=True)  # all, also what nobody has looked at
                await self._lane.flush()
            # The broker answers none of these; but it answers this one after them.
            await self._lane.queue_declare(self._queue, passive=True)

    async def leave(self) -> None:
        """Settles what is stored, where it ends before its end; what was given and not stored goes back."""
        self._lane.drop()
        if self._how is not Settle.REQUEUE and self._stored > self.settled:
            await self._end_consumers()
            await self._settle(self._stored)
            await self._lane.queue_declare(self._queue, passive=True)

    async def _next(self) -> list[Message]:
        lane = self._lane
        self._since = time.monotonic()
        while self.taken < self._count:
            if lane.inbox:
                return self._page()
            if not self.taken or self._singly:
                return await self._single()
            await self._offer()
            if lane.cancelled:
                await self._broker.ready(self._queue)  # 404 when it was deleted
                raise Lost(Problem(Cause.UNREACHABLE, f"The broker stopped delivering from {self._queue}",
                                   lane.cancelled))  # fmt: skip
            if self.taken < min(self._count, self._there):
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_QUIET):
                        await lane.change()
            if not lane.inbox and await self._emptied() and not lane.inbox:
                break
        return []

    async def _single(self) -> list[Message]:
        came: list[Message] = []
        while len(came) < (min(_FEW, self._count - self.taken) if self._singly else 1):
            found = await self._lane.basic_get(self._queue)
            if not isinstance(found.delivery, commands.Basic.GetOk):
                break
            if not self.taken:
                self._there = 1 + (found.delivery.message_count or 0)
            came.append(from_incoming(found))
        return came

    def _page(self) -> list[Message]:
        lane, came, size = self._lane, list[Message](), 0
        most = min(_PAGE, self._count - self.taken)
        while lane.inbox and len(came) < most and size < _BYTES:
            came.append(lane.next())
            size += len(came[-1].body)
        return came

    async def _offer(self) -> None:
        """Lets the broker deliver; a look, which settles nothing on its way, has another consumer for each window."""
        rest = self._count - self.taken
        if self._how is Settle.REQUEUE:
            if self.taken < self._granted:
                return
            self._window = min(rest, _MOST)
            self._granted = self.taken + self._window
        elif self._consumers:
            return
        else:
            self._window = min(rest, WINDOW)
        self._lane.limit(_HELD)
        self._consumers.append(await self._lane.take(self._queue, self._window))

    async def _emptied(self) -> bool:
        """Whether no more will come.

        What the queue has delivered before it answers is behind the answer on its way; it is there before the next one.
        """
        for _ in range(2):
            ready = await self._lane.ready(self._queue)
            if ready is None:
                return False
            if ready:
                if time.monotonic() - self._since > _STUCK:
                    await self._end_consumers()
                    self._singly = True
                return False
        return True

    async def _end_consumers(self) -> None:
        self._lane.limit(None)  # the answers are to be heard
        while self._consumers:
            await self._lane.basic_cancel(self._consumers.pop())

    async def _settle(self, due: int) -> None:
        if due <= self.settled:
            return
        if self._how is Settle.ACKNOWLEDGE:
            self._lane.acknowledge(due, multiple=True)
        else:
            self._lane.reject(due, multiple=True, requeue=False)
        self.settled = due  # the channel counts from 1, and has no other deliveries
        await self._lane.flush()

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Says with a loss what became of those that were given."""
        try:
            with self._broker.told(self._lane):
                yield
        except Lost as error:
            if not self.taken:
                raise
            told = error.problem
            what = (
                "" if self._how is Settle.REQUEUE else f"; the broker was told of {self.settled:,} to {self._how} them"
            )
            raise Lost(Problem(
                told.cause, f"The connection went after {self.taken:,} messages{what}", told.evidence or told.what,
                "Those that it did not settle are in the queue again, marked as redelivered.",
            ), self.taken - self.settled) from error  # fmt: skip
        except Refused as error:
            if error.code != 404 or not self.taken:
                raise
            raise Refused(404, Problem(
                Cause.ABSENT, f"{self._queue} was deleted meanwhile, with its messages", error.problem.evidence
            )) from error  # fmt: skip


@contextlib.asynccontextmanager
async def drain(broker: Broker, queue: str, count: int, how: Settle) -> AsyncIterator[Drain]:
    """Begins to take messages; what was not settled when this ends goes back.

    Args:
        broker: a connection.
        queue: of classic or quorum type; nothing can be got from a stream.
        count: how many at most; those that come while it goes on count as well.
        how: what becomes of those that were given, once `Drain.stored` says that they may; REQUEUE for a look, after
            which all go back at once, so that they keep their order as far as the queue keeps it.

    Raises:
        Refused: the broker closed the channel for what was asked.
        Lost: the connection went.
    """
    async with broker.lane() as lane:
        drained = Drain(broker, lane, queue, count, how)
        try:
            yield drained
        finally:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(drained.leave(), 5)
