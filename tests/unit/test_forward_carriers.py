"""Carriers: made ready once, used again, dropped when dead, and let go when nobody comes."""

from __future__ import annotations

import asyncio

import pytest
from fake_forward import Answer, Bench, until
from fake_forward_apps import echo, says, silent

from tui.kube.forward import carrier, carriers
from tui.kube.forward.carriers import KEPT, UNUSED
from tui.kube.forward.liveness import PING_AFTER
from tui.kube.forward.remote import SPDY
from tui.problem import ProblemError


class Opened(Bench):
    """A bench over SPDY with one pod that answers lines."""

    def __init__(self, app=None) -> None:
        super().__init__(protocol=SPDY)
        self._app = app or says(b"here")

    async def __aenter__(self) -> Opened:
        await super().__aenter__()
        self.put("db-0")
        self.server.serve(7, self._app)
        self.server.serve(8, self._app)
        self.carriers = self.dialer._carriers
        self.forward = self.to(7)
        return self

    @property
    def idle(self) -> list[carrier.Carrier]:
        return [one for pod in self.carriers._idle.values() for one in pod]

    @property
    def open_sockets(self) -> int:
        return sum(not socket.reader.at_eof() and socket.closed is None for socket in self.server.sockets)

    async def once(self, forward=None) -> None:
        reader, writer = await (await (forward or self.forward).connect()).streams()
        writer.write(b"\n")
        assert await asyncio.wait_for(reader.readline(), 20) == b"here\n"
        writer.close()
        await until(lambda: not (forward or self.forward).view().tunnels)


async def test_one_is_made_ready_and_the_next_connection_goes_over_it():
    async with Opened() as bench:
        bench.server.refuse[""] = [Answer(-1), Answer(-1, after=0.05), Answer(-1)]
        await asyncio.gather(*(bench.once() for _ in range(1)))
        await until(lambda: len(bench.idle) == 2)  # the used one and the one made ready
        assert len(bench.server.sockets) == 2
        for number in range(5):
            await bench.once(bench.to(7 + number % 2))  # one serves every port of its pod
        assert len(bench.server.sockets) == 2
        opened = [socket.session.opened for socket in bench.server.sockets]
        assert sorted(map(len, opened)) == [0, 6] or sum(map(len, opened)) == 6
        assert {port for connections in opened for _, port, _ in connections} == {7, 8}
        assert [stream for stream, _, _ in opened[0]] == [3 + 4 * number for number in range(len(opened[0]))]


async def test_a_dead_one_is_noticed_and_replaced(monkeypatch):
    monkeypatch.setattr(carrier, "ACCEPT", 0.2)
    async with Opened() as bench:
        await bench.once()
        await until(lambda: len(bench.idle) == 2)
        asked = []
        for socket in bench.server.sockets:  # they hold, but nobody is there any more
            socket.session._open = lambda *_, socket=socket: asked.append(socket)
        first = list(bench.server.sockets)
        await bench.once()
        assert len(set(map(id, asked))) == 1, "each of the dead was waited for"
        assert len(bench.server.sockets) > 2 and bench.idle
        await until(lambda: any(socket.reader.at_eof() for socket in first))


async def test_those_that_the_server_drops_are_forgotten():
    async with Opened() as bench:
        await bench.once()
        await until(lambda: len(bench.idle) == 2)
        for socket in bench.server.sockets:
            socket.drop()
        await until(lambda: not bench.carriers._all)
        assert not bench.carriers._idle
        await bench.once()


async def test_no_more_than_four_stay(monkeypatch):
    async with Opened(echo) as bench:
        connections = await asyncio.gather(*(bench.forward.connect() for _ in range(12)))
        await until(lambda: len(bench.carriers._all) >= 12 and not bench.carriers._making)
        for connection in connections:
            connection.socket.close()
        await until(lambda: not bench.forward.view().tunnels)
        assert len(bench.idle) == KEPT == len(bench.carriers._all)
        await until(lambda: bench.open_sockets == KEPT)
        assert all(socket.closed in (None, 1000) for socket in bench.server.sockets)


async def test_one_at_a_time_is_made_ready():
    async with Opened() as bench:
        bench.server.refuse[""] = [Answer(-1, after=0.1)]
        connections = await asyncio.gather(*(bench.forward.connect() for _ in range(5)))
        assert len(bench.carriers._making) == 1
        await until(lambda: not bench.carriers._making)
        assert len(bench.server.sockets) == 6
        for connection in connections:
            connection.socket.close()


async def test_that_none_can_be_made_ready_is_no_failure():
    async with Opened() as bench:
        bench.server.refuse[""] = [Answer(-1), Answer(503)]
        await bench.once()
        await until(lambda: not bench.carriers._making)
        assert bench.forward.view().failures == 0
        await bench.once()


async def test_unused_ones_are_let_go_and_the_others_pinged():
    async with Opened() as bench:
        await bench.once()
        await until(lambda: len(bench.idle) == 2)
        now = asyncio.get_running_loop().time()
        bench.carriers.look(now + PING_AFTER - 1)
        assert all(one.answered for one in bench.idle)
        bench.carriers.look(now + PING_AFTER + 1)
        await until(lambda: [socket.session.pings for socket in bench.server.sockets] == [[1], [1]])
        await until(lambda: all(one.answered for one in bench.idle))
        bench.carriers.look(now + 2 * PING_AFTER + 3)
        await until(lambda: [socket.session.pings for socket in bench.server.sockets] == [[1, 3], [1, 3]])
        bench.carriers.look(now + UNUSED + 1)
        assert bench.idle == [] and not bench.carriers._all
        await until(lambda: [socket.closed for socket in bench.server.sockets] == [1000, 1000])


async def test_one_that_answers_no_ping_is_let_go():
    async with Opened() as bench:
        await bench.once()
        await until(lambda: len(bench.idle) == 2)
        for socket in bench.server.sockets:
            socket.session.answer_pings = False
        now = asyncio.get_running_loop().time()
        bench.carriers.look(now + PING_AFTER + 1)
        bench.carriers.look(now + 2 * PING_AFTER)
        assert len(bench.idle) == 2
        bench.carriers.look(now + 2 * PING_AFTER + 2)
        assert bench.idle == []


async def test_a_port_that_refuses_costs_no_carrier():
    async with Opened() as bench:
        await bench.once()
        await until(lambda: len(bench.idle) == 2)
        for _ in range(5):
            with pytest.raises(ProblemError, match="refuses"):
                connection = await bench.to(99).connect()
                reader, writer = await connection.streams()
                await reader.read()
                writer.close()
                await connection.tunnel.attached()
        await bench.once()
        assert len(bench.server.sockets) == 2


async def test_who_gives_up_while_acceptance_is_waited_for_drops_it():
    async with Opened() as bench:
        await bench.once()
        await until(lambda: len(bench.idle) == 2)
        bench.server.accept_streams = False
        trying = asyncio.create_task(bench.forward.connect())
        await until(lambda: any(len(socket.session.opened) > 1 for socket in bench.server.sockets))
        trying.cancel()
        await asyncio.gather(trying, return_exceptions=True)
        await until(lambda: not bench.forward.view().tunnels)
        await until(lambda: any(socket.reader.at_eof() for socket in bench.server.sockets))
        bench.server.accept_streams = True
        await bench.once()


async def test_one_that_is_dead_as_it_is_made_is_told_and_not_kept():
    async with Opened() as bench:
        made = carrier.Carrier(lambda _: None, lambda dead: bench.carriers._forget(at, dead))
        at = await bench.forward.find(0.0, set())

        async def make(*_: object):
            made._fail("gone with the handshake")
            return made

        bench.carriers._make = make
        with pytest.raises(ProblemError, match="lost as it opened"):
            await bench.carriers.open(at, None)
        assert not bench.carriers._all


async def test_the_end_closes_all_and_makes_no_more():
    async with Opened(silent) as bench:
        bench.server.refuse[""] = [Answer(-1), Answer(-1, after=0.2)]
        connection = await bench.forward.connect()
        await until(lambda: bench.carriers._making)
        await bench.book.close()
        await until(lambda: not bench.carriers._making)
        await asyncio.sleep(0.25)
        assert not bench.carriers._all and len(bench.server.sockets) <= 2
        assert all(socket.closed == 1000 or socket.reader.at_eof() for socket in bench.server.sockets)
        connection.socket.close()


def test_how_many_and_how_long():
    assert (carriers.KEPT, carriers.UNUSED, carrier.ACCEPT, carrier.STRAY) == (4, 120.0, 3.0, 1 << 20)
