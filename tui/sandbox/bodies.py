"""Bodies of requests and answers, and which form of an answer is wanted."""

from __future__ import annotations

from typing import Never

import msgspec
import yaml
from aiohttp import web

from tui.sandbox import protobuf
from tui.sandbox.model import ApiError, Json
from tui.sandbox.problems import bad
from tui.sandbox.shapes import Value

_encode = msgspec.json.Encoder().encode


#: How deep YAML may be nested: objects of Kubernetes are not, and each level takes several of Python's stack.
_DEEPEST = 100


class _Loader(yaml.SafeLoader):
    """YAML that is JSON: no times, no aliases (which grow without bound when they are followed)."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not read")
        self._depth += 1
        if self._depth > _DEEPEST:
            raise yaml.YAMLError(f"it is nested more than {_DEEPEST} levels deep")
        node: yaml.Node | None = super().compose_node(parent, index)
        self._depth -= 1
        return node


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _plain(value: Value) -> Value:
    if isinstance(value, dict):
        return {_key(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 64:
        return float(value) if abs(value) < 1 << 1023 else _refused("a number that is too large")
    if value is None or isinstance(value, int | float):
        return value
    raise bad(f"error converting YAML to JSON: a value of type {type(value).__name__}")


def _key(key: object) -> str:
    return str(key).lower() if isinstance(key, bool) else _text(str(key))


def _text(text: str) -> str:
    """A text that UTF-8 can tell: with escapes, YAML can spell half a character."""
    halved = not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text)
    return _refused(repr(text)) if halved else text


def _refused(what: str) -> Never:
    raise bad(f"error converting YAML to JSON: {what[:80]} has no form in JSON")


def parse(data: bytes, media: str, kind: str) -> Value:
    """A body by its content type.

    Raises:
        ApiError: 400 BadRequest when it cannot be read, 415 when it is of another type.
    """
    if media == protobuf.MEDIA:
        return protobuf.decode(data)
    if "yaml" in media:
        try:
            return msgspec.json.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return _yaml(data)
    if not media.endswith(("json", "octet-stream")) and media:
        raise ApiError(415, "UnsupportedMediaType", "415: Unsupported Media Type")
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        told = data[:40].decode("utf-8", "replace")
        start = f"the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; "
        raise bad(f"{start}json parse error: {problem} ({told})") from None


def _yaml(data: bytes) -> Value:
    try:
        loader = _Loader(data)
        return _plain(loader.get_single_data())
    except (yaml.YAMLError, RecursionError, ValueError, TypeError) as problem:
        raise bad(f"error decoding YAML: {str(problem).splitlines()[0] if str(problem) else 'unreadable'}") from None


#: Of every answer of JSON; no charset is named, for kubectl takes the type literally.
HEADERS = {"Content-Type": "application/json", "Cache-Control": "no-cache, private"}


def answer(value: Value, status: int = 200, *, media: str = "application/json") -> web.Response:
    """An answer of JSON."""
    headers = {**HEADERS, "Content-Type": media}
    return web.Response(body=value if isinstance(value, bytes) else _encode(value), status=status, headers=headers)


def status_of(problem: ApiError) -> Json:
    """The Status that tells a refusal."""
    made: Json = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": problem.message,
        "reason": problem.reason,
    }
    if problem.details or problem.code in (403, 404, 405, 415):
        made["details"] = problem.details
    return {**made, "code": problem.code}


def refuse(problem: ApiError) -> web.Response:
    """A refusal as an answer."""
    made = answer(status_of(problem), problem.code)
    wait = problem.details.get("retryAfterSeconds")
    if wait:
        made.headers["Retry-After"] = str(wait)
    if problem.code == 401:
        made.headers["WWW-Authenticate"] = "Bearer"
    return made


def form(accept: str) -> tuple[str, str]:
    """Which form of objects is wanted most: `Table`, `PartialObjectMetadata`… or empty for themselves; and its version.

    Raises:
        ApiError: 406 NotAcceptable when it is one that is not served.
    """
    for part in accept.split(",") if accept else ["*/*"]:
        media, *rest = (piece.strip() for piece in part.split(";"))
        parameters = dict(piece.partition("=")[::2] for piece in rest)
        wanted = parameters.get("as", "")
        if media not in ("application/json", "*/*", "application/*"):
            continue
        if not wanted or wanted in ("Table", "PartialObjectMetadata", "PartialObjectMetadataList"):
            return wanted, parameters.get("v", "v1")
    raise ApiError(406, "NotAcceptable", "only the following media types are accepted: application/json")
