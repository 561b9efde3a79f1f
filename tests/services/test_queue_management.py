"""The management API of Debian's RabbitMQ: what it tells, what it refuses, and what it does not know."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import queue_servers
from bucket_servers import LocalWay
from queue_servers import LOGIN, Rabbit

from tui.problem import Cause, ProblemError
from tui.services.queue.amqp import open_broker
from tui.services.queue.byname import ByName
from tui.services.queue.definitions import Change, differences, without_secrets
from tui.services.queue.management import Management
from tui.services.queue.model import Login, Refused
from tui.services.queue.operations import Permission, Policy, QueueDetail

pytestmark = pytest.mark.skipif(not queue_servers.THERE, reason="RabbitMQ is not on this machine")


@pytest.fixture(scope="module")
def rabbit() -> Iterator[Rabbit]:
    with queue_servers.rabbitmq() as node:
        node.ctl("add_user", "viewer", "v")
        node.ctl("set_user_tags", "viewer", "management")
        node.ctl("set_permissions", "-p", "/", "viewer", "^$", "^$", ".*")
        node.ctl("add_user", "nobody", "n")
        yield node


@pytest.fixture
async def api(rabbit: Rabbit) -> AsyncIterator[Management]:
    made = rabbit.management()
    await made.declare_vhost("t")
    await made.set_permission(Permission("guest", "t", ".*", ".*", ".*"))
    yield made
    with contextlib.suppress(Refused):
        await made.delete_vhost("t")
    await made.close()


async def until(condition: object, what: str) -> None:
    """Waits for what statistics tell later."""
    async with asyncio.timeout(60):
        while not await condition():  # type: ignore[operator]
            await asyncio.sleep(0.2)
    assert what


async def test_the_cluster_and_its_node(api: Management) -> None:
    overview = await api.overview()
    assert overview.rabbitmq_version.startswith("3.10")
    assert not overview.disable_stats

    async def told() -> bool:
        return bool((await api.nodes())[0].version)  # it comes with the statistics, a moment after the node

    await until(told, "the node's facts")
    (node,) = await api.nodes()
    assert node.running
    assert node.version == overview.rabbitmq_version
    assert node.mem_limit and node.disk_free_limit == 50_000_000
    assert node.partitions == []


async def test_queues_come_by_pages_and_names(api: Management) -> None:
    for number in range(7):
        await api.declare_queue("t", f"q{number}", {"x-queue-type": "quorum" if number == 0 else "classic"})
    page = await api.queues(vhost="t", size=3)
    assert (page.total_count, page.page_count, len(page.items)) == (7, 3, 3)
    assert [one.name for one in (await api.queues(vhost="t", size=3, page=3)).items] == ["q6"]
    assert [one.name for one in (await api.queues(vhost="t", name="^q[12]$", regex=True)).items] == ["q1", "q2"]
    assert (await api.queues(vhost="t", name="q3")).filtered_count == 1
    names = [one.name async for piece in api.all_queues(vhost="t") for one in piece]
    assert sorted(names) == [f"q{number}" for number in range(7)]
    with pytest.raises(Refused) as caught:
        await api.queues(vhost="t", size=3, page=9)
    assert "out of range" in caught.value.problem.evidence
    quorum = await api.queue("t", "q0")
    assert quorum.kind == "quorum"
    assert quorum.members == quorum.online
    assert not quorum.minority


async def test_all_at_once_from_the_fifth_page_on(api: Management, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(9):
        await api.declare_queue("t", f"q{number}", {})
    asked: list[str] = []
    ask, queues = api.ask, api.queues

    async def counted(method: str, path: str, body: object = None, query: object = None, **more: object) -> bytes:
        asked.append(path)
        return await ask(method, path, body, query, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(api, "ask", counted)
    monkeypatch.setattr(api, "queues", lambda **given: queues(**{**given, "size": 1}))
    names = [one.name async for piece in api.all_queues(vhost="t") for one in piece]
    assert sorted(names) == [f"q{number}" for number in range(9)], "each once"
    assert len(asked) == 2


async def test_a_queue_that_is_there_otherwise(api: Management) -> None:
    await api.declare_queue("t", "q", {"x-max-length": 1})
    await api.declare_queue("t", "q", {"x-max-length": 1})  # alike: it stays
    with pytest.raises(Refused) as caught:
        await api.declare_queue("t", "q", {"x-max-length": 2})
    said = caught.value.problem
    assert said.cause is Cause.REJECTED
    assert "received '2'" in said.evidence and "current is '1'" in said.evidence, "both are told"
    assert "delete it first" in said.remedy


async def test_exchanges_bindings_and_policies(api: Management) -> None:
    await api.declare_exchange("t", "x/y", "topic", {})
    await api.declare_exchange("t", "in", "fanout", {}, internal=True)
    await api.declare_queue("t", "q", {})
    await api.bind("t", "x/y", "q", "a.#", {})
    await api.bind("t", "x/y", "in", "", {}, kind="exchange")
    found = [one for one in await api.bindings("t") if one.source]
    assert {(one.destination_type, one.destination, one.routing_key) for one in found} == {
        ("queue", "q", "a.#"), ("exchange", "in", ""),
    }  # fmt: skip
    for one in found:
        await api.unbind("t", one.source, one.destination, one.properties_key, kind=one.destination_type)
    assert not [one for one in await api.bindings("t") if one.source]
    await api.set_policy(Policy("p", "t", "^q", "queues", 3, {"max-length": 5}))
    assert [(one.name, one.applies, one.priority, one.definition) for one in await api.policies("t")] == [
        ("p", "queues", 3, {"max-length": 5})
    ]
    await api.delete_policy("t", "p")
    assert await api.policies("t") == []
    await api.delete_exchange("t", "x/y", if_unused=True)
    assert "x/y" not in [one.name for one in await api.exchanges("t")]


async def consumers_are_told_with_their_queue(api: Management, monkeypatch: pytest.MonkeyPatch) -> None:
    """A virtual host may have thousands of others."""

    async def told() -> bool:
        return bool((await api.queue("t", "q")).consumer_details)

    await until(told, "the queue's consumers are told")
    asked: list[str] = []
    ask = api.ask

    async def note(method: str, path: str, *rest: Any, **more: Any) -> bytes:
        asked.append(path)
        return await ask(method, path, *rest, **more)

    with monkeypatch.context() as patched:
        patched.setattr(api, "ask", note)
        (one,) = await api.consumers_of(await api.queue("t", "q"))
        assert (one.consumer_tag, one.ack_required, bool(one.channel)) == ("c", True, True)
        assert asked == ["queues/t/q"]
        (one,) = await api.consumers_of(QueueDetail("q", "t"))  # as of a server without statistics
        assert one.consumer_tag == "c" and asked[1:] == ["consumers/t"]
        assert await api.consumers_of(QueueDetail("another", "t")) == []


async def test_a_connection_is_seen_and_closed(
    api: Management, rabbit: Rabbit, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = await open_broker(rabbit.way(), Login("guest", "guest", "t"), name="me")
    try:
        async with broker.lane() as lane:
            await lane.queue_declare("q", durable=True)
            await lane.basic_consume("q", lambda message: asyncio.sleep(0), consumer_tag="c")

            async def seen() -> bool:
                return any(one.label == "me" for one in await api.connections())

            await until(seen, "the connection is listed")
            (connection,) = [one for one in await api.connections("t") if one.label == "me"]
            assert (connection.user, connection.vhost) == ("guest", "t")
            assert [one.consumer_tag for one in await api.consumers("t")] == ["c"]
            await consumers_are_told_with_their_queue(api, monkeypatch)

            async def channel() -> bool:
                return any(one.connection == connection.name for one in await api.channels("t"))

            await until(channel, "the channel is listed")
            await api.close_connection(connection.name, "enough\r\nX-Evil: 1 ü")

            async def gone() -> bool:
                return not any(one.label == "me" for one in await api.connections())

            await until(gone, "it is closed")
    except Exception as error:
        assert "enough" in str(error)
    finally:
        await broker.close()


async def test_users_and_what_they_may(api: Management) -> None:
    assert {one.name: one.all_tags for one in await api.users()} == {
        "guest": ["administrator"], "viewer": ["management"], "nobody": [],
    }  # fmt: skip
    assert ("viewer", "/", "^$") in [(one.user, one.vhost, one.write) for one in await api.permissions()]


async def test_a_user_is_changed_and_what_is_not_given_stays(rabbit: Rabbit, api: Management) -> None:
    await api.set_user("ann", "first", ["management"])
    await api.set_permission(Permission("ann", "/", "", "", ".*"))
    await api.set_user("ann", None, ["monitoring"])  # without the hash of the present one nobody could log in
    await api.set_user("ann", None, None)
    made = rabbit.management(Login("ann", "first"))
    assert (await made.overview()).rabbitmq_version
    await made.close()
    await api.set_user("ann", "second", None)
    assert [one.all_tags for one in await api.users() if one.name == "ann"] == [["monitoring"]]
    made = rabbit.management(Login("ann", "first"))
    with pytest.raises(ProblemError) as caught:
        await made.overview()
    assert caught.value.problem.cause is Cause.CREDENTIALS
    await made.close()
    await api.delete_permission("/", "ann")
    assert "ann" not in [one.user for one in await api.permissions("/")]
    await api.delete_user("ann")
    with pytest.raises(Refused) as gone:
        await api.delete_user("ann")
    assert gone.value.problem.what == "There is no user ann"


async def test_amqp_alone_changes_what_is_named(rabbit: Rabbit, api: Management) -> None:
    broker = await open_broker(rabbit.way(), LOGIN)
    named, reads = ByName(broker, writes=True), ByName(broker, writes=False)
    try:
        await named.declare_queue("/", "by-name", {"x-queue-type": "classic"})
        await named.declare_exchange("/", "by-name-x", "direct", {"alternate-exchange": "amq.fanout"})
        await named.bind("/", "by-name-x", "by-name", "k", {})
        await named.bind("/", "by-name-x", "amq.topic", "t", {}, kind="exchange")
        found = {(one.destination, one.routing_key) for one in await api.bindings("/") if one.source == "by-name-x"}
        assert found == {("by-name", "k"), ("amq.topic", "t")}
        with pytest.raises(Refused) as caught:
            await named.declare_queue("/", "by-name", {"x-queue-type": "quorum"})
        assert caught.value.code == 406
        assert "received 'quorum' but current is 'classic'" in caught.value.problem.evidence.replace("the value ", "")
        await named.bind("/", "by-name-x", "by-name", "h", {"x-match": "all", "colour": "red"})
        await named.there("by-name-x", "by-name")
        await named.unbind("by-name-x", "by-name", "k", {})
        await named.unbind("by-name-x", "by-name", "h", {})  # with other arguments it is another binding
        await named.unbind("by-name-x", "amq.topic", "t", {}, kind="exchange")
        found = {(one.destination, one.routing_key) for one in await api.bindings("/") if one.source == "by-name-x"}
        assert found == {("by-name", "h")}
        for asked in (named.queue("/", "nix"), named.delete_queue("/", "nix"), named.delete_exchange("/", "nix"),
                      named.there("by-name-x", "nix"), named.there("nix", "by-name")):  # fmt: skip
            with pytest.raises(Refused) as caught:
                await asked
            assert caught.value.code == 404
        for asked in (reads.declare_queue("/", "no", {}), reads.purge_queue("/", "by-name"),
                      reads.unbind("by-name-x", "by-name", "h", {})):  # fmt: skip
            with pytest.raises(ProblemError, match="was not sent"):
                await asked
        told = await reads.queue("/", "by-name")
        assert (told.messages_ready, told.messages_unacknowledged, told.consumers) == (0, None, 0)
        with pytest.raises(Refused, match="in use"):
            await named.delete_exchange("/", "by-name-x", if_unused=True)
        await named.delete_queue("/", "by-name", if_empty=True, if_unused=True)
        await named.delete_exchange("/", "by-name-x")
        assert "by-name" not in [one.name for one in (await api.queues(vhost="/")).items]
    finally:
        await broker.close()


@pytest.mark.parametrize(
    ("login", "cause"), [(Login("guest", "wrong"), Cause.CREDENTIALS), (Login("nobody", "n"), Cause.CREDENTIALS)]
)
async def test_who_is_not_let_in(rabbit: Rabbit, login: Login, cause: Cause) -> None:
    made = rabbit.management(login)
    with pytest.raises(ProblemError) as caught:
        await made.overview()
    assert caught.value.problem.cause is cause
    assert "wrong" not in str(caught.value.problem)
    await made.close()


async def test_what_one_may_not(rabbit: Rabbit, api: Management) -> None:
    made = rabbit.management(Login("viewer", "v"))
    for asked in (made.nodes(), made.users(), made.declare_queue("/", "mine", {}), made.queues(vhost="t")):
        with pytest.raises(Refused) as caught:
            await asked
        assert caught.value.problem.cause is Cause.FORBIDDEN, caught.value.problem
        assert "viewer may not reach" in caught.value.problem.what
    await made.close()


async def test_the_gate(rabbit: Rabbit) -> None:
    made = rabbit.management(writes=False)
    with pytest.raises(ProblemError) as caught:
        await made.declare_queue("/", "q", {})
    assert caught.value.problem.cause is Cause.FORBIDDEN
    with pytest.raises(Refused) as absent:
        await made.queue("/", "q")
    assert absent.value.problem.cause is Cause.ABSENT
    assert absent.value.problem.what == "There is no queue q in the virtual host /"
    await made.close()


async def test_health_and_what_3_10_does_not_know(api: Management) -> None:
    found = {one.name.partition("/")[0]: one for one in await api.checks()}
    assert found["alarms"].well is True
    assert found["node-is-quorum-critical"].well is True
    assert found["is-in-service"].well is None
    assert "does not tell (since 4.1)" in found["is-in-service"].says
    with pytest.raises(Refused) as caught:
        await api.deprecated()
    assert caught.value.code == 404
    assert {"quorum_queue", "stream_queue"} <= {one.name for one in await api.feature_flags()}


async def test_an_alarm_is_told_by_check_and_node(api: Management, rabbit: Rabbit) -> None:
    rabbit.ctl("set_disk_free_limit", "900000000000000")
    try:

        async def alarm() -> bool:
            return (await api.check("alarms")).well is False

        await until(alarm, "an alarm")
        assert "alarm" in (await api.check("alarms")).says
    finally:
        rabbit.ctl("set_disk_free_limit", "50MB")


async def test_definitions_go_out_and_in(api: Management) -> None:
    await api.declare_queue("t", "q", {"x-max-length": 1})
    await api.declare_exchange("t", "x", "direct", {})
    await api.bind("t", "x", "q", "k", {})
    whole = await api.definitions("t")
    await api.delete_queue("t", "q")
    here = await api.definitions("t")
    assert {(one.part, one.name) for one in differences(here, whole, "t") if one.change is Change.ADDED} == {
        ("queues", "t: q"), ("bindings", "t: x → queue q (k)"),
    }  # fmt: skip
    await api.put_definitions(whole, "t")
    assert {one.change for one in differences(await api.definitions("t"), whole, "t")} == {Change.SAME}
    everything = await api.definitions()
    assert any("password_hash" in one for one in everything["users"])
    assert not any("password_hash" in one for one in without_secrets(everything)["users"])


async def test_if_empty_and_if_unused(api: Management, rabbit: Rabbit) -> None:
    await api.declare_queue("t", "q", {})
    await api.declare_exchange("t", "x", "direct", {})
    await api.bind("t", "x", "q", "k", {})
    broker = await open_broker(rabbit.way(), Login("guest", "guest", "t"))
    async with broker.lane() as lane:
        await lane.basic_publish(b"one", exchange="x", routing_key="k")
    await broker.close()
    with pytest.raises(Refused):
        await api.delete_queue("t", "q", if_empty=True)
    with pytest.raises(Refused):
        await api.delete_exchange("t", "x", if_unused=True)

    async def counted() -> bool:
        return (await api.queue("t", "q")).messages_ready == 1

    await until(counted, "the message is counted")
    await api.purge_queue("t", "q")
    await api.delete_queue("t", "q", if_empty=True)


async def test_a_port_that_is_not_the_api(rabbit: Rabbit) -> None:
    """Somebody else's HTML, a failure in JSON, and a port that speaks AMQP."""

    async def fails(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        said = b'{"error":"internal_server_error","reason":"badmatch"}'
        writer.write(b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\n")
        writer.write(b"Content-Length: %d\r\n\r\n%b" % (len(said), said))
        await writer.drain()
        writer.close()

    async def html(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nContent-Length: 14\r\n\r\n<h1>\x1b[31m</h1>"
        )
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(html, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    failing = await asyncio.start_server(fails, "127.0.0.1", 0)
    failed = failing.sockets[0].getsockname()[1]

    async def to(number: int) -> LocalWay:
        return LocalWay(number)

    for number, cause in ((port, Cause.PROTOCOL), (failed, Cause.SERVER), (rabbit.amqp, Cause.UNREACHABLE)):
        made = Management(lambda number=number: to(number), LOGIN)
        with pytest.raises(ProblemError) as caught:
            await made.overview()
        assert caught.value.problem.cause is cause, caught.value.problem
        assert cause is not Cause.SERVER or caught.value.problem.evidence == "badmatch"
        await made.close()
    server.close()
    failing.close()


def test_statistics_may_be_disabled() -> None:
    async def look(node: Rabbit) -> None:
        api = node.management()
        await api.declare_queue("/", "q", {})
        await api.declare_queue("/", "quorum", {"x-queue-type": "quorum"})
        broker = await open_broker(node.way(), LOGIN)
        async with broker.lane() as lane:
            await lane.basic_publish(b"one", exchange="", routing_key="q")
        await broker.close()

        async def counted() -> bool:
            return (await api.queues()).items[0].messages == 1  # the other one's name is behind

        await until(counted, "messages are counted")
        one, other = (await api.queues()).items
        assert (other.name, other.kind, other.messages) == ("quorum", "quorum", 0)
        assert (one.name, one.rate("publish"), one.memory) == ("q", None, None), "what nobody counts is unknown, not 0"
        told = await api.about()
        assert told.rabbitmq_version and not told.disable_stats, "it was not asked whether there are statistics"
        assert (await api.overview()).disable_stats
        assert (await api.queue("/", "q")).messages_ready == 1
        await api.close()

    with queue_servers.rabbitmq("management_agent.disable_metrics_collector = true") as node:
        asyncio.run(look(node))
