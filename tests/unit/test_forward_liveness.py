"""Which connections are taken for dead, and which only stall; and whether the machine was asleep."""

from __future__ import annotations

import socket
import struct

import pytest
from fake_forward import BOTH, Bench, until
from fake_forward_apps import echo

from tui.kube.forward import liveness
from tui.kube.forward.liveness import PATIENCE, PATIENCE_AFTER_SLEEP, PING_AFTER, Pulse, Sleep


class Remote:
    """A far end with a clock."""

    protocol = "fake"

    def __init__(self) -> None:
        self.now = self.heard = 1000.0
        self.answered = True
        self.waiting = 0
        self.pings: list[float] = []
        self.sock: object = None
        self.pulse = Pulse()
        self.last_sent = 0.0
        self.held_back = False

    def ping(self) -> None:
        self.answered = False
        self.pings.append(self.now)

    def info(self, name: str) -> object:
        assert name == "socket"
        return self.sock

    def after(self, seconds: float, *, resumed: bool = False) -> str:
        """What a look says so many seconds later."""
        self.now += seconds
        return self.pulse.check(self, self.now, last_sent=self.last_sent, held_back=self.held_back, resumed=resumed)  # type: ignore[arg-type]

    def hear(self) -> None:
        self.heard = self.now

    def pong(self) -> None:
        self.heard, self.answered = self.now, True


def pinged() -> Remote:
    remote = Remote()
    assert remote.after(PING_AFTER + 1) == "" and remote.pings == [1026.0]
    return remote


def test_a_ping_after_a_while_without_a_byte():
    remote = Remote()
    for _ in range(5):
        assert remote.after(5) == ""
    assert remote.pings == []
    assert remote.after(1) == "" and len(remote.pings) == 1
    remote.pong()
    assert remote.after(PING_AFTER) == "" and len(remote.pings) == 1
    assert remote.after(1) == "" and len(remote.pings) == 2


def test_who_is_heard_or_sends_needs_no_ping():
    remote = Remote()
    for _ in range(20):
        remote.after(20)
        remote.hear()
    for _ in range(20):
        remote.after(20)
        remote.last_sent = remote.now
    assert remote.pings == []


def test_an_unanswered_ping_ends_it_after_a_minute():
    remote = pinged()
    assert remote.after(PATIENCE) == ""
    assert remote.after(1) == "the API server has not answered for 61 s"
    assert len(remote.pings) == 1


@pytest.mark.parametrize("obstacle", ["held back", "waiting", "sent"])
def test_what_stands_in_the_way_of_an_answer_is_no_sign_of_death(obstacle):
    remote = pinged()
    if obstacle == "held back":
        remote.held_back = True
    elif obstacle == "waiting":
        remote.waiting = 1
    else:
        remote.last_sent = remote.now
    for _ in range(1000):
        assert remote.after(5) == ""
    remote.held_back, remote.waiting, remote.last_sent = False, 0, 0.0
    assert remote.after(0).startswith("the API server has not answered")


@pytest.mark.parametrize("sign", ["pong", "byte"])
def test_any_byte_is_an_answer(sign):
    remote = pinged()
    remote.after(PATIENCE - 1)
    remote.pong() if sign == "pong" else remote.hear()
    assert remote.after(2) == ""
    assert remote.after(PING_AFTER) == "" and len(remote.pings) == 2
    assert remote.after(PATIENCE) == "" and remote.after(1) != ""


def test_after_sleep_it_is_asked_at_once_and_has_less_time():
    remote = Remote()
    assert remote.after(1, resumed=True) == "" and len(remote.pings) == 1
    assert remote.after(PATIENCE_AFTER_SLEEP) == ""
    assert remote.after(1) == "the API server has not answered for 11 s"
    remote = Remote()
    remote.after(1, resumed=True)
    remote.pong()
    remote.after(PING_AFTER + 1)
    assert remote.after(PATIENCE) == "", "later there is all the time again"


def test_a_ping_from_before_the_sleep_does_not_count():
    remote = pinged()
    assert remote.after(PATIENCE + 1, resumed=True) == "", "it could not be answered while the machine slept"
    assert len(remote.pings) == 2
    assert remote.after(PATIENCE_AFTER_SLEEP) == "" and "11 s" in remote.after(1)


class Kernel:
    """A socket of which the kernel says this."""

    def __init__(self, retransmits: int, probes: int, last_ack: int) -> None:
        self.raw = struct.pack("=8B13I", 1, 0, retransmits, probes, *[0] * 4, *[0] * 12, last_ack)

    def getsockopt(self, level: int, option: int, size: int) -> bytes:
        assert (level, option) == (socket.IPPROTO_TCP, socket.TCP_INFO)
        return self.raw[:size]


@pytest.mark.skipif(not hasattr(socket, "TCP_INFO"), reason="Linux only")
@pytest.mark.parametrize(
    ("told", "dead"),
    [
        ((6, 0, 61_000), True),
        ((0, 6, 61_000), True),
        ((5, 5, 500_000), False),
        ((6, 6, 59_000), False),
        ((0, 0, 500_000), False),  # nobody said anything: an idle connection
    ],
)
def test_what_the_kernel_knows(told, dead):
    remote = Remote()
    remote.sock, remote.held_back = Kernel(*told), True
    why = remote.after(1)
    assert bool(why) is dead
    assert not dead or why == "the API server has acknowledged nothing for 61 s"


def test_sockets_that_cannot_be_asked(monkeypatch):
    remote = Remote()
    one, two = socket.socketpair()
    with one, two:
        remote.sock = one
        assert remote.after(1) == ""
        liveness.without_user_timeout(one)
    remote.sock = object()
    assert remote.after(1) == ""
    liveness.without_user_timeout(None)
    monkeypatch.delattr(socket, "TCP_INFO", raising=False)
    remote.sock = Kernel(9, 9, 999_999) if hasattr(socket, "TCP_INFO") else object()
    assert remote.after(1) == ""


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="Linux only")
@pytest.mark.parametrize("protocol", BOTH)
async def test_a_closed_window_ends_no_connection_and_pings_are_answered(protocol):
    async with Bench(protocol=protocol) as bench:
        bench.put("db-0")
        bench.server.serve(7, echo)
        forward = bench.to(7)
        reader, writer = await bench.through_port(forward)
        writer.write(b"x")
        await reader.readexactly(1)
        tunnel = next(iter(forward._tunnels.values()))
        remote = tunnel._remote
        sock = remote.info("socket")
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 0
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        now = tunnel._loop.time()
        forward.check(now, resumed=False)
        assert remote.answered
        forward.check(now, resumed=True)
        assert not remote.answered
        await until(lambda: remote.answered)
        for at in (now + 100, now + 300):
            forward.check(at, resumed=False)
            await until(lambda: remote.answered)
        assert forward.view().tunnels[0].phase == "open"
        writer.close()


@pytest.mark.parametrize("protocol", BOTH)
async def test_a_server_that_is_frozen_ends_in_a_reset(protocol):
    async with Bench(protocol=protocol) as bench:
        bench.put("db-0")
        bench.server.serve(7, echo)
        forward = bench.to(7)
        reader, writer = await bench.through_port(forward)
        writer.write(b"x")
        await reader.readexactly(1)
        for one in bench.server.sockets:
            one.answer_pings = False
            if hasattr(one, "session"):
                one.session.answer_pings = False
        tunnel = next(iter(forward._tunnels.values()))
        now = tunnel._loop.time()
        forward.check(now + PING_AFTER + 1, resumed=False)
        forward.check(now + PING_AFTER + 1 + PATIENCE, resumed=False)
        assert forward.view().tunnels
        forward.check(now + PING_AFTER + 2 + PATIENCE, resumed=False)
        with pytest.raises(ConnectionResetError):
            await reader.read()
        assert "has not answered for" in forward.view().recent[0].why
        writer.close()


def test_a_sleep_is_noticed_once_and_a_clock_that_is_set_looks_the_same():
    sleep = Sleep(1000.0, 10.0)
    assert not sleep.woke(1001.0, 11.0)
    assert not sleep.woke(1011.9, 12.0)  # an accident of up to ten seconds
    assert sleep.woke(5000.0, 13.0)
    assert not sleep.woke(5001.0, 14.0)
    assert sleep.woke(1001.0, 15.0)  # set back
    assert not sleep.woke(1002.0, 16.0)
