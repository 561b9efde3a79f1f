"""Connections in memory: bytes, ends, stalls and resets, through a fake API server in both protocols."""

from __future__ import annotations

import asyncio
import random

import pytest
from fake_forward import BOTH, Bench, until
from fake_forward_apps import Sink, closes, echo, silent, source

from tui.kube.forward import direct
from tui.problem import ProblemError
from tui.services.bucket.transfers import pipes
from tui.services.bucket.transfers.pipes import StreamPipe

pytestmark = pytest.mark.parametrize("protocol", BOTH)
NOISE = random.Random(7).randbytes(3 << 20)


async def received(end: direct.DirectEnd, size: int, step: int = 1 << 20) -> bytes:
    got = bytearray()
    while len(got) < size:
        view = memoryview(bytearray(min(step, size - len(got))))
        count = await asyncio.wait_for(end.receive_into(view, len(view)), 20)
        got += view[:count]
        if count < len(view):
            break
    return bytes(got)


@pytest.mark.parametrize("step", [1, 70_001, 1 << 20])
async def test_bytes_go_both_ways_as_they_were_sent(protocol, step):
    async with Bench(protocol=protocol) as bench:
        bench.put("db-0")
        bench.server.serve(7, echo)
        forward = bench.to(7)
        end, tunnel = await direct.connect(forward)
        body = NOISE[:3000] if step == 1 else NOISE
        sending = asyncio.create_task(end.send(memoryview(body)))
        assert await received(end, len(body), step) == body
        await sending
        assert (tunnel.sent, tunnel.received, end.moved) == (len(body), len(body), 2 * len(body))
        end.drop()
        await until(lambda: not forward.view().tunnels)
        assert forward.view().recent[0].why == "closed by the program" and forward.view().failures == 0


async def test_what_the_application_sent_before_it_closed_is_read_to_its_end(protocol):
    async with Bench(protocol=protocol) as bench:
        bench.put("db-0")
        bench.server.serve(7, source(NOISE))
        end, _ = await direct.connect(bench.to(7))
        await asyncio.wait_for(end.send(memoryview(b"\n")), 5)
        got = await received(end, len(NOISE) + 1)
        assert len(got) == len(NOISE)
        assert await end.receive_into(memoryview(bytearray(1)), 1) == 0 and end.stale()
        with pytest.raises(BrokenPipeError):
            await end.send(memoryview(b"more"))


async def test_who_does_not_read_is_not_sent_more_than_fits(protocol):
    async with Bench(protocol=protocol) as bench:
        bench.put("db-0")
        bench.server.serve(7, source(bytes(64 << 20)))
        end, tunnel = await direct.connect(bench.to(7))
        await end.send(memoryview(b"\n"))
        await until(lambda: tunnel.view().stalled == "program")
        held = end.waiting
        await asyncio.sleep(0.1)
        assert held > direct.HIGH_WATER and end.waiting <= direct.HIGH_WATER + (1 << 20)
        assert len(await received(end, 64 << 20)) == 64 << 20
        end.drop()


async def test_a_sender_waits_while_the_application_does_not_read(protocol):
    async with Bench(protocol=protocol) as bench:
        bench.put("db-0")
        app = Sink()
        app.gate.clear()
        bench.server.serve(7, app)
        end, tunnel = await direct.connect(bench.to(7))
        sending = asyncio.create_task(end.send(memoryview(bytes(64 << 20))))
        await until(lambda: tunnel.view().stalled == "application")
        assert not sending.done() and tunnel.sent < 32 << 20
        app.gate.set()
        await until(lambda: tunnel.sent == 64 << 20)
        await asyncio.wait_for(sending, 5)
        app.gate.clear()
        sending = asyncio.create_task(end.send(memoryview(bytes(64 << 20))))
        await asyncio.sleep(0)
        end.drop()
        with pytest.raises(BrokenPipeError):
            await asyncio.wait_for(sending, 5)


async def test_a_pod_that_goes_resets_who_reads(protocol):
    async with Bench(protocol=protocol) as bench:
        bench.put("db-0")
        bench.server.serve(7, silent)
        end, tunnel = await direct.connect(bench.to(7))
        reading = asyncio.create_task(end.receive_into(memoryview(bytearray(8)), 8))
        await asyncio.sleep(0)
        tunnel.evict("pod db-0 is gone")
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reading, 5)
        assert end.stale()


async def test_a_pod_that_closes_at_once_is_no_error_of_reading(protocol):
    async with Bench(protocol=protocol) as bench:
        bench.put("db-0")
        bench.server.serve(7, closes)
        end, _ = await direct.connect(bench.to(7))
        assert await asyncio.wait_for(end.receive_into(memoryview(bytearray(8)), 8), 5) == 0


async def test_without_a_pod_nothing_is_left(protocol):
    async with Bench(protocol=protocol) as bench:
        forward = bench.to(7, patience=0.05)
        with pytest.raises(ProblemError):
            await direct.connect(forward)
        await until(lambda: not forward.view().tunnels)


async def test_a_pipe_gives_up_where_nothing_moves_and_not_where_it_is_slow(protocol, monkeypatch):
    monkeypatch.setattr(pipes, "IDLE", 0.2)
    async with Bench(protocol=protocol) as bench:
        bench.put("db-0")
        bench.server.serve(7, echo)
        end, _ = await direct.connect(bench.to(7))
        pipe = StreamPipe(end)
        view = memoryview(bytearray(12))
        reading = asyncio.create_task(pipe.receive_into(view, 0.5))
        for _ in range(6):  # 1.2 s in all, never more than 0.2 s without a byte
            await end.send(memoryview(b"ab"))
            await asyncio.sleep(0.2)
        assert await asyncio.wait_for(reading, 5) == 12 and bytes(view) == b"ab" * 6
        with pytest.raises(TimeoutError, match="nothing came for"):
            await asyncio.wait_for(pipe.receive(0.5), 20)
        assert pipe.stale()
        pipe.close()
