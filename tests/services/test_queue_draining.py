"""Messages that are taken by the thousand: never more than were asked for, and none settled that was not stored."""

from __future__ import annotations

import asyncio

import pytest
from queue_messages import connected, fill, queue, started, until, until_ready
from queue_servers import LOGIN, THERE, Rabbit

from tui.services.queue import draining
from tui.services.queue.amqp import Broker, open_broker
from tui.services.queue.draining import Drain, drain
from tui.services.queue.model import Lost, Message, Properties, Refused, Settle
from tui.services.queue.publishing import Outgoing, Publishing, publish

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(not THERE, reason="RabbitMQ is not on this machine"),
    pytest.mark.xdist_group("rabbitmq"),
]


async def all_of(drained: Drain) -> list[Message]:
    """Takes what there is, and stores it."""
    found: list[Message] = []
    while came := await drained.next():
        found += came
        await drained.stored()
    await drained.finish()
    return found


def numbers(first: int, behind: int) -> list[bytes]:
    return [b"%d" % n for n in range(first, behind)]


@pytest.mark.parametrize("kind", ["classic", "quorum"])
async def test_as_many_as_were_asked_for_are_acknowledged_and_no_other_was_touched(broker: Broker, kind: str) -> None:
    async with queue(broker, queue_type=kind) as name:
        await fill(broker, name, 6000)
        async with drain(broker, name, 5000, Settle.ACKNOWLEDGE) as drained:
            found = await all_of(drained)
            assert (drained.taken, drained.settled) == (5000, 5000)
        assert [message.body for message in found] == numbers(0, 5000)
        await until_ready(broker, name, 1000)
        async with drain(broker, name, 5000, Settle.REQUEUE) as drained:
            left = await all_of(drained)
        assert [message.body for message in left] == numbers(5000, 6000)
        assert not any(message.redelivered for message in left), "more were delivered than were asked for"


@pytest.mark.parametrize("kind", ["classic", "quorum"])
async def test_a_look_over_several_windows_takes_no_other_and_gives_all_back(
    broker: Broker, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draining, "_MOST", 100)
    async with queue(broker, queue_type=kind) as name:
        await fill(broker, name, 400)
        async with drain(broker, name, 350, Settle.REQUEUE) as drained:
            found = await all_of(drained)
        assert [message.body for message in found] == numbers(0, 350)
        await until_ready(broker, name, 400)
        async with drain(broker, name, 1000, Settle.REQUEUE) as drained:
            again = await all_of(drained)
        assert {int(message.body) for message in again if message.redelivered} == set(range(350))
        if kind == "quorum":  # each was given back once, not several times
            counts = {message.properties.headers.get("x-delivery-count", 0) for message in again}
            assert counts == {0, 1}


async def test_what_was_given_and_not_stored_stays(broker: Broker) -> None:
    async with queue(broker) as name:
        await fill(broker, name, 3000)
        with pytest.raises(OSError, match="no room"):
            async with drain(broker, name, 3000, Settle.ACKNOWLEDGE) as drained:
                stored = 0
                while came := await drained.next():
                    if stored > 1000:
                        raise OSError("no room")
                    stored += len(came)
                    await drained.stored()
        await until_ready(broker, name, 3000 - stored)
        async with drain(broker, name, 1, Settle.REQUEUE) as drained:
            (first,) = await all_of(drained)
        assert first.body == b"%d" % stored


async def test_rejected_ones_are_dead_lettered(broker: Broker) -> None:
    async with queue(broker) as dead, queue(broker, dead_letter_exchange="", dead_letter_routing_key=dead) as name:
        await fill(broker, name, 1500)
        async with drain(broker, name, 1200, Settle.REJECT) as drained:
            await all_of(drained)
        await until_ready(broker, dead, 1200)
        await until_ready(broker, name, 300)


@pytest.mark.parametrize("count", [1, 5, 100])
async def test_a_queue_with_less_and_an_empty_one_end_it(broker: Broker, count: int) -> None:
    async with queue(broker) as name:
        async with drain(broker, name, count, Settle.ACKNOWLEDGE) as drained:
            assert await all_of(drained) == []
        await fill(broker, name, 3)
        async with drain(broker, name, count, Settle.ACKNOWLEDGE) as drained:
            assert len(await all_of(drained)) == min(count, 3)
        await until_ready(broker, name, max(0, 3 - count))


async def test_what_another_consumer_has_for_itself_is_asked_for_singly(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draining, "_STUCK", 1.0)
    async with queue(broker, single_active_consumer=True) as name, broker.lane() as other:
        await other.take(name, 10)  # it is the active one, and takes ten
        await fill(broker, name, 60)
        await until(lambda: len(other.inbox) == 10)
        async with drain(broker, name, 30, Settle.ACKNOWLEDGE) as drained:
            assert [message.body for message in await all_of(drained)] == numbers(10, 40)
        await until_ready(broker, name, 20)


@pytest.mark.parametrize("patience", [1.0, 0.0], ids=["waits", "asks all the time whether there are more"])
async def test_large_messages_do_not_gather(broker: Broker, monkeypatch: pytest.MonkeyPatch, patience: float) -> None:
    monkeypatch.setattr(draining, "_HELD", 4 << 20)
    monkeypatch.setattr(draining, "_QUIET", patience)
    body, most = bytes(1 << 20), 0
    async with queue(broker) as name:
        progress = Publishing()
        await publish(broker, (Outgoing(body, name, "", Properties(delivery_mode=1)) for _ in range(60)), progress)
        async with drain(broker, name, 60, Settle.ACKNOWLEDGE) as drained, asyncio.timeout(120):
            lane, found = drained._lane, 0
            while came := await drained.next():
                found += len(came)
                await asyncio.sleep(0.05)  # time for the others to come, if nothing held them
                most = max(most, sum(len(message.body) for message in lane.inbox))
                await drained.stored()
            await drained.finish()
        assert found == 60
        assert most <= 6 << 20  # what was over the limit, and what one look at the socket may bring


async def test_a_queue_that_is_deleted_meanwhile_is_told(broker: Broker) -> None:
    async with queue(broker) as name:
        await fill(broker, name, 6000)
        with pytest.raises(Refused) as caught:
            async with drain(broker, name, 6000, Settle.ACKNOWLEDGE) as drained:
                await drained.next()
                async with broker.channel() as channel:
                    await channel.queue_delete(name)
                await all_of(drained)
        assert caught.value.code == 404
        assert "was deleted meanwhile" in caught.value.problem.what


async def test_a_broken_connection_says_what_was_settled_and_the_others_are_there(
    rabbit: Rabbit, broker: Broker
) -> None:
    async with queue(broker) as name:
        await fill(broker, name, 5000)
        other = await open_broker(rabbit.way(), LOGIN)
        with pytest.raises(Lost) as caught:
            async with drain(other, name, 5000, Settle.ACKNOWLEDGE) as drained:
                while drained.taken < 1000:
                    await drained.next()
                    await drained.stored()
                rabbit.ctl("close_all_user_connections", "guest", "by the test")
                await until(lambda: other.closed is not None)
                settled = drained.settled
                await all_of(drained)
        await other.close()
        assert "by the test" in caught.value.problem.evidence
        assert f"{settled:,}" in caught.value.problem.what
        async with connected(rabbit) as again:
            await until_ready(again, name, 5000 - settled)


async def test_nothing_can_be_taken_from_a_stream_and_from_what_is_not_there(rabbit: Rabbit) -> None:
    async with connected(rabbit) as broker, queue(broker, queue_type="stream") as name:
        other = await open_broker(rabbit.way(), LOGIN)
        with pytest.raises(Lost) as caught:
            async with drain(other, name, 1000, Settle.ACKNOWLEDGE) as drained:
                await drained.next()
        await other.close()
        assert "browsed" in caught.value.problem.remedy
        with pytest.raises(Refused) as refused:
            async with drain(broker, "no-such-queue", 1000, Settle.REQUEUE) as drained:
                await drained.next()
        assert refused.value.code == 404
        assert "no-such-queue" in refused.value.problem.evidence


async def test_it_keeps_up_with_what_comes_meanwhile(broker: Broker, rabbit: Rabbit) -> None:
    async with queue(broker) as name, connected(rabbit) as other:
        await fill(broker, name, 100)
        progress = Publishing()
        task = started(publish(other, (Outgoing(b"%d" % n, name) for n in range(100, 5000)), progress))
        async with drain(broker, name, 5000, Settle.ACKNOWLEDGE) as drained:
            found: list[Message] = []
            while len(found) < 5000:  # it may find the queue empty for a moment, and says so
                found += list(await drained.next())
                await drained.stored()
            await drained.finish()
        await task
        assert [message.body for message in found] == numbers(0, 5000)
