"""Results and scripts of awkward shapes, on real servers of three kinds. No statement is ever sent twice."""

from __future__ import annotations

import asyncio
import csv
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.live.real import KUBECONFIG
from tests.live.sql_pods import GOOD, LOGIN, WIRES, Certified, key, live_in, opened, run
from tui.services.sql.model import Columns, Lost, ServerError, Session, Wire
from tui.services.sql.renewing import Renewing
from tui.systems.live import Live
from tui.systems.sqlroutes import WorkloadRouter

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]
#: Markup, an escape sequence that would clear a screen, a bell, and a right-to-left override.
HOSTILE = "[red]x[/] \x1b[2J\x07 \u202egnp.exe"


@pytest.fixture(params=["pg", "maria", "mysql8"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def live(certified: Certified) -> AsyncIterator[Live]:
    async with live_in(certified.namespace) as live:
        yield live


@pytest.fixture
async def session(live: Live, name: str) -> AsyncIterator[Session]:
    session = await opened(live, name, WIRES[name], LOGIN[name], member=f"{name}-{GOOD}")
    yield session
    await session.close()


def command(certified: Certified, name: str, *words: str) -> list[str]:
    user = ["--user", "root", "--database", LOGIN[name].database, "--password-file", "/dev/null"]
    return [
        sys.executable, "-m", "tui", "--kubeconfig", KUBECONFIG, "-n", certified.namespace, "sql", name,
        "--member", f"{name}-{GOOD}", *user, *words,
    ]  # fmt: skip


def sql(certified: Certified, name: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(certified, name, *words), capture_output=True, text=True, check=False, timeout=250,
        env={**os.environ, "LC_ALL": "C.UTF-8", "XDG_CONFIG_HOME": "/nonexistent"},
    )  # fmt: skip


@pytest.fixture
def table(certified: Certified, name: str) -> Iterator[str]:
    """The name of a table of the test's own; it is gone afterwards."""
    table = f"t{time.monotonic_ns()}"
    yield table
    done = sql(certified, name, "--yes", "-e", f"DROP TABLE IF EXISTS {table}")
    assert done.returncode == 0, done.stderr


# --- columns and cells


async def test_the_widest_result(session: Session, name: str) -> None:
    most = 1664 if name == "pg" else 5000
    select = "SELECT " + ", ".join(f"{n} AS c{n}" for n in range(most))
    rows, rest = await run(session, select)
    assert rows == [tuple(map(str, range(most)))]
    assert [one.name for one in rest[0].columns] == [f"c{n}" for n in range(most)]
    if name == "pg":  # MySQL has no limit but for tables
        with pytest.raises(ServerError) as caught:
            await run(session, f"{select}, 1")
        assert caught.value.code == "54011", caught.value
    assert (await run(session, "SELECT 1"))[0] == [("1",)]


async def test_duplicate_and_empty_names(session: Session, name: str, certified: Certified) -> None:
    statement = "SELECT 1 AS a, 2 AS a, 3 AS " + ('" "' if name == "pg" else "''") + ", 4, NULL AS a"
    rows, rest = await run(session, statement)
    names = [one.name for one in rest[0].columns]
    assert rows == [("1", "2", "3", "4", None)] and names[:2] == ["a", "a"] and names[4] == "a"
    assert name == "pg" or names[2] == ""
    done = sql(certified, name, "-o", "jsonl", "-e", statement)
    row = json.loads(done.stdout)
    assert list(row.values()) == [1, 2, 3, 4, None], "a column took the place of another one of its name"


async def test_what_is_no_utf8(session: Session, live: Live, name: str, table: str) -> None:
    if name == "pg":
        database = f"ascii{table}"
        await run(session, f"CREATE DATABASE {database} TEMPLATE template0 ENCODING SQL_ASCII LOCALE 'C'")
        login = replace(LOGIN[name], database=database)
        other = await opened(live, name, Wire.POSTGRES, login, member=f"{name}-{GOOD}")
        try:
            rows, _ = await run(other, r"SELECT E'caf\xe9', 'é', '\x00ff'::bytea")
            assert rows == [("caf�", "é", b"\x00\xff")]
        finally:
            await other.close()
            await run(session, f"DROP DATABASE {database}")
        return
    await run(session, f"CREATE TABLE {table} (a VARCHAR(9) CHARACTER SET latin1, b VARBINARY(9))")
    await run(session, f"INSERT INTO {table} VALUES (_latin1 x'636166e9', x'00ffe9'), ('', '')")
    rows, _ = await run(session, f"SELECT a, b, cast(b AS CHAR) FROM {table}")
    assert rows[0][:2] == ("café", b"\x00\xff\xe9") and rows[1] == ("", b"", "")


async def test_hostile_cells_reach_programs_whole_and_no_terminal(
    session: Session, name: str, certified: Certified, tmp_path: Path
) -> None:
    encoded = HOSTILE.encode().hex()
    text = f"convert_from('\\x{encoded}', 'UTF8')" if name == "pg" else f"convert(x'{encoded}' USING utf8mb4)"
    assert (await run(session, f"SELECT {text}"))[0] == [(HOSTILE,)]
    done = sql(certified, name, "-o", "csv", "-e", f"SELECT {text} AS a")
    assert list(csv.reader(done.stdout.splitlines()))[1] == [HOSTILE]
    # At a terminal the same cell obeys nobody: `script` gives the command one.
    words = command(certified, name, "-e", f"SELECT {text} AS a")
    file = tmp_path / "typescript"
    quoted = " ".join("'" + word.replace("'", "'\\''") + "'" for word in words)
    typed = ["script", "-qec", quoted, str(file)]
    await asyncio.to_thread(subprocess.run, typed, check=True, capture_output=True, timeout=60)
    shown = file.read_text()
    assert "[red]x[/]" in shown and "\x1b[2J" not in shown and "\x07" not in shown and "\u202e" not in shown, shown


@pytest.mark.parametrize("server", ["pg", "maria"])
def test_a_cell_of_a_gigabyte(server: str, certified: Certified, tmp_path: Path) -> None:
    """What is shown is cut and says so; no file gets half a value; and memory is bounded all the while."""
    size = 1_073_741_000 if server == "pg" else 1_073_700_000
    program = "import resource, subprocess, sys; done = subprocess.run(sys.argv[1:])\n" \
              "print(done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"  # fmt: skip
    statement = f"SELECT 1 AS a, repeat('x', {size}) AS b"
    file = tmp_path / "out.csv"
    words = command(certified, server, "--out", str(file), "-o", "csv", "-e", statement)
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=False)
    code, kilobytes = map(int, done.stdout.split())
    assert code == 1 and not file.exists(), done.stderr
    assert f"Row 1, column 2: a value of {size:,} bytes would lose its end" in done.stderr
    assert "substr(column" in done.stderr and ("--psql" if server == "pg" else "--mysql") in done.stderr
    assert kilobytes < 200_000, "kilobytes; the cell is a gigabyte"


# --- many results, long scripts


async def test_two_hundred_result_sets(session: Session, name: str, table: str) -> None:
    if name == "pg":
        for number in range(200):
            assert (await run(session, f"SELECT {number}"))[0] == [(str(number),)]
        return
    await run(session, f"CREATE TABLE {table} (n INT)")
    await run(
        session, f"CREATE PROCEDURE p{table}() BEGIN DECLARE i INT DEFAULT 0; "
        f"WHILE i < 200 DO SELECT i; INSERT INTO {table} VALUES (i); SET i = i + 1; END WHILE; END",
    )  # fmt: skip
    try:
        rows, rest = await run(session, f"CALL p{table}()")
        assert rows == [(str(n),) for n in range(200)]
        assert sum(isinstance(one, Columns) for one in rest) == 200
        assert (await run(session, f"SELECT count(*), sum(n) FROM {table}"))[0] == [("200", "19900")]
    finally:
        await run(session, f"DROP PROCEDURE p{table}")


def test_a_script_of_50_megabytes_with_an_error_in_the_middle(
    certified: Certified, name: str, table: str, tmp_path: Path
) -> None:
    file = tmp_path / "long.sql"
    filler = "x" * 100_000
    with file.open("w") as script:
        script.write(f"CREATE TABLE {table} (n INT, b {'TEXT' if name == 'pg' else 'LONGTEXT'});\n")
        for number in range(500):
            if number == 250:
                script.write(f"\n\nINSERT INTO {table} VALUES (1, 'two'), (2);\n")
            script.write(f"INSERT INTO {table} VALUES ({number}, '{filler};\n--''{number}');\n")
    assert file.stat().st_size > 50_000_000
    done = sql(certified, name, "-f", str(file))
    assert done.returncode == 1
    assert f"{file}, line 504: ERROR" in done.stderr, done.stderr[:500]
    assert "251 statements were done; nothing after it was sent" in done.stderr
    counted = sql(certified, name, "-o", "csv", "-e", f"SELECT count(*), count(DISTINCT n), max(n) FROM {table}")
    assert list(csv.reader(counted.stdout.splitlines()))[1] == ["250", "250", "249"], counted.stderr


def test_copy_from_stdin_is_refused_and_its_data_are_no_statements(certified: Certified, tmp_path: Path) -> None:
    file = tmp_path / "copy.sql"
    file.write_text("COPY nowhere (a) FROM STDIN;\n1;DROP TABLE x;\n2\n\\.\nSELECT 'after';\n")
    done = sql(certified, "pg", "-f", str(file))
    assert done.returncode == 1 and f"{file}, line 1: ERROR 0A000" in done.stderr
    assert "--psql" in done.stderr and "after" not in done.stdout
    done = sql(certified, "pg", "--on-error", "continue", "-o", "csv", "-f", str(file))
    assert (done.returncode, "after" in done.stdout) == (1, True), done.stderr
    assert "1 statements were done, 1 were refused" in done.stderr


def test_what_destroys_is_held_back_without_a_screen(certified: Certified, name: str, table: str) -> None:
    done = sql(certified, name, "-e", f"CREATE TABLE {table} (a INT)", "-e", f"INSERT INTO {table} VALUES (1), (2)")
    assert done.returncode == 0, done.stderr
    for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET a = 3", f"TRUNCATE {table}", f"DROP TABLE {table}"):
        done = sql(certified, name, "-e", statement)
        assert (done.returncode, "not sent; if that is meant, say --yes" in done.stderr) == (1, True), done.stderr
    counted = sql(certified, name, "-o", "csv", "-e", f"SELECT sum(a) FROM {table}")
    assert counted.stdout.splitlines()[1] == "3"
    done = sql(certified, name, "--yes", "-e", f"DELETE FROM {table}")
    assert done.returncode == 0, done.stderr


# --- never twice


async def test_a_statement_that_was_under_way_when_its_connection_went_is_not_sent_again(
    live: Live, session: Session, name: str, table: str
) -> None:
    """It counts where no transaction takes it back: in a sequence, or in a table without transactions."""
    renewing = Renewing(
        WorkloadRouter(live, key(live, name), member=f"{name}-{GOOD}", patience=60), WIRES[name], LOGIN[name]
    )
    number = (await renewing.open()).session
    if name == "pg":
        await run(session, f"CREATE SEQUENCE s{table}")
        counting, look = f"SELECT nextval('s{table}'), pg_sleep(60)", f"SELECT last_value, is_called FROM s{table}"
        wanted, killing = [("1", "t")], f"SELECT pg_terminate_backend({number})"
    else:
        await run(session, f"CREATE TABLE {table} (n INT) ENGINE = MyISAM")
        counting, look = (
            f"INSERT INTO {table} VALUES (7), (sleep(60) + 100)",
            f"SELECT count(*) FROM {table} WHERE n = 7",
        )
        wanted, killing = [("1",)], f"KILL {number}"
    counted: asyncio.Task[Any] = asyncio.create_task(run(renewing, counting))
    busy = (
        f"SELECT count(*) FROM pg_stat_activity WHERE pid = {number} AND wait_event = 'PgSleep'" if name == "pg"
        else f"SELECT count(*) FROM information_schema.processlist WHERE id = {number} AND state = 'User sleep'"
    )  # fmt: skip
    async with asyncio.timeout(30):
        while (await run(session, busy))[0] != [("1",)]:
            await asyncio.sleep(0.05)
    await run(session, killing)
    with pytest.raises(Lost):
        await asyncio.wait_for(counted, 30)
    assert (await run(renewing, "SELECT 5"))[0] == [("5",)], "the next one opens a new session"
    assert (await run(session, look))[0] == wanted
    await renewing.close()
    if name == "pg":
        await run(session, f"DROP SEQUENCE s{table}")
