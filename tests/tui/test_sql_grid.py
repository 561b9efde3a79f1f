"""The results on screen: what a grid paints, where its keys lead, what is copied and written."""

from __future__ import annotations

import asyncio
import base64
import re
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from looking import Repaints, drawn, painted, repaints, screen_text, still, until
from sql_fakes import COLUMNS, NAMES, events, events_of, order, results_app, show_results
from terminal import Recorder
from textual.geometry import Region

from tui.consoles.sql.cellview import CellView
from tui.consoles.sql.grid import ResultGrid
from tui.consoles.sql.messages import Messages
from tui.consoles.sql.resultset import Run, State
from tui.screens.keyorder import OrderedKeys
from tui.services.sql.formats.parquet import ParquetWriter
from tui.services.sql.formats.separated import CsvWriter
from tui.services.sql.model import Column, Done, Event, Look, Notice, ServerError, Wire


@pytest.fixture
def refreshed(monkeypatch: pytest.MonkeyPatch) -> Repaints:
    return repaints(monkeypatch, ResultGrid)


async def test_the_first_rows_are_there_and_more_are_read_only_when_asked_for() -> None:
    app = results_app()
    async with app.run_test(size=(80, 24)) as pilot:
        results = await show_results(pilot, ("select", lambda: events_of(order, 25_000)))
        await until(pilot, lambda: "1,000 rows of more" in results.pane.foot.text)
        await still(app, pilot)
        assert "paused: end reads on" in results.pane.foot.text
        assert len(results.run.sets[0].store) == 1000
        assert "Ada Lovelace" in drawn(results.pane.grid)[1]
        await pilot.press("#", *"990", "enter")
        await until(pilot, lambda: len(results.run.sets[0].store) == 2000)
        await pilot.press("end")
        await until(pilot, lambda: "25,000 rows" in results.pane.foot.text and results.pane.grid.position == 24_999)
        assert results.run.sets[0].state is State.ENDED
        assert "· all" in results.pane.foot.text
        assert any("24999" in line for line in drawn(results.pane.grid))


async def test_rows_that_come_below_the_screen_paint_nothing(refreshed: Repaints) -> None:
    app = results_app()
    async with app.run_test(size=(80, 24)) as pilot:
        results = await show_results(pilot, ("select", lambda: events_of(order, 25_000)))
        await until(pilot, lambda: "1,000 rows of more" in results.pane.foot.text)
        await still(app, pilot)
        grid = results.pane.grid
        results.run.sets[0].want(3000)
        await until(pilot, lambda: "3,000 rows of more" in results.pane.foot.text)
        await still(app, pilot)
        refreshed.clear()
        results.run.sets[0].want(9000)  # numbers of four digits, as before
        await until(pilot, lambda: "9,000 rows of more" in results.pane.foot.text)
        await still(app, pilot)
        assert refreshed == []
        assert grid.virtual_size.height == 9001


async def test_rows_that_come_on_screen_paint_their_lines_only(refreshed: Repaints) -> None:
    app = results_app()
    async with app.run_test(size=(80, 24)) as pilot:
        columns = (Column("id", "int8", Look.NUMBER), Column("name", "text"))
        rows = [(str(at), f"name {at}") for at in range(7)]
        results = await show_results(pilot, ("select", lambda: events_of(rows[:5], columns=columns)))
        await still(app, pilot)
        grid = results.pane.grid
        refreshed.clear()
        assert grid.view is not None
        grid.view.store.append(rows[5:])
        grid.grown()
        assert refreshed == [(Region(0, 6, grid.size.width, 2),)]
        assert "name 6" in drawn(grid)[7]


async def test_moving_within_a_row_costs_little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLORTERM", "truecolor")
    app = results_app(driver_class=Recorder)
    async with app.run_test(size=(140, 40), headless=False) as pilot:
        results = await show_results(pilot, ("select", lambda: events_of(order, 500)))
        await still(app, pilot)
        for key, most in (("right", 1200), ("down", 2000)):
            painted(app)
            await pilot.press(key)
            await still(app, pilot)
            assert 0 < len(painted(app).encode()) <= most, key
        painted(app)
        await still(app, pilot)
        assert painted(app) == ""
        assert results.pane.grid.position == 1


async def test_keys_lead_everywhere() -> None:
    app = results_app()
    async with app.run_test(size=(80, 24)) as pilot:
        results = await show_results(pilot, ("select", lambda: events_of(order, 100)))
        await still(app, pilot)
        grid = results.pane.grid
        page = grid.page
        for key, row, at in (
            ("down", 1, 0), ("j", 2, 0), ("k", 1, 0), ("right", 1, 1), ("l", 1, 2), ("h", 1, 1), ("ctrl+right", 1, 6),
            ("0", 1, 0), ("$", 1, 6), ("ctrl+left", 1, 0), ("pagedown", 1 + page, 0), ("G", 99, 0), ("down", 99, 0),
            ("g", 0, 0), ("end", 99, 0), ("home", 0, 0), ("left", 0, 0),
        ):  # fmt: skip
            await pilot.press(key)
            assert (grid.position, grid.column_at) == (row, at), key
            assert any(line.startswith("▌") for line in drawn(grid)), key


async def test_sorting_filtering_and_what_the_line_says_of_it() -> None:
    app = results_app()
    async with app.run_test(size=(140, 24)) as pilot:
        results = await show_results(pilot, ("select", lambda: events_of(order, 5000)))
        await until(pilot, lambda: "1,000 rows of more" in results.pane.foot.text)
        pane = results.pane
        await pilot.press("s", "s")
        await until(pilot, lambda: pane.grid.view.sort is not None and pane.grid.view.sort.descending)
        await still(app, pilot)
        assert drawn(pane.grid)[1].startswith("▌1000  999  ")
        assert "id▼" in drawn(pane.grid)[0]
        pane.foot.hush()
        assert "by id ▼ of the 1,000 fetched" in pane.foot.text
        await pilot.press("right", "=")
        await until(pilot, lambda: pane.grid.view.filters)
        await still(app, pilot)
        name = NAMES[999 % 7]
        pane.foot.hush()
        assert f"customer = {name}" in pane.foot.text
        assert all(name in line for line in drawn(pane.grid)[1:] if line.strip())
        await pilot.press("escape")
        await until(pilot, lambda: not pane.grid.view.filters)
        await pilot.press("f", *"grace", "enter")
        await until(pilot, lambda: pane.grid.view.filters)
        await still(app, pilot)
        assert all("Grace" in line for line in drawn(pane.grid)[1:] if line.strip())
        await pilot.press("f", *"> zzz", "enter", "0", "f", *"> zzz", "enter")
        await until(pilot, lambda: "is not a number" in pane.foot.text)


async def test_finding_goes_to_the_cell_and_says_when_there_is_none() -> None:
    app = results_app()
    async with app.run_test(size=(80, 24)) as pilot:
        results = await show_results(pilot, ("select", lambda: events_of(order, 500)))
        await still(app, pilot)
        pane = results.pane
        await pilot.press("slash", *"LAMPORT", "enter")
        await until(pilot, lambda: pane.grid.position == 4)
        assert pane.grid.column == 1
        await pilot.press("n")
        await until(pilot, lambda: pane.grid.position == 11)
        await pilot.press("N", "N")
        await until(pilot, lambda: pane.grid.position in (4, 494))
        await pilot.press("slash", *"nobody", "enter")
        await until(pilot, lambda: "in none of the 500 rows" in pane.foot.text)
        assert pane.grid.has_focus


async def test_ranges_are_marked_with_and_without_shift_and_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    app = results_app(driver_class=Recorder)
    async with app.run_test(size=(100, 24), headless=False) as pilot:
        results = await show_results(pilot, ("select * from shop.orders", lambda: events_of(order, 100)))
        await still(app, pilot)
        pane = results.pane
        await pilot.press("shift+down", "shift+right")
        assert pane.grid.range.size == (2, 2)
        await pilot.press("down")
        assert pane.grid.range is None
        await pilot.press("home", "0", "v", "down", "right")
        assert pane.grid.range.size == (2, 2)
        await still(app, pilot)
        assert "2 × 2 marked" in pane.foot.text
        painted(app)
        await pilot.press("y", *"csv", "enter")
        await still(app, pilot)
        found = re.search(r"\x1b\]52;c;([^\x07]*)\x07", painted(app))
        assert found is not None
        assert base64.b64decode(found[1]).decode() == "id,customer\r\n0,Ada Lovelace\r\n1,Grace Hopper"
        await pilot.press("escape")
        assert pane.grid.range is None
        await pilot.press("Y")
        assert app.clipboard == "Grace Hopper"
        await pilot.press("y", *"insert", "enter")
        await still(app, pilot)
        assert app.clipboard.startswith('INSERT INTO "shop"."orders" ("id", "customer"')
        await pilot.press("V", "G", "y", *"json", "enter")
        await still(app, pilot)
        assert app.clipboard.count("sku") == 99


async def test_columns_are_hidden_shown_widened_and_gone_to() -> None:
    wide = tuple(Column(f"c{at}", "int4", Look.NUMBER) for at in range(5000))
    app = results_app()
    async with app.run_test(size=(80, 24)) as pilot:
        results = await show_results(
            pilot, ("select", lambda: events_of([tuple(str(at) for at in range(5000))] * 3, columns=wide))
        )
        await still(app, pilot)
        grid = results.pane.grid
        assert drawn(grid)[0].rstrip().endswith("›")
        await pilot.press("o", *"c4321", "enter")
        await still(app, pilot)
        assert grid.column == 4321
        assert "4321" in drawn(grid)[1]
        assert "‹" in drawn(grid)[0]
        await pilot.press("c", *"c4321", "enter")
        await still(app, pilot)
        assert grid.column == 4322
        assert "(1 hidden)" in results.pane.foot.text
        before = grid.layout_.width(4322)
        await pilot.press("w")
        assert grid.layout_.width(4322) > before
        await pilot.press("W", "W", "W", "W", "W")
        assert grid.layout_.width(4322) == 3
        await pilot.press("c", *"show all", "enter")
        await still(app, pilot)
        assert len(grid.layout_.shown) == 5000


async def test_one_row_of_many_columns_is_a_list_by_itself_and_space_turns() -> None:
    wide = tuple(Column(f"c{at}", "int4", Look.NUMBER) for at in range(60))
    app = results_app()
    async with app.run_test(size=(80, 24)) as pilot:
        results = await show_results(
            pilot, ("select", lambda: events_of([tuple(str(at) for at in range(60))], columns=wide))
        )
        await until(pilot, lambda: results.pane.has_class("-record"))
        await still(app, pilot)
        assert " c7  7" in screen_text(app)
        await pilot.press("space")
        await still(app, pilot)
        assert not results.pane.has_class("-record")
        assert results.pane.grid.has_focus
        await pilot.press("R")
        await still(app, pilot)
        assert " c7  7" in screen_text(app)
        await pilot.press("escape")
        assert results.pane.grid.has_focus


async def test_the_row_as_a_list_follows_left_and_right() -> None:
    app = results_app()
    async with app.run_test(size=(80, 30)) as pilot:
        results = await show_results(pilot, ("select", lambda: events_of(order, 50)))
        await still(app, pilot)
        await pilot.press("space", "right", "right")
        await still(app, pilot)
        assert "Edsger Dijkstra" in screen_text(app)
        assert '"sku": "A-2"' in screen_text(app)
        assert "row 3 ·" in results.pane.foot.text


async def test_a_cell_is_shown_whole_folded_searched_and_saved(tmp_path: Path) -> None:
    app = results_app()
    async with app.run_test(size=(80, 24)) as pilot:
        results = await show_results(pilot, ("select", lambda: events_of(order, 50)))
        await still(app, pilot)
        for _ in range(4):
            await pilot.press("right")
        await pilot.press("enter")
        await still(app, pilot)
        assert isinstance(app.screen, CellView)
        assert '"sku": "A-0"' in screen_text(app)
        await pilot.press("minus", "minus")
        await still(app, pilot)
        assert "lines …" in screen_text(app)
        assert '"sku"' not in screen_text(app)
        await pilot.press("slash", *"PAID", "enter")
        await still(app, pilot)
        assert "match 1 of 1" in screen_text(app)
        await pilot.press("s", *str(tmp_path / "cell.json"), "enter")
        await still(app, pilot)
        assert (tmp_path / "cell.json").read_text() == order(0)[4]
        (tmp_path / "cell.json").write_text("mine")
        await pilot.press("s", *str(tmp_path / "cell.json"), "enter")
        await still(app, pilot)
        assert "once more replaces it" in screen_text(app)
        assert (tmp_path / "cell.json").read_text() == "mine"
        await pilot.press("enter")
        await still(app, pilot)
        assert (tmp_path / "cell.json").read_text() == order(0)[4]
        await pilot.press("y")
        assert app.clipboard == order(0)[4]
        await pilot.press("escape")
        await still(app, pilot)
        assert results.pane.grid.has_focus


async def test_an_export_asks_before_it_replaces_and_reads_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.csv").write_text("mine")
    app = results_app()
    async with app.run_test(size=(80, 24)) as pilot:
        results = await show_results(pilot, ("select * from orders", lambda: events_of(order, 5000)))
        await until(pilot, lambda: "1,000 rows of more" in results.pane.foot.text)
        await pilot.press("x")
        await still(app, pilot)
        assert "orders.csv" in screen_text(app)
        assert "the rest is read from the open cursor" in screen_text(app)
        await pilot.press("ctrl+u", *str(tmp_path / "mine.csv"), "enter")
        await still(app, pilot)
        assert "once more replaces it" in screen_text(app)
        assert (tmp_path / "mine.csv").read_text() == "mine"
        await pilot.press("ctrl+u", *str(tmp_path / "other.csv"), "down", "enter")
        await until(pilot, (tmp_path / "other.jsonl").exists)
        await until(pilot, lambda: results.pane.exports.current is None)
        await still(app, pilot)
        assert "exported 5,000 rows" in results.pane.foot.text
        assert results.pane.grid.has_focus, "the dialog does not wait for the end"
        assert len((tmp_path / "other.jsonl").read_text().splitlines()) == 5000
        results.pane.foot.hush()
        await still(app, pilot)
        assert "5,000 rows · 12 ms · all" in screen_text(app)


async def test_a_file_that_cannot_be_written_is_said_while_its_name_can_be_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    app = results_app()
    async with app.run_test(size=(80, 24)) as pilot:
        results = await show_results(pilot, ("select * from orders", lambda: events_of(order, 5)))
        await pilot.press("x", "ctrl+u", *"absent/mine.csv", "enter")
        await still(app, pilot)
        assert "cannot be written" in screen_text(app)
        assert results.pane.exports.current is None
        await pilot.press("ctrl+u", *"mine.csv", "enter")
        await until(pilot, (tmp_path / "mine.csv").exists)


async def test_errors_notices_and_two_hundred_results_in_order() -> None:
    error = ServerError('relation "x" does not exist', "42P01", position=14)
    statements: list[Any] = [(f"select {at}", lambda at=at: events_of(order, at)) for at in range(1, 201)]
    statements.append(("create table x", lambda: events(Notice("NOTICE", "already exists"), Done("CREATE", None, 0.1))))
    statements.append(("select * from x", lambda: events(error)))
    app = results_app()
    async with app.run_test(size=(80, 24)) as pilot:
        results = await show_results(pilot, *statements, first=None)
        await app.taking
        await still(app, pilot)
        assert len(results.run.sets) == 200
        assert results.chosen == 0
        assert "[messages 203 ✗]" in screen_text(app)
        await pilot.press("G")
        await still(app, pilot)
        text = screen_text(app)
        assert text.index("already exists") < text.index('relation "x" does not exist') < text.index("▲ here")
        await pilot.press("left_square_bracket")
        await still(app, pilot)
        assert results.chosen == 200
        assert "[result 200 · 200 rows]" in screen_text(app)
        await pilot.press("down", "s", "left_square_bracket")
        await still(app, pilot)
        await pilot.press("right_square_bracket")
        await still(app, pilot)
        assert results.pane.grid.view.sort is not None, "a result is as it was left"
        await pilot.press("m")
        await still(app, pilot)
        assert results.chosen == 0


async def test_hostile_cells_and_names_are_shown_and_not_interpreted() -> None:
    evil = "[red]x[/] \x1b[31m \x07\u202e\x9b2J"
    columns = (Column(evil, evil), Column("", "text"), Column("", "text"))
    app = results_app(driver_class=Recorder)
    async with app.run_test(size=(140, 12), headless=False) as pilot:
        await show_results(pilot, (f"select {evil}", lambda: events_of([(evil, "", None)], columns=columns)))
        await still(app, pilot)
        await pilot.press("space")
        await still(app, pilot)
        await pilot.press("space", "enter")
        await still(app, pilot)
        written = painted(app)
        assert "[red]x[/]" in written
        written = re.sub(r"\x1b\]22;\w+\x07", "", written)  # the pointer's shape, Textual's own
        for bad in ("\x1b[31m \x07", "\x07", "\u202e", "\x9b"):
            assert bad not in written
        assert "(no name)" in written


@pytest.mark.parametrize("size", [(60, 15), (20, 5), (3, 1)])
async def test_small_terminals_do_not_break_it(size: tuple[int, int]) -> None:
    app = results_app()
    async with app.run_test(size=(80, 24)) as pilot:
        results = await show_results(pilot, ("select", lambda: events_of(order, 500)))
        await still(app, pilot)
        await pilot.resize_terminal(*size)
        await pilot.press("down", "$", "0", "space", "right", "escape", "v", "j", "m", "m", "x")
        await pilot.pause()
        await pilot.press("escape")
        await pilot.resize_terminal(80, 24)
        await still(app, pilot)
        assert results.pane.grid.position >= 2


async def test_no_rows_are_said() -> None:
    app = results_app()
    async with app.run_test(size=(80, 24)) as pilot:
        results = await show_results(pilot, ("select", lambda: events_of([], columns=COLUMNS)))
        await still(app, pilot)
        assert "no rows" in screen_text(app)
        assert results.pane.foot.text.startswith("0 rows")
        await pilot.press("down", "enter", "y", "s", "=", "G")
        await still(app, pilot)


async def test_a_sorted_result_is_sorted_anew_when_it_is_read_to_its_end() -> None:
    app = results_app()
    async with app.run_test(size=(140, 24)) as pilot:
        results = await show_results(pilot, ("select", lambda: events_of(order, 5000)))
        pane = results.pane
        await pilot.press("s")
        await until(pilot, lambda: pane.grid.view.sort is not None)
        await pilot.press("s")
        await until(pilot, lambda: pane.grid.view.sort.descending)
        await pilot.press("G")
        await until(pilot, lambda: results.run.sets[0].state is State.ENDED and not pane.grid.view.unseen)
        await pilot.press("g")
        await still(app, pilot)
        assert drawn(pane.grid)[1].startswith("▌5000  4999 ")
        pane.foot.hush()
        assert pane.foot.text.startswith("5,000 rows · 12 ms · all · by id ▼")
        assert "fetched" not in pane.foot.text


async def test_another_run_gives_up_what_the_one_before_left_unread() -> None:
    app = results_app()
    async with app.run_test(size=(80, 24)) as pilot:
        results = await show_results(pilot, ("select", lambda: events_of(order, 5000)))
        before = results.run.sets[0]
        results.show(Run(), wire=Wire.MYSQL)
        await app.taking
        assert before.state is State.STOPPED
        await still(app, pilot)
        assert "nothing yet" in screen_text(app)


@pytest.mark.parametrize("expects", [True, False])
async def test_a_query_s_rows_have_their_place_before_they_come(expects: bool) -> None:
    app = results_app()
    async with app.run_test(size=(80, 24)) as pilot:
        results = await show_results(pilot, ("select", lambda: events_of(order, 5)))
        run, gate = Run(expects=expects), asyncio.Event()
        results.show(run, wire=Wire.MYSQL)
        await still(app, pilot)
        assert results.pane.display is expects
        assert (results.query_one(Messages).display) is not expects
        assert results.main().has_focus_within, "the focus goes along"

        async def late() -> AsyncIterator[Event]:
            await gate.wait()
            async for event in events_of(order, 3):
                yield event

        taking = asyncio.create_task(run.take("select", late()))
        gate.set()
        await taking
        await until(pilot, lambda: results.pane.result is run.sets[0])
        await still(app, pilot)
        assert results.pane.display and drawn(results.pane.grid)[1].startswith("▌")


async def test_the_first_rows_of_a_run_do_not_wait_for_a_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn_now = list[object]()
    before = OrderedKeys.draw_now

    async def noted(self: OrderedKeys, changed: Any) -> None:
        drawn_now.append(changed)
        await before(self, changed)

    monkeypatch.setattr(OrderedKeys, "draw_now", noted)
    app = results_app()
    async with app.run_test(size=(80, 24)) as pilot:
        results = await show_results(pilot, ("select", lambda: events_of(order, 5000)), first=None)
        await app.taking
        await still(app, pilot)
        assert drawn_now == [results.pane.grid]


async def test_a_query_that_is_refused_shows_the_words() -> None:
    app = results_app()
    async with app.run_test(size=(80, 24)) as pilot:
        results = await show_results(pilot, ("select", lambda: events_of(order, 5)))
        run = Run(expects=True)
        results.show(run, wire=Wire.MYSQL)
        await run.take("select x", events(ServerError("no such column", "42703")))
        await until(pilot, lambda: results.query_one(Messages).display)
        await still(app, pilot)
        assert "no such column" in screen_text(app) and not results.pane.display


@pytest.mark.parametrize(("form", "aside"), [(0, False), (2, True)])
async def test_parquet_is_made_beside_the_event_loop(
    form: int, aside: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pyarrow")
    monkeypatch.chdir(tmp_path)
    threads = set[int]()
    for made in (CsvWriter, ParquetWriter):
        before = made.rows

        def rows(self: Any, given: Any, before: Any = before) -> bytes:
            threads.add(threading.get_ident())
            return before(self, given)  # type: ignore[no-any-return]

        monkeypatch.setattr(made, "rows", rows)
    app = results_app()
    async with app.run_test(size=(80, 24)) as pilot:
        results = await show_results(pilot, ("select * from orders", lambda: events_of(order, 5000)))
        await pilot.press("x", *["down"] * form, "enter")
        await until(pilot, lambda: "exported 5,000 rows" in results.pane.foot.text)
        assert len(threads) == 1
        assert (threading.get_ident() not in threads) is aside


async def test_an_export_is_cancelled_and_nothing_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    app = results_app()
    async with app.run_test(size=(80, 24)) as pilot:
        results = await show_results(pilot, ("select * from orders", lambda: events_of(order, 10_000_000)))
        await pilot.press("x")
        await still(app, pilot)
        await pilot.press("enter")
        await until(pilot, lambda: results.run.sets[0].read > 5000)
        assert [each.name[-5:] for each in tmp_path.iterdir()] == [".part"]
        assert results.pane.grid.has_focus, "it goes on while somebody does something else"
        await pilot.press("x")
        await until(pilot, lambda: "an export is under way" in results.pane.foot.text)
        assert "rows/s → orders.csv" in "".join(text for text, _ in results.pane.exports.progress)
        await results.pane.exports.cancel()
        await until(pilot, lambda: results.run.sets[0].state is State.PAUSED)
        await still(app, pilot)
        assert list(tmp_path.iterdir()) == []
        assert "cancelled after" in results.pane.foot.text
        results.pane.foot.hush()
        await still(app, pilot)
        assert "of more" in results.pane.foot.text
        assert results.pane.grid.has_focus


async def test_an_export_ends_quietly_with_the_pane_that_it_belongs_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    app = results_app()
    async with app.run_test(size=(80, 24)) as pilot:
        results = await show_results(pilot, ("select * from orders", lambda: events_of(order, 10_000_000)))
        await pilot.press("x")
        await still(app, pilot)
        await pilot.press("enter")
        await until(pilot, lambda: results.run.sets[0].read > 5000)
        (export,) = (task for task in asyncio.all_tasks() if task.get_name() == "export")
        pane = results.pane
        await results.remove()  # as when a console is closed: the line below the grid goes before the pane does
        await until(pilot, export.done)
        assert export.exception() is None
        assert "cancelled after" in "".join(text for text, _ in pane.exports.said)
        assert list(tmp_path.iterdir()) == []
