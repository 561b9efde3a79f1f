"""The console's connection: keys, and a store that answers; see `consoles.connecting`."""

from __future__ import annotations

from dataclasses import replace

from tui.consoles import connecting
from tui.consoles.bucket.client import ERRORS, Opened, problem_of
from tui.consoles.connecting import Asked, Terms
from tui.problem import Problem
from tui.services.bucket.model import Keys, StoreError
from tui.systems.bucketkeys import FoundKeys


class Connection(connecting.Connection[Keys, FoundKeys, Opened]):
    """One console's way to one store."""

    terms = Terms(
        "the keys", "keys", "keys", "its keys", "Keys for", other="other keys", as_other="Log in with other keys"
    )  # fmt: skip
    errors = ERRORS

    def problem_of(self, error: Exception) -> Problem:
        """What the store says."""
        return problem_of(error)

    def logins(self, found: FoundKeys) -> tuple[Keys, ...]:
        """The keys that were found."""
        return found.keys

    def missing(self, found: FoundKeys, workload: str, ask: str) -> Asked:
        """Why there are none, and the access key that goes with a secret key which may not be read."""
        return Asked(found.problem(workload, ask), found.access)

    def renewed(self, keys: Keys, found: FoundKeys) -> None:
        """Takes note of keys with which the store goes on, in place of those that it does not know any more."""
        self._login, self.found = keys, found
        if self.opened is not None:
            self.opened = replace(self.opened, keys=keys)
        self._changed()

    def doubts(self, error: Exception) -> bool:
        """Whatever the store refuses at first: which of its codes mean the keys differs from store to store."""
        return isinstance(error, StoreError) or super().doubts(error)
