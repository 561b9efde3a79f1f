"""The queues that were read, page by page in the server's order, and how they are arranged here.

The server is never asked to sort: by a statistic that takes it half a minute with 20,000 queues. What is sorted or
filtered by a statistic is what was read, and the list says how much of all that is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from tui.consoles.queue.client import ERRORS, Client, problem_of
from tui.consoles.queue.filters import Filter, holds
from tui.problem import Problem
from tui.services.queue.facts import Queue

#: Queues of a page; the server's limit is 500. Samples of a queue's rates that are kept.
PAGE, SAMPLES = 100, 24


class Order(StrEnum):
    """By what queues are sorted."""

    SERVER = "as the server has them"
    MESSAGES = "messages"
    UNACKNOWLEDGED = "unacknowledged"
    INTO = "rate in"
    OUT = "rate out"
    CONSUMERS = "consumers"
    MEMORY = "memory"


_KEYS: dict[Order, Callable[[Queue], float]] = {
    Order.MESSAGES: lambda one: one.messages if one.messages is not None else -1,
    Order.UNACKNOWLEDGED: lambda one: one.messages_unacknowledged if one.messages_unacknowledged is not None else -1,
    Order.INTO: lambda one: rate if (rate := one.rate("publish")) is not None else -1,
    Order.OUT: lambda one: rate if (rate := one.rate("deliver_get")) is not None else -1,
    Order.CONSUMERS: lambda one: one.consumers if one.consumers is not None else -1,
    Order.MEMORY: lambda one: one.memory if one.memory is not None else -1,
}


def key_of(queue: Queue) -> str:
    """A queue's key among all."""
    return f"{queue.vhost}\0{queue.name}"


@dataclass(eq=False)
class History:
    """What a queue did while one looked.

    Attributes:
        first: messages when it was first seen.
    """

    first: int | None
    into: deque[float | None] = field(default_factory=lambda: deque(maxlen=SAMPLES))
    out: deque[float | None] = field(default_factory=lambda: deque(maxlen=SAMPLES))


class QueueList:
    """Queues that match a filter.

    Attributes:
        filter: which queues are wanted.
        order: how they are sorted, `descending` or not.
        total: how many the server has that match its part of the filter.
        reading: whether a page is being read.
        problem: why the last page could not be read.
        begun: whether there was an answer.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._pages: dict[int, Sequence[Queue]] = {}
        self._history: dict[str, History] = {}
        self._shown: list[Queue] = []
        self._of: dict[str, Queue] = {}
        self.filter = Filter()
        self.order = Order.SERVER
        self.descending = True
        self.total = 0
        self.last_page = 1
        self.reading = False
        self.begun = False
        self.problem: Problem | None = None
        self._turn = 0

    @property
    def shown(self) -> Sequence[Queue]:
        """What is to be shown, in its order."""
        return self._shown

    @property
    def read(self) -> int:
        """How many were read."""
        return sum(len(page) for page in self._pages.values())

    @property
    def whole(self) -> bool:
        """Whether all were read that match."""
        return self.begun and len(self._pages) >= self.last_page

    @property
    def arranged(self) -> bool:
        """Whether something here depends on how much was read."""
        return self.order is not Order.SERVER or self.filter.local

    def get(self, key: str | None) -> Queue | None:
        """A queue that was read, by its key."""
        return self._of.get(key) if key is not None else None

    @property
    def keys(self) -> Sequence[str]:
        """The keys of all that was read."""
        return list(self._of)

    def history(self, key: str) -> History | None:
        """What a queue did while one looked."""
        return self._history.get(key)

    async def find(self, wanted: Filter) -> bool:
        """Reads the first page of what is wanted; what was read before is forgotten."""
        if wanted != self.filter or not self.begun:
            self._turn += 1
            self.filter = wanted
            self._pages = {}
            self.begun = False
            self._arrange()
        return await self._get(1)

    async def more(self) -> bool:
        """Reads the next page; False when there is none, or when it could not be read."""
        if self.whole or self.reading:
            return False
        return await self._get(len(self._pages) + 1)

    async def again(self, pages: Sequence[int]) -> bool:
        """Reads these pages anew."""
        good = True
        for page in pages or (1,):
            good = await self._get(page) and good
        return good

    def page_of(self, key: str) -> int:
        """The page that a queue was read in, 1 for one that was not."""
        return next((at for at, page in self._pages.items() if any(key_of(one) == key for one in page)), 1)

    async def _get(self, page: int) -> bool:
        turn, wanted = self._turn, self.filter
        self.reading = True
        try:
            found = await self._client.queues(
                vhost=wanted.vhost, name=wanted.name, regex=wanted.regex, page=page, size=PAGE
            )
        except ERRORS as error:
            if turn == self._turn:
                self.problem = problem_of(error)
            return False
        finally:
            self.reading = False
        if turn != self._turn:
            return False  # something else is wanted by now
        self.problem, self.begun = None, True
        self.total, self.last_page = found.filtered_count, max(1, found.page_count)
        self._pages = {at: one for at, one in self._pages.items() if at <= self.last_page}
        self._pages[page] = found.items
        for queue in found.items:
            self._note(queue)
        self._arrange()
        return True

    def _note(self, queue: Queue) -> None:
        history = self._history.setdefault(key_of(queue), History(queue.messages))
        history.into.append(queue.rate("publish"))
        history.out.append(queue.rate("deliver_get"))

    def arrange(self, order: Order | None = None, *, descending: bool | None = None) -> None:
        """Sorts what was read in another way."""
        self.order = self.order if order is None else order
        self.descending = self.descending if descending is None else descending
        self._arrange()

    def _arrange(self) -> None:
        # A queue that moved to another page between two readings stands once.
        every = {key_of(one): one for at in sorted(self._pages) for one in self._pages[at]}
        self._of = every
        wanted = self.filter
        shown = list(every.values())
        if wanted.local:
            history = self._history
            shown = [one for key, one in every.items() if holds(wanted, one, history[key].first)]
        if (key := _KEYS.get(self.order)) is not None:
            shown.sort(key=key, reverse=self.descending)
        self._shown = shown
