"""The keys on the lower edge of the selected pane: those of its console where there is room, and only where one is."""

from __future__ import annotations

import pytest
from fakes import NOW, sample

from tui.screens.overview import pane
from tui.widgets.columns import width_of


def edge(width: int, *, console: bool, selected: bool = True, workload: int = 0) -> str:
    drawn = pane.lines(sample()[workload], pane.Look(width, selected, console=console), NOW)
    assert all(sum(width_of(text) for text, _ in line) == width for line in drawn)
    return "".join(text for text, _ in drawn[-1])


def test_a_database_tells_the_keys_of_its_console() -> None:
    assert "s SQL  S facts  ⏎ open" in edge(120, console=True)
    assert "SQL" not in edge(120, console=False)
    assert "SQL" not in edge(120, console=True, selected=False)


@pytest.mark.parametrize("width", range(20, 121))
def test_the_edge_is_never_wider_than_its_pane_and_opening_stays_told(width: int) -> None:
    for workload in range(len(sample())):
        said = edge(width, console=True, workload=workload)
        assert "⏎ open" in said
        # What the edge says without the keys it says with them: they give way, never the state.
        without = edge(width, console=False, workload=workload)
        assert without.split("⏎")[0].rstrip(" ─━┗╰") in said
