"""The catalogue's loader: one statement at a time, what is waited for first, cancelled at any moment."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable

import pytest

from tui.problem import Cause, Problem
from tui.services.sql.catalogue.loader import Catalogue
from tui.services.sql.model import Engine, Lost, Row, ServerError


async def until(wanted: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not wanted():
            await asyncio.sleep(0.001)


class Server:
    """Answers as a PostgreSQL with `count` tables would; holds each statement until it is let go."""

    def __init__(self, count: int = 10_000, *, held: bool = False) -> None:
        self.names = [f"table_{number:05}" for number in range(count)]
        self.asked = list[str]()
        self.running = self.most = 0
        self.gate = asyncio.Semaphore(0) if held else None
        self.fails: Exception | None = None

    async def fetch(self, statement: str) -> list[Row]:
        self.asked.append(self.what(statement))
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            if self.gate:
                await self.gate.acquire()
            else:
                await asyncio.sleep(0)
            if self.fails:
                raise self.fails
            return self.answer(statement)
        finally:
            self.running -= 1

    def what(self, statement: str) -> str:
        if "c.relkind IN" in statement:
            return "relations " + re.search(r"relname > '(.*?)'", statement)[1]  # type: ignore[index]
        for table in ("current_schemas", "pg_attribute", "pg_proc", "pg_roles", "pg_database", "pg_namespace"):
            if table in statement:
                return table
        return statement

    def answer(self, statement: str) -> list[Row]:
        what = self.what(statement)
        if what.startswith("relations"):
            after, limit = what[10:], int(statement.rpartition(" ")[2])
            if "'pg_catalog'" in statement:
                return []
            return [(name, "r", "0", "5", "8192", None) for name in self.names if name > after][:limit]
        if what == "current_schemas":
            return [("pg_catalog",), ("public",)]
        if what == "pg_attribute":
            return [("id", "bigint", "1", None, "", "", "1", None, None)]
        return []


async def test_read_ahead_fills_the_names_in_pages() -> None:
    server, changes = Server(), list[int]()
    catalogue = Catalogue(
        server.fetch, Engine.POSTGRESQL, (17,), changed=lambda: changes.append(len(catalogue.names.relations))
    )
    catalogue.read_ahead()
    await asyncio.wait_for(catalogue._ahead, 10)  # type: ignore[arg-type]
    assert len(catalogue.names.relations["public"]) == 10_000
    assert [one for one in server.asked if one.startswith("relations t")] == [
        f"relations table_{last:05}" for last in range(1999, 10_000, 2000)
    ]
    assert server.most == 1 and changes
    # Nothing is asked twice.
    count = len(server.asked)
    catalogue.read_ahead()
    await asyncio.wait_for(catalogue._ahead, 10)  # type: ignore[arg-type]
    assert len(server.asked) == count


async def test_what_is_waited_for_goes_before_what_is_read_ahead() -> None:
    server = Server(held=True)
    assert server.gate
    catalogue = Catalogue(server.fetch, Engine.POSTGRESQL, (17,))
    catalogue.want_schema("public")
    catalogue.want_columns("public", "table_00001")
    await until(lambda: server.asked == ["relations "])
    waiting = asyncio.create_task(catalogue.columns("public", "table_00002"))
    await asyncio.sleep(0.01)
    server.gate.release()
    server.gate.release()
    (column,) = await asyncio.wait_for(waiting, 20)
    assert column.name == "id"
    assert server.asked[:2] == ["relations ", "pg_attribute"]
    await catalogue.cancel()


async def test_two_who_ask_for_the_same_wait_for_one_statement_and_one_may_leave() -> None:
    server = Server(held=True)
    assert server.gate
    catalogue = Catalogue(server.fetch, Engine.POSTGRESQL, (17,))
    catalogue.want_columns("public", "t")
    one, other = (asyncio.create_task(catalogue.columns("public", "t")) for _ in range(2))
    await until(lambda: server.running == 1)
    one.cancel()
    server.gate.release()
    assert len(await asyncio.wait_for(other, 20)) == 1
    assert server.asked == ["pg_attribute"]
    assert catalogue.names.columns["public", "t"][0].name == "id"


async def test_cancelling_ends_the_statement_and_the_next_request_begins_anew() -> None:
    server = Server(held=True)
    assert server.gate
    catalogue = Catalogue(server.fetch, Engine.POSTGRESQL, (17,))
    catalogue.read_ahead()
    waiting = asyncio.create_task(catalogue.columns("public", "t"))
    await until(lambda: server.running == 1)
    await catalogue.cancel()
    assert server.running == 0
    with pytest.raises(asyncio.CancelledError):
        await waiting
    server.gate.release()
    assert len(await asyncio.wait_for(catalogue.columns("public", "t"), 20)) == 1


@pytest.mark.parametrize("failure", [ServerError("no"), Lost(Problem(Cause.UNREACHABLE, "gone")), ValueError("x")])
async def test_a_failure_is_told_to_who_waits_and_not_kept(failure: Exception) -> None:
    server = Server()
    server.fails = failure
    catalogue = Catalogue(server.fetch, Engine.POSTGRESQL, (17,))
    with pytest.raises(type(failure)):
        await catalogue.columns("public", "t")
    catalogue.read_ahead()  # says nothing
    await asyncio.wait_for(catalogue._ahead, 20)  # type: ignore[arg-type]
    server.fails = None
    assert len(await catalogue.columns("public", "t")) == 1


async def test_after_forget_everything_is_asked_again() -> None:
    server = Server(10)
    catalogue = Catalogue(server.fetch, Engine.POSTGRESQL, (17,))
    for _ in range(2):
        assert sum([len(page) async for page in catalogue.relations("public")]) == 10
        catalogue.forget()
        assert not catalogue.names.relations
    assert len(server.asked) == 2


async def test_what_was_on_its_way_when_forgotten_is_not_kept() -> None:
    server = Server(5000, held=True)
    assert server.gate
    catalogue = Catalogue(server.fetch, Engine.POSTGRESQL, (17,))
    catalogue.want_schema("public")
    server.gate.release()
    await until(lambda: server.asked == ["relations ", "relations table_01999"])
    catalogue.forget()
    for _ in range(20):
        server.gate.release()
    await until(lambda: not server.running)
    await asyncio.sleep(0.05)
    assert not catalogue.names.relations
    catalogue.read_ahead()
    await asyncio.wait_for(catalogue._ahead, 10)  # type: ignore[arg-type]
    assert len(catalogue.names.relations["public"]) == 5000


async def test_ten_thousand_tables_never_hold_the_loop_for_long() -> None:
    catalogue = Catalogue(Server().fetch, Engine.POSTGRESQL, (17,))
    longest, before = 0.0, time.thread_time()
    catalogue.read_ahead()
    while catalogue._ahead and not catalogue._ahead.done():
        await asyncio.sleep(0)
        longest, before = max(longest, time.thread_time() - before), time.thread_time()
    assert len(catalogue.names.relations["public"]) == 10_000
    assert longest < 0.25  # processor time; 10 ms where it was measured
