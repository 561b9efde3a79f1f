"""What every console has of the cluster: its workload, as it is now, and what its credentials are looked for with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.problem import Cause, Problem, ProblemError

if TYPE_CHECKING:
    from tui.kube.api import Api
    from tui.kube.store import Store
    from tui.systems.catalogue import Catalogue
    from tui.systems.live import Live
    from tui.systems.model import Workload


class WorkloadAccess:
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

    def sought(self) -> tuple[Api, Store, Workload, Catalogue]:
        """What credentials are looked for with, as `find_keys`, `find_logins` and `find_login` take it.

        Raises:
            ProblemError: there is no such workload any more.
        """
        live, workload = self._live, self.workload
        if live.api is None or live.cluster is None or workload is None:
            raise ProblemError(Problem(Cause.ABSENT, f"There is no workload {self._key.rpartition('/')[2]} any more"))
        return live.api, live.cluster.store, workload, live.catalogue
