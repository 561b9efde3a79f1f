"""PostgreSQL's EXPLAIN (FORMAT JSON), also YugabyteDB's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tui.services.sql.plans.model import NotAPlan, Plan, PlanNode, misjudged, own, reads_all

#: Shown by fields of their own, or of no use to a reader.
_TOLD = frozenset(
    ("Node Type", "Plans", "Plan Rows", "Actual Rows", "Actual Loops", "Actual Total Time", "Actual Startup Time",
     "Startup Cost", "Total Cost", "Plan Width", "Parallel Aware", "Async Capable", "Parent Relationship", "Schema",
     "Subplan Name", "CTE Name",
     "Relation Name", "Alias", "Index Name", "Disabled", "Join Type", "Strategy", "Partial Mode", "Scan Direction",
     "Rows Removed by Filter", "Workers")
)  # fmt: skip


def parse(text: str) -> Plan:
    """Reads the one cell of the answer.

    Raises:
        NotAPlan: it is something else.
    """
    try:
        (whole,) = json.loads(text)
        root = _node(whole["Plan"], _Above({}))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise NotAPlan("not a plan of PostgreSQL's in JSON") from error
    facts = [(name, str(value)) for name, value in whole.get("Settings", {}).items()]
    if jit := whole.get("JIT"):
        facts.append(("JIT", f"{jit.get('Functions')} functions, {jit.get('Timing', {}).get('Total')} ms"))
    facts += [
        (f"trigger {one.get('Trigger Name')}", f"{one.get('Time')} ms in {one.get('Calls')} calls")
        for one in whole.get("Triggers", ())
    ]
    return Plan((root,), whole.get("Planning Time"), whole.get("Execution Time"), tuple(facts), text)


@dataclass(frozen=True, slots=True)
class _Above:
    """What is above a step: times of CTEs by name, processes at work, whether a LIMIT may stop it early."""

    ctes: dict[str, float]
    workers: int = 1
    limited: bool = False


def _node(raw: Mapping[str, Any], above: _Above) -> PlanNode:
    loops = raw.get("Actual Loops")
    # Below a Gather the runs of the workers count as loops, at the same time.
    workers = int(raw["Workers Launched"]) + 1 if "Workers Launched" in raw else above.workers
    below = _Above(above.ctes, workers, above.limited or raw["Node Type"] == "Limit")
    children = tuple(_node(child, below) for child in raw.get("Plans", ()))
    each = raw.get("Actual Total Time")
    total = each * loops / max(1, min(above.workers, loops or 1)) if each is not None and loops is not None else None
    # "CTE c: …" is the plan of a CTE, "CTE Scan" its reader.
    theirs = tuple(child for child in children if not child.label.startswith("CTE ") or ": " not in child.label)
    spent = own(total, theirs)
    # A CTE runs as its first reader asks: its time is in that one's, not in that of the step it hangs below.
    if raw["Node Type"] == "CTE Scan" and spent is not None:
        spent = max(0.0, spent - above.ctes.pop(f"CTE {raw.get('CTE Name')}", 0.0))
    elif total is not None and str(raw.get("Subplan Name", "")).startswith("CTE "):
        above.ctes[raw["Subplan Name"]] = total
    details = list(_details(raw))
    if buffers := _buffers(raw):
        details.append(("Buffers", buffers))
    return PlanNode(
        _label(raw),
        _target(raw),
        tuple(details),
        raw.get("Plan Rows"),
        raw.get("Actual Rows"),
        int(loops) if loops is not None else None,
        raw.get("Total Cost"),
        total,
        spent,
        raw.get("Rows Removed by Filter"),
        tuple(_warnings(raw, limited=above.limited)),
        children,
    )


def _label(raw: Mapping[str, Any]) -> str:
    label = str(raw["Node Type"])
    if (join := raw.get("Join Type", "Inner")) != "Inner":
        label = f"{label.removesuffix(' Join')} {join} Join"
    if label == "Aggregate":
        label = {"Hashed": "HashAggregate", "Sorted": "GroupAggregate", "Mixed": "MixedAggregate"}.get(
            raw.get("Strategy", ""), label
        )
    if raw.get("Partial Mode", "Simple") != "Simple":
        label = f"{raw['Partial Mode']} {label}"
    if raw.get("Scan Direction") == "Backward":
        label += " Backward"
    if raw.get("Parallel Aware"):
        label = f"Parallel {label}"
    name = raw.get("Subplan Name")
    return f"{name}: {label}" if name else label


def _target(raw: Mapping[str, Any]) -> str:
    name = raw.get("Relation Name") or raw.get("CTE Name") or raw.get("Function Name") or ""
    if name and raw.get("Schema"):
        name = f"{raw['Schema']}.{name}"
    alias = raw.get("Alias")
    if name and alias and alias != raw.get("Relation Name"):
        name += f" {alias}"
    if index := raw.get("Index Name"):
        name = f"{name} by {index}" if name else str(index)
    return str(name)


def _details(raw: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = list[tuple[str, str]]()
    for name, value in raw.items():
        if name in _TOLD or " Blocks" in name or " I/O " in name or value in (0, 0.0, False, [], ""):
            continue
        shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        found.append((name, shown))
    return found


def _buffers(raw: Mapping[str, Any]) -> str:
    """Blocks by where they were, in the words of EXPLAIN's text form."""
    found = list[str]()
    for kind in ("Shared", "Local", "Temp"):
        told = {
            what.lower(): raw[f"{kind} {what} Blocks"]
            for what in ("Hit", "Read", "Dirtied", "Written")
            if raw.get(f"{kind} {what} Blocks")
        }
        if told:
            found.append(f"{kind.lower()} " + " ".join(f"{what}={count}" for what, count in told.items()))
    return ", ".join(found)


def _warnings(raw: Mapping[str, Any], *, limited: bool) -> list[str]:
    loops, actual, kind = raw.get("Actual Loops"), raw.get("Actual Rows"), str(raw["Node Type"])
    # Below a LIMIT a step is stopped early: fewer rows than estimated say nothing.
    stopped = limited and actual is not None and actual < raw.get("Plan Rows", 0)
    found = ["" if stopped else misjudged(raw.get("Plan Rows"), actual, int(loops) if loops is not None else None)]
    if kind == "Seq Scan":
        read = (actual if actual is not None else raw.get("Plan Rows", 0)) + raw.get("Rows Removed by Filter", 0)
        found.append(reads_all(read, str(raw.get("Relation Name", "a table"))))
    if raw.get("Sort Space Type") == "Disk":
        found.append(f"sorts on disk: {raw.get('Sort Space Used')} kB did not fit into work_mem")
    if raw.get("Hash Batches", 1) > max(1, raw.get("Original Hash Batches", 1)) or (
        raw.get("Hash Batches", 1) > 1 and raw.get("Temp Written Blocks")
    ):
        found.append(f"the hash table went to disk in {raw['Hash Batches']} parts: it did not fit into work_mem")
    if raw.get("Lossy Heap Blocks"):
        found.append(f"{raw['Lossy Heap Blocks']} blocks were read whole: the bitmap did not fit into work_mem")
    if raw.get("Heap Fetches", 0) >= 1000:
        found.append(f"{raw['Heap Fetches']} rows were looked up in the table all the same: VACUUM is due")
    planned, launched = raw.get("Workers Planned"), raw.get("Workers Launched")
    if planned is not None and launched is not None and launched < planned:
        found.append(f"{launched} of {planned} planned workers were to be had")
    return [one for one in found if one]
