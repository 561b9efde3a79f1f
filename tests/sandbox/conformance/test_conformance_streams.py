"""logs, attach, exec, cp and port-forward of the real kubectl."""

from __future__ import annotations

import fcntl
import hashlib
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from objects import pod, service, stateful_set
from target import Target
from tool import GENEROUS, Followed, Tool, eventually

Apply = Callable[..., str]
_READY = "--for=condition=Ready"


@pytest.fixture
def box(target: Target, kubectl: Tool, apply: Apply) -> str:
    """A pod that waits."""
    apply(pod("box", target.image, volumeMounts=[]))
    kubectl("wait", _READY, "pod/box", "--timeout=60s")
    return "box"


# ── logs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_logs_follow_to_the_end_of_the_pod(target: Target, kubectl: Tool, apply: Apply) -> None:
    apply(pod("talk", target.image, "echo one; echo two >&2; read go; echo three", stdin=True))
    kubectl("wait", _READY, "pod/talk", "--timeout=60s")
    with kubectl.follow("logs", "-f", "talk") as followed:
        followed.until("two\n")
        assert followed.process.poll() is None
        kubectl("delete", "pod", "talk", "--wait=false")
        done = followed.end()
    assert (done.code, sorted(done.out.split())) == (0, ["one", "two"])


def test_logs_follow_to_the_end_of_the_container(target: Target, kubectl: Tool, apply: Apply) -> None:
    apply(pod("talk", target.image, "for i in 1 2 3; do echo line $i; sleep 0.3; done; exit 3"))
    kubectl("wait", "--for=jsonpath={.status.containerStatuses[0].started}", "pod/talk", "--timeout=60s")
    with kubectl.follow("logs", "-f", "talk") as followed:
        done = followed.end()
    assert (done.code, done.out) == (0, "line 1\nline 2\nline 3\n")
    kubectl("wait", "--for=jsonpath={.status.phase}=Failed", "pod/talk", "--timeout=60s")
    assert kubectl("logs", "talk") == done.out


def test_logs_in_part(target: Target, kubectl: Tool, apply: Apply) -> None:
    apply(pod("talk", target.image, "echo old; sleep 4; echo a; echo b; exec sleep 1000"))
    eventually(lambda: "b" in kubectl.run("logs", "talk").out, "it says nothing")
    assert kubectl("logs", "talk", "--tail=1") == "b\n"
    assert kubectl("logs", "talk", "--tail=0") == ""
    assert kubectl("logs", "talk", "--limit-bytes=5") == "old\na"
    stamped = kubectl("logs", "talk", "--timestamps").splitlines()
    assert [re.sub(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z ", "", line) for line in stamped] == ["old", "a", "b"]
    since = stamped[1].split()[0]
    assert kubectl("logs", "talk", f"--since-time={since}") in ("a\nb\n", "b\n")
    assert kubectl("logs", "talk", "--since=1h") == "old\na\nb\n"
    assert kubectl("logs", "-l", "app=talk", "--prefix").splitlines()[0] == "[pod/talk/main] old"
    eventually(lambda: kubectl("logs", "talk", "--since=1s") == "", "lines never grow old")
    assert "previous terminated container" in kubectl.refused("logs", "talk", "--previous")
    assert (
        kubectl.refused("logs", "talk", "-c", "none")
        == "error: container none is not valid for pod talk out of: main\n"
    )
    assert 'rror from server (NotFound): pods "none" not found' in kubectl.refused("logs", "none")


def test_logs_of_the_container_before(target: Target, kubectl: Tool, apply: Apply) -> None:
    apply(pod("again", target.image, "echo run $(date +%s%N); sleep 1; exit 1", restart="Always"))
    restarts = "jsonpath={.status.containerStatuses[0].restartCount}"
    eventually(lambda: kubectl("get", "pod", "again", "-o", restarts) not in ("", "0"), "it never restarts")
    eventually(lambda: kubectl.run("logs", "again", "--previous").code == 0, "there is no previous log")
    assert kubectl("logs", "again", "--previous").startswith("run ")


def test_attach(target: Target, kubectl: Tool, apply: Apply) -> None:
    apply(pod("talk", target.image, 'while read line; do echo "got $line"; done; echo end', stdin=True, stdinOnce=True))
    kubectl("wait", _READY, "pod/talk", "--timeout=60s")
    done = kubectl.run("attach", "-i", "talk", stdin="first\nsecond\n")
    assert done.code == 0, done
    assert done.out.endswith("got first\ngot second\nend\n"), done
    kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/talk", "--timeout=60s")


# ── exec ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_exec_without_a_terminal(kubectl: Tool, box: str) -> None:
    done = kubectl.run("exec", box, "--", "sh", "-c", "echo out; echo err >&2; test -t 0 || exit 7")
    assert (done.code, done.out) == (7, "out\n")
    assert done.err == "err\ncommand terminated with exit code 7\n"
    data = os.urandom(400_000)
    assert kubectl.run("exec", "-i", box, "--", "sha256sum", stdin=data).out == _sum(data)
    assert kubectl.run("exec", box, "--", "cat", stdin="not sent").out == ""
    assert kubectl("exec", box, "--", "sh", "-c", "yes | head -c 3000000 | wc -c").strip() == "3000000"
    done = kubectl.run("exec", box, "--", "no-such-program")
    assert done.code in (1, 127) and "no-such-program" in done.err
    assert kubectl("exec", f"pod/{box}", "-c", "main", "--", "hostname").strip()
    refused = kubectl.refused("exec", box, "-c", "none", "--", "true")
    assert refused == "error: container none is not valid for pod box out of: main\n"
    assert kubectl.refused("exec", "none", "--", "true") == 'Error from server (NotFound): pods "none" not found\n'
    done = kubectl.run("exec", box, "--", "sh", "-c", "kill -9 $$")
    assert (done.code, done.err) == (137, "command terminated with exit code 137\n")


def _sum(data: bytes) -> str:
    return f"{hashlib.sha256(data).hexdigest()}  -\n"


class Terminal:
    """A command on a terminal of 99 by 33."""

    def __init__(self, tool: Tool, *arguments: str) -> None:
        self._ours, theirs = pty.openpty()
        self.resize(99, 33)
        self.process = subprocess.Popen(
            tool.command(*arguments),
            env=tool.environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509
        )
        os.close(theirs)
        self.shown = ""

    def resize(self, width: int, height: int) -> None:
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def until(self, text: str) -> None:
        deadline = time.monotonic() + GENEROUS
        while text not in self.shown:
            assert time.monotonic() < deadline, f"{text!r} never came: {self.shown!r}"
            if select.select([self._ours], [], [], 0.5)[0]:
                try:
                    self.shown += os.read(self._ours, 65536).decode("utf-8", "replace")
                except OSError:
                    assert text in self.shown, f"it ended without {text!r}: {self.shown!r}"

    def close(self) -> int:
        try:
            return self.process.wait(GENEROUS)
        finally:
            self.process.kill()
            os.close(self._ours)


@contextmanager
def terminal(tool: Tool, *arguments: str) -> Iterator[Terminal]:
    made = Terminal(tool, *arguments)
    try:
        yield made
    finally:
        if made.process.poll() is None:
            made.process.kill()
            made.close()


def test_exec_in_a_terminal(kubectl: Tool, box: str) -> None:
    with terminal(kubectl, "exec", "-it", box, "--", "sh") as shell:
        shell.type("test -t 0 && test -t 1 && echo is a t''ty; stty size\r")
        shell.until("is a tty")
        # The size is told in a message of its own, which may come after the first command.
        deadline = time.monotonic() + GENEROUS
        while "33 99" not in shell.shown and time.monotonic() < deadline:
            shell.type("stty size\r")
            time.sleep(0.3)
            shell.type("echo looked''-\r")
            shell.until("looked-")
            shell.shown = shell.shown.replace("looked-", "")
        assert "33 99" in shell.shown
        shell.resize(71, 22)
        os.kill(shell.process.pid, signal.SIGWINCH)
        shell.type(
            "trap 'echo caught' INT; while [ \"$(stty size)\" != '22 71' ]; do sleep 0.1; done; echo resi''zed\r"
        )
        shell.until("resized")
        shell.type("sh -c 'echo run\"\"ning; exec sleep 1000'\r")
        shell.until("running")
        shell.type("\x03")
        shell.until("caught")
        shell.type("exit 5\r")
        assert shell.close() == 5


# ── cp ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_cp_both_ways(target: Target, kubectl: Tool, apply: Apply, tmp_path: Path) -> None:
    apply(stateful_set(target.image, replicas=1), service("web"))
    kubectl("rollout", "status", "statefulset/web", "--timeout=90s")
    tree = tmp_path / "tree"
    (tree / "deep" / "er").mkdir(parents=True)
    data = os.urandom(1_500_000)
    (tree / "file").write_bytes(data)
    (tree / "deep" / "er" / "with a space").write_text("text\n")
    (tree / "deep" / "empty").touch()
    kubectl("cp", str(tree), "web-0:/data/tree")
    assert kubectl("exec", "web-0", "--", "cat", "/data/tree/deep/er/with a space") == "text\n"
    assert kubectl("exec", "web-0", "--", "sha256sum", "/data/tree/file").split()[0] == _sum(data).split()[0]
    kubectl("cp", "web-0:/data/tree", str(tmp_path / "back"))
    assert (tmp_path / "back" / "file").read_bytes() == data
    assert (tmp_path / "back" / "deep" / "er" / "with a space").read_text() == "text\n"
    assert (tmp_path / "back" / "deep" / "empty").exists()
    kubectl("cp", str(tree / "file"), f"{kubectl.namespace}/web-0:/data/single", "-c", "main")
    kubectl("cp", "web-0:/data/single", str(tmp_path / "single"))
    assert (tmp_path / "single").read_bytes() == data
    kubectl("cp", "web-0:/data/missing", str(tmp_path / "none"))  # no error for kubectl, as of 1.37
    assert not (tmp_path / "none").exists()
    kubectl("exec", "web-0", "--", "sh", "-c", "cd /data/tree && mkdir links && ln -s ../file links/to")
    done = kubectl.run("cp", "web-0:/data/tree/links", str(tmp_path / "links"))
    assert done.code == 0 and "skipping symlink" in done.err


# ── port-forward ─────────────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def forwarding(kubectl: Tool, *arguments: str) -> Iterator[tuple[Followed, str]]:
    with kubectl.follow("port-forward", "--address=127.0.0.1", *arguments) as followed:
        followed.until(" -> ")
        found = re.search(r"Forwarding from (127\.0\.0\.1:\d+) -> ", followed.out)
        assert found, followed.out
        yield followed, f"http://{found[1]}"


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=GENEROUS) as answer:
        found: bytes = answer.read()
        return found


def test_port_forward(target: Target, kubectl: Tool, apply: Apply) -> None:
    apply(stateful_set(target.image, replicas=1), service("web"))
    kubectl("rollout", "status", "statefulset/web", "--timeout=90s")
    kubectl("exec", "web-0", "--", "sh", "-c", "head -c 2000000 /dev/zero > /data/big; echo hello > /data/small")
    for what in (("pod/web-0", ":8000"), ("svc/web", ":80"), ("statefulset/web", ":http")):
        with forwarding(kubectl, *what) as (followed, url):
            assert _get(f"{url}/small") == b"hello\n"
            followed.until("Handling connection for ")
            followed.interrupt()
            assert followed.end().code in (0, 130, -2)
    with forwarding(kubectl, "pod/web-0", ":8000") as (followed, url):
        sizes: list[int] = []
        threads = [threading.Thread(target=lambda: sizes.append(len(_get(f"{url}/big")))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(GENEROUS)
        assert sizes == [2_000_000] * 8
        kubectl("delete", "pod", "web-0")
        # The forward was the old pod's: the new one answers nothing through it. kubectl notices at the next connection.
        kubectl("rollout", "status", "statefulset/web", "--timeout=90s")
        assert followed.process.poll() is None
        with pytest.raises(OSError):
            _get(f"{url}/small")
        done = followed.end()
    assert done.code == 1 and done.err.endswith("error: lost connection to pod\n"), done
    assert re.search(
        r"error forwarding port 8000 to pod \w+, uid : network namespace for sandbox .* is closed", done.err
    )
    refused = kubectl.refused("port-forward", "svc/web", ":81")
    assert refused == "error: Service web does not have a service port 81\n"
    assert kubectl.refused("port-forward", "none", ":1") == 'Error from server (NotFound): pods "none" not found\n'
