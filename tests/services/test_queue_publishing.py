"""Publishing to a real broker: what it took, what came back, what it refused, and what nobody knows."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator

import pytest
from queue_messages import connected, queue, started, until, until_ready
from queue_servers import LOGIN, THERE, Rabbit

from tui.problem import Cause, Problem, ProblemError
from tui.services.queue.amqp import Broker, open_broker
from tui.services.queue.model import Login, Lost, Properties, Refused
from tui.services.queue.publishing import Outgoing, Publishing, publish
from tui.services.queue.taking import take
from tui.services.queue.templates import messages

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(not THERE, reason="RabbitMQ is not on this machine"),
    pytest.mark.xdist_group("rabbitmq"),
]


async def test_ten_thousand_are_confirmed_in_their_order(broker: Broker) -> None:
    async with queue(broker) as name:
        progress = Publishing(total=10_000)
        await publish(broker, (Outgoing(b"%d" % n, name) for n in range(10_000)), progress)
        assert (progress.sent, progress.taken, progress.unknown) == (10_000, 10_000, 0)
        assert await broker.ready(name) == 10_000
        async with take(broker, name, 3) as held:
            assert [message.body for message in held.messages] == [b"0", b"1", b"2"]


async def test_properties_and_headers_come_back_as_they_went(broker: Broker) -> None:
    sent = Properties(
        content_type="application/json", headers={"n": 1, "text": "ü", "nested": {"list": [1, "two", None]}},
        delivery_mode=2, priority=5, correlation_id="c", reply_to="r", expiration="600000", message_id="m", type="t",
        user_id="guest", app_id="a",
    )  # fmt: skip
    async with queue(broker) as name:
        await publish(broker, [Outgoing(b"{}", name, "", sent)], Publishing())
        async with take(broker, name, 1) as held:
            assert held.messages[0].properties == sent


async def test_what_no_queue_takes_is_counted_and_the_last_are_kept(broker: Broker) -> None:
    async with queue(broker) as name:
        progress = Publishing()
        mixed = [Outgoing(b"%d" % n, name if n % 2 else "no-such-queue") for n in range(500)]
        await publish(broker, mixed, progress)
        assert (progress.taken, progress.returned, progress.unknown) == (250, 250, 0)
        assert len(progress.undeliverable) == 100
        assert progress.undeliverable[-1].message.body == b"498"
        assert progress.undeliverable[-1].why == "NO_ROUTE"


async def test_a_full_queue_that_rejects_is_counted(broker: Broker) -> None:
    async with queue(broker, max_length=10, overflow="reject-publish") as name:
        progress = Publishing()
        await publish(broker, (Outgoing(b"x", name) for _ in range(200)), progress, window=5)
        assert progress.taken + progress.rejected == 200
        assert 10 <= progress.taken < 50
        assert progress.taken == await broker.ready(name)


async def test_an_exchange_that_is_not_there_is_refused_in_the_brokers_words(broker: Broker) -> None:
    progress = Publishing()
    with pytest.raises(Refused) as caught:
        await publish(broker, [Outgoing(b"x", "", "no-such-exchange")], progress)
    assert caught.value.code == 404
    assert "no-such-exchange" in caught.value.problem.evidence
    assert progress.taken == 0
    assert progress.unknown == 1
    assert broker.closed is None  # the channel ended, the connection did not


async def test_headers_over_a_frame_are_not_sent_and_the_connection_stays(broker: Broker) -> None:
    async with queue(broker) as name:
        many = Properties(headers={f"h{n}": n for n in range(65_535)})
        progress = Publishing()
        with pytest.raises(ProblemError) as caught:
            await publish(broker, [Outgoing(b"x", name, "", many)], progress)
        assert "frame" in caught.value.problem.evidence
        assert progress.sent == 0
        some = Properties(headers={f"h{n}": n for n in range(8_000)})
        await publish(broker, [Outgoing(b"x", name, "", some)], progress)
        async with take(broker, name, 1) as held:
            assert len(held.messages[0].properties.headers) == 8_000


async def test_what_stands_before_a_message_that_cannot_be_sent_or_made_has_its_answer(broker: Broker) -> None:
    def broken(name: str) -> Iterator[Outgoing]:
        yield Outgoing(b"before", name)
        raise ProblemError(Problem(Cause.CONFIG, "line 2 is no message"))

    async with queue(broker) as name:
        for messages in ([Outgoing(b"before", name), Outgoing(b"", "k" * 256), Outgoing(b"", name)], broken(name)):
            progress = Publishing()
            with pytest.raises(ProblemError):
                await publish(broker, messages, progress)
            assert (progress.sent, progress.taken) == (1, 1)
        assert await broker.ready(name) == 2


async def test_a_hundred_megabytes_go_in_frames(broker: Broker) -> None:
    body = bytes(range(256)) * (100 * 4096)
    async with queue(broker) as name:
        progress = Publishing()
        await publish(broker, [Outgoing(body, name)], progress)
        assert progress.taken == 1
        async with take(broker, name, 1) as held:
            assert held.messages[0].body == body


async def test_a_message_over_the_brokers_limit_is_told_with_the_limit(broker: Broker) -> None:
    async with queue(broker) as name:
        progress = Publishing()
        with pytest.raises(Refused) as caught:
            await publish(broker, [Outgoing(bytes(130 << 20), name)], progress)
        assert "134217728" in caught.value.problem.evidence
        assert progress.taken == 0


async def test_a_key_that_is_too_long_is_not_sent(broker: Broker) -> None:
    with pytest.raises(ProblemError) as caught:
        await publish(broker, [Outgoing(b"", "k" * 256)], Publishing())
    assert caught.value.problem.cause is Cause.CONFIG


async def test_templates_count(broker: Broker) -> None:
    async with queue(broker) as name:
        made = messages(
            b'{"a":{"n":1},"n":"{n:04}","u":"{uuid}"}', name, properties=Properties(message_id="m-{n}"), count=3
        )
        await publish(broker, made, Publishing())
        async with take(broker, name, 3) as held:
            bodies = [json.loads(message.body) for message in held.messages]
            assert [body["n"] for body in bodies] == ["0001", "0002", "0003"]
            assert len({body["u"] for body in bodies}) == 3
            assert bodies[0]["a"] == {"n": 1}
            assert [message.properties.message_id for message in held.messages] == ["m-1", "m-2", "m-3"]


async def test_a_rate_is_kept_and_what_was_made_is_seen_before_the_end(broker: Broker) -> None:
    async with queue(broker) as name:
        progress = Publishing()
        loop = asyncio.get_running_loop()
        began = loop.time()
        task = started(publish(broker, (Outgoing(b"x", name) for _ in range(20)), progress, rate=20))
        await until(lambda: progress.taken >= 5)
        assert not task.done()
        await task
        assert loop.time() - began >= 0.9  # twenty at twenty a second: the first at once, the last after 0.95 s


async def test_what_was_late_is_not_made_up_for_with_more_than_the_rate(broker: Broker) -> None:
    async def halting(name: str) -> AsyncIterator[Outgoing]:
        for number in range(41):
            if number == 20:
                await asyncio.sleep(2)
            yield Outgoing(b"x", name)

    async with queue(broker) as name:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await publish(broker, halting(name), Publishing(), rate=20)
        assert loop.time() - began >= 3.4  # a second, two of waiting, and another second less what may be made up for


async def test_it_can_be_cancelled_in_the_middle(broker: Broker) -> None:
    async with queue(broker) as name:
        progress = Publishing()
        endless = (Outgoing(b"x" * 1024, name) for _ in iter(int, 1))
        task = started(publish(broker, endless, progress))
        await until(lambda: progress.taken > 2000)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert progress.sent - progress.taken == progress.unknown
        assert progress.taken <= await broker.ready(name) <= progress.sent


async def test_a_broken_connection_says_how_many_nobody_knows_of(rabbit: Rabbit, broker: Broker) -> None:
    async with queue(broker) as name:
        progress = Publishing()
        other = await open_broker(rabbit.way(), LOGIN, name="to-be-closed")
        task = started(publish(other, (Outgoing(b"x", name) for _ in iter(int, 1)), progress))
        await until(lambda: progress.taken > 1000)
        rabbit.ctl("close_all_user_connections", "guest", "by the test")
        with pytest.raises(Lost) as caught:
            await task
        await other.close()
        assert "by the test" in caught.value.problem.evidence
        assert progress.unknown == progress.sent - progress.taken > 0
        async with connected(rabbit) as again:
            assert progress.taken <= await again.ready(name) <= progress.sent


async def test_an_alarm_is_told_while_it_waits_and_it_can_be_cancelled(rabbit: Rabbit, broker: Broker) -> None:
    async with queue(broker) as name:
        rabbit.ctl("set_vm_memory_high_watermark", "absolute", "1MB")
        try:
            progress = Publishing()
            other = await open_broker(rabbit.way(), LOGIN)
            task = started(publish(other, (Outgoing(b"x" * 1024, name) for _ in iter(int, 1)), progress))
            await until(lambda: "low on memory" in progress.waits)
            assert "low on memory" in other.blocked
            sent = progress.sent
            await asyncio.sleep(0.2)
            assert not task.done()
            assert progress.sent - sent <= 100_000
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asyncio.wait_for(task, 30)
            await asyncio.wait_for(other.close(), 30)
        finally:
            rabbit.ctl("set_vm_memory_high_watermark", "absolute", "4GB")
        assert await broker.ready(name) <= progress.sent


async def test_it_goes_on_when_the_alarm_is_over(rabbit: Rabbit, broker: Broker) -> None:
    async with queue(broker) as name, connected(rabbit) as other:
        rabbit.ctl("set_vm_memory_high_watermark", "absolute", "1MB")
        try:
            progress = Publishing()
            task = started(publish(other, (Outgoing(b"x", name) for _ in range(500)), progress))
            await until(lambda: bool(progress.waits))
        finally:
            rabbit.ctl("set_vm_memory_high_watermark", "absolute", "4GB")
        await asyncio.wait_for(task, 90)
        assert (progress.taken, progress.waits) == (500, "")
        await until_ready(broker, name, 500)


async def test_a_virtual_host_that_is_not_there_is_told_in_the_brokers_words(rabbit: Rabbit) -> None:
    with pytest.raises(ProblemError) as caught:
        await open_broker(rabbit.way(), Login("guest", "guest", vhost="nowhere"))
    assert caught.value.problem.cause is Cause.REJECTED
    assert "nowhere" in caught.value.problem.what
    assert "vhost nowhere not found" in caught.value.problem.evidence


async def test_a_virtual_host_without_permission_is_told_in_the_brokers_words(rabbit: Rabbit) -> None:
    rabbit.ctl("add_user", "outsider", "secret")
    with pytest.raises(ProblemError) as caught:
        await open_broker(rabbit.way(), Login("outsider", "secret"))
    assert "access to vhost '/' refused for user 'outsider'" in caught.value.problem.evidence


async def test_a_wrong_password_is_told_with_where_it_came_from(rabbit: Rabbit) -> None:
    with pytest.raises(ProblemError) as caught:
        await open_broker(rabbit.way(), Login("guest", "wrong", source="Secret a/b, key c"))
    assert caught.value.problem.cause is Cause.CREDENTIALS
    assert "Secret a/b" in caught.value.problem.remedy
