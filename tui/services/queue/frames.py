"""Frames as they come from a broker, many of them for each look at the socket, and messages put together from them.

The library reads each frame by three waits, decodes it with a dozen calls and hands it on through a queue: 0.1 ms of
processor time for a message of three frames. What comes by the thousand is deliveries, returns and confirms, of few
shapes; those are read here, in a twentieth of the time, and all else is left to the library.
"""

from __future__ import annotations

import asyncio
import struct
from collections import deque
from collections.abc import AsyncIterator, Mapping
from typing import TypeVar

import pamqp.frame
from aiormq.connection import ReceivedFrame
from aiormq.exceptions import AMQPConnectionError, InvalidFrameError
from pamqp.exceptions import PAMQPException
from pamqp.header import ContentHeader
from pamqp.heartbeat import Heartbeat

from tui.services.queue.model import Message, Properties
from tui.services.queue.properties import from_frame

Known = TypeVar("Known")
#: Kinds of frames.
METHOD, HEADER, BODY = 1, 2, 3
#: The first four bytes of the methods that are read here: their class, and their number in it.
RETURN, DELIVER = struct.pack(">HH", 60, 50), struct.pack(">HH", 60, 60)
ACK, NACK = struct.pack(">HH", 60, 80), struct.pack(">HH", 60, 120)
#: Bytes that are taken from the socket at once.
_READ = 1 << 18
#: Seconds between two signs of life in the library's eyes while nothing is read; it ends a connection after 93.
_SIGN = 10.0
_ALIVE: ReceivedFrame = (8, 0, Heartbeat())
_FRAME = struct.Struct(">BHI")
_END = 0xCE
_DELIVERY = struct.Struct(">QB")
_SIZE = struct.Struct(">Q")
#: How many shapes are remembered, and how long one may be in bytes. Messages of a queue have few of them.
_SHAPES, _SHAPE = 256, 1024


class Bulk:
    """A channel that takes frames at once. No protocol: whether a channel is one is asked for each frame."""

    def receive(self, kind: int, payload: bytes) -> bool:
        """Takes a frame.

        Args:
            kind: METHOD, HEADER or BODY.
            payload: without the frame's own bytes.

        Returns:
            Whether it took it; otherwise it is the library's.
        """
        raise NotImplementedError

    def full(self) -> asyncio.Future[None] | None:
        """What to wait for before more is read of the connection; None to go on."""
        raise NotImplementedError


class Frames:
    """The frames of a connection that are the library's; those of bulk channels go there on their way.

    Args:
        reader: of the connection, after the handshake.
        channels: of the connection, by their numbers.
    """

    def __init__(self, reader: asyncio.StreamReader, channels: Mapping[int, object]) -> None:
        self._reader = reader
        self._channels = channels
        self._rest = b""
        self._ready: deque[ReceivedFrame] = deque()

    def __aiter__(self) -> AsyncIterator[ReceivedFrame]:
        """Itself."""
        return self

    async def __anext__(self) -> ReceivedFrame:
        """The next frame.

        Raises:
            AMQPConnectionError: the connection has ended.
            InvalidFrameError: what came is no frame.
        """
        while not self._ready:
            await self._more()
        return self._ready.popleft()

    async def _more(self) -> None:
        for channel in list(self._channels.values()):
            if isinstance(channel, Bulk) and (room := channel.full()) is not None:
                await asyncio.wait({room}, timeout=_SIGN)
                if not room.done():  # it is we who do not read: the broker is not to be taken for dead meanwhile
                    self._ready.append(_ALIVE)
                    return
        try:
            came = await self._reader.read(_READ)
        except OSError as error:
            raise AMQPConnectionError(f"Server communication error: {error!r}") from error
        if not came:
            raise AMQPConnectionError(
                f"Server connection unexpectedly closed. {len(self._rest)} bytes of a frame had come"
            )
        data = self._rest + came if self._rest else came
        at, end = 0, len(data)
        while end - at > _FRAME.size:
            kind, number, size = _FRAME.unpack_from(data, at)
            stop = at + _FRAME.size + size
            if stop >= end:
                break
            if data[stop] != _END:
                raise InvalidFrameError(f"a frame of {size} bytes does not end as one")
            channel = self._channels.get(number)
            payload = data[at + _FRAME.size : stop]
            if not (isinstance(channel, Bulk) and channel.receive(kind, payload)):
                self._ready.append(_unmarshal(data[at : stop + 1]))
            at = stop + 1
        self._rest = data[at:]
        if not self._ready:
            # Whatever came is a sign of life, and the library counts the frames that it sees.
            self._ready.append(_ALIVE)


def _unmarshal(frame: bytes) -> ReceivedFrame:
    try:
        return pamqp.frame.unmarshal(frame)
    except PAMQPException as error:
        raise InvalidFrameError(str(error)) from error


class Contents:
    """Puts messages together from the frames of a channel."""

    def __init__(self) -> None:
        """Nothing has come yet."""
        self._method = b""
        self._pieces: list[bytes] = []
        self._left = 0
        self._properties = Properties()
        self._known: dict[bytes, Properties] = {}
        self._named: dict[bytes, tuple[str, str]] = {}

    @property
    def open(self) -> bool:
        """Whether a message has begun and is not whole."""
        return bool(self._method)

    def begin(self, method: bytes) -> None:
        """A delivery, or a return; what follows belongs to it."""
        self._method = method

    def add(self, kind: int, payload: bytes) -> Message | None:
        """Adds a frame; the message, when it is whole.

        Raises:
            InvalidFrameError: it cannot be decoded.
        """
        try:
            if kind == HEADER:
                (self._left,) = _SIZE.unpack_from(payload, 4)
                self._properties = self._decoded(payload)
                self._pieces = []
            else:
                self._pieces.append(payload)
                self._left -= len(payload)
            if self._left > 0:
                return None
            body = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
            method, self._method, self._pieces = self._method, b"", []
            tag, again, names = _delivery(method) if method.startswith(DELIVER) else (0, False, _returned(method))
            return Message(body, self._properties, *self._names(names), tag, again)
        except (ValueError, struct.error, IndexError, PAMQPException) as error:
            raise InvalidFrameError(f"a message cannot be read: {error}") from error

    def _decoded(self, header: bytes) -> Properties:
        """The properties; those that are alike are one object, unless they have headers, which somebody may change."""
        shape = header[12:]
        known = self._known.get(shape)
        if known is None:
            frame = ContentHeader()
            frame.unmarshal(header)
            known = from_frame(frame.properties)
            if not known.headers and len(shape) <= _SHAPE:
                _remember(self._known, shape, known)
        return known

    def _names(self, names: bytes) -> tuple[str, str]:
        """Exchange and routing key."""
        known = self._named.get(names)
        if known is None:
            split = 1 + names[0]
            known = names[1:split].decode(), names[split + 1 : split + 1 + names[split]].decode()
            _remember(self._named, names, known)
        return known


def _delivery(method: bytes) -> tuple[int, bool, bytes]:
    """Tag, whether it came before, and the names, of a delivery."""
    at = 5 + method[4]  # behind the consumer's name
    tag, bits = _DELIVERY.unpack_from(method, at)
    return tag, bool(bits & 1), method[at + _DELIVERY.size :]


def _returned(method: bytes) -> bytes:
    """The names of a return."""
    return method[7 + method[6] :]


def why_returned(method: bytes) -> str:
    """The broker's words in a return."""
    return method[7 : 7 + method[6]].decode("utf-8", "replace")


def confirmed(method: bytes) -> tuple[int, bool]:
    """The number that an acknowledgement names, and whether all up to it are meant."""
    tag, bits = _DELIVERY.unpack_from(method, 4)
    return tag, bool(bits & 1)


def _remember(shapes: dict[bytes, Known], shape: bytes, known: Known) -> None:
    if len(shapes) >= _SHAPES:
        shapes.clear()
    shapes[shape] = known
