"""What the dialog offers and what comes of the words typed into it: targets and addresses, or a Problem."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tui.kube.forward.listener import HOST, Address, TcpAddress, UnixAddress, preferred_port
from tui.kube.forward.targets import PodTarget, ServiceTarget, Target, Waiting
from tui.problem import Cause, Problem, ProblemError
from tui.screens.chooser import Choice
from tui.systems.model import Health, Workload
from tui.systems.reach import PRIMARY, REPLICA, PortChoice, Reach, WorkloadTarget, plays
from tui.widgets.signs import GLYPHS

#: Ways to a workload, as values of choices. Others: `role NAME`, `pod NAME`, `pod! NAME` (ready or not), `same`.
ANY, SPREAD, SAME = "any", "spread", "same"
#: Stands for whichever port is free.
FREE = "any free port"


@dataclass(frozen=True, slots=True)
class Typed:
    """What stands in the dialog.

    Attributes:
        port: the remote port, by number or name.
        way: the value of the chosen way.
        address: where programs shall connect, as it was typed.
        suggested: whether the address is only the suggestion, so that the next free port will do.
    """

    port: str = ""
    way: str = ANY
    address: str = ""
    suggested: bool = True


def port_choices(ports: Sequence[PortChoice]) -> list[Choice]:
    """The ports to choose from, the likeliest first."""
    return [Choice(str(port.number), str(port.number), port.name or "declared by its containers") for port in ports]


def ways(workload: Workload) -> list[Choice]:
    """The ways to a workload: any member, roles that somebody has, each member by its name."""
    members = [member for member in workload.members if member.uid]
    found = [
        Choice(ANY, "any ready member", "the same one as long as it is ready"),
        Choice(SPREAD, "spread", "each connection to the next ready member"),
    ]
    for role in (PRIMARY, REPLICA):
        having = [member for member in members if plays(member, role)]
        if having:
            names = ", ".join(member.pod for member in having[:3]) + (", …" if len(having) > 3 else "")
            found.append(Choice(f"role {role}", role, f"now {names}"))
    for member in members:
        role = member.role.name if member.role is not None else ""
        state = "" if member.health is Health.READY else member.phase
        detail = "  ".join(part for part in (role, f"{GLYPHS[member.health]} {state}".rstrip()) if part)
        found.append(Choice(f"pod {member.pod}", member.pod, detail))
        if member.health is not Health.READY:
            found.append(Choice(f"pod! {member.pod}", f"{member.pod}, ready or not", "to see what is wrong with it"))
    return found


def way_of(target: Target, *, sticky: bool) -> str:
    """The way that leads where a forward leads already."""
    if isinstance(target, WorkloadTarget):
        return f"role {target.role}" if target.role else ANY if sticky else SPREAD
    if isinstance(target, PodTarget):
        return f"pod{'!' if target.unready else ''} {target.name}"
    return SAME


def target_of(reach: Reach, workload: Workload | None, typed: Typed, now: Target | None = None) -> tuple[Target, bool]:
    """The target that is meant, and whether a connection goes where the one before went.

    Args:
        reach: makes targets.
        workload: where to.
        typed: what stands in the dialog.
        now: where the forward leads already, for `SAME`.

    Raises:
        ProblemError: no port is given or known, or nothing can ever be reached so.
    """
    port = _port(typed.port)
    kind, _, name = typed.way.partition(" ")
    target: Target
    if workload is None or kind == SAME:
        if now is None:
            raise ProblemError(Problem(Cause.ABSENT, "The workload is not there any more", "", "Choose another one."))
        target = _with_port(now, port or now.port)
    elif kind in ("pod", "pod!"):
        target = reach.member(workload, name, port, unready=kind == "pod!")
    else:
        target = reach.workload(workload, port, role=name if kind == "role" else "")
    found = target.resolve()
    if isinstance(found, Waiting) and found.problem is not None:
        raise ProblemError(found.problem)
    return target, kind != SPREAD


def _port(text: str) -> int | str:
    """A port as it was typed: a number, or the name that a container gives it.

    Raises:
        ProblemError: no port has that number.
    """
    text = text.strip()
    if not text.isdecimal():
        return text
    if not 0 < int(text) < 65536:
        raise ProblemError(Problem(Cause.CONFIG, f"There is no port {text}", "", "Ports are 1 to 65535."))
    return int(text)


def _with_port(target: Target, port: int | str) -> Target:
    if isinstance(target, WorkloadTarget | PodTarget | ServiceTarget):
        return replace(target, port=port)
    raise TypeError(f"{target.text} has no port that could be another")


def suggested(port: str, ports: Sequence[PortChoice], taken: Collection[str] = ()) -> str:
    """The address that is offered for a remote port: one that none of our own forwards has.

    Args:
        port: the remote port as typed.
        ports: those known, for names.
        taken: addresses of our own forwards.
    """
    text = port.strip()
    number = next((each.number for each in ports if text and each.name == text), 0)
    if text.isdecimal() and int(text) < 65536:
        number = int(text)
    if not number:
        return FREE
    local = preferred_port(number)
    while f"{HOST}:{local}" in taken and local < 65535:
        local += 1
    return f"{HOST}:{local}"


def address_choices(suggestion: str, name: str) -> list[Choice]:
    """The addresses to choose from.

    Args:
        suggestion: the first of them.
        name: for a socket's file.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR", "") or "/tmp"  # noqa: S108  (the socket has mode 0600)
    found = [Choice(suggestion, suggestion, "or the next free port"), Choice(FREE, FREE)]
    socket = f"unix:{runtime}/{name}.sock"
    return [*found[suggestion == FREE :], Choice(socket, socket, "only you may connect")]


def address_of(typed: Typed) -> Address:
    """The address that is meant.

    Raises:
        ProblemError: it is none.
    """
    text = typed.address.strip()
    if text in ("", FREE):
        return TcpAddress()
    if text.startswith(("unix:", "/", "~")):
        path = Path(text.removeprefix("unix:")).expanduser()
        if not path.is_absolute():
            raise ProblemError(
                Problem(Cause.CONFIG, "The socket's path is not absolute", text, "Begin it with a slash: unix:/tmp/…")
            )
        return UnixAddress(path)
    host, _, number = text.rpartition(":")
    if host not in ("", HOST, "localhost"):
        raise ProblemError(
            Problem(
                Cause.CONFIG, f"Forwards listen on {HOST} only", text,
                "Whoever wants others to get in puts a proxy in front of it on purpose.",
            )
        )  # fmt: skip
    if not number.isdecimal() or int(number) > 65535:
        raise ProblemError(
            Problem(Cause.CONFIG, f"“{text}” is no address", "", "Type a port (3306), or unix:PATH for a socket.")
        )
    return TcpAddress(int(number), exact=not typed.suggested and int(number) > 0)
