"""A SQL session that answers with what was written down, for what operators ask."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from tui.services.sql.model import (
    Column,
    Columns,
    Done,
    Engine,
    Event,
    Facts,
    Rows,
    ServerError,
    Transaction,
    Wire,
)
from tui.services.sql.operations import mysql_groups, mysql_replication
from tui.services.sql.operations.model import Report, Standing, Unknown

Answers = Mapping[str, Sequence[Mapping[str, str | None]] | ServerError]
DENIED = ServerError("Access denied; you need (at least one of) the PROCESS privilege(s)", "42000/1227")
SYNTAX = ServerError("You have an error in your SQL syntax", "42000/1064")


class FakeSession:
    """Answers statements by how they begin; what is not written down is refused as unknown to the version."""

    def __init__(
        self, engine: Engine, number: tuple[int, ...], answers: Answers, member: str = "db-0", *, read_only: str = ""
    ) -> None:
        mysql_like = engine in (Engine.MYSQL, Engine.MARIADB, Engine.VITESS)
        self.wire = Wire.MYSQL if mysql_like else Wire.POSTGRES
        version = ".".join(map(str, number))
        self.facts = Facts(engine, version, number, member, None, read_only, "off", "shop", "root", 99)
        self.transaction = Transaction.NONE
        self.sent: list[str] = []
        self.closed = False
        self._answers = answers

    async def run(self, statement: str, *, batch: int = 1000) -> AsyncIterator[Event]:
        self.sent.append(statement)
        for start, answer in self._answers.items():
            if statement.startswith(start):
                if isinstance(answer, ServerError):
                    raise answer
                names = list(answer[0]) if answer else []
                yield Columns(tuple(Column(name, "text") for name in names))
                yield Rows([tuple(row.values()) for row in answer])
                yield Done("SELECT", len(answer), 0.0)
                return
        raise SYNTAX if self.wire is Wire.MYSQL else ServerError("column does not exist", "42703")

    async def cancel(self) -> None: ...

    async def alive(self) -> bool:
        return not self.closed

    async def close(self) -> None:
        self.closed = True


def variables(**values: str) -> list[dict[str, str | None]]:
    return [{"Variable_name": name, "Value": value} for name, value in values.items()]


async def stand(engine: Engine, number: tuple[int, ...], answers: Answers, member: str = "mysql-1") -> Standing:
    return await stand_of(FakeSession(engine, number, {"SHOW PROCESSLIST": [], **answers}, member))


async def stand_of(session: Any) -> Standing:
    values = await mysql_replication.variables(session)
    group = await mysql_groups.group(session, {} if isinstance(values, Unknown) else values)
    return await mysql_replication.standing(session, values, group)


def report(member: str, standing: Standing, engine: Engine = Engine.MARIADB) -> Report:
    return Report(member, engine, "1", "1", "off", standing, (), (), (), (), 0.0, 0.1)
