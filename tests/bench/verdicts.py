"""Tables of figures with the limits that they are held against."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field


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
        self, what: str, values: Sequence[float], unit: str, *, limit: float | None = None, by: str = "median"
    ) -> None:
        """A figure.

        Args:
            what: its name.
            values: one of each round, or of each key.
            unit: of the values.
            limit: the most that it may be; None for a rival's, or one that is only told.
            by: `median`, `p99` or `max`: which of the three the limit is for.
        """
        found = {"median": median(values), "p99": p99(values), "max": max(values)}
        verdict = "" if limit is None else f"{by} ≤ {_shown(limit)}: {'kept' if found[by] <= limit else 'MISSED'}"
        self.missed += verdict.endswith("MISSED")
        cells = (_shown(found[name]) for name in ("median", "p99", "max"))
        self._lines.append((what, *cells, unit, str(len(values)), verdict))

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


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.3f}"
