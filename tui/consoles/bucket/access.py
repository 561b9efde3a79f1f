"""What a console asks of the cluster: the workload, the keys of its store, and the way to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from tui.problem import Cause, Problem, ProblemError

if TYPE_CHECKING:
    from tui.consoles.bucket.client import Opened
    from tui.services.bucket.model import Keys
    from tui.systems.bucketkeys import FoundKeys
    from tui.systems.live import Live
    from tui.systems.model import Workload


class Access(Protocol):
    """See `LiveAccess`; tests have another one."""

    context: str

    @property
    def workload(self) -> Workload | None:
        """The workload as it is now; None when it is gone."""
        ...

    async def look(self) -> FoundKeys:
        """Looks for the keys."""
        ...

    async def open(self, keys: Keys, found: FoundKeys, *, read_only: bool) -> Opened:
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

    async def look(self) -> FoundKeys:
        """Looks for the keys.

        Raises:
            ProblemError: there is no such workload any more.
        """
        from tui.systems.bucketkeys import find_keys  # noqa: PLC0415  (not needed to start)

        live, workload = self._live, self.workload
        if live.api is None or live.cluster is None or workload is None:
            raise ProblemError(Problem(Cause.ABSENT, f"There is no workload {self._key.rpartition('/')[2]} any more"))
        return await find_keys(live.api, live.cluster.store, workload, live.catalogue)

    async def open(self, keys: Keys, found: FoundKeys, *, read_only: bool) -> Opened:
        """Connects: over a forward that nothing listens for.

        Raises:
            ProblemError: the store cannot be reached, or does not let us in.
        """
        from tui.consoles.bucket.live import open_live  # noqa: PLC0415  (the client is loaded by it)

        return await open_live(self._live, self._key, keys, found, read_only=read_only)
