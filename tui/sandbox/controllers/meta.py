"""What every controller asks of an object: who owns it, what it selects, since when, how much."""

from __future__ import annotations

import copy
import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from tui.sandbox.model import Json

#: The letters of Kubernetes' generated names and hashes: no vowels and no 0, 1, 3, so that no words come out.
_SAFE = "bcdfghjklmnpqrstvwxz2456789"


def name_of(obj: Json) -> str:
    """An object's name."""
    return str(obj["metadata"]["name"])


def namespace_of(obj: Json) -> str:
    """An object's namespace, empty for one of the whole cluster."""
    return str(obj["metadata"].get("namespace") or "")


def labels_of(obj: Json) -> Mapping[str, str]:
    """An object's labels."""
    return obj["metadata"].get("labels") or {}


def annotations_of(obj: Json) -> Mapping[str, str]:
    """An object's annotations."""
    return obj["metadata"].get("annotations") or {}


def is_deleted(obj: Json) -> bool:
    """Whether an object is marked for deletion."""
    return bool(obj["metadata"].get("deletionTimestamp"))


def timestamp(seconds: float) -> str:
    """A moment as Kubernetes writes it, in whole seconds."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds_of(text: str | None) -> float:
    """A moment that Kubernetes wrote, in seconds of the wall clock; 0 without one or when it cannot be read."""
    try:
        return datetime.fromisoformat(text).timestamp() if text else 0.0
    except ValueError:
        return 0.0


def controller_of(obj: Json) -> Json | None:
    """The one owner reference that is marked as the controller's."""
    for reference in obj["metadata"].get("ownerReferences") or ():
        if reference.get("controller"):
            return dict(reference)
    return None


def is_controlled_by(obj: Json, owner: Json) -> bool:
    """Whether an object's controller is this very owner, not one of its name before."""
    reference = controller_of(obj)
    return reference is not None and reference.get("uid") == owner["metadata"]["uid"]


def reference_to(owner: Json, *, controller: bool = True) -> Json:
    """An owner reference as the controllers of Kubernetes write it."""
    reference = {"apiVersion": owner["apiVersion"], "kind": owner["kind"]}
    reference |= {"name": name_of(owner), "uid": owner["metadata"]["uid"]}
    return reference | ({"controller": True, "blockOwnerDeletion": True} if controller else {})


def safe_hash(value: object) -> str:
    """A short hash of JSON in letters that Kubernetes uses; equal for equal JSON, whatever the order of keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:6])
    letters = []
    for _ in range(10):
        number, index = divmod(number, len(_SAFE))
        letters.append(_SAFE[index])
    return "".join(letters)


def share(value: object, total: int, *, up: bool) -> int:
    """An int-or-percentage (`3`, `"25%"`) of a total, rounded up or down; 0 when it cannot be read."""
    if isinstance(value, str) and value.endswith("%"):
        try:
            exact = int(value[:-1]) * total / 100
        except ValueError:
            return 0
        return math.ceil(exact) if up else math.floor(exact)
    try:
        return int(value) if isinstance(value, int | float | str) else 0
    except (ValueError, OverflowError):
        return 0


def condition_of(obj: Json, kind: str) -> Json | None:
    """An object's condition of a type, None when it has none."""
    for condition in (obj.get("status") or {}).get("conditions") or ():
        if condition.get("type") == kind:
            return dict(condition)
    return None


def is_true(obj: Json, kind: str) -> bool:
    """Whether an object's condition of a type is `True`."""
    return (condition_of(obj, kind) or {}).get("status") == "True"


def with_condition(conditions: Iterable[Json] | None, new: Json, now: str) -> list[Json]:
    """Conditions with one put in; its time of transition moves only when its status changes."""
    result = [copy.deepcopy(condition) for condition in conditions or ()]
    for index, old in enumerate(result):
        if old.get("type") == new["type"]:
            same = old.get("status") == new["status"]
            since = old.get("lastTransitionTime") if same else None
            result[index] = {**new, "lastTransitionTime": since or now}
            return result
    return [*result, {**new, "lastTransitionTime": now}]
