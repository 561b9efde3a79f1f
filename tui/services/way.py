"""The way to a service: what a client is handed in place of an address."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

from tui.problem import Problem


class Way(Protocol):
    """The way to a service: each connection reaches one of its ready servers.

    Attributes:
        host: a name for TLS, for signatures and for texts (`minio.stateful.svc`); nothing is looked up by it.
        port: the service's port.
        member: whom the last connection reached (the pod's name), empty before the first one.
    """

    host: str
    port: int
    member: str

    async def connect(self) -> socket.socket:
        """A connected stream socket, non-blocking; whoever takes it closes it.

        Raises:
            ProblemError: no server can be reached.
        """
        ...

    def ended(self) -> Problem | None:
        """Why the last connection ended, as far as it is known."""
        ...

    async def close(self) -> None:
        """Gives the way up; connections through it end."""
        ...


#: Finds the way anew: at the opening of a client, and again when it is renewed. Raises ProblemError.
Finder: TypeAlias = Callable[[], Awaitable[Way]]
