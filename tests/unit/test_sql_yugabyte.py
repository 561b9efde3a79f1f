"""What a tablet server of YugabyteDB says, on recorded answers in the shapes of its documentation."""

from __future__ import annotations

from typing import Any

from sql_answers import FakeSession

from tui.services.sql.model import Engine, ServerError
from tui.services.sql.operations.looking import look
from tui.services.sql.operations.model import Unknown, Verdict
from tui.services.sql.operations.topology import topology
from tui.systems import sqlwords


def server(number: int, *, here: bool = False, kind: str = "primary") -> dict[str, str | None]:
    return {
        "host": f"10.3.0.{number}", "port": "5433", "num_connections": "0", "node_type": kind, "cloud": "aws",
        "region": "west", "zone": f"zone-{number}", "uuid": f"u{number}", "here": str(here).lower(),
    }  # fmt: skip


ANSWERS: dict[str, Any] = {
    "SELECT host, port": [server(1, here=True), server(2), server(3, kind="readreplica")],
    "SELECT state, count": [
        {"state": "TABLET_DATA_COPYING", "many": "2"},
        {"state": "TABLET_DATA_READY", "many": "40"},
    ],
    "SELECT coalesce(leader": [{"leader": "", "many": "1"}, {"leader": "10.3.0.1:5433", "many": "24"}],
    "SELECT count(*)::text AS used": [{"used": "290", "most": "300", "longest": "4000"}],
    "SELECT count(*)::text AS many, string_agg": [{"many": "3", "superusers": "postgres, yugabyte"}],
}


async def test_servers_tablets_and_roles() -> None:
    found = await look(FakeSession(Engine.YUGABYTEDB, (15, 2), ANSWERS, "yb-tserver-0"))  # type: ignore[arg-type]
    assert (found.standing.replica, found.standing.writes, found.standing.identity) == (None, True, "u1")
    addresses = {f"yb-tserver-{number}": f"10.3.0.{number + 1}" for number in range(3)}
    assert [(one.name, sqlwords.place_role(one), one.depth) for one in topology([found], addresses)] == [
        ("yb-tserver-0", "node", 0), ("yb-tserver-1", "", 0), ("yb-tserver-2", "readreplica", 0),
    ]  # fmt: skip
    checks = {check.key: check for check in found.checks}
    assert checks["servers"].says == "1 in aws.west.zone-1, 1 in aws.west.zone-2, 1 in aws.west.zone-3"
    assert (checks["tablets"].value, checks["tablets"].says) == (40.0, "2 copying")
    assert (checks["leaders"].value, checks["leaders"].verdict) == (1.0, Verdict.BAD)
    assert "24 at 10.3.0.1:5433" in checks["leaders"].says
    assert checks["connections"].verdict is Verdict.BAD
    assert checks["longest-transaction"].verdict is Verdict.BAD
    assert checks["roles"].says == "superusers: postgres, yugabyte"


async def test_a_read_replica_refuses_and_older_versions_say_what_they_lack() -> None:
    gone = ServerError('relation "yb_tablet_metadata" does not exist', "42P01")
    answers = {
        **ANSWERS,
        "SELECT host, port": [server(3, here=True, kind="readreplica")],
        "SELECT coalesce(leader": gone,
    }
    found = await look(FakeSession(Engine.YUGABYTEDB, (11, 2), answers, "yb-tserver-2"))  # type: ignore[arg-type]
    assert found.standing.writes is False
    leaders = next(check for check in found.checks if check.key == "leaders")
    assert isinstance(leaders.value, Unknown)
    assert "this version has it not" in leaders.value.because
