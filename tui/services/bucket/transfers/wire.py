"""A lean client of HTTP/1.1 for what transfers send: an `Exchange` on the sockets of a way.

The general session (aiohttp's) spends more time on a request for an object of 4 KiB than the store does, and copies
large bodies. Here a body goes from its memory into the socket, and comes out of it in the pieces that arrive.
"""

from __future__ import annotations

import asyncio
import hashlib
import select
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Protocol

from tui.problem import Cause, Problem, ProblemError
from tui.services.bucket.errors import store_error
from tui.services.bucket.model import AnswerContext, Lost, Request, StoreError
from tui.services.bucket.signing import EMPTY, UNSIGNED, Signer, path_of, query_of
from tui.services.way import Way

if TYPE_CHECKING:
    from tui.services.bucket.session import StoreSession

#: Seconds without a byte after which a connection is given up.
IDLE = 60.0
#: Seconds for the first byte of an answer to a request that makes the store work (copies, completions).
WORKING = 900.0
_SLICE = 1 << 18
_LARGEST_HEAD = 1 << 16


def over(session: StoreSession) -> Wire:
    """The same store with the same keys over connections of our own; the way stays the session's."""
    return Wire(lambda: session.way, session.signer, session.context, session.server_name)


class Headers(Mapping[str, str]):
    """Headers of an answer; names in any case."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._values = {name.lower(): value for name, value in pairs}

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


class _Pipe(Protocol):
    """Bytes in both directions."""

    async def send(self, data: bytes | memoryview) -> None: ...
    async def receive(self) -> bytes: ...
    def stale(self) -> bool: ...
    def close(self) -> None: ...


class _Plain:
    """A socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._loop = asyncio.get_running_loop()
        self._sock = sock

    async def send(self, data: bytes | memoryview) -> None:
        view = memoryview(data)
        for at in range(0, len(view), _SLICE):
            async with asyncio.timeout(IDLE):
                await self._loop.sock_sendall(self._sock, view[at : at + _SLICE])

    async def receive(self) -> bytes:
        return await self._loop.sock_recv(self._sock, _SLICE)

    def stale(self) -> bool:
        """Whether something came while nothing was asked for: the end, that is."""
        poll = select.poll()
        poll.register(self._sock, select.POLLIN)
        return bool(poll.poll(0))

    def close(self) -> None:
        self._sock.close()


class _Tls:
    """A socket with TLS over it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes | memoryview) -> None:
        view = memoryview(data)
        for at in range(0, len(view), _SLICE):
            self._writer.write(view[at : at + _SLICE])
            async with asyncio.timeout(IDLE):
                await self._writer.drain()

    async def receive(self) -> bytes:
        return await self._reader.read(_SLICE)

    def stale(self) -> bool:
        return self._reader.at_eof() or self._writer.is_closing()

    def close(self) -> None:
        self._writer.transport.abort()


class Wire:
    """Sends signed requests over connections of its own. See `model.Exchange`.

    Args:
        way: where connections come from; asked at each of them, so that it may be found anew.
        signer: makes requests ours.
        tls: None for none.
        server_name: for TLS; the way's host unless given.
    """

    def __init__(
        self, way: Callable[[], Way], signer: Signer, tls: ssl.SSLContext | None = None, server_name: str = ""
    ) -> None:
        self._way = way
        self.signer = signer
        self._tls = tls
        self._server_name = server_name or way().host
        self._idle: list[_Pipe] = []
        self._all: set[_Pipe] = set()

    @property
    def way(self) -> Way:
        """The way that is used now."""
        return self._way()

    @property
    def host(self) -> str:
        """As it is signed: the Host header."""
        way = self._way()
        return way.host if way.port == (443 if self._tls else 80) else f"{way.host}:{way.port}"

    async def __call__(self, request: Request) -> bytes:
        """Sends a request and reads the whole answer."""
        async with self.open(request) as answer:
            return await answer.read()

    def open(self, request: Request) -> AnswerContext:
        """Sends a request, for an answer that is read piece by piece."""
        return _Sending(self, request)

    async def close(self) -> None:
        """Ends all connections; the way belongs to whoever opened it."""
        for pipe in list(self._all):
            self.drop(pipe)

    # --- connections

    async def take(self) -> _Pipe:
        """A connection that nobody uses, a new one when there is none."""
        while self._idle:
            pipe = self._idle.pop()
            if not pipe.stale():
                return pipe
            self.drop(pipe)
        sock = await self.way.connect()
        try:
            pipe = await self._pipe(sock)
        except BaseException:
            sock.close()
            raise
        self._all.add(pipe)
        return pipe

    async def _pipe(self, sock: socket.socket) -> _Pipe:
        if self._tls is None:
            return _Plain(sock)
        try:
            async with asyncio.timeout(IDLE):
                reader, writer = await asyncio.open_connection(
                    sock=sock, ssl=self._tls, server_hostname=self._server_name
                )  # fmt: skip
        except (OSError, TimeoutError) as error:
            raise ProblemError(
                Problem(Cause.UNREACHABLE, f"No TLS came about with {self.way.member or self.way.host}", str(error))
            ) from error
        return _Tls(reader, writer)

    def give(self, pipe: _Pipe) -> None:
        """Takes a connection back that can be used again."""
        self._idle.append(pipe)

    def drop(self, pipe: _Pipe) -> None:
        """Ends a connection."""
        if pipe in self._all:
            self._all.discard(pipe)
            if pipe in self._idle:
                self._idle.remove(pipe)
            pipe.close()

    def head(self, request: Request) -> bytes:
        """The beginning of a request, signed."""
        path, query = path_of(request.bucket, request.key), query_of(request.query)
        body = request.body if isinstance(request.body, (bytes, memoryview)) else b""
        payload = request.headers.get("x-amz-content-sha256") or (hashlib.sha256(body).hexdigest() if body else EMPTY)
        if body is not request.body:
            payload = UNSIGNED
        headers = self.signer.sign(request.method, self.host, path, query, request.headers, payload)
        length = request.length if request.length is not None else len(body)
        if length or request.method in ("PUT", "POST"):
            headers["Content-Length"] = str(length)
        target = f"{path}?{query}" if query else path
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"{request.method} {target} HTTP/1.1\r\n{lines}\r\n".encode()

    def refused(self, request: Request, answer: _Answer, document: bytes) -> StoreError:
        """What the store has said, for a person."""
        what = f"{request.method} {request.bucket}/{request.key}"
        return store_error(
            answer.status, answer.headers, document, what, self.signer.keys, bucket_only=not request.key
        )  # fmt: skip

    def lost(self, words: str, *, unsure: bool) -> Lost:
        """The end of a connection, with the way's reason when it knows one."""
        why = self.way.ended()
        told = "; ".join(
            dict.fromkeys(one for one in (why.what if why else "", why.evidence if why else "", words) if one)
        )
        where = self.way.member or self.way.host
        return Lost(Problem(Cause.UNREACHABLE, f"The connection to {where} is gone", told), unsure)


class _Sending:
    """One request and its answer."""

    def __init__(self, wire: Wire, request: Request) -> None:
        self._wire = wire
        self._request = request
        self._pipe: _Pipe | None = None
        self._answer: _Answer | None = None

    async def __aenter__(self) -> _Answer:
        try:
            return await self._send()
        except BaseException:
            self._end()
            raise

    async def __aexit__(self, *error: object) -> None:
        self._end()

    def _end(self) -> None:
        pipe, self._pipe = self._pipe, None
        if pipe is None:
            return
        if self._answer is not None and self._answer.whole and self._answer.lasts:
            self._wire.give(pipe)
        else:
            self._wire.drop(pipe)

    async def _send(self) -> _Answer:
        wire, request = self._wire, self._request
        head = wire.head(request)
        pipe = self._pipe = await wire.take()
        failure = ""
        try:
            body = request.body
            if isinstance(body, (bytes, memoryview)):
                if len(body) <= _SLICE // 4:
                    await pipe.send(head + bytes(body))
                else:
                    await pipe.send(head)
                    await pipe.send(body)
            else:
                await pipe.send(head)
                async for piece in body:
                    await pipe.send(piece)
        except (OSError, TimeoutError) as error:
            # A store that refuses a large body says so and hangs up: its answer may be there all the same.
            failure = str(error) or f"nothing was taken for {IDLE:g} s"
        answer = _Answer(wire, pipe, request.method)
        works = request.method == "POST" or "x-amz-copy-source" in request.headers
        try:
            async with asyncio.timeout(1.0 if failure else WORKING if works else IDLE):
                await answer.read_head()
        except (OSError, TimeoutError, EOFError, ValueError) as error:
            raise wire.lost(failure or str(error) or "no answer came in time", unsure=True) from error
        self._answer = answer
        if failure:
            answer.lasts = False
        if answer.status >= 300:
            raise wire.refused(request, answer, await answer.read())
        return answer


class _Answer:
    """See `model.Answer`.

    Attributes:
        whole: all of its body was read.
        lasts: the connection can be used again then.
    """

    def __init__(self, wire: Wire, pipe: _Pipe, method: str) -> None:
        self.status = 0
        self.headers: Mapping[str, str] = {}
        self.whole = False
        self.lasts = True
        self._wire = wire
        self._pipe = pipe
        self._method = method
        self._buffer = bytearray()
        self._left: int | None = None  # bytes of the body; None when it ends with the connection or is chunked
        self._chunked = False

    async def read_head(self) -> None:
        """Reads status and headers; interim answers (100) are passed over."""
        while True:
            end = await self._until(b"\r\n\r\n")
            lines = bytes(self._buffer[:end]).decode("latin-1").split("\r\n")
            del self._buffer[: end + 4]
            protocol, _, rest = lines[0].partition(" ")
            if not protocol.startswith("HTTP/1."):
                raise ValueError(f"no HTTP came, but {lines[0][:80]!r}")
            self.status = int(rest[:3])
            if self.status >= 200:
                break
        pairs = [(name.strip(), value.strip()) for name, _, value in (line.partition(":") for line in lines[1:])]
        self.headers = Headers([(name, value.encode("latin-1").decode("utf-8", "replace")) for name, value in pairs])
        connection = self.headers.get("connection", "").lower()
        self.lasts = connection != "close" and protocol == "HTTP/1.1"
        if self._method == "HEAD" or self.status in (204, 304):
            self._left = 0
            self.whole = True
        elif self.headers.get("transfer-encoding", "").lower() == "chunked":
            self._chunked = True
        elif "content-length" in self.headers:
            self._left = int(self.headers["content-length"])
            self.whole = self._left == 0
        else:
            self.lasts = False

    async def _until(self, mark: bytes) -> int:
        seen = 0
        while (at := self._buffer.find(mark, max(0, seen - len(mark)))) < 0:
            seen = len(self._buffer)
            if seen > _LARGEST_HEAD:
                raise ValueError("the beginning of the answer is too long")
            self._buffer += await self._more()
        return at

    async def _more(self) -> bytes:
        async with asyncio.timeout(WORKING if self._method == "POST" else IDLE):
            data = await self._pipe.receive()
        if not data:
            raise EOFError("the other side has closed it")
        return data

    async def read(self) -> bytes:
        """The whole body."""
        return b"".join([piece async for piece in self.pieces()])

    async def pieces(self, size: int = 1 << 18) -> AsyncIterator[bytes]:
        """The body, in the pieces in which it comes; none is larger than `size`."""
        del size  # sockets give no more than a slice
        try:
            if self._chunked:
                async for piece in self._chunks():
                    yield piece
            else:
                async for piece in self._plain(self._left):
                    yield piece
        except (OSError, TimeoutError, EOFError, ValueError) as error:
            self.lasts = False
            raise self._wire.lost(str(error) or f"nothing came for {IDLE:g} s", unsure=False) from error
        self.whole = True

    async def _plain(self, left: int | None) -> AsyncIterator[bytes]:
        while left is None or left > 0:
            if self._buffer:
                piece = bytes(self._buffer[:left])
                del self._buffer[: len(piece)]
            else:
                try:
                    piece = await self._more()
                except EOFError:
                    if left is None:
                        return
                    raise
                if left is not None and len(piece) > left:
                    self._buffer += piece[left:]
                    piece = piece[:left]
            if left is not None:
                left -= len(piece)
            yield piece

    async def _chunks(self) -> AsyncIterator[bytes]:
        while True:
            end = await self._until(b"\r\n")
            size = int(bytes(self._buffer[:end]).split(b";", 1)[0], 16)
            del self._buffer[: end + 2]
            if size == 0:
                while (end := await self._until(b"\r\n")) > 0:  # trailers
                    del self._buffer[: end + 2]
                del self._buffer[:2]
                return
            async for piece in self._plain(size):
                yield piece
            await self._until(b"\r\n")
            del self._buffer[:2]
