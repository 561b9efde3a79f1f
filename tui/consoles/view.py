"""What a console's other screens have in common: they are looked at and left again."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType

from tui.screens.base import BaseScreen


class View(BaseScreen):
    """A screen over the console; the keys of workloads and contexts are out of place on it."""

    WORKING: ClassVar[bool] = True
    HERE: ClassVar[frozenset[str]] = frozenset({"forward", "forwards"})
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "leave", "Back", id="view.back"),
    ]

    def action_leave(self) -> None:
        """Goes back."""
        self.dismiss()
