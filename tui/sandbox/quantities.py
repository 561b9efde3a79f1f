"""Quantities as Kubernetes writes them: `1Gi`, `500m`, `1e3`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Final

_SUFFIXES: Final[Mapping[str, Decimal | int]] = {
    "": 1, "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("0.001"),
    "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15, "E": 10**18,
    "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60,
}  # fmt: skip


def quantity(text: str | float | None) -> int:
    """A quantity in bytes or pieces, rounded up; 0 when it is absent or cannot be read."""
    if not isinstance(text, str):
        return math.ceil(text) if text else 0
    for cut in (2, 1, 0):
        number, suffix = text[: len(text) - cut], text[len(text) - cut :]
        if len(suffix) == cut and suffix in _SUFFIXES:
            try:
                return math.ceil(Decimal(number) * _SUFFIXES[suffix])
            except (InvalidOperation, ValueError, OverflowError):
                continue
    return 0
