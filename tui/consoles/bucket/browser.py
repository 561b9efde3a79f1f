"""Where one is in a store, and what is read of it. No Textual: the screen draws what stands in the attributes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from tui.consoles.bucket.client import ERRORS, Client, problem_of
from tui.consoles.bucket.listing import Listing
from tui.problem import Problem
from tui.services.bucket.model import Anonymous, Bucket, Entry, Page

T = TypeVar("T")
#: Buckets whose access is asked for at once: each is a request.
AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Place:
    """What is listed.

    Attributes:
        bucket: empty for none.
        prefix: what keys begin with.
        versions: whether old versions and delete markers are listed.
        search: what keys anywhere below the prefix must hold; empty for a listing of folders.
        old: with `versions`, whether only what is not the latest is listed, anywhere below.
    """

    bucket: str = ""
    prefix: str = ""
    versions: bool = False
    search: str = ""
    old: bool = False

    @property
    def text(self) -> str:
        """`my-bucket/photos/2026/`."""
        return f"{self.bucket}/{self.prefix}"

    @property
    def above(self) -> Place | None:
        """The folder above; None at the top of a bucket."""
        if self.search or self.versions:
            return replace(self, search="", versions=False, old=False)
        if not self.prefix:
            return None
        # Keys may hold several slashes in a row: each is a folder without a name.
        return replace(self, prefix=self.prefix[: self.prefix.rfind("/", 0, len(self.prefix) - 1) + 1])


class Browser:
    """One person's look at a store.

    Attributes:
        client: the store.
        buckets: as last read.
        anonymous: what everybody may do with them, as far as it was asked.
        place: what is listed.
        listing: the listing; None while no bucket is open.
        problem: why buckets or keys could not be read, or were read only in part.
        reading: whether keys are being read.
        loaded: whether the buckets were read at all.
    """

    def __init__(self, client: Client, changed: Callable[[], None] = lambda: None) -> None:
        """Reads nothing yet."""
        self.client = client
        self.buckets: Sequence[Bucket] = ()
        self.anonymous: dict[str, Anonymous] = {}
        self.place = Place()
        self.listing: Listing | None = None
        self.problem: Problem | None = None
        self.bucket_problem: Problem | None = None
        self.reading = False
        self.loaded = False
        self._changed = changed
        self._lock = asyncio.Lock()

    # --- buckets

    async def load(self) -> bool:
        """Reads the buckets; figures that were counted here stay."""
        try:
            found = await self.client.buckets()
        except ERRORS as error:
            self.bucket_problem = problem_of(error)
            self._changed()
            return False
        counted = {one.name: one for one in self.buckets if one.counted == "counted"}
        self.buckets = [
            replace(one, size=counted[one.name].size, objects=counted[one.name].objects, counted="counted")
            if one.name in counted and one.objects is None
            else one
            for one in found
        ]
        self.bucket_problem, self.loaded = None, True
        self._changed()
        return True

    async def look_at_access(self) -> None:
        """Asks of each bucket what everybody may do with it."""
        waiting = asyncio.Semaphore(AT_ONCE)

        async def ask(name: str) -> None:
            async with waiting:
                self.anonymous[name] = Anonymous.UNKNOWN
                with contextlib.suppress(*ERRORS):
                    self.anonymous[name] = await self.client.anonymous(name)

        await asyncio.gather(*(ask(one.name) for one in self.buckets))
        self._changed()

    def put_count(self, name: str, objects: int, size: int) -> None:
        """Takes note of what was counted."""
        self.buckets = [
            replace(one, objects=objects, size=size, counted="counted") if one.name == name else one
            for one in self.buckets
        ]
        self._changed()

    # --- keys

    async def go(self, place: Place) -> bool:
        """Lists something else, from its beginning."""
        self.place = place
        listing = self.listing = self._made(place)
        self.problem = None
        self._changed()
        return await self.more(listing)

    async def again(self) -> bool:
        """Reads the same anew; filter and order stay, and what was read before stands until the new is there."""
        before = self.listing
        if before is None:
            return False
        listing = self._made(self.place)
        if not await self._reading(before, listing.more) or before is not self.listing:
            return False
        listing.arrange(filter=before.filter, order=before.order, descending=before.descending)
        self.listing = listing
        return True

    def _made(self, place: Place) -> Listing:
        async def fetch(more: str) -> Page:
            return await self.client.page(
                place.bucket, place.prefix, more, deep=bool(place.search) or place.old, versions=place.versions
            )

        sought = place.search.casefold()

        def wanted(entry: Entry) -> bool:
            return sought in entry.key.removeprefix(place.prefix).casefold()

        if place.old:
            return Listing(fetch, wanted=lambda entry: entry.deleted or not entry.latest)
        return Listing(fetch, wanted=wanted if sought else None)

    async def more(self, listing: Listing | None = None) -> bool:
        """Reads on; of a search, until something was found or the end has come."""
        listing = listing or self.listing
        if listing is None:
            return False
        return await self._reading(listing, listing.more)

    async def needed(self, at: int) -> bool:
        """Reads the page of a line again."""
        listing = self.listing
        return listing is not None and await self._reading(listing, lambda: listing.again(at))

    async def _reading(self, listing: Listing, read: Callable[[], Awaitable[bool]]) -> bool:
        async with self._lock:
            if listing is not self.listing:
                return False  # somewhere else by now
            self.reading = True
            self._changed()
            try:
                done = await read()
            except ERRORS as error:
                if listing is self.listing:
                    self.problem = problem_of(error)
                return False
            else:
                if listing is self.listing:
                    self.problem = None
                return done
            finally:
                self.reading = False
                self._changed()
