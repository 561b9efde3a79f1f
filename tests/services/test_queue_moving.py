"""Moves and copies between queues of a real broker, also while its connections break."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from queue_messages import connected, fill, queue, until, until_ready
from queue_servers import LOGIN, THERE, Rabbit

from tui.problem import ProblemError
from tui.services.queue import moving
from tui.services.queue.acknowledging import Acknowledgements
from tui.services.queue.amqp import Broker, open_broker
from tui.services.queue.lane import Lane
from tui.services.queue.model import Lost, Message, Properties, Refused
from tui.services.queue.moving import Moving, Route, move
from tui.services.queue.publishing import Outgoing, Publishing, publish
from tui.services.queue.taking import take

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(not THERE, reason="RabbitMQ is not on this machine"),
    pytest.mark.xdist_group("rabbitmq"),
]


async def bodies(broker: Broker, name: str, count: int) -> list[bytes]:
    async with take(broker, name, count) as held:
        return [message.body for message in held.messages]


async def test_all_are_moved_in_their_order_with_their_properties(rabbit: Rabbit, broker: Broker) -> None:
    async def dial() -> Broker:
        return await open_broker(rabbit.way(), LOGIN)

    async with queue(broker) as source, queue(broker) as target:
        await fill(broker, source, 3000, Properties(delivery_mode=2, headers={"a": 1}, message_id="m"))
        progress = Moving()
        await move(dial, dial, Route(source, "", target), progress)
        assert (progress.done, progress.total, progress.doubled) == (3000, 3000, 0)
        assert await broker.ready(source) == 0
        assert await bodies(broker, target, 3000) == [b"%d" % n for n in range(3000)]
        async with take(broker, target, 1) as held:
            assert held.messages[0].properties.headers == {"a": 1}
            assert held.messages[0].properties.message_id == "m"


async def test_so_many_and_no_more_are_moved(rabbit: Rabbit, broker: Broker) -> None:
    async def dial() -> Broker:
        return await open_broker(rabbit.way(), LOGIN)

    async with queue(broker) as source, queue(broker) as target:
        await fill(broker, source, 1000)
        progress = Moving()
        await move(dial, dial, Route(source, "", target, count=123, window=50), progress)
        assert (progress.done, progress.total) == (123, 123)
        await until_ready(broker, source, 877)
        assert await broker.ready(target) == 123


class Watched:
    """What moves hold and ask for, at most."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, pause: float = 0.0) -> None:
        self.held = self.unconfirmed = 0
        self.prefetched: list[int] = []
        send, take = moving._Leg._send, Lane.take

        async def watch(leg: moving._Leg, message: Message, source: Lane, target: Lane) -> None:
            self.held = max(self.held, sum(len(one.body) for one in source.inbox))
            await asyncio.sleep(pause)  # the source would go on meanwhile
            await send(leg, message, source, target)
            self.unconfirmed = max(self.unconfirmed, target.unsettled)

        async def note(lane: Lane, queue: str, prefetch: int, arguments: dict[str, Any] | None = None) -> str:
            self.prefetched.append(prefetch)
            return await take(lane, queue, prefetch, arguments)

        monkeypatch.setattr(moving._Leg, "_send", watch)
        monkeypatch.setattr(Lane, "take", note)


@pytest.mark.parametrize(
    ("kind", "copy", "quiet"),
    [("classic", False, 1.0), ("classic", False, 0.0), ("quorum", False, 1.0), ("classic", True, 0.0),
     ("stream", True, 1.0)],
    ids=lambda given: "asks all the time whether there are more" if given == 0.0 else str(given),
)  # fmt: skip
async def test_large_messages_are_bounded_by_their_bytes(
    rabbit: Rabbit, broker: Broker, monkeypatch: pytest.MonkeyPatch, kind: str, copy: bool, quiet: float
) -> None:
    size, count = 1 << 20, 40
    monkeypatch.setattr(moving, "_QUIET", quiet)
    monkeypatch.setattr(moving, "_HELD", 2 * size)
    monkeypatch.setattr(moving, "_UNCONFIRMED", 3 * size)
    monkeypatch.setattr(moving, "_AHEAD", 4 * size)

    async def dial() -> Broker:
        return await open_broker(rabbit.way(), LOGIN)

    async with queue(broker, queue_type=kind) as source, queue(broker) as target:
        each = [b"%06d" % n + b"x" * (size - 6) for n in range(count)]
        progress = Publishing()
        await publish(broker, (Outgoing(body, source, "", Properties()) for body in each), progress)
        assert progress.taken == count
        watched, moved = Watched(monkeypatch, 0.02), Moving()
        await move(dial, dial, Route(source, "", target, copy=copy, stream=kind == "stream"), moved)
        assert (moved.done, moved.losses) == (count, 0)
        assert size < watched.held <= 4 * size
        assert size <= watched.unconfirmed <= 4 * size
        if kind != "stream":
            assert set(watched.prefetched) <= {8, 4}, "the broker does not send ahead what is not read"
        assert [body[:6] for body in await bodies(broker, target, count + 1)] == [body[:6] for body in each]
        await until_ready(broker, source, count if copy else 0)


async def test_more_are_on_their_way_once_they_are_seen_to_be_small(
    rabbit: Rabbit, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dial() -> Broker:
        return await open_broker(rabbit.way(), LOGIN)

    async with queue(broker, queue_type="quorum") as source, queue(broker) as target:
        await fill(broker, source, 2000)
        watched = Watched(monkeypatch)
        await move(dial, dial, Route(source, "", target, window=300), Moving())
        assert watched.prefetched == [8, 292]
        assert await bodies(broker, target, 3000) == [b"%d" % n for n in range(2000)]


@pytest.mark.parametrize("kind", ["classic", "quorum"])
async def test_a_copy_leaves_all_where_they_are(rabbit: Rabbit, broker: Broker, kind: str) -> None:
    async def dial() -> Broker:
        return await open_broker(rabbit.way(), LOGIN)

    async with queue(broker, queue_type=kind) as source, queue(broker) as target:
        await fill(broker, source, 1050)
        progress = Moving()
        await move(dial, dial, Route(source, "", target, copy=True, window=100), progress)
        assert (progress.done, progress.total) == (1050, 1050)
        await until_ready(broker, source, 1050)
        assert await bodies(broker, target, 2000) == [b"%d" % n for n in range(1050)]


async def test_a_stream_is_copied_and_not_moved(rabbit: Rabbit, broker: Broker) -> None:
    async def dial() -> Broker:
        return await open_broker(rabbit.way(), LOGIN)

    async with queue(broker, queue_type="stream") as source, queue(broker) as target:
        await fill(broker, source, 700)
        with pytest.raises(ProblemError):
            await move(dial, dial, Route(source, "", target, stream=True), Moving())
        progress = Moving()
        await move(dial, dial, Route(source, "", target, copy=True, stream=True, window=100), progress)
        assert progress.done == 700
        assert await bodies(broker, target, 1000) == [b"%d" % n for n in range(700)]
        async with take(broker, target, 1) as held:
            assert "x-stream-offset" not in held.messages[0].properties.headers


async def test_what_the_target_does_not_take_stays(rabbit: Rabbit, broker: Broker) -> None:
    async def dial() -> Broker:
        return await open_broker(rabbit.way(), LOGIN)

    async with queue(broker) as source, queue(broker, max_length=10, overflow="reject-publish") as target:
        await fill(broker, source, 500)
        progress = Moving()
        await move(dial, dial, Route(source, "", target, window=20), progress)
        assert progress.rejected >= 10
        await until_ready(broker, source, 500 - progress.done)
        assert await broker.ready(target) == progress.done
    async with queue(broker) as source:
        await fill(broker, source, 100)
        progress = Moving()
        await move(dial, dial, Route(source, "amq.direct", None, window=20), progress)
        assert (progress.done, progress.returned > 0) == (0, True)
        assert progress.undeliverable[0].why == "NO_ROUTE"
        await until_ready(broker, source, 100)


async def test_a_target_that_is_not_there_is_told_before_anything_is_taken(rabbit: Rabbit, broker: Broker) -> None:
    async def dial() -> Broker:
        return await open_broker(rabbit.way(), LOGIN)

    async with queue(broker) as source:
        await fill(broker, source, 10)
        with pytest.raises(Refused) as caught:
            await move(dial, dial, Route(source, "", "no-such-queue"), Moving())
        assert "no-such-queue" in caught.value.problem.evidence
        async with take(broker, source, 10) as held:
            assert not any(message.redelivered for message in held.messages)


async def test_another_users_name_and_other_routes_are_left_out(rabbit: Rabbit, broker: Broker) -> None:
    rabbit.ctl("add_user", "mover", "secret")
    rabbit.ctl("set_permissions", "mover", ".*", ".*", ".*")

    async def dial() -> Broker:
        return await open_broker(rabbit.way(), type(LOGIN)("mover", "secret"))

    async with queue(broker) as source, queue(broker) as target, queue(broker) as aside:
        told = Properties(user_id="guest", headers={"CC": [aside], "kept": "yes"})
        await publish(broker, [Outgoing(b"x", source, "", told)], Publishing())
        await until_ready(broker, aside, 1)
        progress = Moving()
        await move(dial, dial, Route(source, "", target), progress)
        assert (progress.done, progress.altered) == (1, 1)
        assert await broker.ready(aside) == 1  # not a second time
        async with take(broker, target, 1) as held:
            assert held.messages[0].properties.headers == {"kept": "yes"}
            assert held.messages[0].properties.user_id == ""


async def test_a_queue_that_is_deleted_in_the_middle_is_told(rabbit: Rabbit, broker: Broker) -> None:
    async def dial() -> Broker:
        return await open_broker(rabbit.way(), LOGIN)

    async with queue(broker) as source, queue(broker) as target:
        await fill(broker, source, 20_000)
        progress = Moving()
        task = asyncio.create_task(move(dial, dial, Route(source, "", target, window=50), progress))
        await until(lambda: progress.done > 100)
        async with broker.channel() as channel:
            await channel.queue_delete(source)
        with pytest.raises(Refused) as caught:
            await task
        assert caught.value.code == 404


async def test_connections_that_break_in_the_middle_lose_nothing(rabbit: Rabbit, broker: Broker) -> None:
    async def dial() -> Broker:
        return await open_broker(rabbit.way(), LOGIN)

    total, window = 5_000, 50
    async with queue(broker, queue_type="quorum") as source, queue(broker, queue_type="quorum") as target:
        await fill(broker, source, total)
        progress = Moving()
        task = asyncio.create_task(move(dial, dial, Route(source, "", target, window=window), progress))
        await until(lambda: progress.done > 500)
        rabbit.ctl("close_all_user_connections", "guest", "by the test")
        await task
        assert progress.losses >= 1
        assert 0 < progress.doubled <= window * progress.losses
        async with connected(rabbit) as again:
            await until_ready(again, source, 0)
            found = Counter(await bodies(again, target, 2 * total))
        assert set(found) == {b"%d" % n for n in range(total)}
        assert sum(found.values()) - total <= progress.doubled


async def test_a_copy_that_is_cut_is_told_and_the_source_keeps_all(rabbit: Rabbit, broker: Broker) -> None:
    async def dial() -> Broker:
        return await open_broker(rabbit.way(), LOGIN)

    async with queue(broker) as source, queue(broker) as target:
        await fill(broker, source, 20_000)
        progress = Moving()
        task = asyncio.create_task(move(dial, dial, Route(source, "", target, copy=True, window=100), progress))
        await until(lambda: progress.done > 1000)
        rabbit.ctl("close_all_user_connections", "guest", "by the test")
        with pytest.raises(Lost):
            await task
        assert progress.losses == 1
        async with connected(rabbit) as again:
            await until_ready(again, source, 20_000)
            assert await again.ready(target) >= progress.done


async def test_it_can_be_cancelled_and_the_rest_stays(rabbit: Rabbit, broker: Broker) -> None:
    async def dial() -> Broker:
        return await open_broker(rabbit.way(), LOGIN)

    async with queue(broker) as source, queue(broker) as target:
        await fill(broker, source, 20_000)
        progress = Moving()
        task = asyncio.create_task(move(dial, dial, Route(source, "", target, window=50), progress))
        await until(lambda: progress.done > 500)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(60):
            while await broker.ready(source) + await broker.ready(target) < 20_000:
                await asyncio.sleep(0.05)


def test_acknowledgements_are_joined_while_nothing_is_kept() -> None:
    acknowledgements = Acknowledgements()
    for tag in (1, 2, 4):
        acknowledgements.add(tag)
    assert acknowledgements.due() == [(2, True)]
    acknowledgements.add(3)
    assert acknowledgements.due() == [(4, True)]
    acknowledgements.add(6)
    acknowledgements.keep(5)
    assert acknowledgements.due() == [(6, False)]
    assert (acknowledgements.told(), acknowledgements.told()) == (5, 0)
