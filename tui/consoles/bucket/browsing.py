"""The console's screen as far as it shows and goes: buckets, keys, what is known of one. What is done is `screen`'s."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.timer import Timer
from textual.widgets import Input

from tui.consoles import problems
from tui.consoles.bucket import details, moves
from tui.consoles.bucket.access import Access
from tui.consoles.bucket.browser import Browser, Place
from tui.consoles.bucket.bucketpane import BucketPane
from tui.consoles.bucket.client import ERRORS, Client, Mover, Stage, Transfer, problem_of
from tui.consoles.bucket.connected import ConnectedScreen
from tui.consoles.bucket.headline import activity, of_store
from tui.consoles.bucket.keylist import KeyList
from tui.consoles.bucket.panes import BucketTable, Details, bucket_row, path_line
from tui.consoles.connecting import Phase
from tui.consoles.guard import Guard
from tui.consoles.headline import login_of, words
from tui.consoles.headparts import Part
from tui.services.bucket.model import Bucket, Entry
from tui.widgets.keyline import KeyLine
from tui.widgets.lines import Line
from tui.widgets.notice import Notice, Text
from tui.widgets.oneline import OneLine

#: Columns from which facts stand beside the keys, and below which there is one pane only.
WIDE, NARROW = 110, 64
#: Seconds that the cursor rests before something is asked about what it is on; between two looks at what moves.
REST, LOOK = 0.2, 0.5
#: Matches that a search looks for before it waits to be asked for more.
ENOUGH = 500
#: Objects whose details are kept.
KNOWN = 200


class BrowsingScreen(ConnectedScreen):
    """Buckets, keys and facts.

    Attributes:
        browser: where one is; None before there was a store.
        endpoint: by which others reach the store, as it was typed last.
    """

    def __init__(self, access: Access, name: str, guard: Guard) -> None:
        super().__init__(access, name, guard)
        self.browser: Browser | None = None
        self.endpoint = ""
        self._resting: Timer | None = None
        self._known: dict[tuple[str, str, str, str], list[Line]] = {}
        self._dirty = False
        self._moved: tuple[Transfer, ...] = ()

    # --- what it is made of

    def compose(self) -> ComposeResult:
        """Head, buckets, keys, facts, what moves, keys."""
        yield OneLine(self._head, id="head")
        with Horizontal(id="desk"):
            yield BucketPane(id="left")
            with Vertical(id="work"):
                yield OneLine(self._path, id="path")
                entry = Input(id="filter", placeholder="part of a name")
                entry.cursor_blink = False
                yield entry
                yield KeyList(id="keys")
            yield Details(id="facts")
        yield Notice(Text("◌", "starting", "Connecting…"), id="words")
        yield OneLine(self._activity, id="activity")
        yield KeyLine()

    @property
    def pane(self) -> BucketPane:
        """The buckets with their filter."""
        return self.query_one(BucketPane)

    @property
    def table(self) -> BucketTable:
        """The buckets."""
        return self.query_one(BucketTable)

    @property
    def keys_list(self) -> KeyList:
        """The keys."""
        return self.query_one(KeyList)

    @property
    def facts_pane(self) -> Details:
        """What is known of one."""
        return self.query_one(Details)

    @property
    def client(self) -> Client:
        """The store; actions are there only while there is one."""
        assert self.connection.opened is not None  # noqa: S101
        return self.connection.opened.client

    @property
    def mover(self) -> Mover:
        """What moves bytes."""
        assert self.connection.opened is not None  # noqa: S101
        return self.connection.opened.mover

    @property
    def transfers(self) -> tuple[Transfer, ...]:
        """All transfers, as they are now."""
        return tuple(self.connection.opened.mover.all()) if self.connection.opened is not None else ()

    @property
    def place(self) -> Place:
        """Where one is."""
        return self.browser.place if self.browser is not None else Place()

    @property
    def bucket(self) -> Bucket | None:
        """The bucket under the cursor, or the one whose keys are listed."""
        name = self.table.cursor_key if self.table.has_focus or not self.place.bucket else self.place.bucket
        found = self.browser.buckets if self.browser is not None else ()
        return next((one for one in found if one.name == name), None)

    @property
    def chosen(self) -> list[Entry]:
        """The keys that something is done with: none while the buckets have the focus."""
        return [] if self.table.has_focus else self.keys_list.chosen

    def _of_service(self) -> Sequence[Part]:
        return of_store(self.client.facts) if self.connection.opened is not None else ()

    def _path(self, width: int) -> list[tuple[str, str]]:
        return path_line(self.browser, self.keys_list.marks.values(), width)

    def _activity(self, width: int) -> list[tuple[str, str]]:
        return activity(self._moved, login_of(self.connection), width)

    # --- the beginning

    def on_mount(self) -> None:
        """Connects."""
        self.table.focus()
        self.set_interval(LOOK, self._tick)
        self.connect()

    def _connected(self) -> None:
        """There is a store: reads its buckets."""
        self.browser = Browser(self.client, self._changed)
        self._known = {}
        self.keys_list.show(None, "")
        self.do(self._load())

    async def _load(self) -> None:
        browser = self.browser
        if browser is None or not await browser.load():
            return
        # The cursor's bucket is listed once its rows are there.
        self.look()
        await browser.look_at_access()

    def on_resize(self, event: events.Resize) -> None:
        """What stands beside what."""
        self.set_class(event.size.width >= WIDE, "-wide")
        self.set_class(event.size.width < NARROW, "-narrow")

    # --- looking

    def _changed(self) -> None:
        """Something is new; it is drawn once, however much it is."""
        if not self._dirty and self.is_mounted:
            self._dirty = True
            self.call_later(self.look)

    def look(self) -> None:
        """Draws what is new."""
        self._dirty = False
        if not self.is_mounted:
            return
        browser = self.browser if self.connection.phase is Phase.OPEN else None
        failed = browser is not None and browser.bucket_problem is not None and not browser.loaded
        self.set_class(browser is None or failed, "-words")
        self.query_one("#words", Notice).show(
            words(self.connection, browser.bucket_problem if browser is not None else None)
        )
        if browser is not None:
            self.read_keys_anew(browser.bucket_problem or browser.problem)
            self.pane.show([bucket_row(one, browser.anonymous.get(one.name)) for one in browser.buckets])
            listed = self.keys_list
            if listed.listing is not browser.listing:
                listed.show(browser.listing, browser.place.prefix, versions=browser.place.versions)
            elif browser.listing is not None:
                listed.look()
            listed.say(*self._nothing(browser))
        for line in self.query(OneLine):
            line.look()
        self.refresh_bindings()

    def _nothing(self, browser: Browser) -> tuple[tuple[str, str], ...]:
        """What stands in the place of keys."""
        if browser.problem is not None:
            told = browser.problem
            return (f"✗ {told.what}", "failing"), *((text, "dim") for text in (told.evidence, told.remedy) if text)
        if browser.reading:
            return (("◌ reading…", "dim"),)
        if browser.listing is None:
            return (("enter opens a bucket" if browser.buckets else "", "dim"),)
        if browser.listing.filter:
            return ((f"nothing holds “{browser.listing.filter}”", "dim"),)
        if browser.place.search:
            return (("nothing was found", "dim"),)
        return (("nothing here: u uploads", "dim"),)

    async def _tick(self) -> None:
        """What moves has moved."""
        now = self.transfers
        if now != self._moved:
            before = {one.number for one in self._moved if one.stage is Stage.DONE}
            self._moved = now
            if any(one.stage is Stage.DONE and one.number not in before for one in now):
                self.do(self.reload())
        for line in self.query(OneLine):
            line.look()

    # --- going somewhere

    def go(self, place: Place, *, then: str = "") -> None:
        """Lists something else.

        Args:
            place: what.
            then: the key to mark when it is there.
        """

        async def going() -> None:
            browser = self.browser
            if browser is None:
                return
            await browser.go(place)
            self.look()
            if then:
                self.keys_list.go_to(then)
            while (place.search or place.old) and browser.place == place and browser.listing is not None:
                if browser.listing.whole or len(browser.listing) >= ENOUGH or browser.problem is not None:
                    break
                await browser.more()

        self.do(going(), group="listing")

    @on(BucketTable.Selected)
    def _open_bucket(self, message: BucketTable.Selected) -> None:
        message.stop()
        if message.key != self.place.bucket or self.place.search or self.place.prefix:
            self.go(Place(message.key))
        moves.turn_to(self, self.keys_list)

    @on(BucketTable.Highlighted)
    def _on_bucket(self, message: BucketTable.Highlighted) -> None:
        message.stop()
        self.rest()

    @on(KeyList.Opened)
    def _open_entry(self, message: KeyList.Opened) -> None:
        message.stop()
        if message.entry.folder:
            self.go(replace(self.place, prefix=message.entry.key, search=""))
        elif not message.entry.deleted:
            self.look_into(message.entry)

    def look_into(self, entry: Entry) -> None:
        """Shows an object's beginning."""
        raise NotImplementedError

    @on(KeyList.Left)
    def action_up(self) -> None:
        """The folder above; at the top, the buckets."""
        above = self.place.above
        if above is None:
            moves.turn_to(self, self.table)
            return
        self.go(above, then=self.place.prefix)

    @on(KeyList.Wanted)
    def _read_on(self, message: KeyList.Wanted) -> None:
        message.stop()
        browser = self.browser
        # Of several messages only the first: the work of one that comes before it has begun would only be cancelled.
        begun = any(one.group == "reading" and not one.is_finished for one in self.workers)
        if browser is not None and not begun and not browser.reading and browser.problem is None:
            self.do(browser.more() if message.at < 0 else browser.needed(message.at), group="reading")

    @on(KeyList.Moved)
    def _on_entry(self, message: KeyList.Moved) -> None:
        message.stop()
        self.rest()
        self.query_one("#path", OneLine).look()

    def on_descendant_focus(self) -> None:
        """Facts are told of what the focus is on."""
        if not self.facts_pane.has_focus:
            self.rest()
        self.set_class(not (self.table.has_focus or self.pane.entry.has_focus), "-keys")

    def rest(self) -> None:
        """Facts are told anew, once the cursor has rested."""
        if self._resting is not None:
            self._resting.stop()
        self._resting = self.set_timer(REST, self._rested)

    def _rested(self) -> None:
        """Tells what is known of what the cursor is on, and asks for the rest."""
        browser = self.browser
        if browser is None:
            return
        pane, chosen, bucket = self.facts_pane, self.chosen, self.bucket
        if self.table.has_focus:
            if bucket is not None:
                pane.set_lines(details.of_bucket(bucket, browser.anonymous.get(bucket.name)), top=True)
                if bucket.name != browser.place.bucket:
                    self.go(Place(bucket.name))
        elif len(chosen) > 1:
            pane.set_lines(details.of_choice(chosen), top=True)
        elif chosen:
            entry = chosen[0]
            at = (browser.place.bucket, entry.key, entry.version, entry.etag)
            known = self._known.get(at)
            pane.set_lines(known or details.of_entry(entry), top=True)
            if known is None and not entry.folder and not entry.deleted and pane.display:
                self.do(self._detail(at), group="detail")
        else:
            pane.set_lines([])

    async def _detail(self, at: tuple[str, str, str, str]) -> None:
        try:
            found = await self.client.detail(at[0], at[1], at[2])
        except ERRORS as error:
            lines = [*self.facts_pane.lines, Line(), *problems.lines_of(problem_of(error))]
        else:
            while len(self._known) >= KNOWN:
                self._known.pop(next(iter(self._known)))
            lines = self._known[at] = details.of_detail(found)
        entry = self.keys_list.entry
        if entry is not None and (entry.key, entry.version) == at[1:3] and not self.table.has_focus:
            self.facts_pane.set_lines(lines)

    async def reload(self) -> None:
        """Reads buckets and keys anew; the cursor stays where it can."""
        browser = self.browser
        if browser is None:
            return
        self._known = {}
        await browser.load()
        await browser.again()
        # Where the cursor is by now: keys were answered while the store was asked.
        listed = self.keys_list
        entry, at = listed.entry, listed.cursor
        self.look()
        listed.cursor = min(at, max(0, len(listed.listing or ()) - 1))
        if entry is not None:
            listed.go_to(entry.key, entry.version)
        self.rest()
