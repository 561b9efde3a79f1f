"""Connections that belong to one pod: a driver's second connection must reach the server of the first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.kube.forward.remote import Remote, Sink
from tui.kube.forward.targets import PodPort
from tui.kube.forward.tunnel import Tunnel
from tui.problem import Cause, Problem, ProblemError

if TYPE_CHECKING:
    from tui.kube.forward.forward import Forward


class Pin:
    """Opens tunnels to one pod of a forward and to no other, not even to its successor of the same name."""

    def __init__(self, forward: Forward, at: PodPort) -> None:
        self.tunnels: list[Tunnel] = []
        self._forward = forward
        self._at = at

    def accept(self) -> Tunnel:
        """A tunnel that waits for its near end; it is over when the pin is, also while it still connects."""
        tunnel = self._forward.accept(self)
        self.tunnels.append(tunnel)
        return tunnel

    async def find(self, deadline: float, avoid: set[str]) -> PodPort:
        """The pod, unless it is another one by now."""
        self._forward.check_open()
        if self._forward.stands(self._at):  # also when it is to be avoided: there is no other
            return self._at
        raise ProblemError(
            Problem(
                Cause.ABSENT, f"Pod {self._at.pod} is not the one any more that this connection belongs to", "",
                "Connect anew; that finds the pod that is there now.",
            )
        )  # fmt: skip

    async def dial(self, at: PodPort, sink: Sink) -> Remote:
        """Opens a far end."""
        return await self._forward.dial(at, sink)

    def may_recover(self, at: PodPort) -> bool:
        """It is this pod or none."""
        return False

    def is_going(self, at: PodPort) -> bool:
        """Whether the pod is being deleted."""
        return self._forward.is_going(at)

    def opened(self, tunnel: Tunnel) -> None:
        """A far end is there."""
        self._forward.opened(tunnel)

    def succeeded(self, tunnel: Tunnel) -> None:
        """A connection has come about."""
        self._forward.succeeded(tunnel)

    def troubled(self, problem: Problem) -> None:
        """A connection failed."""
        self._forward.troubled(problem)

    def closed(self, tunnel: Tunnel) -> None:
        """A tunnel is over."""
        if tunnel in self.tunnels:
            self.tunnels.remove(tunnel)
        self._forward.closed(tunnel)
