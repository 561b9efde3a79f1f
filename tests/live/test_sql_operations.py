"""What an operator asks of SQL workloads, on the real cluster: the chapter's three are read, and asked about sessions
of our own that block one another; replicas are stopped, and roles contradicted, in a namespace of the tests' own.

The chapter's CockroachDB is three PostgreSQL servers that know nothing of one another: what only a CockroachDB tells is
tested on recorded shapes (tests/unit/test_sql_operations.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
from real import KUBECONFIG, MARIADB, POSTGRES, kubectl

from tests.live.sql_pods import live_in, run, start
from tui.problem import Cause, ProblemError
from tui.services.sql.connect import open_session
from tui.services.sql.model import Login, Lost, Options, ServerError, Session
from tui.services.sql.operations.blocking import arrange
from tui.services.sql.operations.control import Ending
from tui.services.sql.operations.model import Activity, Answer, Report, Silence, Unknown, Verdict, known
from tui.systems import sqlwords
from tui.systems.credentials import find_login
from tui.systems.live import Live
from tui.systems.sqloperations import MemberRouter, Operations

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]

CHAPTER = "stateful"
SCHEMA = f"ops_{os.getpid()}"
#: Two servers in one set, the second of which follows the first once it is told to.
BINLOG = MARIADB.replace("exec mariadbd", "exec mariadbd --server-id=$((${HOSTNAME##*-} + 1)) --log-bin=/data/log")


#: A PostgreSQL, and a standby of it in the same set.
STANDBY = """
bin=$(echo /usr/lib/postgresql/*/bin); mkdir -p /data /run/postgresql; chown postgres /data /run/postgresql
as="setpriv --reuid postgres --regid postgres --clear-groups"
if [ "${HOSTNAME##*-}" = 0 ]; then
  $as $bin/initdb -D /data/pg -E UTF8 --locale=C.UTF-8 -A trust -U root >/dev/null
  printf 'host all all 0.0.0.0/0 trust\\nhost replication all 0.0.0.0/0 trust\\n' >>/data/pg/pg_hba.conf
else
  until $as $bin/pg_basebackup -h pg-0.pg -U root -D /data/pg -R -C -S follower; do rm -rf /data/pg; sleep 1; done
fi
exec $as $bin/postgres -D /data/pg -c listen_addresses='*' -p 5432
"""


@pytest.fixture
async def chapter() -> AsyncIterator[Live]:
    async with live_in(CHAPTER) as live:
        yield live


def key(live: Live, name: str) -> str:
    return next(one for one in live.workloads if one.endswith(f"/{name}"))


def report(answers: tuple[Answer, ...], member: str) -> Report:
    (found,) = (answer for answer in answers if answer.member == member)
    assert isinstance(found, Report), found
    return found


async def eventually(look: Callable[[], Awaitable[Any]], seconds: float = 30) -> Any:
    """What `look` gives once it gives something."""
    async with asyncio.timeout(seconds):
        while not (found := await look()):
            await asyncio.sleep(0.3)
    return found


@contextlib.asynccontextmanager
async def session(live: Live, name: str, pod: str, application: str = "ops test") -> AsyncIterator[Session]:
    workload = live.workloads[key(live, name)]
    assert live.api is not None
    assert live.cluster is not None
    found = await find_login(live.api, live.cluster.store, workload, live.catalogue, member=pod)
    assert found.login is not None
    router = MemberRouter(live, workload.key, member=pod)
    opened = await open_session(
        router, Operations(live, workload.key).wire, found.login, Options(application=application)
    )
    try:
        yield opened
    finally:
        with contextlib.suppress(Lost, ServerError, ProblemError):
            await opened.close()


@pytest.mark.parametrize(
    ("name", "roles"),
    [
        ("cdb", {"cdb-cockroachdb-0": "primary", "cdb-cockroachdb-1": "primary", "cdb-cockroachdb-2": "primary"}),
        ("mysql", {"mysql-0": "primary", "mysql-1": "replica", "mysql-2": "replica"}),
        ("orders", {"orders-mysql-primary-0": "primary", "orders-mysql-secondary-0": "replica"}),
    ],
)
async def test_the_chapters_workloads(chapter: Live, name: str, roles: dict[str, str]) -> None:
    operations = Operations(chapter, key(chapter, name))
    answers = await operations.look()
    assert {answer.member: sqlwords.role(answer) for answer in answers} == roles
    for member in roles:
        found = report(answers, member)
        assert not isinstance(found.sessions, Unknown)
        assert found.session not in {one.id for one in found.sessions}, "our own session is none of them"
        assert not isinstance(found.locks, Unknown)
        assert not isinstance(found.sizes, Unknown)
        assert all(isinstance(size.bytes, int) for size in found.sizes)
        checks = {check.key: check for check in found.checks}
        unknown = {check.key: check.value for check in found.checks if isinstance(check.value, Unknown)}
        assert unknown == {}
        assert isinstance(checks["connections"].value, float)
        assert 0 < checks["connections"].value < (checks["connections"].limit or 0) or name == "cdb"
    for place in operations.places():
        if roles[place.name] == "replica":
            assert place.depth == 1
            assert isinstance(place.lag, float)
            assert place.verdict is Verdict.GOOD
    # It comes back into the workload; a system whose members are alike keeps its own word for them.
    await asyncio.sleep(0.5)
    members = {member.pod: member for member in chapter.workloads[key(chapter, name)].members}
    for pod, role in roles.items():
        shown = members[pod].role
        assert shown is not None
        assert (shown.name, shown.source) == (("node", shown.source) if name == "cdb" else (role, "asked the server"))
        assert members[pod].lag.endswith(" s behind") is (role == "replica")


TABLE = {
    "cdb": (f"CREATE SCHEMA {SCHEMA}", f"DROP SCHEMA {SCHEMA} CASCADE"),
    "mysql": (f"CREATE DATABASE {SCHEMA}", f"DROP DATABASE {SCHEMA}"),
    "orders": (f"CREATE DATABASE {SCHEMA}", f"DROP DATABASE {SCHEMA}"),
}


@pytest.mark.parametrize(
    ("name", "pod"), [("cdb", "cdb-cockroachdb-0"), ("mysql", "mysql-0"), ("orders", "orders-mysql-primary-0")]
)
async def test_sessions_that_block_one_another(chapter: Live, name: str, pod: str) -> None:
    operations = Operations(chapter, key(chapter, name))
    make, drop = TABLE[name]
    async with contextlib.AsyncExitStack() as stack:
        holder, waiter, last, admin = [await stack.enter_async_context(session(chapter, name, pod)) for _ in range(4)]
        await run(admin, make)
        try:
            await run(admin, f"CREATE TABLE {SCHEMA}.t (id INT PRIMARY KEY, n INT)")
            await run(admin, f"INSERT INTO {SCHEMA}.t VALUES (1, 0), (2, 0)")
            await run(holder, "BEGIN")
            await run(holder, f"UPDATE {SCHEMA}.t SET n = 1 WHERE id = 1")
            await run(waiter, "BEGIN")
            await run(waiter, f"UPDATE {SCHEMA}.t SET n = 2 WHERE id = 2")
            first = asyncio.create_task(run(waiter, f"UPDATE {SCHEMA}.t SET n = 2 WHERE id = 1"))
            second = asyncio.create_task(run(last, f"UPDATE {SCHEMA}.t SET n = 3 WHERE id = 2"))
            ids = [str(one.facts.session) for one in (holder, waiter, last)]

            async def chain() -> list[tuple[str, int, Activity]] | None:
                found = report(await operations.look(), pod)
                placed = [one for one in arrange(known(found.sessions) or ()) if one.activity.id in ids]
                shown = [(one.activity.id, one.depth, one.activity) for one in placed]
                return (
                    shown
                    if [(id_, depth) for id_, depth, _ in shown] == list(zip(ids, range(3), strict=True))
                    else None
                )

            shown = await eventually(chain)
            assert SCHEMA in shown[1][2].statement
            assert shown[0][2].transaction is not None
            locks = {lock.waiting: lock for lock in known(report(operations.answers, pod).locks) or ()}
            assert locks[ids[1]].holding == (ids[0],)
            assert f"{SCHEMA}.t" in locks[ids[1]].object
            # Cancelling ends the statement, and leaves the session and its transaction (MySQL) or failed one there.
            await operations.end(pod, shown[1][2], Ending.CANCEL)
            with pytest.raises(ServerError):
                await asyncio.wait_for(first, 10)
            assert await waiter.alive()
            await run(waiter, "ROLLBACK")
            await asyncio.wait_for(second, 10)
            # Terminating ends the session, and its transaction with it.
            await operations.end(pod, shown[0][2], Ending.TERMINATE)
            with pytest.raises((Lost, ServerError)):
                await run(holder, "SELECT 1")
            rows, _ = await run(admin, f"SELECT n FROM {SCHEMA}.t ORDER BY id")
            assert [row[0] for row in rows] == ["0", "3"]
            if name == "cdb":
                with pytest.raises(ProblemError) as caught:
                    await operations.end(pod, shown[0][2], Ending.TERMINATE)
                assert caught.value.problem.cause is Cause.ABSENT
        finally:
            for one in (holder, waiter, last):  # what they hold would hold the next one up
                with contextlib.suppress(Lost, ServerError, ProblemError):
                    await one.close()
            await asyncio.wait_for(run(admin, drop), 20)


@pytest.fixture(scope="module")
def own() -> Iterator[str]:
    """A MariaDB that can be followed, and two PostgreSQL servers whose labels say who the primary is."""
    namespace = f"statetui-test-ops-{os.getpid()}"
    kubectl("create", "namespace", namespace)
    start(namespace, "mysql", BINLOG, 3306, replicas=2)
    start(namespace, "acid", POSTGRES, 5432, replicas=2, application="spilo", **{"cluster-name": "acid"})
    start(namespace, "pg", STANDBY, 5432, replicas=2, application="spilo", **{"cluster-name": "pg"})
    for name in ("pg", "mysql", "acid"):
        kubectl("-n", namespace, "rollout", "status", f"statefulset/{name}", "--timeout=120s")
    for pod, role in (("acid-0", "master"), ("acid-1", "replica")):
        kubectl("-n", namespace, "label", "pod", pod, f"spilo-role={role}", "--overwrite")
    yield namespace
    kubectl("delete", "namespace", namespace, "--wait=false")


async def test_a_replica_that_is_stopped(own: str) -> None:
    async with live_in(own) as live:
        operations = Operations(live, key(live, "mysql"), Login("root", "", ""))
        router = MemberRouter(live, operations.key, member="mysql-1")
        replica = await open_session(router, operations.wire, Login("root", "", ""), Options())
        try:
            ip = next(one.ip for one in live.workloads[operations.key].members if one.pod == "mysql-0")
            first = await open_session(
                MemberRouter(live, operations.key, member="mysql-0"), operations.wire, Login("root", "", ""), Options()
            )
            try:
                await run(first, "CREATE USER follower@'%' IDENTIFIED BY 'f'")
                await run(first, "GRANT REPLICATION SLAVE ON *.* TO follower@'%'")
            finally:
                await first.close()
            await run(
                replica, f"CHANGE MASTER TO MASTER_HOST='{ip}', MASTER_USER='follower', MASTER_PASSWORD='f',"
                " MASTER_USE_GTID=slave_pos, MASTER_SSL=0, MASTER_CONNECT_RETRY=1",
            )  # fmt: skip
            before = known(report(await operations.look(), "mysql-0").standing.position)
            await run(replica, f"SET GLOBAL gtid_slave_pos='{before}'")  # both have made themselves on their own
            await run(replica, "START SLAVE")

            async def works() -> bool:
                await operations.look()
                return any(place.depth == 1 and place.lag == 0.0 for place in operations.places())

            try:
                await eventually(works, 20)
            except TimeoutError:
                raise AssertionError([(one.name, one.upstream, one.lag) for one in operations.places()]) from None
            place = operations.places()[1]
            assert (operations.places()[0].name, place.name, place.missing) == ("mysql-0", "mysql-1", 0)
            # It takes writes all the same: a check says so.
            checks = {check.key: check for check in report(operations.answers, "mysql-1").checks}
            assert checks["read-only"].verdict is Verdict.WARN
            # The half that applies is stopped, and the primary goes on.
            await run(replica, "STOP SLAVE SQL_THREAD")
            first = await open_session(MemberRouter(live, operations.key, member="mysql-0"), operations.wire,
                                       Login("root", "", ""), Options())  # fmt: skip
            try:
                await run(first, "CREATE DATABASE later")
            finally:
                await first.close()
            answers = await operations.look()
            place = operations.places()[1]
            assert isinstance(place.lag, Unknown)
            assert "SQL thread does not run" in place.lag.because
            assert place.missing == 1
            assert place.verdict is Verdict.BAD
            assert {check.key: check for check in report(answers, "mysql-1").checks}["replication"].value == "stopped"
            await asyncio.sleep(0.5)
            workload = live.workloads[operations.key]
            assert [one.lag.startswith("lag unknown") for one in workload.members] == [False, True]
            assert any("replication has stopped" in one.text for one in workload.warnings)
            await run(replica, "START SLAVE")
            await eventually(works)
            await asyncio.sleep(0.5)
            assert not live.workloads[operations.key].warnings
        finally:
            await replica.close()


async def test_a_standby_of_postgresql(own: str) -> None:
    async with live_in(own) as live:
        login = Login("root", "", "postgres")
        operations = Operations(live, key(live, "pg"), login)

        async def works() -> bool:
            await operations.look()
            return [place.depth for place in operations.places()] == [0, 1]

        await eventually(works, 60)
        place = operations.places()[1]
        assert place.name == "pg-1"
        assert place.upstream is not None
        assert place.upstream.receiving == "streaming"
        assert isinstance(place.lag, float)
        slot = {check.key: check for check in report(operations.answers, "pg-0").checks}["slot:follower"]
        assert slot.verdict is Verdict.GOOD
        standby = await open_session(
            MemberRouter(live, operations.key, member="pg-1"), operations.wire, login, Options()
        )
        first = await open_session(MemberRouter(live, operations.key, member="pg-0"), operations.wire, login, Options())
        try:
            await run(first, "CREATE TABLE early (n int)")  # before its first transaction a standby knows no lag

            async def replayed() -> bool:
                try:
                    return bool((await run(standby, "SELECT * FROM early"))[1])
                except ServerError:
                    return False

            await eventually(replayed)
            await run(standby, "SELECT pg_wal_replay_pause()")
            await asyncio.sleep(1.2)
            await run(first, "CREATE TABLE later AS SELECT generate_series(1, 10000) AS n")

            async def late() -> bool:
                await operations.look()
                place = operations.places()[1]
                return isinstance(place.lag, float) and place.lag > 0.5 and place.upstream is not None

            await eventually(late)
            place = operations.places()[1]
            assert place.upstream is not None
            assert (place.upstream.works, place.upstream.applying) == (False, "paused")
            assert (place.upstream.lag_bytes or 0) > 100_000
            assert place.downstream is not None
            assert place.downstream.lag_bytes == pytest.approx(place.upstream.lag_bytes, rel=0.2)
        finally:
            await standby.close()
            await first.close()


async def test_labels_that_the_servers_contradict(own: str) -> None:
    async with live_in(own) as live:
        operations = Operations(live, key(live, "acid"), Login("root", "", "postgres"))
        await operations.look()
        await asyncio.sleep(0.5)
        workload = live.workloads[operations.key]
        assert [one.text for one in workload.warnings] == [
            "labels say acid-1 is replica, the server takes writes and follows nobody"
        ]
        wrong = Operations(live, operations.key, Login("nobody", "x", "postgres"))
        answers = await wrong.look()
        assert all(isinstance(answer, Silence) for answer in answers)


async def test_what_a_user_with_few_rights_may_not_see_is_unknown(own: str) -> None:
    async with live_in(own) as live:
        root = Login("root", "", "")
        admin = await open_session(
            MemberRouter(live, key(live, "mysql"), member="mysql-0"),
            Operations(live, key(live, "mysql")).wire,
            root,
            Options(),
        )
        try:
            await run(admin, "CREATE USER small@'%' IDENTIFIED BY 's'")
        finally:
            await admin.close()
        operations = Operations(live, key(live, "mysql"), Login("small", "s", ""))
        found = report(await operations.look(), "mysql-0")
        assert isinstance(found.locks, Unknown)
        assert found.locks.because.startswith("the right to see it is missing")
        assert isinstance(found.standing.upstreams, Unknown)
        unknown = {check.key for check in found.checks if isinstance(check.value, Unknown)}
        assert {"longest-transaction", "replication"} <= unknown


@pytest.mark.parametrize("name", ["cdb", "mysql", "orders"])
def test_without_a_screen(name: str) -> None:
    words = [sys.executable, "-m", "tui", "--kubeconfig", KUBECONFIG, "-n", CHAPTER, "sql", name, "--status"]
    done = subprocess.run([*words, "-o", "json"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["workload"] == name
    assert all(one["checks"] for one in found["members"])
    if name != "cdb":
        assert [one["role"] for one in found["topology"]][:2] == ["primary", "replica"]
        assert isinstance(found["topology"][1]["lag"], float)
    table = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert table.returncode == 0
    assert "Topology" in table.stdout
    assert "Connections" in table.stdout


async def test_a_glance_brings_role_and_lag_to_the_workload(chapter: Live) -> None:
    at = key(chapter, "mysql")
    operations = Operations(chapter, at)
    await operations.glance("mysql-1")

    async def seen() -> Any:
        member = next(one for one in chapter.workloads[at].members if one.pod == "mysql-1")
        return member if member.lag else None

    member = await eventually(seen)
    assert (member.role.name, member.role.writes, member.role.source) == ("replica", False, "asked the server")
    assert member.lag.endswith("s behind")
    assert [answer.member for answer in operations.answers] == ["mysql-1"], "the others were not asked"
