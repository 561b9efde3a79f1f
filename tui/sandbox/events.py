"""Events: what happened to objects, said once and counted when it happens again; and their newer form."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from typing import TYPE_CHECKING, Literal

from tui.sandbox import objects
from tui.sandbox.model import ApiError, Json

if TYPE_CHECKING:
    from tui.sandbox.registry import Registry

#: How many events are remembered to be counted up.
_REMEMBERED = 4096
#: Events that are older are removed, seconds; the real server's default.
LIFETIME = 3600


class Events:
    """Records events about objects."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._known: OrderedDict[tuple[str, ...], tuple[str, str]] = OrderedDict()

    def record(self, about: Json, reason: str, message: str, kind: Literal["Normal", "Warning"], source: str) -> None:
        """Records one; nothing is said when the object's namespace goes."""
        meta, stamp = about["metadata"], objects.now()
        namespace = meta.get("namespace") or "default"
        same = (meta.get("uid", ""), about.get("kind", ""), meta["name"], reason, message, kind, source)
        try:
            if same in self._known:
                where, name = self._known[same]
                old = self._registry.get("events", where, name)
                if old:
                    patch = {"count": old.get("count", 1) + 1, "lastTimestamp": stamp}
                    self._registry.patch("events", where, name, patch, manager=source or "sandbox")
                    return
            name = f"{meta['name'][:200]}.{secrets.token_hex(8)}"
            reference = {
                "apiVersion": about.get("apiVersion", ""),
                "kind": about.get("kind", ""),
                "name": meta["name"],
                "namespace": meta.get("namespace", ""),
                "uid": meta.get("uid", ""),
                "resourceVersion": meta.get("resourceVersion", ""),
            }
            event = {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"name": name, "namespace": namespace},
                "involvedObject": {key: value for key, value in reference.items() if value},
                "reason": reason,
                "message": message[:1024],
                "type": kind,
                "count": 1,
                "firstTimestamp": stamp,
                "lastTimestamp": stamp,
                "source": {"component": source} if source else {},
            }
            self._registry.create("events", event, manager=source or "sandbox")
        except ApiError:
            # An event is a courtesy: whoever works must not fail for want of one.
            return
        self._known[same] = (namespace, name)
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)


#: events.k8s.io/v1 → v1.
_NAMES = {
    "regarding": "involvedObject",
    "note": "message",
    "reportingController": "reportingComponent",
    "deprecatedCount": "count",
    "deprecatedFirstTimestamp": "firstTimestamp",
    "deprecatedLastTimestamp": "lastTimestamp",
    "deprecatedSource": "source",
}
_OLD = {old: new for new, old in _NAMES.items()}


def newer(event: Json) -> Json:
    """An event of `v1` as `events.k8s.io/v1` shows it."""
    return {**{_OLD.get(key, key): value for key, value in event.items()}, "apiVersion": "events.k8s.io/v1"}


def older(event: Json) -> Json:
    """An event of `events.k8s.io/v1` as `v1` keeps it."""
    return {**{_NAMES.get(key, key): value for key, value in event.items()}, "apiVersion": "v1"}
