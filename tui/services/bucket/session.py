"""Requests to a store over a way: signed, sent once, and answered with bytes or with an error that says what to do."""

from __future__ import annotations

import contextlib
import hashlib
import ssl
import time
from collections.abc import AsyncIterator, Mapping

import aiohttp
from yarl import URL

from tui.problem import Cause, Problem, ProblemError
from tui.services.bucket.errors import certificate_problem, check_key, store_error
from tui.services.bucket.lacking import about
from tui.services.bucket.model import Answer, Keys, Lost, Request
from tui.services.bucket.signing import EMPTY, UNSIGNED, Signer, ahead_in, path_of, query_of
from tui.services.overways import WayConnector
from tui.services.way import Finder, Way

#: Seconds for connecting, and without a byte of an answer (completing a large upload sends blanks meanwhile).
_CONNECT, _SILENCE = 15.0, 120.0
#: Connections at once; transfers bound themselves below this.
_CONNECTIONS = 32
#: Bytes of an error document that are read.
_DOCUMENT = 1 << 16


class _Body:
    """An answer that is read piece by piece; see `model.Answer`."""

    def __init__(self, answer: aiohttp.ClientResponse, lost: _Losing) -> None:
        self.status = answer.status
        self.headers: Mapping[str, str] = answer.headers
        self._answer = answer
        self._lost = lost

    async def read(self) -> bytes:
        """The whole body."""
        with self._lost:
            return await self._answer.read()

    async def pieces(self, size: int = 1 << 18) -> AsyncIterator[bytes]:
        """The body, piece by piece."""
        content = self._answer.content
        while True:
            with self._lost:
                piece = await content.read(size)
            if not piece:
                return
            yield piece


class _Losing:
    """A context that turns a client's errors into `Lost`."""

    def __init__(self, way: Way, what: str, *, unsure: bool) -> None:
        self._way = way
        self._what = what
        self._unsure = unsure

    def __enter__(self) -> None:
        """Begins."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Raises Lost in place of what aiohttp raises."""
        if isinstance(error, ProblemError):
            raise Lost(error.problem, unsure=False) from error
        if isinstance(error, TimeoutError):
            silent = Problem(
                Cause.TIMEOUT, f"The store did not answer {self._what} in time", str(error),
                "It may be busy or out of reach; try again.",
            )  # fmt: skip
            raise Lost(silent, self._unsure) from error
        if isinstance(error, aiohttp.ClientError | OSError):
            if (refused := certificate_problem(error, self._way.member or self._way.host)) is not None:
                raise Lost(refused, unsure=False) from error
            words = str(error) or type(error).__name__
            why = self._way.ended() or Problem(
                Cause.UNREACHABLE, f"The connection to {self._way.member or self._way.host} went ({self._what})", words,
                "Try again: it goes to any server that is ready.",
            )  # fmt: skip
            raise Lost(why, self._unsure) from error


class _Opening:
    """A request as a context; see `model.AnswerContext`."""

    def __init__(self, session: StoreSession, request: Request) -> None:
        self._session = session
        self._request = request
        self._answer: aiohttp.ClientResponse | None = None

    async def __aenter__(self) -> Answer:
        """Sends the request; its headers have come."""
        self._answer, lost = await self._session.send(self._request)
        return _Body(self._answer, lost)

    async def __aexit__(self, *error: object) -> None:
        """Keeps the connection if the answer was read whole, and ends it otherwise."""
        if self._answer is not None:
            if self._answer.content.at_eof():
                self._answer.release()
            else:
                self._answer.close()


class StoreSession:
    """The connections to one store with one user's keys; an `Exchange`.

    Attributes:
        way: the way that is used now.
        https: whether TLS is spoken.
        verified: whether the server's certificate is verified.
        context: of TLS, None without it.
        server_name: what TLS verifies in place of the way's host; empty for that.
        server: what the last answer's Server header said.
        signer: with the region, and the difference of the clocks.
        writes: the gate: without it all but questions is refused here.
    """

    def __init__(self, finder: Finder, way: Way, keys: Keys, region: str, *, writes: bool = True) -> None:
        """Is made by `opening.open_session`."""
        self.writes = writes
        self.way = way
        self.https = False
        self.verified = False
        self.server = ""
        self.ahead = 0.0
        self.context: ssl.SSLContext | None = None
        self.server_name = ""
        self.signer = Signer(keys, region)
        self._finder = finder
        self._clients: tuple[aiohttp.ClientSession, aiohttp.ClientSession] | None = None
        self._connector: WayConnector | None = None

    @property
    def keys(self) -> Keys:
        """Who one is: as whom requests are signed."""
        return self.signer.keys

    @property
    def tls(self) -> str:
        """`TLSv1.3, verified`, `TLSv1.3, not verified`, or `off`."""
        if not self.https:
            return "off"
        version = self._connector.tls if self._connector is not None else ""
        return f"{version or 'TLS'}, {'verified' if self.verified else 'not verified'}"

    @property
    def host(self) -> str:
        """As it is signed: the Host header."""
        usual = 443 if self.https else 80
        return self.way.host if self.way.port == usual else f"{self.way.host}:{self.way.port}"

    def client(self, method: str) -> aiohttp.ClientSession:
        """The HTTP client for a method; closed with this.

        aiohttp sends PUT and DELETE again when a connection ends before the answer (seen with 3.14): for what changes
        something there is a client that does not. Both have the same connections.
        """
        assert self._clients is not None  # noqa: S101 (`opening` has called `use`)
        return self._clients[method not in ("GET", "HEAD")]

    async def use(self, *, https: bool, context: ssl.SSLContext | None, name: str = "") -> None:
        """Chooses how the store is spoken to from now on; connections that are open end."""
        await self._end()
        self.https = https
        self.context, self.server_name = context, name
        self.verified = context is not None and context.verify_mode is ssl.CERT_REQUIRED
        self._connector = WayConnector(lambda: self.way, context=context, name=name, limit=_CONNECTIONS)
        asking, changing = self._made(self._connector), self._made(self._connector)
        changing._retry_connection = False
        self._clients = asking, changing

    @staticmethod
    def _made(connector: WayConnector) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=connector, auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT, sock_read=_SILENCE),
            skip_auto_headers=("User-Agent", "Content-Type", "Accept", "Accept-Encoding"),
        )  # fmt: skip

    async def _end(self) -> None:
        for client in self._clients or ():
            await client.close()

    async def renew(self) -> None:
        """Finds the way anew, as when the workload was made anew."""
        old, self.way = self.way, await self._finder()
        await old.close()

    async def close(self) -> None:
        """Ends all connections, and the way."""
        await self._end()
        await self.way.close()

    async def __call__(self, request: Request) -> bytes:
        """See `model.Exchange`."""
        async with self.open(request) as answer:
            return await answer.read()

    def open(self, request: Request) -> _Opening:
        """See `model.Exchange`."""
        return _Opening(self, request)

    async def send(self, request: Request) -> tuple[aiohttp.ClientResponse, _Losing]:
        """Signs and sends a request: once, if it changes something.

        Returns:
            The answer, whose headers have come, and the context in which its body is to be read.

        Raises:
            StoreError: the store refused it.
            Lost: no answer came.
            ProblemError: it may not be sent.
        """
        self.allow(request.method, f"{request.bucket}/{request.key}")
        check_key(self.server, request)
        path, query = path_of(request.bucket, request.key), query_of(request.query)
        headers = {name: text for name, text in request.headers.items() if name.lower() != "x-amz-content-sha256"}
        if not isinstance(request.body, bytes | memoryview) and request.length is not None:
            headers["Content-Length"] = str(request.length)
        signed = self.signer.sign(request.method, self.host, path, query, headers, self._payload(request))
        # What changes nothing may be asked again by whoever wants to; of the others one is not sure.
        unsure = request.method not in ("GET", "HEAD")
        what = about(request)
        lost = _Losing(self.way, what, unsure=unsure)
        url = URL(f"{'https' if self.https else 'http'}://{self.host}{path}{'?' if query else ''}{query}", encoded=True)
        body = request.body if not isinstance(request.body, bytes) or request.body else None
        with lost:
            answer = await self.client(request.method).request(
                request.method, url, headers=signed, data=body, allow_redirects=False, expect100=False
            )
        late = self.told(answer.headers)
        if answer.status < 300:
            return answer, lost
        with lost, contextlib.closing(answer):
            document = await answer.content.read(_DOCUMENT)
        if late and answer.status == 403 and isinstance(request.body, bytes | memoryview):
            return await self.send(request)
        raise store_error(answer.status, answer.headers, document, what, self.keys, bucket_only=not request.key)

    def allow(self, method: str, what: str) -> None:
        """Refuses what would change something where that is not wanted.

        Raises:
            ProblemError: FORBIDDEN.
        """
        if self.writes or method in ("GET", "HEAD"):
            return
        raise ProblemError(Problem(
            Cause.FORBIDDEN, f"{method} {what} was not sent: it would change something",
            "read-only, by --read-only or the settings", "Choose another context, or leave --read-only out.",
        ))  # fmt: skip

    async def plain(self, path: str) -> tuple[int, Mapping[str, str]]:
        """Asks without a signature (health endpoints are nobody's buckets): the status, and the headers.

        Args:
            path: with its query, encoded.

        Raises:
            Lost: no answer came.
        """
        lost = _Losing(self.way, f"GET {path}", unsure=False)
        url = URL(f"{'https' if self.https else 'http'}://{self.host}{path}", encoded=True)
        with lost:
            async with self.client("GET").get(url, allow_redirects=False) as answer:
                await answer.read()
                return answer.status, answer.headers

    def _payload(self, request: Request) -> str:
        given = {name.lower(): text for name, text in request.headers.items()}.get("x-amz-content-sha256")
        if given:
            return given
        if not isinstance(request.body, bytes | memoryview):
            return UNSIGNED
        return hashlib.sha256(request.body).hexdigest() if len(request.body) else EMPTY

    def told(self, headers: Mapping[str, str]) -> bool:
        """Takes note of who the server says it is, and of its time.

        Returns:
            Whether it has another time than what was sent was signed with. What it refused for that was not done: it
            may be sent again.
        """
        self.server = headers.get("Server", self.server)
        if (ahead := ahead_in(headers, time.time())) is None:
            return False
        self.ahead = ahead
        return self.signer.heed(ahead)
