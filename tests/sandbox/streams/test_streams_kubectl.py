"""The real, unmodified kubectl (1.31 or newer; see `real_programs` for another than the pinned one)."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pty
import re
import struct
import termios
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from certificates import tls
from peers import Peers
from streams_server import PipeProcess, StreamsServer

from tests.contract import peer

MB = 1 << 20


class Kubectl:
    """kubectl on its way to a server."""

    def __init__(self, program: str, server: StreamsServer, home: Path) -> None:
        self._program = program
        self.server = server
        self._home = home
        self._config = str(server.kubeconfig(home))

    async def start(self, *arguments: str, **options: object) -> asyncio.subprocess.Process:
        pipes = {
            "stdin": asyncio.subprocess.DEVNULL,
            "stdout": asyncio.subprocess.PIPE,
            "stderr": asyncio.subprocess.PIPE,
        }
        environment = {**os.environ, "HOME": str(self._home), "KUBECONFIG": self._config}
        return await asyncio.create_subprocess_exec(self._program, *arguments, env=environment, **(pipes | options))  # type: ignore[arg-type]

    async def __call__(self, *arguments: str, stdin: bytes | None = None) -> tuple[int, str, str]:
        """Its exit code, output and errors."""
        how = {"stdin": asyncio.subprocess.PIPE} if stdin is not None else {}
        process = await self.start(*arguments, **how)
        out, err = await asyncio.wait_for(process.communicate(stdin), 120)
        return process.returncode or 0, out.decode(), err.decode()


@pytest.fixture
async def kubectl(kubectl_program: str, tmp_path: Path, peers: Peers) -> AsyncIterator[Kubectl]:
    async with StreamsServer(tls()) as server:
        server.pods.ports = peers.ports
        yield Kubectl(kubectl_program, server, tmp_path)


async def test_logs(kubectl: Kubectl) -> None:
    assert await kubectl("logs", "one") == (0, "one\ntwo\nthree\n", "")
    assert await kubectl("logs", "one", "--tail=1") == (0, "three\n", "")
    code, _, errors = await kubectl("logs", "waiting")
    assert code == 1
    assert errors.endswith(': container "w" in pod "waiting" is waiting to start: ErrImageNeverPull\n')
    following = await kubectl.start("logs", "-f", "--tail=1", "two", "-c", "b")
    assert following.stdout is not None
    assert await asyncio.wait_for(following.stdout.readline(), 90) == b"three\n"
    kubectl.server.pods.lines += [b"four\n", None]
    kubectl.server.pods.grown.set()
    assert await asyncio.wait_for(following.stdout.read(), 90) == b"four\n"
    assert await following.wait() == 0


async def test_exec(kubectl: Kubectl) -> None:
    found = await kubectl("exec", "one", "--", "sh", "-c", "echo out; echo err >&2; exit 3")
    assert found == (3, "out\n", "err\ncommand terminated with exit code 3\n")
    assert await kubectl("exec", "-i", "one", "--", "wc", "-c", stdin=b"x" * 300_000) == (0, "300000\n", "")
    code, _, errors = await kubectl("exec", "one", "--", "nosuchprogram")
    assert code == 1 and errors.startswith("error: Internal error occurred: Internal error occurred: error executing")
    code, _, errors = await kubectl("exec", "waiting", "--", "true")
    assert (code, errors) == (1, 'error: unable to upgrade connection: container not found ("w")\n')


async def test_exec_in_a_terminal(kubectl: Kubectl) -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 99, 0, 0))
    script = "tty; sleep 0.5; stty size; read a; echo [$a]; exit 5"
    process = await kubectl.start(
        "exec",
        "-it",
        "one",
        "--",
        "sh",
        "-c",
        script,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    text = b""
    with contextlib.suppress(OSError):  # the terminal's end
        while data := await asyncio.wait_for(asyncio.to_thread(os.read, ours, 4096), 90):
            text += data
            if b"33 99" in text and b"sent" not in text:
                os.write(ours, b"sent\r")
    os.close(ours)
    assert await process.wait() == 5
    assert b"/dev/pts/" in text and b"[sent]" in text


async def test_cp_both_ways(kubectl: Kubectl, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    data = os.urandom(5 * MB + 3)
    (tmp_path / "a" / "file").write_bytes(data)
    code, _, errors = await kubectl("cp", str(tmp_path / "a" / "file"), f"one:{tmp_path}/b/there")
    assert code == 0, errors
    assert (tmp_path / "b" / "there").read_bytes() == data
    code, _, errors = await kubectl("cp", f"one:{tmp_path}/b/there", str(tmp_path / "back"))
    assert code == 0, errors
    assert (tmp_path / "back").read_bytes() == data


async def test_attach(kubectl: Kubectl) -> None:
    for item in (("stdout", b"out\n"), ("stderr", b"err\n"), None):
        kubectl.server.pods.printed.put_nowait(item)
    assert (await kubectl("attach", "one"))[:2] == (0, "out\n")


async def test_a_kubectl_that_is_killed_leaves_no_process(kubectl: Kubectl) -> None:
    client = await kubectl.start("exec", "one", "--", "sleep", "1000")
    async with asyncio.timeout(90):
        while not kubectl.server.pods.started:
            await asyncio.sleep(0.05)
    client.kill()
    await client.wait()
    (process,) = kubectl.server.pods.started
    assert isinstance(process, PipeProcess)
    assert await asyncio.wait_for(process.wait(), 90) == 137


@contextlib.asynccontextmanager
async def forwarded(kubectl: Kubectl, port: int) -> AsyncIterator[int]:
    process = await kubectl.start("port-forward", "--address=127.0.0.1", "pod/one", f":{port}")
    assert process.stdout is not None
    line = (await asyncio.wait_for(process.stdout.readline(), 90)).decode()
    found = re.search(r"127\.0\.0\.1:(\d+) ->", line)
    assert found is not None, line
    assert kubectl.server.requests[-1][2] == "SPDY/3.1+portforward.k8s.io"
    try:
        yield int(found[1])
    finally:
        process.kill()
        await process.communicate()


async def test_forwards_many_connections_at_once(kubectl: Kubectl) -> None:
    async def one(port: int, number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        size = 200_000 + number
        writer.write(f"{size} {number}\n".encode())
        assert await reader.readexactly(size) == b"".join(peer.blocks(size, str(number)))
        writer.close()

    async with forwarded(kubectl, peer.SOURCE) as port:
        await asyncio.wait_for(asyncio.gather(*(one(port, number) for number in range(100))), 120)


async def test_forwards_up(kubectl: Kubectl) -> None:
    async with forwarded(kubectl, peer.SINK) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"{30 * MB} up\n".encode())
        for block in peer.blocks(30 * MB, "up"):
            writer.write(block)
            await writer.drain()
        assert await asyncio.wait_for(reader.readline(), 90) == f"ok {30 * MB}\n".encode()
        writer.close()


async def test_a_reader_that_stalls_stops_only_for_as_long_as_it_is_there(kubectl: Kubectl) -> None:
    """kubectl itself stops all its streams then, on a real cluster too; the server must take none of it amiss."""
    if "v1.31." in (await kubectl("version", "--client"))[1]:
        pytest.skip("kubectl 1.31 never gets over it, on a real cluster neither")
    async with forwarded(kubectl, peer.ZEROS) as port:
        _, sleeper = await asyncio.open_connection("127.0.0.1", port)
        sleeper.write(b"400000000\n")
        await asyncio.sleep(0.5)
        code, *_ = await kubectl("exec", "one", "--", "true")  # the server goes on meanwhile
        assert code == 0
        sleeper.transport.abort()
        began = time.monotonic()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"5\n")
        assert await asyncio.wait_for(reader.readexactly(5), 120) == bytes(5)
        assert time.monotonic() - began < 90
        writer.close()


async def test_a_port_that_refuses_is_told_as_on_a_real_cluster(kubectl: Kubectl) -> None:
    process = await kubectl.start("port-forward", "--address=127.0.0.1", "pod/one", ":4")
    assert process.stdout is not None and process.stderr is not None
    port = int(re.search(r":(\d+) ->", (await process.stdout.readline()).decode())[1])  # type: ignore[index]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    assert await asyncio.wait_for(reader.read(), 90) == b""
    writer.close()
    errors = (await asyncio.wait_for(process.communicate(), 90))[1].decode()  # it gives up, as on a real cluster
    assert "error forwarding port 4 to pod" in errors and "connect: connection refused" in errors
    assert "lost connection to pod" in errors


async def test_top(kubectl: Kubectl) -> None:
    code, out, errors = await kubectl("top", "pods", "-l", "app=two", "--no-headers")
    assert (code, out.split()) == (0, ["two", "250m", "2Mi"]), errors
