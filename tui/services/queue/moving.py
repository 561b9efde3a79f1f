"""Messages from a queue to another, or to an exchange, also of another broker: none is lost on the way.

Each is acknowledged at its source only after the target has confirmed it. So when a connection breaks in the middle,
what was on its way is still at the source, and may be at the target as well: as many as the source leaves
unacknowledged may be there twice, never more. AMQP knows no transaction over two queues that would do better.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from tui.problem import Cause, Problem, ProblemError
from tui.services.queue.acknowledging import Acknowledgements
from tui.services.queue.amqp import Broker
from tui.services.queue.lane import Lane
from tui.services.queue.model import Lost, Message, Properties, Refused, Returned

#: Makes a connection; it is closed by the move.
Dial: TypeAlias = Callable[[], Awaitable[Broker]]
#: Seconds without a message, after which an empty queue counts as emptied.
_QUIET = 1.0
#: The same for a stream, whose end nothing else tells.
_QUIET_STREAM = 3.0
#: AMQP lets a broker send ahead by messages alone, so the first of them tell how many are not too many bytes.
_PROBE, _AHEAD = 8, 64 << 20
#: Bytes that may wait here for the target before the source is not read any further, and that wait for a confirm.
_HELD, _UNCONFIRMED = 32 << 20, 64 << 20
#: More than any queue holds.
_ENDLESS = 1 << 62
#: The same after a loss: what the broken connection held comes back when the broker has noticed.
_QUIET_AFTER_LOSS = 15.0
#: What the broker says of a queue that is there, but not now.
_PASSING = ("down or inaccessible", "stopped by supervisor", "process is stopped", "timed out", "timeout", "no leader")
#: Headers that would route a copy once more (sender-selected distribution), or that a stream adds.
_ROUTING = ("CC", "BCC")
_ADDED = ("x-stream-offset",)


@dataclass(frozen=True, slots=True)
class Route:
    """From where to where.

    Attributes:
        queue: the source.
        exchange: of the target; empty for the queue that `routing_key` names.
        routing_key: None for the one that each message has.
        count: how many at most; None for all that are ready at the beginning.
        copy: whether they stay where they are as well.
        stream: whether the source is a stream, which is read from its beginning; it can only be copied.
        window: how many may be on their way at once, and so how many may be doubled by a loss; of large messages it
            is fewer, so that what is on its way stays small in bytes as well.
    """

    queue: str
    exchange: str = ""
    routing_key: str | None = None
    count: int | None = None
    copy: bool = False
    stream: bool = False
    window: int = 500


@dataclass
class Moving:
    """How far a move is; it stays true when it ends early.

    Attributes:
        total: how many there are to be, None while unknown.
        done: confirmed by the target, and acknowledged at the source unless they are copied.
        returned: no queue of the target took them; they stay at the source.
        rejected: the target refused them; they stay at the source.
        doubled: how many may be at the target twice, at most, because of losses.
        losses: how often a connection went.
        altered: of how many a property was left out, because the broker would refuse or misroute the copy.
        waits: what it waits for, empty while it goes on.
        undeliverable: the last of those that came back from the target.
    """

    total: int | None = None
    done: int = 0
    returned: int = 0
    rejected: int = 0
    doubled: int = 0
    losses: int = 0
    altered: int = 0
    waits: str = ""
    undeliverable: deque[Returned] = field(default_factory=lambda: deque(maxlen=100))


async def move(source: Dial, target: Dial, route: Route, progress: Moving, *, patience: float = 300.0) -> None:
    """Moves or copies messages; after a loss it connects again and goes on, a copy excepted.

    A copy of what was lost in the middle cannot go on: nobody knows where it was, since everything went back.

    Args:
        source: connects to where the messages are.
        target: connects to where they go; a connection of its own, because an alarm blocks the whole of it.
        route: from where to where.
        progress: is kept up to date.
        patience: seconds without any progress, after which it gives up.

    Raises:
        Refused: source or target is not there, or one may not use it.
        Lost: the connection went, and did not come back in time, or a copy was cut.
        ProblemError: no connection can be made.
    """
    if route.stream and not route.copy:
        raise ProblemError(Problem(
            Cause.CONFIG, f"{route.queue} is a stream: nothing can be moved out of it", "",
            "Copy from it; its messages go by its own retention.",
        ))  # fmt: skip
    begun, known, last = False, -1, time.monotonic()
    while True:
        leg = _Leg(route, progress)
        try:
            async with _both(source, target) as (giver, taker):
                return await leg.run(giver, taker)
        except (Lost, ProblemError, Refused) as error:
            begun = begun or leg.sent > 0
            if progress.done != known:
                known, last = progress.done, time.monotonic()
            if leg.begun and leg.sent:
                progress.losses += 1
                progress.doubled += min(route.window, leg.sent)
            if not begun or route.copy or not _passing(error) or time.monotonic() - last > patience:
                raise
            progress.waits = f"connecting again: {error.problem.what}"
            await asyncio.sleep(0.5)
        finally:
            if progress.waits and not progress.waits.startswith("connecting"):
                progress.waits = ""


def _passing(error: Lost | ProblemError | Refused) -> bool:
    """Whether it may be over soon."""
    if isinstance(error, Refused):
        words = f"{error.problem.evidence} {error.problem.what}".lower()
        return error.code == 541 or any(one in words for one in _PASSING)
    return error.problem.cause not in (Cause.CREDENTIALS, Cause.FORBIDDEN, Cause.CONFIG, Cause.ABSENT)


@contextlib.asynccontextmanager
async def _both(source: Dial, target: Dial) -> AsyncIterator[tuple[Broker, Broker]]:
    giver = await source()
    try:
        taker = await target()
        try:
            yield giver, taker
        finally:
            await taker.close()
    finally:
        await giver.close()


class _Leg:
    """What is done over one pair of connections.

    Attributes:
        begun: whether the lanes were open.
        sent: how many were published.
    """

    def __init__(self, route: Route, progress: Moving) -> None:
        self.begun = False
        self.sent = 0
        self._route = route
        self._progress = progress
        self._acknowledgements = Acknowledgements()
        self._kept = 0
        self._goal = 0
        self._window = min(_PROBE, route.window)
        self._bytes = 0
        self._consumer = ""
        self._granted = 0
        self._named = not route.exchange and route.routing_key is not None
        self._user = ""
        self._offered = 0
        self._rejected_before = 0

    async def run(self, giver: Broker, taker: Broker) -> None:
        route, progress = self._route, self._progress
        ready = await giver.ready(route.queue)
        if self._named and route.routing_key:
            await taker.ready(route.routing_key)  # it says so when there is none
        if route.stream:  # its count comes late; what is there is known by the end of it alone
            progress.total = route.count
        elif progress.total is None:
            progress.total = ready if route.count is None else min(route.count, ready)
        self._goal = progress.total - progress.done if progress.total is not None else _ENDLESS
        if route.count is None:  # what was acknowledged last may not have been heard: then it comes again
            self._goal += progress.doubled
        self._user = taker.login.user
        async with giver.lane() as source, taker.lane(confirms=True) as target:
            target.wake_with(source)
            target.on_settled = lambda tag, taken: self._settled(target, tag, taken)
            target.undeliverable = progress.undeliverable
            self.begun = True
            progress.waits = ""
            watch = asyncio.create_task(self._watch(taker))
            try:
                await self._pass(giver, source, target)
                source.drop()  # what came beyond the goal goes back, and answers are to be heard
                await target.settled()
                await self._acknowledge(source, all_of_them=True)
                await source.queue_declare(route.queue, passive=True)  # answered after all acknowledgements are done
            finally:
                source.drop()
                watch.cancel()

    async def _pass(self, giver: Broker, source: Lane, target: Lane) -> None:
        quiet_since = time.monotonic()
        while self.sent < self._goal:
            await self._offer(source)
            if self._kept >= self._most_kept:
                break
            while source.inbox and self.sent < self._goal:
                quiet_since = time.monotonic()
                await self._send(source.next(), source, target)
                if not self.sent % 64:
                    await self._acknowledge(source)
            if self.sent >= self._goal:
                break
            await target.flush()
            await self._acknowledge(source, all_of_them=True)
            if source.cancelled:
                await giver.ready(self._route.queue)  # 404 when it was deleted
                raise Lost(Problem(Cause.UNREACHABLE, f"The broker stopped delivering from {self._route.queue}",
                                   source.cancelled))  # fmt: skip
            target.check()
            if source.inbox:
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_QUIET):
                    await source.change()
            if await self._emptied(source, target, time.monotonic() - quiet_since):
                break

    async def _emptied(self, source: Lane, target: Lane, quiet: float) -> bool:
        """Whether no more will come."""
        limit = _QUIET_STREAM if self._route.stream else _QUIET_AFTER_LOSS if self._progress.losses else _QUIET
        if quiet < limit or source.inbox or target.unconfirmed:
            return False
        return self._route.stream or (await source.ready(self._route.queue) == 0 and not source.inbox)

    async def _offer(self, source: Lane) -> None:
        """Lets the broker deliver; the first few messages tell how large they are, and so how many may follow.

        What is copied is not acknowledged before the end, and a consumer that acknowledges nothing gets one window
        only; so a copy has another consumer for each. What is moved has one at a time: two would mix up the order.
        """
        route = self._route
        if route.stream:
            if not self._offered:
                await source.take(route.queue, route.window, {"x-stream-offset": "first"})
                self._offered = self._goal
        elif route.copy:
            if self.sent >= self._offered and not source.inbox:
                self._widen()
                await source.take(route.queue, min(self._window, self._goal - self._offered))
                self._offered += min(self._window, self._goal - self._offered)
        else:
            await self._consume(source)
        source.limit(_HELD)

    async def _consume(self, source: Lane) -> None:
        most = min(self._widen(), self._goal)
        if not self._consumer:
            self._granted = most
        elif most > 2 * self._granted:
            source.limit(None)  # the answer is to be heard
            await source.basic_cancel(self._consumer)
            self._granted = most - self._granted  # what the one before has delivered is on its way as well
        else:
            return
        self._consumer = await source.take(self._route.queue, self._granted)

    def _widen(self) -> int:
        """How many messages may be on their way, by the size of those that came."""
        if self.sent:
            self._window = max(1, min(self._route.window, _AHEAD * self.sent // max(1, self._bytes)))
        return self._window

    @property
    def _most_kept(self) -> int:
        """How many may stay before it ends: a consumer whose window is full of them gets no more."""
        most = self._window // 2
        return max(1, min(most, self._granted - 1) if self._consumer else most)

    async def _send(self, message: Message, source: Lane, target: Lane) -> None:
        route = self._route
        key = message.routing_key if route.routing_key is None else route.routing_key
        properties = allowed(message.properties, self._user, named=self._named)
        if properties is not message.properties:
            self._progress.altered += 1
        self._bytes += len(message.body)
        await target.room(route.window, _UNCONFIRMED)
        await target.publish(message.body, route.exchange, key, properties, token=message.tag)
        self.sent += 1
        if route.stream:
            source.acknowledge(message.tag)  # it only asks for more; nothing leaves a stream

    def _settled(self, target: Lane, tag: int, taken: bool) -> None:
        if taken and self._route.copy:
            self._progress.done += 1
        elif taken:
            self._acknowledgements.add(tag)
        else:
            self._kept += 1
            self._acknowledgements.keep(tag)
            if target.rejected > self._rejected_before:
                self._rejected_before = target.rejected
                self._progress.rejected += 1
            else:
                self._progress.returned += 1

    async def _acknowledge(self, source: Lane, *, all_of_them: bool = False) -> None:
        for tag, multiple in self._acknowledgements.due():
            source.acknowledge(tag, multiple=multiple)
        self._progress.done += self._acknowledgements.told()
        if all_of_them or self._route.window <= 64 or not self.sent % 128:
            await source.flush()

    async def _watch(self, taker: Broker) -> None:
        while True:
            await asyncio.sleep(0.05)
            self._progress.waits = f"the broker takes no messages: {taker.blocked}" if taker.blocked else ""


def allowed(properties: Properties, user: str, *, named: bool) -> Properties:
    """The properties that a copy may have; the same object when there is nothing to leave out.

    Args:
        properties: of the message.
        user: who publishes the copy: the broker closes the channel for any other `user_id` (406).
        named: whether the target is one queue; then `CC` and `BCC`, by which the first sender had it routed to more of
            them, would lead the copy there again.
    """
    drop = {name for name in (*_ADDED, *(_ROUTING if named else ())) if name in properties.headers}
    foreign = bool(properties.user_id) and properties.user_id != user
    if not drop and not foreign:
        return properties
    return dataclasses.replace(
        properties,
        headers={name: value for name, value in properties.headers.items() if name not in drop},
        user_id="" if foreign else properties.user_id,
    )
