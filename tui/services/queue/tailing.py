"""Watching copies of what an exchange passes on, through a queue that only we have and that ends with us.

Nothing is taken from anybody: each copy is made for us. What goes to a queue through the default exchange has no
bindings that one could add to, so it cannot be watched this way; a stream can, from its end.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tui.problem import Cause, Problem, ProblemError
from tui.services.queue.amqp import Broker
from tui.services.queue.lane import Lane
from tui.services.queue.model import Lost, Message, Value

#: How many copies wait to be looked at, and how many bytes of them; the oldest give way.
MESSAGES, BYTES = 10_000, 64 << 20
#: Copies that the broker may send before they are acknowledged.
_PREFETCH = 500
#: What the broker keeps of copies while this program does not read (a terminal that was stopped), in bytes.
_KEPT = 128 << 20


@dataclass(frozen=True, slots=True)
class Listening:
    """One binding of the temporary queue.

    Attributes:
        key: a pattern for a topic exchange (`#` for all), the routing key for a direct one, nothing for fanout.
        arguments: for a headers exchange.
    """

    exchange: str
    key: str = "#"
    arguments: Mapping[str, Value] = field(default_factory=dict)


class Tail:
    """What comes.

    Attributes:
        dropped: copies that gave way before anybody looked at them.
        seen: all that came.
    """

    def __init__(self, broker: Broker, lane: Lane, *, messages: int = MESSAGES, size: int = BYTES) -> None:
        """Is made by `listen` and `follow`."""
        self.dropped = 0
        self.seen = 0
        self._broker = broker
        self._lane = lane
        self._waiting: deque[Message] = deque()
        self._held = 0
        self._messages = messages
        self._size = size

    async def next(self) -> Sequence[Message]:
        """Waits for copies, and gives all that wait.

        Raises:
            Lost: the connection went, or what was listened to was deleted.
        """
        lane = self._lane
        with self._broker.told(lane):
            while True:
                self._collect()
                await lane.flush()
                if self._waiting:
                    break
                if lane.cancelled:
                    raise Lost(Problem(Cause.ABSENT, "There is nothing more to listen to", lane.cancelled))
                await lane.change()
        came, self._held = list(self._waiting), 0
        self._waiting.clear()
        return came

    async def idle(self) -> None:
        """Takes in what came without giving it to anybody, so that the broker need not keep it; returns soon.

        Raises:
            Lost: the connection went.
        """
        with self._broker.told(self._lane):
            self._collect()
            await self._lane.flush()

    def _collect(self) -> None:
        inbox = self._lane.inbox
        if not inbox:
            return
        tag = inbox[-1].tag
        while inbox:
            message = inbox.popleft()
            self.seen += 1
            self._waiting.append(message)
            self._held += len(message.body)
            while len(self._waiting) > 1 and (len(self._waiting) > self._messages or self._held > self._size):
                self._held -= len(self._waiting.popleft().body)
                self.dropped += 1
        self._lane.acknowledge(tag, multiple=True)


@contextlib.asynccontextmanager
async def listen(
    broker: Broker, to: Sequence[Listening], *, messages: int = MESSAGES, size: int = BYTES
) -> AsyncIterator[Tail]:
    """Begins to listen; when this ends there is no trace of it.

    Args:
        broker: a connection, to which the temporary queue belongs.
        to: what to listen to.
        messages: how many copies may wait to be looked at.
        size: how many bytes of them.

    Raises:
        Refused: there is no such exchange (404), or one may not make and bind a queue (403).
        Lost: the connection went.
        ProblemError: it is the default exchange.
    """
    if any(not one.exchange for one in to):
        raise ProblemError(Problem(
            Cause.CONFIG, "The default exchange cannot be listened to", "it takes no bindings but its own",
            "Name an exchange, or get from the queue: that is a look which puts the messages back.",
        ))  # fmt: skip
    async with broker.channel() as channel:
        queue = await channel.declare_queue(
            exclusive=True, auto_delete=True, arguments={"x-max-length-bytes": _KEPT, "x-queue-type": "classic"}
        )
        try:
            for one in to:
                arguments: Any = dict(one.arguments) or None
                await queue.bind(one.exchange, one.key, arguments=arguments)
            async with broker.lane() as lane:
                with broker.told(lane):
                    await lane.take(queue.name, _PREFETCH)
                yield Tail(broker, lane, messages=messages, size=size)
        finally:
            if broker.closed is None:  # with the connection it goes in any case
                with contextlib.suppress(Exception):
                    await asyncio.wait_for(queue.delete(if_unused=False, if_empty=False), 5)


@contextlib.asynccontextmanager
async def follow(
    broker: Broker, stream: str, *, messages: int = MESSAGES, size: int = BYTES
) -> AsyncIterator[Tail]:  # fmt: skip
    """Follows a stream from its end; it keeps everything.

    Raises:
        Refused: there is no such stream, or it is another kind of queue.
        Lost: the connection went.
    """
    async with broker.lane() as lane:
        with broker.told(lane):
            await lane.take(stream, _PREFETCH, {"x-stream-offset": "next"})
        yield Tail(broker, lane, messages=messages, size=size)
