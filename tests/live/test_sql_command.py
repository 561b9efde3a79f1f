"""`statetui sql` as a process on the chapter's three database workloads of the real cluster."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from real import KUBECONFIG, other

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]

NAMESPACE = "stateful"
#: Workload, the type of a key that counts by itself, and the options for a member that follows (none: CockroachDB's
#: stand-ins know nothing of one another).
WORKLOADS = [
    pytest.param("cdb", "SERIAL PRIMARY KEY", (), id="cockroachdb-shaped"),
    pytest.param("mysql", "INT AUTO_INCREMENT PRIMARY KEY", ("--member", "2"), id="mariadb"),
    pytest.param("orders", "INT AUTO_INCREMENT PRIMARY KEY", ("--role", "replica"), id="mysql-8"),
]
#: A database of our own: several may run these tests at once.
DATABASE = f"mydb_sqlcommand_{os.getpid()}"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("CONFIG", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    return tmp_path


def command(*words: str, kubeconfig: str = KUBECONFIG) -> list[str]:
    return [sys.executable, "-m", "tui", "--kubeconfig", kubeconfig, "-n", NAMESPACE, "sql", *words]


def sql(*words: str, kubeconfig: str = KUBECONFIG, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*words, kubeconfig=kubeconfig), capture_output=True, text=True, timeout=120, check=False, input=stdin
    )


def rows(workload: str, statement: str, *options: str) -> list[list[str]]:
    """The rows of a statement, without their head."""
    done = sql(workload, *options, "-o", "csv", "-e", statement)
    assert done.returncode == 0, done.stderr
    return list(csv.reader(io.StringIO(done.stdout)))[1:]


def eventually(look: Callable[[], object], wanted: object, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while (found := look()) != wanted:
        assert time.monotonic() < deadline, found
        time.sleep(0.5)


@pytest.fixture
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    """Removes the database that the test has made on the workload of its parameter."""
    workload = request.node.callspec.params["workload"]
    yield DATABASE
    done = sql(workload, "--yes", "-e", f"DROP DATABASE IF EXISTS {DATABASE}")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("workload", "key", "follower"), WORKLOADS)
def test_the_chapters_statements(workload: str, key: str, follower: tuple[str, ...], database: str) -> None:
    made = sql(workload, *members(workload), "-e", f"CREATE DATABASE {database}")
    assert (made.returncode, made.stdout) == (0, ""), made.stderr
    script = f"""
        CREATE TABLE users (id {key}, name VARCHAR(50), email VARCHAR(50));
        INSERT INTO users (name, email) VALUES ('John Doe', 'john@example.com');  -- one; not two
        INSERT INTO users (name, email) VALUES ('', NULL), ('O''Hara; "x"', 'é');
    """
    done = sql(workload, *members(workload), "--database", database, stdin=script)
    assert done.returncode == 0, done.stderr
    select = "SELECT id, name, email FROM users ORDER BY id"
    done = sql(workload, *members(workload), "--database", database, "-o", "jsonl", "-e", select)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["name"] for row in found] == ["John Doe", "", 'O\'Hara; "x"'], done.stderr
    assert [row["email"] for row in found] == ["john@example.com", None, "é"]
    if follower:
        eventually(lambda: follows(workload, select, database, follower), [row["name"] for row in found])


def members(workload: str) -> tuple[str, ...]:
    """The stand-ins for CockroachDB do not share what is in them: always the same one."""
    return ("--member", "0") if workload == "cdb" else ()


def follows(workload: str, select: str, database: str, follower: tuple[str, ...]) -> list[str]:
    done = sql(workload, *follower, "--database", database, "-o", "jsonl", "-e", select)
    return [json.loads(line)["name"] for line in done.stdout.splitlines()]


@pytest.mark.parametrize("workload", ["cdb", "orders"])
def test_an_error_in_a_script_names_line_and_statement(workload: str, tmp_path: Path) -> None:
    file = tmp_path / "x.sql"
    file.write_text("SELECT 1 AS one;\n\nSELECT 2 AS two;\nSELECT nope\nFROM nowhere_at_all;\nSELECT 3;\n")
    done = sql(workload, "-f", str(file), "-o", "jsonl")
    assert (done.returncode, done.stdout.splitlines()) == (1, ['{"one": 1}', '{"two": 2}'])
    assert f"{file}, line 4: ERROR" in done.stderr
    assert "nowhere_at_all" in done.stderr
    assert "2 statements were done; nothing after it was sent" in done.stderr


def test_a_single_transaction_is_all_or_nothing() -> None:
    table = f"t_{DATABASE}"
    done = sql("cdb", "--member", "0", "--single-transaction", "-e", f"CREATE TABLE {table} (a INT); SELEKT 1")
    assert done.returncode == 1
    assert rows("cdb", f"SELECT to_regclass('{table}') IS NULL", "--member", "0") == [["t"]], done.stderr


def test_a_read_only_session_changes_nothing() -> None:
    done = sql("cdb", "--read-only", "-e", f"CREATE TABLE t_{DATABASE} (a INT)")
    assert (done.returncode, "It was not sent" in done.stderr) == (1, True)
    # A function's doings are the server's to refuse.
    done = sql("cdb", "--read-only", "-e", f"DO $$BEGIN CREATE TABLE t_{DATABASE} (a INT); END$$")
    assert (done.returncode, "25006" in done.stderr) == (1, True), done.stderr


def test_root_does_not_write_to_a_replica_by_mistake() -> None:
    done = sql("mysql", "--role", "replica", "-e", f"CREATE DATABASE never_{DATABASE}")
    assert (done.returncode, "25006/1792" in done.stderr) == (1, True), done.stderr
    assert "follows another member" in done.stderr


def test_a_secret_that_may_not_be_read_is_named() -> None:
    done = sql("orders", "-e", "SELECT 1", kubeconfig=other("viewer"))
    assert done.returncode == 4
    assert 'cannot get resource "secrets"' in done.stderr
    assert "get secrets/orders-mysql in namespace stateful" in done.stderr


def test_a_wrong_password_file(tmp_path: Path) -> None:
    file = tmp_path / "pw"
    file.write_text("not the one\n")
    done = sql("orders", "--password-file", str(file), "-e", "SELECT 1")
    assert done.returncode == 3
    assert "Access denied for user 'root'" in done.stderr
    assert "not the one" not in done.stderr


def test_ctrl_c_ends_the_statement_on_the_server() -> None:
    mark = f"w{os.getpid()}"
    look = f"SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%sleep(299), ''{mark}%'"
    process = subprocess.Popen(
        command("cdb", "--member", "0", "-e", f"SELECT pg_sleep(299), '{mark}'"), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )  # fmt: skip
    try:
        eventually(lambda: rows("cdb", look, "--member", "0"), [["1"]])
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
    finally:
        process.kill()
        process.communicate()
    eventually(lambda: rows("cdb", look, "--member", "0"), [["0"]])


def test_many_rows_go_through_little_memory(tmp_path: Path) -> None:
    file = tmp_path / "out.csv"
    statement = "SELECT g, repeat('x', 200) FROM generate_series(1, 200000) g"
    program = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True)\n" \
              "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"  # fmt: skip
    words = command("cdb", "-o", "csv", "--out", str(file), "-e", statement)
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert file.read_bytes().count(b"\r\n") == 200_001
    assert int(done.stdout) < 150_000, "kilobytes; the rows are 41 megabytes"


@pytest.mark.parametrize(
    ("workload", "client", "arguments", "told"),
    [
        ("cdb", "psql", ("-Atc", "SELECT current_user || current_database()"), "rootdefaultdb"),
        ("orders", "mysql", ("-Ne", "SELECT current_user()"), "root@%"),
        ("mysql", "mysql", ("-Ne", "SELECT @@hostname"), "mysql-0"),
    ],
)
def test_the_ordinary_client(workload: str, client: str, arguments: tuple[str, ...], told: str) -> None:
    done = sql(workload, f"--{client}", "--", *arguments)
    assert (done.returncode, done.stdout.strip()) == (0, told), done.stderr


def test_the_clients_exit_code_is_ours_and_its_password_not_in_sight() -> None:
    done = sql("cdb", "--psql", "--", "-c", "SELEKT 1")
    assert done.returncode == 1
    # What it was started with, as everybody may read it.
    done = sql("orders", "--mysql", "--", "--execute", "system cat /proc/$PPID/cmdline")
    assert done.stdout.startswith("mysql\0--defaults-file="), done.stderr
    assert "password" not in done.stdout


def test_a_protected_client_is_read_only() -> None:
    done = sql("orders", "--mysql", "--read-only", "--", "-e", f"CREATE DATABASE never_{DATABASE}")
    assert (done.returncode, "READ ONLY transaction" in done.stderr) == (1, True), done.stderr
