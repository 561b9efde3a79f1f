"""Pictures in a terminal: PNG decoded here, drawn with half blocks. Nothing else is decoded, and no library is needed.

A terminal's cell is about twice as high as wide: `▀` with its own foreground and background shows two pixels.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
#: Bytes that a picture may take when it is unpacked: a small file can claim to be of any size.
MOST = 64 << 20
#: Colour type → samples a pixel.
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_LEGAL = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}

Pixel = tuple[int, int, int]


class NotAPicture(ValueError):
    """It cannot be drawn; says why."""


@dataclass(frozen=True, slots=True)
class Picture:
    """Rows of pixels (red, green, blue), transparent ones laid on black."""

    width: int
    height: int
    rows: list[list[Pixel]]


def size_of(data: bytes) -> tuple[int, int] | None:
    """Width and height of a PNG; None for anything else."""
    if not data.startswith(_SIGNATURE) or data[12:16] != b"IHDR" or len(data) < 33:
        return None
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def decode(data: bytes) -> Picture:
    """A PNG's pixels.

    Raises:
        NotAPicture: it is none, interlaced, damaged, cut off, or too large.
    """
    if size_of(data) is None:
        raise NotAPicture("it is no PNG")
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", data[16:29])
    if depth not in _LEGAL.get(colour, ()):
        raise NotAPicture("its kind of pixels is none of PNG's")
    if interlaced:
        raise NotAPicture("it is interlaced")
    bits = _SAMPLES[colour] * depth
    line = (width * bits + 7) // 8
    if not width or not height or (line + 1) * height > MOST or width * height > MOST // 16:
        raise NotAPicture(f"it is too large: {width} × {height}")
    packed, palette = _chunks(data)
    try:
        raw = zlib.decompressobj().decompress(packed, (line + 1) * height)
    except zlib.error as error:
        raise NotAPicture(f"it is damaged: {error}") from error
    rows: list[list[Pixel]] = []
    before = bytearray(line)
    step = max(1, bits // 8)
    for y in range(len(raw) // (line + 1)):
        start = y * (line + 1)
        row = bytearray(raw[start + 1 : start + 1 + line])
        _unfilter(raw[start], row, before, step)
        rows.append(_pixels(row, width, depth, colour, palette))
        before = row
    if not rows:
        raise NotAPicture("too little of it was read")
    return Picture(width, len(rows), rows)


def _chunks(data: bytes) -> tuple[bytes, list[Pixel]]:
    packed: list[bytes] = []
    palette: list[Pixel] = []
    at = len(_SIGNATURE)
    while at + 8 <= len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        name, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        if name == b"IDAT":
            packed.append(body)
        elif name == b"PLTE":
            palette = [(body[i], body[i + 1], body[i + 2]) for i in range(0, len(body) - 2, 3)]
        elif name == b"IEND":
            break
        at += 12 + length
    return b"".join(packed), palette


def _unfilter(kind: int, row: bytearray, before: bytearray, step: int) -> None:
    """Undoes what a row was made smaller with (PNG, clause 9)."""
    if kind == 0:
        return
    for at in range(len(row)):
        left = row[at - step] if at >= step else 0
        above = before[at]
        corner = before[at - step] if at >= step else 0
        if kind == 1:
            guess = left
        elif kind == 2:
            guess = above
        elif kind == 3:
            guess = (left + above) // 2
        elif kind == 4:
            distance = left + above - corner
            guess = min((abs(distance - one), place, one) for place, one in enumerate((left, above, corner)))[2]
        else:
            raise NotAPicture("it is damaged: a row says how it is packed in no way that there is")
        row[at] = (row[at] + guess) & 0xFF


def _pixels(row: bytearray, width: int, depth: int, colour: int, palette: list[Pixel]) -> list[Pixel]:
    count = width * _SAMPLES[colour]
    if depth == 8:
        samples = list(row[:count])
    elif depth == 16:
        samples = list(row[: 2 * count : 2])
    else:
        most = (1 << depth) - 1
        samples = [(row[at * depth // 8] >> (8 - depth - at * depth % 8)) & most for at in range(count)]
        if colour == 0:
            samples = [one * 255 // most for one in samples]
    if colour == 3:
        return [palette[one] if one < len(palette) else (0, 0, 0) for one in samples]
    if colour == 0:
        return [(one, one, one) for one in samples]
    if colour == 2:
        return [(samples[at], samples[at + 1], samples[at + 2]) for at in range(0, count - 2, 3)]
    if colour == 4:
        return [(one := samples[at] * samples[at + 1] // 255, one, one) for at in range(0, count - 1, 2)]
    return [
        (samples[at] * samples[at + 3] // 255, samples[at + 1] * samples[at + 3] // 255,
         samples[at + 2] * samples[at + 3] // 255)
        for at in range(0, count - 3, 4)
    ]  # fmt: skip


def fitted(picture: Picture, columns: int, lines: int) -> list[list[tuple[Pixel, Pixel]]]:
    """The picture in cells of the terminal, each with its upper and its lower pixel; no larger than it is.

    Args:
        picture: the picture.
        columns: cells that there are.
        lines: lines that there are, two pixels each.
    """
    scale = min(1.0, columns / picture.width, 2 * lines / picture.height)
    width, height = max(1, int(picture.width * scale)), max(1, int(picture.height * scale))
    lookup = [min(picture.width - 1, int(x / scale)) for x in range(width)]

    def row(y: int) -> list[Pixel]:
        if y >= height:
            return [(0, 0, 0)] * width
        source = picture.rows[min(picture.height - 1, int(y / scale))]
        return [source[x] for x in lookup]

    return [list(zip(row(y), row(y + 1), strict=True)) for y in range(0, height, 2)]
