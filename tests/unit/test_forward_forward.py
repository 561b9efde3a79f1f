"""Forwards: waiting, states, stopping, pods that go, and targets that change."""

from __future__ import annotations

import asyncio

import pytest
from fake_forward import BOTH, Answer, Bench, until
from fake_forward_apps import echo, says, silent, source
from test_forward_replay import service

from tui.kube.forward.listener import TcpAddress
from tui.kube.forward.remote import V4
from tui.kube.forward.targets import PodTarget
from tui.kube.forward.views import Phase, State
from tui.problem import Cause, ProblemError


async def line(streams) -> bytes:
    reader, writer = streams
    writer.write(b"\n")
    try:
        return await asyncio.wait_for(reader.readline(), 20)
    finally:
        writer.close()


async def connected(forward):
    return await (await forward.connect()).streams()


# --- waiting


async def test_a_connection_waits_for_a_pod_to_become_ready():
    async with Bench(protocol=V4) as bench:
        bench.server.serve(7, says(b"here"))
        forward = bench.to(7)
        assert forward.state is State.WAITING and forward.reason == "pod db-0 does not exist"
        waiting = asyncio.create_task(line(await bench.through_port(forward)))
        await asyncio.sleep(0.05)
        bench.put("db-0", ready=False)
        await until(lambda: forward.reason == "pod db-0 is not ready")
        assert forward.view().tunnels[0].phase is Phase.CONNECTING and not bench.server.asked
        bench.put("db-0")
        assert await waiting == b"here\n"
        await until(lambda: forward.state is State.READY and forward.reason == "")


async def test_as_long_as_pods_are_not_known_nothing_is_said_of_them(monkeypatch):
    async with Bench(protocol=V4) as bench:
        known = False
        monkeypatch.setattr("tui.kube.forward.book.ROUND", 0.05)
        monkeypatch.setattr(bench.book, "_known", lambda _: known)
        forward = bench.to(7)
        assert forward.state is State.RESOLVING
        known = True  # the list was empty, so nothing was written
        await until(lambda: forward.state is State.WAITING, 3)
        assert forward.reason == "pod db-0 does not exist"


async def test_patience_ends():
    async with Bench(protocol=V4) as bench:
        forward = bench.to(7, patience=0.1)
        with pytest.raises(ProblemError) as caught:
            await forward.connect()
        problem = caught.value.problem
        assert problem.cause is Cause.TIMEOUT and "pod db-0 does not exist" in problem.what
        assert problem.evidence.startswith("waited for 0 s") and problem.remedy
        reader, writer = await bench.through_port(forward)
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(), 20)
        writer.close()
        view = forward.view()
        assert (view.connections, view.failures, len(view.recent)) == (2, 2, 2)
        assert "does not exist" in view.recent[0].why and forward.state is State.WAITING


async def test_who_gives_up_waiting_leaves_nothing():
    async with Bench(protocol=V4) as bench:
        forward = bench.to(7)
        _, writer = await bench.through_port(forward)
        trying = asyncio.create_task(forward.connect())
        await until(lambda: len(forward.view().tunnels) == 2)
        writer.close()
        trying.cancel()
        await asyncio.gather(trying, return_exceptions=True)
        await until(lambda: not forward.view().tunnels)
        assert all(tunnel.why == "closed by the program" and tunnel.clean for tunnel in forward.view().recent)


async def test_what_cannot_become_better_is_not_waited_for():
    async with Bench(protocol=V4) as bench:
        forward = service(bench, "db-0")
        forward.retarget(type(forward.target)(bench.store, "shop", "db", 99))
        with pytest.raises(ProblemError, match="no port 99"):
            await asyncio.wait_for(forward.connect(), 20)
        assert forward.state is State.WAITING and forward.remedy == "Its ports: 7."


# --- pods that go


@pytest.mark.parametrize("protocol", BOTH)
async def test_a_pod_that_is_replaced_takes_its_connections_along(protocol):
    async with Bench(protocol=protocol) as bench:
        bench.put("db-0")
        bench.server.serve(7, echo)
        forward = bench.to(7)
        reader, writer = await bench.through_port(forward)
        writer.write(b"x")
        await reader.readexactly(1)
        bench.put("db-0", uid="successor", ready=False)
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(), 20)
        assert forward.view().recent[0].why == "pod db-0 was deleted" and not forward.view().recent[0].clean
        writer.close()
        waiting = asyncio.create_task(connected(forward))
        await until(lambda: forward.state is State.WAITING)
        bench.put("db-0", uid="successor")
        _, writer = await waiting
        assert forward.view().tunnels[0].pod.uid == "successor"
        writer.close()


async def test_what_an_application_sent_to_its_end_is_not_cut_by_the_pods_end():
    async with Bench(protocol=V4) as bench:
        made = bench.put("db-0")
        bench.server.serve(7, source(b"all of it"))
        forward = bench.to(7)
        reader, writer = await bench.through_port(forward)
        writer.write(b"?")
        await until(lambda: forward.view().tunnels[0].phase is Phase.LINGERING)
        bench.world.remove(made)
        await asyncio.sleep(0.1)
        assert await reader.read() == b"all of it"
        writer.close()


async def test_whether_a_pod_stands_where_pods_may_not_be_read():
    async with Bench(protocol=V4) as bench:
        made = bench.put("db-0")
        bench.server.serve(7, echo)
        forward = bench.to(7)
        forward.pods_known = lambda: False
        reader, writer = await bench.through_port(forward)
        writer.write(b"x")
        await reader.readexactly(1)
        bench.world.remove(made)
        await asyncio.sleep(0.1)
        writer.write(b"y")
        assert await reader.readexactly(1) == b"y"
        writer.close()


# --- where connections go


async def test_sticky_and_spread():
    async with Bench(protocol=V4) as bench:
        for name in ("db-0", "db-1", "db-2"):
            bench.put(name)
            bench.server.serve(7, says(name.encode()), name)
        sticky = service(bench, "db-0", "db-1", "db-2")
        assert len({await line(await connected(sticky)) for _ in range(5)}) == 1
        spread = bench.book.add(sticky.target, sticky=False)
        assert {await line(await connected(spread)) for _ in range(3)} == {b"db-0\n", b"db-1\n", b"db-2\n"}
        # All at once, as a pool opens its connections.
        together = await asyncio.gather(*(connected(spread) for _ in range(6)))
        said = [await line(streams) for streams in together]
        assert {name: said.count(name) for name in said} == {b"db-0\n": 2, b"db-1\n": 2, b"db-2\n": 2}
        stays = sticky.view().pod.pod
        bench.world.remove(bench.store.named("pods", "shop", stays, object))
        assert (await line(await connected(sticky))).decode().strip() != stays


async def test_retarget_leads_elsewhere_from_the_next_connection_on():
    async with Bench(protocol=V4) as bench:
        for name in ("db-0", "db-1"):
            bench.put(name)
            bench.server.serve(7, says(name.encode()), name)
        forward = bench.to(7)
        reader, writer = await connected(forward)
        writer.write(b"\n")
        assert await reader.readline() == b"db-0\n"
        forward.retarget(PodTarget(bench.store, "shop", "db-1", 7))
        assert forward.view().pod.pod == "db-1" and forward.view().target == "pod db-1"
        assert await line(await connected(forward)) == b"db-1\n"
        writer.write(b"\n")
        assert await reader.readline() == b"db-0\n"
        writer.close()


async def test_degraded_until_a_connection_comes_about_or_the_pods_change():
    async with Bench(protocol=V4) as bench:
        made = bench.put("db-0")
        bench.server.serve(7, says(b"here"))
        bench.server.refuse[""] = [Answer(500, "oops \x1b[2J"), Answer(-1)]
        forward = bench.to(7, patience=0)
        heard = []
        bench.book.on_change.append(lambda: heard.append(forward.state))
        with pytest.raises(ProblemError):
            await forward.connect()
        assert (forward.state, forward.evidence) == (State.DEGRADED, "oops \x1b[2J") and State.DEGRADED in heard
        forward.look()
        assert forward.state is State.DEGRADED
        await line(await connected(forward))
        assert forward.state is State.READY
        bench.server.refuse[""] = [Answer(500, "again")]
        with pytest.raises(ProblemError):
            await forward.connect()
        assert forward.state is State.DEGRADED
        bench.world.remove(made)
        await until(lambda: forward.state is State.WAITING)
        bench.put("db-0", uid="successor")
        await until(lambda: forward.state is State.READY)


# --- stopping


@pytest.mark.parametrize("protocol", BOTH)
async def test_stopping_lets_what_moves_finish_and_ends_the_rest(protocol):
    async with Bench(protocol=protocol) as bench:
        bench.put("db-0")

        async def slowly(reader, writer):
            await reader.read(1)
            for _ in range(8):
                writer.write(b"x" * 1000)
                await asyncio.sleep(0.05)

        bench.server.serve(7, slowly)
        forward = bench.to(7)
        busy_reader, busy = await bench.through_port(forward)
        busy.write(b"?")
        await busy_reader.readexactly(1000)
        idle_reader, idle = await bench.through_port(forward)
        await until(lambda: len(forward.view().tunnels) == 2)
        stopping = asyncio.create_task(forward.stop())
        await asyncio.sleep(0)
        assert forward.state is State.DRAINING
        with pytest.raises(ConnectionRefusedError):
            await bench.through_port(forward)
        assert len(await asyncio.wait_for(busy_reader.read(), 20)) == 7000
        busy.close()
        await stopping
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(idle_reader.read(), 20)
        idle.close()
        assert forward.state is State.STOPPED and not forward.view().tunnels
        with pytest.raises(ProblemError, match="was stopped"):
            await forward.connect()
        with pytest.raises(ProblemError, match="was stopped"):
            await forward.listen(TcpAddress(0))
        await forward.stop()
        forward.look()
        assert forward.state is State.STOPPED


async def test_a_connection_on_which_nothing_ever_moved_does_not_hold_a_stop_up():
    async with Bench(protocol=V4) as bench:
        bench.put("db-0")
        bench.server.serve(7, silent)
        forward = bench.to(7)
        _, writer = await bench.through_port(forward)
        await until(lambda: forward.view().tunnels and forward.view().tunnels[0].phase is Phase.OPEN)
        await asyncio.sleep(0.25)
        began = asyncio.get_running_loop().time()
        await bench.book.remove(forward)
        assert asyncio.get_running_loop().time() - began < 1.5
        assert list(bench.book) == [] and bench.book.get(forward.number) is None
        writer.close()


async def test_stopping_wakes_who_waits():
    async with Bench(protocol=V4) as bench:
        forward = bench.to(7)
        waiting = asyncio.create_task(forward.connect())
        await asyncio.sleep(0.02)
        await forward.stop(drain=0.0)
        with pytest.raises(ProblemError):
            await asyncio.wait_for(waiting, 20)
