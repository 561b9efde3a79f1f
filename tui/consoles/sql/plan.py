"""A plan as a tree: where the time goes, what was expected and what came, what is likely wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from textual.binding import Binding, BindingType

from tui.services.sql.plans.model import Plan, PlanNode
from tui.text import one_line, safe
from tui.widgets.ink import Piece
from tui.widgets.lines import Line, Lines

#: Cells of a bar, and eighths of a cell.
BAR, _EIGHTHS = 8, " ▏▎▍▌▋▊▉"
#: From this share of the time on a step is worth looking at first, and from this one on at all.
HOT, WARM = 0.5, 0.2


def number(value: float | None) -> str:
    """A count in few cells: `998`, `12.3k`, `4.5M`."""
    if value is None:
        return ""
    for unit in ("", "k", "M", "G"):
        if abs(value) < 1000:
            return f"{value:,.0f}{unit}" if not unit or value >= 100 else f"{value:,.1f}{unit}"
        value /= 1000
    return f"{value:,.0f}T"


def milliseconds(value: float | None) -> str:
    """A time of a step."""
    if value is None:
        return ""
    return f"{value / 1000:,.2f} s" if value >= 1000 else f"{value:,.2f} ms" if value < 10 else f"{value:,.0f} ms"


def bar_of(share: float) -> str:
    """A share of the whole as a bar of `BAR` cells."""
    eighths = round(max(0.0, min(1.0, share)) * BAR * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(BAR)


class PlanView(Lines):
    """The tree of a plan; with measured times a bar of each step's own, else one of its estimated cost."""

    HELP: ClassVar[str] = """Plan
How the server carries a statement out, from the step that gives the answer down to those that read tables. The bar is
the share of the time that a step takes for itself; without measured times it is that of the estimated cost. Behind it
the rows that were estimated and those that came, for each run of the step. d hides and shows the conditions, r shows
the answer as the server gave it."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("d", "details", "Details", id="plan.details"),
        Binding("r", "raw", "As it came", id="plan.raw"),
        Binding("left,h", "sideways(-8)", "Left", show=False, id="plan.left"),
        Binding("right,l", "sideways(8)", "Right", show=False, id="plan.right"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._plan: Plan | None = None
        self._details = True
        self._raw = False

    def show(self, plan: Plan) -> None:
        """Shows a plan from its root."""
        if plan is not self._plan:
            self._plan = plan
            if self._raw:
                self.action_raw()
            self._set(top=True)

    def action_details(self) -> None:
        """Hides or shows conditions and further facts."""
        self._details = not self._details
        self._set()

    def action_raw(self) -> None:
        """Shows the server's answer, or the tree again."""
        self._raw = not self._raw
        self.set_wrap(not self._raw)
        self._set(top=True)

    def on_resize(self) -> None:
        """The steps have another room."""
        super().on_resize()
        self._set()

    def _set(self, *, top: bool = False) -> None:
        if self._plan is None:
            return
        if self._raw:
            lines = [Line(safe(line)) for line in self._plan.text.splitlines()]
        else:
            lines = list(drawn(self._plan, details=self._details, width=self.size.width))
        self.set_lines(lines, top=top)


def drawn(plan: Plan, *, details: bool, width: int) -> Iterator[Line]:
    """The lines of a plan.

    Args:
        plan: what EXPLAIN told.
        details: whether conditions and further facts are told.
        width: of the terminal; on a narrow one the bar of each step stands alone, without its per cent.
    """
    facts = [("planning", milliseconds(plan.planning_ms)), ("execution", milliseconds(plan.execution_ms)), *plan.facts]
    head: list[Piece] = []
    for name, value in facts:
        if value:
            head += [(f"{'   ' if head else ''}{one_line(name)} ", "dim"), (one_line(value), "strong")]
    if plan.execution_ms is None:
        head.append((f"{'   ' if head else ''}estimated, not executed", "dim"))
    yield Line(tuple(head))
    total = sum(_own(node, plan) for root in plan.roots for _, node in root.walk())
    measured = any(node.own_ms is not None for root in plan.roots for _, node in root.walk())
    columns = f" {'TIME' if measured else 'COST':<{BAR}}"
    columns += f"{'':6}{'OWN' if measured else '':>9}  " if width >= 100 else f"{'OWN' if measured else '':>9}  "
    yield Line(((columns + f"{'ROWS est→came' if measured else 'ROWS est':<15} STEP", "dim"),))
    for root in plan.roots:
        yield from _steps(root, plan, total, "", "", details=details, wide=width >= 100)


def _own(node: PlanNode, plan: Plan) -> float:
    if plan.execution_ms is not None or node.own_ms is not None:
        return node.own_ms or 0.0
    return max(0.0, (node.cost or 0.0) - sum(child.cost or 0.0 for child in node.children))


def _steps(
    node: PlanNode, plan: Plan, total: float, lead: str, below: str, *, details: bool, wide: bool
) -> Iterator[Line]:
    """A step, what is told of it, and those below; deep plans are no deeper than the server's own recursion."""
    share = _own(node, plan) / total if total else 0.0
    ink = "bar-full" if share >= HOT else "bar-warn" if share >= WARM else "bar"
    figures: list[Piece] = [(" ", ""), (bar_of(share), ink)]
    if wide:
        figures.append((f"{share:>5.0%} ", "" if share >= WARM else "dim"))
    figures.append((f"{milliseconds(node.own_ms):>9}  ", ""))
    room = sum(len(text) for text, _ in figures) + 16
    rows = number(node.rows)
    off = any("estimated" in each for each in node.warnings)
    if node.loops == 0:
        rows += " never run"
    elif node.actual is not None:
        rows += f"→{number(node.actual)}"
        rows += f" ×{number(node.loops)}" if node.loops and node.loops > 1 else ""
    figures.append((f"{rows:<15} ", "warn" if off else ""))
    step: list[Piece] = [(lead, "frame"), (one_line(node.label), "strong")]
    if node.target:
        step += [(" on ", "dim"), (one_line(node.target), "key")]
    blank: Piece = (" " * room, "")
    yield Line((*figures, *step), room + len(below) + 4, (blank, (below, "frame"), ("    ", "")))
    # What is told of a step stands below it; the line to its children goes through.
    through = below + ("│ " if node.children else "  ")
    left: tuple[Piece, ...] = (blank, (through, "frame"), ("  ", ""))
    hang = room + len(through) + 2
    for warning in node.warnings:
        yield Line((*left, (f"⚠ {one_line(warning)}", "warn")), hang, left)
    if details:
        told = list(node.details)
        if node.removed:
            told.append(("rows removed", number(node.removed)))
        for name, value in told:
            yield Line((*left, (f"{one_line(name)}: ", "dim"), (one_line(value), "")), hang, left)
    for at, child in enumerate(node.children):
        last = at == len(node.children) - 1
        yield from _steps(
            child, plan, total, below + ("└ " if last else "├ "), below + ("  " if last else "│ "),
            details=details, wide=wide,
        )  # fmt: skip
