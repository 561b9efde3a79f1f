"""The head of a console: role, lag and whether writes are taken, as the server said last."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tui.consoles.sql.headline import _place, read_only
from tui.services.sql.model import Engine, Facts, Options
from tui.systems.model import Role
from tui.systems.observed import SOURCE


def workload(role: Role | None, lag: str = "") -> Any:
    return SimpleNamespace(members=[SimpleNamespace(pod="mysql-1", role=role, lag=lag, note="")])


def place(replica: bool | None, role: Role | None, lag: str = "") -> tuple[str, str]:
    (part,) = _place("mysql-1", replica, "mysql", workload(role, lag))
    return "".join(text for text, _ in part.long).strip(), "".join(text for text, _ in part.short).strip()


@pytest.mark.parametrize(
    ("replica", "role", "lag", "long", "short"),
    [
        (True, Role("replica", False, SOURCE), "3 s behind", "on mysql-1 replica, 3 s behind", "mysql-1 replica, 3 s"),
        (True, Role("replica", False, SOURCE), "lag unknown: its IO thread is off",
         "on mysql-1 replica, lag unknown: its IO thread is off", "mysql-1 replica, lag ?"),
        (False, Role("primary", True, SOURCE), "", "on mysql-1 primary ▲", "mysql-1 primary"),
        # A failover since the session began.
        (False, Role("replica", False, SOURCE), "0 s behind", "on mysql-1 replica, 0 s behind", "mysql-1 replica, 0 s"),
        # What only a label says does not go before what the server said at the beginning.
        (False, Role("replica", False, "label role"), "", "on mysql-1 primary ▲", "mysql-1 primary"),
        (None, Role("node", None, "all members are alike"), "", "on mysql-1 node", "mysql-1 node"),
    ],
)  # fmt: skip
def test_role_and_lag(replica: bool | None, role: Role, lag: str, long: str, short: str) -> None:
    assert place(replica, role, lag) == (long, short)


def test_a_server_that_was_turned_is_read_only_in_the_head() -> None:
    facts = Facts(Engine.MYSQL, "8.4", (8, 4), "mysql-1", False, "", "off", "", "root", 1)
    connection: Any = SimpleNamespace(facts=facts, options=Options())
    assert read_only(connection, workload(Role("primary", True, SOURCE))) == ""
    assert read_only(connection, workload(Role("replica", False, SOURCE))) == "the server takes no writes now"
    assert read_only(connection, workload(Role("replica", False, "label role"))) == ""
