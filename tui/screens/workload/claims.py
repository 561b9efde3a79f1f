"""The Claims tab: phase, size, class, volume and use of each claim, the spare ones too."""

from __future__ import annotations

from typing import ClassVar

from tui.kube.objects import PersistentVolume
from tui.kube.quantity import text as size
from tui.kube.resources import CLAIMS, VOLUMES
from tui.kube.times import clock
from tui.screens.workload.panel import ListTab
from tui.screens.workload.view import View, fact
from tui.systems.model import Claim, Health, Member
from tui.widgets.columns import Column
from tui.widgets.ink import Cell, Piece
from tui.widgets.lines import Line
from tui.widgets.row import Row
from tui.widgets.rows import RowTable
from tui.widgets.signs import bar, sign, use

_MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}


class ClaimsTab(ListTab):
    """Claims in the order of the members that hold them, then the spare ones."""

    HELP: ClassVar[str] = """Claims
One row for each PersistentVolumeClaim. SIZE is what it got, with → what it asks for while that is more.
USE is what the kubelet reports; ~ means that the figure is that of a larger file system, ? that there is none: the
reason stands beside it. A spare claim was left behind by a member that no longer exists.
enter goes to the facts of the claim (esc comes back), y shows it as YAML."""
    COLUMNS = (
        Column("claim", "CLAIM", min_width=14, max_width=44, keep="end"),
        Column("phase", "STATUS", min_width=7, max_width=12),
        Column("member", "MEMBER", min_width=6, max_width=20, priority=3),
        Column("size", "SIZE", min_width=5, max_width=14, align="right"),
        Column("use", "USE", min_width=12, max_width=14),
        Column("used", "USED", min_width=20, max_width=60, priority=1, cut=True, grow=1),
        Column("inodes", "INODES", min_width=6, align="right", priority=7, optional=True),
        Column("class", "CLASS", min_width=6, max_width=24, priority=2),
        Column("modes", "MODES", min_width=5, max_width=12, priority=5),
        Column("source", "VOLUME", min_width=8, max_width=30, priority=6, cut=True),
        Column("age", "AGE", min_width=4, align="right", priority=4),
    )
    EMPTY = "no claims: its members keep nothing on volumes"
    RESOURCE = CLAIMS.key

    def rows(self, view: View) -> list[Row]:
        """One row a claim."""
        holders = view.holders()
        return [claim_row(view, claim, holders.get(claim.name)) for claim in view.workload.claims]

    def facts(self, view: View, key: str, compact: bool) -> list[Line]:
        """What is known of one claim."""
        claim = next((claim for claim in view.workload.claims if claim.name == key), None)
        return claim_facts(view, claim, compact) if claim else []

    def selected(self) -> tuple[str, str] | None:
        """The claim under the cursor."""
        key = self.query_one(RowTable).cursor_key
        return (CLAIMS.key, key) if key else None


def claim_row(view: View, claim: Claim, holder: Member | None) -> Row:
    """A claim as a row, with the member that holds it; its key is its name."""
    return Row(
        claim.name,
        (
            (sign(claim.health), (f" {claim.name}", "strong")),
            ((claim.phase, "" if claim.health is Health.READY else claim.health.value),),
            ((holder.label, ""),) if holder else (("spare", "warn"),),
            _size(claim),
            use(claim, 6),
            _used(claim),
            _inodes(claim),
            claim.storage_class or (("none", "dim"),),
            ",".join(_MODES.get(mode, mode) for mode in claim.access_modes),
            ((claim.volume_source or claim.volume or "–", "dim"),),
            view.age(claim.created),
        ),
    )


def _size(claim: Claim) -> Cell:
    if claim.capacity is None:
        return ((size(claim.requested) if claim.requested is not None else "?", "dim"),)
    if claim.requested is not None and claim.requested > claim.capacity:
        return ((size(claim.capacity), ""), (f"→{size(claim.requested)}", "warn"))
    return size(claim.capacity)


def _used(claim: Claim) -> Cell:
    if claim.usage is None:
        return ((claim.note or claim.usage_unknown, "dim"),)
    return ((size(claim.usage.used), ""), (f" of {size(claim.usage.capacity)}", "dim"))


def _inodes(claim: Claim) -> Cell:
    usage = claim.usage
    if usage is None or not usage.inodes or usage.inodes_used is None:
        return ""
    return f"{usage.inodes_used / usage.inodes * 100:.0f}%"


def claim_facts(view: View, claim: Claim, compact: bool) -> list[Line]:
    """What is known of a claim, down to what is behind its volume."""
    holder = view.holders().get(claim.name)
    held: Cell = (
        ((holder.pod, ""),)
        if holder
        else (("nobody: left by a member that no longer exists; it keeps its data and its cost", "warn"),)
    )
    lines = [
        Line((sign(claim.health), (f" {claim.name}", "strong"), ("  ", ""), (claim.phase, claim.health.value)), hang=2)
    ]
    if claim.note:
        lines.append(Line(((f"  {claim.note}", "warn"),), hang=2))
    lines.append(fact("held by", held))
    lines += _use_facts(view, claim, compact)
    lines.append(fact("volume", _volume(view, claim)))
    lines.append(fact("class", claim.storage_class or (("none", "dim"),)))
    if compact:
        return lines
    lines.append(fact("modes", ", ".join(claim.access_modes) or (("none", "dim"),)))
    if claim.requested is not None:
        lines.append(fact("asked for", size(claim.requested)))
    if claim.template:
        lines.append(fact("template", claim.template))
    if claim.created is not None:
        lines.append(fact("created", ((clock(claim.created), ""), (f"  {view.age(claim.created)} ago", "dim"))))
    return lines


def _volume(view: View, claim: Claim) -> tuple[Piece, ...]:
    """The volume and what is behind it, or why that is not told."""
    if not claim.volume:
        return (("none yet", "dim"),)
    if claim.volume_source:
        return ((claim.volume, ""), (f"  {claim.volume_source}", "dim"))
    if view.refusal(VOLUMES.key):
        return ((claim.volume, ""), ("  what is behind it may not be read", "dim"))
    there = view.store is not None and view.store.named(VOLUMES.key, "", claim.volume, PersistentVolume) is not None
    return ((claim.volume, ""), ("" if there else "  there is no such volume", "warn"))


def _use_facts(view: View, claim: Claim, compact: bool) -> list[Line]:
    usage = claim.usage
    if usage is None:
        return [fact("use", (*bar(None, 8), (f" unknown: {claim.usage_unknown or 'no figure'}", "unknown")))]
    free = f", {size(usage.available)} free" if compact else ""
    lines = [fact("use", (*use(claim, 8), (f"  {size(usage.used)} of {size(usage.capacity)}{free}", "")))]
    if not compact:
        lines.append(fact("free", size(usage.available)))
    if usage.shared:
        lines.append(fact("", (("the figure of the whole file system, which others share", "warn"),)))
    if usage.inodes and usage.inodes_used is not None:
        taken = usage.inodes_used / usage.inodes
        lines.append(fact("inodes", (*bar(taken, 8), (f" {usage.inodes_used:,} of {usage.inodes:,}", ""))))
    if usage.at and not compact:
        lines.append(fact("read", ((f"{view.age(usage.at)} ago", "dim"),)))
    return lines
