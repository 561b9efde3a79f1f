"""Whether a connection to the API server still lives, without killing one that only stalls.

A websocket's pong cannot decide that alone: the server reads frames one after the other and waits while the
application takes nothing, so a ping stays unanswered behind a stalled upload although all is well. Nor can
TCP_USER_TIMEOUT, which also ends a connection whose window stays closed (Linux, since 5.11). So three things are
looked at: what the kernel knows of acknowledgements, pongs where nothing can be in their way, and keep-alive, which the
kernel does by itself.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from dataclasses import dataclass

from tui.kube.forward.remote import Remote

#: Seconds without a byte after which one is sent: load balancers forget a connection after four minutes or so.
PING_AFTER = 25.0
#: Seconds that an answer may take.
PATIENCE = 60.0
#: The same when the machine has just woken and the path is in doubt.
PATIENCE_AFTER_SLEEP = 10.0
#: Unanswered probes of a closed window, or retransmissions, after which the peer counts as gone.
UNANSWERED = 6

# struct tcp_info of Linux begins with state, ca_state, retransmits, probes (a byte each); tcpi_last_ack_recv (in
# milliseconds) is the thirteenth of the 32-bit words that follow behind the first eight bytes.
_TCP_INFO = struct.Struct("=8B13I")


@dataclass(slots=True)
class Pulse:
    """What is known of one connection's life.

    Attributes:
        pinged: when an answer was asked for, 0 when none is due.
        patience: seconds that it may take.
    """

    pinged: float = 0.0
    patience: float = PATIENCE

    def check(self, remote: Remote, now: float, *, last_sent: float, held_back: bool, resumed: bool) -> str:
        """Sends a ping when it is time; returns why the connection is dead, or nothing.

        Args:
            remote: the far end.
            now: the loop's time.
            last_sent: when data went to the application last.
            held_back: whether we do not read at this time; no answer can be seen then.
            resumed: whether the machine has just woken.
        """
        if silent := _silence_of_the_kernel(remote):
            return silent
        if self.pinged and (remote.answered or remote.heard > self.pinged):
            self.pinged, self.patience = 0.0, PATIENCE
        if self.pinged and not resumed:  # one from before the sleep says nothing: it is asked anew
            # What was sent may stand in the way of the ping, and of the answer what we do not read.
            if held_back or remote.waiting or last_sent > remote.heard:
                return ""
            if now - self.pinged > self.patience:
                return f"the API server has not answered for {now - self.pinged:.0f} s"
        elif resumed or now - max(remote.heard, last_sent) > PING_AFTER:
            remote.ping()
            self.pinged, self.patience = now, PATIENCE_AFTER_SLEEP if resumed else PATIENCE
        return ""


def _silence_of_the_kernel(remote: Remote) -> str:
    """Why the kernel thinks that nobody is there, where it can be asked (Linux)."""
    sock = remote.info("socket")
    if not hasattr(socket, "TCP_INFO") or sock is None:
        return ""
    with contextlib.suppress(OSError, struct.error, AttributeError):
        raw = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)  # type: ignore[attr-defined]
        fields = _TCP_INFO.unpack(raw)
        retransmits, probes, last_ack = fields[2], fields[3], fields[8 + 12] / 1000
        if last_ack > PATIENCE and max(retransmits, probes) >= UNANSWERED:
            return f"the API server has acknowledged nothing for {last_ack:.0f} s"
    return ""


def without_user_timeout(sock: socket.socket | None) -> None:
    """Lets a connection live whose window stays closed for long; see above."""
    if sock is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 0)


class Sleep:
    """Notices that the machine was asleep: the wall clock has gone further than the one that stands still then."""

    #: Seconds of difference that are no accident.
    JUMP = 10.0

    def __init__(self, wall: float, monotonic: float) -> None:
        self._offset = wall - monotonic

    def woke(self, wall: float, monotonic: float) -> bool:
        """Whether it slept since the last call. A clock that is set looks the same, and costs one ping."""
        offset = wall - monotonic
        jumped, self._offset = abs(offset - self._offset) > self.JUMP, offset
        return jumped
