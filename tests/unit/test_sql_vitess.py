"""What a gateway of Vitess says, on recorded answers.

The shapes are those of vtgate's own executor and its tests (`SHOW VITESS_TABLETS`, `…_SHARDS`,
`…_REPLICATION_STATUS`): the first had `MasterTermStartTime` and `MASTER` before Vitess 11.
"""

from __future__ import annotations

from typing import Any

from sql_answers import FakeSession, report

from tui.services.sql.gate import enforces
from tui.services.sql.model import Engine, ServerError
from tui.services.sql.operations import vitess
from tui.services.sql.operations.looking import look
from tui.services.sql.operations.model import Unknown, Verdict
from tui.services.sql.operations.topology import topology
from tui.systems import sqlwords


def tablet(number: int, shard: str, kind: str, state: str = "SERVING") -> dict[str, str | None]:
    return {
        "Cell": "zone1", "Keyspace": "commerce", "Shard": shard, "TabletType": kind, "State": state,
        "Alias": f"zone1-0000000{number}", "Hostname": f"10.2.0.{number}",
        "PrimaryTermStartTime": "2026-11-27T10:00:00Z" if kind == "PRIMARY" else "",
    }  # fmt: skip


def replica(number: int, shard: str, lag: str, health: str = "Yes", error: str = "") -> dict[str, str | None]:
    return {
        "Keyspace": "commerce", "Shard": shard, "TabletType": "REPLICA", "Alias": f"zone1-0000000{number}",
        "Hostname": f"10.2.0.{number}", "ReplicationSource": "10.2.0.101:3306",
        "ReplicationHealth": f'{{"EventStreamRunning":"{health}","EventApplierRunning":"Yes","LastError":"{error}"}}',
        "ReplicationLag": lag, "ThrottlerStatus": '{"state":"OK","load":0.00,"message":""}',
    }  # fmt: skip


TABLETS = [
    tablet(101, "-80", "PRIMARY"), tablet(102, "-80", "REPLICA"), tablet(103, "-80", "RDONLY"),
    tablet(201, "80-", "PRIMARY"), tablet(202, "80-", "REPLICA", "NOT_SERVING"),
]  # fmt: skip
STATUS = [replica(102, "-80", "2"), replica(103, "-80", "45"), replica(202, "80-", "NULL")]
ANSWERS = {
    "SHOW VITESS_TABLETS": TABLETS, "SHOW VITESS_REPLICATION_STATUS": STATUS,
    "SHOW VITESS_SHARDS": [{"Shards": "commerce/-80"}, {"Shards": "commerce/80-"}],
}  # fmt: skip
GATE = "example-zone1-vtgate-bc6cde92-77-x"


def gateway(**changes: Any) -> Any:
    return FakeSession(Engine.VITESS, (8, 0, 40), {**ANSWERS, **changes}, GATE)


async def test_the_tree_of_shards() -> None:
    found = await look(gateway())
    addresses = {GATE: "10.2.0.9", "example-vttablet-zone1-0000000102-bb": "10.2.0.102"}
    places = topology([found], addresses)
    assert [(one.name, one.depth, sqlwords.place_role(one), sqlwords.lag(one), one.verdict) for one in places] == [
        (GATE, 0, "gateway", "", Verdict.GOOD),
        ("zone1-0000000101", 0, "primary", "", Verdict.GOOD),
        ("example-vttablet-zone1-0000000102-bb", 1, "replica", "2 s", Verdict.GOOD),
        ("zone1-0000000103", 1, "rdonly", "45 s", Verdict.WARN),
        ("zone1-0000000201", 0, "primary", "", Verdict.GOOD),
        ("zone1-0000000202", 1, "replica", "unknown", Verdict.BAD),
    ]  # fmt: skip
    assert sqlwords.stream(places[2]) == "commerce/-80, SERVING"
    assert ("follows", "zone1-0000000101") in sqlwords.facts(places[2])


async def test_health_of_shards_and_tablets() -> None:
    checks = {check.key: check for check in (await look(gateway())).checks}
    assert (checks["shards"].value, checks["shards"].verdict) == (2.0, Verdict.GOOD)
    assert (checks["tablets"].value, checks["tablets"].limit, checks["tablets"].verdict) == (4.0, 5.0, Verdict.WARN)
    assert "zone1-0000000202 (commerce/80-, replica)" in checks["tablets"].says
    assert (checks["lag"].value, checks["lag"].verdict) == (45.0, Verdict.WARN)


async def test_a_shard_without_a_primary_takes_no_writes() -> None:
    rows = [one for one in TABLETS if one["Alias"] != "zone1-0000000201"]
    found = await look(gateway(**{"SHOW VITESS_TABLETS": rows}))
    checks = {check.key: check for check in found.checks}
    assert checks["shards"].verdict is Verdict.BAD
    assert "no primary serves commerce/80-" in checks["shards"].says
    assert found.standing.writes, "the other shard does"
    idle = [{**one, "State": "NOT_SERVING"} for one in TABLETS]
    assert (await look(gateway(**{"SHOW VITESS_TABLETS": idle}))).standing.writes is False


def test_replication_that_has_stopped_is_not_0_s_behind() -> None:
    # The gateway does not escape what a server says: this is no JSON.
    broken = replica(102, "-80", "0", "No", 'error connecting to source "vt_repl@10.2.0.101:3306"')
    (primary, follower) = vitess.tablets([lower(TABLETS[0]), lower(TABLETS[1])], [lower(broken)])
    assert (primary.role, primary.trouble, primary.lag) == ("PRIMARY", "", None)
    assert isinstance(follower.lag, Unknown)
    assert 'error connecting to source "vt_repl@10.2.0.101:3306"' in follower.trouble
    (_, unheard) = vitess.tablets([lower(TABLETS[0]), lower(TABLETS[1])], [lower(replica(102, "-80", "-1", ""))])
    assert unheard.lag == Unknown("the gateway had no answer from the tablet")


def test_the_words_of_older_versions() -> None:
    old = {**tablet(101, "0", "MASTER"), "MasterTermStartTime": "2020-01-01T00:00:01Z"}
    del old["PrimaryTermStartTime"]
    (primary, follower) = vitess.tablets([lower(tablet(102, "0", "REPLICA")), lower(old)], Unknown("syntax error"))
    assert (primary.role, follower.source) == ("PRIMARY", primary.name)
    assert follower.lag == Unknown("syntax error")


async def test_what_a_gateway_cannot_tell_is_unknown_and_not_asked() -> None:
    session = gateway(**{"SHOW VITESS_TABLETS": ServerError("VT09005: no database selected", "3D000/1046")})
    found = await look(session)
    assert isinstance(found.sessions, Unknown)
    assert isinstance(found.locks, Unknown)
    assert isinstance(found.standing.peers, Unknown)
    assert session.sent == ["SHOW VITESS_TABLETS"], "nothing that one tablet would answer for all"


def test_a_gateway_does_not_enforce_read_only() -> None:
    facts = gateway().facts
    assert not enforces(facts)
    assert not enforces(FakeSession(Engine.VITESS, (8,), {}, read_only="asked for").facts)
    assert enforces(FakeSession(Engine.MYSQL, (8,), {}, read_only="asked for").facts)


def test_gateways_see_the_same_tablets_once() -> None:
    peers = vitess.tablets([lower(one) for one in TABLETS], [lower(one) for one in STATUS])
    standing = vitess.Standing(None, True, peers=peers)
    names = [one.name for one in topology([report("gate-0", standing), report("gate-1", standing)], {})]
    assert len(names) == len(set(names)) == 2 + len(TABLETS)


def lower(record: dict[str, str | None]) -> dict[str, str | None]:
    return {name.lower(): value for name, value in record.items()}
