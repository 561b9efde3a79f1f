"""List and watch of one resource in one scope, for as long as the program runs.

The rules, in the order in which they matter:

- The first list is streamed (WatchList) where the server offers it; elsewhere it is listed from the server's cache,
  then watched. Either way it replaces what the store holds in one go, by uid, once it is complete.
- A watch that ends, breaks or is refused for a moment is resumed at the last resource version: nothing is lost and
  nothing comes twice. Only a version that the server no longer knows (410, as status or as an ERROR line), or bytes
  that make no sense, lead to another list.
- Failures are waited out with a growing, jittered pause (`Backoff`) and are visible in `feed` meanwhile; what the
  store holds stays. No failure ends `run`, and none makes it spin.
- `list` allowed and `watch` not: listed again every ten seconds. Neither: asked again every five minutes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping

from tui.kube.backoff import Backoff, jitter
from tui.kube.decode import DELETED, Bookmark, Decoder, Page
from tui.kube.feeds import Feed, Phase
from tui.kube.feedstate import FeedState
from tui.kube.objects import Object
from tui.kube.resources import Resource
from tui.kube.server import Habits, Pace, Server
from tui.kube.store import Store
from tui.problem import Cause, Problem, ProblemError

log = logging.getLogger(__name__)

#: Objects of a page where the server does not serve the list from its cache (there it ignores the limit).
PAGE = 500
#: Seconds within which a streamed list has to go on before it is taken for a server that cannot stream lists.
STREAM_PATIENCE = 10.0
#: Seconds between two lists where watch is not allowed, and how many of them before watch is tried again.
POLL, POLLS = 10.0, 30
#: Seconds until something forbidden or absent is asked for again.
SLOW = 300.0
#: A watch that ended sooner than this many seconds and brought nothing counts as failed.
TOO_SHORT = 1.0
#: Server errors in a row after which the resource version itself is doubted and everything is listed again.
DOUBTFUL = 6


class Reflector:
    """Keeps the store's objects of one resource equal to the server's.

    Attributes:
        state: its visible state.
    """

    def __init__(
        self,
        server: Server,
        resource: Resource,
        namespace: str | None,
        store: Store,
        *,
        habits: Habits | None = None,
        notify: Callable[[], None] = lambda: None,
        backoff: Backoff | None = None,
    ) -> None:
        self.state = FeedState(resource, namespace, notify)
        self._server, self._resource, self._namespace, self._store = server, resource, namespace, store
        self._habits = habits or Habits()
        self._backoff = backoff or Backoff()
        self._decoder: Decoder[Object] = Decoder(resource.struct)
        self._versions = list(resource.versions)
        self._at = ""  # the resource version to resume from; empty: list first
        self._any_age = True  # whether the next list may come from a cache of any age: the first one may
        self._watch_refused = False
        self._polls = self._server_errors = 0
        self._garbled = False
        self._counting: dict[str, Object] | None = None
        self._open: asyncio.Timeout | None = None
        self._recycled = False
        self._wake = asyncio.Event()
        self._patient = False  # the present pause is one of the slow ones, which only a person may cut short
        self._pace = Pace()

    @property
    def feed(self) -> Feed:
        """The visible state now."""
        if self._counting is not None and not self.state.synced:
            return self.state.feed(len(self._counting))
        return self.state.feed(self._store.count(self._resource.key, self._namespace))

    @property
    def following(self) -> bool:
        """Whether a watch is open."""
        return self._open is not None

    # --- what others may ask of it

    def retry_now(self) -> None:
        """Ends any pause, the slow ones of forbidden and absent resources too."""
        self._backoff.reset()
        self._watch_refused = False
        self._wake.set()

    def kick(self) -> None:
        """Ends a pause after a failure, because the server was just heard to answer again."""
        if not self._patient:
            self._wake.set()

    def recycle(self) -> None:
        """Opens the watch anew at the same resource version, because the connection may be dead."""
        if self._open is not None and not self._open.expired():
            self._recycled = True
            self._open.reschedule(asyncio.get_running_loop().time())

    # --- the loop

    async def run(self) -> None:
        """Lists and watches until cancelled."""
        self.state.show(Phase.LISTING)
        while True:
            try:
                pause = await self._round()
            except ProblemError as error:
                pause = self._failed(error.problem)
            except Exception as error:
                log.exception("%s: a defect in the reflector", self._resource.key)
                self._at = ""
                pause = self._failed(Problem(Cause.INTERNAL, "statetui made a mistake reading the watch", repr(error)))
            self._counting = None
            if pause:
                await self._pause(pause)

    async def _round(self) -> float:
        """One list, one watch, or both. Returns the seconds to wait before the next."""
        if self._at:
            await self._watch()
        elif self._watch_refused:
            await self._list()
            self._polls += 1
            self._watch_refused = self._polls % POLLS != 0
        elif self._habits.streams_lists:
            await self._stream_list()
        else:
            await self._list()
        if self.state.phase is not Phase.POLLING:
            return 0.0
        self._at, self._any_age = "", True
        return jitter(POLL)

    async def _stream_list(self) -> None:
        """WatchList; falls back to a list where the server does not take it."""
        params = {
            "sendInitialEvents": "true",
            "resourceVersionMatch": "NotOlderThan",
            "resourceVersion": "0" if self._any_age else "",
        }
        self._counting = {}
        try:
            if await self._follow(params, self._counting):
                return
        except ProblemError as error:
            # Forbidden: `watch` may be what is missing. Rejected: an older server, which says so.
            if error.problem.cause not in (Cause.REJECTED, Cause.FORBIDDEN):
                raise
            self._watch_refused = error.problem.cause is Cause.FORBIDDEN
            await self._list()
            if not self._watch_refused:
                self._habits.streams_lists = False
            return
        # Neither refused nor closed by the bookmark: a server that has never heard of streamed lists.
        await self._list()
        self._habits.streams_lists = False

    async def _list(self) -> None:
        """Lists everything, page by page where the server pages, and replaces what the store holds."""
        params = {"resourceVersion": "0"} if self._any_age else {}
        params["limit"] = str(PAGE)
        found: dict[str, Object] = {}
        self._counting = found
        while True:
            try:
                page = self._decoder.page(await self._server.get(self._path, params=params, timeout=120))
            except ProblemError as error:
                # A list that took so long that its next page is gone: all at once, then.
                if error.problem.cause is not Cause.EXPIRED or "continue" not in params:
                    raise
                found.clear()
                params = {}
                continue
            self.state.hear()
            await self._take(page, found)
            if not page.next:
                break
            params = {"limit": str(PAGE), "continue": page.next}
        await self._swap(found, page.resource_version)

    async def _take(self, page: Page, found: dict[str, Object]) -> None:
        for number, item in enumerate(self._decoder.items(page)):
            found[item.metadata.uid] = item
            if number % 32 == 0:
                self.state.progress()
                await self._pace.breathe()

    async def _swap(self, found: dict[str, Object], version: str) -> None:
        for _ in self._replacing(found):
            await self._pace.breathe()
        self._counting = None
        self._at = version
        self._any_age = False
        self._current()

    def _replacing(self, found: Mapping[str, Object]) -> Iterator[None]:
        return self._store.replacing(self._resource.key, self._namespace, found.values())

    async def _watch(self) -> None:
        try:
            await self._follow({"resourceVersion": self._at}, None)
        except ProblemError as error:
            if error.problem.cause is not Cause.FORBIDDEN:
                raise
            log.info("%s: watch is not allowed, listing every %d s", self._resource.key, POLL)
            self._watch_refused, self._at = True, ""

    async def _follow(self, params: dict[str, str], found: dict[str, Object] | None) -> bool:
        """Reads one watch to its end.

        Args:
            params: where it begins.
            found: collects the initial events of a streamed list; None to resume.

        Returns:
            False when a streamed list was not one: the server does not know them.

        Raises:
            ProblemError: whatever ended the watch before its time.
        """
        lasts = int(jitter(450.0, 0.33))
        params |= {"watch": "1", "allowWatchBookmarks": "true", "timeoutSeconds": str(lasts)}
        loop = asyncio.get_running_loop()
        began, lines, self._recycled = loop.time(), 0, False
        try:
            async with (
                asyncio.timeout(None) as self._open,
                self._server.stream(self._path, params=params, read_timeout=lasts + 30) as batches,
            ):
                self.state.hear()
                if found is None:
                    self._current()
                else:
                    self._open.reschedule(loop.time() + STREAM_PATIENCE)
                async for batch in batches:
                    lines += len(batch)
                    self.state.hear()
                    if found is None:
                        await self._apply(batch)
                        continue
                    self._open.reschedule(loop.time() + STREAM_PATIENCE)
                    rest = await self._collect(batch, found)
                    if rest is not None:
                        found = None
                        self._open.reschedule(None)
                        await self._apply(rest)
                    elif not self._habits.streams_lists:
                        return False
        except TimeoutError:
            if self._open is None or not self._open.expired():
                raise
            return found is None or self._recycled
        finally:
            self._open = None
        if found is not None:
            raise ProblemError(Problem(Cause.SERVER, "the streamed list ended before it was complete"))
        if loop.time() - began < TOO_SHORT and not lines:
            raise ProblemError(Problem(Cause.SERVER, "the watch ended as soon as it began"))
        return True

    async def _apply(self, batch: list[bytes]) -> None:
        """Writes a batch of watch lines to the store."""
        key, store = self._resource.key, self._store
        for number, line in enumerate(batch, 1):
            event = self._decoder.line(line)
            if event is None:
                continue
            if isinstance(event, Bookmark):
                self._at = event.resource_version or self._at
                continue
            kind, item = event
            self._garbled = False
            if kind == DELETED:
                store.remove(key, item.metadata.uid)
            else:
                store.put(key, item)
            self._at = item.metadata.resource_version or self._at
            if number % 16 == 0:
                await self._pace.breathe()
        await self._pace.breathe()

    async def _collect(self, batch: list[bytes], found: dict[str, Object]) -> list[bytes] | None:
        """Collects initial events; returns what follows them in the batch, or None while they go on."""
        for number, line in enumerate(batch):
            event = self._decoder.line(line)
            if isinstance(event, Bookmark):
                if not event.initial_end:
                    self._habits.streams_lists = False
                    return None
                await self._swap(found, event.resource_version)
                return batch[number + 1 :]
            if event is not None:
                kind, item = event
                if kind == DELETED:
                    found.pop(item.metadata.uid, None)
                else:
                    found[item.metadata.uid] = item
            if number % 16 == 0:
                await self._pace.breathe()
        self.state.progress()
        await self._pace.breathe()
        return None

    # --- when it fails

    def _failed(self, problem: Problem) -> float:
        """Notes a failure and decides what to keep of the position and how long to wait, seconds."""
        cause = problem.cause
        if cause is Cause.ABSENT:
            return self._absent(problem)
        wait = self._backoff.next(problem.retry_after)
        if cause is Cause.FORBIDDEN:
            self._at, self._watch_refused = "", False
            wait = jitter(SLOW)
            self.state.show(Phase.STALE if self.state.synced else Phase.FORBIDDEN, problem)
            return wait
        # Garbage, or a line that was cut: the same position is tried once more before everything is listed anew.
        garbled, self._garbled = self._garbled, cause is Cause.PROTOCOL
        unknown = cause in (Cause.EXPIRED, Cause.REJECTED) or "oo large resource version" in problem.evidence
        if unknown or (garbled and self._garbled):
            self._at, self._any_age = "", False
            if cause is Cause.EXPIRED and self._backoff.failures <= 1:
                wait = 0.0
        self._server_errors = self._server_errors + 1 if cause is Cause.SERVER else 0
        if self._server_errors >= DOUBTFUL:
            self._at, self._any_age, self._server_errors = "", False, 0
        log.info("%s: %s; again in %.1f s", self._resource.key, problem, wait)
        self.state.show(Phase.STALE if self.state.synced else Phase.LISTING, problem)
        return wait

    def _absent(self, problem: Problem) -> float:
        """404: another version of the group may be served, else the resource is not there, and nor are its objects."""
        self._at = ""
        if len(self._versions) > 1:
            self._versions.pop(0)
            return 0.001
        self._versions = list(self._resource.versions)
        self._store.replace(self._resource.key, self._namespace, ())
        self.state.show(Phase.ABSENT, problem)
        return jitter(SLOW)

    async def _pause(self, seconds: float) -> None:
        self._patient = not self.state.failing and self.state.phase is not Phase.POLLING
        self._wake.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return

    # --- small things

    @property
    def _path(self) -> str:
        return self._resource.path(self._versions[0], self._namespace)

    def _current(self) -> None:
        """Says that the store holds what the server has."""
        self._server_errors = 0
        self._backoff.healthy()
        self.state.show(Phase.POLLING if self._watch_refused else Phase.LIVE)
