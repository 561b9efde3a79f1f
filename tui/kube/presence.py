"""Whether the namespace that was asked for exists: a misspelt one looks like an empty one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches

from tui.kube.api import Api
from tui.kube.backoff import Backoff, happens
from tui.kube.scope import namespace_names
from tui.problem import Cause, ProblemError

log = logging.getLogger(__name__)

#: Seconds after which a namespace is looked for again that does not exist, and one that does.
SOON, SLOW = 10.0, 300.0


@dataclass(frozen=True, slots=True)
class Presence:
    """Whether a namespace that somebody named exists.

    Attributes:
        namespace: its name.
        exists: None where that may not be known.
        near: names of others that may have been meant.
        reason: why it cannot be known, in the API server's words.
    """

    namespace: str
    exists: bool | None
    near: tuple[str, ...] = ()
    reason: str = ""


async def look_for(api: Api, namespace: str) -> Presence:
    """Finds out whether a namespace exists; a list will do where single ones may not be read.

    Raises:
        ProblemError: for anything but a refusal.
    """
    try:
        await api.get(f"/api/v1/namespaces/{namespace}")
    except ProblemError as error:
        if error.problem.cause not in (Cause.ABSENT, Cause.FORBIDDEN):
            raise
        refused = error.problem if error.problem.cause is Cause.FORBIDDEN else None
    else:
        return Presence(namespace, exists=True)
    try:
        names = await namespace_names(api)
    except ProblemError as error:
        if error.problem.cause is not Cause.FORBIDDEN:
            raise
        exists = None if refused else False
        return Presence(namespace, exists, reason=refused.evidence if refused else "")
    exists = namespace in names
    return Presence(namespace, exists, () if exists else tuple(get_close_matches(namespace, names)))


class Lookout:
    """Looks for one namespace, again and again.

    Attributes:
        presence: what was found last, None before the first answer.
    """

    def __init__(self, api: Api, namespace: str, notify: Callable[[], None]) -> None:
        self.presence: Presence | None = None
        self._api, self._namespace, self._notify = api, namespace, notify
        self._again = asyncio.Event()

    def retry_now(self) -> None:
        """Looks again at once."""
        self._again.set()

    async def run(self) -> None:
        """Looks until cancelled."""
        backoff = Backoff()
        while True:
            try:
                self.presence = await look_for(self._api, self._namespace)
            except ProblemError as error:
                log.info("the namespace %s: %s", self._namespace, error.problem)
                pause = backoff.next(error.problem.retry_after)
            else:
                pause = SOON if self.presence.exists is False else SLOW
                self._notify()
            await happens(self._again, pause)
