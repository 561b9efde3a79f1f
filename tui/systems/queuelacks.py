"""What a session with a broker may lack, and how its halves are reached. Values only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from tui.problem import Problem
from tui.systems.queueroutes import Port


class Half(StrEnum):
    """What a session may lack."""

    AMQP = "AMQP"
    MANAGEMENT = "the management API"
    STATISTICS = "statistics"
    NODES = "facts of the nodes"


#: What one cannot do without it.
COSTS = {
    Half.AMQP: "no message can be published, got, tailed or moved",
    Half.MANAGEMENT: "only what one knows the name of can be reached: no lists, no rates, no nodes",
    Half.STATISTICS: "no rates, no memory, no counts of connections",
    Half.NODES: "no memory, disk, uptime and alarms of the nodes",
}


@dataclass(frozen=True, slots=True)
class Lack:
    """Something that is missing.

    Attributes:
        half: what.
        problem: why, and what would help.
    """

    half: Half
    problem: Problem

    @property
    def costs(self) -> str:
        """What one cannot do without it."""
        return COSTS[self.half]

    def __str__(self) -> str:
        """`no AMQP: no message can be published …, because …`."""
        return f"no {self.half}: {self.costs}, because {self.problem.what}"


@dataclass(frozen=True, slots=True)
class Spoken:
    """How one half is reached.

    Attributes:
        port: which.
        tls: `verified`, `not verified` or `off`.
        remark: why it is not better (`its certificate …`); empty when there is nothing to say.
    """

    port: Port
    tls: str
    remark: str = ""


def lacking(lacks: Sequence[Lack], half: Half, problem: Problem | None) -> list[Lack]:
    """What is missing, once something more is known of it; in the order of `Half`.

    Args:
        lacks: what was missing so far.
        half: of what something is known.
        problem: why it is missing; None when it is there.
    """
    found = {lack.half: lack for lack in lacks if lack.half is not half}
    if problem is not None:
        found[half] = Lack(half, problem)
    return [found[one] for one in Half if one in found]
