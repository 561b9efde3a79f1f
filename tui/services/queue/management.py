"""RabbitMQ's management API over a way: what AMQP cannot tell, page by page and with the columns that are shown alone.

The server sorts by a statistic only after it has collected that statistic of every queue, which takes a cluster with
20,000 of them half a minute (rabbitmq-management#612): pages are asked for in the server's own order.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

import aiohttp
import msgspec

from tui.problem import Cause, Problem, ProblemError
from tui.services.overways import WayConnector
from tui.services.queue import facts
from tui.services.queue.model import Login, Refused
from tui.services.way import Finder, Way

T = TypeVar("T")
#: Seconds for a request; the server gives up after a minute of its own.
_TIMEOUT = 30.0
#: Of an answer that is no JSON, as evidence.
_SHOWN = 300


def segment(name: str) -> str:
    """A name as a piece of a path: the default virtual host is `%2F`."""
    return quote(name, safe="")


class Management:
    """The API of one cluster, with one login.

    Attributes:
        login: who one is.
        way: over which the last connection went; None before the first.
        writes: whether anything but questions is sent.
    """

    def __init__(
        self, finder: Finder, login: Login, *, context: ssl.SSLContext | None = None, writes: bool = True
    ) -> None:
        """Connects at the first question.

        Args:
            finder: finds the way.
            login: who one is.
            context: TLS, None for none.
            writes: the gate: without it all but questions is refused here.
        """
        self.login = login
        self.writes = writes
        self.way: Way | None = None
        self._finder = finder
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
        *, more: Mapping[str, str] | None = None,
    ) -> bytes:  # fmt: skip
        """Sends one request and reads its answer whole; nothing is sent twice.

        Args:
            method: of HTTP.
            path: below `/api/`, its segments quoted.
            body: sent as JSON unless it is None.
            query: without quoting.
            more: headers.

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
            async with session.request(method, target, data=given, headers=headers, allow_redirects=False) as answer:
                content = await answer.read()
                if answer.status < 300 or answer.status == 503:
                    return content
                raise self._refused(answer.status, answer.headers.get("Content-Type", ""), content, path)
        except ProblemError:
            raise
        except TimeoutError as error:
            raise ProblemError(Problem(
                Cause.TIMEOUT, f"{way.member or way.host} did not answer in {_TIMEOUT:.0f} s", path,
                "Statistics of many queues take long; fewer columns or a filter help.",
            )) from error  # fmt: skip
        except (aiohttp.ClientError, OSError) as error:
            ended = way.ended()
            raise ProblemError(
                ended or Problem(Cause.UNREACHABLE, f"{way.member or way.host} gave no answer", str(error))
            ) from error

    async def _ready(self) -> tuple[aiohttp.ClientSession, Way]:
        async with self._opening:
            if self.way is None:
                self.way = await self._finder()
            if self._session is None:
                way = self.way
                self._session = aiohttp.ClientSession(
                    connector=WayConnector(lambda: way, context=self._context),
                    auth=aiohttp.BasicAuth(self.login.user, self.login.password, "utf-8"),
                    timeout=aiohttp.ClientTimeout(total=_TIMEOUT, sock_connect=10),
                )
            return self._session, self.way

    def _refused(self, status: int, kind: str, content: bytes, path: str) -> Exception:
        text = content[: _SHOWN * 4].decode("utf-8", "replace")
        said = text
        if "json" in kind:
            with contextlib.suppress(msgspec.DecodeError):
                told = msgspec.json.decode(content)
                said = str(told.get("reason") or told.get("error") or text) if isinstance(told, dict) else text
        said = said[:_SHOWN]
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
        return Refused(status, Problem(cause, f"The server refused {path}", said))

    async def _get(self, path: str, kind: type[T], query: Mapping[str, str] | None = None) -> T:
        content = await self.ask("GET", path, query=query)
        try:
            return msgspec.json.decode(content, type=kind)
        except msgspec.DecodeError as error:
            said = content[:_SHOWN].decode("utf-8", "replace")
            raise ProblemError(
                Problem(Cause.PROTOCOL, f"The answer to {path} is not understood", f"{error}: {said}")
            ) from error

    async def overview(self) -> facts.Overview:
        """The cluster as a whole: version, totals, rates."""
        return await self._get("overview", facts.Overview)

    async def nodes(self) -> list[facts.Node]:
        """All nodes; of one that does not run little more than the name is known."""
        return await self._get("nodes", list[facts.Node])

    async def queue(self, vhost: str, name: str) -> facts.Queue:
        """One queue."""
        return await self._get(f"queues/{segment(vhost)}/{segment(name)}", facts.Queue)

    async def queues(
        self, *, vhost: str = "", name: str = "", regex: bool = False, page: int = 1, size: int = 500
    ) -> facts.QueuePage:
        """A page of queues in the server's own order.

        Args:
            vhost: empty for all that this user may see.
            name: what the name holds, or a regular expression.
            regex: whether `name` is one.
            page: from 1.
            size: at most 500 (the server's limit).

        Raises:
            Refused: there is no such page, or no such virtual host.
            ProblemError: as `ask`.
        """
        query = {
            "page": str(page),
            "page_size": str(size),
            "pagination": "true",
            "columns": ",".join(facts.QUEUE_COLUMNS),
        }
        if name:
            query |= {"name": name, "use_regex": "true" if regex else "false"}
        return await self._get(f"queues/{segment(vhost)}" if vhost else "queues", facts.QueuePage, query)

    async def all_queues(
        self, *, vhost: str = "", name: str = "", regex: bool = False
    ) -> AsyncIterator[Sequence[facts.Queue]]:
        """All queues, page by page."""
        page = 1
        while True:
            found = await self.queues(vhost=vhost, name=name, regex=regex, page=page)
            yield found.items
            page += 1
            if page > found.page_count:
                return

    async def exchanges(self, vhost: str = "") -> list[facts.Exchange]:
        """The exchanges of a virtual host, or of all."""
        return await self._get(f"exchanges/{segment(vhost)}" if vhost else "exchanges", list[facts.Exchange])

    async def bindings(self, vhost: str = "") -> list[facts.Binding]:
        """The bindings of a virtual host, or of all."""
        return await self._get(f"bindings/{segment(vhost)}" if vhost else "bindings", list[facts.Binding])

    async def bindings_of(self, vhost: str, queue: str) -> list[facts.Binding]:
        """What leads to a queue."""
        return await self._get(f"queues/{segment(vhost)}/{segment(queue)}/bindings", list[facts.Binding])

    async def vhosts(self) -> list[facts.Vhost]:
        """The virtual hosts that this user may see."""
        return await self._get("vhosts", list[facts.Vhost])

    async def declare_queue(
        self, vhost: str, name: str, arguments: Mapping[str, Any], *, durable: bool = True, auto_delete: bool = False
    ) -> None:
        """Makes a queue; one that is there and alike stays.

        Raises:
            Refused: one that is otherwise is there, or the arguments are not valid; with the server's words.
        """
        wanted = {"durable": durable, "auto_delete": auto_delete, "arguments": dict(arguments)}
        await self.ask("PUT", f"queues/{segment(vhost)}/{segment(name)}", wanted)

    async def delete_queue(self, vhost: str, name: str, *, if_empty: bool = False, if_unused: bool = False) -> None:
        """Deletes a queue, with its messages."""
        query = {key: "true" for key, wanted in (("if-empty", if_empty), ("if-unused", if_unused)) if wanted}
        await self.ask("DELETE", f"queues/{segment(vhost)}/{segment(name)}", query=query)

    async def purge_queue(self, vhost: str, name: str) -> None:
        """Deletes the messages that are ready; those that are with consumers stay."""
        await self.ask("DELETE", f"queues/{segment(vhost)}/{segment(name)}/contents")

    async def declare_exchange(self, vhost: str, name: str, kind: str, arguments: Mapping[str, Any]) -> None:
        """Makes an exchange that is durable."""
        wanted = {"type": kind, "durable": True, "auto_delete": False, "internal": False, "arguments": dict(arguments)}
        await self.ask("PUT", f"exchanges/{segment(vhost)}/{segment(name)}", wanted)

    async def delete_exchange(self, vhost: str, name: str, *, if_unused: bool = False) -> None:
        """Deletes an exchange."""
        await self.ask(
            "DELETE", f"exchanges/{segment(vhost)}/{segment(name)}", query={"if-unused": "true"} if if_unused else None
        )

    async def bind(self, vhost: str, exchange: str, queue: str, key: str, arguments: Mapping[str, Any]) -> None:
        """Leads what an exchange gets under a key to a queue."""
        await self.ask(
            "POST", f"bindings/{segment(vhost)}/e/{segment(exchange)}/q/{segment(queue)}",
            {"routing_key": key, "arguments": dict(arguments)},
        )  # fmt: skip

    async def unbind(self, vhost: str, exchange: str, queue: str, properties: str) -> None:
        """Ends a binding, by its `properties_key`."""
        await self.ask(
            "DELETE", f"bindings/{segment(vhost)}/e/{segment(exchange)}/q/{segment(queue)}/{segment(properties)}"
        )

    async def definitions(self, vhost: str = "") -> dict[str, Any]:
        """The topology (without messages): of a virtual host, or of all with users and their password hashes."""
        return await self._get(f"definitions/{segment(vhost)}" if vhost else "definitions", dict[str, Any])

    async def put_definitions(self, definitions: Mapping[str, Any], vhost: str = "") -> None:
        """Makes what is not there; nothing is deleted."""
        await self.ask("POST", f"definitions/{segment(vhost)}" if vhost else "definitions", dict(definitions))
