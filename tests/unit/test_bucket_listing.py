"""A listing that is read as far as it is looked at: what is kept is bounded, and what was let go is read again."""

from __future__ import annotations

from tui.consoles.bucket.listing import Listing, Order
from tui.services.bucket.model import Entry, Page

#: Keys a page, and keys.
PAGE, WHOLE = 100, 2000


class Bucket:
    """Keys in pages.

    Attributes:
        asked: tokens.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def __call__(self, token: str) -> Page:
        self.asked.append(token)
        start = int(token or 0)
        keys = range(start, start + PAGE)
        return Page(tuple(Entry(f"{one:05}", one) for one in keys), str(start + PAGE) if keys.stop < WHOLE else "")


async def to_the_end(listing: Listing) -> None:
    while await listing.more():
        pass


async def test_pages_are_let_go_and_read_again_when_they_are_looked_at() -> None:
    bucket = Bucket()
    listing = Listing(bucket, kept=300)
    await to_the_end(listing)
    assert (len(listing), listing.resident, listing.whole) == (WHOLE, 300, True)
    assert listing.line(5) is None
    assert listing.line(WHOLE - 1) == Entry("01999", 1999)
    assert not await listing.again(WHOLE - 1), "it is in memory"
    assert await listing.again(5)
    assert bucket.asked[-1] == ""
    assert listing.line(5) == Entry("00005", 5)
    assert (len(listing), listing.resident) == (WHOLE, 300)


async def test_what_a_search_finds_is_let_go_as_well() -> None:
    bucket = Bucket()
    listing = Listing(bucket, kept=300, wanted=lambda entry: entry.key[-1] in "13579" and entry.key >= "00250")
    await to_the_end(listing)
    found = (WHOLE - 250) // 2
    assert (len(listing), listing.resident, listing.looked) == (found, 300, WHOLE)
    assert listing.line(0) is None
    assert await listing.again(0)
    assert listing.line(0) == Entry("00251", 251)
    assert listing.resident <= 300


async def test_few_that_are_found_all_stay() -> None:
    listing = Listing(Bucket(), kept=300, wanted=lambda entry: entry.key.endswith("50"))
    await to_the_end(listing)
    assert [one.key for one in listing.entries()] == [f"{one:05}" for one in range(50, WHOLE, 100)]


async def test_what_is_shown_is_what_the_filter_leaves_of_what_is_in_memory() -> None:
    listing = Listing(Bucket(), kept=300)
    await to_the_end(listing)
    assert [one.key for one in listing.shown()] == [f"{one:05}" for one in range(1700, WHOLE)]
    listing.arrange(filter="99", order=Order.SIZE, descending=True)
    assert [one.key for one in listing.shown()] == [*(f"{one:05}" for one in range(1999, 1989, -1)), "01899", "01799"]


async def test_folders_stand_first_in_every_order() -> None:
    async def fetch(_: str) -> Page:
        return Page((Entry("b", 2), Entry("a/"), Entry("c", 1), Entry("d/")), "more")

    listing = Listing(fetch)
    await listing.more()
    listing.arrange(order=Order.SIZE, descending=True)
    assert [one.key for one in listing.shown()] == ["d/", "a/", "b", "c"]
