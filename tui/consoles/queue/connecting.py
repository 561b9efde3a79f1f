"""The console's connection: a login, and a broker that answers; see `consoles.connecting`."""

from __future__ import annotations

from tui.consoles import connecting
from tui.consoles.connecting import Asked, Terms
from tui.consoles.queue.client import ERRORS, Opened, problem_of
from tui.problem import Problem
from tui.services.queue.model import Login
from tui.systems.queuekeys import FoundLogins


class Connection(connecting.Connection[Login, FoundLogins, Opened]):
    """One console's way to one broker."""

    terms = Terms(
        "a login", "a login", "login", "users", "Login to", other="another user", as_other="Log in as another user"
    )  # fmt: skip
    errors = ERRORS

    def problem_of(self, error: Exception) -> Problem:
        """What the broker says."""
        return problem_of(error)

    def logins(self, found: FoundLogins) -> tuple[Login, ...]:
        """The logins that were found."""
        return found.logins

    def missing(self, found: FoundLogins, workload: str, ask: str) -> Asked:
        """Why there are none, and the user that goes with a password which may not be read."""
        return Asked(found.problem(workload, ask), found.user)
