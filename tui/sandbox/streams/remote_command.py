"""`…/pods/P/exec` and `…/pods/P/attach`: a process's streams, and how it ended, in a websocket."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, NoReturn

from aiohttp import web

from tui.sandbox.model import ApiError, Console, Exec, Json, Objects, Pods, Process
from tui.sandbox.streams import targets
from tui.sandbox.streams.channels import Channels
from tui.sandbox.streams.websocket import WebSocket, offered, require_upgrade, require_websocket

_STDIN, _STDOUT, _STDERR, _ERROR, _RESIZE, _CLOSE = 0, 1, 2, 3, 4, 255
_NUMBERS: Final = {"stdout": _STDOUT, "stderr": _STDERR}
_V5: Final = "v5.channel.k8s.io"
#: The first version: no Status when all went well, and words alone when it did not.
_V1: Final = ("", "channel.k8s.io", "base64.channel.k8s.io")
_KNOWN: Final = (_V5, "v4.channel.k8s.io", "v4.base64.channel.k8s.io", *_V1)
#: Bytes of a terminal's size as JSON that are read.
_MAX_SIZE: Final = 256
#: Seconds that a process has to end once its client is gone. A real runtime lets it run; here it would be left over.
_ORPHANED: Final = 1.0


class _Session:
    """One exec or attach: what is wanted of a process's streams, and the channels that carry them."""

    def __init__(self, request: web.Request, socket: WebSocket) -> None:
        self.tty = targets.flag(request, "tty")
        self.stdin = targets.flag(request, "stdin")
        self._socket = socket
        self._channels = Channels(socket, whole=(_RESIZE, _CLOSE))
        self._wanted = _wanted(request)

    async def greet(self) -> None:
        """Sends an empty message first, as a real server does."""
        first = next((_NUMBERS[name] for name in ("stdout", "stderr") if name in self._wanted), _ERROR)
        await self._channels.send(first, b"")

    async def output(self, stream: str, data: bytes) -> None:
        """Passes output on if it is wanted."""
        if stream in self._wanted:
            await self._channels.send(_NUMBERS[stream], data)

    async def input(self, process: Console | None) -> None:
        """Passes on what the client sends, until it is gone."""
        while (found := await self._channels.receive()) is not None:
            channel, data = found
            if process is None:
                continue
            if channel == _STDIN and self.stdin:
                if data:
                    with contextlib.suppress(OSError):  # it reads no more
                        await process.write(bytes(data))
            elif channel == _CLOSE and data[:1] == b"\0" and self._socket.subprotocol == _V5:
                process.end_input()
            elif channel == _RESIZE and self.tty and len(data) <= _MAX_SIZE:
                with contextlib.suppress(ValueError, TypeError, KeyError, OverflowError):
                    size = json.loads(bytes(data))
                    width, height = int(size["Width"]), int(size["Height"])
                    if 0 < width < 1 << 16 and 0 < height < 1 << 16:
                        process.resize(width, height)

    async def finish(self, status: Json) -> None:
        """Tells how it ended."""
        if self._socket.subprotocol in _V1:
            if status["status"] == "Success":
                return
            await self._channels.send(_ERROR, status["message"].encode())
        else:
            await self._channels.send(_ERROR, json.dumps(status, separators=(",", ":")).encode())


async def execute(request: web.Request, pods: Pods, objects: Objects) -> web.StreamResponse:
    """Runs a command in a container.

    Raises:
        ApiError: it is refused before there is a websocket; later refusals are told on the error channel.
    """
    namespace, name, container, refused = _running(request, objects, 'container not found ("{container}")')
    if refused is not None:
        return refused

    async def run(session: _Session) -> Json:
        command = tuple(request.query.getall("command", []))
        wanted = Exec(command, tty=session.tty, stdin=session.stdin)
        return await _run(session, await pods.exec(namespace, name, container, wanted))

    return await _serve(request, run)


async def attach(request: web.Request, pods: Pods, objects: Objects) -> web.StreamResponse:
    """Shows what a container prints from now on, and sends to it when its manifest wants `stdin`.

    Raises:
        ApiError: it is refused before there is a websocket.
    """
    namespace, name, container, refused = _running(
        request, objects, "container {container} not found in pod {name}_{namespace}"
    )
    if refused is not None:
        return refused

    async def run(session: _Session) -> Json:
        console = pods.console(namespace, name, container)
        return await _show(session, pods.attach(namespace, name, container), console)

    return await _serve(request, run)


def _running(request: web.Request, objects: Objects, not_found: str) -> tuple[str, str, str, web.Response | None]:
    """The namespace, pod and container, and a kubelet's refusal if there is one."""
    pod = targets.pod_of(objects, request)
    container = targets.container_of(pod, request.query.get("container", ""))
    targets.require_node(pod)
    require_upgrade(request)
    refused, namespace, name = None, pod["metadata"]["namespace"], pod["metadata"]["name"]
    if not _wanted(request) and not targets.flag(request, "stdin"):
        refused = targets.from_kubelet(400, "you must specify at least 1 of stdin, stdout, stderr")
    elif not targets.is_running(pod, container):
        refused = targets.from_kubelet(500, not_found.format(container=container, name=name, namespace=namespace))
    else:
        require_websocket(request)
    return namespace, name, container, refused


def _wanted(request: web.Request) -> frozenset[str]:
    # A terminal has one output: `stderr` is not even opened then.
    names = ("stdout",) if targets.flag(request, "tty") else ("stdout", "stderr")
    return frozenset(name for name in names if targets.flag(request, name))


async def _serve(request: web.Request, run: Callable[[_Session], Awaitable[Json]]) -> web.StreamResponse:
    names = offered(request)
    # Among the others the client's order counts, but where v5 is on offer the API server takes it.
    order = [_V5] if _V5 in names else [name for name in names if name in _KNOWN]
    socket, response = await WebSocket.accept(request, order if names else [""])
    session = _Session(request, socket)
    try:
        with contextlib.suppress(ConnectionError):
            await session.greet()
            try:
                status = await run(session)
            except ApiError as error:
                status = _failure(error)
            await session.finish(status)
    except asyncio.CancelledError:
        socket.abort()
        raise
    await socket.close()
    return response


async def _run(session: _Session, process: Process) -> Json:
    """Joins a process to its client until either ends; the process has ended in any case."""
    reading = asyncio.create_task(session.input(process), name="exec input")
    writing = asyncio.create_task(_print(session, process), name="exec output")
    ended = False
    try:
        await asyncio.wait((reading, writing), return_when=asyncio.FIRST_COMPLETED)
        if not writing.done():  # the client is gone
            process.end_input()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_ORPHANED):
                    await process.wait()
                    ended = True
            _gone()
        writing.result()
        code = await process.wait()
        ended = True
    finally:
        reading.cancel()
        writing.cancel()
        if not ended:
            process.kill()  # before anything is waited for: the waiting may be cancelled once more
        await asyncio.wait((reading, writing))
    return _ended(code)


async def _print(session: _Session, process: Process) -> None:
    while (found := await process.read()) is not None:
        await session.output(*found)


async def _show(session: _Session, output: AsyncIterator[tuple[str, bytes]], console: Console | None) -> Json:
    """Passes a container's output on until it ends or the client is gone."""

    async def show() -> None:
        async for stream, data in output:
            await session.output("stdout" if session.tty else stream, data)

    reading = asyncio.create_task(session.input(console), name="attach input")
    writing = asyncio.create_task(show(), name="attach output")
    try:
        await asyncio.wait((reading, writing), return_when=asyncio.FIRST_COMPLETED)
        if not writing.done():
            _gone()
        writing.result()
    finally:
        reading.cancel()
        writing.cancel()
        if console is not None and session.stdin:
            console.end_input()
        await asyncio.wait((reading, writing))
        if (close := getattr(output, "aclose", None)) is not None:
            await close()
    return _ended(0)


def _gone() -> NoReturn:
    raise ConnectionResetError("the client is gone")


def _ended(code: int) -> Json:
    """The Status that tells an exit code."""
    if code == 0:
        return {"metadata": {}, "status": "Success"}
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: command terminated with exit code {code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


def _failure(error: ApiError) -> Json:
    """The Status of a process that could not be started. The real server says twice that it is an internal error."""
    cause = f"Internal error occurred: {error.message}"
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"Internal error occurred: {cause}",
        "reason": "InternalError",
        "details": {"causes": [{"message": cause}]},
        "code": 500,
    }
