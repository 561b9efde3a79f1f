"""Tunnels end to end: bytes, ends and stalls, through a fake API server in both protocols."""

from __future__ import annotations

import asyncio
import random
import socket

import pytest
from fake_forward import BOTH, Answer, Bench, until
from fake_forward_apps import Sink, closes, echo, resets, silent, source, speaks_first

from tui.kube.forward import tunnel as tunnels
from tui.kube.forward.forward import Forward
from tui.kube.forward.listener import UnixAddress
from tui.kube.forward.views import Phase, State

pytestmark = pytest.mark.parametrize("protocol", BOTH)
NOISE = random.Random(5).randbytes(3 << 20)


async def connect(bench: Bench, forward: Forward, way: str, folder):
    if way == "pair":
        return await (await forward.connect()).streams()
    if way == "port":
        return await bench.through_port(forward)
    await forward.listen(UnixAddress(folder / "s"))
    return await asyncio.open_unix_connection(str(folder / "s"))


@pytest.mark.parametrize("way", ["pair", "port", "unix"])
@pytest.mark.parametrize("split", [False, True])
async def test_bytes_go_both_ways_as_they_were_sent(protocol, way, split, tmp_path):
    async with Bench(protocol=protocol) as bench:
        bench.put("db-0")
        bench.server.split = split
        bench.server.early = not split
        bench.server.serve(7, echo)
        forward = bench.to(7)
        reader, writer = await connect(bench, forward, way, tmp_path)
        body = NOISE[: 100_000 if split else len(NOISE)]

        async def send():
            rng, at = random.Random(6), 0
            while at < len(body):
                size = rng.choice([1, 124, 125, 126, 1000, 65_535, 65_536, 200_000])
                writer.write(body[at : at + size])
                at += size
                await writer.drain()

        sending = asyncio.create_task(send())
        assert await asyncio.wait_for(reader.readexactly(len(body)), 20) == body
        await sending
        view = forward.view()
        assert (view.sent, view.received, view.connections) == (len(body), len(body), 1)
        assert view.tunnels[0].phase is Phase.OPEN and view.tunnels[0].pod.pod == "db-0"
        writer.close()
        await until(lambda: not forward.view().tunnels)
        assert forward.view().recent[0].clean and forward.view().failures == 0
        assert forward.view().recent[0].why == "closed by the program"


@pytest.mark.parametrize("way", ["pair", "port"])
async def test_a_program_that_half_closes_gets_all_of_the_answer(protocol, way, tmp_path):
    async with Bench(protocol=protocol) as bench:
        bench.put("db-0")

        async def slowly(reader, writer):
            await reader.read(1)
            for at in range(0, len(NOISE), 1 << 20):
                await asyncio.sleep(0.05)
                writer.write(NOISE[at : at + (1 << 20)])
                await writer.drain()

        bench.server.serve(7, slowly)
        forward = bench.to(7)
        reader, writer = await connect(bench, forward, way, tmp_path)
        writer.write(b"?")
        writer.write_eof()
        await until(lambda: forward.view().tunnels[0].phase is Phase.LINGERING)
        assert await asyncio.wait_for(reader.read(), 10) == NOISE
        await until(lambda: not forward.view().tunnels)
        assert (forward.view().recent[0].clean, forward.view().failures) == (True, 0)
        writer.close()


async def test_a_lingering_tunnel_ends_when_nothing_comes_and_nobody_knows_who_waits(protocol, monkeypatch):
    monkeypatch.setattr(tunnels, "LOOKS", (0.02,))
    monkeypatch.setattr("tui.kube.forward.sockdiag.orphaned", lambda *_: None)
    monkeypatch.setattr(tunnels, "LINGER", 0.2)
    async with Bench(protocol=protocol) as bench:
        bench.put("db-0")
        bench.server.serve(7, silent)
        forward = bench.to(7)
        reader, writer = await bench.through_port(forward)
        writer.write(b"?")
        writer.write_eof()
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(), 20)
        assert "nothing has come" in forward.view().recent[0].why and not forward.view().recent[0].clean
        writer.close()


@pytest.mark.skipif(not hasattr(socket, "AF_NETLINK"), reason="the kernel cannot be asked who holds a socket")
async def test_a_program_that_waits_is_not_given_up_however_long_it_takes(protocol, monkeypatch):
    monkeypatch.setattr(tunnels, "LOOKS", (0.02,))
    monkeypatch.setattr(tunnels, "LINGER", 0.1)

    async def late(reader, writer):
        await reader.readexactly(1)
        await asyncio.sleep(0.8)
        writer.write(NOISE)
        writer.close()

    async with Bench(protocol=protocol) as bench:
        bench.put("db-0")
        bench.server.serve(7, late)
        reader, writer = await bench.through_port(bench.to(7))
        writer.write(b"?")
        writer.write_eof()
        assert await asyncio.wait_for(reader.read(), 20) == NOISE
        writer.close()


async def test_the_end_of_a_server_whose_pod_is_deleted_is_no_end_of_its_data(protocol):
    async def cut(reader, writer):
        await reader.readexactly(1)
        writer.write(NOISE[:1000])
        writer.close()  # as the kernel does for a process that is killed

    async with Bench(protocol=protocol) as bench:
        bench.put("db-0")
        bench.server.serve(7, cut)
        forward = bench.to(7)
        reader, writer = await bench.through_port(forward)
        await until(lambda: forward.view().tunnels[0].phase is Phase.OPEN)
        bench.put("db-0", deletionTimestamp="2026-01-01T00:00:01Z")
        writer.write(b"?")
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(read_all(reader), 20)
        assert bytes(reader._buffer) == b"" and forward.view().recent[0].received == 1000
        assert not forward.view().recent[0].clean and "being deleted" in forward.view().recent[0].why
        writer.close()


async def read_all(reader):
    while await reader.read(100):
        pass


async def test_a_refusing_port_stays_degraded_until_something_answers(protocol, monkeypatch):
    async with Bench(protocol=protocol) as bench:
        bench.put("db-0")
        forward = bench.to(7)
        states = []
        forward.on_change.append(lambda: states.append(forward.state))
        for _ in range(3):
            reader, writer = await bench.through_port(forward)
            with pytest.raises(ConnectionResetError):
                await asyncio.wait_for(reader.read(), 20)
            writer.close()
        since = forward.since
        assert State.READY not in states[states.index(State.DEGRADED) :]
        bench.server.serve(7, echo)
        reader, writer = await bench.through_port(forward)
        writer.write(b"hi")
        assert await reader.readexactly(2) == b"hi"
        assert forward.state is State.READY and forward.since > since
        writer.close()


@pytest.mark.parametrize("way", ["pair", "port", "unix"])
async def test_a_program_that_is_gone_is_noticed_although_it_only_sent_a_fin(protocol, way, tmp_path):
    async with Bench(protocol=protocol) as bench:
        bench.put("db-0")
        bench.server.serve(7, silent)
        forward = bench.to(7)
        _, writer = await connect(bench, forward, way, tmp_path)
        writer.write(b"?")
        await until(lambda: forward.view().sent == 1 and forward.view().tunnels[0].phase is Phase.OPEN)
        writer.close()
        await until(lambda: not forward.view().tunnels)
        assert forward.view().recent[0].why == "closed by the program" and forward.view().recent[0].clean


async def test_a_program_that_only_reads_slowly_is_not_taken_for_silence(protocol, monkeypatch):
    monkeypatch.setattr(tunnels, "LOOKS", (0.02,))
    monkeypatch.setattr(tunnels, "LINGER", 0.1)
    async with Bench(protocol=protocol) as bench:
        bench.put("db-0")
        bench.server.serve(7, source(NOISE))
        forward = bench.to(7)
        connection = await forward.connect()
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(connection.socket, b"?")
        connection.socket.shutdown(1)
        await until(lambda: forward.view().tunnels[0].stalled == "program")
        await asyncio.sleep(0.2)
        got = bytearray()
        while piece := await asyncio.wait_for(loop.sock_recv(connection.socket, 1 << 18), 20):
            got += piece
        assert got == NOISE
        connection.socket.close()


async def test_a_program_whose_bytes_nobody_takes_any_more_can_finish(protocol):
    async with Bench(protocol=protocol) as bench:
        bench.put("db-0")
        go = asyncio.Event()

        async def leaves(reader, writer):
            await go.wait()

        bench.server.serve(7, leaves)
        forward = bench.to(7)
        reader, writer = await bench.through_port(forward)
        writer.write(NOISE * 10)
        await until(lambda: forward.view().tunnels and forward.view().tunnels[0].stalled == "application")
        tunnel = next(iter(forward._tunnels.values()))
        tunnel.remote_ended()  # the application closes in order, without having read
        assert await asyncio.wait_for(reader.read(), 20) == b""
        await asyncio.wait_for(writer.drain(), 20)
        go.set()
        writer.close()
        await until(lambda: not forward.view().tunnels)


async def test_a_program_that_is_gone_without_anybody_to_ask_lingers(protocol, monkeypatch):
    monkeypatch.setattr(tunnels, "LOOKS", (0.02,))
    monkeypatch.setattr(tunnels, "LINGER", 0.3)
    monkeypatch.setattr("tui.kube.forward.sockdiag.orphaned", lambda *_: None)
    async with Bench(protocol=protocol) as bench:
        bench.put("db-0")
        bench.server.serve(7, silent)
        forward = bench.to(7)
        _, writer = await bench.through_port(forward)
        writer.write(b"?")
        await until(lambda: forward.view().sent == 1)
        writer.close()
        await asyncio.sleep(0.15)
        assert forward.view().tunnels[0].phase is Phase.LINGERING
        await until(lambda: not forward.view().tunnels)


@pytest.mark.parametrize("size", [1000, 300_000])
async def test_what_a_program_sent_before_it_went_arrives(protocol, size, monkeypatch):
    monkeypatch.setattr(tunnels, "LOOKS", (0.02,))
    async with Bench(protocol=protocol) as bench:
        bench.put("db-0")
        sink = Sink()
        bench.server.serve(7, sink)
        bench.server.refuse[""] = [_slow(0.1)]
        forward = bench.to(7)
        _, writer = await bench.through_port(forward)
        writer.write(NOISE[:size])
        writer.close()
        await until(lambda: sink.got and len(sink.got[0]) == size)
        assert sink.got == [NOISE[:size]]
        await until(lambda: not forward.view().tunnels)


def _slow(seconds: float):
    return Answer(-1, after=seconds)


async def test_the_end_of_the_application_reaches_the_program_behind_its_bytes(protocol):
    async with Bench(protocol=protocol) as bench:
        bench.put("db-0")
        bench.server.serve(7, source(NOISE))
        bench.server.serve(8, closes)
        forward = bench.to(7)
        reader, writer = await bench.through_port(forward)
        writer.write(b"?")
        assert await asyncio.wait_for(reader.read(), 10) == NOISE
        assert forward.view().tunnels[0].phase is Phase.LINGERING
        writer.write(b"too late")  # must not become a reset
        await asyncio.sleep(0.05)
        writer.close()
        await until(lambda: not forward.view().tunnels)
        assert forward.view().recent[0].why == "closed by the application"
        reader, writer = await bench.through_port(bench.to(8))
        assert await asyncio.wait_for(reader.read(), 20) == b""
        writer.close()


async def test_a_program_that_does_not_go_after_the_end_is_let_go(protocol, monkeypatch):
    monkeypatch.setattr(tunnels, "LINGER", 0.2)
    async with Bench(protocol=protocol) as bench:
        bench.put("db-0")
        bench.server.serve(7, closes)
        forward = bench.to(7)
        _, writer = await bench.through_port(forward)
        await until(lambda: forward.view().recent)
        assert forward.view().recent[0].clean
        writer.close()


async def test_what_a_slow_reader_has_not_taken_yet_is_not_given_up_with_the_tunnel(protocol):
    async with Bench(protocol=protocol) as bench:
        bench.put("db-0")
        body = NOISE[:400_000]
        bench.server.serve(7, source(body))
        forward = bench.to(7)
        connection = await forward.connect()
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(connection.socket, b"?")
        connection.socket.shutdown(1)
        await until(lambda: forward.view().received == len(body))
        await asyncio.sleep(0.1)  # the far end is over, the rest lies in our buffer
        assert forward.view().tunnels, "the tunnel counts as closed although its bytes are not delivered"
        got = bytearray()
        while piece := await asyncio.wait_for(loop.sock_recv(connection.socket, 1 << 16), 20):
            got += piece
        assert got == body
        connection.socket.close()
        await until(lambda: not forward.view().tunnels)
        assert forward.view().recent[0].clean and forward.view().recent[0].why == "closed by the application"


async def test_a_reset_of_the_application_is_a_reset(protocol):
    async with Bench(protocol=protocol) as bench:
        bench.put("db-0")
        bench.server.serve(7, resets)
        forward = bench.to(7)
        reader, writer = await bench.through_port(forward)
        writer.write(b"hello")
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(), 20)
        view = forward.view()
        assert view.failures == 1 and "reset by peer" in view.recent[0].why and "dropped" in view.reason
        assert len(bench.server.asked) <= 2, "bytes may have been seen: nothing is sent again"
        writer.close()


async def test_a_stalled_reader_holds_the_application_back(protocol):
    async with Bench(protocol=protocol) as bench:
        bench.put("db-0")
        sent = 0

        async def endless(reader, writer):
            nonlocal sent
            while True:
                writer.write(bytes(1 << 16))
                sent += 1 << 16
                await writer.drain()

        bench.server.serve(7, endless)
        forward = bench.to(7)
        connection = await forward.connect()
        await until(lambda: forward.view().tunnels[0].stalled == "program")
        await asyncio.sleep(0.1)
        before = forward.view().received
        await asyncio.sleep(0.1)
        assert forward.view().received == before < 4 << 20
        loop = asyncio.get_running_loop()
        got = 0
        while got < before + (1 << 20):
            got += len(await loop.sock_recv(connection.socket, 1 << 18))
        assert forward.view().tunnels[0].received > before
        connection.socket.close()
        await until(lambda: not forward.view().tunnels)


async def test_a_stalled_application_holds_the_program_back_and_gets_all(protocol):
    async with Bench(protocol=protocol) as bench:
        bench.put("db-0")
        sink = Sink()
        sink.gate.clear()
        bench.server.serve(7, sink)
        forward = bench.to(7)
        body = NOISE * 10
        _, writer = await bench.through_port(forward)

        async def send():
            writer.write(body)
            await writer.drain()
            writer.close()

        sending = asyncio.create_task(send())
        await until(lambda: forward.view().tunnels and forward.view().tunnels[0].stalled == "application")
        await asyncio.sleep(0.1)
        assert forward.view().sent < len(body)
        sink.gate.set()
        await sending
        await until(lambda: sink.got and len(sink.got[0]) == len(body), 10)
        assert sink.got[0] == body


async def test_a_server_that_speaks_first_and_a_program_that_does_not_wait(protocol):
    hello = NOISE[:200_000]
    async with Bench(protocol=protocol) as bench:
        bench.put("db-0")
        bench.server.serve(7, speaks_first(hello))
        bench.server.refuse[""] = [_slow(0.05)]
        forward = bench.to(7)
        for early in (b"x" * 10, NOISE[:100_000]):
            for _ in range(3):  # the second and third on a carrier that lies ready or was used before
                reader, writer = await bench.through_port(forward)
                writer.write(early)
                assert await asyncio.wait_for(reader.readexactly(len(hello)), 20) == hello
                assert await asyncio.wait_for(reader.readexactly(len(early)), 20) == early
                writer.close()
                await until(lambda: not forward.view().tunnels)
