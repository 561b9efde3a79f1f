"""The console's messages: over AMQP, one connection for each virtual host, and more of them for each job.

A broker that is short of memory or disk blocks a connection that publishes as a whole: what is published goes over
connections of its own, so that one can go on looking meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Protocol

from tui.consoles.queue.client import Held
from tui.consoles.queue.values import Came, Far, Move, Place, Publication, Told
from tui.problem import Cause, Problem, ProblemError
from tui.services.queue import moving, publishing, streams, tailing, taking, templates
from tui.services.queue.model import Message, Settle

if TYPE_CHECKING:
    from tui.services.queue.amqp import Broker
    from tui.services.queue.management import Management
    from tui.systems.queuesession import QueueSession

#: Seconds between two looks at how far something is.
_LOOK = 0.2


class Elsewhere(Protocol):
    """Where AMQP can be opened, beside the virtual host of the login."""

    async def vhost(self, name: str) -> QueueSession:
        """A session with this broker in another virtual host."""
        ...

    def others(self) -> Mapping[str, str]:
        """The keys of the other brokers, by their names."""
        ...

    async def other(self, key: str, vhost: str) -> QueueSession:
        """A session with another broker; an empty virtual host is that of its login."""
        ...


class LiveMessages:
    """Messages of a broker; the other half is `live.LiveClient`."""

    def __init__(self, session: QueueSession, elsewhere: Elsewhere) -> None:
        """Opens nothing yet.

        Args:
            session: of the login's own virtual host.
            elsewhere: opens others.
        """
        self._own = session
        self._elsewhere = elsewhere
        self._others: dict[str, QueueSession] = {}
        self._opening = asyncio.Lock()

    def blocked(self) -> str:
        """Why the broker takes nothing from publishers now; empty when it does, or when that is not known."""
        return self._own.broker.blocked if self._own.broker is not None else ""

    @property
    def _api(self) -> Management:
        raise NotImplementedError

    async def _session(self, vhost: str) -> QueueSession:
        """The session of a virtual host; opened when it is needed first."""
        if vhost == self._own.login.vhost:
            return self._own
        async with self._opening:
            if vhost not in self._others:
                self._others[vhost] = await self._elsewhere.vhost(vhost)
            return self._others[vhost]

    async def _broker(self, vhost: str) -> Broker:
        """A connection that stands; another one where the last has ended."""
        session = await self._session(vhost)
        async with self._opening:
            if session.broker is None or session.broker.closed is not None:
                return await session.reconnect()
            return session.broker

    def _may(self, what: str) -> None:
        if not self._own.writes:
            raise ProblemError(Problem(
                Cause.FORBIDDEN, f"Nothing was {what}", "read-only, by --read-only, the settings or the context's guard"
            ))  # fmt: skip

    async def publish(self, publication: Publication, told: Told) -> Came:
        """Publishes with confirms; each message is sent once."""
        self._may("published")
        session = await self._session(publication.vhost)
        progress = publishing.Publishing(publication.count)
        if publication.template:
            messages = templates.messages(
                publication.body, publication.routing_key, exchange=publication.exchange,
                properties=publication.properties, count=publication.count,
            )  # fmt: skip
        else:
            one = publishing.Outgoing(
                publication.body, publication.routing_key, publication.exchange, publication.properties
            )
            messages = iter([one] * publication.count)

        def look() -> None:
            told(Far(progress.taken, progress.total, progress.returned, progress.rejected, progress.waits))

        broker = await session.dial("statetui publish")
        try:
            await _watched(publishing.publish(broker, messages, progress, rate=publication.rate), look)
        finally:
            look()
            await broker.close()
        return Came(progress.taken, progress.returned, progress.rejected, tuple(progress.undeliverable))

    def others(self) -> Mapping[str, str]:
        """The keys of the other brokers that messages can be moved to, by their names."""
        return self._elsewhere.others()

    @contextlib.asynccontextmanager
    async def _target(self, move: Move) -> AsyncIterator[QueueSession]:
        """A session with where messages go to; one with another broker ends with this."""
        if not move.workload:
            yield await self._session(move.vhost or move.source.vhost)
            return
        session = await self._elsewhere.other(move.workload, move.vhost)
        try:
            yield session
        finally:
            await session.close()

    async def reach(self, move: Move) -> None:
        """Sees whether the target of a move is there and lets us in; nothing is taken and nothing sent."""
        async with self._target(move) as session:
            broker = await session.dial("statetui move, a look at the target")
            try:
                if not move.exchange:
                    await broker.ready(move.routing_key)
                    return
                async with broker.channel() as channel:
                    with broker.told():
                        await channel.get_exchange(move.exchange)  # 404 when there is none
            finally:
                await broker.close()

    async def move(self, move: Move, told: Told) -> Came:
        """Moves or copies messages: each is acknowledged only once its copy was confirmed."""
        self._may("copied" if move.copy else "moved")
        async with self._target(move) as target:
            return await self._move(move, await self._session(move.source.vhost), target, told)

    async def _move(self, move: Move, session: QueueSession, target: QueueSession, told: Told) -> Came:
        progress = moving.Moving()
        route = moving.Route(
            move.source.name, move.exchange, move.routing_key or None, move.count, move.copy, move.stream
        )

        def look() -> None:
            told(Far(progress.done, progress.total, progress.returned, progress.rejected, progress.waits))

        async def giver() -> Broker:
            return await session.dial("statetui move, source")

        async def taker() -> Broker:
            return await target.dial("statetui move, target")

        try:
            await _watched(moving.move(giver, taker, route, progress), look)
        finally:
            look()
        return Came(progress.done, progress.returned, progress.rejected, tuple(progress.undeliverable),
                    progress.doubled)  # fmt: skip

    async def take(self, place: Place, count: int) -> Held:
        """Takes up to so many messages and keeps them unacknowledged."""
        stack = AsyncExitStack()
        held = await stack.enter_async_context(taking.take(await self._broker(place.vhost), place.name, count))
        return _Holding(held, stack, self)

    async def browse(self, place: Place, offset: int | str | dt.datetime, count: int) -> Sequence[Message]:
        """Reads a stream from an offset, from `first`, `last` or `next`, or from a time; nothing is consumed."""
        async with streams.browse(await self._broker(place.vhost), place.name, offset, prefetch=count) as stream:
            return (await stream.page(count)).messages

    async def tail(self, vhost: str, exchange: str, key: str, queue: str) -> AsyncIterator[Sequence[Message]]:
        """Copies of what comes through an exchange or, by its bindings, to a queue; or what comes into a stream."""
        broker = await self._broker(vhost)
        if queue:
            api = self._api
            if (await api.queue(vhost, queue)).kind == "stream":
                follow = tailing.follow(broker, queue)
            else:
                bindings = [one for one in await api.bindings_of(vhost, queue) if one.source]
                if not bindings:
                    raise ProblemError(Problem(
                        Cause.CONFIG, f"{queue} has no binding but the default exchange's, which cannot be listened to",
                        "", "enter looks at its messages and puts them back.",
                    ))  # fmt: skip
                listening = [tailing.Listening(one.source, one.routing_key, one.arguments) for one in bindings]
                follow = tailing.listen(broker, listening)
        else:
            follow = tailing.listen(broker, [tailing.Listening(exchange, key)])
        async with follow as tail:
            while True:
                yield await tail.next()

    async def close_messages(self) -> None:
        """Ends the connections to other virtual hosts."""
        others, self._others = list(self._others.values()), {}
        for one in others:
            await one.close()


class _Holding:
    """Messages that were taken; see `client.Held`."""

    def __init__(self, held: taking.Held, stack: AsyncExitStack, owner: LiveMessages) -> None:
        self._held = held
        self._stack = stack
        self._owner = owner

    @property
    def messages(self) -> Sequence[Message]:
        return self._held.messages

    @property
    def open(self) -> int:
        return self._held.open

    def is_open(self, message: Message) -> bool:
        return any(one is message for one in self._held.messages) and self._held.is_open(message)

    def lost(self) -> Problem | None:
        return self._held.lost()

    async def settle(self, messages: Sequence[Message], how: Settle) -> int:
        if how is not Settle.REQUEUE:
            self._owner._may("settled")
        return await self._held.settle(messages, how)

    async def close(self) -> None:
        await self._stack.aclose()


async def _watched(work: Coroutine[Any, Any, None], look: Callable[[], None]) -> None:
    """Does something, and tells now and then how far it is."""
    task = asyncio.ensure_future(work)
    try:
        while not task.done():
            look()
            await asyncio.wait({task}, timeout=_LOOK)
        await task
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
