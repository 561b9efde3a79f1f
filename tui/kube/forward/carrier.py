"""A websocket that speaks SPDY with one pod and carries one connection at a time, again and again.

Unlike a v4 channel, which dials the pod's port as it opens, a SPDY session dials when a connection is opened on it. So
one can be made ready beforehand without the application noticing (no slot of a database is taken, no time-out runs),
and used again when its connection is over: opening the next connection is one round trip, without TLS and without the
kubelet's own handshake. Only one connection at a time, because these servers have no flow control: a second one would
stop while the first is not read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tui.kube.api import Upgraded
from tui.kube.forward.remote import Sink, words_of
from tui.kube.forward.spdy import Accepted, Ended, Event, Pong, PortStreams, Refused, SpdyError
from tui.kube.forward.websocket import WebSocket

#: Bytes of a connection that was given up which are skipped before the carrier is dropped instead.
STRAY = 1 << 20
#: Seconds for the server to accept a connection on a carrier that lay aside; it may have died unseen.
ACCEPT = 3.0


class Carrier:
    """One websocket to one pod.

    Attributes:
        answered: whether the last ping was answered, or none was sent.
        parked: when it was last laid aside, by the loop's clock.
        pinged: when it was last pinged while it lay aside.
    """

    def __init__(self, free: Callable[[Carrier], None], gone: Callable[[Carrier], None]) -> None:
        """Not connected yet.

        Args:
            free: called when its connection is over and it can carry another one.
            gone: called when it cannot any more.
        """
        self.answered = True
        self.parked = self.pinged = 0.0
        self.socket = WebSocket(self)
        self._free = free
        self._gone = gone
        self._streams = PortStreams()
        self._current: SpdyRemote | None = None
        self._paused = False
        self._stray = 0
        self._used = False
        self._dead = False

    def adopt(self, upgraded: Upgraded) -> None:
        """Starts on a websocket whose handshake is done."""
        self.socket.adopt(upgraded)
        self.socket.resume()

    async def open(self, port: int, sink: Sink) -> SpdyRemote | None:
        """Opens a connection to a port of the pod.

        On a fresh carrier nothing is waited for: what is written goes out behind the opening frames. On one that was
        used before, or lay ready, the server's acceptance is waited for; nothing has been sent to the application
        before that.

        Returns:
            The far end; None when this carrier turns out to be dead.
        """
        remote = SpdyRemote(self, sink)
        self._current, self._stray = remote, 0
        lay_aside, self._used = self._used or self.parked > 0, True
        self._streams.open(port)
        self._send_control()
        if lay_aside:
            try:
                async with asyncio.timeout(ACCEPT):
                    await remote.accepted.wait()
            except TimeoutError:
                self.drop()
            except BaseException:
                self.drop()
                raise
        return None if self._dead else remote

    @property
    def alive(self) -> bool:
        """Whether it can carry another connection."""
        return not self._dead

    def ping(self) -> None:
        """Asks inside SPDY: an answer comes from the process that reads the streams."""
        self.answered = False
        self._streams.ping()
        self._send_control()

    def drop(self) -> None:
        """Drops the websocket, and with it whatever it carries."""
        if not self._dead:
            self._die()
            self.socket.abort()

    def close(self) -> None:
        """Closes it in order."""
        if not self._dead:
            self._die()
            self.socket.close()

    # --- for its connection

    def write(self, data: memoryview | bytes) -> None:
        """Sends one DATA frame."""
        self.socket.send(self._streams.frame(len(data)), data)

    def pause(self, *, paused: bool) -> None:
        """Reads no more, or again."""
        self._paused = paused
        if paused:
            self.socket.pause()
        else:
            self.socket.resume()

    def leave(self) -> None:
        """Its connection is given up; it is used again unless much may still be on its way to us or from us."""
        if not self._dead:
            self._streams.give_up()
            self._send_control()
            self._lay_aside()

    def _lay_aside(self) -> None:
        self._current = None
        if self._paused or self.socket.waiting:
            self.close()
        else:
            self._free(self)

    # --- the websocket's

    def message_bytes(self, data: memoryview, *, begins: bool) -> None:
        """Part of the stream; what is one message means nothing."""
        try:
            events = self._streams.receive(data)
        except SpdyError as error:
            self._fail(f"the server broke the SPDY protocol: {error}")
            return
        remote = self._current
        if remote is None:
            self._stray += len(data)
            if self._stray > STRAY:
                self.drop()
                return
        for event in events:
            if isinstance(event, memoryview):
                if remote is not None and remote is self._current:
                    remote.bring(event)
            elif isinstance(event, Pong):
                self.answered = True
            elif isinstance(event, Accepted):
                if remote is not None:
                    remote.accepted.set()
            elif remote is not None and remote is self._current:
                remote.tell(event)
        self._send_control()

    def socket_closed(self, why: str, *, clean: bool) -> None:
        """A session ends with its websocket; a connection that it carried has then not ended in order."""
        self._fail(why or "the API server closed the websocket")

    def socket_full(self) -> None:
        """More waits to be sent than should."""
        if self._current is not None:
            self._current.sink.remote_full()

    def socket_drained(self) -> None:
        """There is room again."""
        if self._current is not None:
            self._current.sink.remote_drained()

    def pong_received(self) -> None:
        """Not asked for: pings go inside SPDY."""

    def ended(self) -> None:
        """Both sides have ended its connection."""
        self._lay_aside()

    def _fail(self, why: str) -> None:
        remote, self._current = self._current, None
        self.drop()
        if remote is not None:
            remote.lose(why)

    def _die(self) -> None:
        self._dead = True
        self._gone(self)

    def _send_control(self) -> None:
        if (pending := self._streams.take()) and not self._dead:
            self.socket.send(b"", pending)


class SpdyRemote:
    """A connection on a carrier.

    Attributes:
        sink: who is told.
        accepted: set once the server has accepted its streams, or never will.
        over: whether it has ended; nothing is told after that.
    """

    protocol = "SPDY over websocket"

    def __init__(self, carrier: Carrier, sink: Sink) -> None:
        self.sink = sink
        self.accepted = asyncio.Event()
        self.over = False
        self._carrier = carrier
        self._listening = False
        self._early: list[Event] = []  # what came before anybody listened
        self._lost = ""

    def bring(self, data: memoryview) -> None:
        """Passes data on; see `tell`."""
        if self._listening:
            self.sink.remote_data(data)
        else:
            self.tell(data)

    def tell(self, event: Event) -> None:
        """Passes on what the carrier brings; before the sink listens it is kept, and nothing more is read."""
        if not self._listening:
            self._early.append(memoryview(bytes(event)) if isinstance(event, memoryview) else event)
            self._carrier.pause(paused=True)
        elif isinstance(event, memoryview):
            self.sink.remote_data(event)
        elif isinstance(event, Refused):
            self.sink.remote_refused(words_of(event.message.encode()))
        elif isinstance(event, Ended):
            self.over = True
            self._carrier.ended()
            self.sink.remote_ended()

    def lose(self, why: str) -> None:
        """The carrier is gone."""
        self.accepted.set()
        if self.over:
            return
        self.over = True
        if any(isinstance(event, Ended) for event in self._early):
            return  # it had ended in order before, which is still to be told
        if self._listening:
            self.sink.remote_lost(why)
        else:
            self._lost = why

    @property
    def heard(self) -> float:
        """When anything arrived last."""
        return self._carrier.socket.heard

    @property
    def answered(self) -> bool:
        """Whether the last ping was answered."""
        return self._carrier.answered

    @property
    def waiting(self) -> int:
        """Bytes that wait to be sent."""
        return 0 if self.over else self._carrier.socket.waiting

    def write(self, data: memoryview | bytes) -> None:
        """Sends bytes."""
        if not self.over:
            self._carrier.write(data)

    def pause(self) -> None:
        """Reads no more."""
        if not self.over:
            self._carrier.pause(paused=True)

    def resume(self) -> None:
        """Reads; the first time what has come already is told."""
        if not self._listening:
            self._listening = True
            if not self.over:
                self._carrier.pause(paused=False)
            early, self._early = self._early, []
            for event in early:
                self.tell(event)
            if self._lost:
                self.sink.remote_lost(self._lost)
        elif not self.over:
            self._carrier.pause(paused=False)

    def ping(self) -> None:
        """Asks for an answer."""
        if not self.over:
            self._carrier.ping()

    def info(self, name: str) -> object:
        """What the transport knows."""
        return self._carrier.socket.info(name)

    def close(self) -> None:
        """Ends it in order; the carrier may go on."""
        if not self.over:
            self.over = True
            self._carrier.leave()

    def abort(self) -> None:
        """Drops it, and the carrier with it: whatever broke may be its fault."""
        if not self.over:
            self.over = True
            self._carrier.drop()
