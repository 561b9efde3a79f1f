"""Messages that are taken from a queue and held, until one says what becomes of each.

AMQP has no way to look at a message without taking it. What is not acknowledged goes back to its place when the channel
ends, at the latest; it is marked as redelivered then. A quorum queue counts each time (`x-delivery-count`), and
RabbitMQ 4.0 drops or dead-letters a message after 20 of them unless the queue says otherwise; so a look takes all that
it shows at once, and gives all of it back at once. A classic queue keeps its order then; a quorum queue delivers what
came back and what it had left in turn (seen with 3.10).
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence

import aio_pika
from pamqp import commands

from tui.problem import Cause, Problem
from tui.services.queue.amqp import Broker
from tui.services.queue.model import Lost, Message, Refused, Settle
from tui.services.queue.properties import from_incoming


class Held:
    """Messages that were taken and are not settled: the broker keeps them for us until then.

    Attributes:
        queue: whose they are.
        messages: all that were taken, in their order.
        emptied: whether there were no more.
    """

    def __init__(self, broker: Broker, channel: aio_pika.abc.AbstractChannel, queue: str) -> None:
        """Is made by `take`."""
        self.queue = queue
        self.messages: list[Message] = []
        self.emptied = False
        self._broker = broker
        self._channel = channel
        self._open: set[int] = set()

    @property
    def open(self) -> int:
        """How many are not settled."""
        return len(self._open)

    def is_open(self, message: Message) -> bool:
        """Whether a message is not settled."""
        return message.tag in self._open

    def lost(self) -> Problem | None:
        """Why they went back without us, None while they are ours."""
        if not self._channel.is_closed or not self._open:
            return None
        why = self._broker.closed
        return Problem(
            why.cause if why is not None else Cause.REJECTED,
            f"{self.open:,} unacknowledged message{'s' * (self.open != 1)} went back to {self.queue}",
            why.evidence or why.what if why is not None else "the broker closed the channel",
            "Get them again; they are marked as redelivered.",
        )

    async def more(self, count: int) -> Sequence[Message]:
        """Takes up to so many more, behind those that are held already.

        Raises:
            Refused: the queue is not there (any more), or it is a stream.
            Lost: the connection went.
        """
        came: list[Message] = []
        with self._broker.told():
            under = await self._channel.get_underlay_channel()
            while len(came) < count:
                found = await under.basic_get(self.queue)
                if not isinstance(found.delivery, commands.Basic.GetOk):
                    break
                message = from_incoming(found)
                self._open.add(message.tag)
                self.messages.append(message)
                came.append(message)
        self.emptied = len(came) < count
        return came

    async def settle(self, messages: Sequence[Message], how: Settle) -> int:
        """Acknowledges messages (they are gone), puts them back, or rejects them.

        A message that is rejected goes to the queue's dead-letter exchange, or is dropped where there is none. The
        broker does not answer any of these; so it is asked for the queue afterwards, which it does in order: when that
        is answered, the others are done.

        Args:
            messages: of those that are held; what is settled already is passed over.
            how: what becomes of them.

        Returns:
            How many were settled by this.

        Raises:
            Refused: the queue was deleted meanwhile, and the messages with it.
            Lost: the connection went: which of them were settled, nobody can tell.
        """
        tags = sorted(message.tag for message in messages if message.tag in self._open)
        if not tags:
            return 0
        with self._counted(len(tags), how), self._broker.told():
            under = await self._channel.get_underlay_channel()
            if how is Settle.REQUEUE and len(tags) == len(self._open):
                await under.basic_nack(tags[-1], multiple=True, requeue=True)
            else:
                for tag in tags:
                    if how is Settle.ACKNOWLEDGE:
                        await under.basic_ack(tag)
                    else:
                        await under.basic_nack(tag, requeue=how is Settle.REQUEUE)
            self._open.difference_update(tags)
            await self._channel.declare_queue(self.queue, passive=True)
        return len(tags)

    @contextlib.contextmanager
    def _counted(self, count: int, how: Settle) -> Iterator[None]:
        try:
            yield
        except Lost as error:
            told = error.problem
            raise Lost(Problem(
                told.cause, f"The connection went before {count:,} messages were known to be settled ({how})",
                told.evidence or told.what, "Those that were not are in the queue again, marked as redelivered.",
            ), count) from error  # fmt: skip
        except Refused as error:
            if error.code != 404:
                raise
            told = error.problem
            raise Refused(404, Problem(
                Cause.ABSENT, f"{self.queue} was deleted meanwhile, with its messages", told.evidence
            )) from error  # fmt: skip


@contextlib.asynccontextmanager
async def take(broker: Broker, queue: str, count: int) -> AsyncIterator[Held]:
    """Takes up to so many messages; what is not settled when this ends goes back, all at once.

    Args:
        broker: a connection.
        queue: of classic or quorum type; nothing can be got from a stream.
        count: how many at most.

    Raises:
        Refused: there is no such queue, or one may not read it.
        Lost: the connection went; a stream is told this way (540), because the broker closes the connection for it.
    """
    async with broker.channel() as channel:
        held = Held(broker, channel, queue)
        await held.more(count)
        try:
            yield held
        finally:
            if held.open and held.lost() is None:
                with contextlib.suppress(Refused, Lost):  # they go back in either case
                    await held.settle(held.messages, Settle.REQUEUE)
