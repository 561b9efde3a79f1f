"""Pictures of the SQL console's results, at the sizes that people have. Look at them before you accept them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from looking import still
from sql_fakes import events, events_of, order, results_app, show_results
from textual.pilot import Pilot

from tui.services.sql.explain import read_plan
from tui.services.sql.model import Column, Columns, Done, Look, Notice, Rows, ServerError

PLAN = """[{"Plan": {"Node Type": "Sort", "Total Cost": 3210.5, "Plan Rows": 1000, "Actual Total Time": 840.2,
"Actual Rows": 98000, "Actual Loops": 1, "Sort Key": ["sum(o.total) DESC"], "Sort Method": "external merge",
"Sort Space Used": 12000, "Sort Space Type": "Disk", "Plans": [
 {"Node Type": "Hash Join", "Parent Relationship": "Outer", "Join Type": "Inner", "Total Cost": 2900.0,
  "Plan Rows": 1000, "Actual Total Time": 600.0, "Actual Rows": 98000, "Actual Loops": 1,
  "Hash Cond": "(o.customer = c.id)", "Plans": [
  {"Node Type": "Seq Scan", "Parent Relationship": "Outer", "Relation Name": "orders", "Alias": "o",
   "Total Cost": 2000.0, "Plan Rows": 100000, "Actual Total Time": 450.0, "Actual Rows": 98000, "Actual Loops": 1,
   "Filter": "(total > '10'::numeric)", "Rows Removed by Filter": 2000},
  {"Node Type": "Index Scan", "Index Name": "customers_pkey", "Parent Relationship": "Inner",
   "Relation Name": "customers", "Alias": "c", "Total Cost": 60.0, "Plan Rows": 3000, "Actual Total Time": 5.0,
   "Actual Rows": 3000, "Actual Loops": 1}]}]}, "Planning Time": 0.412, "Execution Time": 860.5}]"""
ERROR = ServerError(
    'column "custommer" does not exist', "42703", position=28,
    hint='Perhaps you meant to reference the column "orders.customer".',
)  # fmt: skip
EVIL = "[red]x[/] \x1b[31m \x07\u202e\x9b2J"
SELECT = "select * from shop.orders"
Show = Callable[[Pilot[Any]], Awaitable[None]]


def pressing(*keys: str, count: int = 25_000) -> Show:
    async def show(pilot: Pilot[Any]) -> None:
        await show_results(pilot, (SELECT, lambda: events_of(order, count)))
        await still(pilot.app, pilot)
        for key in keys:
            await pilot.press(key)
            await pilot.pause(0.05)

    return show


async def messages(pilot: Pilot[Any]) -> None:
    notice = Notice("WARNING", "there is no transaction in progress", "25P01")
    await show_results(
        pilot,
        ("create table users (id int primary key)", lambda: events(notice, Done("CREATE TABLE", None, 0.004))),
        (SELECT, lambda: events_of(order, 3)),
        ("select id,\n  total from orders where custommer = 1", lambda: events(ERROR)),
    )


async def plan(pilot: Pilot[Any]) -> None:
    columns = [Column("QUERY PLAN", "json", Look.JSON)]
    results = await show_results(pilot, ("explain analyze …", lambda: events_of([(PLAN,)], columns=columns)))
    results.put_plan(results.run.sets[0], read_plan([(PLAN,)]))


async def many(pilot: Pilot[Any]) -> None:
    statements: list[Any] = [(f"select {at}", lambda at=at: events_of(order, at)) for at in range(1, 221)]
    results = await show_results(pilot, *statements, first=None)
    results.go(117)


async def cut_short(pilot: Pilot[Any]) -> None:
    columns = (Column("id", "int8", Look.NUMBER), Column("name", "text"))
    error = ServerError("division by zero", "22012")
    rows = Rows([(str(at), f"name {at}") for at in range(5)])
    await show_results(pilot, (SELECT, lambda: events(Columns(columns), rows, error)))


async def hostile(pilot: Pilot[Any]) -> None:
    columns = (Column(EVIL, EVIL), Column("", "text"), Column("n", "int4", Look.NUMBER), Column("n", "bytea"))
    await show_results(
        pilot, (SELECT, lambda: events_of([(EVIL, "", None, b"\x00\xff"), ("∅", "\n", "7", b"")], columns=columns))
    )


STATES: dict[str, Show] = {
    "paused": pressing("down", "right", "right"),
    "range": pressing("down", "right", "v", "down", "down", "right", count=40),
    "sorted-filtered": pressing("s", "s", "right", "equals_sign", count=500),
    "far-right": pressing("dollar_sign", count=40),
    "row": pressing("down", "space", count=40),
    "cell": pressing("right", "right", "right", "right", "enter", "minus", count=40),
    "copy": pressing("y", count=40),
    "export": pressing("x"),
    "help": pressing("question_mark", count=40),
    "messages": messages,
    "plan": plan,
    "many": many,
    "cut-short": cut_short,
    "hostile": hostile,
}


@pytest.fixture(autouse=True)
def same_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the time that something took here nor the folder is in a picture."""
    monkeypatch.setattr("tui.consoles.sql.resultset.seconds", lambda value: "12 ms")
    monkeypatch.setattr("tui.consoles.sql.foot.TOLD", 60.0)
    monkeypatch.chdir("/")


def picture(snap_compare: Any, state: str, size: tuple[int, int], **more: Any) -> bool:
    async def before(pilot: Pilot[Any]) -> None:
        await STATES[state](pilot)
        if state == "sorted-filtered":
            await pilot.pause(0.2)
        await still(pilot.app, pilot)

    return bool(snap_compare(results_app(**more), terminal_size=size, run_before=before))


@pytest.mark.parametrize("size", [(80, 24), (140, 40)], ids=["80x24", "140x40"])
@pytest.mark.parametrize("state", list(STATES))
def test_results(snap_compare: Any, state: str, size: tuple[int, int]) -> None:
    assert picture(snap_compare, state, size)


@pytest.mark.parametrize("theme", ["light", "colour-blind", "terminal"])
def test_themes(snap_compare: Any, theme: str) -> None:
    assert picture(snap_compare, "range", (80, 24), theme=theme)


def test_no_color(snap_compare: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert picture(snap_compare, "range", (80, 24))


def test_small(snap_compare: Any) -> None:
    assert picture(snap_compare, "paused", (60, 15))
