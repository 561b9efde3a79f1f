"""SPDY/3.1 for forwarded connections, one after the other: bytes in, events out, no IO.

An API server tunnels SPDY through a websocket (subprotocol `SPDY/3.1+portforward.k8s.io`, KEP-4006). What is in one
message is no unit of anything: the messages, one after the other, are the byte stream that is read here. At the far end
stands github.com/moby/spdystream (in the container runtime), which counts where it differs from the SPDY draft:

- It has no flow control: it neither obeys nor sends WINDOW_UPDATE. We do the same, like every client of Kubernetes; a
  server that insisted on windows would stall them all after 64 KiB.
- It may write to a stream after the frame that ended it, when a copy is still running while the streams are closed.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Final

from tui import spdy_headers as headers
from tui.kube.forward import refusals

#: Bytes of a control frame that are collected. Data frames are handed on as they come, so the 24 bits of their length
#: bound nothing that is kept.
MAX_CONTROL: Final = 128 * 1024
#: Bytes of the error stream's text that are waited for and kept.
MAX_TEXT: Final = 64 * 1024
#: What a data frame can carry is below this: its length has 24 bits.
MAX_LENGTH: Final = 1 << 24

_SYN_STREAM, _SYN_REPLY, _RST_STREAM, _SETTINGS, _PING, _GOAWAY, _HEADERS, _WINDOW_UPDATE = 1, 2, 3, 4, 6, 7, 8, 9
_KNOWN: Final = frozenset(
    (_SYN_STREAM, _SYN_REPLY, _RST_STREAM, _SETTINGS, _PING, _GOAWAY, _HEADERS, _WINDOW_UPDATE)
)  # others, that is 5 and 10 of older and newer drafts, must be skipped
_CONTROL: Final = 0x80000000
_VERSION: Final = 3  # of SPDY/3.1 too
_FIN: Final = 0x01

_HEAD: Final = struct.Struct(">II")
_WORD: Final = struct.Struct(">I")

_CANCEL: Final = 5
_RESETS: Final = {
    1: "protocol error",
    2: "no such stream",
    3: "stream refused",
    4: "version not supported",
    _CANCEL: "cancelled",
    6: "internal error",
    7: "flow control error",
    8: "stream in use",
    9: "stream already closed",
    10: "invalid credentials",
    11: "frame too large",
}
_GOODBYES: Final = {0: "going away", 1: "protocol error", 2: "internal error"}


class SpdyError(Exception):
    """What arrived is no SPDY/3.1, or not what a port-forward's server may send; the message says what."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The server accepted the data stream, which says nothing about the port: it is dialled later."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The server has closed its half of the data stream: no more data comes, and no `Refused` either.

    The websocket stays open until we close it.
    """


@dataclass(frozen=True, slots=True)
class Refused:
    """The connection failed, at its start or later; told once, and before `Ended`.

    Attributes:
        message: the text of the error stream, or in words that a stream was reset or that the server goes away.
    """

    message: str


@dataclass(frozen=True, slots=True)
class Pong:
    """The server has answered a ping of ours."""


#: What has happened; a memoryview is data of the stream, never empty.
Event = Accepted | Ended | Refused | Pong | memoryview


class PortStreams:
    """The streams of forwarded connections over one SPDY session: an error and a data stream each.

    Connections follow one another here: `open` begins the next one when the one before is over or was given up. SPDY
    could carry several at once, but the servers have no flow control, so one that is not read would stop them all.

    Both streams are opened at once, without waiting for an answer: the server pairs them by their request id, and keeps
    the order of what belongs to one stream. For the same reason data may be sent behind the opening frames, before
    `Accepted`. There is no way to close our half of the data stream, because a runtime (containerd, CRI-O) that
    sees it closed cuts the other half off a second later.
    """

    def __init__(self) -> None:
        self._out = bytearray()
        self._packer = zlib.compressobj(zdict=headers.DICTIONARY)
        self._unpacker = zlib.decompressobj(zdict=headers.DICTIONARY)
        self._head = bytearray()  # of a frame whose first 8 bytes are not all here
        self._left = 0  # payload bytes of the current frame that are still to come
        self._stream = 0  # of the current data frame; 0 for a control frame
        self._type = 0  # of the current control frame; 0 for one that is skipped
        self._flags = 0
        self._control = bytearray()
        self._next_ping = 1
        self._broken = ""
        # A client's streams are odd and ascend; before the first `open` there are none.
        self._error_stream = self._data_stream = -1
        self._connections = 0
        self._answered: set[int] = set()
        self._ended: set[int] = set()
        self._text = bytearray()
        self._refused = False
        self._flowing = False  # the data stream was answered and has not ended

    @property
    def over(self) -> bool:
        """Whether there is no connection: none was opened yet, or both sides have ended the last one."""
        return len(self._ended) == 2 or self._data_stream < 0

    def open(self, port: int) -> None:
        """Begins the next connection; what still comes of the one before is skipped from here on.

        Args:
            port: the pod's port.
        """
        if self._data_stream > 0:
            self.give_up()
        self._error_stream = 4 * self._connections + 1  # the error stream is opened first
        self._data_stream = self._error_stream + 2
        for stream, kind, flags in ((self._error_stream, "error", _FIN), (self._data_stream, "data", 0)):
            block = headers.block({"streamtype": kind, "port": str(port), "requestid": str(self._connections)})
            packed = self._packer.compress(block) + self._packer.flush(zlib.Z_SYNC_FLUSH)
            # Associated with no stream, and of the highest priority, like all that moby/spdystream opens. Our half of
            # the error stream is closed as it is opened: nothing is ever sent on it.
            self._out += _control(_SYN_STREAM, struct.pack(">IIH", stream, 0, 0) + packed, flags)
        self._connections += 1
        self._answered.clear()
        self._ended.clear()
        self._text.clear()
        self._refused = self._flowing = False

    def give_up(self) -> None:
        """Ends the connection for both sides, whatever its state; nothing more is told of it."""
        if self._data_stream > 0:
            self._out += _control(_RST_STREAM, _HEAD.pack(self._data_stream, _CANCEL))
            self._answered.update((self._error_stream, self._data_stream))
            self._ended.update((self._error_stream, self._data_stream))
            self._refused, self._flowing = True, False

    def take(self) -> bytes:
        """What is to be sent now: opening frames, pings and answers; often nothing.

        Returns:
            Whole frames. They may be sent before or after a data frame, not inside one.
        """
        out = bytes(self._out)
        self._out.clear()
        return out

    def frame(self, length: int) -> bytes:
        """What is to be sent before so many bytes of data.

        Args:
            length: bytes that follow, below `MAX_LENGTH`.

        Raises:
            ValueError: so many bytes do not fit a frame.
        """
        if not 0 <= length < MAX_LENGTH:
            raise ValueError(f"a frame cannot carry {length} bytes")
        return _HEAD.pack(self._data_stream, length)

    def ping(self) -> None:
        """Puts a ping into what `take` returns; a `Pong` comes when the server has read up to it.

        A server whose app does not read stops reading too, so a missing answer is no sign of a dead connection.
        """
        self._out += _control(_PING, _WORD.pack(self._next_ping))
        self._next_ping += 2

    def receive(self, data: bytes | memoryview) -> list[Event]:
        """Reads the next bytes, wherever they are cut.

        Args:
            data: bytes as they arrived. The data among the events are slices of it, not copies: it must not be changed
                while they are in use.

        Returns:
            What happened, in order.

        Raises:
            SpdyError: the bytes make no sense. Nothing can be read any more: every further call raises the same.
        """
        if self._broken:
            raise SpdyError(self._broken)
        events: list[Event] = []
        try:
            self._read(memoryview(data), events)
        except SpdyError as error:
            self._broken = str(error)
            raise
        return events

    def _read(self, view: memoryview, events: list[Event]) -> None:
        at, end = 0, len(view)
        while at < end:
            # Nearly all that comes is data of the connection: it takes the first two ways, which make no calls.
            if self._left and self._stream == self._data_stream and self._flowing:
                piece = view[at : at + self._left]
                at += len(piece)
                self._left -= len(piece)
                events.append(piece)
                if self._left or not self._flags & _FIN:
                    continue
            elif self._left:
                piece = view[at : at + self._left]
                at += len(piece)
                self._left -= len(piece)
                self._payload(piece, events)
            elif not self._head and end - at >= 8:
                first, second = _HEAD.unpack_from(view, at)
                at += 8
                if first == self._data_stream and self._flowing and 0 < second < _FIN << 24:
                    self._stream, self._flags, self._left = first, 0, second
                    continue
                self._begin(first, second)
            else:
                piece = view[at : at + 8 - len(self._head)]
                at += len(piece)
                self._head += piece
                if len(self._head) < 8:
                    return
                first, second = _HEAD.unpack(self._head)
                self._head.clear()
                self._begin(first, second)
            if not self._left:
                self._finish(events)

    def _begin(self, first: int, second: int) -> None:
        """A frame's first 8 bytes."""
        self._flags, self._left = second >> 24, second & 0xFFFFFF
        if not first & _CONTROL:
            self._stream = first
            self._check_stream(first, "data")
            if first >= self._error_stream and first not in self._answered:
                raise SpdyError(f"data on stream {first}, which was not answered yet")
            return
        version, kind = first >> 16 & 0x7FFF, first & 0xFFFF
        if version != _VERSION:
            raise SpdyError(f"a frame of SPDY version {version}, not {_VERSION}")
        self._stream = 0
        self._type = kind if kind in _KNOWN else 0
        if self._type and self._left > MAX_CONTROL:
            raise SpdyError(f"a control frame (type {kind}) of {self._left} bytes")

    def _payload(self, piece: memoryview, events: list[Event]) -> None:
        """A part of a frame's payload."""
        if self._stream and (self._stream in self._ended or self._stream < self._error_stream):
            return  # written by a copy that still ran; the end was told
        if self._stream == self._data_stream:
            events.append(piece)
        elif self._stream == self._error_stream:
            if not self._refused:
                self._text += piece[: MAX_TEXT - len(self._text)]
                if len(self._text) == MAX_TEXT:
                    self._say(events)
        elif self._type:
            self._control += piece

    def _finish(self, events: list[Event]) -> None:
        """The current frame is complete."""
        if self._stream:
            if self._flags & _FIN:
                self._end(self._stream, events)
        elif self._type:
            payload = bytes(self._control)
            self._control.clear()
            if self._type in (_SYN_REPLY, _HEADERS):
                self._headers(payload, events)
            elif self._type == _SYN_STREAM:
                raise SpdyError("the server opened a stream, which it has no reason to")
            else:
                self._fixed(payload, events)

    def _headers(self, payload: bytes, events: list[Event]) -> None:
        """SYN_REPLY and HEADERS; nothing that matters here is in the headers, but the decompressor must see them."""
        if len(payload) < 4:
            raise SpdyError("a frame with headers has no stream")
        stream = _WORD.unpack_from(payload)[0] & ~_CONTROL
        self._check_stream(stream, "headers")
        try:
            headers.texts(headers.unpacked(self._unpacker, payload[4:]))
        except ValueError as error:
            raise SpdyError(str(error)) from None
        if stream < self._error_stream:
            return
        if self._type == _SYN_REPLY and stream not in self._ended:
            if stream in self._answered:
                raise SpdyError(f"stream {stream} was answered twice")
            self._answered.add(stream)
            if stream == self._data_stream:
                self._flowing = True
                events.append(Accepted())
        if self._flags & _FIN:
            self._end(stream, events)

    def _fixed(self, payload: bytes, events: list[Event]) -> None:
        """The frames that consist of numbers only."""
        size = len(payload)
        words = struct.unpack(f">{size // 4}I", payload[: size // 4 * 4])
        wanted = 4 if self._type == _PING else 8
        if self._type == _SETTINGS:  # a count, and so many pairs
            wanted = 4 + 8 * words[0] if words else 4
        if size != wanted:
            raise SpdyError(f"a control frame (type {self._type}) of {size} bytes, not {wanted}")
        if self._type == _PING:
            self._pinged(words[0], events)
        elif self._type == _RST_STREAM:
            stream = words[0] & ~_CONTROL
            self._check_stream(stream, "a reset")
            self._reset(stream, words[1], events)
        elif self._type == _GOAWAY and (words[1] or words[0] & ~_CONTROL < self._data_stream):
            # Otherwise streams up to the named one live on: what becomes of ours is told by their own frames.
            self._refuse(f"the server closed the connection ({_GOODBYES.get(words[1], f'status {words[1]}')})", events)

    def _pinged(self, number: int, events: list[Event]) -> None:
        if not number & 1:
            self._out += _control(_PING, _WORD.pack(number))
        elif number < self._next_ping:  # an odd one that we did not send must be ignored
            events.append(Pong())

    def _reset(self, stream: int, status: int, events: list[Event]) -> None:
        said = _RESETS.get(status, f"status {status}")
        if stream < self._error_stream:
            return
        name = "data" if stream == self._data_stream else "error"
        self._refuse(f"the server reset the {name} stream ({said})", events)
        self._end(stream, events)

    def _refuse(self, message: str, events: list[Event]) -> None:
        """Tells a refusal in our words, unless the server's own are there, or all is over anyway."""
        self._say(events)
        if not self._refused and self._data_stream not in self._ended:
            self._refused = True
            events.append(Refused(message))

    def _end(self, stream: int, events: list[Event]) -> None:
        """The server's half of a stream is closed.

        containerd ends the data stream, writes why the connection failed, and only then ends the error stream. So the
        end is told when both have ended; kubectl waits for the error stream too.
        """
        if stream in self._ended or stream < self._error_stream:
            return
        self._ended.add(stream)
        if stream == self._error_stream:
            self._say(events)
        else:
            self._flowing = False
        if len(self._ended) == 2:
            events.append(Ended())

    def _say(self, events: list[Event]) -> None:
        """Tells what the error stream has carried, if anything."""
        if self._text and not self._refused:
            self._refused = True
            events.append(Refused(refusals.message(bytes(self._text))))
            self._text.clear()

    def _check_stream(self, stream: int, what: str) -> None:
        if not stream & 1 or stream > self._data_stream:
            raise SpdyError(f"{what} on stream {stream}, which was never opened")


def _control(kind: int, payload: bytes, flags: int = 0) -> bytes:
    return _HEAD.pack(_CONTROL | _VERSION << 16 | kind, flags << 24 | len(payload)) + payload
