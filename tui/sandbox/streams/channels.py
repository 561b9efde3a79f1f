"""Several streams in one websocket: the first byte of each message says which one it belongs to.

The subprotocols `*.channel.k8s.io`. In their base64 forms a message is text: a digit, then base64.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Container
from typing import Final

from tui.sandbox.streams.websocket import WebSocket

#: Bytes of a message that must be whole to be understood. A longer one is dropped.
MAX_WHOLE: Final = 1 << 20


class Channels:
    """The channels of a websocket.

    Args:
        socket: whose handshake is done.
        whole: channels whose messages are wanted whole; those of the others come in pieces, which is all the same to a
            stream of bytes.
    """

    def __init__(self, socket: WebSocket, whole: Container[int] = ()) -> None:
        self._socket = socket
        self._whole = whole
        self._base64 = "base64" in socket.subprotocol
        self._channel = -1
        self._message: bytearray | None = None  # what is there of one that is wanted whole

    async def send(self, channel: int, data: bytes | bytearray | memoryview) -> None:
        """Sends bytes on a channel; waits while the client takes none.

        Raises:
            ConnectionResetError: the client is gone.
        """
        if self._base64:
            await self._socket.send(b"%d" % channel, base64.b64encode(data), text=True)
        else:
            await self._socket.send(bytes((channel,)), data)

    async def receive(self) -> tuple[int, bytes | bytearray | memoryview] | None:
        """The next bytes and their channel, None when the client sends no more. What makes no sense is skipped."""
        while (piece := await self._socket.receive()) is not None:
            data: memoryview = memoryview(piece.data)
            if piece.begins:
                self._channel, self._message = -1, None
                if self._base64:
                    self._message = bytearray()
            if self._channel < 0 and not self._base64 and data:
                self._channel, data = data[0], data[1:]
                if self._channel in self._whole:
                    self._message = bytearray()
            if self._message is None:
                if self._channel >= 0:
                    return self._channel, data
                continue
            if len(self._message) <= MAX_WHOLE:
                self._message += data
            if piece.ends and len(self._message) <= MAX_WHOLE:
                if not self._base64:
                    return self._channel, self._message
                if (decoded := _decoded(self._message)) is not None:
                    return decoded
        return None


def _decoded(message: bytearray) -> tuple[int, bytes] | None:
    try:
        return int(message[:1]), base64.b64decode(message[1:], validate=True)
    except (binascii.Error, ValueError):
        return None
