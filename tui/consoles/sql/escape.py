"""Whose key escape is."""

from __future__ import annotations

from textual.widget import Widget
from textual.widgets import Input

from tui.consoles.sql.pane import ResultPane


def is_the_consoles(focused: Widget | None) -> bool:
    """Whether escape leaves the console: nothing that has the focus has something of its own to close."""
    helper = getattr(focused, "helper", None)
    if helper is not None and helper.wants("escape"):
        return False
    around = focused.ancestors_with_self if focused is not None else ()
    if any(isinstance(node, ResultPane) and node.check_action("drop", ()) for node in around):
        return False
    return not isinstance(focused, Input) or focused.id == "filter"
