"""The history of statements, and snippets: what is kept, what is not, and two programs at once."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tui.problem import ProblemError
from tui.services.sql import history as module
from tui.services.sql import snippets
from tui.services.sql.history import Entry, History, Status
from tui.services.sql.model import Wire

WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_what_is_kept_of_a_statement(tmp_path: Path) -> None:
    history = History("kind/stateful/mysql", Wire.MYSQL, tmp_path / "h")
    history.add("select\n 'ü\ud800'", Status.OK, WHEN, rows=3, seconds=0.25, member="mysql-0", database="shop")
    history.add("selekt", Status.ERROR, WHEN, code="42000/1064")
    newest, oldest = history.entries()
    assert oldest == Entry("2026-01-02T03:04:05+00:00", "select\n 'ü\ud800'", Status.OK, 3, 0.25, "mysql-0", "shop")
    assert (newest.status, newest.code, newest.rows) == (Status.ERROR, "42000/1064", None)
    assert history.problem is None
    assert stat.S_IMODE(history.file.stat().st_mode) == 0o600
    assert stat.S_IMODE(history.file.parent.stat().st_mode) == 0o700
    assert history.file.name == "kind%2Fstateful%2Fmysql.jsonl"


@pytest.mark.parametrize(
    ("wire", "statement"),
    [
        (Wire.POSTGRES, "alter role a password 'hunter2'"),
        (Wire.POSTGRES, "alter role a password hunter2"),
        (Wire.POSTGRES, "alter role a password 'hunter2"),
        (Wire.POSTGRES, "select 1; alter role a password 'hunter2' -- hunter2"),
        (Wire.POSTGRES, "insert into users (name, password) values ('a', 'hunter2')"),
        (Wire.MYSQL, "grant all on *.* to a identified by 'hunter2'"),
        (Wire.MYSQL, "change replication source to source_password = 'hunter2'"),
    ],
)
def test_no_secret_reaches_the_disk(tmp_path: Path, wire: Wire, statement: str) -> None:
    history = History("w", wire, tmp_path)
    kept = history.add(statement, Status.ERROR, WHEN, code="42601")
    assert kept.secret
    assert "hunter2" not in history.file.read_text()


def test_long_statements_are_cut_and_broken_lines_left_out(tmp_path: Path) -> None:
    history = History("w", Wire.POSTGRES, tmp_path)
    history.add("select " + "1," * 100_000, Status.OK, WHEN)
    with history.file.open("a") as file:
        file.write('{"when": "2026"\nnull\n[]\n{"when": "x", "statement": "y", "status": "new"}\n')
    history.add("select 2", Status.OK, WHEN)
    newest, cut = history.entries()
    assert newest.statement == "select 2" and cut.cut and len(cut.statement) == module.LONGEST


def test_a_file_that_grew_too_large_keeps_its_newer_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST", 4000)
    history = History("w", Wire.POSTGRES, tmp_path)
    for number in range(200):
        history.add(f"select {number}", Status.OK, WHEN)
    kept = [entry.statement for entry in history.entries()]
    assert history.file.stat().st_size <= 4000
    assert 10 < len(kept) < 200
    assert kept == [f"select {number}" for number in range(199, 199 - len(kept), -1)]
    assert stat.S_IMODE(history.file.stat().st_mode) == 0o600


def test_two_programs_at_once_lose_nothing(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib, datetime\n"
        "from tui.services.sql.history import History, Status\n"
        "from tui.services.sql.model import Wire\n"
        "h = History('w', Wire.POSTGRES, pathlib.Path(sys.argv[1]))\n"
        "for n in range(150):\n"
        "    h.add(f'select {sys.argv[2]}, {n}', Status.OK, datetime.datetime.now(datetime.UTC))\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", program, str(tmp_path), str(number)]) for number in range(3)]
    assert [one.wait(60) for one in running] == [0, 0, 0]
    lines = History("w", Wire.POSTGRES, tmp_path).file.read_text().splitlines()
    statements = {json.loads(line)["statement"] for line in lines}
    assert len(lines) == 450 and statements == {f"select {a}, {b}" for a in range(3) for b in range(150)}


def test_search_finds_all_words_newest_first_and_each_text_once(tmp_path: Path) -> None:
    history = History("w", Wire.POSTGRES, tmp_path)
    for statement in ("select * from users", "delete from users", "SELECT 1 from Users u", "select * from users"):
        history.add(statement, Status.OK, WHEN)
    assert [one.statement for one in history.search("users select")] == ["select * from users", "SELECT 1 from Users u"]
    assert history.search("nothing") == []
    assert len(history.search("", limit=2)) == 2


def test_a_history_that_cannot_be_written_is_a_problem_and_no_more(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    history = History("w", Wire.POSTGRES, tmp_path / "file" / "folder")
    history.add("select 1", Status.OK, WHEN)
    assert history.problem is not None and "folder" in history.problem.evidence
    assert list(history.entries()) == []


def test_names_of_any_length_become_files(tmp_path: Path) -> None:
    one, other = (History(f"{'ü' * 300}/{end}", Wire.POSTGRES, tmp_path) for end in "ab")
    one.add("select 1", Status.OK, WHEN)
    assert one.file != other.file and len(one.file.name) < 200 and not list(other.entries())


def test_snippets_are_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert snippets.read_all() == ([], [])
    file = snippets.save("replication lag", "-- who is behind\nselect 1;")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    (snippets.folder() / "bad.sql").write_bytes(b"\xff")
    found, problems = snippets.read_all()
    assert [(one.name, one.text, one.about) for one in found] == [
        ("replication lag", "-- who is behind\nselect 1;\n", "who is behind")
    ]
    assert "bad.sql" in problems[0].evidence
    with pytest.raises(ProblemError, match="of this name"):
        snippets.save("replication lag", "select 2")
    snippets.save("replication lag", "select 2", replace=True)
    assert snippets.read_all()[0][0].text == "select 2\n"


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a\nb", "x" * 200])
def test_a_snippet_s_name_never_leaves_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with pytest.raises(ProblemError, match="no name"):
        snippets.save(name, "select 1")
    assert not list(tmp_path.rglob("*.sql"))
