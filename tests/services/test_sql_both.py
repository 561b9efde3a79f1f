"""What sessions of both protocols promise, on a real server of each."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing

import pytest
from asking import Opener, run

from tui.problem import Cause, ProblemError
from tui.services.sql.connect import open_session
from tui.services.sql.model import Columns, Lost, Options, Rows, ServerError, Tls, TlsMode, Transaction, Wire
from tui.services.sql.renewing import RENEWED, Renewing

#: A million rows at their leisure, and a statement that takes long.
MANY = {
    Wire.POSTGRES: "SELECT n, repeat('x', 50) FROM generate_series(1, 1000000) n",
    Wire.MYSQL: "SELECT seq, repeat('x', 50) FROM seq_1_to_1000000",
}
SLOW = {Wire.POSTGRES: "SELECT pg_sleep(20)", Wire.MYSQL: "SELECT sleep(20)"}
SLOW_ROWS = {
    Wire.POSTGRES: "SELECT n, pg_sleep(0.01) FROM generate_series(1, 10000) n",
    Wire.MYSQL: "SELECT seq, sleep(0.01), repeat('x', 20000) FROM seq_1_to_10000",
}


async def test_a_wrong_password_names_the_secret_and_not_the_password(server: Opener) -> None:
    with pytest.raises(ProblemError) as caught:
        await server(password="wrong")
    problem = caught.value.problem
    assert problem.cause is Cause.CREDENTIALS and "refuses the password of root" in problem.what
    assert "Secret test/db" in problem.remedy and "wrong" not in str(problem)


async def test_a_database_that_is_not_there(server: Opener) -> None:
    with pytest.raises(ProblemError, match="There is no database nope"):
        await server(database="nope")


async def test_a_way_that_cannot_be_had_says_why(server: Opener) -> None:
    route = await server.router()
    route.cut = True
    with pytest.raises(ProblemError, match="Pod db-0"):
        await open_session(route, server.wire, server.login())


async def test_a_port_where_nothing_answers_is_given_up_in_time(server: Opener) -> None:
    silent = await asyncio.start_server(lambda _, writer: asyncio.sleep(5), "127.0.0.1", 0)
    opener = Opener(server.wire, silent.sockets[0].getsockname()[1])
    try:
        began = time.monotonic()
        with pytest.raises(ProblemError, match=r"did not answer within 0\.3 s"):
            await opener(Options(connect_timeout=0.3))
        assert time.monotonic() - began < 2 and opener.routes[0].closed
    finally:
        silent.close()


SERVICES = {
    "http": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "closing": b"",
    "numbers": bytes(range(256)) * 50,
    "a short greeting": b"\x05\x00\x00\x00\x0a8.0\x00",
    "an empty greeting": b"\x00\x00\x00\x00",
}


@pytest.mark.parametrize("wire", Wire)
@pytest.mark.parametrize("said", SERVICES.values(), ids=SERVICES)
@pytest.mark.parametrize("mode", [TlsMode.DISABLE, TlsMode.PREFER])
async def test_a_port_of_another_service_is_told_in_words(wire: Wire, said: bytes, mode: TlsMode) -> None:
    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    opener = Opener(wire, server.sockets[0].getsockname()[1])
    with pytest.raises(ProblemError, match=r"No session came about with db-0|did not answer"):
        await opener(Options(connect_timeout=0.5), tls=Tls(mode))
    await opener.close()
    server.close()


async def test_every_row_comes_once_and_the_first_ones_at_once(server: Opener) -> None:
    session = await server()
    result = await run(session, MANY[server.wire], batch=700)
    assert [int(row[0]) for row in result.rows] == list(range(1, 1_000_001))
    assert max(result.batches) <= 700 and result.done[0].count == 1_000_000
    assert session.transaction is Transaction.NONE


async def test_rows_that_come_slowly_are_shown_as_they_come(server: Opener) -> None:
    session = await server()
    began = time.monotonic()
    async with aclosing(session.run(SLOW_ROWS[server.wire])) as events:
        async for event in events:
            if isinstance(event, Rows):
                break
    assert time.monotonic() - began < 4
    assert (await run(session, "SELECT 1")).rows == [("1",)]


@pytest.mark.parametrize("statement", [SLOW, SLOW_ROWS])
async def test_a_cancelled_statement_ends_on_the_server_and_the_session_goes_on(
    server: Opener, statement: dict[Wire, str]
) -> None:
    session = await server()
    running = asyncio.create_task(run(session, statement[server.wire]))
    await asyncio.sleep(0.2)
    await session.cancel()
    with pytest.raises(ServerError) as caught:
        await asyncio.wait_for(running, 5)
    assert caught.value.cancelled
    assert await others(session) == 0
    assert (await run(session, "SELECT 1")).rows == [("1",)]


async def test_a_statement_is_cancelled_while_its_reader_pauses(server: Opener) -> None:
    session = await server()
    other = await server()
    async with aclosing(session.run(MANY[server.wire])) as events:
        async for event in events:
            if isinstance(event, Rows):
                break
        await asyncio.wait_for(session.cancel(), 5)
        assert await others(other) == 0, "the server must not go on though nobody has asked for a row since"
        with pytest.raises(ServerError) as caught:
            async for _ in events:
                pass
        assert caught.value.cancelled
    assert (await run(session, "SELECT 1")).rows == [("1",)]


async def test_a_cancellation_that_is_still_on_its_way_does_not_reach_the_next_statement(server: Opener) -> None:
    session = await server()
    for pause in (0, 0.001, 0.003, 0.01, 0.02):
        cancelling = None
        try:
            async with aclosing(session.run(MANY[server.wire])) as events:
                async for event in events:
                    if isinstance(event, Rows) and cancelling is None:
                        cancelling = asyncio.create_task(session.cancel())
                        await asyncio.sleep(pause)
        except ServerError as error:
            assert error.cancelled
        await run(session, "BEGIN")
        for number in range(3):
            assert (await run(session, f"SELECT {number}")).rows == [(str(number),)]
        assert session.transaction is Transaction.OPEN, "a late ROLLBACK has ended it"
        await run(session, "COMMIT")
        assert cancelling is not None
        await cancelling


async def test_cancelling_nothing_harms_nothing(server: Opener) -> None:
    session = await server()
    await session.cancel()
    assert (await run(session, "SELECT 1")).rows == [("1",)]
    await session.cancel()
    assert (await run(session, "SELECT 2")).rows == [("2",)]


async def test_a_reader_that_leaves_early_ends_the_statement(server: Opener) -> None:
    session, other = await server(), await server()
    async with aclosing(session.run(MANY[server.wire])) as events:
        async for event in events:
            if isinstance(event, Rows):
                break
    assert await others(other) == 0 and session.transaction is Transaction.NONE
    assert (await run(session, "SELECT 1")).rows == [("1",)]


async def test_a_task_that_is_cancelled_ends_the_statement_and_keeps_the_session(server: Opener) -> None:
    session = await server()
    running = asyncio.create_task(run(session, SLOW[server.wire]))
    await asyncio.sleep(0.2)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(running, 5)
    assert await others(session) == 0
    assert (await run(session, "SELECT 1")).rows == [("1",)]


async def test_a_reader_that_pauses_holds_the_server_back(server: Opener) -> None:
    session = await server()
    async with aclosing(session.run(MANY[server.wire])) as events:
        async for event in events:
            if isinstance(event, Rows):
                break
        await asyncio.sleep(0.3)
        received = (
            session._exchange.received  # type: ignore[attr-defined]
            if server.wire is Wire.POSTGRES
            else len(session._connection.driver._proto.buffer)  # type: ignore[attr-defined]
        )
        assert received < 2 << 20, "of 60 MB"


async def test_a_statement_that_takes_too_long_is_ended_by_the_server(server: Opener) -> None:
    session = await server(Options(statement_timeout=0.2))
    began = time.monotonic()
    with pytest.raises(ServerError) as caught:
        await run(session, SLOW[server.wire])
    assert caught.value.cancelled and time.monotonic() - began < 5
    assert (await run(session, "SELECT 1")).rows == [("1",)]


@pytest.mark.parametrize(
    "statement",
    ["CREATE TABLE no (a int)", "START TRANSACTION READ WRITE", "SET SESSION TRANSACTION READ WRITE",
     "SET /* - */ transaction_read_only = 0", "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE"],
)  # fmt: skip
async def test_a_read_only_session_writes_nothing_and_stays_read_only(server: Opener, statement: str) -> None:
    session = await server(Options(read_only=True))
    assert session.facts.read_only == "asked for"
    with pytest.raises(ServerError):
        await run(session, statement)
    with pytest.raises(ServerError) as caught:
        await run(session, "CREATE TABLE no (a int)")
    assert caught.value.code.startswith("25006")


async def test_transactions_are_seen(server: Opener) -> None:
    session = await server()
    table = f"seen_{server.wire.value}"
    await run(session, f"CREATE TABLE {table} (a int)")
    assert (await run(session, "BEGIN")).done and session.transaction is Transaction.OPEN
    assert (await run(session, f"INSERT INTO {table} VALUES (1), (2)")).done[0].count == 2
    assert (await run(session, f"SELECT * FROM {table}")).rows == [("1",), ("2",)]
    assert session.transaction is Transaction.OPEN, "reading must not end it"
    await run(session, "ROLLBACK")
    assert session.transaction is Transaction.NONE
    assert (await run(session, f"SELECT * FROM {table}")).rows == []
    await run(session, f"DROP TABLE {table}")


async def test_a_shutdown_is_told_in_the_servers_words_and_the_next_statement_finds_a_new_session(
    server: Opener,
) -> None:
    renewing = Renewing(server.router, server.wire, server.login())
    other = await server()
    await run(renewing, "SELECT 1")
    kill = "SELECT pg_terminate_backend({})" if server.wire is Wire.POSTGRES else "KILL CONNECTION {}"
    running = asyncio.create_task(run(renewing, SLOW[server.wire]))
    await asyncio.sleep(0.2)
    await run(other, kill.format(renewing.facts.session))
    with pytest.raises(Lost) as caught:
        await asyncio.wait_for(running, 5)
    assert not caught.value.transaction
    told = await run(renewing, "SELECT 2")
    assert told.rows == [("2",)] and told.notices[0].code == RENEWED
    assert "temporary tables" in told.notices[0].detail
    assert not (await run(renewing, "SELECT 3")).notices
    await renewing.close()


async def test_a_write_whose_answer_never_came_is_unsure_and_not_sent_again(server: Opener) -> None:
    renewing = Renewing(server.router, server.wire, server.login())
    table = f"unsure_{server.wire.value}"
    await run(renewing, f"CREATE TABLE {table} (a int)")
    slow = "pg_sleep(0.5)::text" if server.wire is Wire.POSTGRES else "sleep(0.5)"
    running = asyncio.create_task(run(renewing, f"INSERT INTO {table} SELECT 1 FROM (SELECT {slow}) s"))
    await asyncio.sleep(0.2)
    server.routes[-1].cut = True
    server.routes[-1].sever()
    with pytest.raises(Lost) as caught:
        await asyncio.wait_for(running, 5)
    assert caught.value.unsure and not caught.value.transaction
    assert "Pod db-0 was deleted" in caught.value.problem.evidence
    await asyncio.sleep(0.6)
    assert int((await run(renewing, f"SELECT count(*) FROM {table}")).rows[0][0]) <= 1
    await run(renewing, f"DROP TABLE {table}")
    await renewing.close()


async def test_an_open_transaction_that_is_lost_is_said_once_and_its_next_statement_is_not_run_outside_of_it(
    server: Opener,
) -> None:
    renewing = Renewing(server.router, server.wire, server.login())
    table = f"lost_{server.wire.value}"
    await run(renewing, f"CREATE TABLE {table} (a int)")
    await run(renewing, "BEGIN")
    await run(renewing, f"INSERT INTO {table} VALUES (1)")
    server.routes[-1].sever()
    await asyncio.sleep(0.1)
    with pytest.raises(Lost) as caught:
        await run(renewing, f"INSERT INTO {table} VALUES (2)")
    assert caught.value.transaction and not caught.value.unsure and renewing.transaction is Transaction.LOST
    assert (await run(renewing, f"SELECT * FROM {table}")).rows == []
    assert renewing.transaction is Transaction.NONE
    await run(renewing, f"DROP TABLE {table}")
    await renewing.close()


async def test_a_fetch_that_breaks_ends_with_what_came(server: Opener) -> None:
    renewing = Renewing(server.router, server.wire, server.login())
    got = 0
    with pytest.raises(Lost) as caught:
        async with aclosing(renewing.run(MANY[server.wire])) as events:
            async for event in events:
                if isinstance(event, Rows):
                    got += len(event.rows)
                    server.routes[-1].sever()
    assert 0 < got < 1_000_000 and not caught.value.transaction
    assert (await run(renewing, "SELECT 1")).rows == [("1",)]
    await renewing.close()


async def test_duplicate_and_many_columns(server: Opener) -> None:
    session = await server()
    result = await run(session, "SELECT 1 AS a, 2 AS a, NULL")
    assert [column.name for column in result.columns[0].columns][:2] == ["a", "a"]
    assert result.rows == [("1", "2", None)]
    wide = await run(session, "SELECT " + ",".join(f"{n} AS c{n}" for n in range(1600)))
    assert len(wide.columns[0].columns) == 1600 and wide.rows[0] == tuple(map(str, range(1600)))


async def test_a_huge_cell_is_shortened_and_said_so(server: Opener) -> None:
    session = await server()
    mebibytes = 40
    result = await run(session, f"SELECT 'a', repeat('é', {mebibytes} * 524288), 'b', NULL")
    first, cell, last, null = result.rows[0]
    assert (first, last, null) == ("a", "b", None) and len(cell) < 1 << 20
    assert cell.startswith("éé") and "�" not in cell and "41,943,040 bytes" in cell
    assert "41,943,040 bytes" in result.notices[0].message
    assert (await run(session, "SELECT repeat('x', 1000000)")).rows == [("x" * 1_000_000,)]


async def test_two_hundred_statements_in_a_row(server: Opener) -> None:
    session = await server()
    for number in range(200):
        assert (await run(session, f"SELECT {number}")).rows == [(str(number),)]


async def test_one_statement_at_a_time(server: Opener) -> None:
    session = await server()
    running = asyncio.create_task(run(session, SLOW_ROWS[server.wire]))
    await asyncio.sleep(0.1)
    with pytest.raises(ServerError, match="another statement"):
        await run(session, "SELECT 1")
    await session.cancel()
    with pytest.raises(ServerError):
        await running


async def test_columns_come_before_rows_also_where_there_are_none(server: Opener) -> None:
    session = await server()
    result = await run(
        session, "SELECT 1 AS a WHERE false" if server.wire is Wire.POSTGRES else "SELECT 1 AS a FROM dual WHERE false"
    )
    assert isinstance(result.columns[0], Columns) and result.done[0].count == 0


async def others(session: object) -> int:
    """Statements that run in other sessions of the server."""
    await asyncio.sleep(0.1)
    if session.wire is Wire.POSTGRES:  # type: ignore[attr-defined]
        statement = (
            "SELECT count(*) FROM pg_stat_activity WHERE state <> 'idle' "
            "AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
    else:
        statement = (
            "SELECT count(*) FROM information_schema.processlist "
            "WHERE command = 'Query' AND id <> connection_id() AND user = 'root'"
        )
    return int((await run(session, statement)).rows[0][0])


async def test_a_session_takes_leave_and_does_not_wait_for_the_server_to_close(server: Opener) -> None:
    heard, ended, kept = bytearray(), asyncio.Event(), list[asyncio.StreamWriter]()

    async def between(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Passes all on but the server's end, as a port forward that hears of it late."""
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", server.port)
        kept.extend((writer, far_writer))

        async def answers() -> None:
            while data := await far_reader.read(1 << 16):
                writer.write(data)

        answering = asyncio.create_task(answers())
        while data := await reader.read(1 << 16):
            heard[:] = data
            far_writer.write(data)
        ended.set()
        await answering

    proxy = await asyncio.start_server(between, "127.0.0.1", 0)
    opener = Opener(server.wire, proxy.sockets[0].getsockname()[1])
    session = await opener()
    await run(session, "SELECT 1")
    began = time.monotonic()
    await session.close()
    assert time.monotonic() - began < 1  # drivers wait for the server, or give up after 2 s
    async with asyncio.timeout(20):
        await ended.wait()
    assert bytes(heard) == (b"X\0\0\0\4" if server.wire is Wire.POSTGRES else b"\1\0\0\0\1")
    assert opener.routes[0].closed
    proxy.close()
    for writer in kept:
        writer.close()
