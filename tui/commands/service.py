"""One run of a command that works on a workload's service: `bucket`, `queue`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from tui.commands import exits
from tui.commands.opening import Opening, live_for
from tui.commands.signals import Signals
from tui.commands.wronguse import WrongUseError, wrong
from tui.kube.api import Api
from tui.kube.options import ConnectOptions
from tui.kube.store import Store
from tui.problem import ProblemError
from tui.settings import Settings
from tui.systems.catalogue import Catalogue
from tui.systems.forwarding import Definition, target_of, workload_of
from tui.systems.model import Workload


class ServiceRun:
    """The cluster that a command works on, once it has arrived.

    Attributes:
        live: the context.
        wait: seconds for the cluster and for a ready pod.
    """

    def __init__(self, options: ConnectOptions, settings: Settings, wait: float) -> None:
        """Opens nothing yet.

        Args:
            options: which cluster.
            settings: which contexts are protected.
            wait: seconds for the cluster and for a ready pod.
        """
        self.live = live_for(options)
        self.wait = wait
        self._settings = settings

    async def run(self, work: Callable[[], Awaitable[int]]) -> int:
        """Works once all has come, and returns the exit code; a signal ends it.

        Raises:
            Exception: what the service's client raises beside ProblemError.
        """
        signals = Signals()
        task = asyncio.create_task(self._work(work))
        with signals.ending(task):
            try:
                return await task
            except asyncio.CancelledError:
                if signals.received is None:
                    raise
                return 128 + signals.received
            except WrongUseError as error:
                exits.complain(error.problem)
                return exits.USAGE
            except ProblemError as error:
                return exits.complain(error.problem)

    async def _work(self, work: Callable[[], Awaitable[int]]) -> int:
        opening = Opening(self.live, self.wait)
        async with opening:
            await opening.arrive_whole()
            return await work()

    @property
    def context(self) -> str:
        """The context's name."""
        assert self.live.context is not None  # noqa: S101 (it has arrived)
        return self.live.context.name

    @property
    def protected(self) -> bool:
        """Whether nothing may be changed in this context."""
        return self._settings.protects(self.context)

    def workload(self, name: str) -> Workload:
        """The workload that is called so.

        Args:
            name: `NAME` or `NAMESPACE/NAME`.

        Raises:
            WrongUseError: there is none.
        """
        workload = workload_of(target_of(Definition(name), self.live), self.live)
        if workload is None:
            raise wrong(f"{name} is no workload", "Name one that `get` lists.")
        return workload

    def sought(self, workload: Workload) -> tuple[Api, Store, Workload, Catalogue]:
        """What its credentials are looked for with, as `find_keys` and `find_logins` take it."""
        live = self.live
        assert live.api is not None and live.cluster is not None  # noqa: S101 (it has arrived)
        return live.api, live.cluster.store, workload, live.catalogue
