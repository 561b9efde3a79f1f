"""Publishing with confirms, a window of them at a time: each message is sent once, and what became of it is counted."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from tui.problem import ProblemError
from tui.services.queue.amqp import Broker
from tui.services.queue.lane import Lane
from tui.services.queue.model import Properties, Returned

#: Messages that may be without an answer at once. A busy API server needs a tenth of a second for there and back.
WINDOW = 2000
#: Seconds after which what was gathered is written, however little, so that a slow source is seen at the other end.
_LINGER = 0.02
#: Seconds that a message may be sent early: a wait for each of thousands would cost more than it is long.
_STEP = 0.01
#: Seconds that a publication at a rate may be behind, and makes up for.
_BEHIND = 0.5


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message that is to be sent.

    Attributes:
        exchange: empty for the one that leads to the queue of the routing key's name.
        properties: one object for many messages is encoded once.
    """

    body: bytes
    routing_key: str
    exchange: str = ""
    properties: Properties = field(default_factory=Properties)


@dataclass
class Publishing:
    """How far a publication is; it stays true when it ends early.

    Attributes:
        total: how many there will be, None while unknown.
        sent: handed to the connection.
        taken: the broker has them in a queue, and says so.
        returned: no queue took them.
        rejected: the broker refused them (a full queue that rejects, a queue without its leader).
        undeliverable: the last of those that came back.
        waits: what it waits for (`the broker is low on memory`), empty while it goes on.
    """

    total: int | None = None
    sent: int = 0
    taken: int = 0
    returned: int = 0
    rejected: int = 0
    undeliverable: deque[Returned] = field(default_factory=lambda: deque(maxlen=100))
    waits: str = ""

    @property
    def unknown(self) -> int:
        """Messages that were sent and have no answer: once it has ended, the broker may have them or not."""
        return self.sent - self.taken - self.returned - self.rejected

    @property
    def settled(self) -> int:
        """Messages that have an answer."""
        return self.taken + self.returned + self.rejected


#: Where messages come from.
Source: TypeAlias = Iterable[Outgoing] | AsyncIterable[Outgoing]


async def publish(
    broker: Broker, messages: Source, progress: Publishing, *, window: int = WINDOW, rate: float | None = None
) -> None:
    """Sends messages and waits for the answer to each.

    Nothing is sent again, whatever happens: what has no answer when this ends early is `progress.unknown`. It can be
    cancelled at any time, also while the broker takes nothing.

    Args:
        broker: a connection; one that publishes is blocked as a whole by an alarm, so it has one of its own.
        messages: taken as fast as the broker answers.
        progress: is kept up to date.
        window: how many may be without an answer at once.
        rate: messages a second at most, None for as fast as it goes.

    Raises:
        Refused: the broker closed the channel: no such exchange (404), no permission (403), too large (406).
        Lost: the connection went.
        ProblemError: a message cannot be sent by this protocol, or cannot be made; those before it were sent and have
            their answers.
    """
    async with broker.lane(confirms=True) as lane:
        _count(lane, progress)
        watch = asyncio.create_task(_watch(broker, lane, progress))
        began = time.monotonic()
        try:
            async for message in _each(messages):
                if rate is not None:
                    # What was late is not made up for at once: nobody asked for more in any second.
                    began = max(began, time.monotonic() - _BEHIND - progress.sent / rate)
                    await _pace(lane, began + progress.sent / rate)
                await lane.room(window)
                await lane.publish(message.body, message.exchange, message.routing_key, message.properties)
                progress.sent += 1
            await lane.settled()
        except ProblemError:  # of one message, or of where they come from; those before it are on their way
            await lane.settled()
            raise
        finally:
            watch.cancel()
            progress.waits = ""


async def _each(messages: Source) -> AsyncIterator[Outgoing]:
    if isinstance(messages, AsyncIterable):
        async for message in messages:
            yield message
        return
    for message in messages:
        yield message


async def _pace(lane: Lane, due: float) -> None:
    """Waits until it is time; what was gathered goes out meanwhile."""
    wait = due - time.monotonic()
    if wait > _LINGER:
        await lane.flush()
        wait = due - time.monotonic()
    if wait > _STEP:
        await asyncio.sleep(wait)


def _count(lane: Lane, progress: Publishing) -> None:
    """Lets answers be counted as they come."""
    progress.undeliverable = lane.undeliverable
    rejected = 0

    def settled(_: object, taken: bool) -> None:
        nonlocal rejected
        if taken:
            progress.taken += 1
        elif lane.rejected > rejected:
            rejected = lane.rejected
            progress.rejected += 1
        else:
            progress.returned += 1

    lane.on_settled = settled


async def _watch(broker: Broker, lane: Lane, progress: Publishing) -> None:
    """Says what is waited for, and writes what a slow source has left lying."""
    while True:
        await asyncio.sleep(_LINGER)
        progress.waits = f"the broker takes no messages: {broker.blocked}" if broker.blocked else ""
        if not broker.blocked and broker.closed is None:
            await lane.flush()
