"""What a console asks of the cluster: the workload, the keys of its store, and the way to it."""

from __future__ import annotations

from typing import TypeAlias

from tui.consoles import connecting
from tui.consoles.access import WorkloadAccess
from tui.consoles.bucket.client import Opened
from tui.services.bucket.model import Keys
from tui.systems.bucketkeys import FoundKeys, find_keys

#: See `LiveAccess`; tests have another one.
Access: TypeAlias = connecting.Access[Keys, FoundKeys, Opened]


class LiveAccess(WorkloadAccess):
    """The access to the store of a workload."""

    async def look(self) -> FoundKeys:
        """Looks for the keys.

        Raises:
            ProblemError: there is no such workload any more.
        """
        return await find_keys(*self.sought())

    async def open(self, keys: Keys, found: FoundKeys, *, read_only: bool) -> Opened:
        """Connects: over a forward that nothing listens for.

        Raises:
            ProblemError: the store cannot be reached, or does not let us in.
        """
        from tui.consoles.bucket.live import open_live  # noqa: PLC0415  (the client is loaded by it)

        return await open_live(self._live, self._key, keys, found, self.look, read_only=read_only)
