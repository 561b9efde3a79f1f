"""What the tests of messages share: queues of their own, and ways that break."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
from collections.abc import AsyncIterator, Callable, Coroutine

from queue_servers import LOGIN, Rabbit

from tui.services.queue.amqp import Broker, open_broker
from tui.services.queue.model import Login, Properties
from tui.services.queue.publishing import Outgoing, Publishing, publish

_NUMBERS = itertools.count()


@contextlib.asynccontextmanager
async def connected(rabbit: Rabbit, login: Login = LOGIN) -> AsyncIterator[Broker]:
    """A connection."""
    broker = await open_broker(rabbit.way(), login)
    try:
        yield broker
    finally:
        await broker.close()


@contextlib.asynccontextmanager
async def queue(broker: Broker, **arguments: object) -> AsyncIterator[str]:
    """A queue of a test's own; arguments with `_` for `-` and without `x-`."""
    name = f"statetui-{os.getpid()}-{next(_NUMBERS)}"
    given = {f"x-{key.replace('_', '-')}": value for key, value in arguments.items()}
    async with broker.channel() as channel:
        await channel.declare_queue(name, durable=True, arguments=given)  # type: ignore[arg-type]
    try:
        yield name
    finally:
        with contextlib.suppress(Exception):
            async with broker.channel() as channel:
                await channel.queue_delete(name)


async def fill(broker: Broker, name: str, count: int, properties: Properties | None = None) -> None:
    """Puts `0`, `1`, … into a queue."""
    progress = Publishing()
    told = properties or Properties(delivery_mode=2)
    await publish(broker, (Outgoing(b"%d" % n, name, "", told) for n in range(count)), progress)
    assert progress.taken == count


async def until(true: Callable[[], bool], limit: float = 90.0) -> None:
    """Waits for a condition."""
    async with asyncio.timeout(limit):
        while not true():
            await asyncio.sleep(0.01)


async def until_ready(broker: Broker, name: str, count: int, limit: float = 90.0) -> None:
    """Waits until so many messages of a queue are ready."""
    async with asyncio.timeout(limit):
        while await broker.ready(name) != count:
            await asyncio.sleep(0.05)


def started(work: Coroutine[object, object, None]) -> asyncio.Task[None]:
    """Work that goes on beside the test."""
    return asyncio.create_task(work)
