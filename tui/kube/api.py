# ruff: noqa: ASYNC109 (each request has its own limit, and running into it is a Problem of its own)
"""The API server as statetui uses it: requests, watches, errors, and the gate that keeps it read-only.

Nothing here builds kubernetes_asyncio's models: decoding 10,000 pods into them takes seconds and hundreds of megabytes,
into msgspec structs a tenth of a second.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import os
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import aiohttp
import msgspec

from tui import __version__
from tui.kube import failures
from tui.kube.context import Context
from tui.kube.credentials import Identity
from tui.kube.transport import CONNECT_TIMEOUT, Transport
from tui.problem import Cause, Problem, ProblemError

T = TypeVar("T")

#: Bytes of one answer that are accepted. The lists of the largest clusters are paged and stay far below.
MAX_BODY = 512 << 20
#: Bytes of one line of a watch; etcd limits an object to a few megabytes.
MAX_LINE = 64 << 20
#: Bytes of an error's body that are read.
MAX_ERROR = 64 << 10

_WEBSOCKET = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3

#: What may be posted while the gate is closed: questions, which change nothing.
_QUESTIONS = ("/selfsubjectaccessreviews", "/selfsubjectrulesreviews")


@dataclass(frozen=True, slots=True)
class Upgraded:
    """A connection that became a websocket.

    Attributes:
        transport: the connection. Closing the session closes it too.
        early: what arrived behind the handshake's answer.
        release: to be called once the connection is over, so that the session forgets it.
    """

    transport: asyncio.Transport
    early: bytes
    release: Callable[[], None]


class _Version(msgspec.Struct, frozen=True, rename="camel"):
    git_version: str = ""


class Api:
    """The API server of one context, over one session.

    Attributes:
        context: the server and the identity.
        read_only: the gate: while True, whatever could change the cluster is refused here.
    """

    def __init__(self, context: Context, *, user_agent: str = f"statetui/{__version__}") -> None:
        self.context = context
        self.read_only = True
        self._transport = Transport(context, user_agent=user_agent)
        self._version = ""

    async def get(
        self,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        accept: str = "application/json",
        timeout: float = 30,
    ) -> bytes:
        """Reads one path.

        Args:
            path: below the server's URL, beginning with a slash.
            params: query parameters.
            accept: the content type to ask for; if it is a JSON type, an answer of another kind is an error.
            timeout: seconds until the answer is complete.

        Raises:
            ProblemError: with the cause that fits; see `tui.kube.failures`.
        """
        return bytes(await self._exchange("GET", path, params, None, accept, timeout))

    async def get_as(
        self,
        path: str,
        kind: type[T],
        *,
        params: Mapping[str, str] | None = None,
        accept: str = "application/json",
        timeout: float = 30,
    ) -> T:
        """Reads one path and decodes it; as `get`, and PROTOCOL when the answer does not fit `kind`."""
        return _decode(await self._exchange("GET", path, params, None, accept, timeout), kind, f"GET {path}")

    async def post_json(
        self,
        path: str,
        body: object,
        kind: type[T],
        *,
        params: Mapping[str, str] | None = None,
        accept: str = "application/json",
        timeout: float = 30,
    ) -> T:
        """Posts a JSON body and decodes the answer; refused while `read_only`, unless it only asks."""
        answer = await self._exchange("POST", path, params, msgspec.json.encode(body), accept, timeout)
        return _decode(answer, kind, f"POST {path}")

    async def delete_as(
        self, path: str, kind: type[T], *, params: Mapping[str, str] | None = None, timeout: float = 30
    ) -> T:
        """Deletes at a path and decodes the answer; refused while `read_only`."""
        answer = await self._exchange("DELETE", path, params, None, "application/json", timeout)
        return _decode(answer, kind, f"DELETE {path}")

    def stream(
        self,
        path: str,
        *,
        params: Mapping[str, str],
        read_timeout: float,
    ) -> contextlib.AbstractAsyncContextManager[AsyncIterator[list[bytes]]]:
        """Opens a watch: an iterator over batches of whole lines, as they arrive.

        A batch is what was in the buffer, so that a burst of events costs few awaits; lines carry no newline and are
        never empty. The server's end of a watch ends the iteration.

        Args:
            path: below the server's URL.
            params: query parameters, with `watch` or `follow` among them.
            read_timeout: seconds without a byte after which the stream counts as dead (TIMEOUT).

        Raises:
            ProblemError: on entering, for every refusal; while iterating, UNREACHABLE when the connection drops and
                PROTOCOL when the stream ends in the middle of a line. Part of a line is never yielded.
        """
        return self._stream(path, params, read_timeout)

    async def upgrade(self, path: str, *, params: Mapping[str, str], protocol: str, timeout: float) -> Upgraded:
        """Turns a request into a websocket of one subprotocol (RFC 6455), without extensions.

        What may then be sent is for whoever uses the connection to decide: the gate does not see it.

        Args:
            path: below the server's URL.
            params: query parameters.
            protocol: the subprotocol; a server that does not answer with it has refused.
            timeout: seconds for the handshake.

        Raises:
            ProblemError: as `get`; PROTOCOL when the server answers with anything but the websocket asked for.
        """
        key = base64.b64encode(os.urandom(16)).decode()
        headers = {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": key,
            "Sec-WebSocket-Protocol": protocol,
        }
        limits = aiohttp.ClientTimeout(total=timeout, sock_connect=CONNECT_TIMEOUT)
        answer = await self._transport.send("GET", path, params=params, headers=headers, body=None, limits=limits)
        asked = f"GET {path}"
        if answer.status != 101:
            raise ProblemError(await self._refusal(answer, asked))
        accepted = base64.b64encode(hashlib.sha1(key.encode() + _WEBSOCKET, usedforsecurity=False).digest()).decode()
        spoken = answer.headers.get("Sec-WebSocket-Protocol", "")
        if answer.headers.get("Sec-WebSocket-Accept") != accepted or spoken != protocol:
            answer.close()
            said = f"it speaks {spoken!r}" if spoken != protocol else "its Sec-WebSocket-Accept is wrong"
            raise ProblemError(Problem(Cause.PROTOCOL, f"{asked} did not become a websocket of {protocol}", said))
        return _taken_over(answer)

    async def version(self) -> str:
        """The server's version (`v1.36.3`); asked once."""
        if not self._version:
            self._version = (await self.get_as("/version", _Version)).git_version
        return self._version

    async def identity(self) -> Identity:
        """Who we are to the server now; obtained first if need be.

        Raises:
            ProblemError: CREDENTIALS or CONFIG.
        """
        return await self._transport.credentials.current()

    @property
    def waiting_for(self) -> str:
        """Where an identity is being waited for, for people: `the exec plugin aws`; empty when nothing is slow."""
        return self._transport.credentials.waiting_for

    @property
    def identity_source(self) -> str:
        """Where the identity comes from, for people: `the kubeconfig`, `the plugin aws`."""
        return self._transport.credentials.source.title

    async def close(self) -> None:
        """Closes all connections; safe to call twice."""
        await self._transport.close()

    @contextlib.asynccontextmanager
    async def _stream(
        self,
        path: str,
        params: Mapping[str, str],
        read_timeout: float,
    ) -> AsyncIterator[AsyncIterator[list[bytes]]]:
        limits = aiohttp.ClientTimeout(
            total=None, connect=2 * CONNECT_TIMEOUT, sock_connect=CONNECT_TIMEOUT, sock_read=read_timeout
        )
        answer = await self._open("GET", path, params, None, "application/json", limits)
        try:
            yield self._lines(answer, path)
        finally:
            answer.close()  # not released: what is left of a watch has no end to wait for

    async def _lines(self, answer: aiohttp.ClientResponse, path: str) -> AsyncIterator[list[bytes]]:
        begun: list[bytes] = []  # the parts of a line whose end has not come
        size = 0
        read = answer.content.readany
        while True:
            try:
                chunk = await read()
            except (aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError
                raise ProblemError(self._transport.explain(error, reading=True)) from error
            if not chunk:
                break
            head, newline, rest = chunk.partition(b"\n")
            if not newline:
                begun.append(chunk)
                size += len(chunk)
                if size > MAX_LINE:
                    raise ProblemError(
                        Problem(
                            Cause.PROTOCOL,
                            f"A line of the stream {path} has no end",
                            failures.first_words(b"".join(begun)[:2000]),
                            "",
                        )
                    )
                continue
            begun.append(head)
            lines = [b"".join(begun), *rest.split(b"\n")]
            tail = lines.pop()
            begun, size = ([tail], len(tail)) if tail else ([], 0)
            whole = [line for line in lines if line]
            if whole:
                yield whole
        if size:
            raise ProblemError(
                Problem(
                    Cause.PROTOCOL,
                    f"The stream {path} was cut in the middle of a line",
                    failures.first_words(b"".join(begun)[-200:]),
                    "",
                )
            )

    async def _exchange(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None,
        body: bytes | None,
        accept: str,
        timeout: float,
    ) -> bytearray:
        limits = aiohttp.ClientTimeout(total=timeout, sock_connect=CONNECT_TIMEOUT)
        answer = await self._open(method, path, params, body, accept, limits)
        async with answer:
            return await self._body(answer, f"{method} {path}")

    async def _body(self, answer: aiohttp.ClientResponse, asked: str) -> bytearray:
        collected = bytearray()
        try:
            while chunk := await answer.content.readany():
                collected += chunk
                if len(collected) > MAX_BODY:
                    answer.close()
                    raise ProblemError(
                        Problem(
                            Cause.PROTOCOL,
                            f"The answer to {asked} is larger than {MAX_BODY >> 20} MiB",
                            "",
                            "Look at fewer namespaces at once (-n).",
                        )
                    )
        except (aiohttp.ClientError, OSError) as error:
            raise ProblemError(self._transport.explain(error, reading=True)) from error
        return collected

    async def _open(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None,
        body: bytes | None,
        accept: str,
        limits: aiohttp.ClientTimeout,
    ) -> aiohttp.ClientResponse:
        """Sends a request and returns its answer with the body unread, if it is one that was hoped for."""
        if self.read_only and method != "GET" and not path.endswith(_QUESTIONS):
            raise ProblemError(Problem(Cause.REJECTED, f"statetui is read-only here and did not send {method} {path}"))
        headers = {"Accept": accept}
        if body is not None:
            headers["Content-Type"] = "application/json"
        answer = await self._transport.send(method, path, params=params, headers=headers, body=body, limits=limits)
        content_type = answer.headers.get("Content-Type", "")
        if 200 <= answer.status < 300 and ("json" not in accept or "json" in content_type):
            return answer
        raise ProblemError(await self._refusal(answer, f"{method} {path}"))

    async def _refusal(self, answer: aiohttp.ClientResponse, asked: str) -> Problem:
        """What an answer means that is not the one hoped for; it is closed."""
        try:
            beginning = await self._beginning(answer)
        finally:
            answer.close()
        if 200 <= answer.status < 300:
            content_type = answer.headers.get("Content-Type", "")
            return failures.not_json(answer.status, content_type, beginning, asked)
        problem = failures.of_answer(answer.status, answer.headers, beginning, asked, self.context.server)
        return self._transport.refused(problem) if answer.status == 401 else problem

    async def _beginning(self, answer: aiohttp.ClientResponse) -> bytes:
        """The first bytes of an error's body; a body that does not come does not hide the error."""
        collected = b""
        with contextlib.suppress(aiohttp.ClientError, OSError):
            async with asyncio.timeout(5):
                while len(collected) < MAX_ERROR and (chunk := await answer.content.readany()):
                    collected += chunk
        return collected[:MAX_ERROR]


def _taken_over(answer: aiohttp.ClientResponse) -> Upgraded:
    """Takes the connection of a 101 out of aiohttp's hands."""
    protocol = answer.connection.protocol if answer.connection is not None else None
    transport = protocol.transport if protocol is not None else None
    if protocol is None or not isinstance(transport, asyncio.Transport):
        answer.close()
        raise ProblemError(Problem(Cause.UNREACHABLE, "The connection was lost during the websocket's handshake"))
    early = _Early()
    protocol.set_parser(early, early)
    return Upgraded(transport, bytes(early.data), answer.close)


class _Early:
    """Takes what aiohttp has read behind the headers, as its websocket reader would."""

    def __init__(self) -> None:
        self.data = bytearray()

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Aiohttp's interface of a parser."""
        self.data += data
        return False, b""


def _decode(body: bytes | bytearray, kind: type[T], asked: str) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise ProblemError(failures.not_decodable(error, body, asked)) from error
