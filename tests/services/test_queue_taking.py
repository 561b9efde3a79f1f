"""Messages that are got, held and settled; streams that are browsed; exchanges that are listened to."""

from __future__ import annotations

import asyncio
import datetime as dt

import pytest
from queue_messages import connected, fill, queue, until, until_ready
from queue_servers import LOGIN, THERE, Rabbit

from tui.problem import ProblemError
from tui.services.queue.amqp import Broker, open_broker
from tui.services.queue.model import Lost, Refused, Settle
from tui.services.queue.publishing import Outgoing, Publishing, publish
from tui.services.queue.streams import browse, offset_of
from tui.services.queue.tailing import Listening, follow, listen
from tui.services.queue.taking import take

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(not THERE, reason="RabbitMQ is not on this machine"),
    pytest.mark.xdist_group("rabbitmq"),
]


@pytest.mark.parametrize("kind", ["classic", "quorum"])
async def test_a_look_leaves_all_in_their_order_and_marks_them(broker: Broker, kind: str) -> None:
    async with queue(broker, queue_type=kind) as name:
        await fill(broker, name, 30)
        async with take(broker, name, 20) as held:
            assert [message.body for message in held.messages] == [b"%d" % n for n in range(20)]
            assert not any(message.redelivered for message in held.messages)
            assert (held.open, held.emptied) == (20, False)
        await until_ready(broker, name, 30)
        async with take(broker, name, 100) as held:
            assert held.emptied
            assert sorted(int(message.body) for message in held.messages) == list(range(30))
            assert {int(message.body) for message in held.messages if message.redelivered} == set(range(20))
            if kind == "classic":  # a quorum queue delivers what came back and what is new in turn
                assert [message.body for message in held.messages] == [b"%d" % n for n in range(30)]


async def test_some_are_acknowledged_and_the_others_go_back(broker: Broker) -> None:
    async with queue(broker) as name:
        await fill(broker, name, 10)
        async with take(broker, name, 10) as held:
            assert await held.settle(held.messages[2:5], Settle.ACKNOWLEDGE) == 3
            assert await held.settle(held.messages[2:5], Settle.ACKNOWLEDGE) == 0
            assert (held.open, held.is_open(held.messages[2]), held.is_open(held.messages[0])) == (7, False, True)
        await until_ready(broker, name, 7)
        async with take(broker, name, 10) as held:
            assert [message.body for message in held.messages] == [b"0", b"1", b"5", b"6", b"7", b"8", b"9"]


async def test_what_is_rejected_is_dead_lettered_and_says_why(broker: Broker) -> None:
    async with queue(broker) as dead, queue(broker, dead_letter_exchange="", dead_letter_routing_key=dead) as name:
        await fill(broker, name, 3)
        async with take(broker, name, 3) as held:
            await held.settle(held.messages[:1], Settle.REJECT)
        await until_ready(broker, dead, 1)
        await until_ready(broker, name, 2)
        async with take(broker, dead, 1) as held:
            death = held.messages[0].properties.headers["x-death"]
            assert isinstance(death, list) and isinstance(death[0], dict)
            assert (death[0]["reason"], death[0]["queue"]) == ("rejected", name)


async def test_a_queue_that_is_deleted_meanwhile_is_told(broker: Broker) -> None:
    async with queue(broker) as name:
        await fill(broker, name, 3)
        async with take(broker, name, 3) as held:
            async with broker.channel() as channel:
                await channel.queue_delete(name)
            with pytest.raises(Refused) as caught:
                await held.settle(held.messages, Settle.ACKNOWLEDGE)
            assert caught.value.code == 404
            assert "was deleted meanwhile" in caught.value.problem.what


async def test_a_broken_connection_gives_back_what_was_held_and_counts_it(rabbit: Rabbit, broker: Broker) -> None:
    async with queue(broker) as name:
        await fill(broker, name, 5)
        other = await open_broker(rabbit.way(), LOGIN)
        with pytest.raises(Lost) as caught:
            async with take(other, name, 5) as held:
                assert held.lost() is None
                rabbit.ctl("close_all_user_connections", "guest", "by the test")
                await until(lambda: held.lost() is not None)
                told = held.lost()
                assert told is not None
                assert "5 unacknowledged messages went back" in told.what
                assert "by the test" in told.evidence
                await held.settle(held.messages, Settle.ACKNOWLEDGE)
        assert caught.value.unconfirmed == 5
        await other.close()
        async with connected(rabbit) as again:
            await until_ready(again, name, 5)


async def test_a_queue_that_is_not_there_is_refused(broker: Broker) -> None:
    with pytest.raises(Refused) as caught:
        async with take(broker, "no-such-queue", 1):
            raise AssertionError
    assert caught.value.code == 404
    assert "no-such-queue" in caught.value.problem.evidence


async def test_nothing_can_be_got_from_a_stream_and_it_says_what_can(rabbit: Rabbit, broker: Broker) -> None:
    async with queue(broker, queue_type="stream") as name:
        other = await open_broker(rabbit.way(), LOGIN)
        with pytest.raises(Lost) as caught:
            async with take(other, name, 1):
                raise AssertionError
        await other.close()
        assert "basic.get not supported by stream queues" in caught.value.problem.evidence
        assert "browsed" in caught.value.problem.remedy


async def test_a_stream_is_read_from_page_to_page_and_stays(broker: Broker) -> None:
    async with queue(broker, queue_type="stream") as name:
        await fill(broker, name, 1000)
        for _ in range(2):
            async with browse(broker, name, "first") as stream:
                page = await stream.page(300)
                assert [message.body for message in page.messages] == [b"%d" % n for n in range(300)]
                assert (page.first, page.following, page.ended) == (0, 300, False)
                assert (await stream.page(300)).first == 300
        async with browse(broker, name, 990) as stream:
            page = await stream.page(300)
            assert [offset_of(message) for message in page.messages] == list(range(990, 1000))
            assert page.ended
        async with browse(broker, name, "last") as stream:
            bodies: list[bytes] = []
            async with asyncio.timeout(60):  # a page ends where a busy broker is quiet for a while
                while bodies[-1:] != [b"999"]:
                    bodies += [message.body for message in (await stream.page(1000)).messages]
            assert bodies == [b"%d" % number for number in range(1000 - len(bodies), 1000)]
        before = dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
        async with browse(broker, name, before) as stream:
            assert (await stream.page(10)).first == 0


async def test_an_empty_stream_and_an_offset_behind_its_end_have_an_empty_page(broker: Broker) -> None:
    async with queue(broker, queue_type="stream") as name, browse(broker, name, "first") as stream:
        page = await stream.page(10)
        assert (page.messages, page.ended, page.following) == ([], True, None)


async def test_copies_of_a_topic_come_by_pattern_and_leave_no_trace(rabbit: Rabbit, broker: Broker) -> None:
    def queues() -> set[str]:
        return set(rabbit.ctl("list_queues", "-q", "--no-table-headers", "name").split())

    before = queues()
    async with listen(broker, [Listening("amq.topic", "orders.*")]) as tail:
        await publish(broker, [Outgoing(b"yes", "orders.new", "amq.topic")], Publishing())
        await publish(broker, [Outgoing(b"no", "bills.new", "amq.topic")], Publishing())
        await publish(broker, [Outgoing(b"too", "orders.old", "amq.topic")], Publishing())
        came: list[bytes] = []
        async with asyncio.timeout(60):
            while len(came) < 2:
                came += [message.body for message in await tail.next()]
        assert came == [b"yes", b"too"]
        assert len(queues() - before) == 1
    assert queues() == before


async def test_what_nobody_looks_at_gives_way_and_is_counted(broker: Broker) -> None:
    async with listen(broker, [Listening("amq.fanout", "")], messages=100, size=1 << 20) as tail:
        progress = Publishing()
        await publish(broker, (Outgoing(b"%d" % n, "", "amq.fanout") for n in range(2000)), progress)
        async with asyncio.timeout(60):
            while tail.seen < 2000:
                await tail.idle()
                await asyncio.sleep(0.01)
        came = await tail.next()
        assert [message.body for message in came] == [b"%d" % n for n in range(1900, 2000)]
        assert tail.dropped == 1900
        await publish(broker, (Outgoing(bytes(300_000), "", "amq.fanout") for _ in range(10)), progress)
        async with asyncio.timeout(60):
            while tail.seen < 2010:
                await tail.idle()
                await asyncio.sleep(0.01)
        assert len(await tail.next()) == 3  # a mebibyte holds three of them
        assert tail.dropped == 1907


async def test_the_default_exchange_cannot_be_listened_to_and_another_must_be_there(broker: Broker) -> None:
    with pytest.raises(ProblemError):
        async with listen(broker, [Listening("")]):
            raise AssertionError
    with pytest.raises(Refused) as caught:
        async with listen(broker, [Listening("no-such-exchange")]):
            raise AssertionError
    assert caught.value.code == 404


async def test_a_stream_is_followed_from_its_end(broker: Broker) -> None:
    async with queue(broker, queue_type="stream") as name:
        await fill(broker, name, 10)
        async with follow(broker, name) as tail:
            await publish(broker, [Outgoing(b"new", name)], Publishing())
            async with asyncio.timeout(60):
                came = await tail.next()
            assert [message.body for message in came] == [b"new"]
        async with browse(broker, name, "first") as stream:
            assert len((await stream.page(11)).messages) == 11


async def test_a_tail_ends_with_its_connection_and_says_why(rabbit: Rabbit) -> None:
    other = await open_broker(rabbit.way(), LOGIN)
    with pytest.raises(Lost) as caught:
        async with listen(other, [Listening("amq.topic")]) as tail:
            waiting = asyncio.create_task(tail.next())
            rabbit.ctl("close_all_user_connections", "guest", "by the test")
            await waiting
    await other.close()
    assert "by the test" in caught.value.problem.evidence
