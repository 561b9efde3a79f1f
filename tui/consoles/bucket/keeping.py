"""What bounds a bucket and keeps objects: quota, legal hold, retention."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tui.consoles.bucket.moves import wrong
from tui.consoles.bucket.words import moment, size
from tui.consoles.forms import Field, Form
from tui.screens.chooser import Choice
from tui.text import safe
from tui.widgets.lines import Line

if TYPE_CHECKING:
    from tui.consoles.bucket.browsing import BrowsingScreen
    from tui.services.bucket.model import Entry

#: The modes of a retention: one that who has the right may lift, and one that nobody may, not even root.
GOVERNANCE, COMPLIANCE = "governance", "compliance"
_SIZE = re.compile(r"(\d+)\s*([KMGT]?)(?:i?B?)", re.IGNORECASE)
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_DAYS = re.compile(r"(\d{1,5})\s*d(?:ays?)?", re.IGNORECASE)


def bytes_of(text: str) -> int:
    """`10Gi` as bytes, 0 for an empty text.

    Raises:
        ProblemError: it is no size.
    """
    if not text.strip():
        return 0
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise wrong(f"“{text}” is no size", "Write 500Mi or 10Gi; nothing for no quota.")
    return int(found[1]) * _UNITS[found[2].lower()]


def until_of(text: str, now: dt.datetime) -> dt.datetime:
    """`30d`, or `2027-01-31` (its end, in UTC), as a moment that is still to come.

    Raises:
        ProblemError: it is neither, or is over.
    """
    days = _DAYS.fullmatch(text.strip())
    try:
        if days is not None:
            until = now + dt.timedelta(days=int(days[1]))
        else:
            day = dt.date.fromisoformat(text.strip())
            until = dt.datetime.combine(day, dt.time(23, 59, 59), dt.UTC)
    except (ValueError, OverflowError) as error:
        raise wrong(f"“{text}” is no time", "Write 30d, or a day as 2027-01-31.") from error
    if until <= now:
        raise wrong(f"“{text}” is over already", "Name a day that is still to come.")
    return until


def quota(console: BrowsingScreen, bucket: str) -> None:
    """Views and changes how much a bucket may hold."""

    async def show() -> None:
        now = await console.client.quota(bucket)
        said = "What would go beyond it is refused; MinIO counts now and then, so that somewhat more may get in."
        form = Form(f"Quota of {bucket}: {size(now) if now else 'none'}",
                    [Field("bytes", size(now) if now else "", hint="10Gi; nothing for none")], done, word="set",
                    told=(Line(((said, "dim"),)),))  # fmt: skip
        console.app.push_screen(form)

    def done(typed: Mapping[str, str]) -> None:
        wanted = bytes_of(typed["bytes"])
        if console.may_change():
            console.do(save(wanted))

    async def save(wanted: int) -> None:
        await console.client.set_quota(bucket, wanted)
        console.tell(f"Quota of {bucket}: {size(wanted) if wanted else 'none'}", "ready")

    console.do(show())


async def _lockable(console: BrowsingScreen, bucket: str) -> bool:
    if await console.client.locked(bucket):
        return True
    console.tell(f"{bucket} has no object lock: only a new bucket can be made with it", "warn")
    return False


async def hold(console: BrowsingScreen, entry: Entry) -> None:
    """Puts a legal hold on a version of an object, or takes it away."""
    bucket = console.place.bucket
    if not console.may_change() or not await _lockable(console, bucket):
        return
    on = not (await console.client.detail(bucket, entry.key, entry.version)).hold
    if not on:
        does = (f"takes the legal hold of {safe(entry.key)} away: it can be deleted then",)
        if not await console.confirm(console.guard.held("Take it away?", does, "do it", entry.key)):
            return
    await console.client.set_hold(bucket, entry.key, on=on, version=entry.version)
    console.tell(f"{safe(entry.key)}: legal hold {'on' if on else 'off'}", "ready")
    await console.reload()


async def retention(console: BrowsingScreen, entry: Entry) -> None:
    """Keeps a version of an object from being deleted until a time."""
    bucket = console.place.bucket
    if not console.may_change() or not await _lockable(console, bucket):
        return
    now = (await console.client.detail(bucket, entry.key, entry.version)).retention
    told = f"now: {now[0].lower()} until {moment(now[1])} UTC. " if now is not None else ""

    def done(typed: Mapping[str, str]) -> None:
        mode = typed["mode"].strip().lower()
        if mode not in (GOVERNANCE, COMPLIANCE):
            raise wrong(f"“{typed['mode']}” is no mode", f"It is {GOVERNANCE} or {COMPLIANCE}.")
        console.do(save(mode, until_of(typed["until"], console.client.facts.now())))

    async def save(mode: str, until: dt.datetime) -> None:
        if mode == COMPLIANCE:
            does = (
                f"{safe(entry.key)} cannot be deleted before {moment(until)} UTC",
                "nobody can shorten that, not root",
            )
            held = console.guard.held("Is this meant?", does, "keep it", entry.key, always=True)
            if not await console.confirm(held):
                return
        await console.client.set_retention(bucket, entry.key, mode.upper(), until, entry.version)
        console.tell(f"{safe(entry.key)} is kept until {moment(until)} UTC", "ready")
        await console.reload()

    modes = [Choice(GOVERNANCE, GOVERNANCE), Choice(COMPLIANCE, COMPLIANCE)]
    fields = [Field("until", hint="30d, or 2027-01-31"),
              Field("mode", GOVERNANCE, offer=lambda typed: [one for one in modes if one.value != typed])]  # fmt: skip
    words = f"{told}Governance can be lifted by who has the right to; compliance by nobody."
    form = Form(f"Keep {safe(entry.key)} until when?", fields, done, word="keep it", told=(Line(((words, "dim"),)),))
    console.app.push_screen(form)
