"""A channel for many messages: whole batches in one write, confirms counted as they come, no task for a delivery.

It stands beside aio-pika's channels on the same connection, for what aio-pika does slowly: its publish and consume cost
0.1 ms of processor time for each message, most of it in futures, tasks and random identifiers; a frame that was made
once costs a hundredth.
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
from pamqp.body import ContentBody
from pamqp.header import ContentHeader

from tui.problem import Cause, Problem, ProblemError
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
        self._closing.add_done_callback(self._wake)

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
            ProblemError: routing key or headers are too long for the protocol; nothing was sent of this message.
        """
        self._check()
        method, head = self._frames(exchange, routing_key, properties, mandatory)
        if len(head) + 12 > self.max_content_size > 0:
            raise ProblemError(Problem(
                Cause.CONFIG, f"The headers of a message of {len(body):,} bytes are too large",
                f"{len(head) + 12:,} bytes; they must fit into one frame of {self.max_content_size:,}",
                "Fewer or shorter headers, or a larger frame_max of the broker.",
            ))  # fmt: skip
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
        frame = ChannelFrame(payload=payload, should_close=False, drain_future=written)
        # As a task of the channel's it ends with it; whoever waits for a place behind a dead writer waits for ever.
        await self.create_task(self.write_queue.put(frame))
        await written

    async def take(self, queue: str, prefetch: int, arguments: dict[str, Any] | None = None) -> None:
        """Lets the broker deliver to `inbox`.

        Args:
            queue: whose messages.
            prefetch: how many the broker leaves unacknowledged at most; 0 for no limit.
            arguments: of the consumer, as `x-stream-offset`.

        Raises:
            aiormq.exceptions.AMQPError: the broker does not allow it, or the connection has ended.
        """
        await self.basic_qos(prefetch_count=prefetch)
        await self.basic_consume(queue, _nothing, arguments=arguments)

    def acknowledge(self, tag: int, *, multiple: bool = False) -> None:
        """Tells that a message is done with; written by `flush`.

        Args:
            tag: the delivery's.
            multiple: all up to it, that are not settled.
        """
        self._settle(commands.Basic.Ack(delivery_tag=tag, multiple=multiple))

    def reject(self, tag: int, *, multiple: bool = False, requeue: bool = True) -> None:
        """Gives a message back, or has it dead-lettered or dropped; written by `flush`.

        Args:
            tag: the delivery's.
            multiple: all up to it, that are not settled.
            requeue: whether it stays in its queue.
        """
        self._settle(commands.Basic.Nack(delivery_tag=tag, multiple=multiple, requeue=requeue))

    def _settle(self, frame: commands.Basic.Ack | commands.Basic.Nack) -> None:
        self._check()
        self._pending.append(pamqp.frame.marshal(frame, self.number))
        self._size += 21

    async def room(self, window: int) -> None:
        """Waits until fewer than `window` messages are unconfirmed."""
        if len(self._sent) < window:
            return
        await self.flush()
        while len(self._sent) >= window:
            await self.change()

    async def settled(self) -> None:
        """Waits until everything that was sent is settled."""
        await self.flush()
        while self._sent:
            await self.change()

    def wake_with(self, other: Lane) -> None:
        """Lets `change` of either lane wake for what happens on both; one task waits for the two of them."""
        self._change = other._change

    def check(self) -> None:
        """Raises what ended the channel, if anything did."""
        self._check()

    async def change(self) -> None:
        """Waits for a confirm, a delivery or the end, since the last time that this returned."""
        self._check()
        await self._change.wait()
        # Not before: what came while the caller was writing would not be told.
        self._change.clear()
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
            if len(routing_key.encode()) > 255 or len(exchange.encode()) > 255:
                raise ProblemError(Problem(
                    Cause.CONFIG, "A routing key or the name of an exchange is longer than 255 bytes", routing_key[:80]
                ))  # fmt: skip
            publish = commands.Basic.Publish(exchange=exchange, routing_key=routing_key, mandatory=mandatory)
            try:
                head = ContentHeader(properties=to_frame(properties)).marshal()[12:]
            except (TypeError, ValueError, struct.error, OverflowError) as error:
                raise ProblemError(Problem(
                    Cause.CONFIG, "The protocol cannot carry a property or a header of the message", str(error),
                    "Names and short texts have at most 255 bytes, whole numbers 64 bits.",
                )) from error  # fmt: skip
            self._kept[id(properties)] = properties  # an id is good as long as its object lives
            made = self._made[key] = (pamqp.frame.marshal(publish, self.number), head)
        return made

    # What the library calls for frames that come.

    async def _on_confirm_frame(self, frame: commands.Basic.Ack | commands.Basic.Nack | commands.Basic.Reject) -> None:
        taken = isinstance(frame, commands.Basic.Ack)
        tag = frame.delivery_tag or 0
        if not isinstance(frame, commands.Basic.Reject) and frame.multiple:
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
            content = await self._get_frame()
            if not isinstance(content, ContentBody):
                raise pamqp.exceptions.UnmarshalingException(content, "a body was expected")
            piece = content.value
            pieces.append(piece)
            left -= len(piece)
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        return Message(
            body, from_frame(header.properties), frame.exchange or "", frame.routing_key or "",
            getattr(frame, "delivery_tag", 0) or 0, bool(getattr(frame, "redelivered", False)),
        )  # fmt: skip

    def _wake(self, _: object) -> None:
        """Whoever waits is to see that the channel has ended; the library does not always call `_on_close` for that."""
        self._change.set()


async def _nothing(_: Any) -> None:  # noqa: ANN401 (the library's)
    """What the library would call for a delivery, which goes to the inbox instead."""
