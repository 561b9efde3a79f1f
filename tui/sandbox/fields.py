"""Who owns which field: `managedFields`, and server-side apply by them.

A path is a tuple of the steps of `fieldsV1`: `f:name` into a field, `k:{…}` to the element of a list with those keys,
`v:…` to a value of a set. What a manager owns is a set of paths: of leaves, and of elements of lists themselves.
"""

from __future__ import annotations

import copy
import json
from typing import Any, Literal

from tui.sandbox.model import ApiError, Json
from tui.sandbox.problems import bad
from tui.sandbox.shapes import ANY, Shape, Value

Path = tuple[str, ...]
_dumps = json.JSONEncoder(separators=(",", ":")).encode

#: What the server itself sets; nobody owns it.
_SERVER = frozenset(
    {
        "name",
        "namespace",
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "managedFields",
        "selfLink",
        "generateName",
    }
)
#: The value of a key that an element need not name (`ports`).
_KEY_DEFAULTS = {"protocol": "TCP"}
#: What stands for an element of a list in `leaves`, whose own value is that it is there.
_THERE = object()


def _key(shape: Shape, item: Value) -> str:
    if shape.keys == ("=",):
        return "v:" + _dumps(item)
    have = item if isinstance(item, dict) else {}
    keys = {key: have.get(key, _KEY_DEFAULTS.get(key)) for key in shape.keys}
    told = {key: value for key, value in sorted(keys.items()) if value is not None}
    return "k:" + _dumps(told)


def _granular(shape: Shape, value: Value) -> bool:
    if shape.atomic:
        return False
    return (isinstance(value, dict) and bool(value)) or (isinstance(value, list) and bool(value) and bool(shape.keys))


def _inner(shape: Shape, key: str) -> Shape:
    return shape.fields.get(key) or shape.item or ANY


def _gather(shape: Shape, value: Value, path: Path, made: dict[Path, Any]) -> None:
    if not _granular(shape, value):
        made[path] = value
    elif isinstance(value, dict):
        for key, inner in value.items():
            _gather(_inner(shape, key), inner, (*path, f"f:{key}"), made)
    else:
        for item in value:
            here = (*path, _key(shape, item))
            if isinstance(item, dict):
                _gather(shape.item or ANY, item, here, made)
                made[here] = _THERE
            else:
                made[here] = item


def leaves(shape: Shape, obj: Json, *, subresource: str = "", status: bool = True) -> dict[Path, Any]:
    """What of an object can be owned, with its values; `status` says whether the kind has that subresource."""
    made: dict[Path, Any] = {}
    for key, value in obj.items():
        if key in ("apiVersion", "kind") or (status and (key == "status") != (subresource == "status")):
            continue
        if key == "metadata":
            if subresource != "status" and isinstance(value, dict):
                kept = {name: inner for name, inner in value.items() if name not in _SERVER}
                if kept:
                    _gather(_inner(shape, key), kept, ("f:metadata",), made)
        else:
            _gather(_inner(shape, key), value, (f"f:{key}",), made)
    return made


def to_v1(paths: set[Path]) -> Json:
    """A set of paths as `fieldsV1`."""
    root: Json = {}
    for path in sorted(paths):
        at = root
        for step in path:
            at = at.setdefault(step, {})
        at["."] = {}
    _trim(root)
    return root


def _trim(node: Json) -> None:
    for value in node.values():
        if set(value) == {"."}:
            value.clear()
        _trim(value)


def from_v1(value: Value) -> set[Path]:
    """A set of paths out of `fieldsV1`; what cannot be read owns nothing."""
    made: set[Path] = set()
    _read_v1(value, (), made)
    return made


def _read_v1(value: Value, path: Path, made: set[Path]) -> None:
    if not isinstance(value, dict) or len(path) > 60:
        return
    if path and (not value or "." in value):
        made.add(path)
    for step, inner in value.items():
        if step != ".":
            _read_v1(inner, (*path, step), made)


def _told(path: Path) -> str:
    made = ""
    for step in path:
        if step.startswith("f:"):
            made += f".{step[2:]}"
        elif step.startswith("k:"):
            keys = json.loads(step[2:])
            made += "[" + ",".join(f"{key}={json.dumps(value)}" for key, value in keys.items()) + "]"
        else:
            made += f"[={step[2:]}]"
    return made


class Managers:
    """Who owns what of one object; made from its `managedFields`, and written back into them."""

    def __init__(self, entries: Value, api_version: str, subresource: str, now: str) -> None:
        self._entries: list[tuple[Json, set[Path]]] = [
            (entry, from_v1(entry.get("fieldsV1"))) for entry in entries or [] if isinstance(entry, dict)
        ]
        self._version, self._subresource, self._now = api_version, subresource, now

    def _mine(self, manager: str, operation: str) -> int | None:
        wanted = (manager, operation, self._subresource)
        for index, (entry, _) in enumerate(self._entries):
            if (entry.get("manager"), entry.get("operation"), entry.get("subresource", "")) == wanted:
                return index
        return None

    def owned(self, manager: str, operation: Literal["Apply", "Update"]) -> set[Path]:
        """What a manager owns."""
        index = self._mine(manager, operation)
        return set() if index is None else self._entries[index][1]

    def by_others(self, manager: str, operation: Literal["Apply", "Update"]) -> list[tuple[Json, set[Path]]]:
        """Everybody else's entry, and what they own."""
        index = self._mine(manager, operation)
        return [entry for at, entry in enumerate(self._entries) if at != index]

    def assign(self, manager: str, operation: Literal["Apply", "Update"], paths: set[Path]) -> None:
        """Says what a manager owns now."""
        index = self._mine(manager, operation)
        if index is not None and self._entries[index][1] == paths:
            return
        entry: Json = {
            "manager": manager,
            "operation": operation,
            "apiVersion": self._version,
            "time": self._now,
            "fieldsType": "FieldsV1",
        }
        if self._subresource:
            entry["subresource"] = self._subresource
        if index is None:
            self._entries.append((entry, paths))
        else:
            self._entries[index] = (entry, paths)

    def take(self, manager: str, operation: Literal["Apply", "Update"], paths: set[Path]) -> None:
        """Takes fields from everybody else."""
        mine = self._mine(manager, operation)
        for index, (entry, have) in enumerate(self._entries):
            if index != mine and have & paths:
                self._entries[index] = (entry, have - paths)

    def written(self) -> list[Json]:
        """The `managedFields`; who owns nothing is left out."""
        return [
            {**{key: value for key, value in entry.items() if key != "fieldsV1"}, "fieldsV1": to_v1(paths)}
            for entry, paths in self._entries
            if paths
        ]


def updated(managers: Managers, before: dict[Path, Any], after: dict[Path, Any], manager: str) -> None:
    """Notes that a manager wrote an object: what changed is its own now, and nobody else's."""
    changed = {path for path, value in after.items() if path not in before or before[path] != value}
    gone = before.keys() - after.keys()
    if not changed and not gone:
        return
    managers.take(manager, "Update", changed | gone)
    managers.assign(manager, "Update", (managers.owned(manager, "Update") - gone) | changed)


def conflicts(managers: Managers, live: dict[Path, Any], wanted: dict[Path, Any], manager: str) -> ApiError | None:
    """The refusal to apply what others own and what would change; None when there is nothing of that kind."""
    differs = {path for path, value in wanted.items() if path not in live or live[path] != value}
    causes: list[Json] = []
    groups: dict[str, list[str]] = {}
    for entry, paths in managers.by_others(manager, "Apply"):
        who = f'"{entry.get("manager", "")}"'
        if entry.get("subresource"):
            who += f' with subresource "{entry["subresource"]}"'
        if entry.get("operation") == "Update":
            # Who applies is told by name alone (seen on 1.36.3).
            who += f" using {entry.get('apiVersion', '')}"
        for path in sorted(paths & differs):
            told = _told(path)
            causes.append({"reason": "FieldManagerConflict", "message": f"conflict with {who}", "field": told})
            groups.setdefault(who, []).append(told)
    if not causes:
        return None
    number = len(causes)
    if number == 1:
        (who, told_paths), *_ = groups.items()
        message = f"Apply failed with 1 conflict: conflict with {who}: {told_paths[0]}"
    else:
        parts = [f"conflicts with {who}:\n" + "\n".join(f"- {path}" for path in paths) for who, paths in groups.items()]
        message = f"Apply failed with {number} conflicts: " + "\n".join(parts)
    return ApiError(409, "Conflict", message, {"causes": causes})


def merge(shape: Shape, live: Value, applied: Value) -> Value:
    """An applied configuration laid over an object, field by field; neither is changed.

    Raises:
        ApiError: 400 BadRequest when an element of a list does not say which one it is.
    """
    if not _granular(shape, applied):
        if isinstance(applied, dict) and not applied and isinstance(live, dict) and not shape.atomic:
            return live
        return copy.deepcopy(applied)
    if isinstance(applied, dict):
        made = dict(live) if isinstance(live, dict) else {}
        for key, value in applied.items():
            made[key] = merge(_inner(shape, key), made.get(key), value)
        return made
    have = list(live) if isinstance(live, list) else []
    places = {_key(shape, item): index for index, item in enumerate(have)}
    for item in applied:
        if shape.keys != ("=",):
            for key in shape.keys:
                if not isinstance(item, dict) or (key not in item and key not in _KEY_DEFAULTS):
                    raise bad(f"associative list with keys has an element that omits key field {json.dumps(key)}")
        at = places.get(key := _key(shape, item))
        if at is None:
            places[key] = len(have)
            have.append(copy.deepcopy(item))
        else:
            have[at] = merge(shape.item or ANY, have[at], item)
    return have


def without(shape: Shape, obj: Json, paths: set[Path], kept: set[Path]) -> Json:
    """An object without some fields and elements, but with all that is kept; the object is not changed."""
    made: Json = copy.deepcopy(obj)
    held = {path[:length] for path in kept for length in range(1, len(path) + 1)}
    # An element goes before its fields: without those that tell it apart it could not be found.
    for path in sorted(paths - held, key=len):
        _drop(shape, made, path, held, ())
    return made


def _drop(shape: Shape, value: Value, path: Path, held: set[Path], done: Path) -> None:
    step, rest = path[0], path[1:]
    here = (*done, step)
    if isinstance(value, dict) and step.startswith("f:"):
        key = step[2:]
        if key not in value:
            return
        inner = _inner(shape, key)
        if not rest:
            del value[key]
            return
        _drop(inner, value[key], rest, held, here)
        if value[key] in ({}, []) and here not in held and len(here) > 1:
            del value[key]
    elif isinstance(value, list):
        for index, item in enumerate(value):
            if _key(shape, item) == step:
                if rest and rest[0].removeprefix("f:") in shape.keys:
                    # Others own something of this element, which must still be found.
                    return
                if rest:
                    _drop(shape.item or ANY, item, rest, held, here)
                else:
                    del value[index]
                return
