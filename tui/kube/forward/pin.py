"""Connections that belong to one pod: a driver's second connection must reach the server of the first."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

from tui.kube.forward import janitor
from tui.kube.forward.listener import Listener, UnixAddress
from tui.kube.forward.remote import Remote, Sink
from tui.kube.forward.targets import PodPort
from tui.kube.forward.tunnel import Tunnel
from tui.problem import Cause, Problem, ProblemError

if TYPE_CHECKING:
    from tui.kube.forward.forward import Forward


class Pin:
    """Opens tunnels to one pod of a forward and to no other, not even to its successor of the same name.

    Attributes:
        at: the pod and its port.
        tunnels: those that are open.
    """

    def __init__(self, forward: Forward, at: PodPort) -> None:
        self.at = at
        self.tunnels: list[Tunnel] = []
        self._forward = forward
        self._last: Tunnel | None = None
        self._closed = False
        self._idle = asyncio.Event()

    async def connect(self) -> socket.socket:
        """One end of a socket pair whose other end leads to the pod; whoever takes it closes it.

        Raises:
            ProblemError: the pod is not there any more, or it cannot be reached.
        """
        return (await self._forward.connect(self)).socket

    @contextlib.asynccontextmanager
    async def listening(self, file_name: str) -> AsyncIterator[Path]:
        """A Unix socket that leads to the pod, in a directory of its own that only this user may enter.

        Args:
            file_name: the socket's name.

        Yields:
            The directory; it goes with the context.
        """
        listener = Listener(self.accept)
        directory = janitor.private_directory()
        try:
            await listener.open(UnixAddress(directory / file_name, directory))
            yield directory
        finally:
            listener.close()
            self.close()
            janitor.remove_directory(directory)

    def ended(self) -> Problem | None:
        """Why the last connection that is over ended; None when nobody but the program ended it."""
        last = self._last
        if last is None or (last.clean and last.problem is None):
            return None
        return last.problem or Problem(Cause.UNREACHABLE, last.why[:1].upper() + last.why[1:])

    async def settle(self, patience: float) -> None:
        """Waits until the connections that their programs have closed are over, so that last words arrive; not long.

        Args:
            patience: seconds after which it goes on all the same.
        """
        if self.tunnels:
            self._idle.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await self._idle.wait()

    def close(self) -> None:
        """Ends its connections; none can be opened any more."""
        self._closed = True
        for tunnel in list(self.tunnels):
            tunnel.close("the connection was given up")

    def accept(self) -> Tunnel:
        """A tunnel that waits for its near end; it is over when the pin is, also while it still connects."""
        tunnel = self._forward.accept(self)
        self.tunnels.append(tunnel)
        return tunnel

    async def find(self, deadline: float, avoid: set[str]) -> PodPort:
        """The pod, unless it is another one by now."""
        self._forward.check_open()
        if self._closed:
            raise ProblemError(Problem(Cause.UNREACHABLE, "The connection was given up"))
        if self._forward.stands(self.at):  # also when it is to be avoided: there is no other
            return self.at
        raise ProblemError(
            Problem(
                Cause.ABSENT, f"Pod {self.at.pod} is not the one any more that this connection belongs to", "",
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
            self._last = tunnel
            if not self.tunnels:
                self._idle.set()
        self._forward.closed(tunnel)
