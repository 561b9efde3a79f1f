"""What a tunnel asks of whoever opened it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from tui.kube.forward.remote import Remote, Sink
from tui.kube.forward.targets import PodPort
from tui.problem import Problem

if TYPE_CHECKING:
    from tui.kube.forward.tunnel import Tunnel


class Opener(Protocol):
    """Who finds a tunnel its far end: a forward."""

    async def find(self, deadline: float, avoid: set[str]) -> PodPort:
        """The pod to connect to, waited for until the deadline (loop time).

        Raises:
            ProblemError: there is none, or there cannot be one.
        """

    async def dial(self, at: PodPort, sink: Sink) -> Remote:
        """Opens a far end, not reading yet.

        Raises:
            ProblemError: it cannot be opened.
        """

    def may_recover(self, at: PodPort) -> bool:
        """Whether a pod that just refused may be asked again: it has only begun to run, or it is being replaced."""

    def is_going(self, at: PodPort) -> bool:
        """Whether a pod is being deleted, so that the end of a connection to it need not be the end of its data."""

    def opened(self, tunnel: Tunnel) -> None:
        """A far end is there; the port may still refuse."""

    def succeeded(self, tunnel: Tunnel) -> None:
        """A connection has come about: the application answered, or no refusal came for a while."""

    def troubled(self, problem: Problem) -> None:
        """A connection failed."""

    def closed(self, tunnel: Tunnel) -> None:
        """A tunnel is over."""
