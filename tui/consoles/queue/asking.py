"""The console's question before something is destroyed, closed or given away."""

from __future__ import annotations

from typing import ClassVar

from tui.consoles.forms import HeldQuestion


class Meant(HeldQuestion):
    """Yields whether it is meant. Enter alone never is a yes."""

    HELP: ClassVar[str] = """Is this meant?
Nothing was changed yet. y does it, escape leaves everything as it is. In a protected context the name of what goes must
be typed. Counts of messages are the broker's of this moment: clients go on meanwhile."""
