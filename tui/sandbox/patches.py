"""Patches: RFC 6902, RFC 7386, and the strategic merge that follows the merge keys of lists."""

from __future__ import annotations

import copy
from typing import Any

from tui.sandbox.model import ApiError, Json
from tui.sandbox.problems import bad
from tui.sandbox.shapes import ANY, Shape, Value

#: How many operations one patch may have; the real server's bound.
_MOST = 10_000


def merge(target: Value, patch: Value) -> Value:
    """RFC 7386; neither argument is changed."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    made = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            made.pop(key, None)
        else:
            made[key] = merge(made.get(key), value)
    return made


def _unfit() -> ApiError:
    return ApiError(422, "Invalid", "the server rejected our request due to an error in our request")


def json_patch(target: Json, operations: object) -> Json:
    """RFC 6902; the target is not changed.

    Raises:
        ApiError: 400 BadRequest when it is no such patch, 422 Invalid when it does not fit.
    """
    if not isinstance(operations, list):
        raise bad("error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp")
    if len(operations) > _MOST:
        raise ApiError(413, "RequestEntityTooLarge", f"The allowed maximum operations in a JSON patch is {_MOST}")
    made: Value = copy.deepcopy(target)
    for operation in operations:
        if not isinstance(operation, dict) or not isinstance(operation.get("path"), str):
            raise _unfit()
        made = _operate(made, operation)
    if not isinstance(made, dict):
        raise _unfit()
    return made


def _operate(root: Value, operation: Json) -> Value:
    path, name = operation["path"], operation.get("op")
    if name in ("move", "copy"):
        source = operation.get("from")
        if not isinstance(source, str) or (name == "move" and path.startswith(source + "/")):
            raise _unfit()
        value = copy.deepcopy(_find(root, _pointer(source)))
        if name == "move":
            root = _change(root, _pointer(source), "remove", None)
        return _change(root, _pointer(path), "add", value)
    if name == "test":
        if _find(root, _pointer(path)) != operation.get("value"):
            raise _unfit()
        return root
    if name not in ("add", "replace", "remove") or (name != "remove" and "value" not in operation):
        raise _unfit()
    return _change(root, _pointer(path), name, copy.deepcopy(operation.get("value")))


def _pointer(path: str) -> list[str]:
    if path and not path.startswith("/"):
        raise _unfit()
    return [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")[1:]]


def _index(items: list[Any], part: str, *, beyond: bool = False) -> int:
    if part == "-" and beyond:
        return len(items)
    if not part.isascii() or not part.isdecimal() or int(part[:9]) >= len(items) + beyond:
        raise _unfit()
    return int(part)


def _find(value: Value, parts: list[str]) -> Value:
    for part in parts:
        if isinstance(value, list):
            value = value[_index(value, part)]
        elif isinstance(value, dict) and part in value:
            value = value[part]
        else:
            raise _unfit()
    return value


def _change(root: Value, parts: list[str], name: str, value: Value) -> Value:
    if not parts:
        return value
    holder, last = _find(root, parts[:-1]), parts[-1]
    if isinstance(holder, list):
        if name == "add":
            holder.insert(_index(holder, last, beyond=True), value)
        elif name == "remove":
            del holder[_index(holder, last)]
        else:
            holder[_index(holder, last)] = value
    elif isinstance(holder, dict):
        if name != "add" and last not in holder:
            raise _unfit()
        if name == "remove":
            del holder[last]
        else:
            holder[last] = value
    else:
        raise _unfit()
    return root


_ORDER, _DELETE, _RETAIN = "$setElementOrder/", "$deleteFromPrimitiveList/", "$retainKeys"


def strategic(shape: Shape, target: Value, patch: Value) -> Value:
    """A strategic merge; neither argument is changed.

    Raises:
        ApiError: 400 BadRequest when an element of a list lacks its merge key.
    """
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    if patch.get("$patch") == "delete":
        return {}
    if patch.get("$patch") == "replace":
        return {key: copy.deepcopy(value) for key, value in patch.items() if key != "$patch"}
    made = dict(target) if isinstance(target, dict) else {}
    retain = patch.get(_RETAIN)
    if isinstance(retain, list):
        made = {key: value for key, value in made.items() if key in retain}
    for key, value in patch.items():
        if key.startswith(_DELETE):
            name = key.removeprefix(_DELETE)
            if isinstance(made.get(name), list) and isinstance(value, list):
                made[name] = [item for item in made[name] if item not in value]
        elif key.startswith("$"):
            continue
        elif value is None:
            made.pop(key, None)
        else:
            inner = shape.fields.get(key) or shape.item or ANY
            order = patch.get(_ORDER + key)
            made[key] = _strategic_value(inner, made.get(key), value, order if isinstance(order, list) else None)
    for key, order in patch.items():
        # Nothing but the order was changed.
        name = key.removeprefix(_ORDER)
        if key.startswith(_ORDER) and name not in patch and isinstance(order, list):
            inner = shape.fields.get(name) or ANY
            if isinstance(made.get(name), list) and inner.merge:
                made[name] = _ordered(made[name], order, inner.merge)
    return made


def _strategic_value(shape: Shape, target: Value, patch: Value, order: list[Any] | None) -> Value:
    if isinstance(patch, list) and shape.type == "list" and shape.merge:
        return _strategic_list(shape, target if isinstance(target, list) else [], patch, order)
    if isinstance(patch, dict):
        return strategic(shape, target, patch)
    return copy.deepcopy(patch)


def _strategic_list(shape: Shape, target: list[Any], patch: list[Any], order: list[Any] | None) -> list[Any]:
    if shape.merge == "=":
        made = [*target, *(item for item in patch if item not in target)]
        return _ordered(made, order, "=") if order else made
    if any(isinstance(item, dict) and item.get("$patch") == "replace" for item in patch):
        return [copy.deepcopy(item) for item in patch if not (isinstance(item, dict) and "$patch" in item)]
    made = list(target)
    for item in patch:
        if not isinstance(item, dict) or shape.merge not in item:
            raise bad(f"map: {item!r} does not contain declared merge key: {shape.merge}")
        at = next((index for index, have in enumerate(made) if have.get(shape.merge) == item[shape.merge]), None)
        if item.get("$patch") == "delete":
            made = [have for have in made if have.get(shape.merge) != item[shape.merge]]
        elif at is None:
            made.append(strategic(shape.item or ANY, {}, item))
        else:
            made[at] = strategic(shape.item or ANY, made[at], item)
    return _ordered(made, order, shape.merge) if order else made


def _ordered(items: list[Any], order: list[Any], key: str) -> list[Any]:
    """The items that are ordered in that order, each other one behind the one it stood behind."""
    wanted = [entry if key == "=" else entry.get(key) if isinstance(entry, dict) else None for entry in order]

    def rank(pair: tuple[int, Any]) -> tuple[int, int]:
        told = pair[1] if key == "=" else pair[1].get(key)
        return (wanted.index(told) if told in wanted else len(wanted), pair[0])

    return [item for _, item in sorted(enumerate(items), key=rank)]
