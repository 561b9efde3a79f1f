"""`statetui sql` without a server: its words, where statements come from, where results go, how clients are told."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tui import cli
from tui.commands import descriptors, sql_client
from tui.commands.sql_output import Narration, Output
from tui.commands.sql_run import Rules, Runner
from tui.commands.sql_statements import Script, Statement
from tui.problem import Cause, Problem, ProblemError
from tui.services.sql.gate import refusal
from tui.services.sql.language.facts import Hold
from tui.services.sql.model import (
    Column,
    Columns,
    Done,
    Engine,
    Event,
    Facts,
    Login,
    Look,
    Lost,
    Notice,
    Rows,
    ServerError,
    Tls,
    TlsMode,
    Transaction,
    Wire,
)

PLACE = Statement("SELECT 1", 1, "statement 1")
RESULT: list[Event] = [
    Columns((Column("a", "int", Look.NUMBER), Column("b", "text"))), Rows([("1", "x"), ("2", None)]),
    Done("SELECT 2", 2, 0.01),
]  # fmt: skip

# --- words


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What `sql` was called with."""
    calls: list[Any] = []
    monkeypatch.setattr("tui.commands.sql.run", lambda *arguments: calls.append(arguments) or 0)
    return calls


def test_what_sql_is_asked(asked: list[Any]) -> None:
    assert cli.main(["-n", "db", "sql", "orders", "-e", "SELECT 1", "-e", "SELECT 2", "-o", "csv", "--out", "f",
                     "--role", "replica", "--timeout", "3", "--on-error", "continue", "--read-only"]) == 0  # fmt: skip
    options, settings, request = asked[0]
    assert (options.namespace, settings.read_only) == ("db", True)
    assert (request.workload, request.execute, request.format, request.out) == (
        "orders", ("SELECT 1", "SELECT 2"), "csv", "f",
    )  # fmt: skip
    assert (request.role, request.timeout, request.stop) == ("replica", 3.0, False)
    assert cli.main(["sql", "pg", "--psql", "--member", "0", "--", "-c", "\\dt", "--", "-e"]) == 0
    request = asked[1][2]
    assert (request.client, request.arguments, request.member) == ("psql", ("-c", "\\dt", "--", "-e"), "0")
    assert cli.main(["sql", "pg", "-f", "x.sql", "--single-transaction", "--tls", "require"]) == 0
    assert (asked[2][2].file, asked[2][2].single, asked[2][2].tls) == ("x.sql", True, "require")
    assert cli.main(["sql", "pg", "--status", "-o", "json"]) == 0
    assert (asked[3][2].status, asked[3][2].format, asked[3][2].sure) == (True, "json", False)
    assert cli.main(["sql", "pg", "--yes", "-e", "DROP TABLE t"]) == 0
    assert asked[4][2].sure


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["x", "-e", "SELECT 1", "-f", "y"], "not allowed with argument"),
        (["x", "--psql", "--mysql"], "not allowed with argument"),
        (["x", "--role", "a", "--member", "1"], "not allowed with argument"),
        (["x", "--", "-c"], "those of a client: --psql or --mysql"),
        (["x", "--psql", "-o", "csv"], "-o/--output: not allowed with argument --psql"),
        (["x", "--mysql", "--single-transaction"], "not allowed with argument --mysql"),
        (["x", "--password-file", "-"], "stdin is where the statements come from"),
        (["x", "-o", "xml"], "invalid choice"),
        (["x", "--status", "-e", "SELECT 1"], "not allowed with argument"),
        (["x", "--status", "-o", "csv"], "--status is told as table or json"),
        (["x", "--status", "--member", "1"], "--member: not allowed with argument --status"),
        (["x", "--psql", "--yes"], "--yes: not allowed with argument --psql"),
        (["x", "--databse", "d"], "Did you mean --database?"),
    ],
)
def test_wrong_words(argv: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(["sql", *argv])
    assert left.value.code == 2
    assert told in capsys.readouterr().err


def test_a_password_from_stdin_leaves_statements_elsewhere(asked: list[Any]) -> None:
    assert cli.main(["sql", "x", "--password-file", "-", "-e", "SELECT 1"]) == 0
    assert asked[0][2].password_file == "-"


# --- statements


async def statements(wire: Wire, given: Sequence[str] | None, file: str = "-") -> list[Statement]:
    return [one async for one in Script(wire, given, file)]


async def test_statements_of_the_command_line() -> None:
    found = await statements(Wire.MYSQL, ["SELECT 1; SELECT ';'\\G", "SELECT\n3"])
    assert [(one.text, one.place, one.vertical) for one in found] == [
        ("SELECT 1", "-e 1", False), ("SELECT ';'", "-e 1", True), ("SELECT\n3", "-e 2, line 1", False),
    ]  # fmt: skip
    assert [one.place for one in await statements(Wire.MYSQL, ["SELECT 1; SELECT 2"])] == ["statement 1", "statement 2"]


async def test_statements_of_a_script_have_lines(tmp_path: Path) -> None:
    file = tmp_path / "x.sql"
    file.write_bytes(b"\xef\xbb\xbf-- \xe8\xa1\xa8\nSELECT 1;\n\n" + b"SELECT '" + b"x" * 200_000 + b"';\nSELECT $$;$$")
    found = await statements(Wire.POSTGRES, None, str(file))
    assert [one.place for one in found] == [f"{file}, line {line}" for line in (1, 4, 5)]
    assert len(found[1].shown) == 201


async def test_a_script_is_read_as_it_is_run(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    # Opened for both ways, so that neither end waits for the other.
    writer = os.open(fifo, os.O_RDWR)
    os.write(writer, b"SELECT 1;\nSELECT 2;\nSELECT")
    script = aiter(Script(Wire.POSTGRES, None, str(fifo)))
    async with asyncio.timeout(5):
        assert (await anext(script)).text == "SELECT 1"
        assert (await anext(script)).text == "SELECT 2"
    waiting = asyncio.ensure_future(anext(script))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    os.close(writer)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"SELECT 1;\n\\dt\n", "line 2: only a client understands \\dt"),
        (b"SELECT 1;\nSELECT '\xff';\n", "is not UTF-8"),
    ],
)
async def test_what_cannot_be_run_is_said_with_its_place(tmp_path: Path, content: bytes, told: str) -> None:
    file = tmp_path / "x.sql"
    file.write_bytes(content)
    with pytest.raises(ProblemError) as error:
        await statements(Wire.POSTGRES, None, str(file))
    assert told in error.value.problem.what
    with pytest.raises(ProblemError, match="cannot be read: No such file"):
        await statements(Wire.POSTGRES, None, str(tmp_path / "none"))


# --- the gate


@pytest.mark.parametrize(
    ("statement", "wire", "refused"),
    [
        ("SELECT 1", Wire.POSTGRES, False),
        ("EXPLAIN DELETE FROM t", Wire.POSTGRES, False),
        ("SHOW TABLES", Wire.MYSQL, False),
        ("BEGIN", Wire.POSTGRES, False),
        ("SET search_path = x", Wire.POSTGRES, False),
        ("WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x", Wire.POSTGRES, True),
        ("EXPLAIN ANALYZE DELETE FROM t", Wire.POSTGRES, True),
        ("DROP TABLE t", Wire.MYSQL, True),
        ("SET GLOBAL read_only = 0", Wire.MYSQL, True),
        ("SET SESSION TRANSACTION READ  WRITE", Wire.MYSQL, True),
        ("START TRANSACTION READ WRITE", Wire.MYSQL, True),
        ("SET default_transaction_read_only TO off", Wire.POSTGRES, True),
        ("SELECT set_config('transaction_read_only', 'off', false)", Wire.POSTGRES, True),
        ("SELECT 'read write'", Wire.POSTGRES, False),
    ],
)
def test_the_gate(statement: str, wire: Wire, refused: bool) -> None:
    assert bool(refusal(statement, wire, enforced=True)) is refused


def test_what_cannot_be_known_is_the_servers_to_refuse() -> None:
    assert not refusal("CALL p()", Wire.MYSQL, enforced=True)
    assert "cannot be known" in refusal("CALL p()", Wire.MYSQL, enforced=False)


# --- results


def names(directory: Path) -> list[str]:
    return [file.name for file in directory.iterdir()]


async def test_results_go_to_the_file_at_the_end(tmp_path: Path) -> None:
    file = tmp_path / "out.csv"
    file.write_text("before")
    output = Output("csv", str(file))
    for event in (*RESULT, *RESULT):
        await output.take(event, PLACE)
    await output.flush()
    assert file.read_text() == "before"
    await output.finish()
    assert file.read_bytes() == b"a,b\r\n1,x\r\n2,\r\n\na,b\r\n1,x\r\n2,\r\n"
    assert names(tmp_path) == ["out.csv"]
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(file.stat().st_mode) == 0o666 & ~umask
    assert output.rows == 4


async def test_half_a_file_is_taken_away(tmp_path: Path) -> None:
    file = tmp_path / "out.csv"
    file.write_text("before")
    output = Output("csv", str(file))
    for event in RESULT[:2]:
        await output.take(event, PLACE)
    await output.flush()
    assert len(names(tmp_path)) == 2
    assert output.give_up()
    assert (names(tmp_path), file.read_text()) == (["out.csv"], "before")


async def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    output = Output("csv", str(tmp_path / "none" / "out.csv"))
    with pytest.raises(ProblemError, match="cannot be written: No such file"):
        for event in RESULT:
            await output.take(event, PLACE)


async def test_what_is_no_regular_file_is_written_at_once(tmp_path: Path) -> None:
    output = Output("csv", "/dev/null")
    for event in RESULT:
        await output.take(event, PLACE)
    await output.finish()
    assert not output.give_up()


async def test_a_slow_reader_does_not_stop_the_loop() -> None:
    ours, theirs = os.pipe()
    writing = asyncio.ensure_future(descriptors.write(theirs, b"x" * 1_000_000))
    turns = 0
    while turns < 50:
        await asyncio.sleep(0.001)
        turns += 1
    assert not writing.done()
    got = bytearray()
    while len(got) < 1_000_000:
        got += await descriptors.read(ours)
    await writing
    os.close(theirs)
    assert await descriptors.read(ours) == b""
    os.close(ours)


async def test_a_reader_who_is_gone() -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    with pytest.raises(BrokenPipeError):
        await descriptors.write(theirs, b"x")
    os.close(theirs)


def test_errors_point_at_the_place(capsys: pytest.CaptureFixture[str]) -> None:
    narration = Narration()
    statement = Statement("SELECT\n  a\x1b FRM t", 3, "x.sql, line 7")
    narration.error(ServerError("syntax error\nnear FRM", "42601", position=12, hint="try"), statement, Wire.POSTGRES)
    assert capsys.readouterr().err.splitlines() == [
        "statetui: x.sql, line 7: ERROR 42601: syntax error near FRM", "    a␛ FRM t", "       ^", "  try",
    ]  # fmt: skip


def test_errors_show_no_password(capsys: pytest.CaptureFixture[str]) -> None:
    statement = Statement("ALTER USER a PASSWORD 'hunter2'", 1, "statement 1")
    Narration().error(ServerError("no", position=3), statement, Wire.POSTGRES)
    told = capsys.readouterr().err
    assert "ALTER USER a PASSWORD" in told
    assert "hunter2" not in told


def test_a_log_gets_warnings_only(capsys: pytest.CaptureFixture[str]) -> None:
    narration = Narration()
    narration.say("working")
    narration.notice(Notice("NOTICE", "it exists"))
    narration.progress(10)
    narration.done(Done("INSERT 0 1", 1, 0.1), rows=False)
    assert capsys.readouterr().err == ""
    narration.notice(Notice("WARNING", "odd\x07", "1265"))
    assert capsys.readouterr().err == "WARNING 1265: odd␇\n"


# --- running them, on a session that answers as it is told


class FakeSession:
    """Answers statements: `bad` is refused, `gone` loses the connection, `slow` waits."""

    wire = Wire.POSTGRES
    facts = Facts(Engine.POSTGRESQL, "17.2", (17, 2), "pg-0", False, "", "off", "d", "u", 1)

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.transaction = Transaction.NONE
        self.cancelled = False

    async def run(self, statement: str, *, batch: int = 1000) -> AsyncIterator[Event]:
        self.sent.append(statement)
        if statement == "bad":
            raise ServerError("refused", "42601")
        if statement == "gone":
            raise Lost(Problem(Cause.UNREACHABLE, "The pod was deleted"), transaction=True, unsure=True)
        if statement == "slow":
            await asyncio.sleep(60)
        for event in RESULT:
            yield event

    async def cancel(self) -> None:
        self.cancelled = True


async def run_all(tmp_path: Path, session: FakeSession, *given: str, **rules: Any) -> int:
    output = Output("jsonl", str(tmp_path / "out"))
    runner = Runner(session, output, Narration(), Rules(**rules))
    return await runner.run(Script(Wire.POSTGRES, given, "-"))


async def test_an_error_stops_and_says_how_many_were_done(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    session = FakeSession()
    assert await run_all(tmp_path, session, "a", "bad", "b") == 1
    assert session.sent == ["a", "bad"]
    assert "1 statement was done; nothing after it was sent" in capsys.readouterr().err


async def test_an_error_may_be_passed_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    session = FakeSession()
    assert await run_all(tmp_path, session, "a", "bad", "b", stop=False) == 1
    assert session.sent == ["a", "bad", "b"]
    assert "2 statements were done, 1 were refused" in capsys.readouterr().err
    assert len((tmp_path / "out").read_text().splitlines()) == 4


@pytest.mark.parametrize(("given", "end", "code"), [(("a", "b"), "COMMIT", 0), (("a", "bad"), "ROLLBACK", 1)])
async def test_a_single_transaction(tmp_path: Path, given: tuple[str, ...], end: str, code: int) -> None:
    session = FakeSession()
    assert await run_all(tmp_path, session, *given, single=True) == code
    assert session.sent == ["BEGIN", *given, end]


async def test_a_lost_connection_tells_what_is_not_known(tmp_path: Path) -> None:
    with pytest.raises(ProblemError) as error:
        await run_all(tmp_path, FakeSession(), "a", "gone", "b")
    evidence = error.value.problem.evidence
    assert "1 statements were done before -e 2" in evidence
    assert "whether that one was carried out is not known; it is not sent again" in evidence
    assert "the open transaction is lost" in evidence


async def test_being_ended_cancels_on_the_server(tmp_path: Path) -> None:
    session = FakeSession()
    running = asyncio.ensure_future(run_all(tmp_path, session, "slow"))
    await asyncio.sleep(0.05)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert session.cancelled


async def test_a_protected_context_sends_no_change(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    session = FakeSession()
    assert await run_all(tmp_path, session, "SELECT 1", "DROP TABLE t", protected=True) == 1
    assert session.sent == ["SELECT 1"]
    assert "DROP changes something, and this session is read-only. It was not sent" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("hold", "sent"),
    [
        (Hold.ALL, ["UPDATE t SET a = 1 WHERE a = 2"]),
        (Hold.UNCONDITIONAL, ["UPDATE t SET a = 1 WHERE a = 2", "DROP TABLE t"]),
        (Hold.OFF, ["UPDATE t SET a = 1 WHERE a = 2", "DROP TABLE t", "TRUNCATE t", "DELETE FROM t"]),
    ],
)
async def test_what_destroys_is_held_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], hold: Hold, sent: list[str]
) -> None:
    session = FakeSession()
    given = ("UPDATE t SET a = 1 WHERE a = 2", "DROP TABLE t", "TRUNCATE t", "DELETE FROM t")
    assert await run_all(tmp_path, session, *given, hold=hold, stop=False) == (hold is not Hold.OFF)
    assert session.sent == sent
    told = capsys.readouterr().err
    assert ("deletes every row of t, so it was not sent; if that is meant, say --yes" in told) is (hold is not Hold.OFF)


async def test_what_is_held_back_ends_a_script(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    session = FakeSession()
    assert await run_all(tmp_path, session, "a", "DROP TABLE t", "b", hold=Hold.ALL) == 1
    assert session.sent == ["a"]
    assert "1 statement was done; nothing after it was sent" in capsys.readouterr().err


async def test_an_open_transaction_at_the_end_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    session = FakeSession()
    session.transaction = Transaction.OPEN
    assert await run_all(tmp_path, session, "a") == 0
    assert "was not committed" in capsys.readouterr().err


# --- clients

AWKWARD = "p'w\"d\\ #;$(x) =ü"


def way(directory: Path, *, socket: bool = True, port: int = 5432) -> sql_client.Way:
    return sql_client.Way(directory, "shop-rw", directory / "s" if socket else None, port)


def test_psql_is_told_by_its_environment(tmp_path: Path) -> None:
    made = sql_client.psql(way(tmp_path), Login("u", AWKWARD, "d"), read_only=True)
    assert made.words == ("psql",)
    assert AWKWARD not in repr(made)
    assert made.variables["PGPASSWORD"] == AWKWARD
    assert (made.variables["PGHOST"], made.variables["PGPORT"]) == (str(tmp_path), "5432")
    assert made.variables["PGOPTIONS"] == "-c default_transaction_read_only=on"
    tls = Tls(TlsMode.VERIFY_FULL, "CA", "CERT", "KEY", "shop-rw")
    made = sql_client.psql(way(tmp_path, socket=False, port=1234), Login("u", "", "d", tls), read_only=False)
    assert (made.variables["PGHOST"], made.variables["PGHOSTADDR"], made.variables["PGPORT"]) == (
        "shop-rw", "127.0.0.1", "1234",
    )  # fmt: skip
    assert made.variables["PGSSLMODE"] == "verify-full"
    key = Path(made.variables["PGSSLKEY"])
    assert (key.read_text(), stat.S_IMODE(key.stat().st_mode)) == ("KEY", 0o600)


def test_a_root_certificate_for_other_servers_is_not_taken(tmp_path: Path) -> None:
    made = sql_client.psql(way(tmp_path), Login("u"), read_only=False)
    assert not Path(made.variables["PGSSLROOTCERT"]).exists()


def test_mysql_is_told_by_a_private_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / ".my.cnf").write_text("[client]\nhost=elsewhere\npassword=other\n[mysql]\nprompt=mine\n")
    made = sql_client.mysql(way(tmp_path), Login("u", AWKWARD, "d"), tls=True, read_only=True, mariadb=True)
    assert AWKWARD not in " ".join(made.words)
    file = tmp_path / "client.cnf"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert made.words == ("mysql", f"--defaults-file={file}")
    lines = file.read_text().splitlines()
    assert lines[0] == f"!include {tmp_path}/home/.my.cnf", "before ours, which win"
    assert "ssl" in lines
    assert 'init-command="SET SESSION TRANSACTION READ ONLY"' in lines


@pytest.mark.parametrize("text", [AWKWARD, "", "'", '"', "a\\nb", "#", " blank ", "a\tb", "!x", "tab\\t"])
def test_mysqls_option_files_give_back_what_was_quoted(tmp_path: Path, text: str) -> None:
    if (program := shutil.which("my_print_defaults")) is None:
        pytest.skip("no my_print_defaults")
    file = tmp_path / "x.cnf"
    file.write_text(f"[client]\nuser={sql_client.quoted(text)}\n")
    done = subprocess.run([program, f"--defaults-file={file}", "client"], capture_output=True, check=True)
    assert done.stdout.decode() == f"--user={text}\n"


@pytest.mark.parametrize(
    ("mode", "on", "mariadb", "options"),
    [
        (TlsMode.PREFER, False, True, ["skip-ssl"]),
        (TlsMode.PREFER, False, False, ["ssl-mode=DISABLED"]),
        (TlsMode.PREFER, True, True, ["ssl", "ssl-verify-server-cert=0"]),
        (TlsMode.PREFER, True, False, ["ssl-mode=REQUIRED"]),
        (TlsMode.VERIFY_FULL, True, False, ["ssl-mode=VERIFY_CA", "ssl-ca=/ca"]),
    ],
)
def test_mysqls_tls(mode: TlsMode, on: bool, mariadb: bool, options: list[str]) -> None:
    files = {"authority": Path("/ca")} if mode is TlsMode.VERIFY_FULL else {}
    assert sql_client._tls_options(Tls(mode), files, on=on, mariadb=mariadb) == options


def test_the_command_loads_no_driver() -> None:
    program = "import tui.commands.sql, sys, json; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"asyncpg", "asyncmy", "pyarrow", "textual"} & set(json.loads(done.stdout))
