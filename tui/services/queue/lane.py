"""A channel for many messages: whole batches in one write, confirms counted as they come, deliveries without a task each.

The library's own publish and consume cost 0.1 ms of processor time for each message, most of it in futures, tasks and
random identifiers; a frame that was made once costs a hundredth.
"""

from __future__ import annotations

import asyncio
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pamqp.frame
from aiormq.abc import ChannelFrame
from aiormq.channel import Channel
from pamqp import commands
from pamqp.header import ContentHeader

from tui.services.queue.model import Message, Properties, Returned
from tui.services.queue.properties import from_frame, to_frame

#: Bytes that are gathered before they are written.
_BATCH = 1 << 17
_HEADER = struct.Struct(">BHI")
_END = b"\xce"
_BODY, _HEAD = 3, 2
_CONTENT = struct.Struct(">HHQ")
_BASIC = 60
#: Frames' own bytes: type, channel, size, and the end.
_FRAME = 8


@dataclass(slots=True)
class Sent:
    """A message on its way.

    Attributes:
        token: whatever its sender knows it by.
        returned: the broker gave it back.
    """

    body: bytes
    routing_key: str
    token: Any
    returned: bool = False


class Lane(Channel):
    """A channel that publishes and takes in bulk.

    Attributes:
        confirmed: how many messages the broker has taken.
        rejected: how many it refused (nack).
        returned: how many no queue took; the last ones are kept in `undeliverable`.
        on_settled: told of each message that is settled: its token, and whether the broker has it in a queue.
        inbox: what was delivered and not looked at yet.
        cancelled: why the broker ended a consumer (its queue was deleted), empty otherwise.
    """

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 (passed on)
        super().__init__(*args, **options)
        self.confirmed = self.rejected = self.returned = 0
        self.undeliverable: deque[Returned] = deque(maxlen=100)
        self.on_settled: Callable[[Any, bool], None] | None = None
        self.inbox: deque[Message] = deque()
        self.cancelled = ""
        self._sent: dict[int, Sent] = {}
        self._tag = 0
        self._pending: list[bytes] = []
        self._size = 0
        self._made: dict[tuple[str, str, int, bool], tuple[bytes, bytes]] = {}
        self._kept: dict[int, Properties] = {}
        self._change = asyncio.Event()

    @property
    def unconfirmed(self) -> int:
        """Messages that were sent and are not settled."""
        return len(self._sent)

    @property
    def closed_for(self) -> BaseException | None:
        """What the broker closed the channel for, None when it did not."""
        return self._close_exception

    async def publish(
        self, body: bytes, exchange: str, routing_key: str, properties: Properties, *, mandatory: bool = True,
        token: Any = None,  # noqa: ANN401 (the sender's own)
    ) -> None:  # fmt: skip
        """Puts a message on its way; it is written with those that follow, or by `flush`.

        Args:
            body: what it holds.
            exchange: empty for the one that leads to the queue of the routing key's name.
            routing_key: at most 255 bytes.
            properties: of the message. The same object is encoded once.
            mandatory: the broker gives it back when no queue takes it.
            token: what `on_settled` is told.

        Raises:
            aiormq.exceptions.AMQPError: the channel or the connection has ended.
        """
        self._check()
        method, head = self._frames(exchange, routing_key, properties, mandatory)
        parts = self._pending
        parts.append(method)
        parts.append(
            _HEADER.pack(_HEAD, self.number, len(head) + 12) + _CONTENT.pack(_BASIC, 0, len(body)) + head + _END
        )
        limit = self.max_content_size
        for start in range(0, len(body), limit):
            piece = body[start : start + limit] if len(body) > limit else body
            parts += (_HEADER.pack(_BODY, self.number, len(piece)), piece, _END)
        self._tag += 1
        if self.publisher_confirms:
            self._sent[self._tag] = Sent(body, routing_key, token)
        self._size += len(body) + len(method) + len(head) + 32
        if self._size >= _BATCH:
            await self.flush()

    async def flush(self) -> None:
        """Writes what was gathered, and waits until the socket has taken it."""
        if not self._pending:
            return
        payload = b"".join(self._pending)
        self._pending.clear()
        self._size = 0
        written = self.create_future()
        await self.write_queue.put(ChannelFrame(payload=payload, should_close=False, drain_future=written))
        await written

    async def room(self, window: int) -> None:
        """Waits until fewer than `window` messages are unconfirmed."""
        if len(self._sent) < window:
            return
        await self.flush()
        while len(self._sent) >= window:
            await self.change()

    async def change(self) -> None:
        """Waits for the next confirm, delivery or end."""
        self._check()
        self._change.clear()
        await self._change.wait()
        self._check()

    def _check(self) -> None:
        if self._close_exception is not None:
            raise self._close_exception
        if self.is_closed or self.connection.is_closed:
            raise ConnectionResetError("the channel is closed")

    def _frames(self, exchange: str, routing_key: str, properties: Properties, mandatory: bool) -> tuple[bytes, bytes]:
        key = (exchange, routing_key, id(properties), mandatory)
        made = self._made.get(key)
        if made is None:
            if len(self._made) > 256:
                self._made.clear()
                self._kept.clear()
            publish = commands.Basic.Publish(exchange=exchange, routing_key=routing_key, mandatory=mandatory)
            head = ContentHeader(properties=to_frame(properties)).marshal()[12:]
            self._kept[id(properties)] = properties  # an id is good as long as its object lives
            made = self._made[key] = (pamqp.frame.marshal(publish, self.number), head)
        return made

    # What the library calls for frames that come.

    async def _on_confirm_frame(self, frame: commands.Basic.Ack | commands.Basic.Nack) -> None:
        taken = isinstance(frame, commands.Basic.Ack)
        tag = frame.delivery_tag or 0
        if frame.multiple:
            tags = []
            for one in self._sent:  # in the order in which they were sent
                if one > tag > 0:
                    break
                tags.append(one)
        else:
            tags = [tag]
        for one in tags:
            sent = self._sent.pop(one, None)
            if sent is None:
                continue
            if not taken:
                self.rejected += 1
            elif not sent.returned:
                self.confirmed += 1
            if self.on_settled is not None:
                self.on_settled(sent.token, taken and not sent.returned)
        self._change.set()

    async def _on_return_frame(self, frame: commands.Basic.Return) -> None:
        message = await self._message(frame)
        self.returned += 1
        self.undeliverable.append(Returned(message, frame.reply_text or ""))
        # A return bears no number. It comes before its confirm, and of two that are alike either is the right one.
        for sent in self._sent.values():
            if not sent.returned and sent.routing_key == message.routing_key and sent.body == message.body:
                sent.returned = True
                break

    async def _on_deliver_frame(self, frame: commands.Basic.Deliver) -> None:
        self.inbox.append(await self._message(frame))
        self._change.set()

    async def _on_cancel_frame(self, frame: commands.Basic.CancelOk | commands.Basic.Cancel) -> None:
        await super()._on_cancel_frame(frame)
        if isinstance(frame, commands.Basic.Cancel):
            self.cancelled = "the broker ended the consumer: its queue was deleted, or its leader went"
            self._change.set()

    async def _message(self, frame: commands.Basic.Deliver | commands.Basic.Return | commands.Basic.GetOk) -> Message:
        header = await self._get_frame()
        if not isinstance(header, ContentHeader):
            raise pamqp.exceptions.UnmarshalingException(header, "a header was expected")
        pieces = []
        left = header.body_size
        while left > 0:
            piece = (await self._get_frame()).value
            pieces.append(piece)
            left -= len(piece)
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        return Message(
            body, from_frame(header.properties), frame.exchange or "", frame.routing_key or "",
            getattr(frame, "delivery_tag", 0) or 0, bool(getattr(frame, "redelivered", False)),
        )  # fmt: skip

    async def _on_close(self, exc: Any = None) -> None:  # noqa: ANN401 (the library's)
        self._change.set()
        await super()._on_close(exc)
        self._change.set()
