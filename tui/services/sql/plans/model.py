"""A plan as a tree, whoever made it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

#: An estimate this many times off misleads the planner about what is around it.
OFF = 100
#: From this many rows on, reading a whole table deserves a word.
MANY = 10_000


@dataclass(frozen=True, slots=True)
class PlanNode:
    """One step of a plan. Figures are None where the server did not tell them.

    Attributes:
        label: the step in the server's words (`Hash Join`, `index lookup`).
        target: the relation and index that it reads, empty for none.
        details: conditions and further facts by name, in the server's words: text from outside.
        rows: estimated rows, for each run of the step.
        actual: rows that came, for each run.
        loops: runs of it; 0 when it was never run.
        cost: estimated, up to its last row; in the server's unit.
        total_ms: milliseconds in all its runs, with what is below it.
        own_ms: without what is below it.
        removed: rows read and thrown away by a condition, for each run.
        warnings: sentences on what is likely wrong here.
        children: the steps that it gets rows from.
    """

    label: str
    target: str = ""
    details: tuple[tuple[str, str], ...] = ()
    rows: float | None = None
    actual: float | None = None
    loops: int | None = None
    cost: float | None = None
    total_ms: float | None = None
    own_ms: float | None = None
    removed: float | None = None
    warnings: tuple[str, ...] = ()
    children: tuple[PlanNode, ...] = ()

    def walk(self, depth: int = 0) -> Iterator[tuple[int, PlanNode]]:
        """This step and all below it with their depths, as they are shown from top to bottom."""
        todo = [(depth, self)]
        while todo:
            level, node = todo.pop()
            yield level, node
            todo += [(level + 1, child) for child in reversed(node.children)]


@dataclass(frozen=True, slots=True)
class Plan:
    """What EXPLAIN told.

    Attributes:
        roots: usually one.
        planning_ms: time that planning took.
        execution_ms: time that execution took; None when nothing was executed.
        facts: what is said of the plan as a whole, by name.
        text: the answer itself, for showing as it came.
    """

    roots: tuple[PlanNode, ...]
    planning_ms: float | None = None
    execution_ms: float | None = None
    facts: tuple[tuple[str, str], ...] = ()
    text: str = field(default="", repr=False)

    @property
    def warnings(self) -> tuple[tuple[PlanNode, str], ...]:
        """All warnings with their steps."""
        return tuple((node, one) for root in self.roots for _, node in root.walk() for one in node.warnings)


class NotAPlan(ValueError):
    """The answer is in no form that is known here; it can still be shown as text."""


def misjudged(rows: float | None, actual: float | None, loops: int | None) -> str:
    """A sentence if an estimate is far off, else empty. A step that never ran proves nothing."""
    if rows is None or actual is None or not loops:
        return ""
    many, few = max(rows, actual), max(min(rows, actual), 1.0)
    # A small number is small, whatever was expected: 1 row in place of 100 costs nothing.
    if many / few < OFF or many < MANY / 10:
        return ""
    where = "more" if actual > rows else "fewer"
    return f"{many / few:,.0f} times {where} rows than estimated: statistics may be missing or old"


def reads_all(read: float | None, what: str) -> str:
    """A sentence if a whole table of many rows is read."""
    return f"reads all of {what}: {read:,.0f} rows" if read is not None and read >= MANY else ""


def own(total: float | None, children: tuple[PlanNode, ...]) -> float | None:
    """The time of a step without that of its children."""
    if total is None:
        return None
    return max(0.0, total - sum(child.total_ms or 0.0 for child in children))
