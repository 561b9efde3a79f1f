"""A workload as a pane: its lines as plain data, without a widget, so that they can be compared and tested."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tui.kube import quantity
from tui.screens.overview.members import Shape, common_class, member_lines, members
from tui.systems.model import Health, Workload, brief
from tui.text import one_line
from tui.widgets.columns import fit, width_of
from tui.widgets.ink import Piece
from tui.widgets.notice import wrap
from tui.widgets.signs import sign

#: Warnings that a pane spells out; the rest is counted.
WARNINGS: Final = 2

_LIGHT: Final = "╭─╮│╰╯"
_HEAVY: Final = "┏━┓┃┗┛"
_STALE: Final = "╭┄╮┆╰╯"


@dataclass(frozen=True, slots=True)
class Look:
    """How a pane is drawn, apart from what it says.

    Attributes:
        width: in cells, frame included.
        selected: it has the cursor.
        stale: what it says may be out of date.
        letter: for jumping, empty otherwise.
        height: lines in all when it must be as tall as its neighbours, 0 for as many as it needs.
        shape: the columns of the members, None for those that suit this workload best.
        badge: of the forwards that lead to it.
        console: whether the keys `s` and `S` lead to a console and to what an operator asks.
    """

    width: int
    selected: bool = False
    stale: bool = False
    letter: str = ""
    height: int = 0
    shape: Shape | None = None
    badge: tuple[Piece, ...] = ()
    console: bool = False


def height(workload: Workload, width: int) -> int:
    """How many lines a pane of this width takes, frame included."""
    return 3 + member_lines(workload) + sum(len(_broken(note, width - 4)) for note in notes(workload))


def lines(workload: Workload, look: Look, now: float) -> tuple[tuple[Piece, ...], ...]:
    """The pane, line by line, each exactly `look.width` cells wide.

    Args:
        workload: what it shows.
        look: how.
        now: seconds of the wall clock, for ages.
    """
    inside = look.width - 4
    frame = _HEAVY if look.selected else _STALE if look.stale else _LIGHT
    ink = "frame-focus" if look.selected else "frame"
    body = [
        _second(workload, inside),
        *members(workload, inside, now, shape=look.shape),
        *(line for note in notes(workload) for line in _broken(note, inside)),
    ]
    # What comes and goes takes lines that are free anyway, else the lower edge: no pane grows or shrinks for it.
    free = look.height - 2 - len(body)
    waiting = passing(workload)
    while waiting and free > 0:
        broken = _broken(waiting[0], inside)[:free] if free > 1 else [fit(waiting[0], inside)]
        body += broken
        free -= len(broken)
        waiting.pop(0)
    body += [[(" " * inside, "")]] * free
    side_left, side_right = (f"{frame[3]} ", ink), (f" {frame[3]}", ink)
    reason = unknown_use(workload)
    # What stands in for what: in the second line where it fits, else on the edge unless there is state to tell.
    said = one_line(brief(workload.stands_in))
    told = any(said in text for text, _ in body[0])
    reason = reason or ("" if told else said)
    edge: tuple[Piece, ...] = waiting[0] if waiting else ((reason, "dim"),) if reason else ()
    drawn = [
        _top(workload, look, frame, ink),
        *((side_left, *pieces, side_right) for pieces in body),
        _bottom(edge, look, frame, ink),
    ]
    return tuple(_faded(line) for line in drawn) if look.stale else tuple(drawn)


def notes(workload: Workload) -> list[tuple[Piece, ...]]:
    """What stays until somebody does something: warnings, and claims that no member uses."""
    told = sorted(workload.warnings, key=lambda warning: not warning.alarms)
    cells: list[tuple[Piece, ...]] = [
        (("⚠ ", warning.health.value), (one_line(warning.text), ""))
        if warning.alarms
        else (("· ", "dim"), (one_line(warning.text), "dim"))
        for warning in told[:WARNINGS]
    ]
    if rest := told[WARNINGS:]:
        mark: Piece = ("⚠ ", "warn") if rest[0].alarms else ("· ", "dim")
        cells.append((mark, (f"{len(rest)} more", "dim")))
    if workload.spare_claims:
        size = sum(claim.capacity or claim.requested or 0 for claim in workload.spare_claims)
        one = len(workload.spare_claims) == 1
        text = one_line(workload.spare_claims[0].name) if one else f"{len(workload.spare_claims)} claims"
        cells.append((("□ ", "dim"), (f"{text} without a member, {quantity.text(size)}", "dim")))
    return cells


def passing(workload: Workload) -> list[tuple[Piece, ...]]:
    """What comes and goes by itself: why it is not ready, and rollouts. It must not move anything when it does."""
    cells: list[tuple[Piece, ...]] = []
    why = one_line(workload.why)
    if why and all(why not in warning.text and warning.text not in why for warning in workload.warnings):
        cells.append((("⚠ ", workload.health.value if workload.health is not Health.READY else "warn"), (why, "")))
    for rollout in workload.rollouts:
        text = f"{rollout.updated}/{rollout.total} on {one_line(rollout.to_revision).rsplit('-', 1)[-1]}"
        held = f", {rollout.partition} held back" if rollout.partition else ""
        stuck = ((f"stuck: {one_line(rollout.stuck)}", "failing"),) if rollout.stuck else ()
        several = f"{one_line(rollout.set_name)} " if len(workload.rollouts) > 1 else ""
        cells.append(
            (("⇡ ", "starting"), (f"{several}rolling out, {text}{held}{', ' if stuck else ''}", "dim"), *stuck)
        )
    return cells


def unknown_use(workload: Workload) -> str:
    """Why the use of claims is not known, or is not theirs alone; empty when nothing needs saying."""
    reasons = list(
        dict.fromkeys(claim.usage_unknown for claim in workload.claims if claim.usage is None and claim.usage_unknown)
    )
    if reasons:
        return f"use: {one_line(reasons[0])}" + (f" (+{len(reasons) - 1})" if len(reasons) > 1 else "")
    if any(claim.usage is not None and claim.usage.shared for claim in workload.claims):
        return "use ~: of a file system larger than the claim"
    return ""


def packaging(workload: Workload) -> str:
    """How it was installed and which version, in one phrase."""
    version = workload.version if workload.version not in workload.packaging else ""
    return " · ".join(part for part in (version, workload.packaging) if part)


# --- the frame


def _top(workload: Workload, look: Look, frame: str, ink: str) -> tuple[Piece, ...]:
    room = look.width - 3
    left: list[Piece] = [(frame[1], ink)]
    if look.letter:
        left += [(f" {look.letter} ", "match"), (" ", "")]
    else:
        left += [(" ", ""), sign(workload.health), (" ", "")]
    namespace = (f" {one_line(workload.namespace)} ", "dim")
    title = (f" · {one_line(workload.title)}" if workload.title else "", "dim")
    used = sum(width_of(piece[0]) for piece in left)
    spare = room - used - width_of(namespace[0])
    if spare < 10:
        namespace, spare = ("", ""), room - used
    name = fit(
        ((one_line(workload.name), "strong"), title), min(spare - 1, width_of(workload.name) + width_of(title[0]))
    )
    rule = spare - sum(width_of(text) for text, _ in name) - 1
    pieces = [(frame[0], ink), *left, *name, (" " + frame[1] * rule, ink), namespace, (frame[1] + frame[2], ink)]
    return tuple(fit(tuple(piece for piece in pieces if piece[0]), look.width))


def _second(workload: Workload, width: int) -> list[Piece]:
    """Packaging, version and owner at the left, how many are ready at the right."""
    ink = "dim" if workload.ready == workload.desired else workload.health.value
    right: Piece = (f"{workload.ready}/{workload.desired} ready", ink)
    room = max(0, width - width_of(right[0]) - 2)
    text = one_line(packaging(workload))
    said = f"says “{workload.operator_status}”" if workload.operator_status else ""
    storage = common_class(workload)
    for more in (
        brief(workload.stands_in),
        f"class {storage}" if storage else "",
        workload.owner.text if workload.owner.text not in text else "",
        said,
    ):
        longer = f"{text} · {one_line(more)}" if more and text else text or one_line(more)
        if width_of(longer) <= room:
            text = longer
    return [*fit(text, room, ink="dim"), ("  ", ""), right]


def _keys(look: Look, room: int) -> str:
    """The keys of the selected pane: those of its console where nothing else has to give way for them."""
    said = " ⏎ open "
    if look.console:
        said = next((keys for keys in (" s SQL  S facts  ⏎ open ", " s SQL  ⏎ open ") if len(keys) <= room), said)
    return said


def _bottom(edge: tuple[Piece, ...], look: Look, frame: str, ink: str) -> tuple[Piece, ...]:
    end: list[Piece] = [(" ", ""), *look.badge, (" ", "")] if look.badge else []
    end += [(frame[1], ink)] if look.badge and look.selected else []
    said = ((" ", ""), *edge, (" ", "")) if edge else ()
    taken = sum(width_of(part) for part, _ in (*said, *end))
    end += [(_keys(look, look.width - 4 - taken), "dim")] if look.selected else []
    room = max(0, look.width - 4 - sum(width_of(part) for part, _ in end))
    text = fit(said, min(sum(width_of(part) for part, _ in said), room)) if said else []
    rule = room - sum(width_of(part) for part, _ in text)
    return ((frame[4] + frame[1], ink), *text, (frame[1] * rule, ink), *end, (frame[1] + frame[5], ink))


def _broken(note: tuple[Piece, ...], width: int) -> list[list[Piece]]:
    """A note as at most two lines: its sign, and its words hanging beside it."""
    mark, *rest = note
    if sum(width_of(text) for text, _ in note) <= width:
        return [fit(note, width)]
    hang = width_of(mark[0])
    told: list[Piece] = list(rest)
    if len(told) == 1:
        text, ink = told[0]
        head, *tail = wrap(text, max(4, width - hang))
        told = [(head, ink), (" ".join(tail), ink)]
    lines = [fit((mark, told[0]), width)]
    if any(text for text, _ in told[1:]):
        lines.append(fit(((" " * hang, ""), *told[1:]), width))
    return lines


def _faded(line: tuple[Piece, ...]) -> tuple[Piece, ...]:
    """A line of stale facts: everything steps back, the signs keep their shape."""
    steps_back = {"frame": "frame", "frame-focus": "frame-focus", "bar": "frame", "bar-rest": "frame"}
    return tuple((text, steps_back.get(ink, "dim")) for text, ink in line)
