"""A lean client of HTTP/1.1 for what transfers send: an `Exchange` on the sockets of a way.

The general session (aiohttp's) spends more time on a request for an object of 4 KiB than the store does, and copies
large bodies. Here a body goes from its memory into the socket, and comes out of it in the pieces that arrive.
"""

from __future__ import annotations

import asyncio
import hashlib
import socket
import ssl
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from tui.problem import Cause, Problem, ProblemError
from tui.services.bucket.errors import certificate_problem, check_key, store_error
from tui.services.bucket.model import AnswerContext, Lost, Request, StoreError
from tui.services.bucket.signing import EMPTY, UNSIGNED, Signer, ahead_in, path_of, query_of
from tui.services.bucket.transfers.incoming import Incoming
from tui.services.bucket.transfers.pipes import IDLE, SLICE, WORKING, Pipe, PlainPipe, StreamPipe, TlsPipe
from tui.services.way import DirectWay, Way

if TYPE_CHECKING:
    from tui.services.bucket.session import StoreSession


def over(session: StoreSession, *, writes: bool = True) -> Wire:
    """The same store with the same keys over connections of our own; the way stays the session's.

    Args:
        session: whose way, keys and TLS are used.
        writes: whether anything may be changed.
    """
    return Wire(
        lambda: session.way, session.signer, session.context, session.server_name, lambda: session.server, writes=writes
    )


class Wire:
    """Sends signed requests over connections of its own. See `model.Exchange`.

    Args:
        way: where connections come from; asked at each of them, so that it may be found anew.
        signer: makes requests ours.
        tls: None for none.
        server_name: for TLS; the way's host unless given.
        server: tells what the store says it is, for what only some servers take.
        writes: the gate: without it all but questions is refused here.
    """

    def __init__(
        self,
        way: Callable[[], Way],
        signer: Signer,
        tls: ssl.SSLContext | None = None,
        server_name: str = "",
        server: Callable[[], str] = lambda: "",
        *,
        writes: bool = True,
    ) -> None:
        self._way = way
        self.signer = signer
        self._tls = tls
        self._writes = writes
        self._server_name = server_name or way().host
        self._server = server
        self._idle: list[Pipe] = []
        self._all: set[Pipe] = set()

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
        if not self._writes and request.method not in ("GET", "HEAD"):
            raise ProblemError(
                Problem(
                    Cause.FORBIDDEN, f"{request.method} {request.bucket}/{request.key} was not sent",
                    "nothing may be changed: --read-only, or the settings",
                    "Choose another context, or leave --read-only out.",
                )
            )  # fmt: skip
        check_key(self._server(), request)
        return _Sending(self, request)

    async def close(self) -> None:
        """Ends all connections; the way belongs to whoever opened it."""
        for pipe in list(self._all):
            self.drop(pipe)

    # --- connections

    async def take(self) -> Pipe:
        """A connection that nobody uses, a new one when there is none."""
        pipe: Pipe
        while self._idle:
            pipe = self._idle.pop()
            if not pipe.stale():
                return pipe
            self.drop(pipe)
        way = self.way
        if self._tls is None and isinstance(way, DirectWay):
            pipe = StreamPipe(await way.stream())
        else:
            sock = await way.connect()
            try:
                pipe = await self._pipe(sock)
            except BaseException:
                sock.close()
                raise
        self._all.add(pipe)
        return pipe

    async def _pipe(self, sock: socket.socket) -> Pipe:
        if self._tls is None:
            return PlainPipe(sock)
        try:
            async with asyncio.timeout(IDLE):
                reader, writer = await asyncio.open_connection(
                    sock=sock, ssl=self._tls, server_hostname=self._server_name
                )  # fmt: skip
        except (OSError, TimeoutError) as error:
            where = self.way.member or self.way.host
            if (refused := certificate_problem(error, where)) is not None:
                raise ProblemError(refused) from error
            raise ProblemError(Problem(Cause.UNREACHABLE, f"No TLS came about with {where}", str(error))) from error
        return TlsPipe(reader, writer)

    def give(self, pipe: Pipe) -> None:
        """Takes a connection back that can be used again."""
        self._idle.append(pipe)

    def drop(self, pipe: Pipe) -> None:
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

    def refused(self, request: Request, answer: Incoming, document: bytes) -> StoreError:
        """What the store has said, for a person."""
        what = f"{request.method} {request.bucket}/{request.key}"
        return store_error(
            answer.status, answer.headers, document, what, self.signer.keys, bucket_only=not request.key
        )  # fmt: skip

    def cut(self, words: str) -> Lost:
        """The end of a connection in the middle of an answer."""
        return self.lost(words, unsure=False)

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
        self._pipe: Pipe | None = None
        self._answer: Incoming | None = None
        self._late = False

    async def __aenter__(self) -> Incoming:
        try:
            return await self._send()
        except StoreError as error:
            self._end()
            # One of the clocks was set while this went on. What was refused for its time was not done.
            if error.status == 403 and self._late and isinstance(self._request.body, bytes | memoryview):
                return await self.__aenter__()
            raise
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

    async def _send(self) -> Incoming:
        wire, request = self._wire, self._request
        head = wire.head(request)
        pipe = self._pipe = await wire.take()
        failure = ""
        try:
            body = request.body
            if isinstance(body, (bytes, memoryview)):
                if len(body) <= SLICE // 4:
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
        answer = Incoming(wire.cut, pipe, request.method)
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
            ahead = ahead_in(answer.headers, time.time())
            self._late = ahead is not None and wire.signer.heed(ahead)
            raise wire.refused(request, answer, await answer.read())
        return answer
