"""Forwards and tunnels as they are shown: values that do not change. Times are of the wall clock, sizes are bytes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tui.kube.forward.targets import PodPort


class Phase(StrEnum):
    """How far a tunnel is."""

    CONNECTING = "connecting"  # looking for a pod, or dialling
    OPEN = "open"
    LINGERING = "lingering"  # one side has said all; the other is still delivered
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class TunnelView:
    """A tunnel.

    Attributes:
        number: counts all tunnels of the program.
        pod: where it leads, None until there is one.
        protocol: how the pod is reached.
        sent: bytes from the program to the application.
        received: bytes from the application to the program.
        last_byte: when a byte went either way, None before the first.
        stalled: who does not read: `program`, `application` or nobody (empty).
        why: why it closed, empty while it has not; or why it is not open yet.
        clean: whether it closed in order.
    """

    number: int
    phase: Phase
    pod: PodPort | None
    protocol: str
    opened: float
    closed: float | None
    sent: int
    received: int
    last_byte: float | None
    stalled: str
    why: str
    clean: bool


class State(StrEnum):
    """What can be expected of the next connection."""

    RESOLVING = "resolving"  # the pods are not known yet
    WAITING = "waiting"  # there is no ready pod; connections are held for a while
    READY = "ready"
    DEGRADED = "degraded"  # there is a pod, and the last connection to it failed
    DRAINING = "draining"  # being stopped; open connections may finish
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class ForwardView:
    """A forward.

    Attributes:
        number: counts the forwards of a context.
        name: as it was defined, else what it leads to.
        target: what it leads to.
        port: the remote port, by number or name.
        address: where programs connect, empty without a listener.
        pod: where the next connection goes, None while that is not known.
        protocol: how pods are reached.
        state: see `State`.
        reason: why it is in that state, empty when there is nothing to say.
        evidence: the other side's words for it.
        remedy: what can be done about it; empty when there is nothing.
        since: when it came into that state.
        tunnels: those that are open, oldest first.
        recent: those that closed last, newest first.
        sent, received: bytes of all tunnels so far.
        connections: tunnels so far.
        failures: those that did not end in order.
        rates: bytes sent and received in each of the last seconds, oldest first.
    """

    number: int
    name: str
    namespace: str
    target: str
    port: int | str
    address: str
    pod: PodPort | None
    protocol: str
    state: State
    reason: str
    evidence: str
    since: float
    tunnels: tuple[TunnelView, ...]
    recent: tuple[TunnelView, ...]
    sent: int
    received: int
    connections: int
    failures: int
    rates: tuple[tuple[int, int], ...]
    remedy: str = ""
