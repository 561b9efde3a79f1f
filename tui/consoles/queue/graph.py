"""Bindings as a graph to walk: exchange → queue → dead letter, and back."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from tui.consoles.queue import declaring, removing
from tui.consoles.queue.client import ERRORS, problem_of
from tui.consoles.queue.details import key_of_binding
from tui.consoles.queue.rows import exchange_name
from tui.consoles.queue.values import Place
from tui.consoles.view import View
from tui.problem import Problem
from tui.services.queue import facts
from tui.services.queue import graph as topology
from tui.services.queue.graph import What, Why
from tui.text import one_line, safe
from tui.widgets.columns import Column
from tui.widgets.ink import Piece
from tui.widgets.keyline import KeyLine
from tui.widgets.oneline import OneLine
from tui.widgets.row import Row
from tui.widgets.rows import RowTable

if TYPE_CHECKING:
    from tui.consoles.queue.browsing import BrowsingScreen

COLUMNS = (
    Column("way", "", min_width=14),
    Column("what", "TO OR FROM", min_width=16, grow=1),
    Column("kind", "KIND", min_width=8, priority=2),
    Column("key", "KEY", min_width=10, grow=1),
)


@dataclass(frozen=True, slots=True)
class Spot:
    """Where one stands: a queue, or an exchange."""

    queue: bool
    name: str

    @property
    def text(self) -> str:
        """What it is called."""
        return safe(self.name) if self.queue else exchange_name(self.name)


@dataclass(frozen=True, slots=True)
class Edge:
    """A way from here.

    Attributes:
        way: in words, with an arrow.
        to: where it leads.
        key: what it asks of a message.
        binding: what it is, None for a dead letter.
    """

    way: str
    to: Spot
    key: str
    binding: facts.Binding | None = None


_ARROWS = {Why.DEAD: "→ dead letters", Why.ALTERNATE: "→ what is left"}


def edges(here: Spot, bindings: Sequence[facts.Binding], more: Sequence[topology.Edge]) -> list[Edge]:
    """All ways from a place.

    Args:
        here: the place.
        bindings: of the virtual host, or of the queue.
        more: where dead letters, and what no binding takes, go from here.
    """
    found: list[Edge] = []
    for one in bindings:
        to_here = one.destination == here.name and (one.destination_type == "queue") is here.queue
        if to_here and (one.source or here.queue):
            found.append(Edge("← comes from", Spot(False, one.source), key_of_binding(one), one))
        elif one.source == here.name and not here.queue:
            found.append(
                Edge("→ leads to", Spot(one.destination_type == "queue", one.destination), key_of_binding(one), one)
            )
    for way in more:
        key = f"key {safe(way.key)}" if way.key else "its own key"
        gone = "" if way.there else "  ✗ there is none: they are dropped"
        found.append(Edge(_ARROWS[way.why], Spot(way.target.what is What.QUEUE, way.target.name), f"{key}{gone}"))
    return found


class GraphTable(RowTable):
    """The ways from here."""

    HELP: ClassVar[str] = """Bindings
An exchange leads to queues and other exchanges; a queue gets from exchanges, and its dead letters go to one. enter
walks along the line under the cursor, backspace goes back. n binds, D ends a binding. Dead letters are told from the
queue's arguments; a policy may say them as well."""


class GraphView(View):
    """One place with its ways, and how one came there."""

    HELP: ClassVar[str] = GraphTable.HELP
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("backspace,left,h", "back", "Back a step", id="queue-graph.back"),
        Binding("n", "bind", "Bind", id="queue-graph.bind"),
        Binding("D,delete", "unbind", "Unbind", id="queue-graph.unbind"),
        Binding("r", "again", "Again", show=False, id="queue-graph.again"),
    ]

    def __init__(self, console: BrowsingScreen, vhost: str, start: Spot) -> None:
        super().__init__()
        self._of, self._vhost = console, vhost
        self._trail = [start]
        self._edges: list[Edge] = []
        self._problem: Problem | None = None

    def compose(self) -> ComposeResult:
        """The trail, the ways."""
        yield OneLine(self._path, id="head")
        yield GraphTable(COLUMNS, empty_text="asking…")
        yield KeyLine()

    def on_mount(self) -> None:
        """Asks."""
        self.query_one(GraphTable).focus()
        self.action_again()

    def _path(self, _: int) -> list[Piece]:
        told: list[Piece] = [(f" {one_line(self._vhost)}  ", "dim")]
        for at, spot in enumerate(self._trail):
            last = at == len(self._trail) - 1
            told += [(" → " if at else "", "dim"), ("queue " if spot.queue else "exchange ", "dim"),
                     (spot.text, "title" if last else "")]  # fmt: skip
        if self._problem is not None:
            told.append((f"   ✗ {one_line(self._problem.what)}", "failing"))
        return told[-14:]

    def action_again(self) -> None:
        """Asks for the ways from here."""
        self.query_one(OneLine).look()
        self.run_worker(self._load(), exclusive=True, exit_on_error=False)

    async def _load(self) -> None:
        here = self._trail[-1]
        client = self._of.client
        table = self.query_one(GraphTable)
        place = Place(self._vhost, here.name)
        try:
            exchanges, policies = await asyncio.gather(client.exchanges(self._vhost), client.policies())
            # Queues all hang on the default exchange: of a queue its own bindings are asked for.
            detail = await client.queue(place) if here.queue else None
            bindings = detail.bindings if detail is not None else await client.bindings(self._vhost)
        except ERRORS as error:
            self._problem, self._edges = problem_of(error), []
        else:
            self._problem = None
            defined = {f"{one.place.vhost}/{one.place.name}": one.definition for one in policies}
            graph = topology.Graph(exchanges, (), (detail.queue,) if detail is not None else (), defined)
            spot = topology.Spot(What.QUEUE if here.queue else What.EXCHANGE, self._vhost, here.name)
            self._edges = edges(here, bindings, graph.leading_from(spot))
        if here != self._trail[-1] or not self.is_mounted:
            return
        said = "nothing leads from here or to here: n binds"
        table.set_empty_text(said if self._problem is None else one_line(str(self._problem)))
        rows = []
        for at, edge in enumerate(self._edges):
            kind = "queue" if edge.to.queue else "exchange"
            rows.append(Row(str(at), (edge.way, edge.to.text, kind, edge.key)))
        table.set_rows(rows)
        self.query_one(OneLine).look()
        self.refresh_bindings()

    @property
    def _edge(self) -> Edge | None:
        key = self.query_one(GraphTable).cursor_key
        return self._edges[int(key)] if key is not None and int(key) < len(self._edges) else None

    @on(GraphTable.Selected)
    def _walk(self, message: GraphTable.Selected) -> None:
        message.stop()
        if (edge := self._edge) is not None:
            self._trail.append(edge.to)
            self.query_one(GraphTable).action_first()
            self.action_again()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A dead letter is no binding."""
        if action == "unbind":
            edge = self._edge
            return edge is not None and edge.binding is not None and bool(edge.binding.source)
        return super().check_action(action, parameters)

    def action_back(self) -> None:
        """Goes back a step; from the first, back to the console."""
        if len(self._trail) == 1:
            self.dismiss()
            return
        self._trail.pop()
        self.action_again()

    def action_bind(self) -> None:
        """Binds something to what is here."""
        here = self._trail[-1]
        place = Place(self._vhost, here.name)
        declaring.bind(self._of, None if here.queue else place, place if here.queue else None, self.action_again)

    def action_unbind(self) -> None:
        """Ends the binding under the cursor."""
        edge = self._edge
        if edge is not None and edge.binding is not None:
            self._of.do(self._unbind(edge.binding))

    async def _unbind(self, binding: facts.Binding) -> None:
        if await removing.binding(self._of, binding):
            self.action_again()
