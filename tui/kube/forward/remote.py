"""The far end of a tunnel: one port of one pod, whichever way it is reached."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from typing import Protocol

from tui.kube.api import Upgraded
from tui.kube.forward.spdy import Accepted, Ended, Pong, PortStreams, Refused, SpdyError
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
        """Reads again."""

    def ping(self) -> None:
        """Puts something on the wire, and asks for an answer where the protocol has one."""

    def info(self, name: str) -> object:
        """What the transport to the API server knows (`socket`, `peername`)."""

    def close(self) -> None:
        """Ends it in order, once all is sent; the sink hears nothing more."""

    def abort(self) -> None:
        """Drops it; the sink hears nothing more."""


class _OverWebSocket(ABC):
    """What both protocols have in common."""

    protocol = ""

    def __init__(self, sink: Sink) -> None:
        self._sink: Sink = sink
        self.answered = True
        self.socket = WebSocket(self)

    @property
    def heard(self) -> float:
        return self.socket.heard

    @property
    def waiting(self) -> int:
        return self.socket.waiting

    def adopt(self, upgraded: Upgraded) -> None:
        """Starts on a connection whose handshake is done."""
        self.socket.adopt(upgraded)

    @abstractmethod
    def message_bytes(self, data: memoryview, *, begins: bool) -> None:
        """Part of a message of the websocket."""

    def pause(self) -> None:
        self.socket.pause()

    def resume(self) -> None:
        self.socket.resume()

    def ping(self) -> None:
        self.answered = False
        self.socket.ping()

    def pong_received(self) -> None:
        self.answered = True

    def info(self, name: str) -> object:
        return self.socket.info(name)

    def close(self) -> None:
        self.socket.close()

    def abort(self) -> None:
        self.socket.abort()

    def socket_full(self) -> None:
        self._sink.remote_full()

    def socket_drained(self) -> None:
        self._sink.remote_drained()

    def socket_closed(self, why: str, *, clean: bool) -> None:
        if clean:
            self._sink.remote_ended()
        else:
            self._sink.remote_lost(why)


class ChannelRemote(_OverWebSocket):
    """`v4.channel.k8s.io`: the first byte of each message is its channel, 0 for data and 1 for an error's text.

    The first two bytes on each channel are the port; they come before the pod's port was dialled and prove nothing.
    """

    protocol = "websocket"

    def __init__(self, sink: Sink) -> None:
        super().__init__(sink)
        self._channel = -1
        self._port_bytes = [2, 2]
        self._words = b""

    def write(self, data: memoryview | bytes) -> None:
        """Sends bytes on channel 0."""
        self.socket.send(b"\0", data)

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


class SpdyRemote(_OverWebSocket):
    """SPDY/3.1 streams inside websocket messages, whose bounds mean nothing (KEP-4006)."""

    protocol = "SPDY over websocket"

    def __init__(self, sink: Sink, port: int) -> None:
        super().__init__(sink)
        self._streams = PortStreams(port)
        self._ended = False

    def adopt(self, upgraded: Upgraded) -> None:
        """Opens the two streams of a connection; what is written before they are accepted waits at the server."""
        super().adopt(upgraded)
        self._send_control()

    def write(self, data: memoryview | bytes) -> None:
        """Sends bytes as one DATA frame."""
        self.socket.send(self._streams.frame(len(data)), data)

    def ping(self) -> None:
        """Asks inside SPDY: an answer comes from the process that reads the streams."""
        self.answered = False
        self._streams.ping()
        self._send_control()

    def message_bytes(self, data: memoryview, *, begins: bool) -> None:
        """Part of the stream."""
        try:
            events = self._streams.receive(data)
        except SpdyError as error:
            self.socket.abort()
            self._sink.remote_lost(f"the server broke the SPDY protocol: {error}")
            return
        for event in events:
            if isinstance(event, memoryview | bytes):
                self._sink.remote_data(memoryview(event))
            elif isinstance(event, Refused):
                self._sink.remote_refused(words_of(event.message.encode()))
            elif isinstance(event, Pong):
                self.answered = True
            elif isinstance(event, Ended):
                self._ended = True
            else:
                assert isinstance(event, Accepted)  # noqa: S101  (all there is)
        self._send_control()
        if self._ended:
            self.socket.close()
            self._sink.remote_ended()

    def _send_control(self) -> None:
        if pending := self._streams.take():
            self.socket.send(b"", pending)


def words_of(said: bytes) -> str:
    """The text of an error channel: plain, or the JSON that newer kubelets send."""
    text = said.decode("utf-8", "replace").strip()
    if text.startswith("{"):
        try:
            message = json.loads(text).get("message")
        except (ValueError, AttributeError):
            return text
        return str(message or text).strip()
    return text
