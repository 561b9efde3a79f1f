"""The line into which a filter is typed."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Input, Label

if TYPE_CHECKING:
    from tui.screens.overview.screen import OverviewScreen


class FilterLine(Horizontal):
    """Filters while one types. Enter keeps the filter, escape drops it; both give the focus back."""

    HELP: ClassVar[str] = (
        "Filter\n"
        "Shows the workloads in which every word is found: in name, namespace, system, version, roles, pods, phases, "
        "nodes or reasons. A word that starts with ! must not be found. Enter keeps the filter, escape shows all again."
    )
    DEFAULT_CSS: ClassVar[str] = """
    FilterLine { dock: bottom; height: 1; background: $surface; }
    FilterLine Label { width: auto; padding: 0 1; color: $accent; }
    FilterLine Input { width: 1fr; height: 1; border: none; padding: 0; background: $surface; color: $foreground; }
    FilterLine Input:focus { border: none; background: $surface; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "keep", "Keep", id="filter.keep", priority=True),
        Binding("escape", "drop", "Show all", id="filter.drop", priority=True),
    ]

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def compose(self) -> ComposeResult:
        """A sign and the field."""
        yield Label("/")
        field = Input(self._text, placeholder="words, all of them; !word for without")
        field.cursor_blink = False
        yield field

    def on_mount(self) -> None:
        """Ready to type."""
        self.focus_input()

    def focus_input(self) -> None:
        """Goes on typing."""
        self.screen.set_focus(self.query_one(Input))

    @property
    def _overview(self) -> OverviewScreen:
        return cast("OverviewScreen", self.screen)

    @on(Input.Changed)
    def _typed(self, message: Input.Changed) -> None:
        message.stop()
        self._overview.set_filter(message.value)

    def action_keep(self) -> None:
        """Back to the workloads, with the filter."""
        host = self._overview.host
        self.remove()
        host.call_later(host.refresh_view)

    def action_drop(self) -> None:
        """Back to all workloads."""
        self._overview.set_filter("")
        self.action_keep()
