"""What is PostgreSQL's own: types as psql shows them, portals, notices, COPY, SQL_ASCII."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest
from asking import Opener, run

from tui.services.sql.model import Engine, Look, Notice, Options, Rows, ServerError, Transaction
from tui.services.sql.renewing import Renewing


async def test_facts(postgres: Opener) -> None:
    facts = (await postgres(Options(application="test"))).facts
    assert (
        facts.engine is Engine.POSTGRESQL and facts.number[0] >= 14 and facts.version.startswith(str(facts.number[0]))
    )
    assert (facts.member, facts.replica, facts.read_only) == ("db-0", False, "")
    assert (facts.user, facts.database, facts.tls) == ("root", "postgres", "off") and facts.session > 0
    other = await postgres(Options(application="statetui at work"))
    named = await run(other, f"SELECT application_name FROM pg_stat_activity WHERE pid = {other.facts.session}")
    assert named.rows == [("statetui at work",)]


VALUES = [
    ("'0044-03-15 BC'::date", "0044-03-15 BC", "date", Look.TIME),
    ("'infinity'::timestamptz", "infinity", "timestamp with time zone", Look.TIME),
    ("'1 year 2 mons 3 days'::interval", "1 year 2 mons 3 days", "interval", Look.TIME),
    ("1.50::numeric", "1.50", "numeric", Look.NUMBER),
    ("'NaN'::float8", "NaN", "double precision", Look.NUMBER),
    ("9223372036854775807", "9223372036854775807", "bigint", Look.NUMBER),
    ("true", "t", "boolean", Look.BOOLEAN),
    (r"'\xdead'::bytea", b"\xde\xad", "bytea", Look.BINARY),
    ("""'{"a": [1]}'::jsonb""", '{"a": [1]}', "jsonb", Look.JSON),
    ("ARRAY['a,b', NULL, '\"']", '{"a,b",NULL,"\\""}', "text[]", Look.ARRAY),
    ("'{{1,2},{3,4}}'::int[]", "{{1,2},{3,4}}", "integer[]", Look.ARRAY),
    ("int4range(1, 5)", "[1,5)", "int4range", Look.OTHER),
    ("int8multirange(int8range(1, 3))", "{[1,3)}", "int8multirange", Look.OTHER),
    ("ROW('2020-01-01'::date, 'x')", "(2020-01-01,x)", "record", Look.OTHER),
    ("'pg_class'::regclass", "pg_class", "regclass", Look.OTHER),
    ("'(1,2)'::point", "(1,2)", "point", Look.OTHER),
    ("B'101'", "101", "bit", Look.OTHER),
    ("'1.2.3.4/8'::inet", "1.2.3.4/8", "inet", Look.OTHER),
    ("'12:00:00+02'::timetz", "12:00:00+02", "time with time zone", Look.TIME),
    ("E'\\x1b[31m\\u202e'", "\x1b[31m\u202e", "text", Look.TEXT),
    ("NULL", None, "text", Look.TEXT),
]


async def test_values_are_shown_as_the_server_writes_them(postgres: Opener) -> None:
    session = await postgres()
    result = await run(session, "SELECT " + ", ".join(expression for expression, *_ in VALUES))
    for cell, column, (expression, shown, kind, look) in zip(
        result.rows[0], result.columns[0].columns, VALUES, strict=True
    ):
        assert (cell, column.type, column.look) == (shown, kind, look), expression


async def test_types_of_ones_own(postgres: Opener) -> None:
    session = await postgres()
    await run(session, "CREATE TYPE mood AS ENUM ('sad', 'ok')")
    await run(session, "CREATE TYPE pair AS (a int, b date)")
    await run(session, "CREATE TYPE span AS RANGE (subtype = date)")
    result = await run(
        session, "SELECT 'ok'::mood, ARRAY['sad']::mood[], ROW(1, '2020-01-01')::pair, '[2020-01-01,)'::span"
    )
    assert result.rows == [("ok", "{sad}", "(1,2020-01-01)", "[2020-01-01,)")]
    assert [column.type for column in result.columns[0].columns] == ["mood", "mood[]", "pair", "span"]
    await run(session, "BEGIN")
    assert (await run(session, "SELECT p FROM (SELECT 1 AS x) p")).rows == [("(1)",)]
    await run(session, "ROLLBACK")
    for kind in ("mood", "pair", "span"):
        await run(session, f"DROP TYPE {kind}")


async def test_a_failed_transaction_is_told_from_an_open_one(postgres: Opener) -> None:
    session = await postgres()
    await run(session, "BEGIN")
    with pytest.raises(ServerError) as caught:
        await run(session, "SELECT 1/0")
    assert caught.value.code == "22012" and session.transaction is Transaction.FAILED
    with pytest.raises(ServerError, match="aborted"):
        await run(session, "SELECT 1")
    await run(session, "ROLLBACK")
    assert session.transaction is Transaction.NONE


@pytest.mark.parametrize(
    ("statement", "points_at"),
    [("SELECT 'é' AS é, nope", "nope"), ("SELECT *\nFROM nothing", "nothing"), ("SELEC 1", "SELEC")],
)
async def test_errors_point_at_characters(postgres: Opener, statement: str, points_at: str) -> None:
    session = await postgres()
    with pytest.raises(ServerError) as caught:
        await run(session, statement)
    assert caught.value.position == statement.index(points_at)


async def test_errors_carry_detail_and_hint(postgres: Opener) -> None:
    session = await postgres()
    with pytest.raises(ServerError) as caught:
        await run(session, "DO $$BEGIN RAISE 'no' USING DETAIL = 'this', HINT = 'that', ERRCODE = 'XX123'; END$$")
    assert (caught.value.detail, caught.value.hint, caught.value.code) == ("this", "that", "XX123")


async def test_notices_come_with_their_statement(postgres: Opener) -> None:
    session = await postgres()
    result = await run(session, "DO $$BEGIN RAISE NOTICE 'here'; RAISE WARNING 'there'; END$$")
    assert [(one.severity, one.message) for one in result.notices] == [("NOTICE", "here"), ("WARNING", "there")]
    assert not (await run(session, "SELECT 1")).notices


async def test_what_cannot_run_within_a_transaction_runs(postgres: Opener) -> None:
    session = await postgres()
    await run(session, "CREATE DATABASE elsewhere")
    await run(session, "VACUUM pg_class")
    await run(session, "DROP DATABASE elsewhere")
    await run(session, "CREATE PROCEDURE commits() LANGUAGE plpgsql AS 'BEGIN COMMIT; END'")
    assert (await run(session, "CALL commits()")).done[0].tag == "CALL"
    await run(session, "DROP PROCEDURE commits")


async def test_tags_and_counts(postgres: Opener) -> None:
    session = await postgres()
    await run(session, "CREATE TABLE counted (a int)")
    for statement, tag, count in (
        ("INSERT INTO counted SELECT generate_series(1, 7)", "INSERT 0 7", 7),
        ("UPDATE counted SET a = a + 1 WHERE a > 3", "UPDATE 4", 4),
        ("INSERT INTO counted VALUES (1), (2) RETURNING a", "INSERT 0 2", 2),
        ("WITH gone AS (DELETE FROM counted RETURNING a) SELECT count(*) FROM gone", "SELECT 1", 1),
        ("TABLE counted", "SELECT 0", 0),
        ("DROP TABLE counted", "DROP TABLE", None),
        ("", "", None),
        ("-- nothing", "", None),
        ("LISTEN news", "LISTEN", None),
        ("NOTIFY news", "NOTIFY", None),
        ("SHOW server_version_num", "SHOW", 1),
    ):
        done = (await run(session, statement)).done[0]
        assert (done.tag, done.count) == (tag, count), statement


async def test_a_query_that_is_left_early_has_changed_nothing(postgres: Opener) -> None:
    session = await postgres()
    await run(session, "CREATE TABLE touched (a int)")
    await run(
        session,
        "CREATE FUNCTION touch(n int) RETURNS int LANGUAGE plpgsql "
        "AS 'BEGIN INSERT INTO touched VALUES (n); RETURN n; END'",
    )
    async with aclosing(session.run("SELECT touch(n) FROM generate_series(1, 100000) n")) as events:
        async for event in events:
            if isinstance(event, Rows):
                break
    assert (await run(session, "SELECT count(*) FROM touched")).rows == [("0",)]
    await run(session, "SELECT touch(n) FROM generate_series(1, 500) n")
    assert (await run(session, "SELECT count(*) FROM touched")).rows == [("500",)]
    await run(session, "DROP FUNCTION touch")
    await run(session, "DROP TABLE touched")


async def test_a_query_left_early_keeps_the_users_transaction(postgres: Opener) -> None:
    session = await postgres()
    await run(session, "BEGIN")
    await run(session, "CREATE TABLE mine (a int)")
    async with aclosing(session.run("SELECT generate_series(1, 100000)")) as events:
        async for event in events:
            if isinstance(event, Rows):
                break
    assert session.transaction is Transaction.OPEN
    # Its own is the only one.
    assert (await run(session, "SELECT count(*) FROM pg_cursors WHERE name LIKE 'statetui%'")).rows == [("1",)]
    await run(session, "COMMIT")
    assert (await run(session, "SELECT * FROM mine")).rows == []
    await run(session, "DROP TABLE mine")


@pytest.mark.parametrize(
    "statement", ["COPY pg_class TO STDOUT", "copy /* - */ x from\nstdin", "COPY (SELECT 1) TO stdout"]
)
async def test_copy_to_and_from_the_client_is_refused_and_says_what_to_use(postgres: Opener, statement: str) -> None:
    session = await postgres()
    with pytest.raises(ServerError) as caught:
        await run(session, statement)
    assert "psql" in caught.value.hint
    assert (await run(session, "SELECT 'copy x from stdin'")).rows == [("copy x from stdin",)]


async def test_the_end_of_a_cancelled_query_is_waited_for(postgres: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    session = await postgres()
    exchange = session._exchange  # type: ignore[attr-defined]
    end, cancelling = exchange.end, None

    async def slow(*words: object, **options: object) -> None:
        await asyncio.sleep(0.3)
        await end(*words, **options)

    monkeypatch.setattr(exchange, "end", slow)
    with pytest.raises(ServerError):
        async with aclosing(session.run("SELECT generate_series(1, 100000)")) as events:
            async for event in events:
                if isinstance(event, Rows) and cancelling is None:
                    cancelling = asyncio.create_task(session.cancel())
                    await asyncio.sleep(0.01)
    await run(session, "BEGIN")
    await asyncio.sleep(0.4)
    await run(session, "SELECT 1")
    assert session.transaction is Transaction.OPEN, "the query's ROLLBACK has ended it"
    assert cancelling is not None
    await cancelling
    await run(session, "COMMIT")


async def test_parameters_are_refused_in_words(postgres: Opener) -> None:
    session = await postgres()
    with pytest.raises(ServerError, match="parameters"):
        await run(session, "SELECT $1")
    assert (await run(session, "SELECT 1")).rows == [("1",)]


async def test_what_is_no_utf8_is_shown_with_replacement(postgres: Opener) -> None:
    admin = await postgres()
    await run(admin, "CREATE DATABASE ascii TEMPLATE template0 ENCODING 'SQL_ASCII'")
    session = await postgres(database="ascii")
    result = await run(
        session, r"SELECT 'é', convert_from('\xe9', 'SQL_ASCII'), ARRAY[convert_from('\xe941', 'SQL_ASCII')]"
    )
    assert result.rows == [("é", "�", "{�A}")]
    with pytest.raises(ServerError) as caught:
        await run(session, "SELECT 'é' AS é, nope")
    assert caught.value.position == 17
    await session.close()
    await run(admin, "DROP DATABASE ascii")


async def test_a_commit_that_was_on_its_way_is_unsure(postgres: Opener) -> None:
    session = await postgres()
    postgres.routes[-1].sever()
    session._unsure = True  # type: ignore[attr-defined] # the moment cannot be hit from outside
    lost = session._failed(ConnectionResetError(), "COMMIT", Transaction.OPEN)  # type: ignore[attr-defined]
    assert lost.unsure and lost.transaction


async def test_a_session_that_is_renewed_says_what_is_different(postgres: Opener) -> None:
    renewing = Renewing(postgres.router, postgres.wire, postgres.login())
    with pytest.raises(Exception, match="No session"):
        _ = renewing.facts
    first = await renewing.open()
    other = await postgres()
    await run(other, f"SELECT pg_terminate_backend({first.session})")
    for _ in range(50):
        if not await renewing.alive():
            break
        await run(other, "SELECT pg_sleep(0.02)")
    result = await run(renewing, "SELECT 1")
    assert result.notices[0].message == "This is a new session with db-0" and renewing.facts.session != first.session
    await renewing.close()


async def test_what_the_session_refuses_is_told_as_it_changes(postgres: Opener) -> None:
    session = await postgres()
    await run(session, "SET default_transaction_read_only = on")
    assert session.facts.read_only == "default_transaction_read_only"
    await run(session, "SET default_transaction_read_only = off")
    assert session.facts.read_only == ""


@pytest.mark.parametrize(
    "statement",
    [
        "DO $$ BEGIN RAISE NOTICE 'waiting'; PERFORM pg_advisory_lock(4711); RAISE NOTICE 'over'; END $$",
        "SELECT slow()",
    ],
    ids=["block", "query"],
)
async def test_notices_come_while_the_statement_runs(postgres: Opener, statement: str) -> None:
    holder, session = await postgres(), await postgres()
    await run(
        holder, "CREATE OR REPLACE FUNCTION slow() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'waiting'; "
        "PERFORM pg_advisory_lock(4711); RAISE NOTICE 'over'; RETURN 1; END $$"
    )  # fmt: skip
    await run(holder, "SELECT pg_advisory_lock(4711)")
    said: list[str] = []
    async with aclosing(session.run(statement)) as events, asyncio.timeout(30):
        async for event in events:
            if isinstance(event, Notice):
                said.append(event.message)
                if event.message == "waiting":  # the statement ends only when this one has been told
                    await run(holder, "SELECT pg_advisory_unlock(4711)")
    assert said == ["waiting", "over"]
    assert (await run(session, "SELECT 1")).rows == [("1",)]


async def test_a_statement_that_is_given_up_after_a_notice_ends_on_the_server(postgres: Opener) -> None:
    holder, session = await postgres(), await postgres()
    await run(holder, "SELECT pg_advisory_lock(4712)")
    block = "DO $$ BEGIN RAISE NOTICE 'waiting'; PERFORM pg_advisory_lock(4712); END $$"
    async with asyncio.timeout(30):
        async with aclosing(session.run(block)) as events:
            async for event in events:
                assert isinstance(event, Notice)
                break
        waits = "SELECT count(*)::text FROM pg_stat_activity WHERE query LIKE 'DO %4712%' AND state = 'active'"
        while (await run(holder, waits)).rows != [("0",)]:
            await asyncio.sleep(0.05)
    assert (await run(session, "SELECT 1")).rows == [("1",)]
