"""What `statetui forward` says: lines for people, or JSON lines for programs, with fields as the README documents them.

Forwards and tunnels report in the middle of their work; nothing is written there. What is to be said is kept, and
written when the command's own turn comes, so that a reader who is slow or gone stops nobody but the command.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from tui.commands import output
from tui.commands.output import API_VERSION, Document
from tui.kube.forward.forward import Forward
from tui.kube.forward.targets import PodPort
from tui.kube.forward.tunnel import Tunnel
from tui.kube.forward.views import ForwardView, Phase, State, TunnelView
from tui.problem import Problem
from tui.systems.forwarding import Definition, member_of
from tui.systems.live import Live
from tui.text import one_line

#: Different reasons of failed connections that are remembered.
REASONS = 20


@dataclass(frozen=True, slots=True)
class Entry:
    """A forward of the command."""

    definition: Definition
    forward: Forward


@dataclass(frozen=True, slots=True)
class Told:
    """A forward's state at a moment."""

    state: State
    reason: str
    evidence: str
    since: float


@dataclass(frozen=True, slots=True)
class Event:
    """Something to be said: that a forward listens, its new state, or what became of a connection."""

    at: float
    entry: Entry
    state: Told
    tunnel: TunnelView | None = None
    problem: Problem | None = None


class Reporter:
    """Keeps what happens until it can be written."""

    def __init__(self, live: Live, *, json: bool, wake: Callable[[], None]) -> None:
        """Has nothing to say yet.

        Args:
            live: where roles are looked up.
            json: JSON lines on stdout; else one line for each forward there, and what happens on stderr.
            wake: called when there is something to write.
        """
        self._live = live
        self._json = json
        self._wake = wake
        self._entries: list[Entry] = []
        self._events: deque[Event] = deque()
        self._last: dict[int, Told] = {}
        self._pods: dict[int, PodPort | None] = {}
        self._silent = False
        #: Why connections failed: each reason once, the first `REASONS` of them.
        self.failures: dict[str, Problem | None] = {}

    def opened(self, entries: list[Entry]) -> None:
        """Says where the forwards listen, and follows them from now on."""
        self._entries = entries
        for entry in entries:
            self._last[entry.forward.number] = _told(entry.forward)
            self._pods[entry.forward.number] = entry.forward.view().pod
            self._follow(entry)

    def listening(self) -> None:
        """Writes the first line of each forward, and what it waits for if no pod is ready yet."""
        for entry in self._entries:
            told = self._last[entry.forward.number]
            view = entry.forward.view()
            if self._json:
                _write({"apiVersion": API_VERSION, "type": "LISTENING", "forward": document(view)})
                continue
            ready = view.state is State.READY and view.pod is not None and entry.definition.sticky
            where = self.pod(view.pod) if ready and view.pod is not None else f"{view.target}:{view.port}"
            print(one_line(f"{where} at {view.address}"), flush=True)
            if view.state is not State.READY:
                self.state(entry, time.time(), told)
                self._line(entry, time.time(), f"connections are made to wait for up to {entry.forward.patience:g} s")

    def silence(self) -> None:
        """Says nothing more of what happens: another program has the terminal."""
        self._silent = True

    def flush(self) -> None:
        """Writes what has happened."""
        views: dict[int, ForwardView] = {}
        for entry in self._entries:
            self._look(entry, views)
        while self._events:
            event = self._events.popleft()
            number = event.entry.forward.number
            if self._json:
                if number not in views:
                    views[number] = event.entry.forward.view()
                _write(_event(event, views[number]))
            elif event.tunnel is None:
                self.state(event.entry, event.at, event.state)
            elif _is_broken(event.tunnel) and event.state.state not in (State.DRAINING, State.STOPPED):
                self._line(event.entry, event.at, _broken(event, event.tunnel))

    def pod(self, at: PodPort) -> str:
        """`mysql-0:3306 (primary)`."""
        member = member_of(at, self._live)
        return f"{at} ({member.role.name})" if member is not None and member.role is not None else str(at)

    def state(self, entry: Entry, at: float, told: Told) -> None:
        """Writes a state for people. One that follows from a failed connection was told with that."""
        if told.state is State.READY:
            pod = entry.forward.view().pod
            self._line(entry, at, f"ready: {self.pod(pod)}" if pod is not None and entry.definition.sticky else "ready")
        elif told.state is State.WAITING:
            self._line(entry, at, f"waiting: {told.reason}")
        elif told.state is State.DRAINING and (open_now := len(entry.forward.view().tunnels)):
            connections = "1 connection" if open_now == 1 else f"{open_now} connections"
            self._line(entry, at, f"stopping: {connections} may finish; Ctrl-C again ends them at once")

    def _follow(self, entry: Entry) -> None:
        forward = entry.forward

        def changed() -> None:
            if (told := _told(forward)) != self._last[forward.number]:
                self._last[forward.number] = told
                self._add(Event(time.time(), entry, told))

        def connected(tunnel: Tunnel) -> None:
            view, problem = tunnel.view(), tunnel.problem
            if _is_broken(view) and len(self.failures) < REASONS:
                self.failures.setdefault(problem.what if problem is not None else view.why, problem)
            self._add(Event(time.time(), entry, _told(forward), view, problem))

        forward.on_change.append(changed)
        forward.on_tunnel.append(connected)

    def _add(self, event: Event) -> None:
        if not self._silent:  # a command may run for days, and nobody takes the events away meanwhile
            self._events.append(event)
        self._wake()

    def _look(self, entry: Entry, views: dict[int, ForwardView]) -> None:
        """The next pod may be another one though the state is the same."""
        number = entry.forward.number
        told = _told(entry.forward)
        if told.state is not State.READY or not entry.definition.sticky:
            return
        view = views[number] = entry.forward.view()
        before, self._pods[number] = self._pods[number], view.pod
        waits = any(event.entry is entry and event.tunnel is None for event in self._events)
        if before is not None and view.pod is not None and before.uid != view.pod.uid and not waits:
            self._events.append(Event(time.time(), entry, told))

    def _line(self, entry: Entry, at: float, text: str) -> None:
        name = f"{entry.definition.name or entry.definition.text}: " if len(self._entries) > 1 else ""
        clock = time.strftime("%H:%M:%S", time.localtime(at))
        with contextlib.suppress(
            OSError
        ):  # the terminal went away: that ends us by a signal, not in the middle of this
            print(f"{clock} {one_line(f'{name}{text}')}", file=sys.stderr, flush=True)


def _told(forward: Forward) -> Told:
    return Told(forward.state, forward.reason, forward.evidence, forward.since)


def _is_broken(tunnel: TunnelView) -> bool:
    return tunnel.phase is Phase.CLOSED and not tunnel.clean


def _broken(event: Event, tunnel: TunnelView) -> str:
    to = f" to {tunnel.pod}" if tunnel.pod is not None else ""
    what = "was cut" if tunnel.received else "failed"
    why = event.problem.what if event.problem is not None else tunnel.why
    return f"connection {tunnel.number}{to} {what}: {why}"


# --- JSON


def document(view: ForwardView) -> Document:
    """A forward."""
    address = view.address
    unix = address.removeprefix("unix:") if address.startswith("unix:") else None
    host, _, port = address.rpartition(":") if unix is None else ("", "", "")
    return {
        "number": view.number,
        "name": view.name,
        "namespace": view.namespace,
        "target": view.target,
        "port": view.port,
        "address": address,
        "host": host or None,
        "localPort": int(port) if port else None,
        "path": unix,
        "pod": view.pod.pod if view.pod is not None else None,
        "uid": view.pod.uid if view.pod is not None else None,
        "podPort": view.pod.port if view.pod is not None else None,
        "protocol": view.protocol,
        "state": view.state.value,
        "reason": view.reason,
        "evidence": view.evidence,
        "since": output.time(view.since),
        "sent": view.sent,
        "received": view.received,
        "connections": view.connections,
        "failures": view.failures,
        "tunnels": len(view.tunnels),
    }


def tunnel_document(view: TunnelView, problem: Problem | None) -> Document:
    """A tunnel."""
    return {
        "number": view.number,
        "phase": view.phase.value,
        "pod": view.pod.pod if view.pod is not None else None,
        "uid": view.pod.uid if view.pod is not None else None,
        "podPort": view.pod.port if view.pod is not None else None,
        "protocol": view.protocol,
        "opened": output.time(view.opened),
        "closed": output.time(view.closed),
        "sent": view.sent,
        "received": view.received,
        "lastByte": output.time(view.last_byte),
        "clean": view.clean if view.phase is Phase.CLOSED else None,
        "reason": problem.what if problem is not None else view.why,
        "evidence": problem.evidence if problem is not None else "",
        "remedy": problem.remedy if problem is not None else "",
    }


def _event(event: Event, view: ForwardView) -> Document:
    state = event.state
    forward = document(view) | {
        "state": state.state.value,
        "reason": state.reason,
        "evidence": state.evidence,
        "since": output.time(state.since),
    }
    if event.tunnel is None:
        return {"apiVersion": API_VERSION, "type": "STATE", "forward": forward}
    tunnel = tunnel_document(event.tunnel, event.problem)
    return {"apiVersion": API_VERSION, "type": "TUNNEL", "forward": forward, "tunnel": tunnel}


def _write(item: Document) -> None:
    print(output.json(item, lines=True), flush=True)
