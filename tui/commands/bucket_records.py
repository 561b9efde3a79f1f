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
        told = {_camel(name): one for name, one in dataclasses.asdict(value).items()}
    return json.dumps(told, default=_plain, ensure_ascii=True)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, dt.datetime) else str(value)
