"""Any number of forwarded connections in one websocket: pairs of SPDY streams (`SPDY/3.1+portforward.k8s.io`).

What is answered, and in which order, is as seen from Kubernetes 1.36.3 with containerd 2.3.7.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import Final

from tui.sandbox.model import Pods
from tui.sandbox.streams import spdy
from tui.sandbox.streams.connection import AFTERMATH, Place, Send, join
from tui.sandbox.streams.inbox import Inbox
from tui.sandbox.streams.websocket import WebSocket

#: Pairs, whole or not, that one websocket may have open.
_MAX_PAIRS: Final = 4096
#: Seconds within which a stream's other half must be opened.
_PATIENCE: Final = 30.0


@dataclass(slots=True)
class _Pair:
    """The two streams of a connection; a number is 0 until the stream is opened."""

    error: int = 0
    data: int = 0
    port: int = 0
    inbox: Inbox = field(default_factory=Inbox)
    task: asyncio.Task[None] | None = None
    timer: asyncio.TimerHandle | None = None
    given_up: bool = False


class SpdyForward:
    """The connections of one websocket."""

    def __init__(self, socket: WebSocket, pods: Pods, place: Place) -> None:
        self._socket, self._pods, self._place = socket, pods, place
        self._reader, self._writer = spdy.Reader(), spdy.Writer()
        self._pairs: dict[str, _Pair] = {}
        self._streams: dict[int, _Pair] = {}
        self._last = 0  # the highest stream that was opened
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Forwards until the client is gone and what it sent is delivered."""
        try:
            while (piece := await self._socket.receive()) is not None:
                try:
                    events = self._reader.receive(piece.data)
                except spdy.SpdyError:
                    break
                for event in events:
                    await self._handle(event)
                await self._socket.drain()
            for pair in self._pairs.values():
                pair.inbox.end()
            if self._tasks:
                await asyncio.wait(self._tasks)
        finally:
            for pair in self._pairs.values():
                if pair.timer is not None:
                    pair.timer.cancel()
            if left := set(self._tasks):
                for task in left:
                    task.cancel()
                await asyncio.wait(left)

    async def _handle(self, event: spdy.Event) -> None:
        match event:
            case spdy.Opened():
                self._opened(event)
            case spdy.Data(stream, data, fin):
                if (pair := self._streams.get(stream)) is not None and stream == pair.data:
                    await pair.inbox.put(data)
                    if fin:
                        pair.inbox.end()
            case spdy.Reset(stream):
                if (pair := self._streams.get(stream)) is not None and stream == pair.data:
                    self._give_up(pair)
            case spdy.Ping(number):
                self._socket.send_now(spdy.ping(number))
            case spdy.Goodbye():
                pass  # what is open goes on; the client closes the websocket when it has done

    def _opened(self, event: spdy.Opened) -> None:
        headers, stream = event.headers, event.stream
        kind, text = headers.get("streamtype", ""), headers.get("port", "")
        # Clients before Kubernetes 1.6 sent no request id: their data stream is the one after the error stream.
        request = headers.get("requestid") or str(stream - 2 if kind == "data" else stream)
        pair = self._pairs.get(request)
        known = stream > self._last and stream % 2 == 1 and kind in ("error", "data")
        good = known and len(text) <= 5 and text.isascii() and text.isdigit() and 0 < int(text) <= 0xFFFF
        self._last = max(self._last, stream)
        if pair is not None and (pair.error if kind == "error" else pair.data):
            good = False  # opened twice
        if not good or (pair is None and len(self._pairs) >= _MAX_PAIRS):
            self._socket.send_now(spdy.reset(stream))
            return
        if pair is None:
            pair = self._pairs[request] = _Pair()
            loop = asyncio.get_running_loop()
            pair.timer = loop.call_later(_PATIENCE, self._unpaired, request, pair)
        self._socket.send_now(self._writer.reply(stream))
        self._streams[stream] = pair
        if kind == "error":
            pair.error = stream
        else:
            pair.data, pair.port = stream, int(text)
            if event.fin:
                pair.inbox.end()
        if pair.error and pair.data:
            if pair.timer is not None:
                pair.timer.cancel()
            pair.task = asyncio.create_task(self._forward(request, pair), name=f"forward {pair.port}")
            self._tasks.add(pair.task)
            pair.task.add_done_callback(self._tasks.discard)

    def _unpaired(self, request: str, pair: _Pair) -> None:
        """The other half did not come."""
        for stream in filter(None, (pair.error, pair.data)):
            self._socket.send_now(spdy.reset(stream))
        self._forget(request, pair)

    def _give_up(self, pair: _Pair) -> None:
        """The client wants nothing more. What it sent is still delivered: a runtime has read it before the reset."""
        if pair.given_up:
            return
        pair.given_up = True
        pair.inbox.end()
        if pair.task is not None:
            pair.timer = asyncio.get_running_loop().call_later(AFTERMATH, pair.task.cancel)

    def _forget(self, request: str, pair: _Pair) -> None:
        pair.inbox.shut()
        if pair.timer is not None:
            pair.timer.cancel()
        self._pairs.pop(request, None)
        self._streams.pop(pair.error, None)
        self._streams.pop(pair.data, None)

    async def _forward(self, request: str, pair: _Pair) -> None:
        try:
            words = await join(self._pods, self._place, pair.port, pair.inbox, self._sender(pair))
            if not pair.given_up:
                with contextlib.suppress(ConnectionError):
                    await self._finish(pair, words)
        finally:
            self._forget(request, pair)
            if pair.given_up:
                self._socket.send_now(spdy.head(pair.error, 0, fin=True))

    async def _finish(self, pair: _Pair, words: str) -> None:
        """The data stream ends first; then the error stream, by a reset when it has said something."""
        await self._socket.send(spdy.head(pair.data, 0, fin=True))
        if words:
            text = words.encode()
            await self._socket.send(spdy.head(pair.error, len(text)), text)
            await self._socket.send(spdy.reset(pair.error))
        else:
            await self._socket.send(spdy.head(pair.error, 0, fin=True))

    def _sender(self, pair: _Pair) -> Send:
        async def send(data: bytes) -> None:
            if pair.given_up:
                raise ConnectionResetError
            await self._socket.send(spdy.head(pair.data, len(data)), data)

        return send
