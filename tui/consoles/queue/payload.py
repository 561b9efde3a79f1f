"""What a message's body is, as text to read. It is shown, never interpreted, and never unpacked without bound."""

from __future__ import annotations

import gzip
import io
import zlib
from enum import StrEnum
from typing import Any

import msgspec

from tui.consoles.decoding import encoding_of, hexadecimal
from tui.services.queue.model import Message

#: Bytes of a body that are laid out to read, and to which a packed one is unpacked.
BOUND = 1 << 20


class Look(StrEnum):
    """How a body is shown."""

    TEXT = "text"
    JSON = "JSON"
    MSGPACK = "MessagePack"
    HEX = "hex"


def unpacked(message: Message) -> tuple[bytes, str]:
    """The body without its gzip or deflate, as far as `BOUND`; and what was done, in words."""
    body, encoding = message.body, message.properties.content_encoding.lower()
    if body[:2] == b"\x1f\x8b" or encoding == "gzip":
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(body)) as packed:
                found = packed.read(BOUND + 1)
            return found[:BOUND], "gzip" if len(found) <= BOUND else "gzip, the first MiB of it"
        except (OSError, EOFError, zlib.error):
            return body, "says gzip, and is none" if encoding == "gzip" else ""
    if encoding == "deflate":
        try:
            return zlib.decompressobj().decompress(body, BOUND), "deflate"
        except zlib.error:
            return body, "says deflate, and is none"
    return body, ""


def looks(body: bytes, content_type: str = "") -> list[Look]:
    """The ways in which a body can be shown, the best first. A number or a word alone is no JSON worth a name."""
    ways: list[Look] = []
    text = encoding_of(body[:BOUND], whole=len(body) <= BOUND) is not None
    if body.lstrip()[:1] in (b"{", b"[") and _json(body) is not None:
        ways.append(Look.JSON)
    packed = "msgpack" in content_type or (not text and body[:1] >= b"\x80")
    if packed and _msgpack(body) is not None:
        ways.append(Look.MSGPACK)
    if text:
        ways.append(Look.TEXT)
    ways.append(Look.HEX)
    if Look.TEXT not in ways:
        ways.append(Look.TEXT)
    return ways


def shown(body: bytes, look: Look) -> str:
    """A body in one way; beyond `BOUND` it is cut."""
    piece = body[:BOUND]
    if look is Look.JSON and (found := _json(body)) is not None:
        return found
    if look is Look.MSGPACK and (found := _msgpack(body)) is not None:
        return found
    if look is Look.HEX:
        return hexadecimal(piece)
    encoding = encoding_of(piece, whole=len(body) <= BOUND)
    return piece.decode(encoding or "latin-1", "replace")


def beginning(body: bytes, length: int) -> str:
    """A few characters of a body for a list."""
    piece = body[: length * 4]
    try:
        return piece.decode()[:length]
    except UnicodeDecodeError as error:
        if error.start >= len(piece) - 3 and len(body) > len(piece):  # a character that was cut
            return piece[: error.start].decode()[:length]
        return piece[: length // 3].hex(" ")


def _json(body: bytes) -> str | None:
    if len(body) > BOUND:
        return None
    try:
        # Not decoded: numbers stay as they are written, and a name that stands twice stays twice.
        return msgspec.json.format(body, indent=2).decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _msgpack(body: bytes) -> str | None:
    if len(body) > BOUND:
        return None
    try:
        found: Any = msgspec.msgpack.decode(body)
        text = msgspec.json.format(msgspec.json.encode(found), indent=2).decode()
    except (msgspec.DecodeError, TypeError, ValueError, RecursionError, OverflowError):
        return None
    return text
