"""Kubernetes' quantities of storage: reading them, and writing bytes for people."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from tui.text import size as text

__all__ = ["parse", "text"]

_FACTORS = {
    **{unit: Decimal(1000) ** power for power, unit in enumerate(["n", "u", "m", "", *"kMGTPE"], -3)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", 1)},
}
#: A number, then either a unit or a decimal exponent; `1E` is exa, `1E3` is a thousand.
_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:[eE]([+-]?\d{1,3})|([numkMGTPE]|[KMGTPE]i)?)")


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
