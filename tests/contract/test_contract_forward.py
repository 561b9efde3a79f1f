"""Forwards: what goes through them, and what happens when something breaks."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.contract import forwarding, peer
from tests.contract.clusters import Cluster, own_namespace
from tests.contract.watch import Watch
from tui.kube.forward.book import Forwards
from tui.kube.forward.forward import Forward
from tui.kube.forward.listener import TcpAddress, UnixAddress
from tui.kube.forward.remote import SPDY, V4
from tui.kube.forward.targets import PodTarget, ServiceTarget
from tui.kube.forward.views import Phase, State
from tui.problem import Cause, ProblemError

MB = 1 << 20
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Bench:
    """A watched cluster with forwards to the peers of a namespace."""

    def __init__(self, cluster: Cluster, watch: Watch, namespace: str) -> None:
        self.admin = cluster.admin
        self.watch = watch
        self.namespace = namespace
        self.store = watch.cluster.store
        self.book = Forwards(watch.api, self.store, kubectl=["--kubeconfig", cluster.kubeconfig])

    def to(self, port: int, pod: str = "peer-0", **options: Any) -> Forward:
        return self.book.add(PodTarget(self.store, self.namespace, pod, port), **options)

    def service(self, port: int | str, name: str = "peer", **options: Any) -> Forward:
        return self.book.add(ServiceTarget(self.store, self.namespace, name, port), **options)

    async def until(self, wanted: Callable[[], bool], seconds: float = 60, what: str = "") -> None:
        await self.watch.until(wanted, seconds, what or "it never came to that")

    async def state(self, forward: Forward, state: State, seconds: float = 60) -> None:
        await self.until(lambda: forward.state is state, seconds, f"never {state}: {forward.state} {forward.reason}")


@pytest.fixture(scope="module")
def peers(shared_cluster: Cluster) -> Iterator[str]:
    """A namespace with two peers that tests share; what breaks them for long uses a namespace of its own."""
    with own_namespace(shared_cluster) as namespace:
        forwarding.peers(shared_cluster, namespace)
        yield namespace


@contextlib.asynccontextmanager
async def bench_in(cluster: Cluster, namespace: str, **options: Any) -> AsyncIterator[Bench]:
    async with Watch(cluster, namespace=namespace, **options) as watch:
        await watch.settled()
        bench = Bench(cluster, watch, namespace)
        try:
            yield bench
        finally:
            await bench.book.close()
    left = [task for task in asyncio.all_tasks() if task.get_name().startswith(("tunnel", "carrier", "forwards"))]
    assert not left, left


@pytest.fixture
async def bench(cluster: Cluster, peers: str) -> AsyncIterator[Bench]:
    async with bench_in(cluster, peers) as made:
        yield made


@pytest.fixture(params=["spdy", "v4"])
def protocol(cluster: Cluster, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each way by itself; on a server that lacks SPDY in websockets there is v4 only."""
    wanted = {"spdy": SPDY, "v4": V4}[request.param]
    if wanted == SPDY and cluster.admin.minor() < 31:
        pytest.skip("this server has no SPDY in websockets (Kubernetes 1.31)")
    monkeypatch.setattr("tui.kube.forward.dial.Dialer._order", lambda _: [wanted])
    return wanted


async def connect(forward: Forward) -> Streams:
    return await (await forward.connect()).streams()


async def through_port(forward: Forward) -> Streams:
    if forward.listener is None:
        await forward.listen(TcpAddress(0))
    assert forward.listener is not None
    return await asyncio.open_connection("127.0.0.1", forward.listener.port)


async def download(streams: Streams, size: int, seed: str, *, half_close: bool = False) -> int:
    """Reads SIZE bytes and compares them with the seed's. Returns how many came; all of them fit."""
    reader, writer = streams
    writer.write(f"{size} {seed}\n".encode())
    if half_close:
        writer.write_eof()
    got = 0
    try:
        for block in peer.blocks(size, seed):
            received = await reader.readexactly(len(block))
            assert received == block, f"altered within the 64 KiB at {got}"
            got += len(block)
        assert await reader.read(1) == b"", "more came than was sent"
    except asyncio.IncompleteReadError as error:
        assert block.startswith(error.partial)
        return got + len(error.partial)
    except ConnectionError:
        return got
    finally:
        writer.close()
    return got


async def upload(streams: Streams, size: int, seed: str, prefix: str = "") -> str:
    """Sends the seed's bytes, and returns the peer's verdict; empty when the connection broke."""
    reader, writer = streams
    try:
        writer.write(f"{prefix}{size} {seed}\n".encode())
        for block in peer.blocks(size, seed):
            writer.write(block)
            await writer.drain()
        return (await reader.readline()).decode().strip()
    except ConnectionError:
        return ""
    finally:
        writer.close()


async def who(forward: Forward) -> tuple[str, str]:
    """The name and uid of the pod that a new connection reaches."""
    name, uid, _ = (await ask(forward, "?")).split()
    return name, uid


# --- what goes through


@pytest.mark.parametrize("way", [connect, through_port])
async def test_bytes_arrive_as_they_were_sent(bench: Bench, protocol: str, way: Any) -> None:
    down, up = bench.to(peer.SOURCE), bench.to(peer.SINK)
    assert await download(await way(down), 10 * MB + 17, "a") == 10 * MB + 17
    assert await upload(await way(up), 10 * MB + 17, "b") == f"ok {10 * MB + 17}"
    both = await asyncio.gather(
        *[download(await way(down), 2 * MB, f"d{n}") for n in range(4)],
        *[upload(await way(up), 2 * MB, f"u{n}") for n in range(4)],
    )
    assert both == [2 * MB] * 4 + [f"ok {2 * MB}"] * 4
    view = down.view()
    assert view.failures == 0 and view.received == 10 * MB + 17 + 4 * 2 * MB
    await bench.until(lambda: not down.view().tunnels, 10)
    assert {tunnel.why for tunnel in down.view().recent} <= {"closed by the application", "closed by the program"}


async def test_a_client_that_half_closes_gets_all(bench: Bench, protocol: str) -> None:
    streams = await through_port(bench.to(peer.SOURCE))
    assert await download(streams, 100 * MB, "half", half_close=True) == 100 * MB


async def test_both_directions_at_once(bench: Bench, protocol: str) -> None:
    reader, writer = await through_port(bench.to(peer.ECHO))
    size = 8 * MB

    async def send() -> None:
        for block in peer.blocks(size, "echo"):
            writer.write(block)
            await writer.drain()

    sending = asyncio.create_task(send())
    for block in peer.blocks(size, "echo"):
        assert await reader.readexactly(len(block)) == block
    await sending
    writer.close()


async def test_a_stalled_reader_holds_up_nobody(bench: Bench, protocol: str) -> None:
    forward = bench.to(peer.ZEROS)
    _, sleeper = await connect(forward)
    sleeper.write(b"1000000000\n")
    await asyncio.sleep(1)
    echo = bench.to(peer.ECHO)
    for _ in range(5):
        began = time.monotonic()
        reader, writer = await connect(echo)
        writer.write(b"x" * 64)
        await reader.readexactly(64)
        writer.close()
        assert time.monotonic() - began < 10, "it waited for the other's reader, who never reads"
    stalled = next(tunnel for tunnel in forward.view().tunnels)
    assert stalled.phase is Phase.OPEN
    sleeper.close()


async def test_a_stalled_application_takes_its_bytes_late_and_whole(bench: Bench, protocol: str) -> None:
    forward = bench.to(peer.SLOW_SINK)
    verdict = asyncio.create_task(upload(await connect(forward), 60 * MB, "late", prefix="6\n"))
    async with asyncio.timeout(60):
        while forward.view().tunnels[0].stalled != "application":
            assert not verdict.done()
            await asyncio.sleep(0.02)
    assert await verdict == f"ok {60 * MB}"


async def test_what_a_program_sent_before_it_went_arrives(bench: Bench, protocol: str) -> None:
    forward = bench.to(peer.KEEP)
    for size in (1, 100_000, 20 * MB):
        key = f"{protocol}-{size}".replace("/", "-")
        _, writer = await through_port(forward)
        writer.write(f"{key}\n".encode() + bytes(size))
        writer.close()
        await writer.wait_closed()
        deadline = time.monotonic() + 10
        while (kept := await ask(forward, f"?{key}")) != str(size):
            assert time.monotonic() < deadline, f"{kept} of {size} bytes"
            await asyncio.sleep(0.1)


async def ask(forward: Forward, line: str) -> str:
    reader, writer = await connect(forward)
    try:
        writer.write(f"{line}\n".encode())
        return (await reader.readline()).decode().strip()
    finally:
        writer.close()


async def test_500_connections_at_once(bench: Bench) -> None:
    forward = bench.to(peer.BYTE)

    async def one() -> asyncio.StreamWriter:
        reader, writer = await through_port(forward)
        assert await reader.readexactly(1) == b"!"
        return writer

    await forward.listen(TcpAddress(0))
    writers = await asyncio.gather(*(one() for _ in range(500)))
    assert forward.view().failures == 0 and len(forward.view().tunnels) == 500
    for writer in writers:
        writer.close()
    await bench.until(lambda: not forward.view().tunnels, 30)


# --- where it leads


async def test_a_service_leads_to_its_pods_by_name_and_number(bench: Bench) -> None:
    spread = bench.service("name", sticky=False)
    assert {(await who(spread))[0] for _ in range(4)} == {"peer-0", "peer-1"}
    sticky = bench.service(9007)
    assert len({await who(sticky) for _ in range(4)}) == 1
    reader, writer = await connect(bench.service(7))  # 7 leads to the container's port `echo`
    writer.write(b"hi")
    assert await reader.readexactly(2) == b"hi"
    writer.close()


async def test_what_cannot_be_forwarded_says_why(bench: Bench) -> None:
    meta = {"namespace": bench.namespace}
    bench.admin.apply(
        {"apiVersion": "v1", "kind": "Service", "metadata": {**meta, "name": "elsewhere"},
         "spec": {"type": "ExternalName", "externalName": "db.example.test"}},
        {"apiVersion": "v1", "kind": "Service", "metadata": {**meta, "name": "datagrams"},
         "spec": {"selector": {"app": "peer"}, "ports": [{"port": 53, "protocol": "UDP"}]}},
    )  # fmt: skip
    await bench.until(lambda: bench.store.count("services", bench.namespace) >= 3)
    for name, port, words in (("elsewhere", 80, "db.example.test"), ("datagrams", 53, "UDP"), ("peer", 81, "no port")):
        with pytest.raises(ProblemError) as caught:
            await bench.service(port, name).connect()
        assert words in str(caught.value.problem) and caught.value.problem.remedy


async def test_a_service_without_selector_and_one_that_publishes_the_unready(bench: Bench) -> None:
    found = bench.admin.pod(bench.namespace, "peer-1")
    meta = {"namespace": bench.namespace, "name": "by-hand"}
    endpoint = {"addresses": [found["status"]["podIP"]], "conditions": {"ready": True},
                "targetRef": {"kind": "Pod", "namespace": bench.namespace, "name": "peer-1",
                              "uid": found["metadata"]["uid"]}}  # fmt: skip
    version = "v1" if bench.admin.minor() >= 21 else "v1beta1"
    bench.admin.apply(
        {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {"ports": [{"name": "x", "port": 1234}]}},
        {"apiVersion": f"discovery.k8s.io/{version}", "kind": "EndpointSlice", "addressType": "IPv4",
         "metadata": {**meta, "labels": {"kubernetes.io/service-name": "by-hand"}},
         "ports": [{"name": "x", "port": peer.NAME, "protocol": "TCP"}], "endpoints": [endpoint]},
    )  # fmt: skip
    forward = bench.service(1234, "by-hand")
    await bench.state(forward, State.READY)
    assert (await who(forward))[0] == "peer-1"


async def test_a_pinned_socket_reaches_one_pod_only(bench: Bench) -> None:
    forward = bench.service("name", sticky=False)
    async with forward.pinned(".s.test") as directory:
        assert directory.stat().st_mode & 0o777 == 0o700
        seen = set()
        for _ in range(4):
            reader, writer = await asyncio.open_unix_connection(str(directory / ".s.test"))
            writer.write(b"?\n")
            seen.add(await reader.readline())
            writer.close()
        assert len(seen) == 1
    assert not directory.exists()


# --- when things go wrong


async def test_a_server_that_is_ready_before_it_listens(cluster: Cluster, namespace: str, protocol: str) -> None:
    forwarding.peers(cluster, namespace, replicas=1, delay=3, probe=False)
    async with bench_in(cluster, namespace) as bench:
        forward = bench.to(peer.NAME, patience=60)
        reader, writer = await through_port(forward)
        writer.write(b"early\n")  # sent while nothing listens, and once only
        assert (await asyncio.wait_for(reader.readline(), 60)).split()[-1] == b"early"
        writer.close()


async def test_a_port_that_resets(bench: Bench, protocol: str) -> None:
    forward = bench.to(peer.RESET)
    reader, writer = await through_port(forward)
    writer.write(b"hello")
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(reader.read(), 30)
    assert forward.view().failures == 1


async def test_a_port_that_says_nothing_stays_open(bench: Bench, protocol: str) -> None:
    forward = bench.to(peer.SILENT)
    reader, writer = await through_port(forward)
    writer.write(b"hello")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.read(1), 1)
    assert forward.state is State.READY and forward.view().tunnels[0].sent == 5
    writer.close()
    await bench.until(lambda: not forward.view().tunnels, 5, "a program that is gone was not noticed")


async def test_a_pod_that_is_deleted_during_a_transfer(cluster: Cluster, namespace: str, protocol: str) -> None:
    forwarding.peers(cluster, namespace, replicas=1)
    async with bench_in(cluster, namespace) as bench:
        down, name = bench.to(peer.SOURCE), bench.to(peer.NAME)
        before = await who(name)
        streams = await through_port(down)
        transfer = asyncio.create_task(download(streams, 4000 * MB, "cut"))
        await bench.until(lambda: down.view().received > 20 * MB)
        await asyncio.to_thread(bench.admin.delete, "Pod", namespace, "peer-0")
        assert 0 < await asyncio.wait_for(transfer, 30) < 4000 * MB  # compared byte for byte up to there
        assert down.view().recent[0].clean is False
        began = time.monotonic()
        after = await who(name)  # waits for the successor
        assert after[0] == before[0] and after[1] != before[1]
        assert time.monotonic() - began < 10


async def test_connections_while_the_set_rolls(cluster: Cluster, namespace: str) -> None:
    forwarding.peers(cluster, namespace, replicas=2)
    async with bench_in(cluster, namespace) as bench:
        forward = bench.service("name", patience=30)
        await who(forward)
        await asyncio.to_thread(bench.admin.restart, namespace, "peer")
        rolled = asyncio.create_task(asyncio.to_thread(bench.admin.roll_out, namespace, "peer"))
        good, broken, uids = 0, 0, set()
        while not rolled.done():
            try:
                uids.add((await who(forward))[1])
                good += 1
            except (ConnectionError, ValueError, ProblemError):
                broken += 1  # the server went away under it
            await asyncio.sleep(0.02)
        assert good > 10 and broken <= 4, (good, broken)
        assert len(uids) >= 2


async def test_a_container_that_restarts(cluster: Cluster, namespace: str, protocol: str) -> None:
    forwarding.peers(cluster, namespace, replicas=1)
    async with bench_in(cluster, namespace) as bench:
        down, name = bench.to(peer.SOURCE), bench.to(peer.NAME, patience=40)
        transfer = asyncio.create_task(download(await through_port(down), 4000 * MB, "restart"))
        await bench.until(lambda: down.view().received > 20 * MB)
        _, crash = await connect(bench.to(peer.CRASH))
        crash.write(b"!")
        assert await asyncio.wait_for(transfer, 30) < 4000 * MB
        assert (await who(name))[0] == "peer-0"
        assert bench.admin.pod(namespace, "peer-0")["status"]["containerStatuses"][0]["restartCount"] == 1


async def test_a_service_without_ready_endpoint_waits_for_one(cluster: Cluster, namespace: str) -> None:
    forwarding.peers(cluster, namespace, replicas=1)
    async with bench_in(cluster, namespace) as bench:
        forward = bench.service("name", patience=2)
        await asyncio.to_thread(bench.admin.scale, namespace, "peer", 0)
        await bench.state(forward, State.WAITING)
        assert "no ready endpoint" in forward.reason
        reader, _ = await through_port(forward)
        began = time.monotonic()
        with pytest.raises(ConnectionResetError):
            await reader.read()
        assert 1.5 < time.monotonic() - began < 20, "it waited as long as is usual, or for ever"
        forward.patience = 60
        reader, writer = await through_port(forward)
        writer.write(b"?\n")
        await asyncio.to_thread(bench.admin.scale, namespace, "peer", 1)
        assert (await asyncio.wait_for(reader.readline(), 60)).startswith(b"peer-0")
        writer.close()


@pytest.mark.alone
async def test_the_next_connection_comes_within_two_seconds_of_ready(cluster: Cluster, namespace: str) -> None:
    forwarding.peers(cluster, namespace, replicas=1)
    async with bench_in(cluster, namespace) as bench:
        forward = bench.to(peer.NAME, patience=60)
        uids = set()
        for _ in range(2):
            uids.add((await who(forward))[1])
            await asyncio.to_thread(bench.admin.delete, "Pod", namespace, "peer-0", wait=True)
            name, uid = await who(forward)
            connected = time.time()
            ready = datetime.fromisoformat(bench.admin.ready_since(namespace, "peer-0")).timestamp()
            assert connected - ready < 2 + 1  # Kubernetes tells whole seconds.
            assert name == "peer-0"
            uids.add(uid)
        assert len(uids) >= 3


async def test_the_api_server_is_killed_and_returns(
    cluster: Cluster, namespace: str, faults: Cluster, protocol: str
) -> None:
    forwarding.peers(cluster, namespace, replicas=1)
    async with bench_in(cluster, namespace) as bench:
        down, name = bench.to(peer.SOURCE), bench.to(peer.NAME, patience=60)
        transfer = asyncio.create_task(download(await through_port(down), 4000 * MB, "killed"))
        await bench.until(lambda: down.view().received > 20 * MB)
        faults.kill_api_server()
        assert await asyncio.wait_for(transfer, 30) < 4000 * MB
        assert down.view().recent[0].clean is False
        waiting = asyncio.create_task(who(name))
        await asyncio.sleep(1)
        await asyncio.to_thread(faults.up)
        assert (await asyncio.wait_for(waiting, 60))[0] == "peer-0"


async def test_a_frozen_kubelet(
    cluster: Cluster, namespace: str, faults: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.kube.forward.dial.TIMEOUT", 2.0)
    forwarding.peers(cluster, namespace, replicas=1)
    async with bench_in(cluster, namespace) as bench:
        forward = bench.to(peer.SOURCE, patience=90)
        warm = bench.to(peer.NAME, patience=90)
        assert (await who(warm))[0] == "peer-0"
        with faults.frozen_kubelet():
            transfer = asyncio.create_task(download_from(forward, 30 * MB, "frozen"))
            await asyncio.sleep(5)  # longer than a handshake may take
            assert not transfer.done()
        assert await asyncio.wait_for(transfer, 60) == 30 * MB


async def download_from(forward: Forward, size: int, seed: str) -> int:
    return await download(await through_port(forward), size, seed)


async def test_a_user_who_may_not_forward(cluster: Cluster, peers: str, user: Callable[..., str]) -> None:
    reading = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["list", "watch"]}]
    for verbs, missing in (([], "get"), (["get"], "create")):
        if missing == "create" and cluster.admin.minor() < 35:
            continue  # before 1.35 nothing but get is asked for
        rules = [*reading, {"apiGroups": [""], "resources": ["pods/portforward"], "verbs": verbs}]
        name = user(peers, rules if verbs else reading)
        async with bench_in(cluster, peers, impersonate=name) as bench:
            forward = bench.to(peer.NAME)
            with pytest.raises(ProblemError) as caught:
                await forward.connect()
            problem = caught.value.problem
            assert problem.cause is Cause.FORBIDDEN
            assert f"may not {missing} pods/portforward" in problem.what
            assert "is forbidden" in problem.evidence  # with the user's name, unless only `create` is missing
            assert forward.state is State.DEGRADED


async def test_a_local_port_that_is_taken(bench: Bench) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        forward = bench.to(peer.NAME)
        with pytest.raises(ProblemError) as caught:
            await forward.listen(TcpAddress(port, exact=True))
        assert str(port) in caught.value.problem.what
        await forward.listen(TcpAddress(port))
        assert forward.listener is not None and forward.listener.port not in (0, port)


async def test_a_unix_socket(bench: Bench, tmp_path: Path) -> None:
    forward = bench.to(peer.NAME)
    path = tmp_path / "peer.sock"
    await forward.listen(UnixAddress(path))
    assert path.stat().st_mode & 0o777 == 0o600
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(b"?\n")
    assert (await reader.readline()).startswith(b"peer-0")
    writer.close()
    await forward.stop()
    assert not path.exists()


@pytest.mark.alone
async def test_a_forward_that_is_stopped_lets_go(bench: Bench) -> None:
    forward = bench.to(peer.SILENT)
    reader, _ = await through_port(forward)
    assert forward.listener is not None
    port = forward.listener.port
    began = time.monotonic()
    await bench.book.remove(forward)
    assert time.monotonic() - began < 2.5
    with pytest.raises(ConnectionResetError):
        await reader.read(1)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_kubectl_is_the_last_resort(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("there is no kubectl on PATH")
    monkeypatch.setattr("tui.kube.forward.dial.Dialer._order", lambda _: ["kubectl"])
    down, up = bench.to(peer.SOURCE), bench.to(peer.SINK)
    assert await download(await through_port(down), 5 * MB, "k") == 5 * MB
    assert await upload(await through_port(up), 5 * MB, "k") == f"ok {5 * MB}"
    assert {tunnel.protocol for tunnel in down.view().recent} == {"kubectl"}


async def test_a_port_that_refuses(bench: Bench, protocol: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.kube.forward.forward.YOUNG", 0.0)  # A pod that has only just started is tried again.
    forward = bench.to(4)
    reader, writer = await through_port(forward)
    writer.write(b"hello")
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(reader.read(), 30)
    assert forward.state is State.DEGRADED
    assert "refuses" in forward.reason and "refused" in forward.evidence
    assert forward.view().recent[0].clean is False
