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
#: Seconds without a message, after which the end is reached: behind some, before any came, and while more is known to
#: be there. A broker tells the count of a stream some seconds late, so that no count proves nothing.
_QUIET, _FIRST, _MORE = 1.5, 3.0, 10.0


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
    _count: int
    _beyond: bool
    _last: int = field(default=-1, init=False)

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
                    message = lane.next()
                    lane.acknowledge(message.tag)
                    messages.append(message)
                    self._last = offset_of(message) or 0
                await lane.flush()
                if len(messages) >= count or lane.cancelled:
                    break
                try:
                    async with asyncio.timeout(self._patience()):
                        await lane.change()
                except TimeoutError:
                    break
        if lane.cancelled:
            await self._broker.ready(self.name)
        return StreamPage(messages, len(messages) < count)

    def _patience(self) -> float:
        """Seconds to wait for another: so many messages as there are have at least so high offsets."""
        if self._last + 1 < self._count:
            return _MORE
        return _QUIET if self._last >= 0 or self._beyond else _FIRST


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
        beyond = offset == "next" or (isinstance(offset, int) and offset >= count > 0)
        yield Stream(name, broker, lane, 0 if beyond else count, beyond)


def offset_of(message: Message) -> int | None:
    """Where a message stands in its stream."""
    found = message.properties.headers.get("x-stream-offset")
    return found if isinstance(found, int) else None
