"""Reading a stream without consuming: from an offset, from its beginning or end, or from a time, page by page.

A stream keeps what is read; an acknowledgement only asks for more. The broker begins at the chunk that holds what was
asked for: an offset is exact, a time and `last` may show some messages before it.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from tui.services.queue.amqp import Broker
from tui.services.queue.lane import Lane
from tui.services.queue.model import Message

#: An offset, `first`, `last` or `next`, or a time.
Offset: TypeAlias = int | str | dt.datetime
#: Seconds without a message, after which the end is reached; the first of all may take longer.
_QUIET, _FIRST = 0.5, 10.0


@dataclass(frozen=True, slots=True)
class StreamPage:
    """Some messages in the order of their offsets.

    Attributes:
        ended: whether there were no more of them then.
    """

    messages: Sequence[Message]
    ended: bool

    @property
    def first(self) -> int | None:
        """The offset of the first one."""
        return offset_of(self.messages[0]) if self.messages else None

    @property
    def following(self) -> int | None:
        """The offset behind the last one, from which the next page begins."""
        last = offset_of(self.messages[-1]) if self.messages else None
        return None if last is None else last + 1


@dataclass
class Stream:
    """A stream that is being read.

    Attributes:
        name: of the queue.
    """

    name: str
    _broker: Broker
    _lane: Lane
    _count: int = 0
    _came: bool = field(default=False, init=False)

    async def page(self, count: int) -> StreamPage:
        """The next messages.

        Raises:
            Refused: the stream is gone.
            Lost: the connection went.
        """
        messages: list[Message] = []
        lane = self._lane
        with self._broker.told(lane):
            while len(messages) < count:
                while lane.inbox and len(messages) < count:
                    message = lane.inbox.popleft()
                    lane.acknowledge(message.tag)
                    messages.append(message)
                    self._came = True
                await lane.flush()
                if len(messages) >= count or lane.cancelled:
                    break
                try:
                    async with asyncio.timeout(_QUIET if self._came or not self._count else _FIRST):
                        await lane.change()
                except TimeoutError:
                    break
        if lane.cancelled:
            await self._broker.ready(self.name)
        return StreamPage(messages, len(messages) < count)


@contextlib.asynccontextmanager
async def browse(broker: Broker, name: str, offset: Offset, *, prefetch: int = 200) -> AsyncIterator[Stream]:
    """Begins to read.

    Args:
        broker: a connection.
        name: of the queue, a stream.
        offset: where; a time without a zone is this machine's.
        prefetch: how many the broker sends ahead of what is read.

    Raises:
        Refused: there is no such stream, or it is another kind of queue (406 or 540).
        Lost: the connection went.
    """
    count = await broker.ready(name)
    argument = offset.astimezone(dt.UTC) if isinstance(offset, dt.datetime) else offset
    async with broker.lane() as lane:
        with broker.told(lane):
            await lane.take(name, prefetch, {"x-stream-offset": argument})
        yield Stream(name, broker, lane, 0 if offset == "next" else count)


def offset_of(message: Message) -> int | None:
    """Where a message stands in its stream."""
    found = message.properties.headers.get("x-stream-offset")
    return found if isinstance(found, int) else None
