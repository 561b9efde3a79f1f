"""What a console asks of the cluster: the workload, who one may be to its broker, and the way to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from tui.problem import Cause, Problem, ProblemError

if TYPE_CHECKING:
    from tui.consoles.queue.client import Opened
    from tui.services.queue.model import Login
    from tui.systems.live import Live
    from tui.systems.model import Workload


class FoundLogins(Protocol):
    """What was found of users and passwords."""

    @property
    def logins(self) -> tuple[Login, ...]:
        """The best first."""
        ...

    @property
    def user(self) -> str:
        """A user's name, where only that is known."""
        ...

    def problem(self, name: str, remedy: str) -> Problem:
        """Why there is no login, with the Secret and the right that would have served."""
        ...


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
