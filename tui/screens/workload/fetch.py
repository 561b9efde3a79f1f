"""One object, whole: read from the API server, secrets masked, written as YAML lines with inks."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import yaml

from tui.kube.resources import Resource
from tui.problem import Cause, Problem, ProblemError
from tui.widgets.lines import Line

#: What stands in place of a secret.
MASK = "••••••••"
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
#: Names (of environment variables and of fields) whose values are nobody's business on a screen.
_SECRET_NAME = re.compile(
    r"passw|passwd|pwd|secret|token|credential|api_?key|access_?key|private_?key|cookie", re.IGNORECASE
)
#: … unless the name says that the value only points to where the secret is, or how it is handled.
_HARMLESS_NAME = re.compile(
    r"(name|namespace|ref|refs|path|file|dir|policy|type|class|mount|seconds|enabled|version)$", re.IGNORECASE
)
_SECRET_FLAG = re.compile(
    r"(?P<flag>--?[\w.-]*(?:passw|secret|token|credential)[\w.-]*[= ]|\b\w*(?:PASSWORD|PASSWD|SECRET|TOKEN)\w*=)"
    r"(?P<value>\"[^\"]*\"|'[^']*'|[^\s\"'$]\S*)",
    re.IGNORECASE,
)
_URL_PASSWORD = re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s:/@]*:)([^\s/@]+)(@)", re.IGNORECASE)
_KEY = re.compile(
    r"(?P<indent>\s*(?:- )*)"
    r"(?P<key>\"[^\"]*\"|'[^']*'|[^\s\"'#\[{&*!|>%@`-][^#]*?|-[^\s#][^#]*?)"
    r"(?P<colon>:)(?P<rest>\s.*|$)"
)
_FOLD = "folded:5b0c"


class Reader(Protocol):
    """The part of the API client that is needed here."""

    async def get(self, path: str) -> bytes:
        """One GET; raises ProblemError."""
        ...


@dataclass(frozen=True, slots=True)
class Document:
    """An object as text.

    Attributes:
        uid: its identity.
        resource_version: which version was read.
        folded: its lines without what only machines read (managed fields, the last applied configuration).
        unfolded: all of its lines.
    """

    uid: str
    resource_version: str
    folded: tuple[Line, ...]
    unfolded: tuple[Line, ...]


async def fetch(api: Reader, resource: Resource, namespace: str, name: str) -> Document:
    """Reads one object and writes it as YAML, off the event loop.

    Raises:
        ProblemError: it could not be read, or is not an object of Kubernetes.
    """
    content = b""
    for version in resource.versions:
        try:
            content = await api.get(f"{resource.path(version, namespace)}/{name}")
            break
        except ProblemError as error:
            # A version that this server does not have looks like an object that is not there: try the next.
            if error.problem.cause is not Cause.ABSENT or version == resource.versions[-1]:
                raise
    return await asyncio.to_thread(document, content)


def document(content: bytes) -> Document:
    """An object's JSON as a document, masked.

    Raises:
        ProblemError: the content is not a JSON object.
    """
    try:
        value = json.loads(content)
    except ValueError as error:
        raise ProblemError(Problem(Cause.PROTOCOL, "The answer is not JSON", str(error))) from error
    if not isinstance(value, dict):
        raise ProblemError(Problem(Cause.PROTOCOL, "The answer is not an object of Kubernetes", repr(value)[:200]))
    value = masked(value)
    metadata = value.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    unfolded = tuple(_inked(_dump(value)))
    notes = _fold(metadata)
    folded = tuple(_inked(_dump(value), notes)) if notes else unfolded
    return Document(str(metadata.get("uid", "")), str(metadata.get("resourceVersion", "")), folded, unfolded)


# --- masking


def masked(value: dict[str, Any]) -> dict[str, Any]:
    """A copy of an object in which no secret can be read.

    Masked are the data of a Secret, values of environment variables and fields whose name speaks of a secret,
    passwords in addresses and in command lines, and the same within the last applied configuration.
    """
    if value.get("kind") == "Secret":
        value = {
            key: dict.fromkeys(part, MASK) if key in ("data", "stringData") and isinstance(part, dict) else part
            for key, part in value.items()
        }
    result: dict[str, Any] = _mask(value)
    annotations = result.get("metadata", {}).get("annotations") if isinstance(result.get("metadata"), dict) else None
    original = value.get("metadata", {}).get("annotations") if isinstance(value.get("metadata"), dict) else None
    if isinstance(annotations, dict) and isinstance(original, dict) and _LAST_APPLIED in annotations:
        annotations[_LAST_APPLIED] = _mask_json(str(original[_LAST_APPLIED]))
    return result


def _mask_json(text: str) -> str:
    try:
        value = json.loads(text)
    except ValueError:
        return MASK
    return json.dumps(masked(value), ensure_ascii=False) if isinstance(value, dict) else MASK


def _mask(value: Any) -> Any:  # noqa: ANN401  (JSON)
    if isinstance(value, dict):
        if isinstance(value.get("name"), str) and isinstance(value.get("value"), str) and _secret(value["name"]):
            value = {**value, "value": MASK if value["value"] else ""}
        return {key: _mask_field(key, part) for key, part in value.items()}
    if isinstance(value, list):
        return [_mask(part) for part in value]
    return _mask_text(value) if isinstance(value, str) else value


def _mask_field(key: str, value: Any) -> Any:  # noqa: ANN401  (JSON)
    if isinstance(value, str) and value and _secret(key) and not _HARMLESS_NAME.search(key):
        return MASK
    return _mask(value)


def _secret(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None


def _mask_text(text: str) -> str:
    if "://" in text:
        text = _URL_PASSWORD.sub(rf"\1{MASK}\3", text)
    return _SECRET_FLAG.sub(rf"\g<flag>{MASK}", text)


# --- writing


class _Dumper(yaml.SafeDumper):
    """YAML as people write it: several lines of text as a block, lists indented below their key."""

    def ignore_aliases(self, data: object) -> bool:
        """No anchors: what occurs twice is written twice."""
        return True


def _represent(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # A block cannot hold trailing blanks or unprintable characters; the emitter would silently choose quotes anyway.
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _represent)


def _dump(value: Mapping[str, Any]) -> list[str]:
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1 << 20)
    return text.splitlines()


def _fold(metadata: dict[str, Any]) -> list[str]:
    """Replaces in place what only machines read by a mark; returns the notes that stand there instead, in order."""
    notes = {}
    annotations = metadata.get("annotations")
    if isinstance(annotations, dict) and _LAST_APPLIED in annotations:
        notes[_LAST_APPLIED] = f"{len(annotations[_LAST_APPLIED]):,} characters folded, m unfolds"
        annotations[_LAST_APPLIED] = _FOLD
    managed = metadata.get("managedFields")
    if isinstance(managed, list):
        managers = sorted({str(entry.get("manager", "?")) for entry in managed if isinstance(entry, dict)})
        notes["managedFields"] = f"{len(managed)} entries of {', '.join(managers)} folded, m unfolds"
        metadata["managedFields"] = _FOLD
    return [f"{key}\0{note}" for key, note in notes.items()]


def _inked(lines: Sequence[str], notes: Sequence[str] = ()) -> Iterator[Line]:
    """Lines with inks; a line whose value is the mark of a fold gets its note as a comment."""
    block: int | None = None
    wanted = dict(note.split("\0", 1) for note in notes)
    for text in lines:
        indent = len(text) - len(text.lstrip(" "))
        if block is not None and (not text.strip() or indent > block):
            yield Line(((text, "value"),), hang=indent)
            continue
        block = None
        match = _KEY.fullmatch(text)
        if match is None:
            yield Line(((text, "value"),), hang=indent + 2)
            continue
        key, rest = match["key"], match["rest"]
        if wanted and rest.strip() == _FOLD and key in wanted:
            yield Line(
                ((match["indent"] + key, "key"), (": ", "frame"), (f"# {wanted[key]}", "comment")), hang=indent + 2
            )
            continue
        if re.fullmatch(r"\s[|>][-+]?\d?", rest):
            block = indent
        yield Line(((match["indent"], "frame"), (key, "key"), (":", "frame"), (rest, "value")), hang=indent + 2)
