"""The last resort, against a fake kubectl: a script that listens and prints what kubectl prints."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from fake_forward import Answer, Bench, until
from fake_forward_apps import Sink, echo, resets, source, speaks_first

from tui.kube import program
from tui.kube.forward import kubectl
from tui.kube.forward.kubectl import KubectlForwards
from tui.kube.forward.targets import PodPort
from tui.kube.forward.views import State
from tui.problem import Cause, ProblemError

#: Behaves as FAKE_KUBECTL says; leads every connection to FAKE_TARGET, and complains of those that fail.
SCRIPT = """#!{python}
import json, os, socket, sys, threading, time
mode = os.environ.get("FAKE_KUBECTL", "")
with open(os.environ["FAKE_LOG"], "a") as log:
    log.write(json.dumps([os.getpid(), sys.argv[1:]]) + "\\n")
if mode == "complain":
    sys.exit("error: unable to forward port because pod is not running. \\x1b[31mPhase=Pending")
if mode == "silent":
    import subprocess
    plugin = subprocess.Popen(["sleep", "60"])
    with open(os.environ["FAKE_LOG"], "a") as log:
        log.write(json.dumps([plugin.pid, "plugin"]) + "\\n")
    plugin.wait()
if mode == "no port":
    print("Unable to listen", flush=True); sys.stderr.write("error: no port\\n"); sys.exit(1)
server = socket.create_server(("127.0.0.1", 0))
print("something else first", flush=True)
print(f"Forwarding from 127.0.0.1:{{server.getsockname()[1]}} -> {{sys.argv[-1][1:]}}", flush=True)
def pump(a, b):
    try:
        while data := a.recv(65536):
            b.sendall(data)
        b.shutdown(socket.SHUT_WR)
    except OSError as error:
        if "reset" in str(error):
            sys.stderr.write(f"E1127 portforward.go:398] error copying: {{error}}\\n"); sys.stderr.flush()
        for one in (a, b):
            try: one.shutdown(socket.SHUT_RDWR)
            except OSError: pass
while True:
    near, _ = server.accept()
    print("Handling connection for 9", flush=True)
    try:
        far = socket.create_connection(("127.0.0.1", int(open(os.environ["FAKE_TARGET"]).read())))
    except OSError as error:
        sys.stderr.write("E1127 portforward.go:413] error forwarding: connection refused\\n"); sys.stderr.flush()
        near.close()
        continue
    if mode == "dies":
        os._exit(1)
    for pair in ((near, far), (far, near)):
        threading.Thread(target=pump, args=pair, daemon=True).start()
"""


class Fake:
    """A kubectl on PATH."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self._patch = folder, monkeypatch
        file = folder / "kubectl"
        file.write_text(SCRIPT.format(python=sys.executable))
        file.chmod(0o755)
        self.target, self.log = folder / "target", folder / "log"
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        monkeypatch.setenv("FAKE_LOG", str(self.log))
        monkeypatch.setenv("FAKE_TARGET", str(self.target))
        self.mode("")

    def mode(self, mode: str) -> None:
        self._patch.setenv("FAKE_KUBECTL", mode)

    @property
    def started(self) -> list[list]:
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []

    async def serve(self, app) -> asyncio.Server:
        async def closing(reader, writer):
            try:
                await app(reader, writer)
            except (ConnectionError, asyncio.CancelledError):
                pass
            finally:
                writer.close()

        server = await asyncio.start_server(closing, "127.0.0.1", 0)
        self.target.write_text(str(server.sockets[0].getsockname()[1]))
        return server


@pytest.fixture
def fake(tmp_path, monkeypatch):
    return Fake(tmp_path, monkeypatch)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


AT = PodPort("shop", "db-0", "u", 9)


def over(bench: Bench) -> None:
    """Lets kubectl be the only way."""
    bench.dialer._order = lambda: ["kubectl"]


async def test_bytes_go_through_one_kubectl_for_each_port(fake):
    noise = os.urandom(2 << 20)
    async with Bench() as bench:
        bench.book._kubectl._arguments = ("--kubeconfig", "/a b", "--context", "c", "--as", "eve")
        over(bench)
        bench.put("db-0")
        server = await fake.serve(speaks_first(b"hello"))
        forward = bench.to(9)
        for _ in range(3):
            reader, writer = await bench.through_port(forward)
            assert await asyncio.wait_for(reader.readexactly(5), 20) == b"hello"
            writer.write(noise)
            assert await asyncio.wait_for(reader.readexactly(len(noise)), 10) == noise
            writer.close()
            await until(lambda: not forward.view().tunnels)
        ((pid, arguments),) = fake.started
        assert arguments == [
            "--kubeconfig", "/a b", "--context", "c", "--as", "eve", "--namespace", "shop",
            "port-forward", "--address", "127.0.0.1", "pod/db-0", ":9",
        ]  # fmt: skip
        assert {tunnel.protocol for tunnel in forward.view().recent} == {"kubectl"}
        assert forward.view().failures == 0 and pid in program._running
        forward.check(bench.book._loop.time() + 1000, resumed=True)
        server.close()
    assert not alive(pid) and pid not in program._running


async def test_all_of_an_answer_also_for_who_half_closes(fake):
    noise = os.urandom(3 << 20)
    async with Bench() as bench:
        over(bench)
        bench.put("db-0")
        server = await fake.serve(source(noise))
        reader, writer = await bench.through_port(bench.to(9))
        writer.write(b"?")
        writer.write_eof()
        assert await asyncio.wait_for(reader.read(), 10) == noise
        writer.close()
        server.close()


async def test_back_pressure_through_kubectl(fake):
    body = os.urandom(1 << 20) * 16
    async with Bench() as bench:
        over(bench)
        bench.put("db-0")
        sink = Sink()
        sink.gate.clear()
        server = await fake.serve(sink)
        forward = bench.to(9)
        _, writer = await bench.through_port(forward)
        writer.write(body)
        await until(lambda: forward.view().tunnels[0].stalled == "application")
        sink.gate.set()
        await until(lambda: len(sink.got[0]) == len(body), 10)
        assert sink.got[0] == body
        writer.close()
        server.close()


async def test_an_error_is_kubectls_words_and_a_later_end_is_clean_again(fake, tmp_path):
    async with Bench() as bench:
        over(bench)
        bench.put("db-0")
        fake.target.write_text("1")
        forward = bench.to(9)
        reader, writer = await bench.through_port(forward)
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(), 20)
        writer.close()
        assert forward.state is State.DEGRADED and "connection refused" in forward.evidence
        server = await fake.serve(source(b"all"))
        for _ in range(2):
            reader, writer = await bench.through_port(forward)
            writer.write(b"?")
            assert await asyncio.wait_for(reader.read(), 20) == b"all"
            writer.close()
            await until(lambda: not forward.view().tunnels)
            assert forward.view().recent[0].clean
        assert len(fake.started) == 1
        server.close()


@pytest.mark.parametrize("app", [resets, "dies"])
async def test_what_breaks_behind_kubectl_is_a_reset(fake, app):
    async with Bench() as bench:
        over(bench)
        bench.put("db-0")
        fake.mode("dies" if app == "dies" else "")
        server = await fake.serve(echo if app == "dies" else app)
        forward = bench.to(9)
        reader, writer = await bench.through_port(forward)
        writer.write(b"hello")
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(), 20)
        writer.close()
        assert forward.view().failures == 1
        fake.mode("")
        server.close()
        server = await fake.serve(echo)
        await until(lambda: not forward.view().tunnels)
        reader, writer = await bench.through_port(forward)
        writer.write(b"again")
        assert await asyncio.wait_for(reader.readexactly(5), 20) == b"again"
        assert len(fake.started) == (2 if app == "dies" else 1)
        if app == "dies":
            assert fake.started[0][0] not in program._running, "its number may be another program's by now"
        writer.close()
        server.close()


@pytest.mark.parametrize(
    ("mode", "words"),
    [("complain", "unable to forward port because pod is not running. \x1b[31mPhase=Pending"), ("no port", "no port"),
     ("silent", "does not listen after")],
)  # fmt: skip
async def test_a_kubectl_that_does_not_start(fake, mode, words, monkeypatch):
    monkeypatch.setattr(kubectl, "START", 0.5)
    fake.mode(mode)
    made = KubectlForwards()
    with pytest.raises(ProblemError) as caught:
        await made.open(AT, None)
    problem = caught.value.problem
    assert problem.cause is Cause.UNREACHABLE and words in problem.evidence
    await made.close()
    assert len(fake.started) == (2 if mode == "silent" else 1)
    for pid, _ in fake.started:  # the plugin that it waits for, too
        await until(lambda pid=pid: not alive(pid))
        assert pid not in program._running


async def test_who_gives_up_while_it_starts_leaves_none(fake):
    fake.mode("silent")
    made = KubectlForwards()
    opening = asyncio.create_task(made.open(AT, None))
    await until(lambda: bool(fake.started))
    opening.cancel()
    await asyncio.gather(opening, return_exceptions=True)
    await until(lambda: not alive(fake.started[0][0]))
    assert fake.started[0][0] not in program._running
    await made.close()


async def test_a_kubectl_that_cannot_be_run(fake, monkeypatch):
    monkeypatch.setenv("PATH", str(fake.folder))
    (fake.folder / "kubectl").write_text("#!/missing/interpreter\n")
    made = KubectlForwards()
    assert made.available
    with pytest.raises(ProblemError) as caught:
        await made.open(AT, None)
    assert caught.value.problem.cause is Cause.UNREACHABLE and "No such file" in caught.value.problem.evidence


async def test_no_kubectl_on_path(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not KubectlForwards().available
    async with Bench() as bench:
        del bench.dialer._order
        assert "kubectl" not in bench.dialer._order()


async def test_it_is_tried_last_and_then_remembered(fake):
    async with Bench() as bench:
        del bench.dialer._order
        bench.put("db-0")
        bench.server.refuse[""] = [Answer(400, "no upgrade")]
        server = await fake.serve(echo)
        forward = bench.to(9)
        for _ in range(2):
            reader, writer = await bench.through_port(forward)
            writer.write(b"x")
            assert await asyncio.wait_for(reader.readexactly(1), 20) == b"x"
            writer.close()
        assert bench.book.protocol == "kubectl" and len(bench.server.asked) == 2
        server.close()


async def test_a_kubectl_that_listens_no_more(fake):
    server = await fake.serve(echo)
    made = KubectlForwards()

    class Sink:
        def __getattr__(self, name):
            return lambda *_: None

    remote = await made.open(AT, Sink())
    assert (remote.info("socket"), remote.waiting, remote.protocol, remote.answered) == (None, 0, "kubectl", True)
    remote.pause()
    remote.close()
    made._running["u", 9].port = 1
    with pytest.raises(ProblemError, match="does not answer"):
        await made.open(AT, Sink())
    await made.close()
    server.close()


async def test_nothing_is_told_before_anybody_listens(fake):
    server = await fake.serve(speaks_first(b"hello"))
    made, told = KubectlForwards(), []

    class Sink:
        def remote_data(self, data):
            told.append(bytes(data))

    remote = await made.open(AT, Sink())
    await asyncio.sleep(0.1)
    assert told == []
    remote.resume()
    await until(lambda: told == [b"hello"])
    remote.abort()
    await made.close()
    server.close()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux kills children with their parent")
async def test_it_dies_with_us_however_we_die(fake):
    text = """
import asyncio
from tui.kube.forward.kubectl import KubectlForwards
from tui.kube.forward.targets import PodPort

class Sink:
    def __getattr__(self, name):
        return lambda *_: None

async def main():
    made = KubectlForwards()
    await made.open(PodPort("shop", "db-0", "u", 9), Sink())
    print("open", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""
    server = await fake.serve(echo)
    with subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE) as process:  # noqa: ASYNC220
        assert process.stdout is not None
        assert await asyncio.to_thread(process.stdout.readline) == b"open\n"
        ((pid, _),) = fake.started
        assert alive(pid)
        process.send_signal(signal.SIGKILL)
    await until(lambda: not alive(pid))
    server.close()
