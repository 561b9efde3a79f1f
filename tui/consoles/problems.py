"""A problem as consoles tell it: what happened, the other side's own words, and what to do next."""

from __future__ import annotations

from tui.problem import Problem
from tui.widgets.lines import Line


def lines_of(problem: Problem, *, remedy_first: bool = False) -> list[Line]:
    """As lines to read.

    Args:
        problem: what went wrong.
        remedy_first: what to do before the evidence, where there may be no room for all of it.
    """
    what = Line((("✗ ", "failing"), (problem.what, "failing")), hang=2)
    evidence = [Line((("  ", ""), (line, "dim")), hang=2) for line in problem.evidence.splitlines()]
    remedy = [Line((("  ", ""), (problem.remedy, "")), hang=2)] if problem.remedy else []
    return [what, *remedy, *evidence] if remedy_first else [what, *evidence, *remedy]


def text_of(problem: Problem) -> str:
    """As a text to read and copy."""
    return "\n\n".join(part for part in (problem.what, problem.evidence, problem.remedy) if part)
