"""Results without a screen: when reading pauses, what an export writes, how rows are shown, what is copied."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from rich.cells import cell_len

from tui.consoles.sql.cellview import depth_of, folded
from tui.consoles.sql.export import Export, Taken
from tui.consoles.sql.files import Written
from tui.consoles.sql.layout import ColumnLayout
from tui.consoles.sql.messages import pointed
from tui.consoles.sql.plan import bar_of, drawn, number
from tui.consoles.sql.resultset import ResultSet, Run, State, said_of, seconds
from tui.consoles.sql.selection import Range, TooLong, fits, formatted
from tui.consoles.sql.view import RowView, Sort, filter_by, filter_of
from tui.problem import Cause, Problem, ProblemError
from tui.services.sql.cells import whole
from tui.services.sql.gridded import shortened
from tui.services.sql.model import Column, Columns, Done, Event, Look, Lost, Notice, Row, Rows, ServerError, Wire
from tui.services.sql.plans.model import Plan, PlanNode
from tui.services.sql.rows import Comparison, Filter, RowStore
from tui.widgets.ink import plain

COLUMNS = (Column("id", "int8", Look.NUMBER), Column("name", "text"), Column("raw", "bytea", Look.BINARY))


def row(at: int) -> Row:
    return str(at), None if at % 10 == 3 else f"name {at % 7}", bytes([at % 256])


class Source:
    """A statement of a server: counts what was asked for, and knows whether it was closed."""

    def __init__(self, rows: int, *, fail: Exception | None = None, batch: int = 100) -> None:
        self.rows, self.fail, self.batch = rows, fail, batch
        self.sent = 0
        self.closed = False

    async def events(self) -> AsyncIterator[Event]:
        try:
            yield Columns(COLUMNS)
            while self.sent < self.rows:
                some = [row(at) for at in range(self.sent, min(self.rows, self.sent + self.batch))]
                self.sent += len(some)
                yield Rows(some)
            if self.fail is not None:
                raise self.fail
            yield Done(f"SELECT {self.rows}", self.rows, 0.5)
        finally:
            self.closed = True


async def until(true: Callable[[], object]) -> None:
    for _ in range(2000):
        if true():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it never came")


async def paused(source: Source, *, first: int | None = 100) -> tuple[Run, ResultSet, asyncio.Task[bool]]:
    run = Run(first=first)
    task = asyncio.create_task(run.take("select", source.events()))
    await until(lambda: run.sets and run.sets[0].state is not State.READING)
    return run, run.sets[0], task


# --- reading


async def test_reading_pauses_holds_the_server_back_and_goes_on_when_asked() -> None:
    source = Source(1000)
    run, result, task = await paused(source)
    assert (result.state, len(result.store), source.sent) == (State.PAUSED, 100, 100)
    assert said_of(result).startswith("100 rows of more · ")
    assert "end reads on" in said_of(result)
    result.want(250)
    await until(lambda: result.state is State.PAUSED and len(result.store) >= 250)
    assert source.sent == 300
    assert not source.closed
    result.want(None)
    assert await task
    assert (result.state, len(result.store), source.closed) == (State.ENDED, 1000, True)
    assert said_of(result) == "1,000 rows · 500 ms · all"
    assert [type(each.what) for each in run.messages] == [Done]
    assert run.messages[0].result == 1


async def test_what_is_given_up_ends_on_the_server_and_says_so() -> None:
    source = Source(1000)
    run, result, task = await paused(source)
    run.stop()
    assert await task
    assert source.closed
    assert result.state is State.STOPPED
    assert said_of(result) == "100 rows of more · given up, the rest was not read"


async def test_an_error_in_the_middle_keeps_the_rows_before_it() -> None:
    source = Source(150, fail=ServerError("division by zero", "22012"))
    run, result, task = await paused(source)
    result.want(None)
    assert not await task
    assert (result.state, len(result.store)) == (State.FAILED, 150)
    assert isinstance(run.messages[-1].what, ServerError)
    assert run.messages[-1].result == 1


async def test_a_lost_connection_is_a_message_too() -> None:
    lost = Lost(Problem(Cause.UNREACHABLE, "The pod is gone"), transaction=True)
    source = Source(100, fail=lost)
    run, result, task = await paused(source, first=None)
    assert not await task
    assert result.state is State.FAILED
    assert run.messages[-1].what is lost


async def test_results_and_notices_come_in_order() -> None:
    async def events() -> AsyncIterator[Event]:
        yield Notice("WARNING", "slow")
        for count in (1, 2):
            yield Columns(COLUMNS)
            yield Rows([row(at) for at in range(count)])
            yield Done(f"SELECT {count}", count, 0.1)
        yield Done("CALL", None, 0.2)

    run = Run()
    assert await run.take("call p()", events())
    assert [len(each.store) for each in run.sets] == [1, 2]
    assert [each.number for each in run.sets] == [1, 2]
    assert [each.result for each in run.messages] == [None, 1, 2, None]


async def test_spent_memory_pauses_even_what_is_read_to_its_end_and_the_end_key_reads_on() -> None:
    run = Run(first=None)
    source = Source(3000)
    task = asyncio.create_task(run.take("select", source.events()))
    await until(lambda: run.sets)
    run.sets[0].store.budget = 5000
    await until(lambda: run.sets[0].state is State.FULL)
    assert "memory" in said_of(run.sets[0])
    assert source.sent < 3000
    run.sets[0].want(None)
    assert await task
    assert len(run.sets[0].store) == 3000


def test_durations() -> None:
    assert [seconds(each) for each in (0.0001, 0.0123, 3.44, 125)] == ["<1 ms", "12 ms", "3.4 s", "2 min 05 s"]


# --- exporting


async def test_an_export_reads_on_to_the_end_and_writes_every_row_once(tmp_path: Path) -> None:
    source = Source(1000)
    _, result, task = await paused(source)
    export = Export(result, tmp_path / "all.csv", "csv", wire=Wire.POSTGRES)
    await export.run()
    assert await task
    lines = (tmp_path / "all.csv").read_text().splitlines()
    assert lines[0] == "id,name,raw"
    assert [line.split(",")[0] for line in lines[1:]] == [str(at) for at in range(1000)]
    assert export.rows == 1000
    assert export.size == (tmp_path / "all.csv").stat().st_size
    assert [each.name for each in tmp_path.iterdir()] == ["all.csv"]
    assert len(result.store) == 1000


async def test_an_export_beyond_memory_goes_to_the_file_only_and_that_is_said(tmp_path: Path) -> None:
    source = Source(2000)
    _, result, task = await paused(source, first=600)
    result.store.budget = 1
    await Export(result, tmp_path / "all.jsonl", "jsonl", wire=Wire.POSTGRES).run()
    assert await task
    assert len((tmp_path / "all.jsonl").read_text().splitlines()) == 2000
    assert len(result.store) < 2000
    assert result.passed == 2000 - len(result.store)
    assert f"{result.passed:,} more went to the export only" in said_of(result)
    with pytest.raises(ProblemError, match="not here any more"):
        await Export(result, tmp_path / "again.csv", "csv", wire=Wire.POSTGRES).run()
    assert not (tmp_path / "again.csv").exists()


async def test_a_cancelled_export_leaves_no_file_and_reading_pauses(tmp_path: Path) -> None:
    source = Source(1_000_000)
    _, result, task = await paused(source)
    export = Export(result, tmp_path / "all.csv", "csv", wire=Wire.POSTGRES)
    writing = asyncio.create_task(export.run())
    await until(lambda: export.rows > 1000)
    writing.cancel()
    await asyncio.wait([writing])
    assert list(tmp_path.iterdir()) == []
    await until(lambda: result.state is State.PAUSED)
    assert source.sent < 1_000_000
    task.cancel()
    await asyncio.wait([task])
    assert source.closed


async def test_an_export_that_fails_leaves_no_file_and_has_the_servers_words(tmp_path: Path) -> None:
    _, result, task = await paused(Source(300, fail=ServerError("canceling statement due to conflict", "40001")))
    with pytest.raises(ProblemError, match="due to conflict"):
        await Export(result, tmp_path / "all.csv", "csv", wire=Wire.POSTGRES).run()
    await task
    assert list(tmp_path.iterdir()) == []


async def test_a_full_disk_ends_the_export_and_not_the_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, result, task = await paused(Source(5000))
    write = Written.write

    def full(self: Written, data: bytes) -> None:
        if self.size > 10_000:
            raise OSError(28, "No space left on device")
        write(self, data)

    monkeypatch.setattr(Written, "write", full)
    with pytest.raises(ProblemError, match="No space left"):
        await Export(result, tmp_path / "all.csv", "csv", wire=Wire.POSTGRES).run()
    assert list(tmp_path.iterdir()) == []
    await until(lambda: result.state is State.PAUSED)
    result.want(None)
    assert await task
    assert len(result.store) == 5000


async def test_no_file_is_replaced_unasked(tmp_path: Path) -> None:
    (tmp_path / "all.csv").write_text("mine")
    _, result, task = await paused(Source(10), first=None)
    await task
    with pytest.raises(Taken):
        await Export(result, tmp_path / "all.csv", "csv", wire=Wire.POSTGRES).run()
    assert (tmp_path / "all.csv").read_text() == "mine"
    await Export(result, tmp_path / "all.csv", "csv", replace=True, wire=Wire.POSTGRES).run()
    assert (tmp_path / "all.csv").read_text().startswith("id,")
    with pytest.raises(ProblemError, match="cannot be written"):
        await Export(result, tmp_path / "none" / "all.csv", "csv", wire=Wire.POSTGRES).run()


def test_a_file_that_appears_meanwhile_stays(tmp_path: Path) -> None:
    with Written(tmp_path / "a") as file:
        file.write(b"new")
        (tmp_path / "a").write_text("mine")
        with pytest.raises(Taken, match="by now"):
            file.done()
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("a", "mine")]


# --- showing


def view_of(count: int) -> RowView:
    store = RowStore(COLUMNS)
    store.append([row(at) for at in range(count)])
    return RowView(store)


async def test_filters_and_sorts_add_up() -> None:
    view = view_of(100)
    await view.apply((filter_of("> 50", 0), filter_by("name 3", 1)), Sort(0, descending=True))
    assert [view.row(at)[0] for at in range(len(view))] == ["94", "87", "80", "66", "59", "52"]
    assert view.number(0) == 94
    await view.apply((), None)
    assert view.plain
    assert len(view) == 100
    with pytest.raises(ValueError, match="not a number"):
        await view.apply((filter_of("> x", 0),), None)
    assert len(view) == 100


async def test_filters_by_a_cell_are_about_null_and_bytes_too() -> None:
    view = view_of(100)
    await view.apply((filter_by(None, 1),), None)
    assert len(view) == 10
    await view.apply((filter_by(None, 1, unequal=True),), None)
    assert len(view) == 90
    await view.apply((filter_by(b"\xff\x00"[:1], 2),), None)
    assert len(view) == 0
    await view.apply((filter_by(b"\x05", 2),), None)
    assert [view.row(0)[0]] == ["5"]
    assert filter_of("is null", 1) == Filter(Comparison.NULL, "", 1)
    assert filter_of("a > b", 1) == Filter(Comparison.CONTAINS, "a > b")


async def test_rows_that_come_later_join_a_filtered_view() -> None:
    view = view_of(100)
    await view.apply((filter_by("name 3", 1),), None)
    before = len(view)
    view.store.append([row(at) for at in range(100, 200)])
    assert view.unseen == 100
    assert len(view) == before
    await view.extend()
    assert view.unseen == 0
    assert [view.row(at)[0] for at in range(len(view))] == [
        str(at) for at in range(200) if at % 7 == 3 and at % 10 != 3
    ]


async def test_finding_goes_round_both_ways() -> None:
    view = view_of(30)
    assert await view.find("NAME 3", 0, 0, 1, [0, 1, 2]) == (10, 1)
    assert await view.find("name 3", 10, 1, 1, [0, 1, 2]) == (17, 1)
    assert await view.find("name 3", 10, 1, -1, [0, 1, 2]) == (24, 1)
    assert await view.find("name 3", 10, 0, 1, [0, 2]) is None
    assert await view.find("29", 29, 0, 1, [0]) == (29, 0)
    assert await RowView(RowStore(COLUMNS)).find("x", 0, 0, 1, [0]) is None


def test_columns_stay_on_screen_and_hide() -> None:
    layout = ColumnLayout(5000)
    layout.measure([30] * 5000, 77)
    assert [place.index for place in layout.places()] == [0, 1, 2]
    assert layout.reveal(4999)
    assert layout.places()[-1].index == 4999
    assert layout.places()[-1].width == layout.width(4999)
    layout.toggle(4998)
    assert 4998 not in [place.index for place in layout.places()]
    layout.show_all()
    assert len(layout.shown) == 5000
    one = ColumnLayout(1)
    one.measure([60], 120)
    assert one.width(0) == 118
    assert not one.toggle(0)
    one.widen(0, wider=False)
    assert one.width(0) == 79


# --- copying


def test_ranges_are_copied_in_each_format() -> None:
    view = view_of(20)
    chosen = Range(2, 4, (0, 1))
    made = {form: formatted(view, chosen, form, wire=Wire.MYSQL, table="s.t") for form in ("tsv", "csv", "insert")}
    assert made["tsv"].splitlines()[:2] == ["id\tname", "2\tname 2"]
    assert made["csv"].splitlines() == ["id,name", "2,name 2", "3,", "4,name 4"]
    assert made["insert"].startswith("INSERT INTO `s`.`t` (`id`, `name`) VALUES\n(2, 'name 2'),\n(3, NULL)")
    assert '"name": null' in formatted(view, chosen, "json", wire=Wire.MYSQL, table="t").replace('":null', '": null')
    assert formatted(view, chosen, "markdown", wire=Wire.MYSQL, table="t").count("\n") >= 4


def test_what_no_terminal_takes_is_refused_in_words() -> None:
    with pytest.raises(TooLong, match="x exports"):
        formatted(view_of(20_000), Range(0, 19_999, (0, 1)), "tsv", wire=Wire.MYSQL, table="t")
    with pytest.raises(TooLong, match=r"74,994"):
        fits("x" * 60_000)
    assert fits("x" * 50_000)


# --- reading cells, messages, plans


def test_json_folds_by_levels() -> None:
    lines = whole('{"a": {"b": [1, 2]}, "c": 3}', Look.JSON).lines
    assert depth_of(lines) == 3
    assert folded(lines, 1) == ["{", '  "a": { … 4 lines … },', '  "c": 3', "}"]
    assert folded(lines, 3) == list(lines)


def test_an_error_points_at_its_place_in_a_long_line_of_wide_characters() -> None:
    statement = "select 1,\n  " + "数" * 100 + " bad " + "x" * 200
    shown, mark = (plain(line.cell) for line in pointed(statement, statement.index("bad")))
    assert shown.startswith("  line 2: …")
    assert cell_len(shown[: shown.index("bad")]) == mark.index("▲")
    assert next(plain(line.cell) for line in pointed("", 5)).startswith("  line 1: ")


def test_a_plan_tells_where_the_time_goes() -> None:
    scan = PlanNode("Seq Scan", "orders", (("Filter", "(a\x1b > 1)"),), 10, 98_000, 1, None, 90, 90, 5, ("reads all",))
    plan = Plan((PlanNode("Sort", "", (), 10, 98_000, 1, None, 100, 10, None, (), (scan,)),), 0.5, 101)
    lines = [plain(line.cell) for line in drawn(plan, details=True, width=140)]
    sort = next(line for line in lines if "Sort" in line)
    assert "10%" in sort
    assert "10→98.0k" in sort
    found = next(line for line in lines if "Seq Scan" in line)
    assert "90%" in found
    assert "└ Seq Scan on orders" in found
    assert any("⚠ reads all" in line for line in lines)
    assert any("Filter: (a␛ > 1)" in line for line in lines)
    assert not any("Filter" in plain(line.cell) for line in drawn(plan, details=False, width=80))
    assert (bar_of(1.0), bar_of(0.5).strip(), bar_of(0.0).strip()) == ("█" * 8, "█" * 4, "")
    assert [number(each) for each in (None, 7, 1500, 100_000, 2_500_000)] == ["", "7", "1.5k", "100k", "2.5M"]


def test_an_estimate_says_that_it_is_one() -> None:
    plan = Plan((PlanNode("Sort", cost=100, children=(PlanNode("Seq Scan", "t", cost=75),)),))
    lines = [plain(line.cell) for line in drawn(plan, details=True, width=140)]
    assert "not executed" in lines[0]
    assert "25%" in lines[2]
    assert "75%" in lines[3]


async def test_no_file_gets_a_value_that_lost_its_end(tmp_path: Path) -> None:
    async def events() -> AsyncIterator[Event]:
        yield Columns(COLUMNS)
        rows = [row(0)]
        yield shortened(rows, 0, 1, 1 << 30)
        yield Rows(rows)
        yield Done("SELECT 1", 1, 0.1)

    run = Run()
    assert await run.take("select", events())
    with pytest.raises(ProblemError, match="too long to be taken whole") as caught:
        await Export(run.sets[0], tmp_path / "all.csv", "csv", wire=Wire.POSTGRES).run()
    assert "Row 1, column 2: a value of 1,073,741,824 bytes" in caught.value.problem.evidence
    assert "--psql" in caught.value.problem.remedy and not list(tmp_path.iterdir())
