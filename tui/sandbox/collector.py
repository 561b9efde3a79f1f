"""The garbage collector.

It removes dependents of owners that are gone, does what foreground and orphan deletions wait for, and removes old
events.
"""

from __future__ import annotations

import asyncio
import logging
import time

from tui.sandbox import ages
from tui.sandbox.events import LIFETIME
from tui.sandbox.model import ApiError, Json
from tui.sandbox.objects import Deletion
from tui.sandbox.ownership import Known, Ownership, Place
from tui.sandbox.registry import Registry

_log = logging.getLogger(__name__)
_FOREGROUND, _ORPHAN = "foregroundDeletion", "orphan"
#: How long changes are gathered before they are worked on, and how often old events are looked for, seconds.
_GATHER, _OLD = 0.05, 60.0


class Collector:
    """Collects while it runs. The first round looks at everything, so that a restart in between loses nothing."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._store = registry.store
        self._ownership = Ownership(registry.store)
        # What has still to be looked at; a round that fails leaves there what it has not done.
        self._todo: dict[Place, None] = {}

    async def run(self) -> None:
        """Collects until it is cancelled."""
        revision, swept = -1, 0.0
        while True:
            if revision != self._store.revision:
                await asyncio.sleep(_GATHER)
                revision = self._store.revision
                try:
                    self.collect()
                except ApiError as problem:
                    # A full disk, or an object that changed in between: the next round tries again.
                    _log.warning("the collector waits: %s", problem.message)
            if time.monotonic() - swept > _OLD:
                swept = time.monotonic()
                self.forget_events()
            try:
                # Not `wait_for`, which before Python 3.12 may lose that it is cancelled.
                async with asyncio.timeout(_OLD):
                    await self._store.moved(revision)
            except TimeoutError:
                continue

    def collect(self) -> None:
        """One round over what has changed since the last one.

        Raises:
            ApiError: something changed in between, or the disk takes no more.
        """
        self._todo.update(dict.fromkeys(self._ownership.catch_up()))
        while self._todo:
            place = next(iter(self._todo))
            known = self._ownership.get(place)
            if known:
                self._look_at(known)
            del self._todo[place]

    def _look_at(self, known: Known) -> None:
        if known.marked and _ORPHAN in known.finalizers:
            self._orphan(known, self._ownership.dependents(known.uid))
        elif known.marked and _FOREGROUND in known.finalizers:
            self._wait(known, self._ownership.dependents(known.uid))
        elif known.owners and not known.marked:
            gone = {one.uid for one in known.owners if not self._ownership.exists(one.uid)}
            if len(gone) == len({one.uid for one in known.owners}):
                self._remove(known, Deletion(known.uid))
            elif gone:
                self._disown(known, gone)

    def _remove(self, known: Known, deletion: Deletion) -> None:
        kind = self._registry.kinds.of(known.resource)
        if kind and self._store.get(known.resource, known.key):
            self._registry.remove(kind, known.namespace, known.name, deletion)

    def _release(self, known: Known, finalizer: str) -> None:
        obj = self._registry.get(known.resource, known.namespace, known.name)
        if obj:
            kept = [name for name in obj["metadata"].get("finalizers", []) if name != finalizer]
            self._patch(known, {"finalizers": kept or None})

    def _patch(self, known: Known, metadata: Json) -> None:
        patch = {"metadata": metadata}
        self._registry.patch(known.resource, known.namespace, known.name, patch, manager="collector")

    def _orphan(self, known: Known, dependents: list[Known]) -> None:
        for dependent in dependents:
            self._disown(dependent, {known.uid})
        self._release(known, _ORPHAN)

    def _disown(self, known: Known, uids: set[str]) -> None:
        """Takes owners away from an object."""
        obj = self._registry.get(known.resource, known.namespace, known.name)
        if obj:
            owners = [one for one in obj["metadata"].get("ownerReferences", []) if one.get("uid") not in uids]
            self._patch(known, {"ownerReferences": owners or None})

    def _wait(self, known: Known, dependents: list[Known]) -> None:
        blocks = False
        for dependent in dependents:
            owner = next(one for one in dependent.owners if one.uid == known.uid)
            if len(dependent.owners) > 1:
                continue
            blocks = blocks or bool(owner.block_owner_deletion)
            if not dependent.marked:
                self._remove(dependent, Deletion(dependent.uid, propagation="Foreground"))
        if not blocks:
            self._release(known, _FOREGROUND)

    def forget_events(self) -> None:
        """Removes the events that are older than an hour."""
        for entry in [*self._store.list("events")]:
            event = entry.load()
            stamp = event.get("lastTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp")
            when = ages.parse(stamp or "")
            if when is None or time.time() - when.timestamp() > LIFETIME:
                self._store.remove("events", entry.key)
