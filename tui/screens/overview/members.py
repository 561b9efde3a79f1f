"""The members of a workload and their claims as aligned lines: plain data, for panes and for the table's preview."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Final, Literal

from tui.kube import quantity
from tui.kube.times import age
from tui.systems.model import Claim, Health, Member, Workload
from tui.systems.observed import short_lag
from tui.text import one_line
from tui.widgets.columns import fit, width_of
from tui.widgets.ink import Cell, Piece, plain
from tui.widgets.signs import bar, sign

#: A member's claims share its line and the ones below it up to this number; more are drawn as one.
CLAIM_LINES: Final = 2
#: More lines than this are summed up in one.
LINES: Final = 12
#: Cells kept for label, role and phase where panes share their columns, and of these for the role.
STATE, ROLE = 21, 9
#: Cells that a label may be shortened to, where the state needs the rest.
SHORT_LABEL: Final = 4
#: Cells of a bar where there is room, and where there is little; columns of a higher luxury go before the bar does.
BAR, SHORT_BAR, BAR_LUXURY = 7, 4, 5


@dataclass(frozen=True, slots=True)
class _Line:
    """One line: a member with its first claim, or another claim of the member above."""

    member: Member | None
    claim: Claim | None
    more: tuple[Claim, ...] = ()


@dataclass(frozen=True, slots=True)
class _Column:
    """A column; of those that do not fit the one with the highest `luxury` goes first, 0 never."""

    key: str
    luxury: int
    least: int = 99
    align: Literal["left", "right"] = "right"


#: In display order. `least` is what a column can be cut to; most are never cut.
_COLUMNS: Final = (
    _Column("label", 0, 12, "left"),
    _Column("sign", 0, align="left"),
    _Column("state", 0, 26, "left"),
    _Column("age", 3),
    _Column("node", 7, 16, "left"),
    _Column("phase", 9, align="left"),
    _Column("size", 1),
    _Column("class", 8, 12, "left"),
    _Column("used", 6),
    _Column("use", 1),
)
_LABEL, _SIGN, _STATE, _AGE, _USED, _USE = 0, 1, 2, 3, 8, 9


@dataclass(frozen=True, slots=True)
class Shape:
    """Which columns stand right of the state, and how wide.

    One shape for many panes makes their columns line up; label and state share what is left in each of them.
    """

    sizes: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Need:
    """How wide each column would like to be, for one workload."""

    widths: tuple[int, ...]


def need(workload: Workload) -> Need:
    """What a workload's lines would like to have just now."""
    classes = not common_class(workload)
    table = [_cells(row, 0.0, spelled=False, classes=classes) for row in _rows(workload.members, LINES)]
    widths = [max((width_of(cells[index]) for cells in table), default=0) for index in range(len(_COLUMNS))]
    widths[_AGE] = 3 if table else 0  # what it says now is not what it will say in an hour
    return Need(tuple(widths))


def steady(workload: Workload) -> Need:
    """What a workload's lines would like to have whatever becomes of its members.

    States, restarts and figures of use come and go. Where many panes share their columns, one member that starts
    must not move what stands in all the others: room is kept for what may come.
    """
    widths = list(need(workload).widths)
    widths[_STATE] = max(ROLE, STATE - min(widths[_LABEL], _COLUMNS[_LABEL].least))
    widths[_AGE] = 4
    widths[_USED], widths[_USE] = (6, 5) if any(member.claims for member in workload.members) else (0, 0)
    return Need(tuple(widths))


def shape(needs: Iterable[Need], width: int) -> Shape:
    """The columns that suit all of these at a width.

    Columns that say nothing are left out, then one luxury after the other, in a fixed order, until the rest fits beside
    the widest state. What is left over goes to the bar of use.
    """
    all_needs = list(needs) or [Need((0,) * len(_COLUMNS))]
    widest = [max(each.widths[index] for each in all_needs) for index in range(len(_COLUMNS))]
    left = max(_left(each.widths[_LABEL], each.widths[_STATE]) for each in all_needs)
    sizes = {at: min(widest[at], _COLUMNS[at].least) for at in range(_STATE + 1, len(_COLUMNS)) if widest[at]}

    figure = widest[_USE] > 1  # more than a question mark: some line has a figure, and may have a bar
    if figure:
        sizes[_USE] = SHORT_BAR + 5

    def room() -> int:
        return width - left - sum(sizes.values()) - len(sizes)

    while room() < 0 and sizes:
        last = max(sizes, key=lambda at: _COLUMNS[at].luxury)
        if figure and _COLUMNS[last].luxury < BAR_LUXURY and sizes[_USE] > widest[_USE]:
            sizes[_USE] = min(widest[_USE], SHORT_BAR + 4)
        else:
            del sizes[last]
    for at, size in list(sizes.items()):
        sizes[at] = size + max(0, min(widest[at] - size, room()))
    if sizes.get(_USE, 0) >= SHORT_BAR + 5:
        sizes[_USE] += max(0, min(BAR + 5 - sizes[_USE], room()))
    return Shape(tuple(sorted(sizes.items())))


def members(
    workload: Workload, width: int, now: float, limit: int = LINES, shape: Shape | None = None
) -> list[list[Piece]]:
    """The lines, each exactly `width` cells; members that do not fit in `limit` lines become one line of signs.

    Args:
        workload: whose members.
        width: of each line.
        now: seconds of the wall clock, for ages.
        limit: of lines.
        shape: the columns, None for those that suit this workload best.
    """
    rows = _rows(workload.members, limit)
    left_out = len(workload.members) - sum(1 for row in rows if row.member is not None)
    form = shape or _shape_alone(workload, width)
    classes = not common_class(workload)
    shown = [row.member for row in rows if row.member]
    labels, spelled = _labels(shown, width - 3 - sum(size + 1 for _, size in form.sizes))
    label = max(map(width_of, labels), default=1)
    state = width - label - 3 - sum(size + 1 for _, size in form.sizes)
    places = ((_LABEL, label), (_SIGN, 1), (_STATE, max(1, state)), *form.sizes)
    # Where that cuts nothing: which of several claims stands beside the member.
    named = all(
        width_of(_state(row.member, spelled=spelled)) + _tail(row) <= state
        for row in rows
        if row.member and _which(row)
    )
    drawn = []
    labelled = iter(labels)
    for row in rows:
        cells = _cells(row, now, spelled=spelled, classes=classes)
        if row.member is not None:
            cells[_LABEL] = ((next(labelled), "strong"),)
        pieces: list[Piece] = []
        for index, size in places:
            if pieces:
                pieces.append((" ", ""))
            if index == _STATE:
                pieces += _stated(row, size, spelled=spelled, named=named)
                continue
            cell = _use(row, size) if index == _USE else cells[index]
            pieces += fit(cell, size, _COLUMNS[index].align)
        drawn.append(fit(tuple(pieces), width))
    if left_out:
        rest = tuple(sign(member.health) for member in workload.members[-left_out:])
        drawn.append(fit((("… ", "dim"), (f"{left_out} more ", "dim"), *rest), width))
    return drawn


def member_lines(workload: Workload) -> int:
    """How many lines `members` makes without a limit of one's own."""
    total = sum(_height(member) for member in workload.members)
    return total if total <= LINES else len(_rows(workload.members, LINES)) + 1


def _labels(shown: Sequence[Member], room: int) -> tuple[list[str], bool]:
    """The members' labels, short enough for every state beside them, and whether "Running" of a ready one is spelled.

    Args:
        shown: the members.
        room: cells for label and state together.
    """
    most = _COLUMNS[_LABEL].least
    names = [one_line(member.label) for member in shown]
    widest = min(max(map(width_of, names), default=1), most)
    for spelled in (True, False):
        left = room - max((width_of(_state(member, spelled=spelled)) for member in shown), default=0)
        if left >= min(widest, SHORT_LABEL) and (labels := _shortened(names, min(left, most))) is not None:
            return labels, spelled
    # No room for all of it: roles are cut then.
    labels = _shortened(names, min(SHORT_LABEL, most)) or _shortened(names, most)
    return labels or [plain(tuple(fit(name, widest))) for name in names], True


def _shortened(names: Sequence[str], width: int) -> list[str] | None:
    """Names of members cut to a width: at what they have in common, else in the middle, because their ends differ.

    Returns:
        None when they could not be told apart.
    """
    if all(width_of(name) <= width for name in names):
        return list(names)
    if not all(name.isascii() for name in names):
        return None
    same = [letters[0] for letters in takewhile(lambda each: len(set(each)) == 1, zip(*names, strict=False))]
    common = len("".join(same).rpartition("-")[0]) + 1 if len(names) > 1 else 0
    keep = width - 1 - (max(map(len, names)) - common)
    if common < 2 or keep < 0:
        ends = [len(name) - len(name.rstrip("0123456789")) for name in names]
        keeps = [width - 1 - end for end in ends]
        if min(keeps) < 1:
            return None
    else:
        ends = [len(name) - common for name in names]
        keeps = [keep] * len(names)
    cut = [
        name if len(name) <= width else f"{name[:keep]}…{name[len(name) - end :]}"
        for name, keep, end in zip(names, keeps, ends, strict=True)
    ]
    return cut if len(set(cut)) == len(set(names)) else None


def _shape_alone(workload: Workload, width: int) -> Shape:
    return shape([need(workload)], width)


def _left(label: int, state: int) -> int:
    """Cells for label, sign and state, each cut as far as it may be."""
    return min(label, _COLUMNS[_LABEL].least) + 3 + max(4, min(state, _COLUMNS[_STATE].least))


def _height(member: Member) -> int:
    return len(member.claims) if 1 < len(member.claims) <= CLAIM_LINES else 1


def _rows(all_members: Sequence[Member], limit: int) -> list[_Line]:
    rows: list[_Line] = []
    whole = sum(_height(member) for member in all_members) <= limit
    for member in all_members:
        if not whole and len(rows) + _height(member) > limit - 1:
            break
        claims = member.claims
        if len(claims) > CLAIM_LINES:
            fullest = max(
                claims,
                key=lambda claim: (claim.health is not Health.READY, claim.usage.fraction if claim.usage else -1),
            )
            rows.append(_Line(member, fullest, claims))
            continue
        rows.append(_Line(member, claims[0] if claims else None))
        rows += [_Line(None, claim) for claim in claims[1:]]
    return rows


def common_class(workload: Workload) -> str:
    """The storage class of all the members' claims, empty when there are none or several."""
    classes = {claim.storage_class for member in workload.members for claim in member.claims}
    return one_line(classes.pop()) if len(classes) == 1 else ""


def _cells(row: _Line, now: float, *, spelled: bool, classes: bool) -> list[Cell]:
    """A line's cells, one for each column; the bar of use is drawn when its width is known."""
    member = row.member
    if member is None:
        about = row.claim.template or row.claim.name if row.claim is not None else ""
        return ["", "", ((f"└ {one_line(about)}", "dim"),), "", "", *_claim(row, classes)]
    created = member.terminating_since or member.created
    return [
        ((one_line(member.label), "strong"),),
        (sign(member.health),),
        _state(member, spelled=spelled),
        ((age(max(0.0, now - created)), "dim"),) if created is not None else "",
        ((one_line(member.node), "dim"),),
        *_claim(row, classes),
    ]


def _stated(row: _Line, width: int, *, spelled: bool, named: bool) -> list[Piece]:
    """The state of a member: what it is at the left, at the right its restarts and which of its claims follows."""
    member = row.member
    if member is None:
        about = one_line(row.claim.template or row.claim.name) if row.claim is not None else ""
        return fit(((f"└ {about}", "dim"),), width, "right" if named else "left")
    right: list[Piece] = [_again(member)] if member.restarts else []
    if named and (which := _which(row)):
        right.append((f" {which}", "dim"))
    left = list(_state(member, spelled=spelled, again=False))
    room = max(0, width - sum(width_of(text) for text, _ in right))
    over = sum(width_of(text) for text, _ in left) - room
    if over > 0 and member.role is not None and len(left) > 1:
        # What happens to it is worth more than what it is.
        (name, ink), (after, next_ink) = left[0], left[1]
        kept = width_of(name) - over
        left[:2] = [(plain(tuple(fit(name, kept))), ink), left[1]] if kept > 1 else [(after.lstrip(), next_ink)]
    return [*fit(tuple(left), room), *right]


def _which(row: _Line) -> str:
    """The template of the claim beside a member that has others below; empty when there is nothing to tell apart."""
    if row.member is None or row.claim is None or row.more or len(row.member.claims) < 2:
        return ""
    return one_line(row.claim.template or row.claim.name)


def _tail(row: _Line) -> int:
    """Cells for `_which`, with the space before it."""
    which = _which(row)
    return width_of(which) + 1 if which else 0


def _plain(member: Member) -> bool:
    """Whether its sign says all there is to say of its phase."""
    return member.health is Health.READY and member.phase == "Running"


def _again(member: Member) -> Piece:
    return (f" ↻{member.restarts}", "warn")


def _state(member: Member, *, spelled: bool, again: bool = True) -> tuple[Piece, ...]:
    """Role, phase, whether the revision is the old one, and restarts where they follow at once."""
    pieces: list[Piece] = []
    if member.role is not None:
        pieces.append((one_line(member.role.name), ""))
        if member.role.writes:
            pieces.append((" ▲", "accent"))
        elif member.lag:
            pieces.append((f" {short_lag(member)}", "dim"))
    plain = _plain(member)
    if not plain or spelled:
        ready = f" {member.ready}" if member.health is Health.RUNNING else ""
        ink = "dim" if plain else member.health.value
        pieces += [(" " if pieces else "", ""), (f"{one_line(member.phase)}{ready}", ink)]
    if not member.current:
        pieces.append((" ⇡" if pieces else "⇡", "starting"))
    if again and member.restarts:
        pieces.append(_again(member))
    return tuple(pieces)


def _claim(row: _Line, classes: bool) -> list[Cell]:
    """Phase, size, class, bytes in use, and the least that is said of the use: a percentage, or what is wrong."""
    claim = row.claim
    if claim is None:
        return [""] * 5
    size = claim.capacity if claim.capacity is not None else claim.requested
    count = f"{len(row.more)}×" if row.more else ""
    well = claim.health is Health.READY
    return [
        ((one_line(claim.phase), "dim"),) if well else "",
        ((f"{count}{quantity.text(size)}" if size is not None else "?", "dim"),),
        ((one_line(claim.storage_class), "dim"),) if classes else "",
        ((quantity.text(claim.usage.used), "dim"),) if well and claim.usage is not None else "",
        _use(row, 0),
    ]


def _use(row: _Line, width: int) -> tuple[Piece, ...]:
    """The use of a claim: bar and percentage where there is room, the phase of a claim that is not well."""
    claim = row.claim
    if claim is None:
        return ()
    if claim.health is not Health.READY:
        return (sign(claim.health), (f" {one_line(claim.phase)}", claim.health.value))
    if claim.usage is None:
        return (("?", "unknown"),)
    shared = claim.usage.shared
    text = f"{'~' if shared else ''}{claim.usage.fraction * 100:.0f}%"
    drawn = bar(claim.usage.fraction, width - 7) if width >= 9 else ()
    return (*drawn, (f"{text:>5}" if drawn else text, "dim" if shared else ""))
