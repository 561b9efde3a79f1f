"""What went through a forward so far: connections, bytes, and how it flowed in the last seconds."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from tui.kube.forward.tunnel import Tunnel
from tui.kube.forward.views import TunnelView

#: Closed tunnels that are remembered.
REMEMBERED = 50
#: Seconds of throughput that are remembered.
HISTORY = 120


class Tally:
    """Counts tunnels.

    Attributes:
        connections: all so far.
        failures: those that did not end in order.
        recent: those that closed last, newest first.
        rates: bytes sent and received in each of the last seconds, oldest first.
    """

    def __init__(self) -> None:
        self.connections = self.failures = 0
        self.recent: deque[TunnelView] = deque(maxlen=REMEMBERED)
        self.rates: deque[tuple[int, int]] = deque(maxlen=HISTORY)
        self._sampled = (0, 0)
        self._past = (0, 0)  # bytes of closed tunnels: sent, received

    def add(self, closed: Tunnel) -> None:
        """Counts a tunnel that is over."""
        self._past = (self._past[0] + closed.sent, self._past[1] + closed.received)
        self.failures += not closed.clean
        self.recent.appendleft(closed.view())

    def totals(self, tunnels: Iterable[Tunnel]) -> tuple[int, int]:
        """Bytes sent and received, of these open ones and all that are over."""
        open_ones = list(tunnels)
        return (
            self._past[0] + sum(tunnel.sent for tunnel in open_ones),
            self._past[1] + sum(tunnel.received for tunnel in open_ones),
        )

    def sample(self, tunnels: Iterable[Tunnel]) -> None:
        """Notes the throughput of the last second."""
        sent, received = self.totals(tunnels)
        self.rates.append((sent - self._sampled[0], received - self._sampled[1]))
        self._sampled = (sent, received)
