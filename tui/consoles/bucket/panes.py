"""The panes beside the keys: buckets, facts, the path."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import ClassVar

from tui.consoles.bucket.browser import Browser
from tui.consoles.bucket.details import summed
from tui.consoles.bucket.words import moment, size
from tui.services.bucket.model import Anonymous, Bucket, Entry
from tui.text import one_line, safe
from tui.widgets.columns import Column, fit, width_of
from tui.widgets.ink import Cell, Piece
from tui.widgets.lines import Lines
from tui.widgets.row import Row
from tui.widgets.rows import RowTable

#: Cells of the path at least, and of what was typed to search or filter for.
LEAST, SHORTEST = 12, 5
BUCKETS = (
    Column("name", "BUCKET", min_width=16, grow=1),
    Column("access", "ACCESS", min_width=8, optional=True, cut=True),
    Column("size", "SIZE", min_width=5, align="right", priority=2, optional=True),
    Column("objects", "OBJECTS", min_width=7, align="right", priority=3, optional=True),
    Column("created", "CREATED", min_width=10, max_width=10, priority=4),
)
_SHORT = {
    Anonymous.READ: "⚠ public", Anonymous.WRITE: "⚠ public, write", Anonymous.BOTH: "⚠ public, write",
    Anonymous.CUSTOM: "⚠ policy",
}  # fmt: skip


class BucketTable(RowTable):
    """The buckets of a store."""

    HELP: ClassVar[str] = """Buckets
What the store's metrics say of their size, or what was counted: # counts one. What anyone may do with a bucket without
keys stands there in red and in words. enter goes to the keys, n makes a bucket, D removes one, slash shows only those
whose names hold a text, x lists all that can be done with one: versions, policy, lifecycle, tags, who may read."""


class Details(Lines):
    """What is known of what the cursor is on."""

    HELP: ClassVar[str] = """Facts
What the listing says of a key, and what the store tells of it when it is asked: type, metadata, tags, versions,
retention, legal hold. What may not be read, or what this server does not have, is named at the end."""


def bucket_row(bucket: Bucket, anonymous: Anonymous | None) -> Row:
    """A bucket as a row."""
    access: Cell = ((_SHORT[anonymous], "failing"),) if anonymous in _SHORT else ""
    amount: Cell = "" if bucket.size is None else size(bucket.size)
    objects: Cell = "" if bucket.objects is None else f"{bucket.objects:,}"
    return Row(bucket.name, (safe(bucket.name), access, amount, objects, moment(bucket.created)[:10]))


def _typed(leads: Sequence[str], text: str, tail: str, room: int) -> str:
    """What was typed between other words, of which the last stand for sure: they say how many there are.

    Args:
        leads: what may stand before it, the longest first.
        text: it.
        tail: what stands behind it.
        room: cells.
    """
    text = one_line(text)
    left = 0
    for lead in leads:
        left = room - width_of(lead) - width_of(tail)
        if width_of(text) <= left:
            return f"{lead}{text}{tail}"
    cut = text if width_of(text) <= SHORTEST else "".join(one for one, _ in fit(text, max(SHORTEST, left), keep="end"))
    return f"{leads[-1]}{cut}{tail}"


def path_line(browser: Browser | None, marked: Collection[Entry], width: int) -> list[Piece]:
    """Where one is, how the listing is arranged, what is marked."""
    if browser is None or not browser.place.bucket:
        return []
    place, listing = browser.place, browser.listing
    left: list[Piece] = [(" ", ""), (safe(place.bucket), "title"), ("/", "dim"), (safe(place.prefix), "strong")]
    right: list[Piece] = []
    if place.versions:
        right.append((" old versions and markers below here " if place.old else " all versions ", "warn"))
    if place.search:
        found = len(listing) if listing is not None else 0
        looked = listing.looked if listing is not None else 0
        state = "" if listing is None or listing.whole else ("…" if browser.reading else ", more with end")
        tail = f"”: {found:,} of {looked:,} keys{state} "
        right.append((_typed((" below here with “", " “"), place.search, tail, width - LEAST), "accent"))
    if listing is not None and listing.filter:
        tail = f": {len(listing):,} of {listing.resident:,} "
        right.append((_typed((" /",), listing.filter, tail, width - LEAST), "accent"))
    if marked:
        right.append((f" ✓ {summed(marked)} ", "accent"))
    if browser.problem is not None and listing is not None and len(listing):
        right.append((f" ✗ {one_line(browser.problem.what)}: r reads again ", "failing"))
    if not right and listing is not None and listing.begun:
        more = "" if listing.whole else "+"
        right.append((f" {len(listing):,}{more} ", "dim"))
    taken = sum(width_of(text) for text, _ in right)
    room = max(LEAST, width - taken)
    return fit((*fit(tuple(left), room, keep="end"), *right), width)
