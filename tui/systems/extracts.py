"""Takes one value out of a text that holds several: a shell's settings, JSON, or anything that a pattern fits.

MinIO's operator keeps a tenant's root user in `config.env`, a shell text; SeaweedFS keeps its identities in JSON;
OpenIO gives all of a user in one variable.
"""

from __future__ import annotations

import contextlib
import re
import shlex
from dataclasses import dataclass
from enum import StrEnum

import msgspec


class How(StrEnum):
    """How a value is taken out of a text."""

    EXPORT = "export"  # the variable that a shell text sets
    AT = "at"  # the text at a path in JSON
    MATCH = "match"  # the first group of a regular expression


@dataclass(frozen=True, slots=True)
class Extract:
    """One way to take a value out.

    Attributes:
        what: the variable's name, the path (`identities.actions=Admin.credentials.0.accessKey`: keys, places in lists,
            and `KEY=VALUE` for the first item whose KEY is or holds VALUE), or the expression.
    """

    how: How
    what: str


def extract(text: str, way: Extract) -> str | None:
    """The value; None where the text does not have it. Nothing is expanded or run."""
    if way.how is How.EXPORT:
        return _exported(text, way.what)
    if way.how is How.AT:
        return _at(text, way.what)
    found = re.search(way.what, text)
    return found[1] if found is not None else None


def _exported(text: str, name: str) -> str | None:
    """The last setting wins, as in a shell."""
    try:
        words = shlex.split(text, comments=True)
    except ValueError:  # a quote without its end: the lines that can be read still tell
        words = []
        for line in text.splitlines():
            with contextlib.suppress(ValueError):
                words += shlex.split(line, comments=True)
    value = None
    for word in words:
        key, equals, given = word.partition("=")
        if equals and key == name:
            value = given
    return value


def _at(text: str, path: str) -> str | None:
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return None
    for step in path.split("."):
        key, equals, wanted = step.partition("=")
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and equals:
            value = next((one for one in value if isinstance(one, dict) and _holds(one.get(key), wanted)), None)
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value if isinstance(value, str) else None


def _holds(value: object, wanted: str) -> bool:
    return wanted in value if isinstance(value, list) else value == wanted
