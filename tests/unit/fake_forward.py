"""A fake API server that forwards ports: both websocket protocols in front of small TCP servers, with switches.

    async with Bench(protocol=V4) as bench:
        bench.server.serve(7, echo)
        bench.put("db-0")
        connection = await bench.to(7).connect()

Frames are read by a decoder of its own, byte by byte as RFC 6455 tells it, so that a mistake of the program's does not
meet the same mistake here.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import ssl
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import fake_forward_spdy as spdy
from worlds import World, pod

from tui.kube.api import Api
from tui.kube.context import Context
from tui.kube.forward.book import Forwards
from tui.kube.forward.forward import Forward
from tui.kube.forward.listener import TcpAddress
from tui.kube.forward.remote import SPDY, V4
from tui.kube.forward.targets import PodTarget
from tui.kube.kubeconfig import Cluster, User

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
#: The words of containerd for a port on which nothing listens.
REFUSED = "error forwarding port {port} to pod 5ede9f, uid : failed to connect to localhost:{port}: connection refused"
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def frame(payload: bytes, opcode: int = 2, *, fin: bool = True) -> bytes:
    """A server's frame: not masked."""
    size = len(payload)
    first = bytes([fin << 7 | opcode])
    if size < 126:
        return first + bytes([size]) + payload
    if size < 1 << 16:
        return first + b"\x7e" + struct.pack("!H", size) + payload
    return first + b"\x7f" + struct.pack("!Q", size) + payload


async def read_frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """A client's frame: opcode and payload, unmasked here byte for byte."""
    first, second = await reader.readexactly(2)
    assert first & 0x70 == 0 and first & 0x80, "reserved bits, or a fragment"
    assert second & 0x80, "a client's frames are masked"
    size = second & 0x7F
    if size == 126:
        (size,) = struct.unpack("!H", await reader.readexactly(2))
        assert size > 125
    elif size == 127:
        (size,) = struct.unpack("!Q", await reader.readexactly(8))
        assert size > 0xFFFF
    mask = await reader.readexactly(4)
    body = await reader.readexactly(size)
    key = int.from_bytes((mask * (size // 4 + 1))[:size], "big")
    return first & 0x0F, (int.from_bytes(body, "big") ^ key).to_bytes(size, "big")


@dataclass
class Answer:
    """What is answered instead of an upgrade: a status with a body, or silence for so many seconds before it."""

    status: int
    body: str | dict[str, Any] = ""
    after: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)

    def encoded(self) -> bytes:
        kind = "application/json" if isinstance(self.body, dict) else "text/plain"
        body = json.dumps(self.body).encode() if isinstance(self.body, dict) else self.body.encode()
        head = [f"HTTP/1.1 {self.status} X", f"Content-Length: {len(body)}"]
        head += [f"Content-Type: {kind}"] if body else []
        head += [f"{name}: {value}" for name, value in self.headers.items()]
        return "\r\n".join([*head, "", ""]).encode() + body


def refuse_rights(verb: str, words: bool = True) -> Answer:
    """A 403 as RBAC gives it; without reason text as 1.35 does when only `create` is missing."""
    why = f': User "eve" cannot {verb} resource "pods/portforward" in API group "" in the namespace "shop"'
    text = f'pods "db-0" is forbidden{why if words else ""}'
    return Answer(403, {"kind": "Status", "status": "Failure", "message": text, "reason": "Forbidden", "code": 403})


class Socket:
    """The server's end of one websocket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pod_name: str) -> None:
        self.reader, self.writer, self.pod = reader, writer, pod_name
        self.frames: list[tuple[int, bytes]] = []
        self.pings = 0
        self.closed: int | None = None  # the code of the client's Close frame
        self.answer_pings = True

    async def messages(self) -> Any:
        """The client's messages; answers pings."""
        while True:
            opcode, payload = await read_frame(self.reader)
            if opcode == 9:
                self.pings += 1
                if self.answer_pings:
                    self.writer.write(frame(payload, 10))
            elif opcode == 8:
                self.closed = int.from_bytes(payload[:2], "big") if payload else 1005
                return
            elif opcode == 2:
                yield payload

    async def send(self, payload: bytes) -> None:
        self.writer.write(frame(payload))
        await self.writer.drain()

    def close(self, code: int = 1000, words: str = "") -> None:
        with contextlib.suppress(OSError, RuntimeError):
            self.writer.write(frame(struct.pack("!H", code) + words.encode(), 8))
            self.writer.close()

    def drop(self) -> None:
        """Ends the connection without a Close frame."""
        self.writer.transport.abort()


class Server:
    """The fake; see the module's docstring.

    Attributes:
        apps: handler by port, or by (pod, port); a text is what the kubelet says instead of connecting.
        refuse: what is answered to a protocol, or to all (`""`); a list is used up, the last one stays.
        asked: protocol, pod and query of each upgrade that was tried.
        sockets: all websockets so far.
        split: whether port bytes and error texts are sent byte by byte.
        early: whether what comes first goes out in one piece with the handshake's answer.
        accept_streams: whether SPDY streams are answered.
        tokens: the bearer tokens that are accepted, empty for all.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.apps: dict[Any, Handler | str] = {}
        self.refuse: dict[str, list[Answer]] = {}
        self.asked: list[tuple[str, str, dict[str, list[str]]]] = []
        self.sockets: list[Socket] = []
        self.split = self.early = False
        self.accept_streams = True
        self.tokens: set[str] = set()
        self.at_once = self.most_at_once = 0
        self._servers: dict[Any, asyncio.Server] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._tls = tls
        self.port = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", self.port, ssl=self._tls, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Drops everything, as a server that is killed."""
        self._server.close()
        for socket in self.sockets:
            socket.drop()
        for server in self._servers.values():
            server.close()
        self._servers.clear()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def context(self, user: User | None = None, **cluster: Any) -> Context:
        url = f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"
        return Context("fake", "fake", "", url, "shop", cluster=Cluster(server=url, **cluster), user=user)

    def serve(self, port: int, app: Handler | str, pod_name: str = "") -> None:
        self.apps[(pod_name, port) if pod_name else port] = app

    async def connect(self, pod_name: str, port: int) -> Streams:
        """Dials an application, as the container runtime does.

        Raises:
            ConnectionRefusedError: with the kubelet's words.
        """
        key = (pod_name, port) if (pod_name, port) in self.apps else port
        app = self.apps.get(key, REFUSED.format(port=port))
        if isinstance(app, str):
            raise ConnectionRefusedError(app)
        if key not in self._servers:
            self._servers[key] = await asyncio.start_server(lambda r, w: self._keep(app, r, w), "127.0.0.1", 0)
        return await asyncio.open_connection("127.0.0.1", self._servers[key].sockets[0].getsockname()[1])

    async def _keep(self, app: Handler, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await app(reader, writer)
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._keep(self._serve, reader, writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
            raw = dict(line.split(": ", 1) for line in head[1:] if line)
            url = urlsplit(head[0].split()[1])
            pod_name = url.path.split("/")[-2]
            protocol = raw.get("Sec-WebSocket-Protocol", "")
            self.asked.append((protocol, pod_name, parse_qs(url.query)))
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            try:
                answer = await self._refusal(protocol, headers)
            finally:
                self.at_once -= 1
            if answer is None:
                break
            if not answer.status:
                writer.transport.abort()
                return
            writer.write(answer.encoded())
        accept = base64.b64encode(hashlib.sha1(raw["Sec-WebSocket-Key"].encode() + GUID).digest()).decode()
        said = f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: {protocol}\r\n\r\n".encode()
        socket = Socket(reader, writer, pod_name)
        self.sockets.append(socket)
        if protocol == V4:
            port = int(parse_qs(url.query)["ports"][0])
            ports = frame(b"\0" + struct.pack("<H", port)) + frame(b"\1" + struct.pack("<H", port))
            if self.split:
                ports = b"".join(frame(bytes([c, b])) for b in struct.pack("<H", port) for c in (1, 0))
            writer.write(said + (ports if self.early else b""))
            if not self.early:
                writer.write(ports)
            await self._channels(socket, port)
        else:
            writer.write(said)
            await spdy.Session(self, socket).run()

    async def _refusal(self, protocol: str, headers: dict[str, str]) -> Answer | None:
        answers = self.refuse.get(protocol) or self.refuse.get("")
        if answers:
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
            await asyncio.sleep(answer.after)
            if answer.status >= 0:
                return answer
        if self.tokens and headers.get("authorization", "").removeprefix("bearer ") not in self.tokens:
            return Answer(401, {"kind": "Status", "message": "Unauthorized", "code": 401})
        return None

    async def _channels(self, socket: Socket, port: int) -> None:
        """`v4.channel.k8s.io`."""
        try:
            reader, writer = await self.connect(socket.pod, port)
        except ConnectionRefusedError as error:
            self.say(socket, str(error))
            socket.close()
            return
        down = asyncio.create_task(self._down(socket, reader))
        try:
            async for message in socket.messages():
                assert message[:1] == b"\0", "only data is sent"
                writer.write(message[1:])
                await writer.drain()
        finally:
            down.cancel()
            writer.close()
            socket.writer.close()

    def say(self, socket: Socket, words: str) -> None:
        """Something on the error channel."""
        pieces = [bytes([byte]) for byte in words.encode()] if self.split else [words.encode()]
        for piece in pieces:
            socket.writer.write(frame(b"\1" + piece))

    async def _down(self, socket: Socket, reader: asyncio.StreamReader) -> None:
        try:
            while data := await reader.read(1 << 16):
                await socket.send(b"\0" + data)
        except ConnectionResetError:
            self.say(socket, "error forwarding port: read: connection reset by peer")
        socket.close()


class Bench:
    """A fake server, a store, and forwards.

    Args:
        protocol: the only one that is tried, empty for the usual order without kubectl.
    """

    def __init__(
        self, *, protocol: str = "", tls: ssl.SSLContext | None = None, user: User | None = None, **cluster: Any
    ):
        self.server = Server(tls)
        self.world = World()
        self.store = self.world.store
        self._protocol = protocol
        self._options = (user, cluster)

    async def __aenter__(self) -> Bench:
        await self.server.start()
        self.api = Api(self.server.context(self._options[0], **self._options[1]))
        self.book = Forwards(self.api, self.store)
        order = [self._protocol] if self._protocol else None
        self.dialer = self.book._dialer
        usual = self.dialer._order
        self.dialer._order = lambda: order or [name for name in usual() if name != "kubectl"]  # type: ignore[method-assign]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.book.close()
        await self.api.close()
        await self.server.stop()

    def put(self, name: str, *, uid: str = "", started: str = "2026-01-01T00:00:00Z", **changes: Any) -> Any:
        """A pod of the store, ready and long running unless told otherwise."""
        made = pod(name, spec={"containers": [{"name": "db"}]}, uid=uid or f"uid-{name}", **changes)
        running = made.status.container_statuses
        del running[1:]
        return self.world.put(made)

    def to(self, port: int, pod_name: str = "db-0", **options: Any) -> Forward:
        return self.book.add(PodTarget(self.store, "shop", pod_name, port), **options)

    async def through_port(self, forward: Forward) -> Streams:
        if forward.listener is None:
            await forward.listen(TcpAddress(0))
        assert forward.listener is not None
        return await asyncio.open_connection("127.0.0.1", forward.listener.port)


async def until(wanted: Callable[[], bool], seconds: float = 15.0) -> None:
    """Waits until something is so."""
    try:
        async with asyncio.timeout(seconds):
            while not wanted():
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError("it never came to that") from None


BOTH = [SPDY, V4]
