"""The far end of a tunnel: one port of one pod, whichever way it is reached."""

from __future__ import annotations

import json
from typing import Protocol

from tui.kube.api import Upgraded
from tui.kube.forward.websocket import WebSocket

#: The protocols, as a server is asked for them.
V4 = "v4.channel.k8s.io"
SPDY = "SPDY/3.1+portforward.k8s.io"

#: Bytes of an error that are kept.
MAX_WORDS = 4096


class Sink(Protocol):
    """Who is told what the far end does: a tunnel. After `remote_ended` and `remote_lost` nothing more comes."""

    def remote_data(self, data: memoryview) -> None:
        """Bytes of the application; good only during the call."""

    def remote_refused(self, words: str) -> None:
        """The kubelet could not connect, or the connection inside the pod broke; its own words."""

    def remote_ended(self) -> None:
        """The application closed its connection, and all it sent was handed on."""

    def remote_lost(self, why: str) -> None:
        """The way to the application broke."""

    def remote_full(self) -> None:
        """Nothing more should be sent for now."""

    def remote_drained(self) -> None:
        """Sending may go on."""


class Remote(Protocol):
    """What a tunnel asks of its far end. There is no half-close: no protocol here can carry one to the application."""

    @property
    def protocol(self) -> str:
        """How the pod is reached, for people."""

    @property
    def heard(self) -> float:
        """When anything arrived last, by the loop's clock."""

    @property
    def answered(self) -> bool:
        """Whether the last ping was answered, or none was sent."""

    @property
    def waiting(self) -> int:
        """Bytes that wait to be sent."""

    def write(self, data: memoryview | bytes) -> None:
        """Sends bytes to the application. The data may be reused at once."""

    def pause(self) -> None:
        """Reads no more until `resume`."""

    def resume(self) -> None:
        """Reads; called first when the sink is ready to listen. Before that nothing is told."""

    def ping(self) -> None:
        """Puts something on the wire, and asks for an answer where the protocol has one."""

    def info(self, name: str) -> object:
        """What the transport to the API server knows (`socket`, `peername`)."""

    def close(self) -> None:
        """Ends it in order, once all is sent; the sink hears nothing more."""

    def abort(self) -> None:
        """Drops it; the sink hears nothing more."""


class ChannelRemote:
    """`v4.channel.k8s.io`: the first byte of each message is its channel, 0 for data and 1 for an error's text.

    The first two bytes on each channel are the port; they come before the pod's port was dialled and prove nothing.
    """

    protocol = "websocket"

    def __init__(self, sink: Sink) -> None:
        self.answered = True
        self._sink = sink
        self._socket = WebSocket(self)
        self._channel = -1
        self._port_bytes = [2, 2]
        self._words = b""

    def adopt(self, upgraded: Upgraded) -> None:
        """Starts on a connection whose handshake is done; `resume` begins to read."""
        self._socket.adopt(upgraded)

    @property
    def heard(self) -> float:
        """When anything arrived last."""
        return self._socket.heard

    @property
    def waiting(self) -> int:
        """Bytes that wait to be sent."""
        return self._socket.waiting

    def write(self, data: memoryview | bytes) -> None:
        """Sends bytes on channel 0."""
        self._socket.send(b"\0", data)

    def pause(self) -> None:
        """Reads no more."""
        self._socket.pause()

    def resume(self) -> None:
        """Reads again."""
        self._socket.resume()

    def ping(self) -> None:
        """Sends a websocket's ping."""
        self.answered = False
        self._socket.ping()

    def info(self, name: str) -> object:
        """What the transport knows."""
        return self._socket.info(name)

    def close(self) -> None:
        """Closes once all is sent."""
        self._socket.close()

    def abort(self) -> None:
        """Drops it."""
        self._socket.abort()

    # --- the websocket's

    def message_bytes(self, data: memoryview, *, begins: bool) -> None:
        """Part of a message."""
        if begins:
            self._channel = data[0] if data else -1
            data = data[1:]
        channel = self._channel
        if channel not in (0, 1):
            return
        if skipped := self._port_bytes[channel]:
            taken = min(skipped, len(data))
            self._port_bytes[channel] -= taken
            data = data[taken:]
        if not data:
            return
        if channel == 0:
            self._sink.remote_data(data)
        elif len(self._words) < MAX_WORDS:
            self._words += bytes(data)[: MAX_WORDS - len(self._words)]
            self._sink.remote_refused(words_of(self._words))

    def socket_closed(self, why: str, *, clean: bool) -> None:
        """The websocket ends with the connection inside the pod."""
        if clean:
            self._sink.remote_ended()
        else:
            self._sink.remote_lost(why)

    def socket_full(self) -> None:
        """More waits to be sent than should."""
        self._sink.remote_full()

    def socket_drained(self) -> None:
        """There is room again."""
        self._sink.remote_drained()

    def pong_received(self) -> None:
        """The last ping was answered."""
        self.answered = True


def words_of(said: bytes) -> str:
    """The text of an error channel: plain, or the JSON that newer kubelets send."""
    text = said.decode("utf-8", "replace").strip()
    if text.startswith("{"):
        try:
            message = json.loads(text).get("message")
        except (ValueError, AttributeError, RecursionError):
            return text
        return str(message or text).strip()
    return text
