"""Group replication and Galera: members, roles, lag, and the tree they make, on recorded answers.

Neither can be had where these tests run. The shapes are those of MySQL's manual (performance_schema tables of group
replication, 8.0 and 8.4) and of Galera's status variables, with values as such servers give them.
"""

from __future__ import annotations

from typing import Any

import pytest
from sql_answers import Answers, FakeSession, report, stand_of, variables

from tui.problem import Cause, Problem
from tui.services.sql.model import Engine, ServerError
from tui.services.sql.operations import mysql_groups
from tui.services.sql.operations.model import Check, Peer, Silence, Standing, Unknown, Verdict
from tui.services.sql.operations.mysql_groups import checks_of_replication, galera, of_galera
from tui.services.sql.operations.topology import Place, topology
from tui.systems import sqlwords

NAME = "aaaaaaaa-0000-4000-8000-000000000001"


def member(number: int, **more: str | None) -> dict[str, str | None]:
    """A row of the members, the first one being the primary."""
    return {
        "member_id": f"uuid-{number}", "member_host": f"idc-{number}.idc-instances.shop.svc.cluster.local",
        "member_port": "3306", "member_state": "ONLINE", "member_role": "SECONDARY" if number else "PRIMARY",
        "member_version": "8.4.3", "behind": "0", **more,
    }  # fmt: skip


def answers(number: int, *members: dict[str, str | None], late: str | None = None) -> Answers:
    """What a member of a group answers that sees these members."""
    secondary = "ON" if number else "OFF"
    return {
        "SHOW GLOBAL VARIABLES": variables(
            read_only=secondary, super_read_only=secondary, server_uuid=f"uuid-{number}",
            group_replication_group_name=NAME, gtid_executed=f"{NAME}:1-{90 if number else 100}",
        ),
        "SHOW REPLICA STATUS": [], "SHOW PROCESSLIST": [],
        "SELECT m.member_id": list(members), "SELECT max(TIMESTAMPDIFF": [{"seconds": late}],
    }  # fmt: skip


async def ask(number: int, *members: dict[str, str | None], late: str | None = None) -> Standing:
    return await stand_of(FakeSession(Engine.MYSQL, (8, 4, 3), answers(number, *members, late=late), f"idc-{number}"))


def drawn(places: list[Place]) -> list[tuple[str, int, str, str]]:
    return [(place.name, place.depth, sqlwords.place_role(place), sqlwords.lag(place)) for place in places]


async def test_a_group_is_a_tree_with_roles_and_lag() -> None:
    rows = (member(0), member(1), member(2, behind="12"))
    found = [
        report(f"idc-{number}", await ask(number, *rows, late="4.25" if number == 2 else None), Engine.MYSQL)
        for number in range(3)
    ]
    primary = found[0].standing
    assert (primary.replica, primary.writes, primary.upstreams) == (False, True, ())
    assert (found[1].standing.replica, found[1].standing.writes) == (True, False)
    assert drawn(topology(found, {})) == [
        ("idc-0", 0, "primary", ""), ("idc-1", 1, "secondary", "0 s, 10 transactions"),
        ("idc-2", 1, "secondary", "4 s, 10 transactions"),
    ]  # fmt: skip


async def test_transactions_of_the_group_are_not_errant_on_a_member_that_was_asked_later() -> None:
    rows = (member(0), member(1))
    before = variables(server_uuid="uuid-0", group_replication_group_name=NAME, gtid_executed=f"{NAME}:1-80")
    early = await stand_of(
        FakeSession(Engine.MYSQL, (8, 4, 3), {**answers(0, *rows), "SHOW GLOBAL VARIABLES": before}, "idc-0")
    )
    late = await ask(1, *rows)
    places = topology([report("idc-0", early, Engine.MYSQL), report("idc-1", late, Engine.MYSQL)], {})
    assert [(place.missing, place.errant, place.verdict) for place in places] == [
        (None, None, Verdict.GOOD), (0, 0, Verdict.GOOD),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("mine", "others", "says"),
    [
        ({"member_state": "RECOVERING"}, {}, "RECOVERING"),
        ({"member_state": "ERROR"}, {}, "ERROR"),
        ({}, {"member_state": "UNREACHABLE"}, "without a majority"),
        ({"member_state": "OFFLINE", "member_host": "", "member_port": None}, {}, "START GROUP_REPLICATION"),
    ],
)
async def test_a_member_that_is_not_well_in_its_group(
    mine: dict[str, str | None], others: dict[str, str | None], says: str
) -> None:
    found = await ask(1, member(0, **others), member(1, **mine), member(2, **others))
    assert says in found.trouble
    (place, *_) = [one for one in topology([report("idc-1", found, Engine.MYSQL)], {}) if one.name == "idc-1"]
    assert place.verdict is Verdict.BAD
    assert says in sqlwords.stream(place)
    if isinstance(found.upstreams, tuple) and found.upstreams and not found.upstreams[0].works:
        assert isinstance(place.lag, Unknown), "what has stopped is not 0 s behind"


async def test_a_queue_that_nobody_works_at_is_no_lag_of_zero() -> None:
    found = await ask(1, member(0), member(1, behind="7"))
    assert isinstance(found.upstreams, tuple)
    assert found.upstreams[0].lag == Unknown("7 transactions wait, and none is being applied")


async def test_a_silent_member_is_what_the_others_say_of_it() -> None:
    found = await ask(0, member(0), member(1, member_state="UNREACHABLE"), member(2))
    gone = Silence("idc-1", Problem(Cause.TIMEOUT, "idc-1 did not answer"), 0.0)
    answered = [report("idc-0", found, Engine.MYSQL), gone]
    places = {place.name: place for place in topology(answered, {"idc-2": "10.0.0.3"})}
    assert sqlwords.stream(places["idc-1"]) == "does not answer; its group says UNREACHABLE"
    assert (sqlwords.place_role(places["idc-2"]), sqlwords.stream(places["idc-2"])) == ("secondary", "ONLINE")


async def test_mysql_5_7_tells_no_roles() -> None:
    old = {key: value for key, value in member(0).items() if key not in ("member_role", "member_version")}
    session = FakeSession(Engine.MYSQL, (5, 7, 44), {
        **answers(0, {**old, "member_role": "", "member_version": ""}), "SHOW SLAVE STATUS": []}, "idc-0")  # fmt: skip
    found = await stand_of(session)
    assert (found.replica, found.writes) == (False, True)
    assert any("count_transactions_in_queue" in one for one in session.sent)
    assert not any("applying_transaction" in one for one in session.sent), "it has no such column"


async def test_a_right_that_is_missing_says_so() -> None:
    denied = ServerError("SELECT command denied to user", "42000/1142")
    session: Any = FakeSession(Engine.MYSQL, (8, 4, 3), {**answers(0), "SELECT m.member_id": denied}, "idc-0")
    values = {"group_replication_group_name": NAME}
    group = await mysql_groups.group(session, values)
    assert isinstance(group.peers, Unknown)
    (check,) = checks_of_replication(group)
    assert isinstance(check.value, Unknown)
    assert "right to see it is missing" in check.value.because


async def test_health_of_a_group() -> None:
    async def check(*members: dict[str, str | None]) -> Check:
        session: Any = FakeSession(Engine.MYSQL, (8, 4, 3), answers(0, *members), "idc-0")
        values = {"group_replication_group_name": NAME, "server_uuid": "uuid-0"}
        return checks_of_replication(await mysql_groups.group(session, values))[0]

    assert (await check(member(0), member(1))).verdict is Verdict.GOOD
    some = await check(member(0), member(1, member_state="RECOVERING"), member(2))
    assert (some.verdict, some.value, some.limit) == (Verdict.WARN, 2.0, 3.0)
    assert "idc-1.idc-instances.shop.svc.cluster.local:3306 RECOVERING" in some.says
    assert (await check(member(0), member(1, member_state="UNREACHABLE"))).verdict is Verdict.BAD


# --- Galera

WSREP = {
    "wsrep_cluster_size": "3", "wsrep_cluster_status": "Primary", "wsrep_local_state_comment": "Synced",
    "wsrep_ready": "ON", "wsrep_incoming_addresses": "10.0.0.1:3306,10.0.0.2:3306,10.0.0.3:3306",
    "wsrep_local_index": "1", "wsrep_local_recv_queue": "4", "wsrep_local_recv_queue_avg": "2.5",
    "wsrep_flow_control_paused": "0.25", "wsrep_flow_control_sent": "12", "wsrep_provider_version": "26.4",
    "wsrep_local_cert_failures": "3", "wsrep_local_bf_aborts": "4",
}  # fmt: skip


async def node(**changes: str) -> Standing:
    status = variables(**{**WSREP, **changes})
    told: Answers = {
        "SHOW GLOBAL VARIABLES": variables(wsrep_on="ON", read_only="OFF", server_id="7"),
        "SHOW ALL SLAVES STATUS": [], "SHOW PROCESSLIST": [], "SHOW GLOBAL STATUS LIKE 'wsrep": status,
    }  # fmt: skip
    return await stand_of(FakeSession(Engine.MARIADB, (11, 8), told, "c1-pxc-1"))


async def test_the_nodes_of_galera_are_equals() -> None:
    found = await node()
    assert (found.replica, found.writes, found.trouble) == (None, True, "")
    assert isinstance(found.peers, tuple)
    assert found.peers[1] == Peer("10.0.0.2:3306", "Synced", "", "26.4", 4, here=True, address="10.0.0.2:3306")
    addresses = {"c1-pxc-0": "10.0.0.1", "c1-pxc-1": "10.0.0.2", "c1-pxc-2": "10.0.0.3"}
    places = topology([report("c1-pxc-1", found)], addresses)
    words = [(one.name, sqlwords.place_role(one), sqlwords.lag(one), sqlwords.stream(one)) for one in places]
    assert words == [
        ("c1-pxc-1", "node", "4 to apply", "3 in its group: 2 in the cluster, 1 Synced"),
        ("c1-pxc-0", "", "", "in the cluster"), ("c1-pxc-2", "", "", "in the cluster"),
    ]  # fmt: skip


async def test_nodes_that_call_themselves_auto_are_not_made_up() -> None:
    found = await node(wsrep_incoming_addresses="AUTO,AUTO,AUTO")
    assert isinstance(found.peers, tuple)
    assert [peer.name for peer in found.peers] == ["node 0", "node 1", "node 2"]
    assert [place.name for place in topology([report("c1-pxc-1", found)], {"c1-pxc-1": "10.0.0.2"})] == ["c1-pxc-1"]


@pytest.mark.parametrize(
    ("changes", "writes", "verdict"),
    [
        ({"wsrep_cluster_status": "non-Primary"}, False, Verdict.BAD),
        ({"wsrep_ready": "OFF", "wsrep_local_state_comment": "Joining: receiving State Transfer"}, False, Verdict.BAD),
        ({"wsrep_local_state_comment": "Donor/Desynced"}, True, Verdict.WARN),
        ({}, True, Verdict.GOOD),
    ],
)
async def test_a_node_without_its_cluster(changes: dict[str, str], writes: bool, verdict: Verdict) -> None:
    found = await node(**changes)
    assert (found.writes, bool(found.trouble)) == (writes, verdict is not Verdict.GOOD)
    assert of_galera({**WSREP, **changes})[0].verdict is verdict


def test_flow_control_queue_and_conflicts() -> None:
    quorum, paused, queue, conflicts = of_galera(WSREP)
    assert (quorum.verdict, paused.verdict, paused.value) == (Verdict.GOOD, Verdict.WARN, 25.0)
    assert "this node asked for 12 of the pauses" in paused.says
    assert (queue.value, queue.verdict, conflicts.value) == (4.0, Verdict.NOTE, 7.0)
    assert of_galera({})[1].value == Unknown("the server did not tell it")
    assert galera({}).peers == (Peer("this node", "", "", "", None, here=True),)
