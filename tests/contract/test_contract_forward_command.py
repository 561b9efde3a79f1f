"""`statetui forward` as a process: what programs get through it, and what is left of it."""

from __future__ import annotations

import json
import os
import queue
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.clusters import Cluster
from tests.contract.forwarding import peers

pytestmark = pytest.mark.usefixtures("home")


class Command:
    """`statetui forward` in one namespace."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.namespace = namespace
        self._start = [sys.executable, "-m", "tui", "--kubeconfig", cluster.kubeconfig]

    def words(self, *words: str, namespace: str = "", user: str = "") -> list[str]:
        who = ["--as", user] if user else []
        return [*self._start, "forward", "-n", namespace or self.namespace, *who, *words]

    def __call__(self, *words: str, namespace: str = "", user: str = "") -> subprocess.CompletedProcess[str]:
        command = self.words(*words, namespace=namespace, user=user)
        return subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)


@pytest.fixture
def run(cluster: Cluster, five: str) -> Command:
    """The command among the five workloads, unless it is told another namespace."""
    return Command(cluster, five)


def _heed_signals() -> None:
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


class Running:
    """A forward that goes on, and the lines that it prints."""

    def __init__(self, command: list[str]) -> None:
        # Whoever started the tests may ignore signals (nohup, a shell's background), which children inherit.
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            preexec_fn=_heed_signals,  # noqa: PLW1509  (it calls nothing that a thread could hold)
        )  # fmt: skip
        self.out: queue.Queue[str] = queue.Queue()
        self.err: queue.Queue[str] = queue.Queue()
        for stream, lines in ((self.process.stdout, self.out), (self.process.stderr, self.err)):
            threading.Thread(target=self._read, args=(stream, lines), daemon=True).start()

    @staticmethod
    def _read(stream: Any, lines: queue.Queue[str]) -> None:
        for line in stream:
            lines.put(line.rstrip("\n"))

    def line(self) -> str:
        """The next line of the output."""
        return self.out.get(timeout=30)

    def says(self, text: str, seconds: float = 30) -> str:
        """The next line of complaints that holds a text."""
        deadline = time.monotonic() + seconds
        while True:
            line = self.err.get(timeout=max(0.01, deadline - time.monotonic()))
            if text in line:
                return line

    def event(self, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The next line of JSON that fits."""
        while True:
            found: dict[str, Any] = json.loads(self.line())
            if fits(found):
                return found

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        return self.process.wait(timeout=10)


@pytest.fixture
def forward(run: Command) -> Iterator[Start]:
    started: list[Running] = []

    def start(*words: str, namespace: str = "") -> Running:
        started.append(Running(run.words(*words, namespace=namespace)))
        return started[-1]

    yield start
    for running in started:
        if running.process.poll() is None:
            running.process.kill()
            running.process.wait()


Start = Callable[..., Running]


def port_of(line: str) -> int:
    return int(line.rpartition(":")[2])


def ask(address: int | str, text: str = "hello") -> str:
    """What `peer.py` answers at its port of names: pod, uid and the text."""
    family = socket.AF_INET if isinstance(address, int) else socket.AF_UNIX
    with socket.socket(family) as peer:
        peer.settimeout(20)
        peer.connect(("127.0.0.1", address) if isinstance(address, int) else address)
        peer.sendall(f"{text}\n".encode())
        return peer.makefile().readline().strip()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def gone(wanted: Callable[[], bool], seconds: float = 5) -> bool:
    deadline = time.monotonic() + seconds
    while not wanted() and time.monotonic() < deadline:
        time.sleep(0.02)
    return wanted()


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# --- with a command


def test_a_command_reaches_the_workload_and_its_exit_code_is_passed_on(run: Command) -> None:
    done = run("rabbitmq:amqp", "--", "curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "http://{address}/")
    assert (done.returncode, done.stdout) == (0, "200"), done.stderr
    assert done.stderr == ""
    assert run("mysql", "--", "sh", "-c", "exit 7").returncode == 7
    assert run("mysql", "--", "sh", "-c", "kill -TERM $$").returncode == 128 + signal.SIGTERM
    missing = run("mysql", "--", "no-such-program")
    assert (missing.returncode, missing.stderr) == (127, "statetui: no-such-program: No such file or directory\n")


def test_a_command_is_told_why_its_connection_failed(run: Command) -> None:
    done = run("mysql:81", "--pod", "1", "--", "curl", "-sS", "http://{address}/")
    assert done.returncode != 0
    assert "a connection failed: Port 81 of pod mysql-1 refuses connections" in done.stderr


def test_the_environment_of_a_command(run: Command, tmp_path: Path) -> None:
    script = "import json, os; print(json.dumps(dict(os.environ)))"
    done = run("mysql", "cdb", "--spread", "--", sys.executable, "-c", script)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["STATETUI_1_WORKLOAD"] == found["STATETUI_WORKLOAD"] == "mysql"
    assert found["MYSQL_HOST"] == found["PGHOST"] == "127.0.0.1"
    assert found["MYSQL_TCP_PORT"] == found["STATETUI_1_PORT"]
    assert found["PGPORT"] == found["STATETUI_2_PORT"]
    assert found["STATETUI_2_ADDRESS"] == f"127.0.0.1:{found['PGPORT']}"
    socket_ = run("cdb", "--local", f"unix:{tmp_path}/", "--", sys.executable, "-c", script)
    found = json.loads(socket_.stdout)
    assert (found["PGHOST"], found["PGPORT"]) == (str(tmp_path), "26257")
    assert found["STATETUI_SOCKET"] == str(tmp_path / ".s.PGSQL.26257")
    assert not list(tmp_path.glob(".s.*"))


def test_a_command_waits_for_a_ready_pod_no_longer_than_told(cluster: Cluster, run: Command, namespace: str) -> None:
    peers(cluster, namespace, replicas=1)
    cluster.admin.scale(namespace, "peer", 0)
    cluster.admin.gone("Pod", namespace, "peer-0")
    began = time.monotonic()
    done = run(f"{namespace}/peer:name", "--wait", "1", "--", "true", namespace=namespace)
    assert done.returncode == 1
    assert "There is no pod to connect to" in done.stderr
    assert time.monotonic() - began < 15
    cluster.admin.scale(namespace, "peer", 1)
    client = (
        "import os, socket\nat = os.environ['STATETUI_HOST'], os.environ['STATETUI_PORT']\n"
        "peer = socket.create_connection(at)\npeer.sendall(b'x\\n')\nprint(peer.makefile().readline())"
    )
    done = run("peer:name", "--wait", "60", "--", sys.executable, "-c", client, namespace=namespace)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("peer-0 ")


# --- going on


def test_a_pod_that_comes_back_is_reached_again_and_told_of(
    cluster: Cluster, run: Command, namespace: str, forward: Start
) -> None:
    peers(cluster, namespace, replicas=1)
    running = forward("peer:name", "--local", "0", namespace=namespace)
    line = running.line()
    assert line.startswith("peer-0:9007 at 127.0.0.1:")
    port = port_of(line)
    first = ask(port).split()
    assert first[0] == "peer-0"
    cluster.admin.delete("Pod", namespace, "peer-0", wait=True)
    second = ask(port).split()
    assert second[0] == "peer-0"
    assert second[1] != first[1] and second[1] == cluster.admin.pod(namespace, "peer-0")["metadata"]["uid"]
    assert running.says("waiting: pod peer-0 ")
    assert running.says("ready: peer-0:9007")
    assert running.end(signal.SIGINT) == 130
    assert not listens(port)


def test_what_has_no_ready_pod_listens_all_the_same(
    cluster: Cluster, run: Command, namespace: str, forward: Start
) -> None:
    peers(cluster, namespace, replicas=1)
    cluster.admin.scale(namespace, "peer", 0)
    cluster.admin.gone("Pod", namespace, "peer-0")
    running = forward("sts/peer:9007", "--local", "0", "--wait", "60", namespace=namespace)
    line = running.line()
    assert line.startswith("peer:9007 at 127.0.0.1:")
    running.says("connections are made to wait for up to 60 s")
    cluster.admin.scale(namespace, "peer", 1)
    assert ask(port_of(line)).startswith("peer-0 ")


def test_json_lines(cluster: Cluster, run: Command, namespace: str, forward: Start) -> None:
    peers(cluster, namespace, replicas=1)
    running = forward("svc/peer:name", "-o", "json", "--local", "0", namespace=namespace)
    first = running.event(lambda _: True)
    assert (first["apiVersion"], first["type"]) == ("statetui/v1", "LISTENING")
    forward_ = first["forward"]
    assert (forward_["target"], forward_["port"], forward_["pod"], forward_["state"]) == (
        "service peer", "name", "peer-0", "ready"
    )  # fmt: skip
    assert ask(forward_["localPort"], "hello").endswith(" hello")
    over = running.event(lambda item: item["type"] == "TUNNEL" and item["tunnel"]["phase"] == "closed")
    assert over["tunnel"]["clean"] is True
    assert over["tunnel"]["sent"] == len("hello\n")
    assert over["forward"]["connections"] == 1
    cluster.admin.delete("Pod", namespace, "peer-0")
    assert running.event(lambda item: item["type"] == "STATE")["forward"]["state"] == "waiting"
    back = running.event(lambda item: item["type"] == "STATE" and item["forward"]["state"] == "ready")
    assert back["forward"]["uid"] != forward_["uid"]
    assert running.end() == 0
    assert running.event(lambda item: item["forward"]["state"] == "stopped")


def test_a_failed_connection_is_told_with_its_reason(run: Command, forward: Start) -> None:
    running = forward("mysql:81", "--pod", "2", "--local", "0")
    port = port_of(running.line())
    with socket.create_connection(("127.0.0.1", port)) as peer:
        peer.settimeout(20)
        with pytest.raises(ConnectionResetError):
            peer.recv(1)
    line = running.says("failed")
    assert "to mysql-2:81 failed: Port 81 of pod mysql-2 refuses connections: nothing listens there" in line
    assert listens(port)


def test_ports_that_are_taken(run: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        done = run("mysql", "--local", str(number))
        assert done.returncode == 1
        assert f"Port {number} on 127.0.0.1 is taken" in done.stderr
        assert "ss -ltnp" in done.stderr
    done = run("mysql", "mysql", "--", "sh", "-c", "echo $STATETUI_1_PORT $STATETUI_2_PORT")
    first, second = map(int, done.stdout.split())
    assert first != second


# --- how it ends


def test_an_unix_socket_is_for_its_user_and_goes_with_the_forward(
    cluster: Cluster, run: Command, namespace: str, forward: Start, tmp_path: Path
) -> None:
    peers(cluster, namespace, replicas=1)
    path = tmp_path / "peer.sock"
    for how in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGKILL):
        running = forward("peer:name", "--local", f"unix:{path}", namespace=namespace)
        assert running.line() == f"peer-0:9007 at unix:{path}"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert ask(str(path)).startswith("peer-0 ")
        code = running.end(how)
        assert code == {signal.SIGINT: 130, signal.SIGKILL: -signal.SIGKILL}.get(how, 0)
        assert gone(lambda: not path.exists()), how


def test_a_port_is_free_again_however_it_ends(run: Command, forward: Start) -> None:
    for how in (signal.SIGTERM, signal.SIGKILL):
        running = forward("rabbitmq", "--local", "0")
        port = port_of(running.line())
        assert listens(port)
        running.end(how)
        assert not listens(port)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_a_command_does_not_outlive_it(run: Command, how: signal.Signals, forward: Start, tmp_path: Path) -> None:
    file, path = tmp_path / "env", tmp_path / "s"
    script = "import os, time; print(os.getpid(), os.environ['STATETUI_SOCKET'], flush=True); time.sleep(600)"
    running = forward("mysql", "--env-file", str(file), "--local", f"unix:{path}", "--", sys.executable, "-c", script)
    pid, told = running.line().split()
    assert told == str(path)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert f"MYSQL_UNIX_PORT={path}\n" in file.read_text()
    assert alive(int(pid))
    code = running.end(how)
    assert code == (-how if how is signal.SIGKILL else 128 + how)
    assert gone(lambda: not alive(int(pid)))
    assert gone(lambda: not path.exists() and not file.exists())


def test_a_command_decides_what_ctrl_c_means(run: Command) -> None:
    script = (
        "import signal, time\nsignal.signal(2, lambda *_: (print('caught', flush=True), exit(3)))\n"
        "print('up', flush=True)\ntime.sleep(60)"
    )
    process = subprocess.Popen(
        run.words("mysql", "--", sys.executable, "-c", script),
        stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    os.killpg(process.pid, signal.SIGINT)
    assert process.stdout.readline() == "caught\n"
    assert process.wait(timeout=10) == 3


@pytest.mark.alone
def test_connections_may_finish(cluster: Cluster, run: Command, namespace: str, forward: Start) -> None:
    """Stopped in the middle of a transfer that ends within the two seconds: nothing of it is missing."""
    peers(cluster, namespace, replicas=1)
    running = forward("peer:9002", "--local", "0", namespace=namespace)
    port = port_of(running.line())
    with socket.create_connection(("127.0.0.1", port)) as peer:
        peer.settimeout(20)
        peer.sendall(b"8000000 seed\n")
        got = len(peer.recv(1000))
        running.process.send_signal(signal.SIGTERM)
        while got < 8_000_000 and (data := peer.recv(1 << 16)):
            got += len(data)
    assert got == 8_000_000
    assert running.process.wait(timeout=10) == 0


# --- what cannot work


def test_who_may_not_forward_is_told_verb_and_resource(
    cluster: Cluster, run: Command, user: Callable[..., str]
) -> None:
    name = user(run.namespace, [{"apiGroups": ["", "apps"], "resources": ["*"], "verbs": ["list", "watch"]}])
    done = run("mysql", user=name)
    assert done.returncode == 4
    verbs = "get or create" if cluster.admin.minor() >= 35 else "get"
    assert f"You may not {verbs} pods/portforward in namespace {run.namespace}" in done.stderr


def test_who_may_only_get_is_told_that_create_is_missing(
    cluster: Cluster, run: Command, user: Callable[..., str]
) -> None:
    if cluster.admin.minor() < 35:
        pytest.skip("before 1.35 get is enough")
    read = {"apiGroups": ["", "apps"], "resources": ["*"], "verbs": ["list", "watch"]}
    name = user(run.namespace, [read, {"apiGroups": [""], "resources": ["pods/portforward"], "verbs": ["get"]}])
    done = run("mysql", "--", "true", user=name)
    assert done.returncode == 4
    assert "You may not create pods/portforward" in done.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("mysq",), "Did you mean mysql?"),
        (("svc/rabbitmq:81",), "Its ports: 5672 (amqp), 15672 (stats)"),
        (("mysql:nothing",), "a number always works"),
        (("mysql", "--role", "primry"), "Did you mean primary?"),
        (("mysql", "--pod", "9"), "There are: 0, 1, 2."),
    ],
)
def test_what_can_never_work_is_refused_with_a_remedy(run: Command, words: tuple[str, ...], told: str) -> None:
    done = run(*words)
    assert done.returncode == 1
    assert told in done.stderr


def test_what_is_no_way_into_the_cluster_is_refused(cluster: Cluster, run: Command, namespace: str) -> None:
    cluster.admin.apply(
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "away", "namespace": namespace},
         "spec": {"type": "ExternalName", "externalName": "example.com", "ports": [{"port": 80}]}}
    )  # fmt: skip
    done = run("svc/away:80", namespace=namespace)
    assert done.returncode == 1
    assert "only another name for example.com" in done.stderr
