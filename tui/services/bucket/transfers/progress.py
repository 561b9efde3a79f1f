"""How far transfers are: in bytes that the other side has acknowledged, not in those that a socket has taken."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from tui.problem import Problem

#: Seconds that the rate is taken over.
WINDOW = 10.0
#: Problems and notes that are kept word for word; the rest is counted.
KEPT = 1000


class Stage(StrEnum):
    """Where one item stands."""

    WAITING = "waiting"
    RUNNING = "running"
    RETRYING = "retrying"
    VERIFYING = "verifying"
    DONE = "done"
    SKIPPED = "skipped"  # it was there already, or is nothing that can be moved; `note` says which
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Nothing more happens to it."""
        return self in (Stage.DONE, Stage.SKIPPED, Stage.FAILED, Stage.CANCELLED)


@dataclass(eq=False)
class Item:
    """One file or object on its way.

    Attributes:
        source: what is moved, for people; text from outside.
        target: whereto, likewise.
        size: bytes; None for a stream.
        done: bytes that the other side has acknowledged, those of an earlier run included.
        resumed: bytes among these that were there already.
        verified: by what the two were compared (`CRC-32`), empty until then.
        note: what a person should know about it (another name, what was kept for resuming).
        retries: how often something was tried again.
    """

    source: str
    target: str
    size: int | None = None
    done: int = 0
    resumed: int = 0
    stage: Stage = Stage.WAITING
    verified: str = ""
    note: str = ""
    problem: Problem | None = None
    retries: int = 0

    def add_note(self, text: str) -> None:
        """Says one more thing."""
        self.note = f"{self.note}; {text}" if self.note else text


@dataclass(eq=False)
class Job:
    """What was asked for once: one file or a million.

    What has ended is counted and forgotten, unless there is something to say about it; so that the memory that a job
    takes does not grow with its size.

    Attributes:
        title: for people.
        planned: whether all of its items are known, and the totals with them.
        files: how many, as far as known.
        size: their bytes, as far as known.
        done: bytes acknowledged.
        running: what is on its way.
        remarkable: ended items with a problem or a note, at most `KEPT`.
        counts: ended items by stage.
        heard: called with each item at its beginning and its end.
    """

    title: str
    planned: bool = False
    files: int = 0
    size: int = 0
    done: int = 0
    resumed: int = 0
    running: list[Item] = field(default_factory=list)
    remarkable: list[Item] = field(default_factory=list)
    counts: Counter[Stage] = field(default_factory=Counter)
    heard: Callable[[Item], None] | None = None
    clock: Callable[[], float] = time.monotonic
    _started: float | None = None
    _ended: float | None = None
    _samples: deque[tuple[float, int]] = field(default_factory=deque)
    _open: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._open.set()

    # --- pausing

    @property
    def paused(self) -> bool:
        """Whether nothing new is begun; what is on the wire (one part for each connection) comes to its end."""
        return not self._open.is_set()

    def pause(self) -> None:
        """Begins nothing new."""
        self._open.clear()
        self._samples.clear()

    def resume(self) -> None:
        """Goes on."""
        self._samples.clear()
        self._open.set()

    async def go_ahead(self) -> None:
        """Waits while the job is paused."""
        await self._open.wait()

    # --- what the engine tells

    def add(self, item: Item) -> None:
        """One more item is known."""
        self.files += 1
        self.size += item.size or 0

    def begin(self, item: Item) -> None:
        """An item is on its way."""
        if self._started is None:
            self._started = self.clock()
        item.stage = Stage.RUNNING
        self.running.append(item)
        if self.heard:
            self.heard(item)

    def advance(self, item: Item, count: int, *, resumed: bool = False) -> None:
        """Bytes were acknowledged (or taken back: what was downloaded turned out to be no good)."""
        item.done += count
        self.done += count
        if resumed:
            item.resumed += count
            self.resumed += count
            return
        now = self.clock()
        if not self._samples or now - self._samples[-1][0] >= 0.1:
            self._samples.append((now, self.done - count))
            while now - self._samples[0][0] > WINDOW:
                self._samples.popleft()

    def end(self, item: Item, stage: Stage) -> None:
        """An item has come to its end."""
        item.stage = stage
        self.running.remove(item)
        self._finish(item)

    def skip(self, item: Item, why: str) -> None:
        """An item is not moved."""
        self.files += 1
        item.stage = Stage.SKIPPED
        item.add_note(why)
        self._finish(item)

    def refuse(self, item: Item, problem: Problem) -> None:
        """An item cannot be moved at all."""
        self.files += 1
        item.problem = problem
        item.stage = Stage.FAILED
        self._finish(item)

    def _finish(self, item: Item) -> None:
        self.counts[item.stage] += 1
        if (item.problem or item.note) and len(self.remarkable) < KEPT:
            self.remarkable.append(item)
        if self.heard:
            self.heard(item)

    def close(self) -> None:
        """All is over."""
        self._ended = self.clock()

    # --- what a person sees

    @property
    def seconds(self) -> float:
        """Since the first item was begun."""
        if self._started is None:
            return 0.0
        return (self._ended if self._ended is not None else self.clock()) - self._started

    @property
    def rate(self) -> float:
        """Bytes per second: of the last seconds while it runs, of the whole afterwards. What was there counts not."""
        if self._ended is not None or not self._samples:
            return (self.done - self.resumed) / self.seconds if self.seconds else 0.0
        then, before = self._samples[0]
        passed = self.clock() - then
        return (self.done - before) / passed if passed > 0 else 0.0

    @property
    def remaining(self) -> float | None:
        """Seconds, None while unknown: not all is planned yet, it is paused, or nothing moves."""
        rate = self.rate
        if not self.planned or self.paused or rate <= 0:
            return None
        return max(0.0, (self.size - self.done) / rate)
