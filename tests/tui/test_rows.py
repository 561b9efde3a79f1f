"""The table: what it paints, where its cursor stays, and how many bytes a change costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from looking import Repaints, drawn, painted, repaints, still
from terminal import Recorder
from textual.app import App, ComposeResult

from tui.widgets.columns import Column, fit, lay_out
from tui.widgets.ink import plain
from tui.widgets.row import Row
from tui.widgets.rows import RowTable

COLUMNS = (
    Column("name", "NAME", min_width=8),
    Column("phase", "STATUS", min_width=8, grow=1),
    Column("ready", "READY", align="right"),
    Column("node", "NODE", min_width=6, priority=2),
    Column("age", "AGE", min_width=3, align="right"),
)


class Host(App[None]):
    CSS = "RowTable { width: 100%; }"

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(**more)
        self.told: list[Any] = []

    def compose(self) -> ComposeResult:
        yield RowTable(COLUMNS, empty_text="nothing here")

    @property
    def table(self) -> RowTable:
        return self.query_one(RowTable)

    def on_row_table_highlighted(self, message: RowTable.Highlighted) -> None:
        self.told.append(("highlighted", message.key))

    def on_row_table_selected(self, message: RowTable.Selected) -> None:
        self.told.append(("selected", message.key))

    def on_row_table_header_clicked(self, message: RowTable.HeaderClicked) -> None:
        self.told.append(("header", message.column))


def row(key: str | int, phase: str = "Running", age: str = "1h") -> Row:
    return Row(f"k{key}", (f"pod-{key}", ((phase, "ready"),), "1/1", "node-1", age))


@pytest.fixture
def refreshed(monkeypatch: pytest.MonkeyPatch) -> Repaints:
    return repaints(monkeypatch, RowTable)


async def test_only_the_changed_cell_is_repainted(refreshed: Repaints) -> None:
    app = Host()
    async with app.run_test(size=(140, 40)) as pilot:
        rows = [row(n) for n in range(100)]
        app.table.set_rows(rows)
        await pilot.pause()
        refreshed.clear()
        rows[5] = row(5, age="2h")
        app.table.set_rows(rows)
        (regions,) = refreshed
        (region,) = regions
        assert region.height == 1
        assert region.y == 6
        assert region.width <= 4
        assert app.table.render_line(6).crop(region.x, region.right).text.strip() == "2h"


async def test_equal_rows_and_invisible_changes_cost_nothing(refreshed: Repaints) -> None:
    app = Host()
    async with app.run_test(size=(140, 40)) as pilot:
        rows = [row(n) for n in range(100)]
        app.table.set_rows(rows)
        await pilot.pause()
        refreshed.clear()
        app.table.set_rows([row(n) for n in range(100)])
        rows[80] = row(80, phase="Failed")
        app.table.set_rows(rows)
        assert refreshed == []
        assert app.table.rows[80].cells[1] == (("Failed", "ready"),)


async def test_one_cell_costs_at_most_300_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLORTERM", "truecolor")
    app = Host(driver_class=Recorder)
    async with app.run_test(size=(140, 40), headless=False) as pilot:
        rows = [row(n) for n in range(60)]
        app.table.set_rows(rows)
        await still(app, pilot)
        painted(app)
        rows[30] = row(30, age="2h")
        app.table.set_rows(rows)
        await still(app, pilot)
        written = painted(app)
        assert "2h" in written
        assert len(written.encode()) <= 300
        await still(app, pilot)
        assert painted(app) == ""


async def test_the_cursor_stays_on_its_row_when_others_come_and_go() -> None:
    app = Host()
    async with app.run_test(size=(80, 12)) as pilot:
        app.table.set_rows([row(n) for n in range(50)])
        app.table.move_to("k30")
        await pilot.pause()
        line = app.table.render_line
        before = next(y for y in range(12) if "pod-30 " in line(y).text)
        app.table.set_rows([row("new"), *(row(n) for n in range(50) if n not in (3, 4, 5))])
        await pilot.pause()
        assert app.table.cursor_key == "k30"
        assert "pod-30 " in app.table.render_line(before).text
        assert app.table.render_line(before).text.startswith("▌")


async def test_rows_that_are_read_on_are_found_measured_and_drawn_while_the_others_are_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = Host()
    async with app.run_test(size=(60, 12)) as pilot:
        rows = [row(at) for at in range(5)]
        app.table.set_rows(rows)
        app.table.move_to("k3")
        await pilot.pause()
        measured: list[int] = []
        widen = RowTable._widen

        def watched(self: RowTable, new: Sequence[Row], old: Sequence[Row]) -> bool:
            measured.append(len(new))
            return widen(self, new, old)

        monkeypatch.setattr(RowTable, "_widen", watched)
        app.table.set_rows([*rows, row(5), row(6, "CrashLoopBackOff")])
        assert measured == [2], "only what is new is measured"
        assert app.table.cursor_key == "k3"
        assert app.table.move_to("k6")
        await pilot.pause()
        assert "CrashLoopBackOff" in drawn(app.table)[7], "and the column grows for it"
        app.table.set_rows([rows[0], row(7), *rows[2:]])
        assert not app.table.move_to("k6") and not app.table.move_to("k1")
        assert app.table.move_to("k7") and app.table.move_to("k4")
        measured.clear()
        app.table.set_rows([*app.table.rows[:3], row(3, "Failed"), app.table.rows[4]])
        assert measured == [1]


async def test_a_vanished_row_hands_the_cursor_to_its_place_and_tells() -> None:
    app = Host()
    async with app.run_test(size=(80, 12)) as pilot:
        app.table.set_rows([row(n) for n in range(5)])
        app.table.move_to("k2")
        await pilot.pause()
        app.told.clear()
        app.table.set_rows([row(n) for n in (0, 1, 3, 4)])
        await pilot.pause()
        assert app.table.cursor_key == "k3"
        assert app.told == [("highlighted", "k3")]
        app.table.set_rows([row(0)])
        assert app.table.cursor_key == "k0"
        app.table.set_rows([])
        await pilot.pause()
        assert app.table.cursor_key is None
        assert app.told[-1] == ("highlighted", None)
        assert drawn(app.table)[1].strip() == "nothing here"
        app.table.set_rows([row(7)])
        assert app.table.cursor_key == "k7"


async def test_keys_move_the_cursor() -> None:
    app = Host()
    async with app.run_test(size=(80, 12)) as pilot:
        table = app.table
        table.set_rows([row(n) for n in range(100)])
        table.focus()
        for key, expected in (
            ("down", 1), ("j", 2), ("k", 1), ("up", 0), ("up", 0), ("pagedown", 11), ("pagedown", 22), ("pageup", 11),
            ("G", 99), ("down", 99), ("g", 0), ("end", 99), ("home", 0),
        ):  # fmt: skip
            await pilot.press(key)
            assert table.cursor_key == f"k{expected}", key
            assert any(line.startswith("▌") for line in drawn(table)), key
        await pilot.press("enter")
        assert app.told[-1] == ("selected", "k0")


async def test_ten_thousand_rows_are_never_drawn_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    original = RowTable.render_line
    monkeypatch.setattr(RowTable, "render_line", lambda self, y: (asked.append(y), original(self, y))[1])
    app = Host()
    async with app.run_test(size=(140, 40)) as pilot:
        app.table.set_rows([row(n) for n in range(10_000)])
        await pilot.pause()
        app.table.focus()
        await pilot.press("G")
        assert "pod-9999" in "".join(drawn(app.table))
        assert max(asked) < 40
        assert len(asked) < 400


async def test_clicks_select_rows_and_name_columns() -> None:
    app = Host()
    async with app.run_test(size=(80, 12)) as pilot:
        app.table.set_rows([row(n) for n in range(5)])
        await pilot.pause()
        await pilot.click(RowTable, offset=(3, 3))
        assert app.table.cursor_key == "k2"
        assert ("selected", "k2") not in app.told
        await pilot.click(RowTable, offset=(3, 3))
        assert app.told[-1] == ("selected", "k2")
        await pilot.click(RowTable, offset=(2, 0))
        assert app.told[-1] == ("header", "name")
        told = len(app.told)
        await pilot.click(RowTable, offset=(3, 10))
        assert len(app.told) == told


async def test_the_header_shows_how_the_rows_are_sorted() -> None:
    app = Host()
    async with app.run_test(size=(80, 12)) as pilot:
        app.table.set_rows([row(1)])
        app.table.show_sort("name", descending=True)
        await pilot.pause()
        assert "NAME▼" in drawn(app.table)[0]
        app.table.show_sort("age")
        assert "AGE▲" in drawn(app.table)[0]
        assert "NAME▼" not in drawn(app.table)[0]


async def test_hostile_text_is_shown_and_not_interpreted() -> None:
    app = Host(driver_class=Recorder)
    async with app.run_test(size=(140, 12), headless=False) as pilot:
        painted(app)
        evil = "[red]x[/] \x1b[31m \x07\u202e\x9b2J"
        app.table.set_rows([Row("k", (evil, ((evil, "ready"),), "", evil, "1h"))])
        await pilot.pause()
        written = painted(app)
        assert "[red]x[/]" in written
        for bad in ("\x1b[31m \x07", "\x07", "\u202e", "\x9b"):
            assert bad not in written


async def test_no_link_or_hover_repaints(refreshed: Repaints) -> None:
    app = Host()
    async with app.run_test(size=(80, 12)) as pilot:
        app.table.set_rows([row(n) for n in range(5)])
        await pilot.pause()
        refreshed.clear()
        for y in range(1, 6):
            await pilot.hover(RowTable, offset=(3, y))
        assert refreshed == []
        assert app.table.auto_links is False


async def test_resizing_to_nothing_and_back() -> None:
    app = Host()
    async with app.run_test(size=(80, 12)) as pilot:
        app.table.set_rows([row(n) for n in range(50)])
        app.table.move_to("k40")
        for size in ((20, 5), (3, 1), (1, 1), (140, 40), (80, 12)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            drawn(app.table)
        assert app.table.cursor_key == "k40"
        assert any("pod-40" in line and line.startswith("▌") for line in drawn(app.table))


def test_columns_of_low_priority_go_first_and_the_rest_keeps_what_it_needs() -> None:
    natural = [30, 20, 6, 10, 4]
    wide = lay_out(COLUMNS, natural, 140, margin=1, gap=2)
    assert [place.index for place in wide] == [0, 1, 2, 3, 4]
    assert wide[-1].x + wide[-1].width <= 140
    narrow = lay_out(COLUMNS, natural, 60, margin=1, gap=1)
    assert [place.index for place in narrow] == [0, 1, 2, 4]
    assert narrow[0].width == 30
    tiny = lay_out(COLUMNS, natural, 12, margin=1, gap=1)
    assert all(place.x + place.width <= 12 for place in tiny)


def test_an_optional_column_appears_with_its_first_cell() -> None:
    columns = (Column("a", "A"), Column("b", "BBBB", optional=True))
    assert [place.index for place in lay_out(columns, [4, columns[1].title_width], 40, margin=1, gap=1)] == [0]
    assert [place.index for place in lay_out(columns, [4, 5], 40, margin=1, gap=1)] == [0, 1]


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("abcdef", 4, "abc…"),
        ("abc", 4, "abc "),
        ("数据库库", 5, "数据…"),
        ("数据库", 4, "数 …"),
        ("x", 0, ""),
        ("xyz", 1, "…"),
    ],
)
def test_cells_fit_exactly(text: str, width: int, expected: str) -> None:
    assert plain(tuple(fit(text, width))) == expected


def test_the_end_of_a_name_can_be_what_stays() -> None:
    assert plain(tuple(fit((("pod/", "dim"), ("cockroachdb-0", "")), 8, keep="end"))) == "…achdb-0"


async def test_the_cursor_is_readable_in_the_terminals_own_colours() -> None:
    app = Host()
    app.theme = "ansi-dark"
    async with app.run_test(size=(80, 12)) as pilot:
        app.table.set_rows([row(1), row(2)])
        app.table.focus()
        await still(app, pilot)
        assert all(segment.style.reverse for segment in app.table.render_line(1) if segment.style)
        colors = {segment.style.color for segment in app.table.render_line(1) if segment.style}
        assert all(color is None or color.is_default for color in colors), (
            "no ink on a ground that it may not be seen on"
        )
        assert not any(segment.style.reverse for segment in app.table.render_line(2) if segment.style)
