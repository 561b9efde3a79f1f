"""The Members tab: one row a member, and everything known of the one under the cursor."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from tui.kube.events import last_seen
from tui.kube.objects import Container, ContainerStatus, Event, Pod, Terminated
from tui.kube.quantity import text as size
from tui.kube.resources import PODS
from tui.kube.times import age, clock, parse
from tui.screens.workload.panel import ListTab
from tui.screens.workload.view import View, fact, heading, listed
from tui.systems.model import Claim, Health, Member
from tui.systems.observed import short_lag
from tui.widgets.columns import Column
from tui.widgets.ink import Cell, Piece
from tui.widgets.lines import Line
from tui.widgets.row import Row
from tui.widgets.rows import RowTable
from tui.widgets.signs import sign, use


class MembersTab(ListTab):
    """Members in the order of their sets and ordinals."""

    HELP: ClassVar[str] = """Members
One row for each pod of the workload, and for each that should exist but does not.
▲ marks the member that takes writes. Under RESTARTS stand the count, the last reason with its exit code and when.
REVISION appears during a rollout: ✓ is on the new revision, the others still have the old one.
In the sandbox, a line says what stands in for what the images name.
enter goes to the facts of the member (esc comes back), y shows its pod as YAML, 4 says why it is not ready."""
    COLUMNS = (
        Column("member", "MEMBER", min_width=5, max_width=26),
        Column("role", "ROLE", min_width=6, max_width=22, optional=True),
        Column("phase", "STATUS", min_width=16, max_width=40, grow=1),
        Column("ready", "READY", min_width=5, align="right"),
        Column("restarts", "RESTARTS", min_width=15, max_width=24, priority=2, cut=True),
        Column("revision", "REVISION", min_width=8, max_width=14, priority=3, optional=True),
        Column("node", "NODE", min_width=6, max_width=24, priority=5),
        Column("ip", "IP", min_width=9, max_width=39, priority=7),
        Column("age", "AGE", min_width=3, align="right", priority=4),
        Column("claims", "CLAIMS", min_width=11, max_width=28, priority=1),
    )
    EMPTY = "no members: it is scaled to zero"
    RESOURCE = PODS.key

    def rows(self, view: View) -> list[Row]:
        """One row a member."""
        return [member_row(view, member) for member in view.workload.members]

    def facts(self, view: View, key: str, compact: bool) -> list[Line]:
        """What is known of one member."""
        member = view.member(key)
        return member_facts(view, member, compact) if member else []

    def selected(self) -> tuple[str, str] | None:
        """The pod of the member under the cursor."""
        key = self.query_one(RowTable).cursor_key
        return (PODS.key, key) if key else None


def member_row(view: View, member: Member) -> Row:
    """A member as a row; its key is the pod's name."""
    phase_ink = "" if member.health is Health.READY else member.health.value
    rolling = any(rollout.set_name == member.set_name for rollout in view.workload.rollouts)
    return Row(
        member.pod,
        (
            (sign(member.health), (f" {member.label}", "strong")),
            _role(member),
            ((member.phase, phase_ink),),
            member.ready,
            _restarts(view, member),
            _revision(member) if rolling else "",
            ((member.node or "–", "" if member.node else "dim"),),
            ((member.ip or "–", "dim"),),
            view.age(member.created),
            _claims(member.claims),
        ),
    )


def _role(member: Member) -> Cell:
    if member.role is None:
        return ""
    if member.role.writes:
        return ((f"{member.role.name} ▲", "accent"),)
    if member.lag:
        return ((member.role.name, ""), (f", {short_lag(member)}", "dim"))
    return ((member.role.name, ""),)


def _restarts(view: View, member: Member) -> Cell:
    if not member.restarts:
        return (("0", "dim"),)
    when = f" {view.age(member.last_restart_at)}" if member.last_restart_at is not None else ""
    return (
        (str(member.restarts), "warn"),
        (f" {member.last_restart}" if member.last_restart else "", ""),
        (when, "dim"),
    )


def _revision(member: Member) -> Cell:
    short = member.revision.rsplit("-", 1)[-1]
    return ((f"✓ {short}", "ready"),) if member.current else ((f"  {short}", "dim"),)


def _claims(claims: tuple[Claim, ...]) -> Cell:
    """The size and the use of a member's claim; of several the fullest, or the first that is not bound."""
    if not claims:
        return (("none", "dim"),)
    count = f"{len(claims)}× " if len(claims) > 1 else ""
    for claim in claims:
        if claim.health is not Health.READY:
            return ((count + claim.phase, claim.health.value), (f" {claim.template or claim.name}", ""))
    fullest = max(claims, key=lambda claim: claim.usage.fraction if claim.usage else -1.0)
    pieces = use(fullest, 4)
    given = size(fullest.capacity or fullest.requested or 0)
    return ((f"{count}{given:>5} ", ""), *pieces)


def member_facts(view: View, member: Member, compact: bool) -> list[Line]:
    """What is known of a member: where it runs, its containers, its probes, its claims.

    Args:
        view: what is drawn.
        member: whose facts.
        compact: True for the strip below the table, which has room for a few lines: the same in fewer words.
    """
    pod = view.pod(member)
    status: tuple[Piece, ...] = (sign(member.health), (f" {member.phase}", member.health.value))
    lines: list[Line] = []
    if compact:
        where = [(member.pod, "strong"), (_role_text(member), ""), (member.node, ""), (member.ip, "dim")]
        lines.append(Line((*status, ("  ", ""), *listed(where)), hang=2))
        if member.note:
            lines.append(Line(((member.note, "warn"),), hang=2))
        lines += _container_lines(view, pod, compact=True)
        probes = _probe_lines(view, member, labelled=False)
        claims = [_claim_line(claim) for claim in member.claims]
        # What a ready member has got over comes last: the strip may have no room for it.
        lines += [*claims, *probes] if member.health is Health.READY else [*probes, *claims]
        if member.stands_in:
            lines.append(Line(((member.stands_in, "dim"),), hang=2))
        return lines
    lines += [Line(status, hang=2)]
    if member.note:
        lines.append(Line(((f"  {member.note}", "warn"),), hang=2))
    lines += [
        fact("pod", member.pod),
        fact("node", member.node or (("not scheduled", "dim"),)),
        fact("address", member.ip or (("none yet", "dim"),)),
        fact("created", _when(view, member.created) if member.uid else (("does not exist", "dim"),)),
    ]
    if member.terminating_since is not None:
        lines.append(fact("deletion", ((f"asked for {view.age(member.terminating_since)} ago", "terminating"),)))
    if member.role is not None:
        lines.append(
            fact(
                "role",
                (
                    (_role_text(member), ""),
                    (f"  ({member.role.source})" if member.role.source else "", "dim"),
                ),
            )
        )
    if member.lag:
        lines.append(fact("replication", ((member.lag, ""), ("  (asked the server)", "dim"))))
    if member.revision:
        lines.append(fact("revision", ((member.revision, ""), ("" if member.current else "  not the new one", "warn"))))
    if member.stands_in:
        lines.append(fact("stand-in", member.stands_in))
    if pod is not None:
        lines += [*heading("Containers"), *_container_lines(view, pod)]
    if probes := _probe_lines(view, member, labelled=True):
        lines += [*heading("Probes"), *probes]
    if member.claims:
        lines += [*heading("Claims"), *(line for claim in member.claims for line in _claim_lines(claim))]
    return lines


def _role_text(member: Member) -> str:
    if member.role is None:
        return ""
    return f"{member.role.name} ▲ takes writes" if member.role.writes else member.role.name


def _when(view: View, at: float | None) -> Cell:
    return "" if at is None else ((clock(at), ""), (f"  {view.age(at)} ago", "dim"))


# --- containers


def _container_lines(view: View, pod: Pod | None, *, compact: bool = False) -> list[Line]:
    """The pod's containers, init containers first, in the order in which they run.

    In the strip the init containers that have done their work are left out, and the image follows the state.
    """
    if pod is None:
        return []
    lines: list[Line] = []
    for init, containers, statuses in (
        (True, pod.spec.init_containers, pod.status.init_container_statuses),
        (False, pod.spec.containers, pod.status.container_statuses),
    ):
        known = {status.name: status for status in statuses}
        for container in containers:
            status = known.get(container.name)
            if not (compact and init and status and _done(status)):
                lines += _container(view, container, status, init=init, compact=compact)
    return lines


def _done(status: ContainerStatus) -> bool:
    end = status.state.terminated
    return end is not None and end.exit_code == 0 and not end.signal


def _container(
    view: View, container: Container, status: ContainerStatus | None, *, init: bool, compact: bool
) -> Iterable[Line]:
    kind = " sidecar" if container.sidecar else " init" if init else ""
    health, state = _state(view, status, init=init and not container.sidecar)
    image = container.image or (status.image if status else "")
    ink = "dim" if status is not None and init and _done(status) else health.value
    yield Line(
        (
            sign(health),
            (f" {container.name}", "strong"),
            (f"{kind}  ", "dim"),
            (state, ink),
            (f"  {image}" if compact else "", "dim"),
        ),
        hang=4,
    )
    if not compact:
        yield Line(((f"  {image}", "dim"),), hang=4)
    if status is None:
        return
    if status.state.waiting is not None and status.state.waiting.message:
        yield Line(((f"  {status.state.waiting.message}", ""),), hang=4)
    if (last := status.last_state.terminated) is not None:
        count = f"{status.restart_count}× restarted, last " if status.restart_count else "last "
        yield Line(((f"  {count}", "dim"), (ended(last), "warn")), hang=4)
        if last.message:
            yield Line(((f"  {last.message.strip()}", ""),), hang=4)


def _state(view: View, status: ContainerStatus | None, *, init: bool) -> tuple[Health, str]:
    """How a container is, in the signs of members, and in words."""
    if status is None:
        return Health.WAITING, "not started"
    state = status.state
    if state.running is not None:
        since = f"running {view.age(parse(state.running.started_at))}"
        if init:
            return Health.STARTING, since
        if status.ready:
            return Health.READY, since
        return Health.RUNNING, since + (", not started yet" if status.started is False else ", not ready")
    if state.terminated is not None:
        fine = state.terminated.exit_code == 0 and not state.terminated.signal
        return (Health.READY if fine and init else Health.STOPPED if fine else Health.FAILING), ended(state.terminated)
    if state.waiting is not None and state.waiting.reason:
        starting = state.waiting.reason in ("ContainerCreating", "PodInitializing")
        return (Health.WAITING if starting else Health.FAILING), state.waiting.reason
    return Health.WAITING, "waiting"


def ended(end: Terminated) -> str:
    """How a container ended: reason, exit code or signal, when, and after how long."""
    reason = end.reason or ("Completed" if end.exit_code == 0 else "Error")
    how = f" signal {end.signal}" if end.signal else f" exit {end.exit_code}"
    text = reason if reason == "Completed" else reason + how
    finished, started = parse(end.finished_at), parse(end.started_at)
    if finished is not None:
        text += f" {clock(finished)}"
        if started is not None and finished > started:
            text += f" after {age(finished - started)}"
    return text


# --- probes and claims


def _probe_lines(view: View, member: Member, *, labelled: bool) -> list[Line]:
    """The last failure of each kind of probe, from the pod's events; they are kept for an hour."""
    if view.store is None or not member.uid:
        return []
    newest: dict[str, Event] = {}
    for event in view.store.events_of(member.uid):
        if event.reason in ("Unhealthy", "ProbeWarning"):
            kind = event.message.split(" ", 1)[0]
            if kind not in newest or (last_seen(event) or 0) > (last_seen(newest[kind]) or 0):
                newest[kind] = event
    lines = []
    for event in sorted(newest.values(), key=lambda event: last_seen(event) or 0, reverse=True):
        count = f" ×{event.count}" if event.count and event.count > 1 else ""
        when = f"{view.age(last_seen(event))} ago{count}  "
        # A member that is ready has got over it: then it is history, not a warning.
        ink = "dim" if member.health is Health.READY else "warn"
        lines.append(
            Line((("" if labelled else "probe  ", "dim"), (when, "dim"), (event.message.strip(), ink)), hang=2)
        )
    return lines


def _claim_line(claim: Claim) -> Line:
    return Line((sign(claim.health), (f" {claim.name}  ", ""), *_claim_use(claim)), hang=2)


def _claim_use(claim: Claim) -> tuple[Piece, ...]:
    if claim.health is not Health.READY:
        return ((claim.phase, claim.health.value), (f"  {claim.note}" if claim.note else "", ""))
    pieces = use(claim, 8)
    given = (f"{size(claim.capacity or claim.requested or 0)} ", "")
    why = f"  {claim.usage_unknown}" if claim.usage is None else ""
    return (given, *pieces, (why, "dim"))


def _claim_lines(claim: Claim) -> Iterable[Line]:
    yield Line((sign(claim.health), (f" {claim.name}", "strong")), hang=2)
    yield Line((("  ", ""), *_claim_use(claim)), hang=4)
    if claim.volume:
        yield Line(((f"  {claim.volume}", "dim"),), hang=4)
    behind = [claim.storage_class and f"class {claim.storage_class}", claim.volume_source]
    if text := " → ".join(part for part in behind if part):
        yield Line(((f"  {text}", "dim"),), hang=4)
