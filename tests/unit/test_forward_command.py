"""`statetui forward` against a fake API server: what it says, what a command is told, and how it ends."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import stat
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_api import FakeApi
from small_cluster import kubeconfig, meta, put_mysql

from tui.commands import forward, forward_output
from tui.commands.forward_definitions import Request
from tui.commands.forward_environment import EnvFile, environment, expanded
from tui.kube.forward.targets import PodPort
from tui.kube.forward.views import Phase, TunnelView
from tui.kube.options import ConnectOptions
from tui.problem import Cause, Problem, ProblemError
from tui.settings import Settings
from tui.settings_forwards import ForwardSetting

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
SETTINGS = Settings(forwards={
    "shop-db": ForwardSetting("db/shop", "test", "sql", role="primary"),
    "prod": ForwardSetting("db/shop", "prod-*"),
})  # fmt: skip
DUMP = "import json, os; print(json.dumps(dict(os.environ)))"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONFIG", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    monkeypatch.setenv("PGSERVICE", "elsewhere")
    monkeypatch.setenv("STATETUI_7_PORT", "1")


@pytest.fixture
async def server() -> AsyncIterator[FakeApi]:
    async with FakeApi() as fake:
        put_mysql(fake)
        put_mysql(fake, "audit", "db", ready=0)
        yield fake


def forwarding(server: FakeApi, folder: Path, *words: str, **request: Any) -> forward._Forwarding:
    request.setdefault("local", 0 if len(words) == 1 else None)
    wanted = Request(words, timeout=20.0, **request)
    options = ConnectOptions(kubeconfig=kubeconfig(server, folder))
    return forward._Forwarding(options, SETTINGS, wanted, forward.definitions(wanted, SETTINGS))


async def run(server: FakeApi, folder: Path, *words: str, **request: Any) -> int:
    async with asyncio.timeout(30):
        return await forwarding(server, folder, *words, **request).run()


async def line(capfd: pytest.CaptureFixture[str]) -> str:
    """What is printed once something is."""
    async with asyncio.timeout(20):
        while not (out := capfd.readouterr().out):
            await asyncio.sleep(0.01)
    return out


# --- going on


@pytest.fixture(autouse=True)
def as_in_a_terminal() -> Iterator[None]:
    """Whoever started the tests may ignore signals (nohup, a shell's background), which the command would heed."""
    before = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    for one, handler in before.items():
        signal.signal(one, handler)


@pytest.mark.parametrize(("how", "code"), [(signal.SIGTERM, 0), (signal.SIGHUP, 0), (signal.SIGINT, 130)])
async def test_it_goes_on_until_a_signal(
    server: FakeApi, tmp_path: Path, capfd: pytest.CaptureFixture[str], how: signal.Signals, code: int
) -> None:
    before = {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGHUP)}
    task = asyncio.create_task(run(server, tmp_path, "shop", pod="1"))
    found = re.fullmatch(r"shop-1:3306 at 127\.0\.0\.1:(\d+)\n", await line(capfd))
    assert found
    os.kill(os.getpid(), how)
    assert await task == code
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", int(found[1]))), "nobody listens any more"
    assert capfd.readouterr().err == ""
    assert {one: signal.getsignal(one) for one in before} == before


async def test_services_that_are_late_are_waited_for(
    server: FakeApi, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    spec = {"selector": {"app": "shop"}, "ports": [{"port": 3306, "name": "sql"}]}
    server.put("services", {"metadata": meta("late", "db", {}), "spec": spec})
    late = server.fail("/api/v1/services", 503, times=2)
    task = asyncio.create_task(run(server, tmp_path, "svc/late"))
    assert (await line(capfd)).startswith("service late:3306 at 127.0.0.1:")
    assert late.times == 0, "they were late"
    os.kill(os.getpid(), signal.SIGTERM)
    assert await task == 0


async def test_what_has_no_ready_pod_listens_and_says_so(
    server: FakeApi, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    task = asyncio.create_task(run(server, tmp_path, "audit", "shop", wait=3.0))
    await asyncio.sleep(0)
    async with asyncio.timeout(20):
        out = err = ""
        while out.count("\n") < 2 or err.count("\n") < 2:
            await asyncio.sleep(0.01)
            said = capfd.readouterr()
            out, err = out + said.out, err + said.err
    assert out.splitlines()[0].startswith("audit:3306 at 127.0.0.1:")
    clock = r"\d\d:\d\d:\d\d audit: "
    assert re.match(
        f"{clock}waiting: no member of audit is ready\n{clock}connections are made to wait for up to 3 s", err
    )
    put_mysql(server, "audit", "db", ready=2)
    async with asyncio.timeout(20):
        while "audit: ready: audit-0:3306" not in err:
            await asyncio.sleep(0.01)
            err += capfd.readouterr().err
    os.kill(os.getpid(), signal.SIGTERM)
    assert await task == 0


async def test_json_lines_have_the_documented_fields(
    server: FakeApi, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "socket"
    task = asyncio.create_task(run(server, tmp_path, "audit:sql", output="json", local=f"unix:{path}"))
    first = json.loads(await line(capfd))
    assert (first["apiVersion"], first["type"]) == ("statetui/v1", "LISTENING")
    assert {key: first["forward"][key] for key in ("address", "host", "localPort", "path", "state", "pod", "port")} == {
        "address": f"unix:{path}", "host": None, "localPort": None, "path": str(path), "state": "waiting",
        "pod": None, "port": "sql",
    }  # fmt: skip
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    put_mysql(server, "audit", "db", ready=2)
    ready = json.loads((await line(capfd)).splitlines()[-1])
    assert (ready["type"], ready["forward"]["state"], ready["forward"]["pod"]) == ("STATE", "ready", "audit-0")
    os.kill(os.getpid(), signal.SIGTERM)
    assert await task == 0
    assert json.loads(capfd.readouterr().out.splitlines()[-1])["forward"]["state"] == "stopped"
    assert not path.exists()
    assert told_fields("forward") == set(first["forward"])
    at = PodPort("db", "shop-0", "u", 3306)
    tunnel = TunnelView(1, Phase.CLOSED, at, "v4", 0.0, 1.0, 2, 3, None, "", "why", clean=False)
    found = forward_output.tunnel_document(tunnel, None)
    assert told_fields("tunnel") == set(found)
    assert (found["reason"], found["clean"], found["opened"]) == ("why", False, "1970-01-01T00:00:00Z")


def told_fields(name: str) -> set[str]:
    (cells,) = re.findall(rf"^\| {name} \| (.*) \|$", README, re.MULTILINE)
    return set(re.findall(r"`(\w+)`", re.sub(r"\([^)]*\)", "", cells)))


# --- a command


async def test_a_command_is_told_by_its_environment(
    server: FakeApi, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert await run(server, tmp_path, "@shop-db", role="replica", command=(sys.executable, "-c", DUMP), pod="0") == 0
    found = json.loads(capfd.readouterr().out)
    told = {name: value for name, value in found.items() if name not in os.environ}
    ours = {name.removeprefix("STATETUI_"): value for name, value in told.items() if name.startswith("STATETUI_")}
    port = ours["PORT"]
    assert ours == {
        "HOST": "127.0.0.1", "PORT": port, "ADDRESS": f"127.0.0.1:{port}", "CONTEXT": "test", "NAMESPACE": "db",
        "WORKLOAD": "shop", "POD": "shop-0",
    }  # fmt: skip
    assert (found["MYSQL_HOST"], found["MYSQL_TCP_PORT"]) == ("127.0.0.1", port)
    assert found["PGSERVICE"] == "elsewhere", "only what concerns the system is taken away"


async def test_several_forwards_are_numbered(
    server: FakeApi, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ("sh", "-c", "echo $STATETUI_PORT $STATETUI_1_PORT $STATETUI_2_PORT $MYSQL_TCP_PORT {2.port} {x}")
    assert await run(server, tmp_path, "shop", "pod/shop-1", command=words) == 0
    first, one, two, mysql, filled, left = capfd.readouterr().out.split()
    assert first == one == mysql != two == filled
    assert left == "{x}"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("true",), 0),
        (("sh", "-c", "exit 7"), 7),
        (("sh", "-c", "kill -KILL $$"), 128 + 9),
        (("no-such-program",), 127),
        (("/",), 126),
    ],
)
async def test_the_exit_code_is_the_commands(
    server: FakeApi, tmp_path: Path, words: tuple[str, ...], code: int
) -> None:
    assert await run(server, tmp_path, "shop", command=words) == code


async def test_a_command_gets_sigterm_and_not_our_ctrl_c(
    server: FakeApi, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    script = "trap 'echo got it; exit 5' TERM; trap 'echo wrong' INT; echo up; while :; do sleep 0.05; done"
    task = asyncio.create_task(run(server, tmp_path, "shop", command=("sh", "-c", script)))
    assert await line(capfd) == "up\n"
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.sleep(0.2)
    assert not task.done()
    os.kill(os.getpid(), signal.SIGTERM)
    assert await task == 5
    assert capfd.readouterr().out == "got it\n"


async def test_a_command_is_not_run_without_a_ready_pod(
    server: FakeApi, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert await run(server, tmp_path, "audit", command=("echo", "ran"), wait=0.3) == 1
    said = capfd.readouterr()
    assert said.out == ""
    assert "There is no pod to connect to: no member of audit is ready" in said.err
    task = asyncio.create_task(run(server, tmp_path, "audit", command=("echo", "ran"), wait=20.0))
    async with asyncio.timeout(20):
        while "waiting for up to 20 s" not in capfd.readouterr().err:
            await asyncio.sleep(0.01)
    put_mysql(server, "audit", "db", ready=1)
    assert await task == 0
    assert capfd.readouterr().out == "ran\n"


async def test_a_signal_ends_the_wait_for_a_pod(
    server: FakeApi, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    task = asyncio.create_task(run(server, tmp_path, "audit", command=("echo", "ran"), wait=20.0))
    async with asyncio.timeout(20):
        while "waiting for up to 20 s" not in capfd.readouterr().err:
            await asyncio.sleep(0.01)
    os.kill(os.getpid(), signal.SIGTERM)
    assert await task == 128 + signal.SIGTERM
    assert capfd.readouterr().out == ""


# --- a file


async def test_a_file_of_variables_is_there_while_it_lasts(
    server: FakeApi, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "env"
    task = asyncio.create_task(run(server, tmp_path, "shop", env_file=str(file)))
    port = (await line(capfd)).strip().rpartition(":")[2]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    written = dict(item.split("=", 1) for item in file.read_text().splitlines())
    assert written["STATETUI_PORT"] == written["MYSQL_TCP_PORT"] == port
    os.kill(os.getpid(), signal.SIGTERM)
    assert await task == 0
    assert not file.exists()
    assert await run(server, tmp_path, "shop", env_file=str(file), command=("test", "-s", str(file))) == 0
    assert not file.exists()


async def test_a_file_that_is_there_is_left_alone(
    server: FakeApi, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "env"
    file.write_text("mine\n")
    assert await run(server, tmp_path, "shop", env_file=str(file), command=("true",)) == 1
    assert "exists already" in capfd.readouterr().err
    assert file.read_text() == "mine\n"


def test_a_file_in_its_place_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "env"
    with EnvFile(file, {"A": "1", "B": "", "C": "a context's\nD=name"}):
        assert file.read_text() == "A=1\n"
        file.unlink()
        file.write_text("another's")
    assert file.read_text() == "another's"


# --- arguments and the environment


def test_places_in_arguments() -> None:
    first = {"HOST": "127.0.0.1", "PORT": "5", "ADDRESS": "127.0.0.1:5", "POD": "a-0"}
    second = {"ADDRESS": "unix:/s", "SOCKET": "/s"}
    words = [
        "-h{host}",
        "{port}",
        "http://{address}/{pod}",
        "{2.socket}",
        "{1.port}",
        "{other}",
        "{}",
        '{"host": 1}',
        "{{",
    ]
    assert expanded(words, [first, second]) == [
        "-h127.0.0.1", "5", "http://127.0.0.1:5/a-0", "/s", "5", "{other}", "{}", '{"host": 1}', "{{"
    ]  # fmt: skip
    for word, why in (("{3.port}", "there are 2 forwards"), ("{2.port}", "unix:/s"), ("{socket}", "127.0.0.1:5")):
        with pytest.raises(ProblemError) as caught:
            expanded([word], [first, second])
        assert why in caught.value.problem.evidence
        assert "--no-expand" in caught.value.problem.remedy


def test_what_leads_elsewhere_is_taken_from_the_environment() -> None:
    given = {"PATH": "/bin", "PGSERVICE": "prod", "EMPTY": "", "STATETUI_2_PORT": "9", "STATETUI_THEME": "dark"}
    assert environment(given, {"PGHOST": "127.0.0.1", "PGSERVICE": ""}) == {
        "PATH": "/bin", "PGHOST": "127.0.0.1", "EMPTY": "", "STATETUI_THEME": "dark"
    }  # fmt: skip


# --- what cannot work


@pytest.mark.parametrize(("version", "rights", "told"), [
    ("v1.36.3", [], "get or create pods/portforward"),
    ("v1.36.3", ["get"], "create pods/portforward"),
    ("v1.34.0", [], "get pods/portforward"),
    ("v1.34.0", ["get"], ""),
])  # fmt: skip
async def test_missing_rights_are_named(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], version: str, rights: list[str], told: str
) -> None:
    async with FakeApi(version=version) as server:
        put_mysql(server)
        everything = [item for item in server.resources if item != "pods/portforward"]
        server.rules = [
            {"verbs": ["list", "watch"], "resources": everything},
            {"verbs": rights, "resources": ["pods/portforward"]},
        ]
        assert await run(server, tmp_path, "shop", command=("true",)) == (4 if told else 0)
    err = capfd.readouterr().err
    assert f"You may not {told} in namespace db" in err if told else not err


@pytest.mark.parametrize(
    ("word", "told"), [("shpo", "Did you mean shop?"), ("@prod", "is for contexts called prod-*, and this is test")]
)
async def test_what_is_not_there_is_a_failure(
    server: FakeApi, tmp_path: Path, capfd: pytest.CaptureFixture[str], word: str, told: str
) -> None:
    assert await run(server, tmp_path, word) == 1
    assert told in capfd.readouterr().err


async def test_a_taken_port_is_a_failure(server: FakeApi, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        assert await run(server, tmp_path, "shop", local=number) == 1
    err = capfd.readouterr().err
    assert f"Port {number} on 127.0.0.1 is taken" in err
    assert "ss -ltnp" in err


async def test_no_cluster_is_told_as_such(server: FakeApi, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    running = forwarding(server, tmp_path, "shop")
    server.rules = []
    assert await running.run() == 4
    assert "may read no workloads" in capfd.readouterr().err


@pytest.mark.parametrize("words", [("mysql:",), ("@nothing",), ("a/b/c",)])
def test_wrong_words_are_wrong_usage(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert forward.run(ConnectOptions(kubeconfig="/nowhere"), SETTINGS, Request(words)) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_options_override_a_definition() -> None:
    (found,) = forward.definitions(Request(("@shop-db:81",), any=True, spread=True, local=5), SETTINGS)
    assert (found.port, found.role, found.sticky, found.local, found.name) == (81, "", False, 5, "shop-db")


def test_the_defined_forwards_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert forward.show(SETTINGS, "text") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["NAME", "CONTEXT", "WORKLOAD", "PORT", "MEMBERS", "LOCAL"]
    assert lines[1].split() == ["@shop-db", "test", "db/shop", "sql", "primary", "likeliest"]
    assert forward.show(SETTINGS, "json") == 0
    first = json.loads(capsys.readouterr().out)["forwards"][0]
    assert first == {
        "name": "shop-db", "context": "test", "workload": "db/shop", "port": "sql", "pod": None, "role": "primary",
        "local": None, "sticky": True,
    }  # fmt: skip
    assert forward.show(Settings(), "text") == 0
    assert "define no forwards" in capsys.readouterr().err


def test_a_failed_connection_is_one_line() -> None:
    at = PodPort("db", "shop-0", "u", 81)
    view = TunnelView(4, Phase.CLOSED, at, "v4", 0.0, 1.0, 2, 0, None, "", "the kubelet's many words", clean=False)
    problem = Problem(Cause.UNREACHABLE, "Port 81 of pod shop-0 refuses connections", "the kubelet's many words", "…")
    told = forward_output.Told(forward_output.State.READY, "", "", 0.0)
    event = forward_output.Event(0.0, None, told, view, problem)  # type: ignore[arg-type]
    assert forward_output._broken(event, view) == (
        "connection 4 to shop-0:81 failed: Port 81 of pod shop-0 refuses connections"
    )
