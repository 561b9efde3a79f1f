"""The server's side of SPDY/3.1's frames: bytes in, frames out; no IO, and nothing of what the streams are for.

At the far end stand clients that use github.com/moby/spdystream: no flow control (they neither obey nor send
WINDOW_UPDATE), no associated streams, no priorities that matter.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Final

from tui import spdy_headers as headers

#: Bytes of a control frame that are taken.
MAX_CONTROL: Final = 128 << 10
#: What a data frame can carry is below this.
MAX_DATA: Final = 1 << 24
#: The status of a RST_STREAM that spdystream sends for all that it does not want (CANCEL).
CANCEL: Final = 5

_SYN_STREAM, _SYN_REPLY, _RST_STREAM, _PING, _GOAWAY, _HEADERS = 1, 2, 3, 6, 7, 8
_CONTROL: Final = 0x80000000
_VERSION: Final = 3  # of SPDY/3.1 too
_FIN: Final = 0x01
_HEAD: Final = struct.Struct(">II")
_WORD: Final = struct.Struct(">I")


class SpdyError(Exception):
    """What a client sent is no SPDY/3.1."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The client opened a stream, with its half closed at once or not; names of headers are in lower case."""

    stream: int
    headers: dict[str, str]
    fin: bool


@dataclass(frozen=True, slots=True)
class Data:
    """Bytes of a stream, perhaps the last ones."""

    stream: int
    data: memoryview
    fin: bool


@dataclass(frozen=True, slots=True)
class Reset:
    """The client gave a stream up."""

    stream: int


@dataclass(frozen=True, slots=True)
class Ping:
    """The client wants this back."""

    number: int


@dataclass(frozen=True, slots=True)
class Goodbye:
    """The client opens no more streams."""


Event = Opened | Data | Reset | Ping | Goodbye


class Reader:
    """Takes frames apart, wherever the bytes are cut."""

    def __init__(self) -> None:
        self._unpacker = zlib.decompressobj(zdict=headers.DICTIONARY)
        self._held = bytearray()  # of a head or a control frame that is not whole
        self._stream = 0  # of the data frame whose bytes are coming
        self._left = 0  # bytes of it that are still to come
        self._skip = 0  # bytes of a frame of no interest that are still to come
        self._fin = False

    def receive(self, data: bytes | bytearray | memoryview) -> list[Event]:
        """Reads the next bytes. Data among the events are slices of them, not copies.

        Raises:
            SpdyError: they make no sense; nothing more can be read.
        """
        events: list[Event] = []
        if self._held:
            data = bytes(self._held) + bytes(data)
            self._held.clear()
        view, at = memoryview(data), 0
        while at < len(view):
            if self._left or self._skip:
                at += self._continue(view[at:], events)
                continue
            step = self._frame(view[at:], events)
            if not step:
                self._held += view[at:]
                break
            at += step
        return events

    def _continue(self, view: memoryview, events: list[Event]) -> int:
        if self._skip:
            taken = min(self._skip, len(view))
            self._skip -= taken
            return taken
        piece = view[: self._left]
        self._left -= len(piece)
        events.append(Data(self._stream, piece, self._fin and not self._left))
        return len(piece)

    def _frame(self, view: memoryview, events: list[Event]) -> int:
        """A frame's head, and a control frame whole. Returns the bytes taken, 0 when there are too few."""
        if len(view) < 8:
            return 0
        first, second = _HEAD.unpack_from(view)
        flags, size = second >> 24, int(second & 0xFFFFFF)
        if not first & _CONTROL:
            self._stream, self._left, self._fin = first, size, bool(flags & _FIN)
            if not size:
                events.append(Data(first, view[:0], self._fin))
            return 8
        kind, version = first & 0xFFFF, first >> 16 & 0x7FFF
        if version != _VERSION:
            raise SpdyError(f"a frame of SPDY version {version}, not {_VERSION}")
        if kind not in (_SYN_STREAM, _SYN_REPLY, _RST_STREAM, _PING, _GOAWAY, _HEADERS):
            self._skip = size
            return 8
        if size > MAX_CONTROL:
            raise SpdyError(f"a control frame of {size} bytes")
        if len(view) < 8 + size:
            return 0
        self._control(kind, flags, bytes(view[8 : 8 + size]), events)
        return 8 + size

    def _control(self, kind: int, flags: int, payload: bytes, events: list[Event]) -> None:
        try:
            number: int = _WORD.unpack_from(payload)[0]
        except struct.error:
            raise SpdyError("a control frame that is too short") from None
        if kind != _PING:
            number &= ~_CONTROL
        if kind == _SYN_STREAM:
            events.append(Opened(number, self._headers(payload[10:]), bool(flags & _FIN)))
        elif kind in (_SYN_REPLY, _HEADERS):
            self._headers(payload[4:])  # of no interest, but the decompressor must have seen them
        elif kind == _RST_STREAM:
            events.append(Reset(number))
        elif kind == _PING:
            events.append(Ping(number))
        else:
            events.append(Goodbye())

    def _headers(self, packed: bytes) -> dict[str, str]:
        try:
            found = [text.decode() for text in headers.texts(headers.unpacked(self._unpacker, packed))]
        except ValueError as error:
            raise SpdyError(f"headers that cannot be read: {error}") from None
        return {name.lower(): value for name, value in zip(found[::2], found[1::2], strict=True)}


class Writer:
    """Makes frames. Those with headers must be sent in the order in which they were made."""

    def __init__(self) -> None:
        self._packer = zlib.compressobj(zdict=headers.DICTIONARY)

    def reply(self, stream: int) -> bytes:
        """Accepts a stream, without headers."""
        packed = self._packer.compress(headers.block({})) + self._packer.flush(zlib.Z_SYNC_FLUSH)
        return _control(_SYN_REPLY, _WORD.pack(stream) + packed)


def reset(stream: int) -> bytes:
    """Gives a stream up, or refuses it."""
    return _control(_RST_STREAM, _HEAD.pack(stream, CANCEL))


def ping(number: int) -> bytes:
    """Answers a ping."""
    return _control(_PING, _WORD.pack(number))


def head(stream: int, size: int, *, fin: bool = False) -> bytes:
    """What goes before so many bytes of data, fewer than `MAX_DATA`."""
    return _HEAD.pack(stream, (_FIN << 24 if fin else 0) | size)


def _control(kind: int, payload: bytes) -> bytes:
    return _HEAD.pack(_CONTROL | _VERSION << 16 | kind, len(payload)) + payload
