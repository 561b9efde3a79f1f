"""How a queue console opens: what it waits for in turn, what it asks for first, and what may come later."""

from __future__ import annotations

import asyncio
import io
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web

from tui.consoles.queue.client import Opened
from tui.consoles.queue.live import open_live
from tui.consoles.queue.queuelist import PAGE
from tui.problem import Cause, Problem, ProblemError
from tui.services.queue import facts
from tui.services.queue.model import Login
from tui.systems import queuesession
from tui.systems.queuekeys import FoundLogins
from tui.systems.queuesession import Half, QueueSession

LOGIN, FOUND, TOTAL = Login("user", "secret", source="the test"), FoundLogins(), 20_000


class Way:
    """To a port of this machine."""

    def __init__(self, port: int) -> None:
        self.host, self.port, self.member = "127.0.0.1", port, "rabbitmq-0"

    async def connect(self) -> socket.socket:
        sock = socket.socket()
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, (self.host, self.port))
        return sock

    def ended(self) -> None:
        return None

    async def close(self) -> None:
        return None


class Broker:
    """A management API that has 20,000 queues, and notes in which round it was asked for what.

    A round is begun by an answer: what is asked before anything was answered belongs to the first.

    Attributes:
        asked: rounds, paths, and queries.
        whole: the overview with all figures waits for it.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[int, str, dict[str, str]]] = []
        self.whole = asyncio.Event()
        self._answered = 0

    async def answer(self, request: web.Request) -> web.Response:
        now, path, query = self._answered + 1, request.path.removeprefix("/api/"), dict(request.query)
        self.asked.append((now, path, query))
        await asyncio.sleep(0.01)  # what is asked at the same time has come by then
        told: Any = []
        if path == "overview":
            if query.get("disable_stats") != "true":
                await self.whole.wait()
            told = {"rabbitmq_version": "4.0.5", "disable_stats": query.get("disable_stats") == "true"}
        if path == "queues":
            page, size = int(query.get("page", 1)), int(query.get("page_size", TOTAL))
            names = range((page - 1) * size, page * size)
            items = [{"name": f"q{at:05}", "vhost": "/", "messages": 0, "consumers": 0} for at in names]
            told = {"items": items, "page": page, "page_count": TOTAL // size, "filtered_count": TOTAL}
            told = told if "page" in query else items
        self._answered = max(self._answered, now)
        return web.Response(body=io.BytesIO(json.dumps(told).encode()), content_type="application/json")

    def round_of(self, path: str, **query: str) -> int:
        """In which something was asked for, once."""
        (found,) = [at for at, one, told in self.asked if one == path and query.items() <= told.items()]
        return found


@asynccontextmanager
async def broker(monkeypatch: pytest.MonkeyPatch, amqp: asyncio.Event | Exception | None = None) -> AsyncIterator[Any]:
    """One, and how a console is opened in front of it; its AMQP is there once `amqp` is set, or fails with it."""
    made = Broker()
    runner = web.AppRunner(app := web.Application())
    app.router.add_get("/api/{path:.*}", made.answer)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]

    async def way() -> Way:
        return Way(port)

    async def closed() -> None:
        return None

    async def dial(self: QueueSession, *_: object, **__: object) -> Any:
        if isinstance(amqp, Exception):
            raise amqp
        if amqp is not None:
            await amqp.wait()
        return SimpleNamespace(close=closed, blocked="", closed=None, way=Way(0), version="RabbitMQ 4.0.5")

    monkeypatch.setattr(queuesession, "choices", lambda _live, _key, plain, *_, **__: (plain,))
    monkeypatch.setattr(QueueSession, "_finder", lambda *_: way)
    monkeypatch.setattr(QueueSession, "dial", dial)

    async def opened() -> Opened:
        return await open_live(SimpleNamespace(), "key", LOGIN, FOUND, read_only=False)  # type: ignore[arg-type]

    try:
        yield made, opened
    finally:
        made.whole.set()
        await runner.cleanup()


async def first(opened: Opened, page: int = 1, name: str = "") -> facts.QueuePage:
    return await opened.client.queues(vhost="", name=name, regex=False, page=page, size=PAGE)


def test_the_first_page_is_asked_for_in_the_second_round_with_what_is_cheap(monkeypatch) -> None:
    async def look() -> None:
        async with broker(monkeypatch) as (made, opened):
            console = await opened()
            page = await first(console)
            assert (len(page.items), page.filtered_count) == (PAGE, TOTAL)
            # Nothing but the question who answers goes before it, and nothing is asked twice.
            assert [(at, path) for at, path, _ in made.asked] == [(1, "overview"), (2, "queues")]
            (_, _, about), (_, _, query) = made.asked
            assert about == {"disable_stats": "true"}, "the figures of all queues are not waited for"
            assert query == {
                "page": "1", "page_size": "100", "pagination": "true", "columns": ",".join(facts.QUEUE_COLUMNS),
                "enable_queue_totals": "true",
            }, "the server is not asked to sort, and for the columns that are shown alone"  # fmt: skip
            assert not console.client.facts.lacks
            await first(console, 2)
            assert made.round_of("queues", page="2") == 3, "only the first was asked for beforehand"
            await console.close()

    asyncio.run(look())


def test_another_first_question_is_asked_itself(monkeypatch) -> None:
    async def look() -> None:
        async with broker(monkeypatch) as (made, opened):
            console = await opened()
            await first(console, name="q01")
            assert made.round_of("queues", name="q01")
            before = len(made.asked)
            await first(console)
            assert len(made.asked) == before + 1, "what was asked for beforehand is old by now"
            await console.close()

    asyncio.run(look())


def test_all_queues_are_two_questions_and_understood_in_pieces_that_hold_no_key_up(monkeypatch) -> None:
    async def look() -> None:
        async with broker(monkeypatch) as (made, opened):
            console = await opened()
            await first(console)
            before = len(made.asked)
            pieces = [piece async for piece in console.client.all_queues(vhost="", name="", regex=False)]
            assert [query.get("page") for _, _, query in made.asked[before:]] == ["1", None]
            assert [one.name for piece in pieces for one in piece] == [f"q{at:05}" for at in range(TOTAL)]
            assert max(map(len, pieces)) <= 500
            assert all(one.rate("publish") == 0.0 for one in pieces[-1]), "silent, not unknown"
            await console.close()

    asyncio.run(look())


def test_what_is_missing_is_found_out_later(monkeypatch) -> None:
    async def look() -> None:
        async with broker(monkeypatch) as (made, opened):
            console = await opened()
            learning = asyncio.create_task(console.client.learn())
            await first(console)  # does not wait for it
            assert not learning.done()
            made.whole.set()
            await learning
            assert console.client.facts.lack(Half.STATISTICS) is None
            await console.close()

    asyncio.run(look())


def test_amqp_that_does_not_answer_holds_nothing_up_and_is_there_once_it_does(monkeypatch) -> None:
    monkeypatch.setattr(queuesession, "GRACE", 0.05)

    async def look() -> None:
        amqp = asyncio.Event()
        async with broker(monkeypatch, amqp) as (_, opened):
            console = await opened()
            assert (await first(console)).items
            waits = console.client.facts.lack(Half.AMQP)
            assert waits is not None and "not answered yet" in waits.what
            amqp.set()
            async with asyncio.timeout(60):
                while console.client.facts.lack(Half.AMQP) is not None:
                    await asyncio.sleep(0.01)
            await console.close()

    asyncio.run(look())


def test_amqp_that_fails_is_told_whenever_that_is(monkeypatch) -> None:
    async def look() -> None:
        refused = ProblemError(Problem(Cause.UNREACHABLE, "connection refused"))
        async with broker(monkeypatch, refused) as (_, opened):
            console = await opened()
            lack = console.client.facts.lack(Half.AMQP)
            assert lack is not None and lack.what == "connection refused"
            await console.close()

    asyncio.run(look())


def test_a_console_that_is_left_while_amqp_is_awaited_leaves_nothing(monkeypatch) -> None:
    monkeypatch.setattr(queuesession, "GRACE", 0.05)

    async def look() -> None:
        async with broker(monkeypatch, asyncio.Event()) as (_, opened):
            console = await opened()
            await console.close()
            await asyncio.sleep(0)
            left = [one for one in asyncio.all_tasks() if "reconnect" in repr(one.get_coro())]
            assert not left

    asyncio.run(look())
