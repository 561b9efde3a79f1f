"""The queues that were read, page by page in the server's order, and how they are arranged here.

The server is never asked to sort: by a statistic that takes it half a minute with 20,000 queues. What is sorted or
filtered by a statistic is what was read, and the list says how much of all that is. Each page costs the server the
walk through all of its queues, whatever the page's size: what was read is kept as long as the server's part of the
filter stays, and all the rest is asked for at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from tui.consoles.queue.client import ERRORS, Client, problem_of
from tui.consoles.queue.filters import Filter, holds
from tui.problem import Problem
from tui.services.queue.facts import Queue

if TYPE_CHECKING:
    from tui.widgets.row import Row

#: Queues of a page; the server's limit is 500. Samples of a queue's rates that are kept.
PAGE, SAMPLES = 100, 24
#: Queues that are taken in at once when all come, of how many such slices the list is shown anew, and seconds that the
#: screen has in between: a key needs several turns of the event loop to become a frame.
SLICE, SHOWN, TURN = 100, 5, 0.001


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


class History(msgspec.Struct, eq=False, gc=False):
    """What a queue did while one looked.

    Attributes:
        first: messages when it was first seen.
        into: messages a second that came, the newest last.
        out: those that went.
    """

    first: int | None
    into: tuple[float | None, ...] = ()
    out: tuple[float | None, ...] = ()

    def note(self, queue: Queue) -> None:
        """Takes note of the rates of now."""
        self.into = (*self.into, queue.rate("publish"))[-SAMPLES:]
        self.out = (*self.out, queue.rate("deliver_get"))[-SAMPLES:]


class Seen(msgspec.Struct, eq=False, gc=False):
    """A queue as it was told last. None of this leads back to it, and the collector of cycles leaves it alone.

    Attributes:
        key: of the queue among all.
        row: as which it is shown, None until somebody made it of what the queue is now.
    """

    key: str
    queue: Queue
    history: History
    row: Row | None = None


class QueueList:
    """Queues that match a filter.

    Attributes:
        filter: which queues are wanted.
        order: how they are sorted, `descending` or not.
        total: how many the server has that match its part of the filter.
        reading: whether a page is being read; `reading_all` whether all are.
        problem: why the last page could not be read.
        gap: why not all could be read, when that was asked for last; pages that are read meanwhile do not end it.
        begun: whether there was an answer.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._pages: dict[int, Sequence[Seen]] = {}
        self._shown: list[Seen] = []
        self._of: dict[str, Seen] = {}  # all that were ever read, with their history
        self._read: dict[str, Seen] = {}  # what is in the pages, in the server's order
        self.filter = Filter()
        self.order = Order.SERVER
        self.descending = True
        self.total = 0
        self.last_page = 1
        self.reading = self.reading_all = False
        self.begun = False
        self.problem: Problem | None = None
        self.gap: Problem | None = None
        self._turn = 0

    @property
    def shown(self) -> Sequence[Seen]:
        """What is to be shown, in its order."""
        return self._shown

    @property
    def read(self) -> int:
        """How many were read."""
        return len(self._read)

    @property
    def whole(self) -> bool:
        """Whether all were read that match."""
        return self.begun and len(self._pages) >= self.last_page

    @property
    def arranged(self) -> bool:
        """Whether something here depends on how much was read."""
        return self.order is not Order.SERVER or self.filter.local

    def get(self, key: str | None) -> Queue | None:
        """A queue that was read, by its key; while another filter's answer is on its way, one that is still shown."""
        read = self._read if self.begun else self._of
        seen = read.get(key) if key is not None else None
        return seen.queue if seen is not None else None

    def history(self, key: str) -> History | None:
        """What a queue did while one looked."""
        seen = self._of.get(key)
        return seen.history if seen is not None else None

    async def find(self, wanted: Filter) -> bool:
        """Has what is wanted: of what was read, where the server would answer the same; else its first page."""
        if self.begun and wanted.asked == self.filter.asked:
            self.filter = wanted
            self._arrange()
            return True
        self._turn += 1
        self.filter, self.gap = wanted, None
        self._pages = {}
        self.begun = False
        self._arrange()
        return await self._get(1)

    async def more(self) -> bool:
        """Reads the next page; False when there is none, or when it could not be read."""
        if self.whole or self.reading:
            return False
        return await self._get(len(self._pages) + 1)

    async def rest(self, told: Callable[[], None], made: Callable[[Sequence[Seen]], object]) -> bool:
        """Reads all that match, anew; what is there is shown meanwhile.

        Args:
            told: called when there are more to be shown.
            made: called with a few at a time, to make what they are shown as.

        Returns:
            Whether all were read.
        """
        turn, wanted = self._turn, self.filter
        found: list[Seen] = []
        slices, self.gap = 0, None
        self.reading = self.reading_all = True
        told()
        try:
            async for piece in self._client.all_queues(vhost=wanted.vhost, name=wanted.name, regex=wanted.regex):
                for start in range(0, len(piece), SLICE):
                    if turn != self._turn:
                        return False
                    before = len(found) // PAGE
                    came = [self._note(queue) for queue in piece[start : start + SLICE]]
                    made(came)
                    found += came
                    for at in range(before, len(found) // PAGE):
                        self._pages[at + 1] = found[at * PAGE : (at + 1) * PAGE]
                    slices += 1
                    if slices % SHOWN == 0:
                        self._arrange()
                        told()
                    await asyncio.sleep(TURN)
        except ERRORS as error:
            if turn == self._turn:
                self.problem = self.gap = problem_of(error)
            return False
        finally:
            self.reading = self.reading_all = False
        if turn != self._turn:
            return False
        self.problem, self.begun, self.total = None, True, len(found)
        self.last_page = max(1, -(-self.total // PAGE))
        self._pages = {at + 1: found[at * PAGE : (at + 1) * PAGE] for at in range(self.last_page)}
        if wanted.asked == Filter().asked:
            self._of = {one.key: one for one in found}  # what is not there any more has no history
        self._arrange()
        told()
        return True

    async def again(self, pages: Sequence[int]) -> bool:
        """Reads these pages anew."""
        good = True
        for page in pages or (1,):
            good = await self._get(page) and good
        return good

    def page_of(self, key: str) -> int:
        """The page that a queue was read in, 1 for one that was not."""
        return next((at for at, page in self._pages.items() if any(one.key == key for one in page)), 1)

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
            self.reading = self.reading_all
        if turn != self._turn:
            return False  # something else is wanted by now
        self.problem, self.begun = None, True
        self.total, self.last_page = found.filtered_count, max(1, found.page_count)
        self._pages = {at: one for at, one in self._pages.items() if at <= self.last_page}
        self._pages[page] = [self._note(queue) for queue in found.items]
        self._arrange()
        return True

    def _note(self, queue: Queue) -> Seen:
        key = key_of(queue)
        seen = self._of.get(key)
        if seen is None:
            seen = self._of[key] = Seen(key, queue, History(queue.messages))
        seen.queue, seen.row = queue, None
        seen.history.note(queue)
        return seen

    def arrange(self, order: Order | None = None, *, descending: bool | None = None) -> None:
        """Sorts what was read in another way."""
        self.order = self.order if order is None else order
        self.descending = self.descending if descending is None else descending
        self._arrange()

    def _arrange(self) -> None:
        # A queue that moved to another page between two readings stands once.
        self._read = {one.key: one for at in sorted(self._pages) for one in self._pages[at]}
        wanted = self.filter
        shown = list(self._read.values())
        if wanted.local:
            shown = [one for one in shown if holds(wanted, one.queue, one.history.first)]
        if (key := _KEYS.get(self.order)) is not None:
            shown.sort(key=lambda one: key(one.queue), reverse=self.descending)
        self._shown = shown
