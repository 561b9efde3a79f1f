"""Tables of figures with the limits that they are held against."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NoReturn


def median(values: Sequence[float]) -> float:
    """The value in the middle; of an even number of them the upper one."""
    return sorted(values)[len(values) // 2]


def p99(values: Sequence[float]) -> float:
    """The value that one of a hundred exceeds; of fewer values the largest."""
    return sorted(values)[min(len(values) - 1, int(len(values) * 0.99))]


@dataclass
class Table:
    """Lines of what was measured, printed together at the end.

    Attributes:
        title: what it is of.
        missed: how many limits were not kept.
    """

    title: str
    missed: int = 0
    _lines: list[tuple[str, ...]] = field(default_factory=list)

    def add(
        self,
        what: str,
        values: Sequence[float],
        unit: str,
        *,
        limit: float | None = None,
        least: float | None = None,
        by: str = "median",
    ) -> None:
        """A figure.

        Args:
            what: its name.
            values: one of each round, or of each key.
            unit: of the values.
            limit: the most that it may be; None for a rival's, or one that is only told.
            least: the least that it may be, of a speed.
            by: `median`, `p99` or `max`: which of the three `limit` is for; `least` is for the median.
        """
        found = {"median": median(values), "p99": p99(values), "max": max(values)}
        verdict = ""
        if limit is not None:
            verdict = f"{by} ≤ {_shown(limit)}: {'met' if found[by] <= limit else 'MISSED'}"
        elif least is not None:
            verdict = f"median ≥ {_shown(least)}: {'met' if found['median'] >= least else 'MISSED'}"
        self.missed += verdict.endswith("MISSED")
        cells = (_shown(found[name]) for name in ("median", "p99", "max"))
        self._lines.append((what, *cells, unit, str(len(values)), verdict))

    @property
    def last(self) -> str:
        """The line that was added last, for who waits for the table."""
        return "  ".join(cell for cell in self._lines[-1] if cell) if self._lines else ""

    def print(self) -> None:
        """The table. The load tells how far its wall-clock figures can be trusted."""
        lines = [(self.title, "median", "p99", "max", "", "of", f"load {os.getloadavg()[0]:.1f}"), *self._lines]
        widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
        for line in lines:
            first, *rest = (
                cell.ljust(width) if place in (0, 4, 6) else cell.rjust(width)
                for place, (cell, width) in enumerate(zip(line, widths, strict=True))
            )
            print("  ".join((first, *rest)).rstrip())
        print(flush=True)


def conclude(*tables: Table) -> NoReturn:
    """Prints the tables, says how many limits were missed, and ends the program: with 1 when one was."""
    for table in tables:
        table.print()
    missed = sum(table.missed for table in tables)
    print("all limits met" if not missed else "1 limit missed" if missed == 1 else f"{missed} limits missed")
    raise SystemExit(1 if missed else 0)


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.3f}"
