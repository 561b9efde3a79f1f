"""What AMQP alone can change of a topology: each thing by its name, since AMQP lists nothing.

The methods are those of `management.Management`, so that whoever has a name can be content with either.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any, Protocol

from aiormq.abc import AbstractChannel

from tui.problem import Cause, Problem, ProblemError
from tui.services.queue import facts
from tui.services.queue.amqp import Broker


class Topology(Protocol):
    """What can be done with queues and exchanges whose names are known."""

    async def queue(self, vhost: str, name: str) -> facts.Queue:
        """One queue, as far as is known of it."""
        ...

    async def declare_queue(
        self, vhost: str, name: str, arguments: Mapping[str, Any], *, durable: bool = True, auto_delete: bool = False
    ) -> None:
        """Makes a queue; one that is there and alike stays."""
        ...

    async def delete_queue(self, vhost: str, name: str, *, if_empty: bool = False, if_unused: bool = False) -> None:
        """Deletes a queue, with its messages."""
        ...

    async def purge_queue(self, vhost: str, name: str) -> None:
        """Deletes the messages that are ready."""
        ...

    async def declare_exchange(
        self, vhost: str, name: str, kind: str, arguments: Mapping[str, Any], *, durable: bool = True,
        auto_delete: bool = False, internal: bool = False,
    ) -> None:  # fmt: skip
        """Makes an exchange; one that is there and alike stays."""
        ...

    async def delete_exchange(self, vhost: str, name: str, *, if_unused: bool = False) -> None:
        """Deletes an exchange."""
        ...

    async def bind(
        self, vhost: str, exchange: str, to: str, key: str, arguments: Mapping[str, Any], *, kind: str = "queue"
    ) -> None:
        """Leads what an exchange gets under a key to a queue, or to an exchange."""
        ...


class ByName:
    """A topology over AMQP, in the virtual host of the connection; see `Topology`.

    Each call has a channel of its own, because the broker closes one for whatever it refuses.

    All raise:
        Refused: with the broker's code and words.
        Lost: the connection went; for what is not implemented (540) the broker closes it.
        ProblemError: it would change something, and may not.
    """

    def __init__(self, broker: Broker, *, writes: bool) -> None:
        """Over a connection, which stays its owner's.

        Args:
            broker: the connection.
            writes: the gate: without it all but questions is refused here.
        """
        self._broker = broker
        self._writes = writes

    @contextlib.asynccontextmanager
    async def _channel(self, what: str = "") -> AsyncIterator[AbstractChannel]:
        if what and not self._writes:
            raise ProblemError(Problem(
                Cause.FORBIDDEN, f"{what} was not sent: it would change something",
                "read-only, by --read-only or the settings", "Choose another context, or leave --read-only out.",
            ))  # fmt: skip
        async with self._broker.channel() as channel:
            with self._broker.told():
                yield await channel.get_underlay_channel()

    async def queue(self, vhost: str, name: str) -> facts.Queue:
        """Messages that are ready and consumers; what is with consumers is not told."""
        async with self._channel() as channel:
            told = await channel.queue_declare(name, passive=True)
        return facts.Queue(name, vhost, messages_ready=told.message_count, consumers=told.consumer_count)

    async def declare_queue(
        self, vhost: str, name: str, arguments: Mapping[str, Any], *, durable: bool = True, auto_delete: bool = False
    ) -> None:
        """Makes a queue; one that is there and alike stays."""
        async with self._channel(f"queue.declare {name}") as channel:
            await channel.queue_declare(name, durable=durable, auto_delete=auto_delete, arguments=dict(arguments))

    async def delete_queue(self, vhost: str, name: str, *, if_empty: bool = False, if_unused: bool = False) -> None:
        """Deletes a queue, with its messages. One that is not there is told: AMQP would call that done."""
        async with self._channel(f"queue.delete {name}") as channel:
            await channel.queue_declare(name, passive=True)
            await channel.queue_delete(name, if_empty=if_empty, if_unused=if_unused)

    async def purge_queue(self, vhost: str, name: str) -> None:
        """Deletes the messages that are ready."""
        async with self._channel(f"queue.purge {name}") as channel:
            await channel.queue_purge(name)

    async def declare_exchange(
        self, vhost: str, name: str, kind: str, arguments: Mapping[str, Any], *, durable: bool = True,
        auto_delete: bool = False, internal: bool = False,
    ) -> None:  # fmt: skip
        """Makes an exchange; one that is there and alike stays."""
        async with self._channel(f"exchange.declare {name}") as channel:
            await channel.exchange_declare(
                name, exchange_type=kind, durable=durable, auto_delete=auto_delete, internal=internal,
                arguments=dict(arguments),
            )  # fmt: skip

    async def delete_exchange(self, vhost: str, name: str, *, if_unused: bool = False) -> None:
        """Deletes an exchange. One that is not there is told: AMQP would call that done."""
        async with self._channel(f"exchange.delete {name}") as channel:
            await channel.exchange_declare(name, passive=True)
            await channel.exchange_delete(name, if_unused=if_unused)

    async def bind(
        self, vhost: str, exchange: str, to: str, key: str, arguments: Mapping[str, Any], *, kind: str = "queue"
    ) -> None:
        """Leads what an exchange gets under a key to a queue, or to an exchange."""
        async with self._channel(f"{kind}.bind {exchange} {to}") as channel:
            if kind == "queue":
                await channel.queue_bind(to, exchange, key, arguments=dict(arguments))
            else:
                await channel.exchange_bind(to, exchange, key, arguments=dict(arguments))

    async def there(self, exchange: str, to: str, *, kind: str = "queue") -> None:
        """Sees that both ends of a binding exist; of the binding itself AMQP tells nothing."""
        async with self._channel() as channel:
            await channel.exchange_declare(exchange, passive=True)
            if kind == "queue":
                await channel.queue_declare(to, passive=True)
            else:
                await channel.exchange_declare(to, passive=True)

    async def unbind(
        self, exchange: str, to: str, key: str, arguments: Mapping[str, Any], *, kind: str = "queue"
    ) -> None:  # fmt: skip
        """Ends the binding with this key and these arguments. To end one that was not there is no error to a broker."""
        async with self._channel(f"{kind}.unbind {exchange} {to}") as channel:
            if kind == "queue":
                await channel.queue_unbind(to, exchange, key, arguments=dict(arguments))
            else:
                await channel.exchange_unbind(to, exchange, key, arguments=dict(arguments))
