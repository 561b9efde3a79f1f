"""Answers of SQL servers in every state, and the panel over them with nothing behind it."""

from __future__ import annotations

from typing import Any

import pytest
from fakes import HOSTILE, NOW, FakeLive, app_for, sample

from tui.consoles.sql import operations as panel
from tui.problem import Cause, Problem, ProblemError
from tui.services.sql.model import Engine
from tui.services.sql.operations.control import Ending
from tui.services.sql.operations.model import (
    Activity,
    Answer,
    Check,
    Downstream,
    Lock,
    Report,
    Silence,
    Size,
    Standing,
    Unit,
    Unknown,
    Upstream,
    Verdict,
)
from tui.services.sql.operations.topology import Place, topology
from tui.systems.model import Workload

DENIED = Unknown("the right to see it is missing: Access denied; you need the PROCESS privilege (42000/1227)")


def activity(id_: str, *blocked_by: str, **more: Any) -> Activity:
    facts: dict[str, Any] = {
        "user": "app", "client": "10.1.0.9:4711", "database": "shop", "application": "", "state": "Query",
        "seconds": 12.0, "transaction": 40.0, "statement": "UPDATE orders SET total = total + 1 WHERE id = 7",
    } | more  # fmt: skip
    return Activity(id_, blocked_by=blocked_by, waits="a lock" if blocked_by else "", **facts)


def primary(text: str = "") -> Report:
    sessions = (
        activity("31", state="Sleep", seconds=400.0, transaction=420.0, statement=text),
        activity("32", "31"), activity("33", "32", user=text or "batch"),
        activity("34", state="Sleep", transaction=None),
        activity("5", system=True, user="system user", state="Binlog Dump", transaction=None, seconds=9000.0),
    )  # fmt: skip
    return Report(
        "mysql-0", Engine.MARIADB, "11.8.9", "99", "TLSv1.3, not verified",
        Standing(False, True, "", "100", "0-100-45", (), (Downstream("", "10.1.0.8", "sending", "", DENIED, DENIED),)),
        sessions, (Lock("32", ("31",), text or "record of shop.orders index PRIMARY", "X", "X", 12.0),),
        (Size("schema", "shop", 3 << 30, rows=1_200_000), Size("schema", text or "audit", 5 << 20, rows=40),
         Size("table", "shop.orders", 2 << 30, rows=1_000_000), Size("binary logs", "4 files", DENIED)),
        (
            Check("connections", "Connections", 145.0, limit=151.0, verdict=Verdict.BAD, says="12 running"),
            Check("longest-transaction", "Longest transaction", 420.0, Unit.SECONDS, verdict=Verdict.WARN),
            Check("cache", "Read from buffer pool", 99.2, Unit.PERCENT, says=text or "of all pages since the start"),
            Check("history", "History list", DENIED), Check("uptime", "Up for", 90_000.0, Unit.SECONDS),
        ), NOW - 2, 0.03,
    )  # fmt: skip


def replica(text: str = "") -> Report:
    error = text or "IO: error connecting to master 'root@mysql-0.mysql:3306' (2003)"
    stopped = Upstream(
        "mysql-0.mysql:3306", "", "Connecting", "Yes", False, Unknown("its IO thread is Connecting"), None, error
    )
    return Report(
        "mysql-1", Engine.MARIADB, "11.8.9", "98", "off",
        Standing(True, False, "read_only", "101", "0-100-40", (stopped,)),
        DENIED, DENIED, DENIED,
        (Check("replication", "Replication", "stopped", verdict=Verdict.BAD, says=error),), NOW - 2, 0.05,
    )  # fmt: skip


SILENT = Silence("mysql-2", Problem(Cause.ABSENT, "mysql-2 cannot be asked: clone-mysql runs"), NOW - 2)
FULL: tuple[Answer, ...] = (primary(), replica(), SILENT)
EVIL: tuple[Answer, ...] = (primary(HOSTILE), replica(HOSTILE), SILENT)


class FakeOperations:
    """What the panel asks of `Operations`; tests put answers there."""

    answers: tuple[Answer, ...] = ()

    def __init__(self, live: Any, key: str, login: Any = None) -> None:
        del login
        self._live = live
        self.key = key
        self.ended: list[tuple[str, str, Ending]] = []
        self.refuses: Problem | None = None
        self.tell: Any = None
        self.wanted: Any = None
        self.looked = 0

    @property
    def workload(self) -> Workload | None:
        found: Workload | None = self._live.workloads.get(self.key)
        return found

    def places(self) -> list[Place]:
        return topology(self.answers, {})

    async def follow(self, wanted: Any, tell: Any) -> None:
        self.wanted, self.tell = wanted, tell

    async def look(self) -> tuple[Answer, ...]:
        self.looked += 1
        return self.answers

    async def end(self, member: str, activity: Activity, ending: Ending) -> None:
        if self.refuses is not None:
            raise ProblemError(self.refuses)
        self.ended.append((member, activity.id, ending))


def panel_app(monkeypatch: pytest.MonkeyPatch, answers: tuple[Answer, ...], tab: int = 0, **facts: Any) -> Any:
    """The app with the panel of `mysql` in front."""
    monkeypatch.setattr(FakeOperations, "answers", answers)
    monkeypatch.setattr(panel, "Operations", FakeOperations)
    app = app_for(FakeLive(sample()), **facts)

    async def open_panel(pilot: Any) -> None:
        await pilot.pause()
        screen = panel.SqlOperations(app.live, "stateful/mysql/mysql")
        await app.push_screen(screen)
        await pilot.pause()
        screen.action_tab(tab)
        await pilot.pause()

    app.open_panel = open_panel
    return app
