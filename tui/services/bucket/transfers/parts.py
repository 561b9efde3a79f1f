"""Into which parts an object is cut."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

MIB = 1 << 20
#: S3's limits.
MOST_PARTS = 10_000
SMALLEST_PART = 5 * MIB
LARGEST_PART = 5 << 30
LARGEST_OBJECT = 5 << 40
#: A server-side copy in one request goes so far.
LARGEST_COPY = 5 << 30
#: What is asked for when nothing speaks against it: large enough that a round trip does not count, small enough that
#: several of them fit in memory and that little is lost with a connection.
USUAL = 8 * MIB


@dataclass(frozen=True, slots=True)
class Span:
    """A part: which bytes.

    Attributes:
        number: from 1.
        start: of its first byte.
        size: bytes.
    """

    number: int
    start: int
    size: int


def part_size(total: int, usual: int = USUAL) -> int:
    """The size of parts for an object of so many bytes: the usual one, or larger where 10,000 would not suffice.

    Raises:
        ValueError: larger than an object can be (5 TiB).
    """
    if total > LARGEST_OBJECT:
        raise ValueError("an object has at most 5 TiB")
    size = usual
    while size * MOST_PARTS < total:
        size *= 2
    return size


def spans(total: int, size: int) -> Iterator[Span]:
    """The parts of so many bytes; one empty part for none."""
    for number, start in enumerate(range(0, max(total, 1), size), 1):
        yield Span(number, start, min(size, total - start))


def stream_part_size(number: int, usual: int = USUAL) -> int:
    """The size of a part of a stream whose length is unknown: growing, so that 10,000 reach 359 GiB.

    Args:
        number: of the part, from 1.
        usual: bytes of the first parts.
    """
    # Twice as much for each further 2,000 parts, up to eight times the usual size.
    return usual << min((number - 1) // 2000, 3)
