"""CockroachDB's tree of text, as EXPLAIN and EXPLAIN ANALYZE print it. Written after its documentation."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tui.services.sql.plans.model import NotAPlan, Plan, PlanNode, misjudged, reads_all

_COUNT = re.compile(r"[\d,]+")
_TIME = re.compile(r"([\d.]+)(ns|µs|us|ms|s|m)(?![a-z])")
_UNITS = {"ns": 1e-6, "µs": 1e-3, "us": 1e-3, "ms": 1.0, "s": 1e3, "m": 60e3}
_BULLET = "• "


class _Step:
    def __init__(self, column: int, label: str) -> None:
        self.column, self.label = column, label
        self.facts: list[tuple[str, str]] = []
        self.children: list[PlanNode] = []


def parse(lines: Sequence[str]) -> Plan:
    """Reads the answer's rows, one line each.

    Raises:
        NotAPlan: there is no step in them.
    """
    head, roots, open_ = list[tuple[str, str]](), list[PlanNode](), list[_Step]()

    def close(to: int) -> None:
        while open_ and open_[-1].column >= to:
            step = open_.pop()
            (open_[-1].children if open_ else roots).append(_node(step))

    for line in lines:
        column = line.find(_BULLET)
        if column >= 0 and not line[:column].strip(" │├└─"):
            close(column)
            open_.append(_Step(column, line[column + len(_BULLET) :].strip()))
            continue
        name, colon, value = line.strip(" │").partition(":")
        if colon:
            (open_[-1].facts if open_ else head).append((name.strip(), value.strip()))
    close(0)
    if not roots:
        raise NotAPlan("not a plan of CockroachDB's")
    told = dict(head)
    return Plan(
        tuple(roots), _ms(told.get("planning time")), _ms(told.get("execution time")), tuple(head), "\n".join(lines)
    )


def _node(step: _Step) -> PlanNode:
    facts = dict(step.facts)
    rows, actual = _count(facts.get("estimated row count")), _count(facts.get("actual row count"))
    if actual is None:
        actual = _count(facts.get("KV rows decoded")) if step.label in ("scan", "revscan") else None
    times = [_ms(facts.get(name)) for name in ("execution time", "KV time")]
    spent = [one for one in times if one is not None]
    full = facts.get("spans", "").startswith("FULL SCAN")
    table = facts.get("table", "")
    warnings = [misjudged(rows, actual, 1 if actual is not None else None)]
    if full and "LIMITED" not in facts["spans"]:
        warnings.append(reads_all(actual if actual is not None else rows, table.partition("@")[0]))
    if "missing stats" in facts:
        warnings.append("there are no statistics for the table")
    details = tuple(one for one in step.facts if one[0] not in ("table", "estimated row count", "actual row count"))
    total = sum(spent) + sum(child.total_ms or 0.0 for child in step.children) if spent else None
    return PlanNode(
        step.label, table, details, rows, actual, 1 if actual is not None else None, None, total,
        sum(spent) if spent else None, None, tuple(one for one in warnings if one), tuple(step.children),
    )  # fmt: skip


def _count(text: str | None) -> float | None:
    found = _COUNT.match(text or "")
    return float(found[0].replace(",", "")) if found and found[0].strip(",") else None


def _ms(text: str | None) -> float | None:
    parts = _TIME.findall(text or "")
    return sum(float(number) * _UNITS[unit] for number, unit in parts) if parts else None
