"""What becomes of a connection that fails: made again elsewhere when nobody can have seen it, else reset."""

from __future__ import annotations

import asyncio
import random
import time

import msgspec
import pytest
from fake_forward import BOTH, REFUSED, Answer, Bench, frame, until
from fake_forward_apps import Sink, closes, echo, says, silent
from test_spdy import data
from worlds import make

from tui.kube import times
from tui.kube.forward.forward import YOUNG
from tui.kube.forward.remote import SPDY, V4
from tui.kube.forward.targets import ServiceTarget
from tui.kube.forward.views import State
from tui.problem import Cause, ProblemError

pytestmark = pytest.mark.parametrize("protocol", BOTH)
NOISE = random.Random(9).randbytes(1 << 20)


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    """Attempts follow each other quickly."""
    monkeypatch.setattr("tui.kube.forward.attempts.FIRST_PAUSE", 0.02)


def service(bench: Bench, *pods: str, port: int = 7, **options):
    """A forward to a Service with these pods."""
    endpoints = [
        {"conditions": {"ready": True}, "targetRef": {"kind": "Pod", "name": name, "uid": f"uid-{name}"}}
        for name in pods
    ]
    bench.world.put(make("Service", "db", spec={"selector": {"app": "db"}, "ports": [{"port": port}]}))
    bench.world.put(
        make("EndpointSlice", "db-x", labels={"kubernetes.io/service-name": "db"}, endpoints=endpoints,
             ports=[{"name": "", "port": port}])
    )  # fmt: skip
    return bench.book.add(ServiceTarget(bench.store, "shop", "db", port), **options)


def dialled(bench: Bench) -> list[str]:
    """The pods whose port was dialled, in order."""
    found = []
    for socket in bench.server.sockets:
        session = getattr(socket, "session", None)
        found += [socket.pod] * (len(session.opened) if session is not None else 1)
    return found


@pytest.mark.parametrize("size", [0, 5, 60_000])
@pytest.mark.parametrize("split", [False, True])
async def test_what_the_first_pod_refuses_goes_to_another_one(protocol, size, split):
    async with Bench(protocol=protocol) as bench:
        bench.put("db-0")
        bench.put("db-1")
        bench.server.split = split
        bench.server.serve(7, REFUSED.format(port=7), "db-0")
        sink = Sink()

        async def app(reader, writer):
            writer.write(b"hello")
            await sink(reader, writer)

        bench.server.serve(7, app, "db-1")
        forward = service(bench, "db-0", "db-1")
        reader, writer = await bench.through_port(forward)
        writer.write(NOISE[:size])
        assert await asyncio.wait_for(reader.readexactly(5), 20) == b"hello"
        writer.write(b"more")
        await until(lambda: bytes(sink.got[0]) == NOISE[:size] + b"more")
        assert set(dialled(bench)) == {"db-0", "db-1"} and len(sink.got) == 1
        assert forward.view().tunnels[0].pod.pod == "db-1" and forward.view().tunnels[0].sent == size + 4
        writer.close()
        await until(lambda: not forward.view().tunnels)
        assert (forward.view().failures, forward.state) == (0, State.READY)


async def test_more_than_can_be_kept_is_not_sent_again(protocol):
    async with Bench(protocol=protocol) as bench:
        bench.put("db-0")
        bench.put("db-1")
        began = asyncio.Event()

        async def slow_refusal(*_: object):
            await began.wait()
            raise ConnectionRefusedError(REFUSED.format(port=7))

        bench.server.connect = slow_refusal
        forward = service(bench, "db-0", "db-1")
        reader, writer = await bench.through_port(forward)
        await until(lambda: bench.server.sockets and forward.view().tunnels[0].phase == "open")
        writer.write(NOISE)
        await until(lambda: forward.view().sent > 1 << 16)
        began.set()
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(), 20)
        assert set(dialled(bench)) == {"db-0"}
        assert "refuses connections" in forward.reason and forward.view().failures == 1
        writer.close()


async def test_more_than_can_be_kept_while_connecting_waits_and_nothing_is_lost(protocol):
    async with Bench(protocol=protocol) as bench:
        sink = Sink()
        bench.server.serve(7, sink)
        forward = bench.to(7)
        _, writer = await bench.through_port(forward)
        writer.write(NOISE)
        await asyncio.sleep(0.1)
        assert 1 << 16 <= forward.view().sent < len(NOISE)
        assert forward.view().state is State.WAITING and "does not exist" in forward.reason
        bench.put("db-0")
        await until(lambda: sink.got and len(sink.got[0]) == len(NOISE))
        assert sink.got == [NOISE]
        writer.close()


@pytest.mark.parametrize("before", ["", "x"])
async def test_after_a_byte_has_come_back_nothing_is_sent_again(protocol, before):
    async with Bench(protocol=protocol) as bench:
        bench.put("db-0")
        bench.put("db-1")
        bench.server.serve(7, echo)
        forward = service(bench, "db-0", "db-1")
        reader, writer = await bench.through_port(forward)
        writer.write(b"x")
        assert await reader.readexactly(1) == b"x"
        socket = bench.server.sockets[0]
        if protocol == V4:
            bench.server.say(socket, REFUSED.format(port=7))
            socket.close()
        else:
            await socket.session.end(1, 3, REFUSED.format(port=7))
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(), 20)
        assert set(dialled(bench)) == {"db-0"}
        writer.close()


@pytest.mark.parametrize(
    ("words", "sent", "again"),
    [
        ("read: connection reset by peer", b"", True),
        ("read: connection reset by peer", b"BEGIN", False),
        ("something \x1b[31mnew\u202e", b"BEGIN", False),
        ("container not running", b"BEGIN", True),
    ],
    ids=["reset before bytes", "reset", "unknown", "never connected"],
)
async def test_only_a_refusal_is_made_again_when_bytes_were_sent(protocol, words, sent, again):
    async with Bench(protocol=protocol) as bench:
        bench.put("db-0")
        bench.put("db-1")
        bench.server.serve(7, silent)
        forward = service(bench, "db-0", "db-1")
        reader, writer = await bench.through_port(forward)
        writer.write(sent)
        await until(lambda: bench.server.sockets and forward.view().sent == len(sent))
        await asyncio.sleep(0.02)
        socket = bench.server.sockets[0]
        bench.server.serve(7, says(b"here"), "db-1")
        if protocol == V4:
            bench.server.say(socket, words)
            socket.close()
        else:
            await until(lambda: socket.session.opened)
            await asyncio.sleep(0.02)
            await socket.session.end(1, 3, words)
        if again:
            writer.write(b"\n")
            assert await asyncio.wait_for(reader.readline(), 20) == b"here\n"
        else:
            with pytest.raises(ConnectionResetError):
                await asyncio.wait_for(reader.read(), 20)
            assert forward.view().evidence == words, "verbatim: the screen makes it harmless"
            assert forward.view().recent[0].why == words
        writer.close()


@pytest.mark.parametrize("way", ["drop", "1011", "1001"])
async def test_a_way_that_is_lost_before_any_byte_is_found_again(protocol, way):
    async with Bench(protocol=protocol) as bench:
        bench.put("db-0")  # there is no other
        bench.server.serve(7, silent)
        forward = bench.to(7)
        reader, writer = await bench.through_port(forward)
        await until(lambda: bench.server.sockets)
        await asyncio.sleep(0.02)
        bench.server.serve(7, says(b"here"), "db-0")
        for socket in bench.server.sockets:
            if way == "drop":
                socket.drop()
            else:
                socket.close(int(way))
        await asyncio.sleep(0.02)
        writer.write(b"\n")
        assert await asyncio.wait_for(reader.readline(), 20) == b"here\n"
        assert forward.view().failures == 0
        writer.close()


async def test_a_way_that_is_lost_leads_to_another_pod_where_there_is_one(protocol):
    async with Bench(protocol=protocol) as bench:
        bench.put("db-0")
        bench.put("db-1")
        bench.server.serve(7, says(b"first"), "db-0")
        bench.server.serve(7, says(b"second"), "db-1")
        forward = service(bench, "db-0", "db-1")
        reader, writer = await bench.through_port(forward)
        await until(lambda: bool(dialled(bench)))
        await asyncio.sleep(0.02)
        for socket in bench.server.sockets:
            socket.drop()
        await asyncio.sleep(0.02)
        writer.write(b"\n")
        assert await asyncio.wait_for(reader.readline(), 20) == b"second\n"
        writer.close()


@pytest.mark.parametrize("way", ["drop", "1011", "1001", "noise"])
async def test_a_way_that_is_lost_after_a_byte_is_a_reset(protocol, way):
    async with Bench(protocol=protocol) as bench:
        bench.put("db-0")
        bench.server.serve(7, echo)
        forward = bench.to(7)
        reader, writer = await bench.through_port(forward)
        writer.write(b"x")
        await reader.readexactly(1)
        before = len(dialled(bench))
        socket = bench.server.sockets[0]
        if way == "drop":
            socket.drop()
        elif way == "noise":
            socket.writer.write(b"\xff" * 20)
        else:
            socket.close(int(way), "why \x1b[2J")
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(), 20)
        recent = forward.view().recent[0]
        assert not recent.clean and recent.why
        assert not way.isdecimal() or "why \x1b[2J" in recent.why
        assert len(dialled(bench)) == before
        writer.close()


async def test_an_error_that_is_followed_by_nothing_ends_it_too(protocol, monkeypatch):
    monkeypatch.setattr("tui.kube.forward.tunnel.LAST_WORDS", 0.05)
    async with Bench(protocol=protocol) as bench:
        bench.put("db-0")
        bench.server.serve(7, echo)
        forward = bench.to(7)
        reader, writer = await bench.through_port(forward)
        writer.write(b"x")
        await reader.readexactly(1)
        socket = bench.server.sockets[0]
        if protocol == V4:
            bench.server.say(socket, "an error")
        else:
            await socket.session.send(data(b"an error", 1, fin=True))
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(), 20)
        assert forward.evidence == "an error"
        writer.close()


async def test_an_error_without_words_is_an_error(protocol):
    if protocol == SPDY:
        pytest.skip("there it is known by its end")
    async with Bench(protocol=protocol) as bench:
        bench.put("db-0")
        bench.server.serve(7, echo)
        forward = bench.to(7)
        reader, writer = await bench.through_port(forward)
        writer.write(b"x")
        await reader.readexactly(1)
        bench.server.sockets[0].writer.write(frame(b"\1\n"))
        bench.server.sockets[0].close()
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(), 20)
        assert not forward.view().recent[0].clean
        writer.close()


async def test_a_port_that_refuses_for_good_is_told_at_once(protocol):
    async with Bench(protocol=protocol) as bench:
        bench.put("db-0")
        forward = bench.to(7)
        began = asyncio.get_running_loop().time()
        with pytest.raises(ProblemError, match="refuses connections"):
            connection = await forward.connect()  # the refusal may come behind the connection
            reader, writer = await connection.streams()
            assert await asyncio.wait_for(reader.read(), 20) == b""  # a socket pair knows no reset
            writer.close()
            await connection.tunnel.attached()
        assert asyncio.get_running_loop().time() - began < 1
        assert forward.state is State.DEGRADED and "nothing listens" in forward.reason
        assert forward.evidence == REFUSED.format(port=7)
        assert forward.view().failures == 1 and len(dialled(bench)) == 1


async def test_a_pod_that_has_only_just_started_is_asked_again(protocol):
    async with Bench(protocol=protocol) as bench:
        made = bench.put("db-0")
        started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        assert time.time() - times.parse(started) < YOUNG
        raw = msgspec.to_builtins(made)
        raw["status"]["containerStatuses"][0]["state"]["running"]["startedAt"] = started
        raw["metadata"]["resourceVersion"] = "next"
        bench.world.put(msgspec.convert(raw, type(made)))
        forward = bench.to(7)
        reader, writer = await bench.through_port(forward)
        writer.write(b"early\n")
        await until(lambda: len(dialled(bench)) >= 2)
        bench.server.serve(7, says(b"here"))
        assert await asyncio.wait_for(reader.readline(), 20) == b"here\n"
        writer.close()


async def test_patience_ends_for_a_pod_that_goes_on_refusing(protocol):
    async with Bench(protocol=protocol) as bench:
        bench.put("db-0", status={"conditions": [{"type": "Ready", "status": "True"}],
                                  "containerStatuses": [{"name": "db", "state": {}}]})  # fmt: skip
        forward = bench.to(7, patience=0.3)
        reader, writer = await bench.through_port(forward)
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(), 20)
        assert len(dialled(bench)) > 1 and "refuses" in forward.reason
        writer.close()


async def test_a_failing_api_server_is_asked_again_until_patience_ends(protocol):
    async with Bench(protocol=protocol) as bench:
        bench.put("db-0")
        bench.server.serve(7, says(b"here"))
        bench.server.refuse[""] = [Answer(503, "not yet"), Answer(0), Answer(429, "slow down"), Answer(-1)]
        forward = bench.to(7)
        reader, writer = await bench.through_port(forward)
        writer.write(b"\n")
        assert await asyncio.wait_for(reader.readline(), 20) == b"here\n"
        writer.close()
        await until(lambda: not forward.view().tunnels)
        bench.server.refuse[""] = [Answer(503, "no more")]
        for socket in bench.server.sockets:
            socket.drop()
        await asyncio.sleep(0.05)
        forward.patience = 0.3
        with pytest.raises(ProblemError) as caught:
            await forward.connect()
        assert (caught.value.problem.cause, caught.value.problem.evidence) == (Cause.SERVER, "no more")


async def test_an_application_that_closes_at_once_is_no_failure(protocol):
    async with Bench(protocol=protocol) as bench:
        bench.put("db-0")
        bench.server.serve(7, closes)
        forward = bench.to(7)
        reader, writer = await bench.through_port(forward)
        assert await asyncio.wait_for(reader.read(), 20) == b""
        writer.close()
        await until(lambda: not forward.view().tunnels)
        assert forward.view().failures == 0 and len(dialled(bench)) == 1
