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
from aiormq.abc import ChannelFrame, TaskType
from aiormq.channel import Channel
from pamqp import commands

from tui.problem import Cause, Problem, ProblemError
from tui.services.queue.frames import ACK, DELIVER, METHOD, NACK, RETURN, Bulk, Contents, confirmed, why_returned
from tui.services.queue.heads import Heads
from tui.services.queue.model import Message, Properties, Returned

#: Bytes that are gathered before they are written.
_BATCH = 1 << 17
#: Bytes of messages that wait for their confirm; each is kept until then, to be known again if it comes back.
_UNSETTLED = 64 << 20
_HEADER = struct.Struct(">BHI")
_END = b"\xce"
_BODY, _HEAD = 3, 2
_CONTENT = struct.Struct(">HHQ")
_BASIC = 60


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


class Lane(Channel, Bulk):
    """A channel that publishes and takes in bulk.

    Attributes:
        confirmed: how many messages the broker has taken.
        rejected: how many it refused (nack).
        returned: how many no queue took; the last ones are kept in `undeliverable`.
        on_settled: told of each message that is settled: its token, and whether the broker has it in a queue.
        inbox: what was delivered and not looked at yet; taken out with `next`.
        unsettled: bytes of the messages that are not settled.
        cancelled: why the broker ended a consumer (its queue was deleted), empty otherwise.
    """

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 (passed on)
        super().__init__(*args, **options)
        self.confirmed = self.rejected = self.returned = 0
        self.undeliverable: deque[Returned] = deque(maxlen=100)
        self.on_settled: Callable[[Any, bool], None] | None = None
        self.inbox: deque[Message] = deque()
        self.unsettled = 0
        self.cancelled = ""
        self._most: int | None = None
        self._held = 0
        self._wanted = True
        self._room: asyncio.Future[None] | None = None
        self._question: TaskType | None = None
        self._contents = Contents()
        self._begun = b""
        self._sent: dict[int, Sent] = {}
        self._tag = 0
        self._pending: list[bytes] = []
        self._size = 0
        self._heads = Heads(self.number)
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
        method, head = self._heads.of(exchange, routing_key, properties, mandatory)
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
        self._size += len(method) + len(head) + 32
        self._tag += 1
        if self.publisher_confirms:
            self._sent[self._tag] = Sent(body, routing_key, token)
            self.unsettled += len(body)
        limit = self.max_content_size
        for start in range(0, len(body), limit):
            piece = body[start : start + limit] if len(body) > limit else body
            parts += (_HEADER.pack(_BODY, self.number, len(piece)), piece, _END)
            self._size += len(piece)
            if self._size >= _BATCH:
                await self.flush()  # also in the middle of a large one, which is not held twice so
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

    async def take(self, queue: str, prefetch: int, arguments: dict[str, Any] | None = None) -> str:
        """Lets the broker deliver to `inbox`, and returns the consumer's name.

        Args:
            queue: whose messages.
            prefetch: how many the broker leaves unacknowledged at most; 0 for no limit.
            arguments: of the consumer, as `x-stream-offset`.

        Raises:
            aiormq.exceptions.AMQPError: the broker does not allow it, or the connection has ended.
        """
        await self.basic_qos(prefetch_count=prefetch)
        begun = await self.basic_consume(queue, _nothing, arguments=arguments)
        return begun.consumer_tag or ""

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

    async def ready(self, queue: str) -> int | None:
        """How many messages of a queue are ready; None when something was delivered before the answer.

        Under a limit an answer may lie behind messages that are read only once those before them were taken out of the
        inbox. So nobody waits for it any longer then; and an answer that comes late is nobody's, because the queue may
        have got others since it was given.

        Args:
            queue: whose messages.

        Raises:
            aiormq.exceptions.AMQPError: the queue is not there any more, or the connection has ended.
        """
        late = self._question
        if late is not None and not await self._answered(late):
            return None
        self._question = asked = self.create_task(self.queue_declare(queue, passive=True))
        asked.add_done_callback(self._heard)
        if not await self._answered(asked):
            return None
        self._question = None
        told: commands.Queue.DeclareOk = await asked
        return told.message_count or 0

    async def _answered(self, question: TaskType) -> bool:
        """Waits for an answer, or a delivery; whether it was the answer."""
        while not question.done():
            if self.inbox:
                return False
            await self.change()
        return True

    def _heard(self, question: asyncio.Future[Any]) -> None:
        if not question.cancelled():
            question.exception()  # of a late one nobody asks it
        self._change.set()

    async def room(self, window: int, size: int = _UNSETTLED) -> None:
        """Waits until fewer than `window` messages, of no more than `size` bytes, are unconfirmed."""
        if len(self._sent) < window and self.unsettled <= size:
            return
        await self.flush()
        while len(self._sent) >= window or self.unsettled > size:
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

    # What comes.

    def receive(self, kind: int, payload: bytes) -> bool:
        """Takes deliveries, returns and confirms, as they come from the socket; all else is the library's.

        Raises:
            InvalidFrameError: it cannot be decoded.
        """
        if kind == METHOD:
            method = payload[:4]
            if method in (DELIVER, RETURN):
                self._begun = payload
                self._contents.begin(payload)
            elif method in (ACK, NACK):
                self._confirm(payload, taken=method == ACK)
            else:
                return False
            return True
        if not self._contents.open:
            return False  # of a message that was asked for singly
        message = self._contents.add(kind, payload)
        if message is None:
            return True
        if self._begun.startswith(RETURN):
            self._return(message, why_returned(self._begun))
        elif self._wanted:
            self.inbox.append(message)
            self._held += len(message.body)
            self._change.set()
        return True

    def full(self) -> asyncio.Future[None] | None:
        """What to wait for before more is read of the connection: the inbox holds more than its limit."""
        if self._most is None or self._held <= self._most or self.is_closed:
            return None
        if self._room is None or self._room.done():
            self._room = self.loop.create_future()  # not one of the channel's: it must not end the connection's reader
        return self._room

    def next(self) -> Message:
        """The first of the inbox, taken out of it.

        Raises:
            IndexError: it is empty.
        """
        message = self.inbox.popleft()
        self._held -= len(message.body)
        if self._most is not None and self._held <= self._most:
            self._go_on()
        return message

    def limit(self, most: int | None) -> None:
        """Does not let the connection be read any further while the inbox holds more than so many bytes.

        Whoever sets a limit asks the broker nothing over this connection meanwhile but by `ready`: an answer may lie
        behind what is not read.

        Args:
            most: None for no limit.
        """
        self._most = most
        if most is None or self._held <= most:
            self._go_on()

    def drop(self) -> None:
        """Forgets what is in the inbox and what still comes; the lane is about to end."""
        self._wanted = False
        self.inbox.clear()
        self._held = 0
        self.limit(None)

    def _go_on(self) -> None:
        if self._room is not None and not self._room.done():
            self._room.set_result(None)

    def _confirm(self, method: bytes, *, taken: bool) -> None:
        tag, multiple = confirmed(method)
        if multiple:
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
            self.unsettled -= len(sent.body)
            if not taken:
                self.rejected += 1
            elif not sent.returned:
                self.confirmed += 1
            if self.on_settled is not None:
                self.on_settled(sent.token, taken and not sent.returned)
        self._change.set()

    def _return(self, message: Message, why: str) -> None:
        self.returned += 1
        self.undeliverable.append(Returned(message, why))
        # A return bears no number. It comes before its confirm, and of two that are alike either is the right one.
        for sent in self._sent.values():
            if not sent.returned and sent.routing_key == message.routing_key and sent.body == message.body:
                sent.returned = True
                break

    async def _on_cancel_frame(self, frame: commands.Basic.CancelOk | commands.Basic.Cancel) -> None:
        await super()._on_cancel_frame(frame)
        if isinstance(frame, commands.Basic.Cancel):
            self.cancelled = "the broker ended the consumer: its queue was deleted, or its leader went"
            self._change.set()

    def _wake(self, _: object) -> None:
        """Whoever waits is to see that the channel has ended; the library does not always call `_on_close` for that."""
        self._change.set()
        self._go_on()


async def _nothing(_: Any) -> None:  # noqa: ANN401 (the library's)
    """What the library would call for a delivery, which goes to the inbox instead."""
