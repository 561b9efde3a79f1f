"""What `statetui bucket` prints as lines of JSON: the store's values, with field names as elsewhere."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Mapping
from typing import Any

from tui.services.bucket.model import Told


def record(value: Any) -> str:  # noqa: ANN401 (a mapping or a dataclass)
    """One line of JSON.

    Args:
        value: a mapping, which is printed as it is, or one of the store's dataclasses.
    """
    if isinstance(value, Told):
        told: Mapping[str, Any] = {
            "group": value.group, "name": value.name, "value": value.value or None,
            "unknown": value.unknown or None, "health": value.ink or None,
        }  # fmt: skip
    elif isinstance(value, Mapping):
        told = value
    else:
        # Not `asdict`: it copies all that is in there, which takes more time than everything else about a line.
        told = {shown: getattr(value, name) for name, shown in _names(type(value))}
        if isinstance(told.get("etag"), str):
            told["etag"] = told["etag"].strip('"')  # as mc and others have it
    return json.dumps(told, default=_plain, ensure_ascii=True)


#: The fields of each dataclass, each with its name in JSON.
_known: dict[type[Any], list[tuple[str, str]]] = {}


def _names(kind: type[Any]) -> list[tuple[str, str]]:
    if kind not in _known:
        _known[kind] = [(one.name, _camel(one.name)) for one in dataclasses.fields(kind)]
    return _known[kind]


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, dt.datetime) else str(value)
