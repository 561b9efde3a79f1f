"""What cells are sorted and compared by: the number, the moment or the text that they print.

A key is of one kind throughout a column, so that any two can be compared; what cannot be read as that kind has none.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import TypeAlias

from tui.services.sql.model import Cell, Look

#: A number, or a text.
Key: TypeAlias = float | int | Decimal | str

_DAY = 86400.0
_TIMESTAMP = re.compile(
    r"(\d{4,})-(\d\d)-(\d\d)(?:[ T](\d\d):(\d\d)(?::(\d\d(?:\.\d+)?))?)?\s*"
    r"(?:Z|([+-])(\d\d)(?::?(\d\d)(?::?(\d\d))?)?)?( BC)?"
)
_CLOCK = re.compile(r"([+-]?)(\d+):(\d\d)(?::(\d\d(?:\.\d+)?))?(?:([+-])(\d\d)(?::?(\d\d))?)?")
_UNIT = re.compile(r"([+-]?\d+(?:\.\d+)?) (year|mon|day)s?")
#: PostgreSQL compares intervals so: a month has 30 days.
_UNIT_DAYS = {"year": 360.0, "mon": 30.0, "day": 1.0}
_INFINITE = {"infinity": math.inf, "-infinity": -math.inf}


def key_of(look: Look) -> Callable[[str], Key | None]:
    """What turns a cell of such a column into its key; None for a cell that is not of its kind."""
    return {Look.NUMBER: number, Look.TIME: moment}.get(look, text)


def text(cell: str) -> str:
    """The text itself: by code points, since the server's collation is not known here."""
    return cell


def number(cell: str) -> Key | None:
    """A number without loss: exact where a float would round. NaN is the greatest, as in PostgreSQL."""
    try:
        if len(cell) < 16:
            value = float(cell)
            return math.inf if math.isnan(value) else value
        return int(cell) if cell.removeprefix("-").isdecimal() else _decimal(cell)
    except (ValueError, InvalidOperation):
        return None


def _decimal(cell: str) -> Key:
    value = Decimal(cell)
    return math.inf if value.is_nan() else value


def moment(cell: str) -> float | None:
    """Seconds: of a date or timestamp since year 1, of a time since midnight, of an interval its length.

    Understands `0044-03-15 BC`, `infinity`, zones with seconds, years beyond 9999 and times beyond a day; MySQL's
    `0000-00-00` is before every date.
    """
    try:
        if cell[4:5] == "-":
            return _since_year_1(datetime.fromisoformat(cell))
    except ValueError:
        pass
    if cell in _INFINITE:
        return _INFINITE[cell]
    if found := _TIMESTAMP.fullmatch(cell):
        return _of_timestamp(found)
    if found := _CLOCK.fullmatch(cell):
        return _of_clock(found)
    return _of_interval(cell)


def _since_year_1(value: datetime) -> float:
    seconds = value.toordinal() * _DAY + value.hour * 3600 + value.minute * 60 + value.second + value.microsecond / 1e6
    zone = value.utcoffset()
    return seconds - zone.total_seconds() if zone is not None else seconds


def _of_timestamp(found: re.Match[str]) -> float:
    year, month, day = int(found[1]), int(found[2]), int(found[3])
    if found[11]:
        year = 1 - year
    # In the calendar's cycle of 400 years, which has 146,097 days, any year has its like among those that Python knows.
    cycles, within = divmod(year - 1, 400)
    try:
        days = float(date(within + 1, month, day).toordinal() + cycles * 146_097)
    except ValueError:  # month or day 0
        days = cycles * 146_097 + within * 365.25 + max(month - 1, 0) * 30.5 + day - 1
    seconds = int(found[4] or 0) * 3600 + int(found[5] or 0) * 60 + float(found[6] or 0)
    zone = int(found[8] or 0) * 3600 + int(found[9] or 0) * 60 + int(found[10] or 0)
    return days * _DAY + seconds - (-zone if found[7] == "-" else zone)


def _of_clock(found: re.Match[str]) -> float:
    seconds = int(found[2]) * 3600 + int(found[3]) * 60 + float(found[4] or 0)
    zone = int(found[6] or 0) * 3600 + int(found[7] or 0) * 60
    return (-seconds if found[1] == "-" else seconds) - (-zone if found[5] == "-" else zone)


def _of_interval(cell: str) -> float | None:
    """`1 year 2 mons -3 days 04:05:06`."""
    seconds, rest = 0.0, cell
    while found := _UNIT.match(rest):
        seconds += float(found[1]) * _UNIT_DAYS[found[2]] * _DAY
        rest = rest[found.end() :].lstrip()
    if rest and (clock := _CLOCK.fullmatch(rest)):
        return seconds + _of_clock(clock)
    return seconds if not rest and cell else None


def as_text(cell: Cell) -> str | None:
    """A cell as text, whose order is that of the bytes where it is binary; None for NULL."""
    return cell.decode("latin-1") if isinstance(cell, bytes) else cell
