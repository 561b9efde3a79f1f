"""What servers are asked of replication, sessions, locks, sizes and health, on recorded answers.

CockroachDB, group replication and Galera cannot be had where these tests run: their answers are written down from their
documentation, in the shape in which the statements give them, and only here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import pytest
from sql_answers import DENIED, SYNTAX, FakeSession, report, stand_of, variables

from tui.problem import Cause, Problem, ProblemError
from tui.services.sql.model import (
    Engine,
    ServerError,
    Wire,
)
from tui.services.sql.operations import cockroach, gathering, mysql, mysql_replication, postgres
from tui.services.sql.operations.asking import reason
from tui.services.sql.operations.blocking import arrange
from tui.services.sql.operations.control import Ending, end, statement
from tui.services.sql.operations.gathering import Asked, Gathering
from tui.services.sql.operations.gtid import Gap, gap_mariadb, gap_mysql, parse_mysql
from tui.services.sql.operations.looking import look
from tui.services.sql.operations.metrics import Metrics, parse
from tui.services.sql.operations.model import (
    Activity,
    Check,
    Downstream,
    Silence,
    Standing,
    Unknown,
    Upstream,
    Verdict,
)
from tui.services.sql.operations.topology import topology

# --- MySQL and MariaDB

NEW_WORDS = {
    "Replica_IO_State": "Waiting for source to send event", "Source_Host": "mysql-0.mysql", "Source_Port": "3306",
    "Replica_IO_Running": "Yes", "Replica_SQL_Running": "Yes", "Seconds_Behind_Source": "7", "Last_IO_Errno": "0",
    "Last_IO_Error": "", "Last_SQL_Errno": "0", "Last_SQL_Error": "", "SQL_Delay": "0", "Channel_Name": "",
}  # fmt: skip
OLD_WORDS = {
    "Connection_name": "", "Master_Host": "mysql-0.mysql", "Master_Port": "3306", "Slave_IO_Running": "Yes",
    "Slave_SQL_Running": "Yes", "Seconds_Behind_Master": "7", "Last_IO_Errno": "0", "Last_IO_Error": "",
    "Last_SQL_Errno": "0", "Last_SQL_Error": "", "SQL_Delay": "0",
}  # fmt: skip


def lower(record: Mapping[str, str | None]) -> dict[str, str | None]:
    return {name.lower(): value for name, value in record.items()}


@pytest.mark.parametrize("words", [NEW_WORDS, OLD_WORDS], ids=["replica", "slave"])
def test_both_vocabularies_say_the_same(words: dict[str, str | None]) -> None:
    assert mysql_replication.upstream(lower(words)) == Upstream("mysql-0.mysql:3306", "", "Yes", "Yes", True, 7.0)


def test_a_replica_that_receives_nothing_is_not_zero_seconds_behind() -> None:
    connecting = {**OLD_WORDS, "Slave_IO_Running": "Connecting", "Seconds_Behind_Master": "0",
                  "Last_IO_Error": "error connecting to master", "Last_IO_Errno": "2003"}  # fmt: skip
    found = mysql_replication.upstream(lower(connecting))
    assert not found.works
    assert isinstance(found.lag, Unknown)
    assert "Connecting" in found.lag.because
    assert found.error == "IO: error connecting to master (2003)"
    stopped = mysql_replication.upstream(lower({**OLD_WORDS, "Slave_SQL_Running": "No", "Seconds_Behind_Master": None}))
    assert isinstance(stopped.lag, Unknown)
    assert "SQL thread" in stopped.lag.because


async def test_old_servers_are_asked_in_old_words_and_new_ones_are_not() -> None:
    shown = variables(read_only="ON", super_read_only="ON", server_uuid="u-1", gtid_executed="u-0:1-5")
    old = FakeSession(Engine.MYSQL, (5, 7, 44), {
        "SHOW GLOBAL VARIABLES": shown, "SHOW SLAVE STATUS": [OLD_WORDS], "SHOW PROCESSLIST": []
    })  # fmt: skip
    found = await stand_of(old)
    assert (found.replica, found.writes, found.refuses, found.identity) == (True, False, "super_read_only", "u-1")
    assert [one for one in old.sent if "STATUS" in one] == ["SHOW REPLICA STATUS", "SHOW SLAVE STATUS"]
    # From 8.4 on the old words are a syntax error, and are not needed.
    new = FakeSession(Engine.MYSQL, (8, 4, 3), {
        "SHOW GLOBAL VARIABLES": shown, "SHOW REPLICA STATUS": [NEW_WORDS], "SHOW PROCESSLIST": []
    })  # fmt: skip
    assert (await stand_of(new)).replica
    assert "SHOW SLAVE STATUS" not in new.sent


async def test_a_right_that_is_missing_is_said_and_not_asked_for_in_older_words() -> None:
    denied = ServerError("Access denied; you need REPLICATION CLIENT", "42000/1227")
    session = FakeSession(Engine.MARIADB, (11, 8), {
        "SHOW GLOBAL VARIABLES": variables(read_only="OFF"), "SHOW ALL SLAVES STATUS": denied, "SHOW PROCESSLIST": []
    })  # fmt: skip
    found = await stand_of(session)
    assert found.upstreams == Unknown(
        "the right to see it is missing: Access denied; you need REPLICATION CLIENT (42000/1227)"
    )
    assert found.replica is None
    assert "SHOW SLAVE STATUS" not in session.sent


LOCK_OLD = {
    "waiting": "12", "holding": "11", "object_name": "`shop`.`orders`", "index_name": "PRIMARY",
    "lock_type": "RECORD", "lock_mode": "X", "held_mode": "X", "seconds": "9",
}  # fmt: skip
PROCESSES = [
    {"Id": "11", "User": "app", "Host": "10.0.0.9:4711", "db": "shop", "Command": "Sleep", "Time": "40", "State": "",
     "Info": None},
    {"Id": "12", "User": "app", "Host": "10.0.0.9:4712", "db": "shop", "Command": "Query", "Time": "9",
     "State": "Updating", "Info": "UPDATE orders SET total = 1"},
    {"Id": "13", "User": "app", "Host": "10.0.0.9:4713", "db": "shop", "Command": "Query", "Time": "3",
     "State": "Waiting for table metadata lock", "Info": "ALTER TABLE orders ADD x INT"},
    {"Id": "99", "User": "root", "Host": "::1", "db": None, "Command": "Query", "Time": "0", "State": "starting",
     "Info": "SHOW FULL PROCESSLIST"},
]  # fmt: skip


async def test_who_blocks_whom_on_mariadb() -> None:
    session: Any = FakeSession(Engine.MARIADB, (11, 8), {
        "SHOW FULL PROCESSLIST": PROCESSES, mysql.WAITS_OLD: [LOCK_OLD],
        mysql.TRANSACTIONS: [{"trx_mysql_thread_id": "11", "seconds": "55"}],
    })  # fmt: skip
    locks = await mysql.locks(session)
    assert isinstance(locks, tuple)
    assert [(one.waiting, one.holding) for one in locks] == [("12", ("11",)), ("13", ())]
    assert locks[0].object == "record of shop.orders index PRIMARY"
    found = await mysql.sessions(session, locks)
    assert isinstance(found, tuple)
    assert [one.id for one in found] == ["11", "12", "13"], "we are none of them"
    assert found[0].transaction == 55
    assert found[0].busy, "it sleeps, and holds its transaction open"
    assert found[1].blocked_by == ("11",)
    assert found[2].waits == "Waiting for table metadata lock"


async def test_mysql_8_is_asked_where_its_locks_are() -> None:
    session: Any = FakeSession(Engine.MYSQL, (8, 0, 12), {
        mysql.WAITS_8: [{"waiting": "12", "holding": "11", "lock_id": "7:1", "seconds": "9"}],
        mysql.LOCKS_8: [{**LOCK_OLD, "lock_id": "7:1", "object_schema": "shop", "object_name": "orders"}],
        mysql.METADATA_8: [{"waiting": "13", "holding": "11", "object_schema": "shop", "object_name": "orders",
                            "lock_type": "metadata", "lock_mode": "EXCLUSIVE", "held_mode": "SHARED_WRITE",
                            "seconds": "3"}],
    })  # fmt: skip
    locks = await mysql.locks(session)
    assert isinstance(locks, tuple)
    assert [(one.waiting, one.holding, one.object) for one in locks] == [
        ("12", ("11",), "record of shop.orders index PRIMARY"), ("13", ("11",), "shop.orders"),
    ]  # fmt: skip
    denied: Any = FakeSession(Engine.MYSQL, (8, 0, 12), {mysql.WAITS_8: DENIED})
    assert isinstance(why := await mysql.locks(denied), Unknown)
    assert why.because.startswith("the right to see it is missing")


# --- GTIDs


def test_gtid_sets() -> None:
    assert parse_mysql("A:1-3:5,\nb:tag:7") == {"a": [(1, 3), (5, 5)], "b:tag": [(7, 7)]}
    assert parse_mysql("A:1-x") is None
    assert gap_mysql("a:1-5", "a:1-9", "a") == Gap(4, 0)
    assert gap_mysql("a:1-9,z:1-2", "a:1-9", "a") == Gap(0, 2), "written to the replica itself"
    assert gap_mysql("a:1-12", "a:1-9", "a") == Gap(0, 0), "the replica was asked later"
    assert gap_mysql("a:1-2:6-7,c:1-4", "a:1-9,c:1-4", "a") == Gap(5, 0)
    assert gap_mariadb("0-100-40,1-7-3", "0-100-45,1-7-3") == Gap(5, 0)
    assert gap_mariadb("", "0-1-2") == Gap(2, 0)
    assert gap_mariadb("0-100", "0-100-45") is None


# --- PostgreSQL


async def test_a_standby_that_has_replayed_all_is_not_behind_on_an_idle_primary() -> None:
    row: dict[str, str | None] = {
        "status": "streaming", "sender_host": "10.0.0.1", "sender_port": "5432", "slot_name": "", "silent": "1",
        "caught_up": "true", "behind": "0", "age": "3600.5", "paused": "false",
    }  # fmt: skip
    assert (await up(row)).lag == 0.0
    assert (await up({**row, "caught_up": "false", "behind": "4096", "age": "12.5"})).lag == 12.5
    gone = await up({**row, "status": None, "sender_host": None, "caught_up": "true"})
    assert not gone.works
    assert isinstance(gone.lag, Unknown)
    assert "no WAL receiver runs" in gone.lag.because
    paused = await up({**row, "paused": "true"})
    assert not paused.works


async def up(row: dict[str, str | None]) -> Upstream:
    session: Any = FakeSession(Engine.POSTGRESQL, (17,), {
        postgres.STANDING: [{"recovery": "true", "read_only": "off", "position": "0/1"}],
        postgres.RECEIVER: [row], postgres.SENDERS: [],
    })  # fmt: skip
    found = await postgres.standing(session)
    assert (found.replica, found.writes) == (True, False)
    assert isinstance(found.upstreams, tuple)
    return found.upstreams[0]


async def test_what_a_user_without_rights_sees_of_replicas_is_unknown() -> None:
    session: Any = FakeSession(Engine.POSTGRESQL, (17,), {
        postgres.STANDING: [{"recovery": "false", "read_only": "off", "position": "0/1"}],
        postgres.SENDERS: [{"application_name": "pg-1", "client_addr": None, "state": None, "sync_state": None,
                            "behind": None, "lag": None}],
    })  # fmt: skip
    found = await postgres.standing(session)
    assert isinstance(found.downstreams, tuple)
    assert isinstance(found.downstreams[0].lag, Unknown)
    assert "pg_read_all_stats" in found.downstreams[0].lag.because
    assert found.identity == "", "a question that this version does not know costs the others nothing"


def test_blockers_of_postgresql() -> None:
    assert postgres.ids("12,12,0") == ("12", "prepared transaction")
    assert postgres.ids("") == ()


async def test_wraparound_slots_and_archiving() -> None:
    from tui.services.sql.operations import postgres_health  # noqa: PLC0415

    slots = [
        {"slot_name": "old", "slot_type": "physical", "active": "false", "wal_status": "extended",
         "held": str(5 << 30)},
        {"slot_name": "gone", "slot_type": "logical", "active": "false", "wal_status": "lost", "held": None},
        {"slot_name": "used", "slot_type": "physical", "active": "true", "wal_status": "reserved", "held": "0"},
    ]  # fmt: skip
    session: Any = FakeSession(Engine.POSTGRESQL, (17,), {
        postgres_health.CONNECTIONS: [{"used": "96", "active": "3", "idle_in_transaction": "2", "most": "100",
                                       "reserved": "3", "longest": "4000"}],
        postgres_health.WRAPAROUND: [{"datname": "shop", "age": "1600000000", "freeze": "200000000",
                                      "multixact": "700000000", "multixact_in": "audit",
                                      "multixact_freeze": "400000000"}],
        "SELECT slot_name": slots,
        postgres_health.ARCHIVER: [{"mode": "on", "archived_count": "9", "failed_count": "4", "last_failed_wal": "0A",
                                    "archived": "900", "failed": "5", "failing": "true"}],
    })  # fmt: skip
    found = {check.key: check for check in await postgres_health.checks(session, (17,), Standing(False, True))}
    assert found["connections"].verdict is Verdict.BAD
    assert found["longest-transaction"].verdict is Verdict.BAD
    assert found["wraparound"].verdict is Verdict.BAD
    assert (found["multixact"].verdict, found["multixact"].value) == (Verdict.WARN, 700_000_000.0)
    assert "audit" in found["multixact"].says
    assert [found[f"slot:{name}"].verdict for name in ("old", "gone", "used")] == [
        Verdict.WARN, Verdict.BAD, Verdict.GOOD
    ]  # fmt: skip
    assert isinstance(found["slot:gone"].value, Unknown)
    assert found["archiving"].verdict is Verdict.BAD
    assert isinstance(found["cache"].value, Unknown)
    assert "this version has it not" in found["cache"].value.because


# --- CockroachDB: recorded shapes alone

VARS = """\
# HELP ranges Number of ranges
# TYPE ranges gauge
ranges{store="1",node_id="2"} 52
ranges_unavailable{store="1",node_id="2"} 0
ranges_underreplicated{store="1",node_id="2"} 7
ranges_overreplicated{store="1",node_id="2"} 0
liveness_livenodes{node_id="2"} 3
capacity{store="1",node_id="2"} 2.68435456e+08
capacity_used{store="1",node_id="2"} 1.048576e+06
sql_conns{node_id="2"} 5
clock_offset_meannanos{node_id="2"} 3.0e+08
security_certificate_expiration_ca{node_id="2"} 0
security_certificate_expiration_node{node_id="2"} 1
seconds_until_enterprise_license_expiry{node_id="2"} -86400
broken line
"""
CRDB_SESSION = {
    "node_id": "2", "session_id": "17f0a1b2c3d4e5f60000000000000002", "status": "ACTIVE", "user_name": "root",
    "client_address": "10.0.0.9:5000", "application_name": "shop", "active_queries": "SELECT 1",
    "last_active_query": "", "session_start": "2026-11-27 07:00:00", "active_query_start": "2026-11-27 07:00:10",
    "kv_txn": "11111111-0000-0000-0000-000000000000", "alloc_bytes": "10240",
}  # fmt: skip
CRDB_STATEMENT = {
    "query_id": "17f0a1b2c3d4e5f70000000000000002", "node_id": "2", "session_id": CRDB_SESSION["session_id"],
    "user_name": "root", "start": "2026-11-27 07:00:10.5+00:00", "query": "SELECT 1", "phase": "executing",
}  # fmt: skip
JOBS = [
    {"job_id": "1", "job_type": "SCHEMA CHANGE", "status": "running", "fraction_completed": "0.5", "error": ""},
    {"job_id": "2", "job_type": "BACKUP", "status": "failed", "fraction_completed": "0", "error": "no such bucket"},
    {"job_id": "3", "job_type": "STATS", "status": "succeeded", "fraction_completed": "1", "error": ""},
]  # fmt: skip


async def test_cockroachdb_on_recorded_shapes() -> None:
    session: Any = FakeSession(Engine.COCKROACHDB, (25, 2), {
        cockroach.SESSIONS: [CRDB_SESSION], cockroach.STATEMENTS: [CRDB_STATEMENT], cockroach.JOBS: JOBS,
        cockroach.VERSION: [{"version": "25.1-upgrading-to-25.2-step-014"}],
        cockroach.LICENCE: ServerError("only users with the MODIFYCLUSTERSETTING privilege", "42501"),
    })  # fmt: skip
    report = await look(session, metrics=parse(VARS))
    assert not any("crdb_internal" in one for one in session.sent)
    assert report.standing.replica is None
    assert isinstance(report.sessions, tuple)
    assert report.sessions[0].query == CRDB_STATEMENT["query_id"]
    assert isinstance(report.locks, Unknown)
    assert isinstance(report.sizes, tuple)
    assert (report.sizes[0].bytes, report.sizes[0].of) == (1 << 20, 256 << 20)
    found = {check.key: check for check in report.checks}
    assert found["ranges-underreplicated"].verdict is Verdict.WARN
    assert found["clock"].verdict is Verdict.WARN
    assert found["certificate:node"].verdict is Verdict.BAD
    assert "certificate:ca" not in found
    assert found["licence"].value == "expired"
    assert found["jobs-failed"].says.endswith("no such bucket")
    assert found["cluster-version"].verdict is Verdict.NOTE


async def test_cockroachdb_without_its_metrics() -> None:
    session: Any = FakeSession(Engine.COCKROACHDB, (25, 2), {
        cockroach.SESSIONS: [], cockroach.STATEMENTS: [], cockroach.LICENCE: [{"enterprise.license": "crl-0-x"}]
    })  # fmt: skip
    report = await look(session, metrics=Unknown("refused"))
    found = {check.key: check for check in report.checks}
    assert isinstance(found["metrics"].value, Unknown)
    assert found["licence"].value == "set"
    assert "crl-0-x" not in repr(report), "a licence is nothing to show"
    assert isinstance(found["jobs"].value, Unknown)


def test_when_a_session_of_cockroachdb_began() -> None:
    now = 1_795_762_820.0  # 2026-11-27 07:00:20 UTC
    found = cockroach.activity(CRDB_SESSION, CRDB_STATEMENT, now)
    assert found.seconds == 9.5
    assert found.transaction == 9.5
    assert cockroach.activity({**CRDB_SESSION, "kv_txn": None}, None, now).transaction is None


# --- trees


def someone(id_: str, *blocked_by: str, transaction: float | None = None, state: str = "active") -> Activity:
    return Activity(id_, "app", "", "shop", "", state, 1.0, transaction, blocked_by=blocked_by)


def test_blocking_chains() -> None:
    placed = arrange([
        someone("5", state="idle"), someone("1", "2"), someone("2", "3"), someone("3", transaction=9),
        someone("4", "2", "1"), someone("6", "7"), someone("7", "6"), someone("8", "elsewhere"),
    ])  # fmt: skip
    shown = [(one.activity.id, one.depth, one.blocks, one.circle) for one in placed]
    assert shown == [
        ("3", 0, 3, False), ("2", 1, 2, False), ("1", 2, 0, False), ("4", 2, 0, False),
        ("6", 0, 1, True), ("7", 1, 0, True), ("8", 0, 0, False), ("5", 0, 0, False),
    ]  # fmt: skip
    assert [one.last for one in placed[:4]] == [(), (True,), (True, False), (True, True)]


def test_a_queue_of_thousands_is_drawn() -> None:
    queue = [
        someone("0"),
        *(someone(str(n), *(str(before) for before in range(max(0, n - 3), n))) for n in range(1, 5000)),
    ]
    placed = arrange(queue)
    assert len(placed) == 5000
    assert placed[0].blocks == 4999


def follows(source: str, *, position: str = "", works: bool = True) -> Standing:
    lag: float | Unknown = 0.0 if works else Unknown("stopped")
    return Standing(True, False, "read_only", "", position, (Upstream(source, "", "Yes", "Yes", works, lag),))


def test_the_tree_of_servers() -> None:
    gone = Silence("mysql-3", Problem(Cause.ABSENT, "not created"), 0.0)
    places = topology([
        report("mysql-0", Standing(False, True, position="0-1-9")),
        report("mysql-1", follows("mysql-0.mysql:3306", position="0-1-7")),
        report("mysql-2", follows("10.0.0.11:3306")), gone, report("mysql-4", follows("far.example:3306", works=False)),
    ], {"mysql-1": "10.0.0.11"})  # fmt: skip
    assert [(one.name, one.depth) for one in places] == [
        ("far.example:3306", 0), ("mysql-4", 1), ("mysql-0", 0), ("mysql-1", 1), ("mysql-2", 2), ("mysql-3", 0)
    ]  # fmt: skip
    by_name = {one.name: one for one in places}
    assert by_name["mysql-1"].missing == 2
    assert by_name["mysql-4"].verdict is Verdict.BAD
    assert by_name["mysql-3"].verdict is Verdict.BAD


def test_cascading_standbys_are_a_tree() -> None:
    found = [
        report("pg-0", Standing(False, True), Engine.POSTGRESQL),
        report("pg-1", follows("10.0.0.10:5432"), Engine.POSTGRESQL),
        report("pg-2", follows("10.0.0.11:5432"), Engine.POSTGRESQL),
        report("pg-3", follows("pg-2.pg.shop.svc:5432", works=False), Engine.POSTGRESQL),
        report("pg-4", follows("pg-0.pg:5432"), Engine.POSTGRESQL),
    ]
    places = topology(found, {f"pg-{number}": f"10.0.0.1{number}" for number in range(5)})
    assert [(one.name, one.depth, one.last) for one in places] == [
        ("pg-0", 0, ()), ("pg-1", 1, (False,)), ("pg-2", 2, (False, True)), ("pg-3", 3, (False, True, True)),
        ("pg-4", 1, (True,)),
    ]  # fmt: skip
    assert [one.verdict for one in places].count(Verdict.BAD) == 1


def test_a_standby_behind_a_service_is_found_by_whom_its_source_names() -> None:
    sender = Standing(False, True, downstreams=(Downstream("shop-2", "10.0.0.5", "streaming", "async", 0.2, 100),))
    places = topology(
        [report("shop-1", sender, Engine.POSTGRESQL), report("shop-2", follows("shop-rw:5432"), Engine.POSTGRESQL)], {}
    )
    assert [(one.name, one.depth) for one in places] == [("shop-1", 0), ("shop-2", 1)]
    assert places[1].lag == 0.2
    # Two servers that follow one another have no root, and are both shown.
    circle = topology([report("a", follows("b:1")), report("b", follows("a:1"))], {})
    assert {one.name for one in circle} == {"a", "b"}


# --- ending


@pytest.mark.parametrize(
    ("engine", "ending", "sent"),
    [
        (Engine.POSTGRESQL, Ending.CANCEL, "SELECT pg_cancel_backend(12)::text AS done"),
        (Engine.POSTGRESQL, Ending.TERMINATE, "SELECT pg_terminate_backend(12)::text AS done"),
        (Engine.MARIADB, Ending.CANCEL, "KILL QUERY 12"),
        (Engine.MYSQL, Ending.TERMINATE, "KILL CONNECTION 12"),
    ],
)
def test_what_ends_a_session(engine: Engine, ending: Ending, sent: str) -> None:
    assert statement(engine, someone("12"), ending) == sent


def test_an_id_is_never_taken_for_sql() -> None:
    for engine in (Engine.POSTGRESQL, Engine.MYSQL):
        with pytest.raises(ProblemError):
            statement(engine, someone("12); DROP TABLE users; --"), Ending.CANCEL)
    evil = Activity("x' OR 1", "app", "", "", "", "active", None, None, query="a'b")
    for ending in Ending:
        with pytest.raises(ProblemError):
            statement(Engine.COCKROACHDB, evil, ending)
    with pytest.raises(ProblemError, match="runs no statement"):
        statement(Engine.COCKROACHDB, someone("ab12"), Ending.CANCEL)
    assert statement(Engine.COCKROACHDB, someone("ab12"), Ending.TERMINATE) == "CANCEL SESSION 'ab12'"


async def test_a_session_that_is_gone_is_not_said_to_be_ended() -> None:
    session: Any = FakeSession(Engine.POSTGRESQL, (17,), {"SELECT pg_cancel": [{"done": "false"}]})
    with pytest.raises(ProblemError, match="did not cancel"):
        await end(session, someone("12"), Ending.CANCEL)
    refused: Any = FakeSession(
        Engine.MARIADB, (11,), {"KILL": ServerError("You are not owner of thread 12", "HY000/1095")}
    )
    with pytest.raises(ProblemError) as caught:
        await end(refused, someone("12"), Ending.TERMINATE)
    assert "CONNECTION_ADMIN" in caught.value.problem.remedy
    assert refused.sent == ["KILL CONNECTION 12"], "it is never sent twice"


# --- gathering


async def test_members_are_asked_a_few_at_once_and_each_session_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    open_now = most = 0
    sessions: list[FakeSession] = []

    async def opened(to: Any, wire: Wire, login: Any, options: Any) -> FakeSession:
        nonlocal open_now, most
        assert options.read_only
        open_now += 1
        most = max(most, open_now)
        await asyncio.sleep(0.01)
        open_now -= 1
        if to == "pg-4":
            raise ProblemError(Problem(Cause.UNREACHABLE, "pg-4 is away"))
        sessions.append(FakeSession(Engine.POSTGRESQL, (17,), {}, to))
        return sessions[-1]

    monkeypatch.setattr(gathering, "open_session", opened)

    async def login() -> Any:
        return None

    members: list[Asked | Silence] = [Asked(f"pg-{n}", f"pg-{n}", login) for n in range(6)]  # type: ignore[arg-type]
    found = Gathering(lambda: members, Wire.POSTGRES)
    heard: list[str] = []
    answers = await found.once(lambda answer: heard.append(answer.member))
    assert [answer.member for answer in answers] == [f"pg-{n}" for n in range(6)]
    assert sorted(heard) == [f"pg-{n}" for n in range(6)]
    assert isinstance(answers[4], Silence)
    assert most == gathering.AT_ONCE
    assert all(session.closed for session in sessions)
    # Sizes look at files and tables: the second round does not measure again.
    assert any(postgres.DATABASES in session.sent for session in sessions)
    sessions.clear()
    del members[5]
    assert len(await found.once()) == 5
    assert not any(postgres.DATABASES in session.sent for session in sessions)


async def test_nobody_is_asked_while_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    looks = False

    def members() -> list[Asked | Silence]:
        asked.append("round")
        return []

    found = Gathering(members, Wire.POSTGRES)
    task = asyncio.create_task(found.rounds(lambda: looks, lambda _: None, every=0.05))
    await asyncio.sleep(0.3)
    assert asked == []
    looks = True
    await asyncio.sleep(0.5)
    assert len(asked) > 1
    task.cancel()


async def test_a_member_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "PATIENCE", 0.05)

    async def login() -> Any:
        await asyncio.sleep(60)

    async def metrics(login: Any) -> Metrics:
        return parse(VARS)

    members: list[Asked | Silence] = [Asked("db-0", "db-0", login, metrics)]  # type: ignore[arg-type]
    began = time.monotonic()
    (answer,) = await Gathering(lambda: members, Wire.POSTGRES).once()
    assert time.monotonic() - began < 5
    assert isinstance(answer, Silence)
    assert answer.problem.cause is Cause.TIMEOUT


async def test_metrics_count_when_sql_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused(*_: Any) -> Any:
        raise ProblemError(Problem(Cause.UNREACHABLE, "nothing listens"))

    monkeypatch.setattr(gathering, "open_session", refused)

    async def login() -> Any:
        return None

    async def metrics(login: Any) -> Metrics:
        return parse(VARS)

    members: list[Asked | Silence] = [Asked("db-0", "db-0", login, metrics)]  # type: ignore[arg-type]
    (answer,) = await Gathering(lambda: members, Wire.POSTGRES).once()
    assert isinstance(answer, Silence)
    assert Check("ranges", "Ranges", 52.0) in answer.checks


def test_reasons() -> None:
    assert reason(DENIED).startswith("the right to see it is missing")
    assert reason(SYNTAX).startswith("this version has it not")
    assert reason(ServerError("canceling statement due to statement timeout", "57014")).startswith("it took too long")
    assert reason(ServerError("disk full", "53100")) == "disk full (53100)"
