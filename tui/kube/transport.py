"""One aiohttp session for one context: sockets, TLS, proxies and the identity that each request carries."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from tui.kube import failures, tls
from tui.kube.context import Context, Impersonation
from tui.kube.credentials import Credentials, Identity, source_of
from tui.kube.proxies import is_loopback, proxy_from_environment, without_password
from tui.kube.resolver import Resolver
from tui.problem import Cause, Problem, ProblemError

#: Seconds to connect, TLS included.
CONNECT_TIMEOUT = 15.0
#: Bytes that may wait in memory per answer before the socket is no longer read.
BUFFER = 1 << 20


class Transport:
    """Sends requests of one context. No I/O before the first."""

    def __init__(self, context: Context, *, user_agent: str) -> None:
        self.context = context
        self.credentials = Credentials(source_of(context))
        self._base = URL(context.server)
        self._prefix = self._base.path.rstrip("/")
        self.proxy = context.cluster.proxy_url or proxy_from_environment(context.server, os.environ)
        self._socks = self.proxy.startswith("socks")
        self._headers = CIMultiDict({"User-Agent": user_agent, "Accept-Encoding": self._encoding()})
        self._headers.extend(impersonation_headers(context.impersonation))
        self._session: aiohttp.ClientSession | None = None
        self._tls: tuple[Identity, ssl.SSLContext] | None = None
        self._tls_lock = asyncio.Lock()
        self._closed = False

    async def send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str],
        body: bytes | None,
        limits: aiohttp.ClientTimeout,
    ) -> aiohttp.ClientResponse:
        """Sends a request; after a 401, once more with fresh credentials.

        Returns:
            The answer, its body unread, whatever its status; the caller releases it.

        Raises:
            ProblemError: no credentials, no connection, no answer in time.
        """
        identity = await self.credentials.current()
        answer = await self._send(identity, method, path, params, headers, body, limits)
        if answer.status != 401:
            return answer
        try:
            fresh = await self.credentials.renew(identity)
        except BaseException:
            answer.close()
            raise
        if fresh == identity:
            return answer  # nothing fresher can be had: the refusal stands
        answer.close()
        return await self._send(fresh, method, path, params, headers, body, limits)

    async def close(self) -> None:
        """Closes all connections; safe to call twice."""
        self._closed = True
        await self.credentials.close()
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _send(
        self,
        identity: Identity,
        method: str,
        path: str,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str],
        body: bytes | None,
        limits: aiohttp.ClientTimeout,
    ) -> aiohttp.ClientResponse:
        sent = self._headers.copy()
        sent.update(headers)
        if identity.authorization:
            sent["Authorization"] = identity.authorization
        options: dict[str, Any] = {}
        if self._base.scheme == "https":
            options["ssl"] = await self._tls_context(identity)
            if self.context.cluster.tls_server_name and not self._socks:
                options["server_hostname"] = self.context.cluster.tls_server_name
        if self.proxy and not self._socks:
            options["proxy"] = self.proxy
        session = self._session or self._open()
        url = self._base.with_path(self._prefix + path)
        try:
            return await session.request(
                method,
                url,
                params=params,
                headers=sent,
                data=body,
                timeout=limits,
                allow_redirects=False,
                **options,
            )
        except asyncio.CancelledError:
            raise
        except Exception as error:
            raise ProblemError(self.explain(error)) from error

    def refused(self, problem: Problem) -> Problem:
        """A 401 that fresh credentials did not cure, with what their source had to say."""
        said = self.credentials.evidence
        if self._tls is not None and self._tls[0].certificate:
            try:
                tls.check_validity(self._tls[0].certificate, self.context, refused=True)
            except ProblemError as error:  # it ran out while we were connected
                return error.problem
        return replace(
            problem,
            what=f"The server does not accept the credentials of {self.credentials.source.title}",
            evidence="; ".join(filter(None, (problem.evidence, said))),
        )

    def explain(self, error: BaseException, *, reading: bool = False) -> Problem:
        """What an exception of the connection means."""
        if self._closed:
            return Problem(Cause.UNREACHABLE, f"The connection to {self.context.server} was closed")
        return failures.of_exception(error, self.context.server, proxy=without_password(self.proxy), reading=reading)

    async def _tls_context(self, identity: Identity) -> ssl.SSLContext:
        """The context for an identity; made anew when its certificate changed."""
        async with self._tls_lock:
            if self._tls is not None:
                known, made = self._tls
                if (known.certificate, known.key) == (identity.certificate, identity.key):
                    return made
            made = await asyncio.to_thread(tls.make_context, self.context, identity, fix_name=self._socks)
            self._tls = (identity, made)
            return made

    def _open(self) -> aiohttp.ClientSession:
        if self._closed:
            raise ProblemError(self.explain(RuntimeError("closed")))
        options: dict[str, Any] = {"limit": 0, "keepalive_timeout": 60}
        connector: aiohttp.BaseConnector
        if self._socks:
            from aiohttp_socks import ProxyConnector  # noqa: PLC0415 (only who has a SOCKS proxy pays for it)

            connector = ProxyConnector.from_url(self.proxy.replace("socks5h://", "socks5://", 1), rdns=True, **options)
        else:
            connector = aiohttp.TCPConnector(resolver=Resolver(), ttl_dns_cache=30, socket_factory=_socket, **options)
        # trust_env stays off: it would read ~/.netrc and knows NO_PROXY less well than kubectl does.
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            read_bufsize=BUFFER,
            trust_env=False,
            timeout=aiohttp.ClientTimeout(total=None),
        )
        return self._session

    def _encoding(self) -> str:
        """Compression pays over a network and only costs over loopback."""
        if self.context.cluster.disable_compression or is_loopback(self._base.host or ""):
            return "identity"
        return "gzip"


def _socket(address: tuple[Any, ...]) -> socket.socket:
    """A socket that notices within a minute or so when the path to the server is dead."""
    family, kind, protocol = address[:3]
    made = socket.socket(family, kind, protocol)
    made.setblocking(False)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        ("TCP_KEEPIDLE", 30),
        ("TCP_KEEPINTVL", 10),
        ("TCP_KEEPCNT", 3),
        ("TCP_USER_TIMEOUT", 60_000),
    ):
        if hasattr(socket, option):  # not every system has them all
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    return made


def impersonation_headers(whom: Impersonation | None) -> list[tuple[str, str]]:
    """The `Impersonate-*` headers; a group stands in a header of its own."""
    if whom is None:
        return []
    headers = [("Impersonate-User", whom.user)]
    if whom.uid:
        headers.append(("Impersonate-Uid", whom.uid))
    headers += [("Impersonate-Group", group) for group in whom.groups]
    headers += [
        (f"Impersonate-Extra-{quote(key, safe='')}", value) for key, values in whom.extra.items() for value in values
    ]
    return headers
