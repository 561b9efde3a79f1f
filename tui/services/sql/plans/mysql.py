"""The JSON of MySQL (both versions of it) and MariaDB, and MySQL's tree of text."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from tui.services.sql.plans.model import NotAPlan, Plan, PlanNode, misjudged, own, reads_all

_ACCESS = {
    "ALL": "full scan",
    "index": "full index scan",
    "range": "index range scan",
    "ref": "index lookup",
    "eq_ref": "unique index lookup",
    "ref_or_null": "index lookup, or NULL",
    "const": "constant row",
    "system": "constant row",
    "index_merge": "index merge",
    "fulltext": "full-text search",
    "unique_subquery": "unique index lookup in a subquery",
    "index_subquery": "index lookup in a subquery",
    "hash_ALL": "hashed full scan",
    "hash_index": "hashed full index scan",
}
#: Objects that describe the step they stand in, and are none themselves.
_FACTS = frozenset(
    ("cost_info", "r_engine_stats", "r_icp_stats", "query_optimization", "rowid_filter", "attached_conditions_summary")
)
_TOLD = frozenset(
    ("table_name", "access_type", "key", "rows", "r_rows", "r_loops", "r_table_time_ms", "r_other_time_ms",
     "r_total_time_ms", "rows_examined_per_scan", "rows_produced_per_join", "select_id", "r_output_rows", "message")
)  # fmt: skip


def parse_json(text: str) -> Plan:
    """Reads the one cell of EXPLAIN FORMAT=JSON or MariaDB's ANALYZE FORMAT=JSON.

    Raises:
        NotAPlan: it is something else.
    """
    try:
        whole = json.loads(text)
        if "query_plan" in whole or "operation" in whole:  # MySQL, explain_json_format_version 2
            roots = [_second(whole.get("query_plan", whole))]
        else:
            roots = _steps("query_block", whole["query_block"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise NotAPlan("not a plan of MySQL's or MariaDB's in JSON") from error
    block = whole.get("query_block", {})
    planning = whole.get("query_optimization", {}).get("r_total_time_ms")
    return Plan(tuple(roots), planning, _number(block.get("r_total_time_ms")), (), text)


def _steps(name: str, raw: Mapping[str, Any]) -> list[PlanNode]:
    """The steps that an object stands for: one with its children, or those alone if there is nothing to say of it."""
    children, details, warnings = list[PlanNode](), list[tuple[str, str]](), list[str]()
    for key, value in raw.items():
        if isinstance(value, Mapping) and key not in _FACTS:
            children += _steps(key, value)
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            for one in value:
                children += _steps(key, one)
        elif key not in _TOLD and not isinstance(value, Mapping):
            details.append((key, ", ".join(map(str, value)) if isinstance(value, list) else str(value)))
    if name == "table":
        return [_table(raw, details, tuple(children))]
    if name in ("nested_loop", "query_specifications") or (name.endswith("subqueries") and len(children) == 1):
        return children
    if raw.get("r_sort_passes"):
        warnings.append(f"sorts on disk in {raw['r_sort_passes']} passes: sort_buffer_size was too small")
    label = name.replace("_", " ")
    if name == "query_block":
        label = f"select #{raw.get('select_id', '?')}" if "select_id" in raw else "select"
        if message := raw.get("message"):
            details.append(("message", str(message)))
    below = tuple(children)
    total = _number(raw.get("r_total_time_ms"))
    if name != "query_block" and (total is not None or any(child.total_ms is not None for child in below)):
        # A sort's time is told without that of what it sorts.
        total = (total or 0.0) + sum(child.total_ms or 0.0 for child in below)
    cost = _number((raw.get("cost_info") or {}).get("query_cost") or raw.get("cost"))
    return [
        PlanNode(
            label, str(raw.get("table_name", "")), tuple(details), None, _number(raw.get("r_output_rows")),
            _whole(raw.get("r_loops")), cost, total, own(total, below), None, tuple(warnings), below,
        )
    ]  # fmt: skip


def _table(raw: Mapping[str, Any], details: list[tuple[str, str]], children: tuple[PlanNode, ...]) -> PlanNode:
    access = str(raw.get("access_type", ""))
    name, key = str(raw.get("table_name", "")), raw.get("key")
    rows = _number(raw.get("rows", raw.get("rows_examined_per_scan")))
    actual, loops = _number(raw.get("r_rows")), _whole(raw.get("r_loops"))
    times = [_number(raw.get(one)) for one in ("r_table_time_ms", "r_other_time_ms", "r_total_time_ms")]
    spent = sum(one for one in times if one is not None) if any(one is not None for one in times) else None
    total = spent + sum(child.total_ms or 0.0 for child in children) if spent is not None else None
    filtered = _number(raw.get("r_filtered"))
    removed = actual * (100 - filtered) / 100 if actual is not None and filtered is not None else None
    warnings = [misjudged(rows, actual, loops)]
    if access in ("ALL", "hash_ALL") and not name.startswith("<"):
        warnings.append(reads_all(actual if actual is not None else rows, name))
        if raw.get("using_join_buffer"):
            warnings.append(f"{name} is joined without an index")
    cost = _number((raw.get("cost_info") or {}).get("prefix_cost") or raw.get("cost"))
    label = _ACCESS.get(access, access) or str(raw.get("message", "table"))
    return PlanNode(
        label, f"{name} by {key}" if key else name, tuple(details), rows, actual, loops, cost, total, spent, removed,
        tuple(one for one in warnings if one), children,
    )  # fmt: skip


def _second(raw: Mapping[str, Any]) -> PlanNode:
    """MySQL's second form: the tree itself, with `operation` in the words of FORMAT=TREE."""
    children = tuple(_second(one) for one in (*raw.get("inputs", ()), *raw.get("inputs_from_select_list", ())))
    rows, actual = _number(raw.get("estimated_rows")), _number(raw.get("actual_rows"))
    loops, each = _whole(raw.get("actual_loops")), _number(raw.get("actual_last_row_ms"))
    total = each * loops if each is not None and loops is not None else None
    told = ("operation", "inputs", "estimated_rows", "actual_rows", "actual_loops", "actual_last_row_ms")
    details = tuple(
        (key, str(value)) for key, value in raw.items() if key not in told and not isinstance(value, (list, Mapping))
    )
    label = str(raw.get("operation", raw.get("access_type", "?")))
    return PlanNode(
        label, "", details, rows, actual, loops, _number(raw.get("estimated_total_cost")), total, own(total, children),
        None, _tree_warnings(label, rows, actual, loops), children,
    )  # fmt: skip


_NUMBER = r"[\d.]+(?:e[+-]?\d+)?"
_LINE = re.compile(
    rf"(?P<indent> *)-> (?P<label>.*?)"
    rf"(?: +\((?:cost=(?P<first>{_NUMBER})(?:\.\.(?P<cost>{_NUMBER}))? )?rows=(?P<rows>{_NUMBER})\))?"
    rf"(?: +\((?:actual time={_NUMBER}\.\.(?P<time>{_NUMBER}) rows=(?P<actual>{_NUMBER}) loops=(?P<loops>\d+)"
    r"|(?P<never>never executed))\))?$"
)


def parse_tree(text: str) -> Plan:
    """Reads EXPLAIN FORMAT=TREE (MySQL 8.0.16 on) or EXPLAIN ANALYZE (8.0.18 on).

    Raises:
        NotAPlan: it is something else.
    """
    levels = list[tuple[int, re.Match[str], list[PlanNode]]]()
    roots = list[PlanNode]()

    def close(to: int) -> None:
        while levels and levels[-1][0] >= to:
            _, match, children = levels.pop()
            (levels[-1][2] if levels else roots).append(_tree_node(match, tuple(children)))

    for line in text.splitlines():
        if match := _LINE.fullmatch(line.rstrip()):
            close(len(match["indent"]))
            levels.append((len(match["indent"]), match, []))
    close(0)
    if not roots:
        raise NotAPlan("not a tree of MySQL's")
    return Plan(tuple(roots), None, roots[0].total_ms, (), text)


def _tree_node(match: re.Match[str], children: tuple[PlanNode, ...]) -> PlanNode:
    rows, actual, each = (_number(match[name]) for name in ("rows", "actual", "time"))
    loops = 0 if match["never"] else _whole(match["loops"])
    total = each * loops if each is not None and loops is not None else None
    return PlanNode(
        match["label"], "", (), rows, actual, loops, _number(match["cost"] or match["first"]), total,
        own(total, children), None, _tree_warnings(match["label"], rows, actual, loops), children,
    )  # fmt: skip


def _tree_warnings(label: str, rows: float | None, actual: float | None, loops: int | None) -> tuple[str, ...]:
    found = [misjudged(rows, actual, loops)]
    if label.startswith("Table scan on ") and "<" not in label:
        found.append(reads_all(actual if actual is not None else rows, label.removeprefix("Table scan on ")))
    return tuple(one for one in found if one)


def _number(value: object) -> float | None:
    try:
        return float(str(value))
    except ValueError:
        return None


def _whole(value: object) -> int | None:
    number = _number(value)
    return None if number is None else int(number)
