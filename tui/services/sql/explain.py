"""EXPLAIN: which statement to send, and the answer as one kind of tree whatever the engine."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tui.services.sql.model import Cell, Engine, Row
from tui.services.sql.plans import cockroach, mysql, postgres
from tui.services.sql.plans.model import NotAPlan, Plan

#: EXPLAIN as both kinds of servers write it, with its options.
_EXPLAIN = re.compile(
    r"\s*EXPLAIN\b(?:\s*\([^()]*\)|\s+(?:ANALYZE|VERBOSE|EXTENDED|PARTITIONS)\b|\s+FORMAT\s*=\s*\w+)*\s*",
    re.IGNORECASE,
)


def without_explain(statement: str) -> str:
    """The statement that an EXPLAIN is about; any other one as it is."""
    found = _EXPLAIN.match(statement)
    return statement[found.end() :] if found is not None and statement[found.end() :].strip() else statement


def explaining(statement: str, engine: Engine, number: tuple[int, ...], *, analyze: bool = False) -> str | None:
    """The statement that explains another one.

    Args:
        statement: without its delimiter; of one that is an EXPLAIN already, what it explains.
        engine: who is asked.
        number: its version.
        analyze: the statement is RUN, with all that it does, and measured. Whoever asks for it has confirmed what
            `classify` says of it.

    Returns:
        None where the server cannot measure (MySQL before 8.0.18, Vitess).
    """
    statement = without_explain(statement)
    if engine in (Engine.POSTGRESQL, Engine.YUGABYTEDB):
        options = "ANALYZE, BUFFERS, FORMAT JSON" if analyze else "FORMAT JSON"
        return f"EXPLAIN ({options}) {statement}"
    if engine is Engine.COCKROACHDB:
        return f"EXPLAIN ANALYZE {statement}" if analyze else f"EXPLAIN {statement}"
    if engine is Engine.MARIADB:
        return f"{'ANALYZE' if analyze else 'EXPLAIN'} FORMAT=JSON {statement}"
    if analyze:
        return f"EXPLAIN ANALYZE {statement}" if engine is Engine.MYSQL and number >= (8, 0, 18) else None
    return f"EXPLAIN FORMAT=JSON {statement}"


def read_plan(rows: Sequence[Row]) -> Plan:
    """The answer to any form of EXPLAIN that is read here, told apart by its beginning.

    Raises:
        NotAPlan: it is another form (a table of MySQL's, PostgreSQL's text), to be shown as it came.
    """
    if not rows or not rows[0]:
        raise NotAPlan("the answer is empty")
    first = _text(rows[0][0]).lstrip()
    if first.startswith("["):
        return postgres.parse(_joined(rows))
    if first.startswith("{"):
        return mysql.parse_json(_joined(rows))
    if first.startswith("-> "):
        return mysql.parse_tree("\n".join(_text(row[0]) for row in rows))
    return cockroach.parse([line for row in rows for line in _text(row[0]).splitlines() or [""]])


def _joined(rows: Sequence[Row]) -> str:
    # psql and some proxies give a JSON value line by line.
    return "\n".join(_text(row[0]) for row in rows)


def _text(cell: Cell) -> str:
    return cell.decode("utf-8", "replace") if isinstance(cell, bytes) else cell or ""
