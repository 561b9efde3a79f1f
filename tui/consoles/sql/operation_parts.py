"""The parts of the operations panel, with their help."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType

from tui.widgets.lines import Lines
from tui.widgets.rows import RowTable


class TopologyList(RowTable):
    """The tree of servers."""

    HELP: ClassVar[str] = """Topology
Each server below the one that it follows, as the servers themselves say. ● works; ⚠ late, or it has transactions that
its source has not; ✗ replication has stopped, or the server does not answer; · its lag cannot be told. BEHIND is time,
then bytes and transactions where both servers tell them. A server that receives nothing is never said to be 0 s
behind. Enter goes to the details."""


class SessionList(RowTable):
    """Sessions, and who blocks whom."""

    HELP: ClassVar[str] = """Sessions
Who blocks others comes first (⚠), below it those that wait, as a tree; then what runs or holds a transaction, the
oldest first; then what rests, and the servers' own threads. x cancels the statement that runs: the session and its
transaction stay, and so do their locks. X terminates the session: its transaction is rolled back."""


class LockList(RowTable):
    """Locks that are waited for."""

    HELP: ClassVar[str] = """Locks
Each lock that somebody waits for, with who holds it. x and X are for the session that holds it."""


class SizeList(RowTable):
    """How large things are."""

    HELP: ClassVar[str] = """Sizes
Databases or schemas, the twenty largest tables, binary logs, stores. Measured once a minute; bars compare things of a
kind, or say how full a store is. Rows are the server's own estimate."""


class HealthList(RowTable):
    """Facts of health."""

    HELP: ClassVar[str] = """Health
Facts of each member, the worst first: ✗ is trouble, ⚠ becomes trouble, · is worth knowing, ? cannot be known, and says
why: a right that is missing, a version that has it not."""


class OperationFacts(Lines):
    """The details of the row under the cursor."""

    HELP: ClassVar[str] = "Details\nEverything known of the row under the cursor. Esc goes back to the list."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,left,h", "screen.list", "To the list", id="operations.list"),
    ]
