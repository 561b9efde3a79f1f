"""A server with the streams alone, and just enough of the API around them for kubectl to get that far.

Its pods are `two` (containers `a` and `b`), `one`, `waiting` (for its image), `done` and `nowhere` (not scheduled).
Run as a program it prints its URL and serves.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pty
import signal
import ssl
import struct
import sys
import termios
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal

from aiohttp import web

from tui.sandbox.model import ApiError, Exec, Logs
from tui.sandbox.streams import add_streams

Json = dict[str, Any]
Output = tuple[Literal["stdout", "stderr"], bytes]


class PipeProcess:
    """A local process with pipes."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self._out: asyncio.Queue[Output | None] = asyncio.Queue(2)
        self._tasks = [
            asyncio.create_task(self._pump("stdout", process.stdout)),
            asyncio.create_task(self._pump("stderr", process.stderr)),
        ]
        self._open = 2
        self._killed = False

    async def _pump(self, name: Literal["stdout", "stderr"], stream: asyncio.StreamReader | None) -> None:
        assert stream is not None
        # To the end even if it is killed: asyncio's `wait` does not return while there is unread output (Python 3.11).
        while data := await stream.read(65536):
            if not self._killed:
                await self._out.put((name, data))
        if not self._killed:
            await self._out.put(None)

    async def read(self) -> Output | None:
        while self._open:
            if (found := await self._out.get()) is not None:
                return found
            self._open -= 1
        return None

    async def write(self, data: bytes) -> None:
        if self.process.stdin is not None:
            self.process.stdin.write(data)
            await self.process.stdin.drain()

    def end_input(self) -> None:
        if self.process.stdin is not None:
            self.process.stdin.close()

    def resize(self, width: int, height: int) -> None:
        raise AssertionError("a process without a terminal was resized")

    async def wait(self) -> int:
        code = await self.process.wait()
        return code if code >= 0 else 128 - code

    def kill(self) -> None:
        self._killed = True
        while not self._out.empty():
            self._out.get_nowait()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)


class TerminalProcess:
    """A local process in a terminal."""

    def __init__(self, command: tuple[str, ...]) -> None:
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            try:
                os.execvp(command[0], command)
            finally:
                os._exit(127)
        self._code: int | None = None

    async def read(self) -> Output | None:
        try:
            data = await asyncio.to_thread(os.read, self._fd, 65536)
        except OSError:
            data = b""
        return ("stdout", data) if data else None

    async def write(self, data: bytes) -> None:
        await asyncio.to_thread(os.write, self._fd, data)

    def end_input(self) -> None:
        with contextlib.suppress(OSError):
            os.write(self._fd, b"\x04")

    def resize(self, width: int, height: int) -> None:
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    async def wait(self) -> int:
        if self._code is None:
            _, status = await asyncio.to_thread(os.waitpid, self.pid, 0)
            code = os.waitstatus_to_exitcode(status)
            self._code = code if code >= 0 else 128 - code
            os.close(self._fd)
        return self._code

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)


class FakePods:
    """Pods whose processes run right here.

    Attributes:
        ports: where connections to a port of a pod really go; others go to the same port of this machine.
        started: every process that was started.
        wanted: the parameters of every log that was read.
        lines: the log, which may grow; `grown` tells its followers, None in it ends them.
        printed: what `attach` shows, None at its end.
        connections: how many were opened, and how many are open.
    """

    def __init__(self) -> None:
        self.ports: dict[int, int] = {}
        self.started: list[PipeProcess | TerminalProcess] = []
        self.wanted: list[tuple[str, Logs]] = []
        self.lines: list[bytes | None] = [b"one\n", b"two\n", b"three\n"]
        self.grown = asyncio.Event()
        self.following = 0
        self.printed: asyncio.Queue[tuple[str, bytes] | None] = asyncio.Queue()
        self.writers: list[asyncio.StreamWriter] = []

    async def exec(self, namespace: str, pod: str, container: str, request: Exec) -> PipeProcess | TerminalProcess:
        made: PipeProcess | TerminalProcess
        if request.tty:
            made = TerminalProcess(request.command)
        else:
            try:
                made = PipeProcess(
                    await asyncio.create_subprocess_exec(
                        *request.command,
                        stdin=asyncio.subprocess.PIPE if request.stdin else asyncio.subprocess.DEVNULL,
                        stdout=asyncio.subprocess.PIPE,
                        stderr=asyncio.subprocess.PIPE,
                        start_new_session=True,
                    )
                )
            except FileNotFoundError:
                words = f'exec: "{request.command[0]}": executable file not found in $PATH'
                raise ApiError(500, "InternalError", f"error executing command in container: {words}") from None
        self.started.append(made)
        return made

    def console(self, namespace: str, pod: str, container: str) -> None:
        """No container here has an input."""

    async def attach(self, namespace: str, pod: str, container: str) -> AsyncIterator[tuple[str, bytes]]:
        while (found := await self.printed.get()) is not None:
            yield found

    async def logs(self, namespace: str, pod: str, container: str, wanted: Logs) -> AsyncIterator[bytes]:
        self.wanted.append((container, wanted))
        at = max(0, len(self.lines) - wanted.tail) if wanted.tail is not None else 0
        self.following += 1
        try:
            while True:
                for line in self.lines[at:]:
                    if line is None:
                        return
                    yield line
                at = len(self.lines)
                if not wanted.follow:
                    return
                self.grown.clear()
                await self.grown.wait()
        finally:
            self.following -= 1

    async def connect(self, namespace: str, pod: str, port: int, uid: str = "") -> tuple[Any, Any]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.ports.get(port, port), limit=1 << 18)
        self.writers.append(writer)
        return reader, writer

    def stats(self) -> Json:
        node = {"nodeName": "node-1", "cpu": {"time": "2026-11-27T04:21:09Z", "usageNanoCores": 1500}}
        return {"node": node | {"memory": {"workingSetBytes": 4096}}, "pods": []}

    def metrics(self) -> list[Json]:
        return [
            {
                "metadata": {"name": name, "namespace": "ns", "labels": {"app": name}},
                "timestamp": "2026-11-27T04:21:09Z",
                "window": "10s",
                "containers": [{"name": "a", "usage": {"cpu": "250m", "memory": "2048Ki"}}],
            }
            for name in ("one", "two")
        ]


def pod(
    name: str, *containers: str, state: Json | None = None, node: str = "node-1", init: tuple[str, ...] = ()
) -> Json:
    """A pod whose containers are all in one state."""
    phases = {"running": "Running", "terminated": "Succeeded"}
    state = state or {"running": {"startedAt": "2026-11-27T03:00:00Z"}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "ns", "uid": f"uid-{name}", "resourceVersion": "7"},
        "spec": {
            "nodeName": node,
            "containers": [{"name": each, "image": "x"} for each in containers],
            "initContainers": [{"name": each, "image": "x"} for each in init],
        },
        "status": {
            "phase": next((phase for key, phase in phases.items() if key in state), "Pending"),
            "podIP": "127.0.0.9" if node else "",
            "containerStatuses": [{"name": each, "state": state, "lastState": {}} for each in containers],
            "initContainerStatuses": [{"name": each, "state": {"terminated": {}}, "lastState": {}} for each in init],
        },
    }


class FakeObjects:
    """Pods and one node."""

    def __init__(self) -> None:
        terminated = {"terminated": {"exitCode": 0, "reason": "Completed"}}
        self.pods = {
            each["metadata"]["name"]: each
            for each in (
                pod("one", "a"),
                pod("two", "a", "b"),
                pod("done", "d", state=terminated),
                pod("waiting", "w", state={"waiting": {"reason": "ErrImageNeverPull"}}),
                pod("nowhere", "u", node="", state={"waiting": {}}),
                pod("three", "a", "b", init=("i", "j")),
            )
        }

    def get(self, resource: str, namespace: str, name: str) -> Json | None:
        if resource == "nodes":
            return {"metadata": {"name": name, "labels": {"zone": "x"}}} if name == "node-1" else None
        return self.pods.get(name) if resource == "pods" and namespace == "ns" else None


class StreamsServer:
    """The server; `url` is where it is."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.pods, self.objects = FakePods(), FakeObjects()
        self.url = ""
        self.requests: list[tuple[str, str, str]] = []  # method, path, subprotocols
        self._tls = tls
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> StreamsServer:
        app = web.Application()
        add_streams(app, self.pods, self.objects)  # type: ignore[arg-type]
        app.router.add_get("/{path:.*}", self._api)
        app.on_response_prepare.append(self._note)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=60, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._tls).start()
        self.url = f"http{'s' if self._tls else ''}://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()
        for process in self.pods.started:
            process.kill()
            await process.wait()

    async def _note(self, request: web.Request, _: object) -> None:
        self.requests.append((request.method, request.path, request.headers.get("Sec-WebSocket-Protocol", "")))

    async def _api(self, request: web.Request) -> web.Response:
        path = request.path.rstrip("/")
        answers: dict[str, Json] = {
            "/version": {"major": "1", "minor": "36", "gitVersion": "v1.36.3"},
            "/api": {"kind": "APIVersions", "versions": ["v1"]},
            "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group()]},
            "/apis/metrics.k8s.io/v1beta1": _resources(
                "metrics.k8s.io/v1beta1", pods="PodMetrics", nodes="NodeMetrics"
            ),
            "/api/v1": _resources("v1", pods="Pod", nodes="Node"),
            "/api/v1/namespaces/ns/pods": {"kind": "PodList", "apiVersion": "v1", "metadata": {"resourceVersion": "9"}}
            | {"items": list(self.objects.pods.values())},
        }
        for name, found in self.objects.pods.items():
            answers[f"/api/v1/namespaces/ns/pods/{name}"] = found
        if path in answers:
            return web.json_response(answers[path])
        status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "reason": "NotFound"}
        return web.json_response(status | {"code": 404, "message": f"not here: {path}"}, status=404)

    def kubeconfig(self, directory: Path) -> Path:
        """Writes a kubeconfig that leads here."""
        path = directory / "kubeconfig"
        path.write_text(
            f"""apiVersion: v1
kind: Config
current-context: x
contexts: [{{name: x, context: {{cluster: x, user: x, namespace: ns}}}}]
clusters: [{{name: x, cluster: {{server: "{self.url}", insecure-skip-tls-verify: {str(bool(self._tls)).lower()}}}}}]
users: [{{name: x, user: {{token: t}}}}]
"""
        )
        return path


def _group() -> Json:
    version = {"groupVersion": "metrics.k8s.io/v1beta1", "version": "v1beta1"}
    return {"name": "metrics.k8s.io", "versions": [version], "preferredVersion": version}


def _resources(version: str, **kinds: str) -> Json:
    resources = [
        {"name": plural, "singularName": plural[:-1], "namespaced": plural == "pods", "kind": kind}
        | {"verbs": ["get", "list"]}
        for plural, kind in kinds.items()
    ]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": resources}


async def _main() -> None:
    async with StreamsServer() as server:
        print(server.url, server.kubeconfig(Path(sys.argv[1])), flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main())
