"""Lists to choose from, whose lines know what they do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from tui.screens.chooser import Choice, Chooser

if TYPE_CHECKING:
    from tui.consoles.connected import ConnectedScreen
    from tui.consoles.screen import ConsoleScreen

#: A line of a menu, and what it does.
Item: TypeAlias = tuple[Choice, Callable[[], object]]


def choose(console: ConsoleScreen, title: str, items: Sequence[Item]) -> None:
    """Shows a menu and does what is chosen."""
    does = {choice.value: act for choice, act in items}

    def chosen(value: str | None) -> None:
        if value is not None:
            does[value]()

    console.app.push_screen(Chooser(title, [choice for choice, _ in items]), chosen)


def of_protection(console: ConnectedScreen[Any, Any, Any]) -> list[Item]:
    """The line that opens a protected context for changes, or closes it again; none where it would change nothing."""
    guard = console.guard
    if not guard.protected or guard.locked:
        return []
    word = "Read-only again" if guard.opened else "Take changes"
    return [(Choice("write", word, "the context is protected"), lambda: console.do(console.take_changes()))]
