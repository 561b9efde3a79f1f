"""Requests to RabbitMQ's management API over a way: each sent once, and answered with JSON or an error in words."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import quote, unquote

import aiohttp
import msgspec

from tui.problem import Cause, Problem, ProblemError
from tui.services.overways import WayConnector
from tui.services.queue.model import Login, Refused
from tui.services.queue.tls import alert, refused_at_tls
from tui.services.way import Finder, Way

T = TypeVar("T")
#: Seconds for a request; the server gives up after a minute of its own.
_TIMEOUT = 30.0
#: Seconds for which an idle connection is kept. The server closes one after 5 (Cowboy's `request_timeout`), and a
#: question that is sent at that very moment has no answer; consoles ask every 5 seconds.
_KEPT = 3.0
#: What it says with 401 to whom it does not let in.
_UNKNOWN = (
    "Login failed",
    "Not_Authorized",
    "Not authorised",
    "Not management user",
    "User can only log in via localhost",
)
_WORDS = {"queues": "queue", "exchanges": "exchange", "policies": "policy", "operator-policies": "operator policy",
          "vhosts": "virtual host", "connections": "connection", "bindings": "binding", "users": "user",
          "permissions": "permission"}  # fmt: skip
#: Of an answer that is no JSON, as evidence.
_SHOWN = 300


def segment(name: str) -> str:
    """A name as a piece of a path: the default virtual host is `%2F`."""
    return quote(name, safe="")


def thing(path: str) -> str:
    """What a path names, in words: `queue orders in the virtual host shop`."""
    kind, *names = (unquote(one) for one in path.split("/"))
    word = _WORDS.get(kind, "")
    if kind == "bindings" and len(names) >= 5:
        return f"way from {names[2]} to {names[4]} in the virtual host {names[0]}"
    if word and len(names) == 1:
        where = kind in ("queues", "exchanges", "bindings", "policies", "operator-policies")
        return f"virtual host {names[0]}" if where else f"{word} {names[0]}"
    if kind == "permissions" and len(names) == 2:
        return f"permission of {names[1]} in the virtual host {names[0]}"
    return f"{word} {names[1]} in the virtual host {names[0]}" if word and len(names) > 1 else unquote(path)


class Transport:
    """The connections to the API of one cluster, with one login.

    Attributes:
        login: who one is.
        way: over which the last connection went; None before the first.
        writes: whether anything but questions is sent.
    """

    def __init__(
        self, finder: Finder, login: Login, *, context: ssl.SSLContext | None = None, writes: bool = True,
        connecting: float = 10.0,
    ) -> None:  # fmt: skip
        """Connects at the first question.

        Args:
            finder: finds the way.
            login: who one is.
            context: TLS, None for none.
            writes: the gate: without it all but questions is refused here.
            connecting: seconds that the way may take to connect, beside those for the answer.
        """
        self.login = login
        self.writes = writes
        self.way: Way | None = None
        self._finder = finder
        self._connecting = connecting
        self._context = context
        self._session: aiohttp.ClientSession | None = None
        self._opening = asyncio.Lock()

    async def close(self) -> None:
        """Ends the connections, and the way."""
        if self._session is not None:
            await self._session.close()
            self._session = None
        if self.way is not None:
            await self.way.close()
            self.way = None

    async def ask(
        self, method: str, path: str, body: Any = None, query: Mapping[str, str] | None = None,  # noqa: ANN401
        *, more: Mapping[str, str] | None = None, patience: float = _TIMEOUT,
    ) -> bytes:  # fmt: skip
        """Sends one request and reads its answer whole; nothing is sent twice.

        Args:
            method: of HTTP.
            path: below `/api/`, its segments quoted.
            body: sent as JSON unless it is None.
            query: without quoting.
            more: headers.
            patience: seconds for the whole answer, once there is a connection.

        Raises:
            Refused: the server's answer was 4xx.
            ProblemError: no answer, or none that is the API's; or it would change something, and may not.
        """
        if not self.writes and method != "GET":
            raise ProblemError(Problem(
                Cause.FORBIDDEN, f"{method} {path} was not sent: it would change something",
                "read-only, by --read-only or the settings", "Choose another context, or leave --read-only out.",
            ))  # fmt: skip
        session, way = await self._ready()
        url = f"{'https' if self._context is not None else 'http'}://{way.host}:{way.port}/api/{path}"
        given = msgspec.json.encode(body) if body is not None else None
        headers = {"Content-Type": "application/json"} if given is not None else {}
        headers |= more or {}
        try:
            from yarl import URL  # noqa: PLC0415  (comes with the client)

            target = URL(url, encoded=True)
            if query:
                target = target.update_query(query)
            waits = aiohttp.ClientTimeout(total=patience + self._connecting)
            async with session.request(
                method, target, data=given, headers=headers, allow_redirects=False, timeout=waits
            ) as answer:
                content = await answer.read()
                # A check of health that fails is answered with 503, and says what it is.
                if answer.status < 300 or (answer.status == 503 and path.startswith("health/")):
                    return content
                raise self._refused(answer.status, answer.headers.get("Content-Type", ""), content, path)
        except ProblemError:
            raise
        except TimeoutError as error:
            remedy = (
                "Statistics of many queues take long: a virtual host or a pattern helps." if "queues" in path else ""
            )
            if method != "GET":
                remedy = "Whether it was done is not known: look before you ask for it again."
            late = f"{way.member or way.host} did not answer in {patience + self._connecting:.0f} s"
            raise ProblemError(Problem(Cause.TIMEOUT, late, unquote(path), remedy)) from error
        except (aiohttp.ClientError, OSError) as error:
            at = way.member or way.host
            none = Problem(Cause.UNREACHABLE, f"{at} gave no answer", str(error))
            problem = refused_at_tls(error, at) or way.ended()
            if problem is None and self._context is not None:
                problem = await alert(way, self._context)
            raise ProblemError(problem or none) from error

    async def _ready(self) -> tuple[aiohttp.ClientSession, Way]:
        async with self._opening:
            if self.way is None:
                self.way = await self._finder()
            if self._session is None:
                way, pair = self.way, f"{self.login.user}:{self.login.password}"
                self._session = aiohttp.ClientSession(
                    connector=WayConnector(lambda: way, context=self._context, keepalive=_KEPT),
                    headers={"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"},
                )
                # aiohttp sends PUT and DELETE again when a connection ends before the answer (seen with 3.14).
                self._session._retry_connection = False
            return self._session, self.way

    def _refused(self, status: int, kind: str, content: bytes, path: str) -> Exception:
        text = content[: _SHOWN * 4].decode("utf-8", "replace")
        said = text
        if "json" in kind:
            with contextlib.suppress(msgspec.DecodeError):
                told = msgspec.json.decode(content)
                said = str(told.get("reason") or told.get("error") or text) if isinstance(told, dict) else text
        said = said[:_SHOWN]
        # It answers 401 to whom it knows as well: without a permission in a virtual host, or without a tag.
        if status == 401 and said not in _UNKNOWN:
            return Refused(403, Problem(
                Cause.FORBIDDEN, f"{self.login.user} may not reach {thing(path)}", said,
                "The tag monitoring or administrator, or a permission on the virtual host, would do.",
            ))  # fmt: skip
        if status == 401:
            return ProblemError(Problem(
                Cause.CREDENTIALS, f"The management API does not let {self.login.user} in", said,
                f"The password came from {self.login.source or 'nowhere'}; the user also needs the tag `management`.",
            ))  # fmt: skip
        if "json" not in kind:
            return ProblemError(Problem(
                Cause.PROTOCOL, f"The answer to {path} is not the management API's (HTTP {status})", said,
                "Something else listens at this port, or the plugin rabbitmq_management is not enabled.",
            ))  # fmt: skip
        if status >= 500:
            return ProblemError(Problem(Cause.SERVER, f"The server failed at {path}", said))
        cause = {403: Cause.FORBIDDEN, 404: Cause.ABSENT}.get(status, Cause.REJECTED)
        remedy = ""
        if "inequivalent arg" in said:
            remedy = "It was declared otherwise, and cannot be changed: delete it first, or let a policy say it."
        what = f"There is no {thing(path)}" if status == 404 else f"The server refused {thing(path)}"
        return Refused(status, Problem(cause, what, said, remedy))

    async def _get(
        self, path: str, kind: type[T], query: Mapping[str, str] | None = None, *, patience: float = _TIMEOUT
    ) -> T:
        return decoded(await self.ask("GET", path, query=query, patience=patience), kind, path)


def decoded(content: bytes, kind: type[T], path: str) -> T:
    """What an answer says.

    Args:
        content: JSON.
        kind: what it is to be.
        path: that was asked for.

    Raises:
        ProblemError: it is something else.
    """
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.DecodeError as error:
        said = content[:_SHOWN].decode("utf-8", "replace")
        raise ProblemError(
            Problem(Cause.PROTOCOL, f"The answer to {path} is not understood", f"{error}: {said}")
        ) from error
