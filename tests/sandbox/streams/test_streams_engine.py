"""statetui's own forwards through the sandbox: the contract of `tests/live/test_forward.py`, with the same peers."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest
from peers import Peers, load
from streams_server import StreamsServer

from tui.kube.api import Api
from tui.kube.context import Context
from tui.kube.forward.book import Forwards
from tui.kube.forward.forward import Forward
from tui.kube.forward.listener import TcpAddress
from tui.kube.forward.remote import SPDY, V4
from tui.kube.forward.targets import PodTarget
from tui.kube.forward.views import Phase, State
from tui.kube.kubeconfig import Cluster
from tui.kube.objects import Pod
from tui.kube.store import Store

MB = 1 << 20
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
peer = load()


class Bench:
    """Forwards to the pod `one` of a server."""

    def __init__(self, server: StreamsServer) -> None:
        self.server = server
        cluster = Cluster(server=server.url, insecure_skip_tls_verify=True)
        self.api = Api(Context("x", "x", "", server.url, namespace="ns", cluster=cluster))
        self.store = Store()
        found = json.loads(json.dumps(server.objects.pods["one"]))
        found["status"]["conditions"] = [{"type": "Ready", "status": "True"}]
        self.store.put("pods", msgspec.json.decode(json.dumps(found), type=Pod))
        self.book = Forwards(self.api, self.store)

    def to(self, port: int) -> Forward:
        return self.book.add(PodTarget(self.store, "ns", "one", port))

    async def until(self, wanted: Callable[[], bool], seconds: float = 20) -> None:
        async with asyncio.timeout(seconds):
            while not wanted():
                await asyncio.sleep(0.02)


@pytest.fixture(params=["spdy", "v4"])
async def bench(
    request: pytest.FixtureRequest, server: StreamsServer, peers: Peers, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Bench]:
    wanted = {"spdy": SPDY, "v4": V4}[request.param]
    monkeypatch.setattr("tui.kube.forward.dial.Dialer._order", lambda _: [wanted])
    monkeypatch.setattr("tui.sandbox.streams.connection.LINGER", 0.1)  # so that the tests do not take a second each
    server.pods.ports = peers.ports
    made = Bench(server)
    try:
        yield made
    finally:
        await made.book.close()
        await made.api.close()
    assert {protocols for *_, protocols in server.requests} <= {wanted}
    await made.until(lambda: all(writer.transport.is_closing() for writer in server.pods.writers), 5)


async def connect(forward: Forward) -> Streams:
    return await (await forward.connect()).streams()


async def through_port(forward: Forward) -> Streams:
    if forward.listener is None:
        await forward.listen(TcpAddress(0))
    assert forward.listener is not None
    return await asyncio.open_connection("127.0.0.1", forward.listener.port)


async def download(streams: Streams, size: int, seed: str, *, half_close: bool = False) -> int:
    """Reads the seed's bytes and compares them. Returns how many came."""
    reader, writer = streams
    writer.write(f"{size} {seed}\n".encode())
    if half_close:
        writer.write_eof()
    got = 0
    for block in peer.blocks(size, seed):
        assert await reader.readexactly(len(block)) == block, f"altered within the 64 KiB at {got}"
        got += len(block)
    assert await reader.read(1) == b""
    writer.close()
    return got


async def upload(streams: Streams, size: int, seed: str, prefix: str = "") -> str:
    """Sends the seed's bytes, and returns the peer's verdict."""
    reader, writer = streams
    writer.write(f"{prefix}{size} {seed}\n".encode())
    for block in peer.blocks(size, seed):
        writer.write(block)
        await writer.drain()
    verdict = (await reader.readline()).decode().strip()
    writer.close()
    return verdict


async def test_bytes_arrive_as_they_were_sent(bench: Bench) -> None:
    down, up = bench.to(peer.SOURCE), bench.to(peer.SINK)
    both: Any = await asyncio.gather(
        *[download(await through_port(down), 3 * MB + 17, f"d{n}") for n in range(3)],
        *[upload(await connect(up), 3 * MB + 17, f"u{n}") for n in range(3)],
    )
    assert both == [3 * MB + 17] * 3 + [f"ok {3 * MB + 17}"] * 3
    assert down.view().failures == 0 and up.view().failures == 0


async def test_a_client_that_half_closes_gets_all(bench: Bench) -> None:
    assert await download(await through_port(bench.to(peer.SOURCE)), 50 * MB, "half", half_close=True) == 50 * MB


async def test_both_directions_at_once(bench: Bench) -> None:
    reader, writer = await through_port(bench.to(peer.ECHO))

    async def send() -> None:
        for block in peer.blocks(8 * MB, "echo"):
            writer.write(block)
            await writer.drain()

    sending = asyncio.create_task(send())
    for block in peer.blocks(8 * MB, "echo"):
        assert await reader.readexactly(len(block)) == block
    await sending
    writer.close()


async def test_a_port_that_refuses(bench: Bench) -> None:
    forward = bench.to(4)
    reader, writer = await through_port(forward)
    writer.write(b"hello")
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(reader.read(), 5)
    # A pod that has only just started would be tried again; this one runs since long.
    assert forward.state is State.DEGRADED
    assert "refuses" in forward.reason and "refused" in forward.evidence


async def test_a_port_that_resets(bench: Bench) -> None:
    forward = bench.to(peer.RESET)
    reader, writer = await through_port(forward)
    writer.write(b"hello")
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(reader.read(), 5)
    assert forward.view().failures == 1


async def test_200_connections_at_once(bench: Bench) -> None:
    forward = bench.to(peer.BYTE)
    await forward.listen(TcpAddress(0))

    async def one() -> asyncio.StreamWriter:
        reader, writer = await through_port(forward)
        assert await reader.readexactly(1) == b"!"
        return writer

    writers = await asyncio.gather(*(one() for _ in range(200)))
    assert forward.view().failures == 0 and len(forward.view().tunnels) == 200
    for writer in writers:
        writer.close()
    await bench.until(lambda: not forward.view().tunnels)


async def test_a_stalled_reader_holds_up_nobody_and_is_not_read_for(bench: Bench) -> None:
    forward = bench.to(peer.ZEROS)
    _, sleeper = await connect(forward)
    sleeper.write(b"1000000000\n")
    await asyncio.sleep(0.5)
    echo = bench.to(peer.ECHO)
    for _ in range(3):
        began = time.monotonic()
        reader, writer = await connect(echo)
        writer.write(b"x" * 64)
        await reader.readexactly(64)
        writer.close()
        assert time.monotonic() - began < 1
    stalled = next(iter(forward.view().tunnels))
    assert stalled.phase is Phase.OPEN and stalled.received < 64 * MB
    sleeper.close()


async def test_a_stalled_application_takes_its_bytes_late_and_whole(bench: Bench) -> None:
    forward = bench.to(peer.SLOW_SINK)
    assert await upload(await connect(forward), 30 * MB, "late", prefix="1\n") == f"ok {30 * MB}"
