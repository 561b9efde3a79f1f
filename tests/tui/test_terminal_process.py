"""The whole program as a real process in a real pseudo-terminal, while things go wrong."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from process import Program

# These stand beside the unit tests; `process` has put that folder on the path.
from fake_api import FakeApi  # isort: skip
from small_cluster import kubeconfig, pod, put_mysql, summarise  # isort: skip

LIVE = "● live"
#: Words that only a traceback has.
TRACEBACK = re.compile(r"Traceback|File \"|\.py\b|Error\(|Exception")
RESTORED = (b"\x1b[?1049l", b"\x1b[?1000l", b"\x1b[?1003l", b"\x1b[?25h")


@pytest.fixture
async def server() -> AsyncIterator[FakeApi]:
    async with FakeApi() as server:
        put_mysql(server)
        summarise(server, "data-shop-0", "data-shop-1")
        yield server


@pytest.fixture
def file(server: FakeApi, tmp_path: Path) -> str:
    return kubeconfig(server, tmp_path)


def plugin(server: FakeApi, folder: Path, program: str) -> str:
    """A kubeconfig whose credentials come from a plugin with a name: a Python program."""
    script = folder / "login-helper"
    script.write_text(f"#!{sys.executable}\n{program}\n")
    script.chmod(0o755)
    text = Path(kubeconfig(server, folder)).read_text()
    exec_ = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(script), "interactiveMode": "Never"}
    path = folder / "with-plugin"
    path.write_text(text.replace('{token: "a-token"}', json.dumps({"exec": exec_})))
    return str(path)


def hangs(sign: Path) -> str:
    """A plugin that never ends, and says in a file that it runs."""
    return f"import os, time; open({str(sign)!r}, 'w').write(str(os.getpid())); time.sleep(600)"


def in_one_line(text: str) -> str:
    """The screen's text in one line, so that wrapped words are found."""
    return " ".join(text.split())


async def usable(program: Program) -> None:
    """The context list opens and closes, and `q` ends the program at once with the terminal as it was."""
    assert not TRACEBACK.search(program.text), program.text
    program.type("c")
    await program.until("Context ─")
    program.type("\x1b")
    await program.until(lambda text: "Context ─" not in text)
    await quits(program)


async def quits(program: Program, seconds: float = 8) -> None:
    program.type("q")
    assert await program.exit_code(seconds) == 0, program.text
    assert program.modes == program.before


# --- the terminal


@pytest.mark.parametrize("ignored", [False, True], ids=["hangup", "hangup-ignored"])
async def test_a_closed_terminal_ends_it(file: str, *, ignored: bool) -> None:
    async with Program(kubeconfig=file, ignore_hangup=ignored) as program:
        await program.until(LIVE)
        used = program.cpu()
        program.hang_up()
        began = time.monotonic()
        while not program.over():
            assert time.monotonic() - began < 8, "it lives on without a terminal"
            await asyncio.sleep(0.02)
        assert program.cpu() - used < 0.6, "it spun"


@pytest.mark.parametrize("ignored", [False, True], ids=["hangup", "hangup-ignored"])
async def test_a_closed_terminal_leaves_no_plugin_behind(server: FakeApi, tmp_path: Path, *, ignored: bool) -> None:
    sign = tmp_path / "pid"
    file = plugin(server, tmp_path, hangs(sign))
    async with Program(kubeconfig=file, ignore_hangup=ignored) as program:
        await program.until(lambda _: sign.exists() and sign.read_text())
        child = int(sign.read_text())
        program.hang_up()
        await program.exit_code(8)
        assert await _gone(child), "the exec plugin outlived the program"


async def _gone(pid: int, seconds: float = 3) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":  # killed; whoever adopted it has not looked yet
            return True
        await asyncio.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    return False


async def test_sigterm_leaves_the_terminal_as_it_was(file: str) -> None:
    async with Program(kubeconfig=file) as program:
        await program.until(LIVE)
        program.process.terminate()
        assert await program.exit_code(5) == 128 + signal.SIGTERM
        await asyncio.sleep(0)
        assert program.modes == program.before
        end = bytes(program.raw)
        for mode in RESTORED:
            on = mode.replace(b"l", b"h") if mode.endswith(b"l") else mode.replace(b"h", b"l")
            assert end.rfind(mode) > end.rfind(on), f"{mode!r} was not restored"


async def test_sigterm_while_a_plugin_hangs(server: FakeApi, tmp_path: Path) -> None:
    sign = tmp_path / "pid"
    file = plugin(server, tmp_path, hangs(sign))
    async with Program(kubeconfig=file) as program:
        await program.until(lambda _: sign.exists() and sign.read_text())
        program.process.terminate()
        assert await program.exit_code(5) == 128 + signal.SIGTERM
        assert await _gone(int(sign.read_text()))


async def test_three_hundred_sizes_then_a_key(file: str) -> None:
    async with Program(kubeconfig=file, size=(140, 40)) as program:
        await program.until(LIVE)
        for step in range(300):
            program.resize(20 + step * 7 % 141, 5 + step * 3 % 46)
            if step % 10 == 0:
                await asyncio.sleep(0)
        program.resize(20, 5)
        await program.until("shop")
        program.type("?")
        await program.until("Overview")
        program.type("\x1b")
        program.resize(100, 30)
        await program.until(r"(?s)test / all namespaces.*shop.*Open")
        assert not TRACEBACK.search(program.text)
        await quits(program)


async def test_no_color_writes_no_colour(file: str) -> None:
    async with Program(kubeconfig=file, environment={"NO_COLOR": "1"}) as program:
        await program.until(LIVE)
        program.type("\r")
        await program.until("Members")
        await quits(program)
        for found in re.findall(rb"\x1b\[([\d;:]*)m", bytes(program.raw)):
            codes = {int(code) for code in re.split(rb"[;:]", found) if code}
            assert codes <= {*range(10), *range(21, 30)}, f"a colour: {found!r}"


async def test_a_dumb_terminal_is_told_so(file: str) -> None:
    async with Program(kubeconfig=file, environment={"TERM": "dumb"}) as program:
        assert await program.exit_code() == 2
        assert "TERM=dumb cannot show a screen; `statetui get`" in program.text
        assert b"\x1b" not in program.raw


def test_no_terminal_is_told_so() -> None:
    done = run()
    assert done.returncode == 2
    assert "not a terminal" in done.stderr
    assert done.stdout == ""


def run(*words: str, kubeconfig: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tui", *words], capture_output=True, text=True, check=False, timeout=60,
        stdin=subprocess.DEVNULL, env={**os.environ, "KUBECONFIG": kubeconfig, "HOME": "/nowhere"},
    )  # fmt: skip


# --- the server and the way to it


async def test_a_server_that_answers_html(server: FakeApi, file: str) -> None:
    server.fail("/", 200, "<html><body><h1>Please log in</h1></body></html>", headers={"Content-Type": "text/html"})
    async with Program(kubeconfig=file) as program:
        await program.until("(?i)html|not JSON|not a Kubernetes")
        assert "✗" in program.text
        await usable(program)


PLUGINS = {
    "fails": ("import sys; sys.exit('no such profile [bold]x[/bold]')", r"failed.*no such profile \[bold\]x\[/bold\]"),
    "rubbish": (r"print('\x1b[31m{{{ rubbish')", "did not print a credential"),
    "nothing": ("pass", "did not print a credential"),
    "killed": ("import os; os.kill(os.getpid(), 9)", "was killed by signal 9"),
}


@pytest.mark.parametrize("how", PLUGINS)
async def test_an_exec_plugin_that_is_no_use(server: FakeApi, tmp_path: Path, how: str) -> None:
    program_, said = PLUGINS[how]
    async with Program(kubeconfig=plugin(server, tmp_path, program_)) as program:
        await program.until(lambda text: re.search(f"exec plugin login-helper .*{said}", in_one_line(text)))
        await usable(program)


async def test_an_exec_plugin_that_hangs(server: FakeApi, tmp_path: Path) -> None:
    sign = tmp_path / "pid"
    file = plugin(server, tmp_path, hangs(sign))
    async with Program(kubeconfig=file) as program:
        await program.until(lambda _: sign.exists() and sign.read_text())
        await program.until("login-helper")  # who is waited for is said long before the time limit
        await usable(program)
        assert await _gone(int(sign.read_text()))


CONFIGS: dict[str, tuple[str | None, str, str]] = {
    "missing": (None, "does not exist", "Correct KUBECONFIG, or unset it"),
    "empty": ("", "is empty", "--kubeconfig"),
    "malformed": ("clusters: [\n", "not valid YAML", "Correct that line"),
    "deep": ("[" * 100_000, "not valid YAML", "nested too deeply"),
    "other": ("- a\n- b\n", "not a kubeconfig", "current-context"),
    "nowhere": (
        "current-context: a\ncontexts: [{name: a, context: {cluster: prodd}}]\nclusters: [{name: prod, cluster: {}}]\n",
        "prodd", "prod",
    ),
}  # fmt: skip


@pytest.mark.parametrize("how", CONFIGS)
async def test_a_kubeconfig_that_is_no_use(tmp_path: Path, how: str) -> None:
    content, said, remedy = CONFIGS[how]
    path = tmp_path / "the-config"
    if content is not None:
        path.write_text(content)
    async with Program(kubeconfig=str(path)) as program:
        await program.until(lambda text: said in in_one_line(text) and remedy in in_one_line(text))
        assert "✗" in program.text
        assert not TRACEBACK.search(program.text)
        await quits(program)
    done = run("get", kubeconfig=str(path))
    assert (done.returncode, done.stdout) == (3, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


async def test_a_server_that_is_not_there(server: FakeApi, file: str) -> None:
    await server.stop()
    async with Program(kubeconfig=file) as program:
        await program.until("unreachable")
        assert "refused" in in_one_line(program.text).lower()
        await usable(program)
    done = await asyncio.to_thread(run, "get", "--timeout", "5", kubeconfig=file)
    assert done.returncode == 3, done.stderr


@pytest.fixture
def silent() -> Iterator[str]:
    """An address where connections are never accepted: the queue is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        taken = [socket.socket() for _ in range(4)]
        for one in taken:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        yield f"http://127.0.0.1:{port}"
        for one in taken:
            one.close()


async def test_quitting_while_a_connection_hangs(server: FakeApi, tmp_path: Path, silent: str) -> None:
    path = tmp_path / "hangs"
    path.write_text(Path(kubeconfig(server, tmp_path)).read_text().replace(server.url, silent))
    async with Program(kubeconfig=str(path)) as program:
        await program.until(r"Reading|[Cc]onnecting")
        began = time.monotonic()
        await quits(program)
        assert time.monotonic() - began < 8, "it waited for what hangs"


async def test_quitting_while_the_name_is_looked_up(server: FakeApi, tmp_path: Path) -> None:
    # A lookup cannot be cancelled: its thread must not keep the program from ending.
    hook = tmp_path / "hook"
    hook.mkdir()
    (hook / "sitecustomize.py").write_text(
        "import socket, time\n_ask = socket.getaddrinfo\n"
        f"def ask(host, *a, **k):\n    if host == 'slow.test':\n        open({str(tmp_path / 'asked')!r}, 'w')\n"
        "        time.sleep(60)\n    return _ask(host, *a, **k)\nsocket.getaddrinfo = ask\n"
    )
    path = tmp_path / "slow"
    path.write_text(Path(kubeconfig(server, tmp_path)).read_text().replace("127.0.0.1", "slow.test"))
    async with Program(kubeconfig=str(path), environment={"PYTHONPATH": str(hook)}) as program:
        await program.until(lambda _: (tmp_path / "asked").exists())
        began = time.monotonic()
        await quits(program)
        assert time.monotonic() - began < 8, "it waited for what hangs"


async def test_live_stale_and_live_again(server: FakeApi, file: str) -> None:
    async with Program(kubeconfig=file) as program:
        await program.until(LIVE)
        await server.stop()
        await program.until("stale since")
        assert "shop" in program.text
        await server.start()
        put_mysql(server, "second")
        await program.until(lambda text: LIVE in text and "second" in text, 40)


# --- what is told


async def test_the_clock_is_set_back(server: FakeApi, tmp_path: Path) -> None:
    hook, sign = tmp_path / "hook", tmp_path / "back"
    hook.mkdir()
    (hook / "sitecustomize.py").write_text(
        f"import os, time\n_time = time.time\ntime.time = lambda: _time() - 3600 * os.path.exists({str(sign)!r})\n"
    )
    made = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 120))
    for ordinal in range(2):
        item = server.get("pods", f"shop-{ordinal}", "db")
        assert item is not None
        server.put("pods", {**item, "metadata": {**item["metadata"], "creationTimestamp": made}})
    async with Program(kubeconfig=kubeconfig(server, tmp_path), environment={"PYTHONPATH": str(hook)}) as program:
        await program.until(r"\b2m\b")
        sign.touch()
        await program.until(lambda text: "2m" not in text, 15)  # the next look at the ages
        assert LIVE in program.text
        assert not re.search(r"-\d+[smhd]\b|\b5[89]m\b", program.text), program.text
        put_mysql(server, "later")
        await program.until("later")
        program.type("\r")
        await program.until("Members")
        assert not re.search(r"-\d+[smhd]\b", program.text), program.text


EVIL = "\x1b]0;pwned\x07\x1b[2J\x1b[31mred\x9b31m\r\n\x00\x7f\u202eevil\u2066[bold]b[/bold][@click=app.quit]x[/]"
FORBIDDEN = ("\x1b]0;pwned", "\x1b[31mred", "\x9b31m", "\u202e", "\u2066", "pwned\x07", "\x00", "\x7f")


async def test_hostile_names_and_messages_are_shown_not_obeyed(server: FakeApi, tmp_path: Path) -> None:
    put_evil(server)
    name = f"test{EVIL}"
    path = tmp_path / "hostile"
    path.write_text(json.dumps({
        "current-context": name,
        "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": "db"}}],
        "clusters": [{"name": name, "cluster": {"server": server.url}}],
        "users": [{"name": name, "user": {"token": "a"}}],
    }))  # fmt: skip
    async with Program(kubeconfig=str(path), size=(140, 40)) as program:
        await program.until(LIVE)
        await program.until(r"\[bold\]b\[/bold\]")
        program.type("z\r")
        await program.until("Members")
        for tab, shown in (("2", "CLAIM"), ("3", "REASON"), ("4", "ready|revision"), ("5", "apiVersion")):
            program.type(tab)
            await program.until(shown)
        program.type("\x1b")
        await program.until("DATABASES")
        for key in "nc":
            program.type(key)
            await program.until("type to narrow")
            program.type("\x1b")
            await program.until(lambda text: "type to narrow" not in text)
        program.type("v")
        await program.until("faults 1 of 2 +(grid|table)")
        await quits(program)
    log = next((tmp_path / "state").rglob("*.log")).read_text()
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\u2066]", log)
    written = program.raw.decode("utf-8", "replace")
    for sequence in FORBIDDEN:
        at = written.find(sequence)
        assert at < 0, f"{sequence!r} reached the terminal: {written[at - 40 : at + 40]!r}"


async def test_a_defect_is_told_in_words(file: str, tmp_path: Path) -> None:
    hook = tmp_path / "hook"
    hook.mkdir()
    (hook / "sitecustomize.py").write_text(
        "import sys\nsys.path.insert(0, '')\nfrom tui.screens import app\n"
        "def broken(self):\n    secret = 'hunter2'\n    raise KeyError('the [/bold] defect')\n"
        "app.StatetuiApp.action_context = broken\n"
    )
    async with Program(kubeconfig=file, environment={"PYTHONPATH": str(hook)}) as program:
        await program.until(LIVE)
        program.type("c")
        assert await program.exit_code(5) == 1
        await asyncio.sleep(0)
        written = program.raw.decode()
        assert program.modes == program.before
    assert "a defect of statetui, not of your cluster: KeyError: 'the [/bold] defect'" in written
    assert "hunter2" not in written
    assert not re.search(r"Traceback|File \"", written)


def put_evil(server: FakeApi) -> None:
    """A workload whose every free text is an attack."""
    put_mysql(server, "evil", ready=1)
    item: Any = server.get("pods", "evil-1", "db")
    status = item["status"]["containerStatuses"][0]
    status.update(image=f"mysql:{EVIL}", name=f"mysql{EVIL}")
    status["state"] = {"waiting": {"reason": f"CrashLoop{EVIL}", "message": EVIL}}
    item["spec"]["nodeName"] = f"node{EVIL}"
    item["metadata"]["labels"]["app.kubernetes.io/version"] = EVIL
    item["metadata"]["annotations"] = {EVIL: EVIL}
    server.put("pods", item)
    claim: Any = server.get("persistentvolumeclaims", "data-evil-1", "db")
    claim["spec"]["storageClassName"] = f"fast{EVIL}"
    server.put("persistentvolumeclaims", claim)
    set_: Any = server.get("statefulsets", "evil", "db")
    set_["metadata"]["labels"]["helm.sh/chart"] = f"mysql-1.0{EVIL}"
    server.put("statefulsets", set_)
    server.put("events", {
        "metadata": {"name": "evil.1", "namespace": "db"}, "type": "Warning", "reason": f"Bad{EVIL}", "message": EVIL,
        "involvedObject": {"kind": "Pod", "name": "evil-1", "namespace": "db", "uid": item["metadata"]["uid"]},
        "source": {"component": EVIL}, "lastTimestamp": "2026-01-01T00:00:00Z",
    })  # fmt: skip
    server.put("namespaces", {"metadata": {"name": f"ns{EVIL}"}})


class Flood(FakeApi):
    """Lists pods of 200 MB, most of it annotations, chunk by chunk."""

    async def _resource(self, request: web.Request, *, watching: bool) -> web.StreamResponse:
        if watching or not request.path.endswith("/pods"):
            return await super()._resource(request, watching=watching)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        await response.write(b'{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"1000"},"items":[')
        for number in range(2000):
            item = pod(f"shop-{number}", "db", {"app": "flood"}, [], ready=True)
            item["metadata"].update(uid=f"u{number}", annotations={"big": "x" * 100_000}, resourceVersion="1000")
            await response.write((b"," if number else b"") + json.dumps(item).encode())
        await response.write(b"]}")
        return response


async def test_a_list_of_two_hundred_megabytes(tmp_path: Path) -> None:
    async with Flood() as server:
        server.watch_list = "reject"
        put_mysql(server)
        async with Program(kubeconfig=kubeconfig(server, tmp_path)) as program:
            await program.until(lambda text: LIVE in text or "too large" in text, 60)
            assert not TRACEBACK.search(program.text)
            assert program.peak_megabytes() < 700
            await quits(program)


# --- ctrl+z


async def test_it_is_suspended_and_goes_on(file: str) -> None:
    async with Program(kubeconfig=file, shell=True, environment={"PS1": "prompt> "}) as program:
        await program.until("prompt>")
        program.type(f"{sys.executable} -m tui\n")
        await program.until(LIVE)
        for _ in range(2):
            written = len(program.raw)
            program.type("\x1a")
            await program.until(r"\[1\]\+ +Stopped")
            for sequence in RESTORED:
                assert sequence in program.raw[written:], sequence
            stopped = len(program.raw)
            program.type("clear; fg\n")
            # All of it is drawn anew: what the shell wrote stands nowhere any more.
            await program.until(lambda text: re.search(LIVE, text) and "Stopped" not in text)
            assert b"\x1b[?1049h" in program.raw[stopped:]
            program.type("c")
            await program.until("Context ─")
            program.type("\x1b")
            await program.until(lambda text: "Context ─" not in text)
        ended = len(program.raw)
        program.type("q")
        # What is typed before the shell asks goes with the rest of the keys that the program throws away at its end.
        await program.until(lambda _: b"prompt>" in program.raw[ended:])
        assert b"\x1b[?1049l" in program.raw[ended:]
        program.type("echo it was $?\n")
        await program.until("it was 0")
        program.type("exit\n")
        assert await program.exit_code() == 0


async def test_it_is_not_suspended_where_nobody_could_let_it_go_on(file: str) -> None:
    """As the command of a tmux window, or by `ssh -t`: it would be stopped for good, with the terminal."""
    async with Program(kubeconfig=file) as program:
        await program.until(LIVE)
        program.type("\x1a")
        await program.until("Not suspended")
        await usable(program)
