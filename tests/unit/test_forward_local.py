"""The program's end, and whether its program is still there."""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
import sys

import pytest

from tui.kube.forward import sockdiag
from tui.kube.forward.local import LocalEnd

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux only")


class Near:
    def __init__(self) -> None:
        self.told: list[object] = []
        self.end: LocalEnd | None = None

    def local_connected(self, local):
        self.end = local

    def local_data(self, data):
        self.told.append(bytes(data))

    def local_ended(self):
        self.told.append("ended")

    def local_lost(self):
        self.told.append("lost")

    def local_full(self):
        self.told.append("full")

    def local_drained(self):
        self.told.append("drained")


async def accepted(kind: str) -> tuple[LocalEnd, socket.socket, Near, object]:
    """An end of ours, and the program's socket."""
    near = Near()
    loop = asyncio.get_running_loop()
    if kind == "unix":
        ours, theirs = socket.socketpair()
        await loop.connect_accepted_socket(lambda: LocalEnd(near), ours)
        server = None
    else:
        server = await loop.create_server(lambda: LocalEnd(near), "127.0.0.1", 0)
        theirs = socket.create_connection(server.sockets[0].getsockname())
        while near.end is None:
            await asyncio.sleep(0)
    theirs.setblocking(False)
    return near.end, theirs, near, server


@pytest.mark.parametrize("kind", ["tcp", "unix"])
async def test_whether_the_program_is_still_there(kind):
    if kind == "tcp" and not sys.platform.startswith("linux"):
        pytest.skip("only Linux can be asked")
    end, theirs, near, server = await accepted(kind)
    assert end.abandoned is False
    theirs.shutdown(socket.SHUT_WR)
    while "ended" not in near.told:
        await asyncio.sleep(0)
    assert end.abandoned is False, "it may still read"
    theirs.close()
    await asyncio.sleep(0.01)
    assert end.abandoned is True
    end.close()
    while "lost" not in near.told:
        await asyncio.sleep(0)
    assert end.abandoned is True and end.waiting == 0
    if server is not None:
        server.close()


@pytest.mark.parametrize("kind", ["tcp", "unix"])
async def test_a_reset_and_an_end_look_different_over_tcp(kind):
    for way in ("reset", "end"):
        end, theirs, near, server = await accepted(kind)
        theirs.sendall(b"unread")
        await asyncio.sleep(0.01)
        getattr(end, way)()
        await asyncio.sleep(0.01)
        if way == "reset" and kind == "tcp":
            with pytest.raises(ConnectionResetError):
                theirs.recv(1)
        else:
            assert theirs.recv(1) == b""
        assert near.told == ([b"unread", "lost"] if way == "reset" else [b"unread"])
        theirs.close()
        end.close()
        await asyncio.sleep(0)
        if server is not None:
            server.close()


async def test_what_the_program_does_not_take_waits_and_is_a_copy(monkeypatch):
    for kept in (True, False):
        monkeypatch.setattr("tui.kube.forward.local._KEPT_BY_TRANSPORT", kept or sys.version_info >= (3, 12))
        end, theirs, near, _ = await accepted("unix")
        shared = bytearray(b"x" * (1 << 20))
        end.write(memoryview(shared))
        shared[:] = b"y" * len(shared)
        assert near.told == ["full"] and end.waiting > 1 << 18
        got = bytearray()
        end.close()
        loop = asyncio.get_running_loop()
        while piece := await loop.sock_recv(theirs, 1 << 18):
            got += piece
        assert got == b"x" * (1 << 20)
        assert near.told == ["full", "drained", "lost"]
        end.write(memoryview(b"late"))
        end.end()
        end.pause()
        end.resume()
        theirs.close()


async def test_who_is_paused_reads_nothing():
    end, theirs, near, _ = await accepted("unix")
    end.pause()
    theirs.sendall(b"x")
    await asyncio.sleep(0.01)
    assert near.told == []
    end.resume()
    await asyncio.sleep(0.01)
    assert near.told == [b"x"]
    end.reset()
    theirs.close()
    await asyncio.sleep(0)


async def test_an_end_that_nobody_has_connected_yet():
    end = LocalEnd(Near())
    end.write(memoryview(b"x"))
    end.end()
    end.close()
    end.pause()
    end.resume()
    assert end.abandoned is True and end.waiting == 0
    end.reset()


async def test_where_the_kernel_cannot_be_asked(monkeypatch):
    end, theirs, _, server = await accepted("tcp")
    monkeypatch.setattr(sockdiag, "orphaned", lambda *_: None)
    assert end.abandoned is None

    def broken(*_: object) -> None:
        raise OSError("gone")

    monkeypatch.setattr(sockdiag, "orphaned", broken)
    assert end.abandoned is None
    end.reset()
    theirs.close()
    server.close()
    await asyncio.sleep(0)


# --- the kernel's answers

PEER, OURS = ("127.0.0.1", 40_000), ("127.0.0.1", 5000)


class Kernel:
    """A netlink socket with this answer."""

    answer: bytes | OSError = b""
    asked: bytes = b""

    def __init__(self, *_: object) -> None:
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def settimeout(self, seconds: float) -> None:
        assert seconds < 1

    def send(self, data: bytes) -> None:
        Kernel.asked = data

    def recv(self, size: int) -> bytes:
        if isinstance(Kernel.answer, OSError):
            raise Kernel.answer
        return Kernel.answer


def message(state: int, inode: int) -> bytes:
    body = bytearray(72)
    body[1] = state
    body[-4:] = struct.pack("=I", inode)
    return struct.pack("=IHHII", 16 + 72, 20, 0, 1, 0) + body


def error(number: int) -> bytes:
    return struct.pack("=IHHIIi", 36, 2, 0, 1, 0, -number) + bytes(16)


@linux
@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (message(1, 4711), False),
        (message(5, 4711), False),  # it has half-closed
        (message(5, 0), True),  # FIN_WAIT2, and nobody holds it
        (message(1, 0), False),  # not accepted yet: established, and still without an inode
        (error(errno.ENOENT), True),
        (error(errno.EPERM), None),
        (error(errno.EOPNOTSUPP), None),
        (b"", None),
        (message(5, 0)[:40], None),
        (OSError(errno.EPROTONOSUPPORT, "no sock_diag"), None),
        (TimeoutError(), None),
    ],
)
def test_what_the_kernels_answers_mean(answer, verdict, monkeypatch):
    Kernel.answer = answer
    monkeypatch.setattr(socket, "socket", Kernel)
    assert sockdiag.orphaned(PEER, OURS) is verdict
    assert struct.pack("!HH", 40_000, 5000) in Kernel.asked and len(Kernel.asked) == 72


def test_another_system_cannot_be_asked(monkeypatch):
    monkeypatch.delattr(socket, "AF_NETLINK", raising=False)
    assert sockdiag.orphaned(PEER, OURS) is None


@linux
def test_addresses_that_are_none_of_ours():
    assert sockdiag.orphaned(("127.0.0.1", 1), ("127.0.0.1", 2)) is True
    with pytest.raises(OSError):
        sockdiag.orphaned(("::1", 1), ("::1", 2))
