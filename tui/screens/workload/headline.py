"""Lines of fixed height, and the first two lines of the screen: which workload this is and how it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from tui.screens.workload.view import View, listed
from tui.systems.model import Health, brief
from tui.widgets.columns import fit, width_of
from tui.widgets.ink import Cell, Piece, inks
from tui.widgets.signs import sign
from tui.widgets.strips import strip_of


@dataclass(frozen=True, slots=True)
class Sides:
    """A line: what stands at its left is cut when there is no room, what stands at its right is not."""

    left: Cell = ""
    right: Cell = ""


class Sheet(Widget):
    """A few lines that do not scroll; only those that changed are repainted."""

    DEFAULT_CSS = """
    Sheet { height: 1; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.auto_links = False
        self._sides: tuple[Sides, ...] = ()

    @property
    def sides(self) -> tuple[Sides, ...]:
        """The lines."""
        return self._sides

    def set_sides(self, sides: Sequence[Sides]) -> None:
        """Shows these lines."""
        before, self._sides = self._sides, tuple(sides)
        for y in range(max(len(before), len(self._sides))):
            if before[y : y + 1] != self._sides[y : y + 1]:
                self.refresh(Region(0, y, self.size.width, 1))

    def render_line(self, y: int) -> Strip:
        """One line: the right side first, the left side in what remains."""
        width = self.size.width
        ground = Style(bgcolor=self.background_colors[1].rich_color)
        if y >= len(self._sides):
            return Strip.blank(width, ground)
        sides = self._sides[y]
        right = width_of(sides.right)
        room = max(0, width - right - 2)
        pieces: list[Piece] = [(" ", ""), *fit(sides.left, room), (" ", "")]
        if right:
            pieces += fit(sides.right, max(0, min(right, width - 2)))
        return strip_of(pieces, inks(self.app), ground, width)


def headline(view: View) -> tuple[Sides, Sides]:
    """Which workload this is; how it was installed, and what goes on with it."""
    workload = view.workload
    packaging = f"{workload.packaging}  {workload.version}".strip()
    first = Sides(
        (
            sign(workload.health),
            (f" {workload.name}", "strong"),
            (f" · {workload.title}", ""),
            ("   ", ""),
            (workload.namespace, "accent"),
            ("   ", ""),
            *listed([(packaging, ""), (workload.owner.text, "dim")], "   "),
        ),
        (*view.forwards, (f"{workload.ready}/{workload.desired} ready ", workload.health.value)),
    )
    return first, Sides(_second(view))


def _second(view: View) -> Cell:
    workload = view.workload
    pieces: list[Piece] = []
    if workload.why:
        pieces.append((workload.why, workload.health.value if workload.health is not Health.READY else "warn"))
    for rollout in workload.rollouts:
        short = rollout.to_revision.rsplit("-", 1)[-1]
        pieces.append((f"rolling to {short}: {rollout.updated}/{rollout.total}", "starting"))
        if rollout.stuck:
            pieces.append((f"stuck: {rollout.stuck}", "failing"))
    if workload.warnings:
        count = len(workload.warnings)
        worst = min(workload.warnings, key=lambda warning: not warning.alarms)
        mark, ink = ("⚠", "warn") if worst.alarms else ("·", "dim")
        pieces.append((f"{mark} {worst.text}" + (f" and {count - 1} more" if count > 1 else ""), ink))
    if workload.operator_status:
        pieces.append((f"its operator says “{workload.operator_status}”", "dim"))
    pieces.append((brief(workload.stands_in), "dim"))
    return (("  ", ""), *listed(pieces, "   "))


class TabLine(Sheet):
    """The names of the tabs, each with its key; the one that is open stands out."""

    class Chosen(Message):
        """A tab was clicked."""

        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._ends: list[int] = []

    def set_tabs(self, names: Sequence[tuple[str, str]], active: int) -> None:
        """Shows the tabs: their names, and after each a count or a mark."""
        roomy = self.size.width >= 70
        pieces: list[Piece] = []
        self._ends = []
        at = 1
        for index, (name, note) in enumerate(names):
            open_now = index == active
            text = f" {name} " if not note or not roomy else f" {name} {note} "
            number = f" {index + 1}"
            pieces += [(number, "match" if open_now else "dim"), (text, "match" if open_now else ""), (" ", "")]
            at += len(number) + len(text) + 1
            self._ends.append(at)
        self.set_sides([Sides(tuple(pieces))])

    def on_click(self, event: events.Click) -> None:
        """A click on a name opens the tab."""
        for index, end in enumerate(self._ends):
            if event.x < end:
                self.post_message(self.Chosen(index))
                return
