"""The way to a service: what a client is handed in place of an address."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias, runtime_checkable

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


class Stream(Protocol):
    """A connection in memory.

    Attributes:
        moved: bytes that went through it so far, in both directions: what tells a slow one from a dead one.
    """

    moved: int

    async def receive_into(self, view: memoryview, least: int) -> int:
        """Fills memory with what comes. Who is cancelled meanwhile has lost what came: the connection is no good then.

        Args:
            view: is filled from its start.
            least: bytes that are waited for, at most the view's.

        Returns:
            How many bytes there are: fewer than `least` only when the other side has closed the connection.

        Raises:
            ConnectionResetError: the connection broke.
        """
        ...

    async def send(self, data: memoryview) -> None:
        """Sends all of it; the data may be reused then.

        Raises:
            OSError: it is closed.
        """
        ...

    def stale(self) -> bool:
        """Whether an idle connection has ended."""
        ...

    def drop(self) -> None:
        """Ends it at once."""
        ...


@runtime_checkable
class DirectWay(Protocol):
    """A way that can do without sockets, for clients that need none: it spares copies and system calls."""

    async def stream(self) -> Stream:
        """A connection in memory.

        Raises:
            ProblemError: no server can be reached.
        """
        ...


#: Finds the way anew: at the opening of a client, and again when it is renewed. Raises ProblemError.
Finder: TypeAlias = Callable[[], Awaitable[Way]]
