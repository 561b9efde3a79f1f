"""What a console asks of the cluster: the workload, who one may be to its broker, and the way to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from tui.problem import Cause, Problem, ProblemError

if TYPE_CHECKING:
    from tui.consoles.queue.client import Opened
    from tui.services.queue.model import Login
    from tui.systems.live import Live
    from tui.systems.model import Workload
    from tui.systems.queuekeys import FoundLogins


class Access(Protocol):
    """See `LiveAccess`; tests have another one."""

    context: str

    @property
    def workload(self) -> Workload | None:
        """The workload as it is now; None when it is gone."""
        ...

    async def look(self) -> FoundLogins:
        """Looks for who one may be."""
        ...

    async def open(self, login: Login, found: FoundLogins, *, read_only: bool) -> Opened:
        """Connects."""
        ...


class LiveAccess:
    """The access to a workload of an opened context.

    Attributes:
        context: its name.
    """

    def __init__(self, live: Live, key: str) -> None:
        """Opens nothing.

        Args:
            live: the context.
            key: the workload's.
        """
        self.context = live.context.name if live.context is not None else ""
        self._live = live
        self._key = key

    @property
    def workload(self) -> Workload | None:
        """The workload as it is now; None when it is gone."""
        return self._live.workloads.get(self._key)

    async def look(self) -> FoundLogins:
        """Looks for who one may be.

        Raises:
            ProblemError: there is no such workload any more.
        """
        from tui.systems.queuekeys import find_logins  # noqa: PLC0415  (not needed to start)

        live, workload = self._live, self.workload
        if live.api is None or live.cluster is None or workload is None:
            raise ProblemError(Problem(Cause.ABSENT, f"There is no workload {self._key.rpartition('/')[2]} any more"))
        return await find_logins(live.api, live.cluster.store, workload, live.catalogue)

    async def open(self, login: Login, found: FoundLogins, *, read_only: bool) -> Opened:
        """Connects: over forwards that nothing listens for.

        Raises:
            ProblemError: the broker cannot be reached, or does not let this user in.
        """
        from tui.consoles.queue.live import open_live  # noqa: PLC0415  (the clients are loaded by it)

        return await open_live(self._live, self._key, login, found, read_only=read_only)
