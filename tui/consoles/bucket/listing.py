"""A listing that is read as far as it is looked at: pages by need, some kept, the rest read again. Without a screen.

A bucket with a million keys is a thousand pages. Those that were read are known by the token that led to them, so that
one that was let go can be had again; a filter or an order that is not the server's holds for what is in memory, and
says so.
"""

from __future__ import annotations

import bisect
import datetime as dt
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator
from enum import StrEnum
from typing import TypeAlias

from tui.services.bucket.model import Entry, Page

#: Entries that are kept in memory, some 30 MB of them: mostly 64 pages of 1,000 each.
KEPT = 64_000

#: Reads the page that a token leads to.
Fetch: TypeAlias = Callable[[str], Awaitable[Page]]


class Order(StrEnum):
    """How entries are put in order."""

    NAME = "name"
    SIZE = "size"
    MODIFIED = "modified"


class Listing:
    """One listing: of a prefix, of the versions below one, or of what a search found.

    Attributes:
        filter: what keys must hold, whatever their case; empty for all.
        order: how they are sorted.
        descending: the other way round.
        whole: whether the end is known.
    """

    def __init__(self, fetch: Fetch, *, kept: int = KEPT, wanted: Callable[[Entry], bool] | None = None) -> None:
        """Reads nothing yet.

        Args:
            fetch: reads a page.
            kept: entries to keep in memory; at least the last page is.
            wanted: which entries count; None for all. The others are forgotten.
        """
        self.filter = ""
        self.order = Order.NAME
        self.descending = False
        self.whole = False
        self._fetch = fetch
        self._kept = kept
        self._wanted = wanted
        self._tokens: list[str] = []
        self._starts: list[int] = []
        self._count = 0
        self._next = ""
        self._pages: OrderedDict[int, tuple[Entry, ...]] = OrderedDict()
        self._resident = 0
        self._view: list[Entry] | None = None
        self.looked = 0

    # --- reading

    @property
    def begun(self) -> bool:
        """Whether something was read."""
        return bool(self._tokens)

    @property
    def read(self) -> int:
        """How many entries are known."""
        return self._count

    @property
    def arranged(self) -> bool:
        """Whether it shows something else than the server's own order."""
        return bool(self.filter) or self.order is not Order.NAME or self.descending

    @property
    def resident(self) -> int:
        """How many entries are in memory."""
        return self._resident

    async def more(self) -> bool:
        """Reads the next page; False when there is none."""
        if self.whole:
            return False
        token = self._next
        page = await self._fetch(token)
        self.looked += len(page.entries)
        self._tokens.append(token)
        self._starts.append(self._count)
        self._keep(len(self._tokens) - 1, self._of(page))
        self._count += len(self._pages[len(self._tokens) - 1])
        self._next = page.more
        self.whole = not page.more
        self._view = None
        return True

    async def again(self, at: int) -> bool:
        """Reads the page that a line stands on again, if it was let go; False when nothing was to be read."""
        number = self._page_of(at)
        if number is None or number in self._pages:
            return False
        self._keep(number, self._of(await self._fetch(self._tokens[number])))
        return True

    def _of(self, page: Page) -> tuple[Entry, ...]:
        if self._wanted is not None:
            return tuple(one for one in page.entries if self._wanted(one))
        if not page.more and not self._tokens[1:]:  # all of it is here: folders can stand first
            return tuple(sorted(page.entries, key=lambda one: not one.folder))
        return page.entries

    def _keep(self, number: int, entries: tuple[Entry, ...]) -> None:
        self._pages[number] = entries
        self._resident += len(entries)
        while self._resident > self._kept and len(self._pages) > 1:
            _, gone = self._pages.popitem(last=False)
            self._resident -= len(gone)
            self._view = None

    def _page_of(self, at: int) -> int | None:
        if not 0 <= at < self._count:
            return None
        return bisect.bisect_right(self._starts, at) - 1

    # --- looking

    def arrange(self, *, filter: str | None = None, order: Order | None = None, descending: bool | None = None) -> None:
        """Shows other entries, or in another order."""
        self.filter = self.filter if filter is None else filter
        self.order = self.order if order is None else order
        self.descending = self.descending if descending is None else descending
        self._view = None

    def __len__(self) -> int:
        """How many lines there are to show now."""
        return len(self._arranged()) if self.arranged else self._count

    def line(self, at: int) -> Entry | None:
        """What stands on a line; None when it is not in memory (any more)."""
        if self.arranged:
            view = self._arranged()
            return view[at] if 0 <= at < len(view) else None
        number = self._page_of(at)
        if number is None or number not in self._pages:
            return None
        page, place = self._pages[number], at - self._starts[number]
        return page[place] if place < len(page) else None

    def shown(self) -> Iterator[Entry]:
        """What is in memory of what there is to show now."""
        return iter(self._arranged()) if self.arranged else self.entries()

    def entries(self) -> Iterator[Entry]:
        """What is in memory, in order."""
        for number in sorted(self._pages):
            yield from self._pages[number]

    def place_of(self, key: str, version: str = "") -> int:
        """The line of a key, -1 when it is not in memory."""
        if self.arranged:
            found = (at for at, one in enumerate(self._arranged()) if (one.key, one.version) == (key, version))
            return next(found, -1)
        for number, page in self._pages.items():
            for place, one in enumerate(page):
                if one.key == key and version in ("", one.version):
                    return self._starts[number] + place
        return -1

    def _arranged(self) -> list[Entry]:
        if self._view is None:
            sought = self.filter.casefold()
            view = [one for one in self.entries() if sought in one.key.casefold()] if sought else list(self.entries())
            if self.order is Order.SIZE:
                view.sort(key=lambda one: (one.folder, one.size or 0))
            elif self.order is Order.MODIFIED:
                view.sort(key=lambda one: one.modified or _LONG_AGO)
            if self.descending:
                view.reverse()
            folders = [one for one in view if one.folder]
            self._view = [*folders, *(one for one in view if not one.folder)] if folders else view
        return self._view


_LONG_AGO = dt.datetime.fromtimestamp(0, dt.UTC)
