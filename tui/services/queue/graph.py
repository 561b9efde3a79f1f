"""The way of messages as a graph: exchange → queue → dead letter exchange → queue …"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from tui.services.queue import facts


class What(StrEnum):
    """What stands at a place."""

    EXCHANGE = "exchange"
    QUEUE = "queue"


class Spot(NamedTuple):
    """A place in the graph; the default exchange has an empty name."""

    what: What
    vhost: str
    name: str


class Why(StrEnum):
    """What leads messages on."""

    BINDING = "binding"
    ALTERNATE = "alternate exchange"  # for what nothing else takes
    DEAD = "dead letter"


@dataclass(frozen=True, slots=True)
class Edge:
    """Something that leads messages from one place to another.

    Attributes:
        key: the routing key: of the binding, or the one that dead letters get (empty: each keeps its own).
        there: whether the target exists; messages that are led to nowhere are dropped.
    """

    source: Spot
    target: Spot
    why: Why
    key: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    there: bool = True


class Graph:
    """All places of some virtual hosts with what leads from and to each."""

    def __init__(
        self, exchanges: Iterable[facts.Exchange], bindings: Iterable[facts.Binding], queues: Iterable[facts.Queue],
        policies: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:  # fmt: skip
        """Makes it.

        Args:
            exchanges: all of them.
            bindings: all of them; those of the default exchange, which each queue has, are left out.
            queues: all that are of interest; a binding to another one leads to a place nevertheless.
            policies: by `VHOST/NAME` of a policy, what it defines: it may name the dead letter exchange.
        """
        self._from: dict[Spot, list[Edge]] = {}
        self._to: dict[Spot, list[Edge]] = {}
        self._policies = policies or {}
        self.exchanges = {Spot(What.EXCHANGE, one.vhost, one.name): one for one in exchanges}
        self.queues = {Spot(What.QUEUE, one.vhost, one.name): one for one in queues}
        for binding in bindings:
            if binding.source:
                source = Spot(What.EXCHANGE, binding.vhost, binding.source)
                target = Spot(What(binding.destination_type), binding.vhost, binding.destination)
                self._add(Edge(source, target, Why.BINDING, binding.routing_key, binding.arguments))
        for spot, exchange in self.exchanges.items():
            if name := self._said(exchange, "alternate-exchange", "alternate-exchange"):
                self._add_to_exchange(spot, name, Why.ALTERNATE, "")
        for spot, queue in self.queues.items():
            name = self._said(queue, "x-dead-letter-exchange", "dead-letter-exchange")
            if name is not None:
                key = self._said(queue, "x-dead-letter-routing-key", "dead-letter-routing-key") or ""
                self._add_to_exchange(spot, name, Why.DEAD, key)

    def leading_from(self, spot: Spot) -> tuple[Edge, ...]:
        """Where messages go from there."""
        return tuple(self._from.get(spot, ()))

    def leading_to(self, spot: Spot) -> tuple[Edge, ...]:
        """Where messages come from."""
        return tuple(self._to.get(spot, ()))

    def walk(self, start: Spot) -> Iterator[tuple[int, Edge]]:
        """All that follows from a place, depth first: (depth, edge). What leads back into the path is told once."""
        yield from self._walk(start, 0, (start,))

    def _walk(self, spot: Spot, depth: int, path: tuple[Spot, ...]) -> Iterator[tuple[int, Edge]]:
        for edge in self.leading_from(spot):
            yield depth, edge
            if edge.target not in path:
                yield from self._walk(edge.target, depth + 1, (*path, edge.target))

    def _add_to_exchange(self, source: Spot, name: str, why: Why, key: str) -> None:
        """The default exchange leads on to the queue that the key names."""
        target = Spot(What.EXCHANGE, source.vhost, name)
        if not name and key:
            target = Spot(What.QUEUE, source.vhost, key)
        there = target in self.exchanges or target in self.queues or not name
        self._add(Edge(source, target, why, key, there=there))

    def _add(self, edge: Edge) -> None:
        self._from.setdefault(edge.source, []).append(edge)
        self._to.setdefault(edge.target, []).append(edge)

    def _said(self, one: facts.Queue | facts.Exchange, argument: str, policy: str) -> str | None:
        """What its arguments say, and its policy where they do not."""
        said = one.arguments.get(argument)
        if said is None and one.policy:
            said = self._policies.get(f"{one.vhost}/{one.policy}", {}).get(policy)
        return said if isinstance(said, str) else None
