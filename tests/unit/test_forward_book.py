"""Pinned sockets, addresses, what is counted, and the book that looks after forwards."""

from __future__ import annotations

import asyncio
import socket
import stat
from pathlib import Path

import msgspec
import pytest
from fake_forward import BOTH, REFUSED, Answer, Bench, until
from fake_forward_apps import Sink, echo, says, silent
from test_forward_forward import connected, line
from test_forward_replay import service

from tui.kube.forward import book
from tui.kube.forward.listener import TcpAddress, UnixAddress
from tui.kube.forward.remote import SPDY, V4
from tui.kube.forward.tally import HISTORY, REMEMBERED
from tui.kube.forward.views import Phase
from tui.problem import ProblemError

# --- pinned


@pytest.mark.parametrize("protocol", BOTH)
async def test_a_pinned_socket_leads_to_one_pod_only(protocol):
    async with Bench(protocol=protocol) as bench:
        for name in ("db-0", "db-1"):
            bench.put(name)
            bench.server.serve(7, says(name.encode()), name)
        forward = service(bench, "db-0", "db-1", sticky=False)
        async with forward.pinned(".s.PGSQL.5432") as directory:
            path = directory / ".s.PGSQL.5432"
            assert stat.S_IMODE(directory.stat().st_mode) == 0o700 and stat.S_IMODE(path.stat().st_mode) == 0o600
            said = {await line(await asyncio.open_unix_connection(str(path))) for _ in range(4)}
            assert len(said) == 1
            reader, writer = await asyncio.open_unix_connection(str(path))
            writer.write(b"\n")
            await reader.readline()
            pinned = said.pop().decode().strip()
            bench.put(pinned, uid="successor")
            assert await asyncio.wait_for(reader.read(), 20) == b""
            writer.close()
            reader, writer = await asyncio.open_unix_connection(str(path))
            assert await asyncio.wait_for(reader.read(), 20) == b"", "the successor is another pod"
            writer.close()
            assert "not the one any more" in forward.view().recent[0].why
        assert not directory.exists()


async def test_a_pinned_port_that_refuses_is_not_sought_elsewhere():
    async with Bench(protocol=V4) as bench:
        bench.put("db-0")
        bench.put("db-1")
        bench.server.serve(7, REFUSED.format(port=7), "db-0")
        bench.server.serve(7, says(b"wrong"), "db-1")
        forward = service(bench, "db-0", "db-1")
        async with forward.pinned("s") as directory:
            reader, writer = await asyncio.open_unix_connection(str(directory / "s"))
            assert await asyncio.wait_for(reader.read(), 20) == b""
            writer.close()
        assert "refuses" in forward.reason and {name for _, name, _ in bench.server.asked} == {"db-0"}


@pytest.mark.parametrize("protocol", BOTH)
async def test_a_pinned_connection_whose_way_broke_before_any_byte_is_made_again(protocol):
    async with Bench(protocol=protocol) as bench:
        bench.put("db-0")
        bench.server.serve(7, says(b"here"))
        forward = bench.to(7)
        async with forward.pinned("s") as directory:
            reader, writer = await asyncio.open_unix_connection(str(directory / "s"))
            await until(lambda: forward.view().tunnels and forward.view().tunnels[0].phase is Phase.OPEN)
            await asyncio.sleep(0.02)
            for one in bench.server.sockets:
                one.drop()
            await asyncio.sleep(0.02)
            assert await line((reader, writer)) == b"here\n"
            assert forward.view().failures == 0


async def test_what_is_behind_a_pinned_socket_ends_with_it_also_while_it_connects():
    async with Bench(protocol=V4) as bench:
        bench.put("db-0")
        bench.server.serve(7, silent)
        forward = bench.to(7)
        bench.server.refuse[""] = [Answer(-1), Answer(-1, after=0.3)]
        async with forward.pinned("s") as directory:
            one = await asyncio.open_unix_connection(str(directory / "s"))
            await until(lambda: forward.view().tunnels and forward.view().tunnels[0].phase is Phase.OPEN)
            two = await asyncio.open_unix_connection(str(directory / "s"))
            await until(lambda: len(forward.view().tunnels) == 2)
        assert forward.view().tunnels == ()
        for reader, writer in (one, two):
            assert await asyncio.wait_for(reader.read(), 20) == b""
            writer.close()


async def test_a_pinned_socket_leads_nowhere_once_its_forward_is_stopped():
    async with Bench(protocol=V4) as bench:
        bench.put("db-0")
        bench.server.serve(7, says(b"here"))
        forward = bench.to(7)
        async with forward.pinned("s") as directory:
            assert await line(await asyncio.open_unix_connection(str(directory / "s"))) == b"here\n"
            await until(lambda: not forward.view().tunnels)
            await forward.stop()
            reader, writer = await asyncio.open_unix_connection(str(directory / "s"))
            assert await asyncio.wait_for(reader.read(), 20) == b""
            writer.close()
            assert forward.view().tunnels == () and len(bench.server.asked) == 1


async def test_a_pin_needs_a_ready_pod():
    async with Bench(protocol=V4) as bench:
        forward = bench.to(7, patience=0.05)
        with pytest.raises(ProblemError, match="no pod"):
            async with forward.pinned("s"):
                pytest.fail("there is no pod")


@pytest.mark.parametrize("protocol", BOTH)
async def test_sockets_of_a_pin_lead_to_one_pod_only_and_it_says_why_one_ended(protocol):
    async with Bench(protocol=protocol) as bench:
        for name in ("db-0", "db-1"):
            bench.put(name)
            bench.server.serve(7, says(name.encode()), name)
        forward = service(bench, "db-0", "db-1", sticky=False)
        async with forward.pin() as pin:
            said = {await line(await asyncio.open_connection(sock=await pin.connect())) for _ in range(4)}
            assert said == {f"{pin.at.pod}\n".encode()} and pin.ended() is None
            bench.server.serve(7, silent, pin.at.pod)
            held = await asyncio.open_connection(sock=await pin.connect())
            bench.put(pin.at.pod, uid="successor")
            assert await asyncio.wait_for(held[0].read(), 20) == b""
            held[1].close()
            assert "was deleted" in pin.ended().what
            with pytest.raises(ProblemError, match="not the one any more"):
                await pin.connect()
        with pytest.raises(ProblemError):
            await pin.connect()


async def test_sockets_of_a_pin_end_with_it():
    async with Bench(protocol=V4) as bench:
        bench.put("db-0")
        bench.server.serve(7, silent)
        async with bench.to(7).pin() as pin:
            reader, writer = await asyncio.open_connection(sock=await pin.connect())
        assert await asyncio.wait_for(reader.read(), 20) == b""
        writer.close()
        with pytest.raises(ProblemError, match="given up"):
            await pin.connect()


# --- addresses, views and the book


async def test_another_address_takes_the_place_of_the_one_before(tmp_path):
    async with Bench(protocol=V4) as bench:
        bench.put("db-0")
        bench.server.serve(7, says(b"here"))
        forward = bench.to(7)
        assert forward.view().address == ""
        await forward.listen(UnixAddress(tmp_path / "s"))
        assert forward.view().address == f"unix:{tmp_path / 's'}"
        assert await line(await asyncio.open_unix_connection(str(tmp_path / "s"))) == b"here\n"
        await forward.listen(TcpAddress(0))
        assert not Path(tmp_path / "s").exists() and forward.view().address.startswith("127.0.0.1:")
        assert await line(await bench.through_port(forward)) == b"here\n"


async def test_an_address_that_cannot_be_had_leaves_the_one_before(tmp_path):
    async with Bench(protocol=V4) as bench:
        bench.put("db-0")
        bench.server.serve(7, says(b"here"))
        forward = bench.to(7)
        await forward.listen(TcpAddress(0))
        with pytest.raises(ProblemError):
            await forward.listen(UnixAddress(tmp_path / "missing" / "s"))
        assert await line(await bench.through_port(forward)) == b"here\n"


async def test_what_is_counted_and_remembered():
    async with Bench(protocol=SPDY) as bench:
        bench.put("db-0")
        bench.server.serve(7, echo)
        forward = bench.to(7, name="mine")
        for _ in range(REMEMBERED + 3):
            reader, writer = await connected(forward)
            writer.write(b"12345")
            await reader.readexactly(5)
            writer.close()
            await until(lambda: not forward.view().tunnels)
        view = forward.view()
        assert (view.sent, view.received, view.connections, view.failures) == (265, 265, 53, 0)
        assert len(view.recent) == REMEMBERED and view.recent[0].number > view.recent[1].number
        assert (view.name, view.port, view.protocol, view.namespace) == ("mine", 7, SPDY, "shop")
        forward.sample()
        forward.sample()
        assert forward.view().rates == ((265, 265), (0, 0))
        for _ in range(HISTORY):
            forward.sample()
        assert len(forward.view().rates) == HISTORY


@pytest.mark.parametrize("resumed", [True, False])
async def test_the_book_looks_after_its_forwards(resumed, monkeypatch):
    monkeypatch.setattr(book, "ROUND", 0.1)
    monkeypatch.setattr(book, "LOOK", 1000.0 if resumed else 0.0)
    monkeypatch.setattr("tui.kube.forward.liveness.Sleep.woke", lambda *_: resumed)
    async with Bench(protocol=V4) as bench:
        bench.put("db-0")
        bench.server.serve(7, echo)
        forward = bench.to(7)
        reader, writer = await connected(forward)
        writer.write(b"x")
        await reader.readexactly(1)
        looks, checks = [], []
        monkeypatch.setattr(bench.dialer, "look", looks.append)
        if resumed:
            await until(lambda: bench.server.sockets[0].pings > 0, 3)
            assert not looks
        else:
            monkeypatch.setattr(forward, "check", lambda now, resumed: checks.append(resumed))
            await until(lambda: looks and checks, 3)
            assert not checks[0]
        assert forward.view().rates and list(bench.book) == [forward] and bench.book.get(1) is forward
        assert bench.book.known("pods")
        writer.close()
        await bench.book.close()
        assert bench.store.on_write == []


async def test_the_same_state_is_told_once():
    async with Bench(protocol=V4) as bench:
        told = []
        bench.book.on_change.append(lambda: told.append(1))
        forward = bench.to(7)
        before, since = len(told), forward.since
        for _ in range(3):
            forward.look()
        assert (len(told), forward.since) == (before, since)


async def test_a_store_that_changes_and_changes_is_looked_at_now_and_then():
    async with Bench(protocol=V4) as bench:
        forward = bench.to(7)
        looks = []
        forward.look = lambda: looks.append(1)
        made = bench.put("db-0")
        for number in range(200):
            raw = msgspec.to_builtins(made)
            raw["metadata"]["resourceVersion"] = f"v{number}"
            bench.world.put(msgspec.convert(raw, type(made)))
            await asyncio.sleep(0)
        await until(lambda: bool(looks))
        await asyncio.sleep(2 * book.CALM)
        assert 1 <= len(looks) <= 6


async def test_a_socket_pair_is_reached_by_nobody_else():
    async with Bench(protocol=V4) as bench:
        bench.put("db-0")
        sink = Sink()
        bench.server.serve(7, sink)
        connection = await bench.to(7).connect()
        assert connection.socket.family == socket.AF_UNIX and connection.socket.getsockname() == ""
        assert not connection.socket.getblocking()
        _, writer = await connection.streams()
        writer.write(b"hi")
        await until(lambda: sink.got and sink.got[0] == b"hi")
        writer.close()
