"""Definitions: a broker's topology as one document, without what gives something away, and compared with another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from tui.problem import Cause, Problem, ProblemError

#: What a document holds, and what makes one of its things that thing and no other.
KEYS: Mapping[str, tuple[str, ...]] = {
    "users": ("name",),
    "vhosts": ("name",),
    "permissions": ("vhost", "user"),
    "topic_permissions": ("vhost", "user", "exchange"),
    "parameters": ("vhost", "component", "name"),
    "global_parameters": ("name",),
    "policies": ("vhost", "name"),
    "queues": ("vhost", "name"),
    "exchanges": ("vhost", "name"),
    "bindings": ("vhost", "source", "destination", "destination_type", "routing_key", "arguments"),
}
#: What gives something away: hashes of passwords, and links to other brokers with theirs.
_SECRETS = ("password_hash", "hashing_algorithm", "password")
_LINKS = ("uri", "src-uri", "dest-uri")
#: Of the cluster itself: an import leaves it alone.
_ITSELF = ("internal_cluster_id", "cluster_name")


class Change(StrEnum):
    """What an import makes of something."""

    ADDED = "added"
    CHANGED = "changed"  # policies, users, permissions: what is there is overwritten
    REFUSED = "differs"  # queues and exchanges are never changed: what is there stays as it is
    SAME = "the same"
    HERE = "only here"  # nothing is deleted


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing of two documents.

    Attributes:
        part: `queues`, `policies` …
        name: in words, with its virtual host.
        change: what an import makes of it.
        fields: what differs: (field, here, there), as JSON.
    """

    part: str
    name: str
    change: Change
    fields: tuple[tuple[str, str, str], ...] = ()


def without_secrets(definitions: Mapping[str, Any]) -> dict[str, Any]:
    """A document without hashes of passwords, and without parameters that hold links with passwords.

    Users stay, by name and tags; an import of them makes users that cannot log in with a password.
    """
    found = dict(definitions)
    if "users" in found:
        found["users"] = [{key: value for key, value in one.items() if key not in _SECRETS} for one in found["users"]]
    if "parameters" in found:
        found["parameters"] = [one for one in found["parameters"] if not _links(one.get("value"))]
    return found


def _links(value: Any) -> bool:  # noqa: ANN401  (somebody's parameter)
    texts = value if isinstance(value, Mapping) else {}
    said = [one for key in _LINKS for one in (texts[key] if isinstance(texts.get(key), list) else [texts.get(key)])]
    return any("@" in str(one) for one in said if one)


def read(content: bytes, source: str) -> dict[str, Any]:
    """A document.

    Args:
        content: JSON.
        source: where it is from, for the error.

    Raises:
        ProblemError: CONFIG, it is none.
    """
    try:
        found = msgspec.json.decode(content, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ProblemError(Problem(Cause.CONFIG, f"{source} holds no definitions", str(error),
                                   "They are the JSON that `export` writes.")) from error  # fmt: skip
    wrong = [part for part in KEYS if not _things(found.get(part, []))]
    if wrong or not set(found) & set(KEYS):
        said = f"{wrong[0]} is no list of objects" if wrong else f"it holds none of {', '.join(KEYS)}"
        raise ProblemError(Problem(Cause.CONFIG, f"{source} holds no definitions", said))
    return found


def _things(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, dict) for one in value)


def differences(here: Mapping[str, Any], wanted: Mapping[str, Any], vhost: str = "") -> Iterator[Difference]:
    """What an import would make of each thing.

    Args:
        here: what stands in the broker.
        wanted: what is to be imported.
        vhost: the virtual host that both are of; documents of a single one do not name it.
    """
    for part, keys in KEYS.items():
        theirs = {_key(one, keys, vhost): one for one in wanted.get(part, ())}
        ours = {_key(one, keys, vhost): one for one in here.get(part, ())}
        for key, one in theirs.items():
            name = _name(part, key)
            if key not in ours:
                yield Difference(part, name, Change.ADDED)
            elif fields := tuple(_fields(ours[key], one)):
                fixed = part in ("queues", "exchanges")
                yield Difference(part, name, Change.REFUSED if fixed else Change.CHANGED, fields)
            else:
                yield Difference(part, name, Change.SAME)
        if part in wanted:
            yield from (Difference(part, _name(part, key), Change.HERE) for key in ours if key not in theirs)


def _key(one: Mapping[str, Any], keys: Sequence[str], vhost: str) -> tuple[str, ...]:
    usual = {"vhost": vhost, "arguments": {}, "destination_type": "queue"}
    return tuple(_json(one.get(key, usual.get(key, ""))) for key in keys)


def _name(part: str, key: Sequence[str]) -> str:
    words = [str(msgspec.json.decode(one)) for one in key]
    if part == "bindings":
        vhost, source, destination, kind, routing, arguments = words
        more = f" {arguments}" if arguments != "{}" else ""
        return f"{vhost}: {source or '(default)'} → {kind} {destination} ({routing}){more}"
    return ": ".join(words)


def _fields(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """What the wanted one says otherwise; what it leaves out does not count, nor does what was never told to us."""
    for key, value in theirs.items():
        if key in ("vhost", "metadata") or key in _ITSELF:
            continue
        if key in _SECRETS:
            if ours.get(key) != value:
                yield key, "(hidden)", "(hidden)"
        elif _plain(ours.get(key)) != _plain(value):
            yield key, _json(ours.get(key)), _json(value)


def _plain(value: Any) -> Any:  # noqa: ANN401  (JSON)
    """A queue's type may stand among its arguments or not: older servers leave it out for classic ones."""
    if isinstance(value, Mapping):
        return {key: one for key, one in value.items() if (key, one) != ("x-queue-type", "classic")}
    return value


def _json(value: Any) -> str:  # noqa: ANN401  (JSON)
    return msgspec.json.encode(value, order="sorted").decode()
