"""The headers of SPDY/3 streams: how they are written, read and compressed (section 2.6.10 of the draft).

For both ends: the client's (`tui.kube.forward`) and the sandbox's (`tui.sandbox.streams`).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from typing import Final

#: Bytes that a block of headers may have, decompressed. Those of a port-forward are empty or nearly so.
MAX_HEADERS: Final = 64 * 1024
_WORD: Final = struct.Struct(">I")

# What both ends' compressors are primed with: words, each after its length in 32 bits, and
# then plain text.
_WORDS: Final = (
    "options|head|post|put|delete|trace|accept|accept-charset|accept-encoding|accept-language|accept-ranges|age|allow|"
    "authorization|cache-control|connection|content-base|content-encoding|content-language|content-length|"
    "content-location|content-md5|content-range|content-type|date|etag|expect|expires|from|host|if-match|"
    "if-modified-since|if-none-match|if-range|if-unmodified-since|last-modified|location|max-forwards|pragma|"
    "proxy-authenticate|proxy-authorization|range|referer|retry-after|server|te|trailer|transfer-encoding|upgrade|"
    "user-agent|vary|via|warning|www-authenticate|method|get|status|200 OK|version|HTTP/1.1|url|public|set-cookie|"
    "keep-alive|origin"
)
_TAIL: Final = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized"
    "403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable"
    "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
    "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,"
    "text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)
#: 1,423 bytes.
DICTIONARY: Final = (
    b"".join(len(word).to_bytes(4, "big") + word.encode() for word in _WORDS.split("|")) + _TAIL.encode()
)


def block(headers: Mapping[str, str]) -> bytes:
    """Headers as they stand in a frame, before they are compressed; names are lower case."""
    texts = [text.encode() for header in headers.items() for text in header]
    return _WORD.pack(len(headers)) + b"".join(_WORD.pack(len(text)) + text for text in texts)


def unpacked(unpacker: zlib._Decompress, packed: bytes) -> bytes:
    """A block, decompressed; one stream of zlib runs through all blocks of a connection.

    Raises:
        ValueError: it cannot be, or there is too much of it; the message is for people.
    """
    try:
        found = unpacker.decompress(packed, MAX_HEADERS + 1)
    except zlib.error as error:
        raise ValueError(f"headers cannot be decompressed: {error}") from None
    if len(found) > MAX_HEADERS:
        raise ValueError(f"headers of more than {MAX_HEADERS} bytes")
    if unpacker.eof:
        raise ValueError("the compression of headers was ended")
    return found


def texts(found: bytes) -> list[bytes]:
    """The names and values of a block, by turns.

    Raises:
        ValueError: it is not a count, and so many names and values, each after its length.
    """
    made: list[bytes] = []
    try:
        (count,), at = _WORD.unpack_from(found), 4
        for _ in range(2 * count):
            (length,) = _WORD.unpack_from(found, at)
            made.append(found[at + 4 : at + 4 + length])
            at += 4 + length
    except struct.error:
        at = -1
    if at != len(found):
        raise ValueError("headers are cut off, or longer than they say")
    return made
