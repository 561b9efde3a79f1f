"""Giving memory that is free again back to the system."""

from __future__ import annotations

#: Numbers of `mallopt(3)` in glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
#: Bytes from which memory is taken from the system and given back by itself.
LARGE = 4 << 20


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


def give_large_back_at_once() -> None:
    """Has the C library return what is as large as a part of a transfer as soon as it is freed.

    glibc learns from the first that is freed to keep the next ones: up to twice their size stay at the top of each
    thread's heap, where `malloc_trim` does not look, 16 MiB in each of six threads. Elsewhere than on glibc nothing is
    done.
    """
    import ctypes  # noqa: PLC0415 - seldom needed

    try:
        tune = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library
        return
    tune(_M_MMAP_THRESHOLD, LARGE)
    tune(_M_TRIM_THRESHOLD, LARGE)
