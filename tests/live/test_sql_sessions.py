"""SQL sessions over forwards to pods of a real cluster, and what becomes of them when something breaks.

The chapter's workloads are read, and written to in tables of the tests' own; what is broken is in a namespace of the
tests' own.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any

import pytest
from real import KUBECONFIG, MARIADB, POSTGRES, kubectl

from tests.live.sql_pods import CHAPTER, key, live_in, opened, run, secret, start, until
from tui.kube.options import ConnectOptions
from tui.problem import Cause, ProblemError
from tui.services.sql.connect import open_session
from tui.services.sql.model import (
    Engine,
    Login,
    Lost,
    Rows,
    ServerError,
    Tls,
    TlsMode,
    Transaction,
    Wire,
)
from tui.services.sql.renewing import RENEWED, Renewing
from tui.systems.catalogue import load_catalogue
from tui.systems.live import Live
from tui.systems.sqlroutes import WorkloadRouter

MANY = {
    Wire.POSTGRES: "SELECT n, repeat('x', 100) FROM generate_series(1, 3000000) n",
    Wire.MYSQL: "SELECT seq, repeat('x', 100) FROM seq_1_to_3000000",
}
SLOW = {Wire.POSTGRES: "SELECT pg_sleep(60)", Wire.MYSQL: "SELECT benchmark(100000000000, 1)"}
LOGINS = {Wire.POSTGRES: Login("root", "", "postgres"), Wire.MYSQL: Login("root", "", "mysql")}
WORKLOADS = {Wire.POSTGRES: "pg", Wire.MYSQL: "my"}


@pytest.fixture
async def chapter() -> AsyncIterator[Live]:
    async with live_in(CHAPTER) as live:
        yield live


@pytest.fixture(scope="module")
def databases() -> Iterator[str]:
    """A PostgreSQL, a MariaDB, and two servers whose labels say who is the primary."""
    namespace = f"statetui-test-sql-{os.getpid()}"
    kubectl("create", "namespace", namespace)
    start(namespace, "pg", POSTGRES, 5432)
    start(namespace, "my", MARIADB, 3306)
    start(namespace, "acid", POSTGRES, 5432, replicas=2, application="spilo", **{"cluster-name": "acid"})
    for name in ("pg", "my", "acid"):
        kubectl("-n", namespace, "rollout", "status", f"statefulset/{name}", "--timeout=120s")
    roles(namespace, "acid-0")
    yield namespace
    kubectl("delete", "namespace", namespace, "--wait=false")


def roles(namespace: str, primary: str) -> None:
    for pod in ("acid-0", "acid-1"):
        role = "master" if pod == primary else "replica"
        kubectl("-n", namespace, "label", "pod", pod, f"spilo-role={role}", "--overwrite")


@pytest.fixture(params=[Wire.POSTGRES, Wire.MYSQL])
async def renewing(request: pytest.FixtureRequest, databases: str) -> AsyncIterator[Renewing]:
    wire = request.param
    async with live_in(databases) as live:
        name = WORKLOADS[wire]
        router = WorkloadRouter(live, key(live, name), patience=60)
        renewing = Renewing(router, wire, LOGINS[wire])
        await renewing.open()
        yield renewing
        await renewing.close()


# --- the chapter's workloads


async def test_the_chapters_statements_on_every_workload(chapter: Live) -> None:
    """CREATE DATABASE, the users table, INSERT and SELECT: on each, and seen on replicas."""
    for name, wire, login in (
        ("cdb", Wire.POSTGRES, Login("root", "", "defaultdb")),
        ("mysql", Wire.MYSQL, Login("root")),
        ("orders", Wire.MYSQL, Login("root", secret("orders-mysql", "mysql-root-password"))),
    ):
        began = time.monotonic()
        session = await opened(chapter, name, wire, login)
        assert time.monotonic() - began < 5
        database = f"statetui_test_{os.getpid()}"
        await run(session, f"CREATE DATABASE {database}")
        try:
            table = f"{database}_users" if wire is Wire.POSTGRES else f"{database}.users"
            await run(session, f"CREATE TABLE {table} (id INT PRIMARY KEY, name VARCHAR(50))")
            await run(session, f"INSERT INTO {table} VALUES (1, 'Zoë'), (2, NULL)")
            rows, _ = await run(session, f"SELECT * FROM {table} ORDER BY id")
            assert rows == [("1", "Zoë"), ("2", None)]
            if wire is Wire.MYSQL:
                replica = await opened(chapter, name, wire, login, "replica")
                assert (
                    replica.facts.replica and replica.facts.read_only and replica.facts.member != session.facts.member
                )
                for _ in range(100):
                    with contextlib.suppress(ServerError):
                        if (await run(replica, f"SELECT * FROM {table} ORDER BY id"))[0] == rows:
                            break
                    await asyncio.sleep(0.1)
                else:
                    pytest.fail("the replica does not follow")
                await replica.close()
        finally:
            if wire is Wire.POSTGRES:
                await run(session, f"DROP TABLE IF EXISTS {database}_users")
            await run(session, f"DROP DATABASE {database}")
            await session.close()


async def test_awkward_passwords_with_and_without_tls(chapter: Live) -> None:
    for user, item in (("root", "mysql-root-password"), ("shop", "mysql-password")):
        for mode, told in ((TlsMode.PREFER, "TLS"), (TlsMode.DISABLE, "off"), (TlsMode.REQUIRE, "TLS")):
            login = Login(user, secret("orders-mysql", item), "shop", Tls(mode))
            session = await opened(chapter, "orders", Wire.MYSQL, login)
            assert session.facts.engine is Engine.MYSQL and session.facts.tls.startswith(told)
            await session.close()


async def test_wrong_passwords_name_their_secret(chapter: Live) -> None:
    login = Login("shop", "not it", "shop", source="Secret stateful/orders-mysql, key mysql-password")
    with pytest.raises(ProblemError) as caught:
        await opened(chapter, "orders", Wire.MYSQL, login)
    problem = caught.value.problem
    assert problem.cause is Cause.CREDENTIALS and "Secret stateful/orders-mysql" in problem.remedy
    assert "not it" not in str(problem)


async def test_tls_that_cannot_be_had_or_verified(chapter: Live) -> None:
    with pytest.raises(ProblemError, match="does not speak TLS"):
        await opened(chapter, "cdb", Wire.POSTGRES, Login("root", "", "defaultdb", Tls(TlsMode.REQUIRE)))
    with pytest.raises(ProblemError, match="self-signed"):
        await opened(chapter, "mysql", Wire.MYSQL, Login("root", tls=Tls(TlsMode.VERIFY_FULL)))


async def test_a_replica_that_is_written_to_says_where_writes_are_taken(chapter: Live) -> None:
    login = Login("shop", secret("orders-mysql", "mysql-password"), "shop")
    session = await opened(chapter, "orders", Wire.MYSQL, login, "replica")
    with pytest.raises(ServerError) as caught:
        await run(session, "INSERT INTO orders (customer, total) VALUES ('nobody', 0)")
    assert caught.value.code == "HY000/1290" and "connect to the primary" in caught.value.hint
    await session.close()


async def test_a_read_only_session_on_a_primary(chapter: Live) -> None:
    login = Login("shop", secret("orders-mysql", "mysql-password"), "shop")
    session = await opened(chapter, "orders", Wire.MYSQL, login, read_only=True)
    for statement in ("INSERT INTO orders (customer, total) VALUES ('nobody', 0)", "CREATE TABLE nope (a INT)"):
        with pytest.raises(ServerError) as caught:
            await run(session, statement)
        assert caught.value.code == "25006/1792"
    await session.close()


async def test_one_member_and_members_that_are_not_there(chapter: Live) -> None:
    login = Login("root", "", "defaultdb")
    for pod in ("cdb-cockroachdb-2", "cdb-cockroachdb-1"):
        router = WorkloadRouter(chapter, key(chapter, "cdb"), member=pod)
        session = await open_session(router, Wire.POSTGRES, login)
        assert session.facts.member == pod
        await session.close()
    router = WorkloadRouter(chapter, key(chapter, "cdb"), member="cdb-cockroachdb-9", patience=0.2)
    with pytest.raises(ProblemError, match="no pod to connect to"):
        await open_session(router, Wire.POSTGRES, login)
    with pytest.raises(ProblemError, match="no workload"):
        await open_session(WorkloadRouter(chapter, "stateful/mysql/nope"), Wire.MYSQL, login)


async def test_a_user_without_the_right_to_forward(user: Any) -> None:
    name = user(CHAPTER, [{"apiGroups": ["", "apps"], "resources": ["*"], "verbs": ["list", "watch"]}])
    options = ConnectOptions(kubeconfig=KUBECONFIG, namespace=CHAPTER, impersonate=name)
    live = Live(options, load_catalogue([]), usage=False)
    task = asyncio.create_task(live.run())
    await until(lambda: any(one.endswith("/cdb") for one in live.workloads))
    with pytest.raises(ProblemError) as caught:
        await opened(live, "cdb", Wire.POSTGRES, Login("root"))
    assert "pods/portforward" in str(caught.value.problem)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


# --- cancelling


@pytest.mark.parametrize("stage", ["before rows", "between rows", "while the reader pauses"])
async def test_cancelling_at_every_stage(renewing: Renewing, stage: str) -> None:
    statement = SLOW[renewing.wire] if stage == "before rows" else MANY[renewing.wire]
    events = renewing.run(statement)
    if stage == "before rows":
        task = asyncio.create_task(run(renewing, statement))
        await asyncio.sleep(0.5)
        await renewing.cancel()
        with pytest.raises(ServerError) as caught:
            await asyncio.wait_for(task, 10)
    else:
        rows = 0
        with pytest.raises(ServerError) as caught:
            async for event in events:
                rows += len(event.rows) if isinstance(event, Rows) else 0
                if rows > 5000 and stage == "while the reader pauses":
                    await renewing.cancel()
                    await asyncio.sleep(0.5)
                elif rows > 5000:
                    cancelling = asyncio.create_task(renewing.cancel())
                    await asyncio.sleep(0)
        if stage == "between rows":
            await cancelling
        assert rows < 3_000_000
    assert caught.value.cancelled
    assert (await run(renewing, "SELECT 1"))[0] == [("1",)]


# --- losses


def delete_pod(namespace: str, name: str) -> asyncio.Future[None]:
    async def delete() -> None:
        await asyncio.to_thread(kubectl, "-n", namespace, "delete", "pod", name, "--wait=false")

    return asyncio.ensure_future(delete())


async def test_a_pod_that_is_deleted_during_a_query(renewing: Renewing, databases: str) -> None:
    running = asyncio.create_task(run(renewing, SLOW[renewing.wire]))
    await asyncio.sleep(0.3)
    await delete_pod(databases, renewing.facts.member)
    with pytest.raises(Lost) as caught:
        await asyncio.wait_for(running, 40)
    assert "is gone" in caught.value.problem.what and not caught.value.transaction
    rows, rest = await run(renewing, "SELECT 1")
    assert rows == [("1",)] and rest[0].code == RENEWED


async def test_a_pod_that_is_deleted_during_a_fetch(renewing: Renewing, databases: str) -> None:
    rows, deleting = 0, None
    with pytest.raises(Lost):
        async with aclosing(renewing.run(MANY[renewing.wire])) as events:
            async for event in events:
                if isinstance(event, Rows):
                    rows += len(event.rows)
                    if deleting is None:
                        deleting = delete_pod(databases, renewing.facts.member)
                    await asyncio.sleep(0.05)
    assert 0 < rows < 3_000_000
    assert (await run(renewing, "SELECT 1"))[0] == [("1",)]


async def test_a_pod_that_is_deleted_inside_a_transaction(renewing: Renewing, databases: str) -> None:
    await run(renewing, "CREATE TABLE IF NOT EXISTS kept (a INT)")
    await run(renewing, "BEGIN")
    await run(renewing, "INSERT INTO kept VALUES (1)")
    assert renewing.transaction is Transaction.OPEN
    await delete_pod(databases, renewing.facts.member)
    for _ in range(400):
        if not await renewing.alive():
            break
        await asyncio.sleep(0.1)
    with pytest.raises(Lost) as caught:
        await run(renewing, "COMMIT")
    assert caught.value.transaction and not caught.value.unsure and renewing.transaction is Transaction.LOST
    await run(renewing, "SELECT 1")
    assert renewing.transaction is Transaction.NONE


async def test_no_connection_left(databases: str) -> None:
    async with live_in(databases) as live:
        admin = await opened(live, "my", Wire.MYSQL, LOGINS[Wire.MYSQL])
        await run(admin, "CREATE USER IF NOT EXISTS few@'%' WITH MAX_USER_CONNECTIONS 2")
        held = [await opened(live, "my", Wire.MYSQL, Login("few")) for _ in range(2)]
        with pytest.raises(ProblemError) as caught:
            await opened(live, "my", Wire.MYSQL, Login("few"))
        assert caught.value.problem.cause in (Cause.THROTTLED,)
        other = await opened(live, "pg", Wire.POSTGRES, LOGINS[Wire.POSTGRES])
        await run(other, "DROP ROLE IF EXISTS few")
        await run(other, "CREATE ROLE few LOGIN CONNECTION LIMIT 1")
        held.append(await opened(live, "pg", Wire.POSTGRES, Login("few", "", "postgres")))
        with pytest.raises(ProblemError) as caught:
            await opened(live, "pg", Wire.POSTGRES, Login("few", "", "postgres"))
        assert caught.value.problem.cause is Cause.THROTTLED and "no connection left" in caught.value.problem.what
        for session in (*held, admin, other):
            await session.close()


async def test_the_primary_role_moves(databases: str) -> None:
    roles(databases, "acid-0")
    async with live_in(databases) as live:
        await until(lambda: any(m.role and m.role.writes for m in live.workloads[key(live, "acid")].members))
        renewing = Renewing(WorkloadRouter(live, key(live, "acid")), Wire.POSTGRES, LOGINS[Wire.POSTGRES])
        assert (await renewing.open()).member == "acid-0"
        replica = await opened(live, "acid", Wire.POSTGRES, LOGINS[Wire.POSTGRES], "replica")
        assert replica.facts.member == "acid-1"
        await replica.close()
        roles(databases, "acid-1")
        await until(
            lambda: any(
                m.role and m.role.writes and m.pod == "acid-1" for m in live.workloads[key(live, "acid")].members
            )
        )
        assert (await run(renewing, "SELECT 1"))[0] == [("1",)] and renewing.facts.member == "acid-0", "it stays"
        await run(renewing, "CREATE TEMPORARY TABLE t (a int)")
        with pytest.raises(Lost):
            await run(renewing, "SELECT pg_terminate_backend(pg_backend_pid())")
        _, rest = await run(renewing, "SELECT 1")
        assert renewing.facts.member == "acid-1" and "acid-1, in place of acid-0" in rest[0].message
        await renewing.close()
