"""What people write with aio-pika: publishing with confirms, or consuming with acknowledgements, 1,000 in flight.

python queue_rival.py publish|consume URL QUEUE COUNT SIZE [FILE]
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import aio_pika
from queue_bodies import body

FLIGHT = 1000


async def publish(url: str, queue: str, count: int, size: int) -> None:
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel()
        exchange, places = channel.default_exchange, asyncio.Semaphore(FLIGHT)

        async def one(number: int) -> None:
            try:
                message = aio_pika.Message(body(number, size), delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
                await exchange.publish(message, routing_key=queue)
            finally:
                places.release()

        async with asyncio.TaskGroup() as group:
            for number in range(1, count + 1):
                await places.acquire()
                group.create_task(one(number))


async def consume(url: str, name: str, count: int, file: Path) -> None:
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=FLIGHT)
        queue = await channel.get_queue(name)
        seen, ended = 0, asyncio.Event()
        with file.open("wb") as out:

            async def one(message: aio_pika.abc.AbstractIncomingMessage) -> None:
                nonlocal seen
                out.write(message.body + b"\n")
                await message.ack()
                seen += 1
                if seen == count:
                    ended.set()

            await queue.consume(one)
            await ended.wait()
        await channel.close()


if __name__ == "__main__":
    what, url, queue, count, size, *file = sys.argv[1:]
    if what == "publish":
        asyncio.run(publish(url, queue, int(count), int(size)))
    else:
        asyncio.run(consume(url, queue, int(count), Path(file[0])))
