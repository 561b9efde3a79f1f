"""What is MySQL's protocol's own, on a MariaDB: result sets, warnings, types, positions, one statement at a time."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest
from asking import Opener, run

from tui.services.sql.connect import open_session
from tui.services.sql.model import Engine, Login, Look, Lost, Rows, ServerError, Transaction, Wire


async def test_facts(mariadb: Opener) -> None:
    session = await mariadb()
    facts = session.facts
    assert facts.engine is Engine.MARIADB and facts.number >= (10, 5)
    assert (facts.member, facts.replica, facts.read_only, facts.tls) == ("db-0", False, "", "off")
    assert (facts.user, facts.database) == ("root@127.0.0.1", "test")
    await run(session, "USE mysql")
    assert session.facts.database == "mysql"
    await run(session, "SET GLOBAL read_only = ON")
    try:
        assert "read_only" in (await mariadb()).facts.read_only
    finally:
        await run(session, "SET GLOBAL read_only = OFF")


VALUES = [
    ("CAST('0000-00-00' AS date)", "0000-00-00", "date", Look.TIME),
    ("TIME '-100:00:00'", "-100:00:00", "time", Look.TIME),
    ("1.50", "1.50", "decimal", Look.NUMBER),
    ("18446744073709551615", "18446744073709551615", "bigint unsigned", Look.NUMBER),
    ("x'dead'", b"\xde\xad", "varbinary", Look.BINARY),
    ("'é😀'", "é😀", "varchar", Look.TEXT),
    ("NULL", None, "null", Look.OTHER),
    ("TIMESTAMP '2020-01-01 00:00:00.123456'", "2020-01-01 00:00:00.123456", "datetime", Look.TIME),
]


async def test_values_are_shown_as_the_server_writes_them(mariadb: Opener) -> None:
    session = await mariadb()
    result = await run(session, "SELECT " + ", ".join(expression for expression, *_ in VALUES))
    for cell, column, (expression, shown, kind, look) in zip(
        result.rows[0], result.columns[0].columns, VALUES, strict=True
    ):
        assert (cell, column.type, column.look) == (shown, kind, look), expression


async def test_columns_of_tables(mariadb: Opener) -> None:
    session = await mariadb()
    await run(
        session,
        "CREATE TABLE kinds (e ENUM('a'), s SET('x', 'y'), b BLOB, t LONGTEXT, bt BIT(8), `` INT)".replace(
            "``", "`n ``1`"
        ),
    )
    await run(session, "INSERT INTO kinds VALUES ('a', 'x,y', x'00', 'é', b'1010', 1)")
    result = await run(session, "SELECT * FROM kinds")
    assert result.rows == [("a", "x,y", b"\x00", "é", b"\n", "1")]
    assert [column.type for column in result.columns[0].columns] == ["enum", "set", "blob", "text", "bit", "int"]
    assert result.columns[0].columns[-1].name == "n `1"
    await run(session, "DROP TABLE kinds")


async def test_several_result_sets_of_a_procedure(mariadb: Opener) -> None:
    session = await mariadb()
    await run(session, "CREATE PROCEDURE two() BEGIN SELECT 1 AS a; SELECT 2 AS b, 3 AS c; END")
    result = await run(session, "CALL two()")
    assert result.rows == [("1",), ("2", "3")] and len(result.columns) == 2
    assert [done.count for done in result.done] == [1, 1, 0]
    await run(session, "CREATE PROCEDURE fails() BEGIN SELECT 1; SELECT * FROM nope; END")
    with pytest.raises(ServerError, match="nope"):
        await run(session, "CALL fails()")
    await run(
        session,
        "CREATE PROCEDURE many() BEGIN DECLARE i INT DEFAULT 0; "
        "WHILE i < 200 DO SELECT i; SET i = i + 1; END WHILE; END",
    )
    assert len((await run(session, "CALL many()")).columns) == 200
    for name in ("two", "fails", "many"):
        await run(session, f"DROP PROCEDURE {name}")


async def test_warnings_follow_their_statement(mariadb: Opener) -> None:
    session = await mariadb()
    result = await run(session, "SELECT CAST('abc' AS int)")
    assert result.notices[0].severity == "WARNING" and "abc" in result.notices[0].message
    assert not (await run(session, "SELECT 1")).notices


async def test_only_one_statement_is_sent(mariadb: Opener) -> None:
    session = await mariadb()
    await run(session, "CREATE TABLE kept (a int)")
    with pytest.raises(ServerError):
        await run(session, "SELECT 1; DROP TABLE kept")
    assert (await run(session, "SELECT * FROM kept;")).rows == []
    await run(session, "DROP TABLE kept")


@pytest.mark.parametrize(
    ("statement", "at"),
    [("SELEC 1", 0), ("SELECT *\nFROM t wher x = 1", 21), ("SELECT 'é' FRM t", 15), ("SELECT * FROM t WHERE", 21)],
)
async def test_errors_point_at_characters(mariadb: Opener, statement: str, at: int) -> None:
    session = await mariadb()
    with pytest.raises(ServerError) as caught:
        await run(session, statement)
    assert caught.value.position == at and caught.value.code == "42000/1064"


async def test_autocommit_off_opens_transactions_by_reading(mariadb: Opener) -> None:
    session = await mariadb()
    await run(session, "SET autocommit = 0")
    assert session.transaction is Transaction.NONE
    await run(session, "SELECT * FROM mysql.user")
    assert session.transaction is Transaction.OPEN, "the flags at the end of the rows say so"
    await run(session, "COMMIT")
    assert session.transaction is Transaction.NONE


async def test_changes_are_counted(mariadb: Opener) -> None:
    session = await mariadb()
    await run(session, "CREATE TABLE counted (a int)")
    assert (await run(session, "INSERT INTO counted VALUES (1), (2), (3)")).done[0].count == 3
    updated = (await run(session, "UPDATE counted SET a = 9 WHERE a > 1")).done[0]
    assert updated.count == 2 and updated.tag == "Query OK, Rows matched: 2  Changed: 2  Warnings: 0"
    await run(session, "DROP TABLE counted")


async def test_a_cancellation_that_comes_late_does_not_end_the_next_statement(mariadb: Opener) -> None:
    session = await mariadb()
    await run(session, "SELECT 1")
    session._running = True  # type: ignore[attr-defined] # as if the answer had come while KILL was on its way
    await session.cancel()
    session._running = False  # type: ignore[attr-defined]
    for number in range(5):
        assert (await run(session, f"SELECT {number}")).rows == [(str(number),)]


async def test_a_server_that_asks_for_a_file_gets_none(mariadb: Opener) -> None:
    session = await mariadb()
    with pytest.raises(ServerError):
        await run(session, "LOAD DATA LOCAL INFILE '/etc/hostname' INTO TABLE mysql.user")
    assert (await run(session, "SELECT 1")).rows == [("1",)]


class Hostile:
    """Stands before a server, and answers a statement with the wish for a file."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.got = b""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind, ahead = await asyncio.open_connection("127.0.0.1", self.port)

        async def back() -> None:
            while data := await behind.read(65536):
                writer.write(data)

        task = asyncio.create_task(back())
        try:
            while data := await reader.read(65536):
                if b"SELECT 'bait'" in data:
                    wish = b"\xfb/etc/hostname"
                    writer.write(len(wish).to_bytes(3, "little") + b"\x01" + wish)
                    self.got = await reader.read(65536)
                    return
                ahead.write(data)
        finally:
            task.cancel()
            ahead.close()
            writer.close()


async def test_a_hostile_server_gets_no_file(mariadb: Opener, mariadb_port: int) -> None:
    hostile = Hostile(mariadb_port)
    server = await asyncio.start_server(hostile.serve, "127.0.0.1", 0)
    opener = Opener(Wire.MYSQL, server.sockets[0].getsockname()[1])
    session = await open_session(await opener.router(), Wire.MYSQL, Login("root", "secret", "test"))
    with pytest.raises(Lost) as caught:
        await run(session, "SELECT 'bait'")
    assert "LOAD DATA LOCAL" in caught.value.problem.evidence
    await asyncio.sleep(0.1)
    assert hostile.got == b""
    await session.close()
    server.close()


async def test_a_reader_that_goes_on_does_not_hold_up_the_cancellation(mariadb: Opener) -> None:
    session = await mariadb()
    cancelling = None
    async with asyncio.timeout(20):
        with pytest.raises(ServerError):
            async with aclosing(session.run("SELECT seq, repeat('x', 100) FROM seq_1_to_1000000", batch=10)) as events:
                async for event in events:
                    if cancelling is None and isinstance(event, Rows):
                        cancelling = asyncio.create_task(session.cancel())
                    await asyncio.sleep(0.001)  # rows that came before are still handed out, a few at a time
        assert cancelling is not None
        await cancelling
    assert (await run(session, "SELECT 1")).rows == [("1",)]


async def test_whether_it_takes_writes_is_asked_again_after_what_may_change_it(mariadb: Opener) -> None:
    root = await mariadb()
    await run(root, "CREATE OR REPLACE USER shopper@'%' IDENTIFIED BY 'pw'")
    await run(root, "GRANT ALL ON test.* TO shopper@'%'")
    shopper = await mariadb(user="shopper", password="pw")
    await run(shopper, "CREATE OR REPLACE TABLE turned (a int)")
    try:
        await run(root, "SET GLOBAL read_only = ON")
        assert "read_only" in root.facts.read_only
        assert shopper.facts.read_only == "", "nobody has told it yet"
        with pytest.raises(ServerError, match=r"read.only"):
            await run(shopper, "INSERT INTO turned VALUES (1)")
        assert "read_only" in shopper.facts.read_only, "the refusal has"
        await run(root, "SET GLOBAL read_only = OFF")
        assert root.facts.read_only == ""
        await run(shopper, "SET SESSION TRANSACTION READ ONLY")
        assert shopper.facts.read_only in ("transaction_read_only", "tx_read_only")
        with pytest.raises(ServerError, match="READ ONLY"):
            await run(shopper, "INSERT INTO turned VALUES (2)")
        await run(shopper, "SET SESSION TRANSACTION READ WRITE")
        assert shopper.facts.read_only == ""
    finally:
        await run(root, "SET GLOBAL read_only = OFF")
        await run(root, "DROP USER shopper@'%'")
