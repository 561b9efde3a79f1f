"""What a console asks of the cluster: the workload, who one may be to its broker, and the way to it."""

from __future__ import annotations

import asyncio
import importlib
from typing import TypeAlias

from tui.consoles import connecting
from tui.consoles.access import WorkloadAccess
from tui.consoles.queue.client import Opened
from tui.services.queue.model import Login
from tui.systems.queuecertificates import read
from tui.systems.queuekeys import FoundLogins, find_logins

#: See `LiveAccess`; tests have another one.
Access: TypeAlias = connecting.Access[Login, FoundLogins, Opened]


class LiveAccess(WorkloadAccess):
    """The access to the broker of a workload."""

    async def look(self) -> FoundLogins:
        """Looks for who one may be.

        Raises:
            ProblemError: there is no such workload any more.
        """
        found, _ = await asyncio.gather(find_logins(*self.sought()), asyncio.to_thread(_load))
        return found

    async def open(self, login: Login, found: FoundLogins, *, read_only: bool) -> Opened:
        """Connects: over forwards that nothing listens for.

        Raises:
            ProblemError: the broker cannot be reached, or does not let this user in.
        """
        from tui.consoles.queue.live import open_live  # noqa: PLC0415  (the clients are loaded by it)

        api, _, workload, _ = self.sought()
        return await open_live(self._live, self._key, await read(login, api, workload), found, read_only=read_only)


def _load() -> None:
    """Loads what the first connection needs while the logins are looked for: beside the loop, which it holds 50 ms."""
    for name in ("tui.consoles.queue.live", "tui.services.queue.amqp", "tui.services.queue.management"):
        importlib.import_module(name)
