"""The first line of every screen: where we are, whether what we see is current, and how much of it there is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from tui.text import one_line
from tui.widgets.columns import fit, width_of
from tui.widgets.ink import Piece, inks
from tui.widgets.strips import strip_of


@dataclass(frozen=True, slots=True)
class Status:
    """What the line says.

    Attributes:
        context: the kubeconfig's context, empty while unknown.
        scope: the namespaces that are watched.
        sign: glyph of the connection.
        ink: its ink.
        state: the connection in a word or two ("live", "stale since 12:07:31").
        detail: why, in the other side's words; may be empty.
        flags: what must not be overlooked: "read-only", "TLS unverified", "as bob".
        counts: workloads, pods, claims, those that want attention; None before they are known.
        view: filter and sort where they are not the usual ones.
    """

    context: str = ""
    scope: str = ""
    sign: str = "◌"
    ink: str = "starting"
    state: str = "connecting…"
    detail: str = ""
    flags: tuple[str, ...] = ()
    counts: tuple[int, int, int, int] | None = None
    view: str = ""


def pieces(status: Status, width: int) -> list[Piece]:
    """The line, exactly `width` cells wide. What matters least goes first where there is no room."""
    left: list[Piece] = [(" statetui ", "title"), (" ", ""), (one_line(status.context) or "…", "strong")]
    scope = one_line(status.scope)
    if width < 100:
        scope = scope.removeprefix("namespace ").replace("all namespaces", "all")
    if scope:
        left += [(" / ", "dim"), (scope, "")]
    for flag in status.flags:
        left.append((f"  {one_line(flag)}", "warn"))
    if status.view:
        left.append((f"  {one_line(status.view)}", "accent"))
    state: list[Piece] = [(f"{status.sign} ", status.ink), (status.state, status.ink if status.ink != "ready" else "")]
    detail = one_line(status.detail)
    reason: list[Piece] = [(f": {detail}", "dim")] if detail else []
    taken = _width(left) + 3
    for form in ("long", "short", ""):
        right = [*state, *reason, *_counts(status, form)]
        if taken + _width(right) <= width:
            break
    else:
        # Why it is not live is worth more than the left side, which can be guessed: it gets up to half the line.
        room = max(width - taken - _width(state), width // 2 - _width(state))
        right = [*state, *(fit((reason[0],), room) if reason and room > 8 else [])]
    right.append((" ", ""))
    return fit((*fit(tuple(left), max(0, width - _width(right))), *right), width)


def _width(line: list[Piece]) -> int:
    return sum(width_of(text) for text, _ in line)


def _counts(status: Status, form: str) -> list[Piece]:
    if status.counts is None or not form:
        return []
    workloads, pods, claims, ill = status.counts
    names = ("workloads", "pods", "claims") if form == "long" else ("w", "p", "c")
    told: list[Piece] = []
    for count, name in zip((workloads, pods, claims), names, strict=True):
        singular = name[:-1] if form == "long" and count == 1 else name
        told += [(f"   {count}" if form == "long" else f"  {count}", ""), (f" {singular}", "dim")]
    return [*told, ("   " if form == "long" else "  ", ""), (f"{ill} ⚠", "warn" if ill else "dim")]


class StatusLine(Widget):
    """Shows the app's status; the app hands every new one to `show`."""

    ALLOW_SELECT = False
    DEFAULT_CSS: ClassVar[str] = "StatusLine { dock: top; height: 1; background: $panel; }"

    def __init__(self) -> None:
        super().__init__()
        self.auto_links = False
        self._status = Status()

    def on_mount(self) -> None:
        """Takes the status that is known by now."""
        self.show(getattr(self.app, "status", None) or Status())

    def show(self, status: Status) -> None:
        """Shows a new status; nothing is repainted when it is equal to the one before."""
        if status != self._status:
            self._status = status
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """The line."""
        ground = Style(bgcolor=self.background_colors[1].rich_color)
        return strip_of(pieces(self._status, self.size.width), inks(self.app), ground, self.size.width)
