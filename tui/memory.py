"""Giving memory that is free again back to the system."""

from __future__ import annotations


def give_back() -> None:
    """Has the C library hand over pages of its heap that hold nothing any more; takes a few milliseconds.

    glibc keeps what was freed below something that still stands: a hundred megabytes of rows stay resident for one
    small string behind them. `malloc_trim(3)` gives such pages back as well. Elsewhere than on glibc nothing is done.
    """
    import ctypes  # noqa: PLC0415 - seldom needed

    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # another C library
        return
    trim(0)
