"""What sessions must know of a statement's text, and of servers' words."""

from __future__ import annotations

import pytest

from tui.services.sql import words
from tui.services.sql.model import Engine, Wire
from tui.services.sql.mysql_errors import position
from tui.services.sql.mysql_login import engine_of as mysql_engine
from tui.services.sql.postgres_login import engine_of, numbers

PG, MY = Wire.POSTGRES, Wire.MYSQL


@pytest.mark.parametrize(
    ("statement", "wire", "first"),
    [
        ("SELECT 1", PG, "select"),
        ("  -- DELETE\n/* DROP /* nested */ x */ ((select 1))", PG, "select"),
        ("$$ drop $$ x", PG, "x"),
        ("# DROP\nSELECT 1", MY, "select"),
        ("--no comment", MY, "no"),
        ("/*! DROP */ TABLE x", MY, "drop"),
        ("`select` update", MY, "update"),
        ("", PG, ""),
        ("'select'", PG, ""),
    ],
)
def test_the_first_word(statement, wire, first):
    assert words.first_word(statement, wire) == first


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x", True),
        ("WITH x AS (SELECT 'delete from t') SELECT * FROM x", False),
        ('WITH x AS (SELECT "delete") SELECT $q$ delete $q$ FROM x -- delete', False),
        (r"WITH x AS (SELECT E'\' delete') SELECT 1", False),
    ],
)
def test_words_are_found_outside_of_strings_and_comments(statement, found):
    assert words.has_word(statement, PG, frozenset(("delete",))) is found


@pytest.mark.parametrize(
    ("statement", "wire", "may"),
    [
        ("COMMIT", PG, True), ("end", PG, True), ("PREPARE TRANSACTION 'x'", PG, True),
        ("PREPARE x AS SELECT 1", PG, False),
        ("INSERT INTO t VALUES (1)", PG, False), ("DROP TABLE t", PG, False), ("", PG, False),
        ("DROP TABLE t", MY, True), ("COMMIT", MY, True), ("INSERT INTO t VALUES (1)", MY, False),
        ("ROLLBACK", MY, False),
        ("CALL p()", MY, True),
    ],
)  # fmt: skip
def test_what_may_have_made_a_transaction_permanent(statement, wire, may):
    assert words.may_commit(statement, wire) is may


@pytest.mark.parametrize(
    ("statement", "stream"),
    [
        ("COPY t FROM STDIN", True),
        ("copy (SELECT 1) to /* x */ stdout", True),
        ("COPY t FROM '/tmp/stdin'", False),
        ("COPY t TO PROGRAM 'cat > stdout'", False),
        ("SELECT 'COPY t FROM STDIN'", False),
        ("COPY \"from stdin\" TO '/tmp/x'", False),
    ],
)
def test_copies_of_the_client(statement, stream):
    assert words.copies_stream(statement) is stream


@pytest.mark.parametrize(
    ("statement", "wire", "leaves"),
    [
        ("SET default_transaction_read_only = off", PG, True),
        ("set session characteristics as transaction READ\n WRITE", PG, True),
        ("BEGIN READ /* - */ WRITE", PG, True),
        ("SELECT set_config('default_transaction_read_only', 'off', false)", PG, True),
        ("RESET ALL", PG, True),
        ("DISCARD ALL", PG, True),
        ("SHOW transaction_read_only", PG, False),
        ("SELECT current_setting('transaction_read_only')", PG, False),
        ("SELECT 'read write'", PG, False),
        ("BEGIN READ ONLY", PG, False),
        ("SET @@session.transaction_read_only = 0", MY, True),
        ("START TRANSACTION READ WRITE", MY, True),
        ("SELECT @@transaction_read_only", MY, False),
    ],
)
def test_what_would_take_back_that_a_session_is_read_only(statement, wire, leaves):
    assert words.leaves_read_only(statement, wire) is leaves


@pytest.mark.parametrize(
    ("said", "statement", "at"),
    [
        ("syntax to use near 'wher x=1' at line 2", "SELECT *\nFROM t wher x=1", 16),
        ("syntax to use near '' at line 1", "SELECT * FROM ; ", 13),
        ("syntax to use near 'x' at line 1", "SELECT x y x", 11),
        ("syntax to use near 'a,a,' at line 1", "SELECT a,a,a,a,b", None),
        ("syntax to use near ''x' FRM' at line 1", "SELECT 'x' FRM t", 7),
        ("syntax to use near 'z' at line 1", "SELECT 1", None),
        ("syntax to use near 'a' at line 9", "SELECT a", None),
        ("Table 'x' doesn't exist", "SELECT * FROM x", None),
    ],
)
def test_where_a_syntax_error_of_mysqls_points(said, statement, at):
    assert position(f"You have an error; check the manual for the right {said}", statement) == at


@pytest.mark.parametrize(
    ("said", "engine", "version"),
    [
        ("PostgreSQL 17.2 (Debian 17.2-1) on x86_64, compiled by gcc", Engine.POSTGRESQL, "17.2"),
        ("PostgreSQL 18beta1 on x86_64", Engine.POSTGRESQL, "18beta1"),
        ("CockroachDB CCL v24.3.0 (x86_64-pc-linux-gnu, built 2024/11/14)", Engine.COCKROACHDB, "24.3.0"),
        ("PostgreSQL 15.12-YB-2025.1.0.0-b0 on x86_64", Engine.YUGABYTEDB, "2025.1.0.0"),
    ],
)
def test_engines_of_postgresqls_protocol(said, engine, version):
    assert engine_of(said) == (engine, version)


@pytest.mark.parametrize(
    ("version", "comment", "engine", "shown"),
    [
        ("8.0.12", "MySQL Community Server - GPL", Engine.MYSQL, "8.0.12"),
        ("26.7.0", "MySQL", Engine.MYSQL, "26.7.0"),
        ("5.5.5-10.6.4-MariaDB", "", Engine.MARIADB, "10.6.4"),
        ("11.8.9-MariaDB-deb13-log", "Debian", Engine.MARIADB, "11.8.9"),
        ("10.11.2", "MariaDB Server", Engine.MARIADB, "10.11.2"),
        ("8.0.30-Vitess", "Version: 19.0", Engine.VITESS, "8.0.30"),
    ],
)
def test_engines_of_mysqls_protocol(version, comment, engine, shown):
    assert mysql_engine(version, comment) == (engine, shown)


def test_versions_as_numbers():
    assert numbers("17.2") == (17, 2) and numbers("18beta1") == (18,) and numbers("") == ()
