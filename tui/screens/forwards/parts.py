"""The parts of the Forwards screen, with their help."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType

from tui.widgets.lines import Lines
from tui.widgets.notice import Text
from tui.widgets.rows import RowTable

#: Said when there is no forward.
EMPTY = Text(
    "⇄",
    "accent",
    "No forwards are open",
    (
        (
            "A forward gives programs of this machine an address of a workload: a database's port, an API.",
            "",
        ),
        ("It outlives its pods: each connection finds the member that is ready then.", ""),
    ),
    (("f", "open one"), ("esc", "back")),
)


class ForwardList(RowTable):
    """All forwards."""

    HELP: ClassVar[str] = """Forwards
One line for each: its state, what it leads to, the address for programs of this machine, the pod that the next
connection goes to with the beginning of its uid, open connections, bytes each way (sent: to the application), the last
minute, and since when it is in that state. ● ready; ◐ degraded: the last connection failed; ○ waits for a ready pod and
holds connections meanwhile; ◌ looks for pods; ◍ lets connections finish; ■ stopped.
d stops it, or takes a stopped one off the list; s starts it again; e leads it elsewhere; y copies its address; a closes
and opens the address and leaves connections alone."""


class TunnelList(RowTable):
    """The tunnels of one."""

    HELP: ClassVar[str] = """Connections through a forward
The open ones first, then those that closed last, with the reason. ◐ half-closed: one side has said all. ✗ broken: it
did not end in order, and the program knows it from a reset. A pod whose uid stands out is not the one that
connections lead to now. Esc goes back to the list."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,left,h", "screen.list", "To the list", id="forwards.list"),
    ]


class ForwardFacts(Lines):
    """The facts of one, or of one of its tunnels."""

    HELP: ClassVar[str] = "Facts of a forward\nEverything known of it, troubles first. Esc goes back to the list."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,left,h", "screen.list", "To the list", id="forwards.list"),
    ]
