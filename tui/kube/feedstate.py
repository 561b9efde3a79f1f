"""The changing side of a feed: phases, what broke, and whether the server is heard at all."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from tui.kube.feeds import Feed, Phase
from tui.kube.resources import Resource
from tui.problem import Problem

_CURRENT = (Phase.LIVE, Phase.POLLING)


class FeedState:
    """The state of one feed, as its reflector and the watchdog find it.

    Attributes:
        synced: whether a complete list has ever arrived.
        heard: when the last bytes came, monotonic seconds.
        silent: why the server is not heard, None while it is; see `hush`.
        failing_since: when it began to fail, monotonic seconds; None while it does not.
    """

    def __init__(self, resource: Resource, namespace: str | None, notify: Callable[[], None]) -> None:
        self.synced = False
        self.heard = time.monotonic()
        self.silent: Problem | None = None
        self.failing_since: float | None = None
        self._feed = Feed(resource, namespace, Phase.WAITING, time.time())
        self._notify = notify
        self._told = 0.0

    @property
    def phase(self) -> Phase:
        """The phase, whether the server is heard or not."""
        return self._feed.phase

    @property
    def failing(self) -> bool:
        """Whether it is tried again after a failure (and not for want of a right or a resource type)."""
        return self.failing_since is not None

    def feed(self, count: int) -> Feed:
        """The visible state, with so many objects."""
        if self.silent is not None and self.phase in _CURRENT:
            return replace(self._feed, count=count, phase=Phase.STALE, problem=self.silent)
        return replace(self._feed, count=count)

    def show(self, phase: Phase, problem: Problem | None = None) -> None:
        """Changes the phase; its `since` stays while only the problem changes."""
        if phase in _CURRENT:
            self.synced = True
            self.unhush()
        if problem is None or phase not in (Phase.LISTING, Phase.STALE):
            self.failing_since = None
        elif self.failing_since is None:
            self.failing_since = time.monotonic()
        if phase is not self.phase or problem != self._feed.problem:
            since = self._feed.since if phase is self.phase else time.time()
            self._feed = replace(self._feed, phase=phase, since=since, problem=problem)
            self._notify()

    def progress(self) -> None:
        """Tells of a growing list, ten times a second at most."""
        now = time.monotonic()
        if now - self._told > 0.1:
            self._told = now
            self._notify()

    def hear(self) -> None:
        """Notes that the server sent something."""
        self.heard = time.monotonic()
        if self.silent is not None:
            self.unhush()

    def hush(self, problem: Problem, since: float) -> None:
        """Marks a current feed stale, since that moment of the wall clock, because the server answers nothing.

        The watch is not dropped: the mark goes as soon as it brings something or is opened anew.
        """
        if self.silent is None and self.phase in _CURRENT:
            self.silent = problem
            self._feed = replace(self._feed, since=since)
            self._notify()

    def unhush(self) -> None:
        """Takes the mark of `hush` away."""
        if self.silent is not None:
            self.silent = None
            self._feed = replace(self._feed, since=time.time())
            self._notify()
