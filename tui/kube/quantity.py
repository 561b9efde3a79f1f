"""Kubernetes' quantities of storage: reading them, and writing bytes for people."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from functools import lru_cache

_FACTORS = {
    **{unit: Decimal(1000) ** power for power, unit in enumerate(["n", "u", "m", "", *"kMGTPE"], -3)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", 1)},
}
#: A number, then either a unit or a decimal exponent; `1E` is exa, `1E3` is a thousand.
_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:[eE]([+-]?\d{1,3})|([numkMGTPE]|[KMGTPE]i)?)")
_UNITS = ("Ki", "Mi", "Gi", "Ti", "Pi", "Ei")


@lru_cache(maxsize=4096)
def parse(text: str) -> int | None:
    """Reads a quantity (`10Gi`, `1.5G`, `1e3`, `500m`) as whole units, rounded up as Kubernetes does.

    Returns:
        Bytes (or whatever is counted); None for an empty or malformed quantity.
    """
    match = _QUANTITY.fullmatch(text.strip())
    if match is None:
        return None
    number, exponent, unit = match.groups()
    try:
        value = Decimal(number).scaleb(int(exponent)) if exponent else Decimal(number) * _FACTORS[unit or ""]
    except InvalidOperation:
        return None
    whole = int(value)
    return whole + 1 if value > whole else whole


def text(count: float) -> str:
    """Writes bytes in the unit that people read best, at most six columns: `512B`, `9.8Gi`, `256Mi`, `1023Mi`.

    One decimal below ten, none from there; a value that would round up to 1024 moves on to the next unit.
    """
    if count < 0:
        return "-" + text(-count)
    if round(count) < 1024:
        return f"{round(count)}B"
    value = float(count)
    for unit in _UNITS:
        value /= 1024
        if round(value) < 1024 or unit == "Ei":
            break
    if value >= 9.95:
        return f"{round(value)}{unit}"
    return f"{value:.1f}".removesuffix(".0") + unit
