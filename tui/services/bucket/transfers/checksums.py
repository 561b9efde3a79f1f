"""Checksums of what is moved: CRC-32 where the server keeps one, MD5 by way of the ETag where it does not.

CRC-32 is the choice because CPython has it in C (it releases the interpreter's lock), and because those of parts can be
joined to that of the whole (`FULL_OBJECT` in S3's words). CRC32C and CRC64NVME have no implementation in the standard
library; objects that bear those only are verified by their ETag.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

_MD5 = re.compile(r"[0-9a-f]{32}")
_MD5_OF_PARTS = re.compile(r"([0-9a-f]{32})-([0-9]+)")
_POLYNOMIAL = 0xEDB88320


class Kind(StrEnum):
    """What a whole can be compared by."""

    CRC32 = "CRC-32"
    CRC32_OF_PARTS = "CRC-32 of its parts"
    MD5 = "MD5 (ETag)"
    MD5_OF_PARTS = "MD5 of its parts (ETag)"
    SIZE = "size only"


@dataclass(frozen=True, slots=True)
class Expected:
    """What the server says about a whole object.

    Attributes:
        value: the raw digest.
        parts: how many, for the kinds of parts.
    """

    kind: Kind
    value: bytes = b""
    parts: int = 0


def expected(headers: Mapping[str, str]) -> Expected:
    """The best that the headers of a HEAD or GET with `x-amz-checksum-mode: ENABLED` offer.

    Objects encrypted with a key of the customer's or of a KMS have ETags that are no digests.
    """
    etag = headers.get("ETag", "").strip('"').lower()
    encrypted = headers.get("x-amz-server-side-encryption", "AES256") != "AES256" or any(
        name.lower().startswith("x-amz-server-side-encryption-customer") for name in headers
    )
    text = headers.get("x-amz-checksum-crc32", "")
    value, _, count = text.partition("-")
    whole = headers.get("x-amz-checksum-type", "FULL_OBJECT").upper() == "FULL_OBJECT" and not count
    digest = unpacked(value)
    of_parts = _MD5_OF_PARTS.fullmatch(etag)
    if digest is not None and (whole or not of_parts):
        return Expected(Kind.CRC32, digest)
    if digest is not None and count.isdigit():
        return Expected(Kind.CRC32_OF_PARTS, digest, int(count))
    if encrypted:
        return Expected(Kind.SIZE)
    if of_parts:
        return Expected(Kind.MD5_OF_PARTS, bytes.fromhex(of_parts[1]), int(of_parts[2]))
    if _MD5.fullmatch(etag):
        return Expected(Kind.MD5, bytes.fromhex(etag))
    return Expected(Kind.SIZE)


def packed(crc: int) -> str:
    """A CRC-32 as S3's headers have it: base64 of four bytes, the highest first."""
    return base64.b64encode(crc.to_bytes(4, "big")).decode()


def unpacked(text: str) -> bytes | None:
    """The digest of a header, None when it is none."""
    try:
        return base64.b64decode(text, validate=True) or None
    except binascii.Error:
        return None


def md5_of_parts(digests: Sequence[bytes]) -> bytes:
    """What stands before the dash of a multipart upload's ETag."""
    return hashlib.md5(b"".join(digests), usedforsecurity=False).digest()


def crc32_of_parts(crcs: Sequence[int]) -> bytes:
    """S3's `COMPOSITE` CRC-32: that of the parts' own, one after the other."""
    return zlib.crc32(b"".join(crc.to_bytes(4, "big") for crc in crcs)).to_bytes(4, "big")


def joined(parts: Sequence[tuple[int, int]]) -> int:
    """The CRC-32 of a whole.

    Args:
        parts: (CRC-32, size in bytes) of each part, in their order.
    """
    whole = 0
    for crc, size in parts:
        whole = _multiplied(_power(size), whole) ^ crc
    return whole


# Appending n bytes multiplies the register by x^(8n) modulo the polynomial (zlib's crc32_combine does the same).
# Polynomials over GF(2) with their lowest power in the highest bit, as the reflected CRC-32 has them.


def _multiplied(a: int, b: int) -> int:
    product = 0
    mask = 1 << 31
    while a:
        if a & mask:
            product ^= b
            a ^= mask
        mask >>= 1
        b = (b >> 1) ^ _POLYNOMIAL if b & 1 else b >> 1
    return product


def _squares() -> tuple[int, ...]:
    """x^8, x^16, x^32 …: the effect of 1, 2, 4 … bytes."""
    power = 1 << 23
    found = []
    for _ in range(64):
        found.append(power)
        power = _multiplied(power, power)
    return tuple(found)


_SQUARES = _squares()


def _power(size: int) -> int:
    result = 1 << 31  # x^0
    at = 0
    while size:
        if size & 1:
            result = _multiplied(_SQUARES[at], result)
        size >>= 1
        at += 1
    return result
