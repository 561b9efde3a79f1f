"""The editor: what it runs, marks, completes and keeps, and what a key costs."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from looking import drawn, painted, still
from sql_editor_app import EditorApp, Still
from terminal import Recorder
from textual import events

from tui import paths
from tui.consoles.sql.editor.buffers import BufferStore, Keeper, read_file, write_file
from tui.consoles.sql.editor.document import SqlDocument
from tui.consoles.sql.editor.editing import indented, outdented, toggled_comments
from tui.consoles.sql.editor.editor import RunKind
from tui.consoles.sql.editor.statements import Statements
from tui.problem import ProblemError
from tui.screens.forwards.question import Question
from tui.services.sql import snippets
from tui.services.sql.history import Status
from tui.services.sql.language.split import piece_at
from tui.services.sql.model import Wire
from tui.widgets.rows import RowTable

PG, MY = Wire.POSTGRES, Wire.MYSQL


def marked(app: EditorApp) -> list[int]:
    """The lines, from 1, that the gutter marks as the statement at the cursor."""
    return [y + 1 for y, line in enumerate(drawn(app.editor)) if line.startswith("▎")]


# --- parts


def test_the_statement_at_any_offset_is_what_the_language_says() -> None:
    text = "select 1;select 2;  -- x\n\n\nselect\n3 ;\n;\n'a;' ; insert into t values (1)"
    statements = Statements(PG)
    statements.take(text, 0)
    for offset in range(len(text) + 1):
        assert statements.at(offset) == piece_at(text, offset, PG), offset


def test_lines_end_where_a_server_says_that_they_end() -> None:
    document = SqlDocument("a\r\nb\rc\u2028d\x0ce\n", PG)
    assert document.lines == ["a", "b", "c\u2028d\x0ce", ""]
    assert document.text == "a\nb\nc\u2028d\x0ce\n"
    document.replace_range((0, 1), (2, 1), "x\ny")
    assert document.text == "ax\ny\u2028d\x0ce\n"
    for index in range(len(document.text) + 1):
        assert document.index(document.place(index)) == index


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (["a", "  b"], ["-- a", "--   b"]),
        (["  a", "", "    b"], ["  -- a", "", "  --   b"]),
        (["-- a", "b"], ["-- -- a", "-- b"]),
        ([""], [""]),
    ],
)
def test_comments_come_and_go(before: list[str], after: list[str]) -> None:
    assert toggled_comments(before) == after
    assert toggled_comments(after) == before
    assert toggled_comments(["--a"]) == ["a"]


def test_indenting() -> None:
    assert indented(["a", "", " b"]) == ["    a", "", "     b"]
    assert outdented(["    a", "", "  b", "\tc", "     d"]) == ["a", "", "b", "c", " d"]


def test_passwords_are_not_kept() -> None:
    text = "select 'fine';\n\ncreate user x password 'hunter2';\nselect 2"
    kept, secret = Keeper(PG).keepable(text)
    assert secret
    assert "hunter2" not in kept
    assert kept == text.replace("'hunter2'", "'…'")
    assert Keeper(PG).keepable("select 'fine';") == ("select 'fine';", False)


def test_a_file_keeps_its_mode_and_a_link_stays_one(tmp_path: Path) -> None:
    file, link = tmp_path / "a.sql", tmp_path / "b.sql"
    file.write_text("x")
    file.chmod(0o640)
    link.symlink_to(file)
    assert write_file(link, "select 1") == "select 1\n"
    assert link.is_symlink()
    assert file.read_text() == "select 1\n"
    assert file.stat().st_mode & 0o777 == 0o640
    write_file(tmp_path / "new.sql", "x\n")
    assert (tmp_path / "new.sql").stat().st_mode & 0o777 == 0o600
    assert sorted(one.name for one in tmp_path.glob(".*")) == []
    (tmp_path / "bad.sql").write_bytes(b"\xff\xfe")
    for name in ("bad.sql", "nowhere.sql"):
        with pytest.raises(ProblemError, match=name):
            read_file(tmp_path / name)
    (tmp_path / "crlf.sql").write_bytes(b"\xef\xbb\xbfa\r\nb\r\n")
    assert read_file(tmp_path / "crlf.sql") == "a\nb\n"


def test_two_consoles_do_not_share_a_buffer(tmp_path: Path) -> None:
    one, other = BufferStore("w", PG, tmp_path), BufferStore("w", PG, tmp_path)
    buffer = one.new(())
    one.keep(buffer, "select 1", 3)
    assert other.load() == []
    one.release()
    (found,) = other.load()
    assert (found.text, found.cursor, found.name) == ("select 1", 3, "query 1")
    other.drop(found)
    assert other.load() == []
    assert list((tmp_path / "w").iterdir()) == []


def test_a_buffer_that_cannot_be_kept_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = BufferStore("w", PG, tmp_path / "file")
    store.keep(store.new(()), "select 1", 0)
    assert store.problem is not None
    assert "not kept" in store.problem.what


# --- running


async def test_what_is_run() -> None:
    text = "select 1;\n\nselect\n  2;\n\n"
    app = EditorApp(text)
    async with app.run_test(size=(80, 24)) as pilot:
        await still(app, pilot)
        assert marked(app) == [1]
        await pilot.press("f5", "down", "down", "down", "ctrl+j")
        await still(app, pilot)
        assert marked(app) == [3, 4]
        await pilot.press("ctrl+enter", "f6", "shift+home", "f5")
        await pilot.pause()
        told = [(one.text, one.offset, one.kind) for one in app.ran]
        statement = ("select\n  2", 11, RunKind.STATEMENT)
        assert told[:4] == [("select 1", 0, RunKind.STATEMENT), statement, statement, (text, 0, RunKind.ALL)]
        assert told[4:] == [statement]  # the cursor is at a line's beginning: nothing was selected
        await pilot.press("shift+end", "f5")
        await pilot.pause()
        last = app.ran[-1]
        assert (last.text, last.offset, last.kind) == ("  2;", 18, RunKind.SELECTION)
        assert text[last.offset :].startswith(last.text)


async def test_an_error_is_marked_until_the_next_edit() -> None:
    app = EditorApp("select 1;\nselect x\nfrom t;")
    async with app.run_test(size=(80, 24)) as pilot:
        await still(app, pilot)
        app.editor.show_error(17, 'column "x" does\nnot \x1b[31mexist')
        await still(app, pilot)
        assert drawn(app.editor)[1] == '✗ 2 select x   ✗ column "x" does not ␛[31mexist'
        await pilot.press("right")
        await still(app, pilot)
        assert "✗" in drawn(app.editor)[1]
        await pilot.press("z")
        await still(app, pilot)
        assert not any("✗" in line for line in drawn(app.editor))


# --- typing


async def test_letters_repaint_what_they_change(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = "\n".join(f"select {n}, 'text' from orders where id = {n};" for n in range(200))
    app = EditorApp(lines, driver_class=Recorder)
    async with app.run_test(size=(120, 40), headless=False) as pilot:
        await still(app, pilot)
        await pilot.press("down", "end", "1")
        await still(app, pilot)
        for key, most in (("2", 90), ("left", 100), ("down", 220), ("backspace", 140)):
            painted(app)
            await pilot.press(key)
            await still(app, pilot)
            assert len(painted(app).encode()) <= most, key
        await still(app, pilot)
        assert painted(app) == ""


async def test_enter_keeps_the_indentation_and_tab_fills_up() -> None:
    app = EditorApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(*"(", "tab", "x", ",", "enter", "y", ",", "escape", "enter", "shift+tab", "z")
        assert app.editor.text == "(   x,\n    y,\n    z".replace("    y", "y").replace("    z", "z")


async def test_lines_are_commented_and_indented_together_and_come_back() -> None:
    text = "select 1\n  from a\nwhere b"
    app = EditorApp(text)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("shift+down", "shift+down", "alt+c")
        assert app.editor.text == "-- select 1\n--   from a\nwhere b"
        await pilot.press("ctrl+underscore", "tab")
        assert app.editor.text == "    select 1\n      from a\nwhere b"
        await pilot.press("shift+tab")
        assert app.editor.text == text
        await pilot.press("ctrl+z")
        assert app.editor.text == "    select 1\n      from a\nwhere b"
        await pilot.press("ctrl+y")
        assert app.editor.text == text


async def test_brackets_in_strings_do_not_count() -> None:
    app = EditorApp("select f(')', /* ) */ (1)) -- )")
    async with app.run_test(size=(80, 24)) as pilot:
        app.editor.move_cursor((0, 8))
        await pilot.pause()
        assert app.editor.matching_bracket_location == (0, 25)


async def test_a_paste_of_ten_thousand_lines() -> None:
    app = EditorApp()
    async with app.run_test(size=(80, 24)) as pilot:
        text = "\r\n".join(f"insert into t values ({n}, 'x');" for n in range(10_000))
        app.post_message(events.Paste(text))
        await pilot.pause()
        await still(app, pilot)
        assert app.editor.sql.line_count == 10_000
        assert app.editor.text == text.replace("\r\n", "\n")
        assert app.editor.cursor_location[0] == 9_999
        for _ in range(200):
            if app.editor.sql.tokens.settled and marked(app):
                break
            await pilot.pause(0.05)
        assert len(marked(app)) == 1
        await pilot.press("ctrl+z")
        assert app.editor.text == ""


async def test_hostile_text_is_shown_and_not_interpreted() -> None:
    app = EditorApp(driver_class=Recorder)
    async with app.run_test(size=(80, 24), headless=False) as pilot:
        painted(app)
        app.editor.load_text("select '[red]x[/] \x1b[31m \x07\u202e\x9b2J'")
        await still(app, pilot)
        written = painted(app)
        for bad in ("\x1b[31m ", "\x07", "\u202e", "\x9b"):
            assert bad not in written
        assert "[red]x[/]" in drawn(app.editor)[0]


@pytest.mark.parametrize("size", [(60, 15), (20, 5), (3, 2), (1, 1)])
async def test_small_screens(size: tuple[int, int]) -> None:
    app = EditorApp("select\t数据库, 'x' from t\n" * 30)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.resize_terminal(*size)
        await pilot.press("o", "r", "down", "end", "ctrl+f", "s", "enter", "escape", "f3")
        await pilot.pause()
        await pilot.press("escape")
        await pilot.resize_terminal(140, 40)
        await still(app, pilot)
        assert "数据库" in drawn(app.editor)[3]


# --- completion


async def completed(app: EditorApp, pilot: Any, keys: str) -> list[str]:
    await pilot.press(*("space" if key == " " else "full_stop" if key == "." else key for key in keys))
    await pilot.pause()
    return [one.name for one in app.workbench.completions.candidates] if app.workbench.completions.is_open else []


async def test_completions_open_follow_and_close() -> None:
    source = Still()
    app = EditorApp(source=source)
    async with app.run_test(size=(80, 24)) as pilot:
        assert await completed(app, pilot, "select * from o") == []
        assert (await completed(app, pilot, "r"))[:2] == ["orders", "order_items"]
        assert await completed(app, pilot, "der_") == ["order_items"]
        await pilot.press("backspace")
        await pilot.pause()
        assert (await completed(app, pilot, ""))[0] == "orders"
        await pilot.press("tab")
        assert app.editor.text == "select * from orders"
        assert await completed(app, pilot, " where orders.") == ["id", "total", "customer"]
        await pilot.press("down", "down", "enter")
        assert app.editor.text == "select * from orders where orders.customer"
        assert await completed(app, pilot, " or") != []
        await pilot.press("enter")  # nobody went through the list: a line end is meant
        await pilot.pause()
        assert app.editor.text.endswith("or\n")
        assert await completed(app, pilot, "cus") != []
        await pilot.press("escape")
        assert not app.workbench.completions.is_open
        assert await completed(app, pilot, "") == []
        await pilot.press("left")
        assert app.editor.text.endswith("cus")


@pytest.mark.parametrize("line", [1, 15, 22, 40])
@pytest.mark.parametrize("size", [(80, 24), (60, 15), (30, 8)])
async def test_the_list_never_covers_what_is_typed(line: int, size: tuple[int, int]) -> None:
    app = EditorApp("\n" * 50)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        app.editor.go_to_line(line)
        await pilot.press(*"select", "space", *"or")
        await still(app, pilot)
        region, cursor = app.workbench.completions.region, app.editor.cursor_screen_offset
        assert app.workbench.completions.is_open
        assert region.height >= 1
        assert not region.y <= cursor.y < region.bottom
        assert region.x >= 0
        assert region.right <= size[0]


async def test_names_that_come_later_are_offered() -> None:
    source = Still()
    columns = source.names.columns.pop(("public", "orders"))
    app = EditorApp(source=source)
    async with app.run_test(size=(80, 24)) as pilot:
        assert await completed(app, pilot, "select * from orders o where o.") == []
        assert source.wanted[-1] == ("public", "orders")
        source.names.columns["public", "orders"] = columns
        app.workbench.completions.names_changed()
        assert [one.name for one in app.workbench.completions.candidates] == ["id", "total", "customer"]


async def test_a_statement_of_a_million_characters_does_not_hold_the_list() -> None:
    app = EditorApp()
    async with app.run_test(size=(80, 24)) as pilot:
        app.editor.put("insert into t values " + ",".join(f"({n}, 'x')" for n in range(60_000)) + " returning order")
        begin, text, cursor = app.editor.sql.around(app.editor.cursor_location)
        assert len(text) <= 10_000
        assert text[:cursor].endswith(" returning order")
        assert app.editor.sql.index(begin) + cursor == app.editor.cursor_index
        await pilot.press("_")
        await pilot.pause()
        assert "order_total" in [one.name for one in app.workbench.completions.candidates]


async def test_nothing_is_offered_in_strings_and_comments() -> None:
    app = EditorApp("select 'x' -- ")
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("end")
        assert await completed(app, pilot, "orders") == []


# --- finding


async def test_finding_goes_round() -> None:
    app = EditorApp("select a\nfrom Ab\nwhere aB = 1")
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("alt+f", "a", "b")
        assert app.editor.selected_text == "Ab"
        await pilot.press("enter")
        assert app.editor.selected_text == "aB"
        await pilot.press("down")
        assert app.editor.selected_text == "Ab"
        await pilot.press("up", "escape")
        assert app.editor.selected_text == "aB"
        assert app.focused is app.editor
        await pilot.press("ctrl+g", "2", "enter")
        assert app.editor.cursor_location == (1, 0)


# --- buffers


async def test_buffers_come_back_without_passwords() -> None:
    app = EditorApp()
    async with app.run_test(size=(80, 24)) as pilot:
        app.editor.put("alter user me password 'hunter2';")
        await pilot.press("alt+n")
        app.editor.put("select 2;")
        await pilot.press("alt+h")
        assert "hunter2" in app.editor.text
        await pilot.pause()
    folder = paths.state_dir() / "buffers"
    files = list(folder.rglob("*.json"))
    assert len(files) == 2
    for file in files:
        assert file.stat().st_mode & 0o777 == 0o600
        assert file.parent.stat().st_mode & 0o777 == 0o700
        assert "hunter2" not in file.read_text()
    assert {json.loads(file.read_text())["number"] for file in files} == {1, 2}
    again = EditorApp()
    async with again.run_test(size=(80, 24)) as pilot:
        assert again.editor.text == "alter user me password '…';"
        await pilot.press("alt+l")
        assert again.editor.text == "select 2;"


async def test_a_buffer_is_kept_while_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.consoles.sql.editor.workbench.KEEP", 0.05)
    app = EditorApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(*"select")
        for _ in range(100):
            await pilot.pause(0.02)
            if files := list((paths.state_dir() / "buffers").rglob("*.json")):
                break
        assert json.loads(files[0].read_text())["text"] == "select"


async def test_a_long_buffer_is_looked_through_beside_the_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.consoles.sql.editor.workbench.KEEP", 0.05)
    app = EditorApp()
    async with app.run_test(size=(80, 24)) as pilot:
        app.editor.put("insert into t values (1);\n" * 2000 + "alter user me password 'hunter2';")
        for _ in range(100):
            await pilot.pause(0.02)
            if files := list((paths.state_dir() / "buffers").rglob("*.json")):
                break
        kept = json.loads(files[0].read_text())
        assert kept["secret"]
        assert kept["text"].endswith("password '…';")
        await pilot.pause(0.1)
        assert app.workbench._unkept == {}


async def test_closing_asks_when_something_would_be_lost() -> None:
    app = EditorApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("alt+n", "x", "alt+w")
        await pilot.pause()
        assert isinstance(app.screen, Question)
        await pilot.press("escape")
        assert app.editor.text == "x"
        await pilot.press("alt+w")
        await pilot.pause()
        await pilot.press("enter")
        await pilot.pause()
        assert app.editor.text == ""
        assert app.workbench.buffer.name == "query 1"
        before = app.workbench.buffer.ident
        await pilot.press("alt+w")
        await pilot.pause()
        assert app.workbench.buffer.ident != before
    assert list((paths.state_dir() / "buffers").rglob("*.json")) == []


async def test_files_are_opened_and_saved(tmp_path: Path) -> None:
    file = tmp_path / "a.sql"
    file.write_text("select 1;\n")
    app = EditorApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("alt+o")
        await pilot.pause()
        await pilot.press(*str(tmp_path), "slash", "a", "tab", "enter")
        await pilot.pause()
        assert app.editor.text == "select 1;\n"
        assert app.workbench.buffer.name == "a.sql"
        await pilot.press("x", "alt+s")
        await pilot.pause()
        assert file.read_text() == "xselect 1;\n"
        file.write_text("of another\n")
        await pilot.press("y", "alt+s")
        await pilot.pause()
        assert isinstance(app.screen, Question)
        await pilot.press("escape")
        assert file.read_text() == "of another\n"


# --- history, snippets, $EDITOR


async def test_the_history_is_searched_and_hands_over() -> None:
    app = EditorApp("select 0;")
    async with app.run_test(size=(100, 30)) as pilot:
        history = app.workbench._history
        for number, status in enumerate((Status.OK, Status.ERROR, Status.LOST)):
            history.add(
                f"select {number}\nfrom t", status, datetime(2027, 1, 15, tzinfo=UTC), rows=number, seconds=0.25,
                member="orders-0", code="42P01" if status is Status.ERROR else "",
            )  # fmt: skip
        await pilot.press("f3")
        table: RowTable = app.screen.query_one(RowTable)
        for _ in range(100):
            await pilot.pause(0.02)
            if table.rows:
                break
        assert [row.cells[5] for row in table.rows] == [f"select {n} from t" for n in (2, 1, 0)]
        assert "42P01" in str(table.rows[1].cells[1])
        await pilot.press("1")
        assert len(table.rows) == 1
        await pilot.press("enter")
        await pilot.pause()
        assert app.editor.text == "select 0;\n\nselect 1\nfrom t;"
        assert app.focused is app.editor
        assert app.ran == []


@pytest.mark.parametrize(
    ("kept", "put"),
    [("select 1", "select 1;"), ("select 1; ", "select 1; "), ("select 1 -- x", "select 1 -- x\n;"),
     ("select 1 /* ; */", "select 1 /* ; */;"), ("select ';", "select ';;")],
)  # fmt: skip
async def test_what_comes_back_is_one_statement_of_its_own(kept: str, put: str) -> None:
    app = EditorApp("select 0")
    async with app.run_test(size=(80, 24)):
        app.workbench.put_statement(kept)
        assert app.editor.text == f"select 0;\n\n{put}"


async def test_a_snippet_is_kept_and_taken() -> None:
    app = EditorApp("select 7;")
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("alt+t")
        await pilot.pause()
        await pilot.press("enter")
        await pilot.pause()
        await pilot.press(*"seven", "enter")
        await pilot.pause()
        (found,), problems = snippets.read_all()
        assert (found.name, found.text, problems) == ("seven", "select 7;\n", [])
        await pilot.press("alt+t")
        await pilot.pause()
        await pilot.press("s", "e", "v", "enter")
        await pilot.pause()
        assert app.editor.text == "select 7;\n\nselect 7;"


def suspended(app: EditorApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "suspend", contextlib.nullcontext)


@pytest.mark.parametrize(("code", "text"), [(0, "select 1;\nadded"), (3, "select 1;")])
async def test_an_editor_of_ones_own(code: int, text: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "my editor"
    program.write_text(
        f'#!/bin/sh\nstat -c "%a %n" "$1" "$(dirname "$1")" > {tmp_path}/seen\necho added >> "$1"\nexit {code}\n'
    )
    program.chmod(0o700)
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", f"'{program}'")
    app = EditorApp("select 1;")
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        suspended(app, monkeypatch)
        await pilot.press("f4")
        await pilot.pause()
        assert app.editor.text == text
    modes = [line.split() for line in (tmp_path / "seen").read_text().splitlines()]
    assert [mode for mode, _ in modes] == ["600", "700"]
    assert not os.path.exists(modes[1][1])  # noqa: PTH110


PICTURES: dict[str, tuple[Callable[[], EditorApp], list[str]]] = {
    "editor": (lambda: EditorApp(SAMPLE), ["down", "down"]),
    "completing": (EditorApp, [*"select", "space", "o", "r"]),
    "finding": (lambda: EditorApp(SAMPLE), ["alt+f", "u"]),
    "closing": (lambda: EditorApp(SAMPLE), ["alt+n", "x", "alt+w"]),
}
SAMPLE = """-- What was sold
SELECT u.id, count(*) AS n, sum(total)::numeric(10,2)
FROM orders u
WHERE u.customer = 'O''Neil (x' AND u.total >= 12.50 /* net */
GROUP BY 1;

INSERT INTO users (id, city) VALUES ($1, 'Paris'), (2, NULL);
"""


@pytest.mark.parametrize("size", [(80, 24), (140, 40)], ids=["80x24", "140x40"])
@pytest.mark.parametrize("name", list(PICTURES))
def test_pictures(snap_compare: Any, name: str, size: tuple[int, int]) -> None:
    make, press = PICTURES[name]
    assert snap_compare(make(), press=press, terminal_size=size)
