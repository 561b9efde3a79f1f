"""Certificates for the sandbox's own use: a certificate authority, the server's and the administrator's.

Written here because nothing that is always installed makes any: keys on P-256 and X.509 in DER (RFC 5280, RFC 5915,
SEC 1). It signs with fresh random numbers and takes no care of timing: the keys guard a server on loopback.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import os
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

_P = 2**256 - 2**224 + 2**192 + 2**96 - 1
_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
_DAYS = 3650

Point = tuple[int, int] | None


def _add(one: Point, other: Point) -> Point:
    if one is None or other is None:
        return one or other
    if one[0] == other[0]:
        if (one[1] + other[1]) % _P == 0:
            return None
        slope = (3 * one[0] * one[0] - 3) * pow(2 * one[1], -1, _P) % _P
    else:
        slope = (other[1] - one[1]) * pow(other[0] - one[0], -1, _P) % _P
    x = (slope * slope - one[0] - other[0]) % _P
    return x, (slope * (one[0] - x) - one[1]) % _P


def _times(factor: int, point: Point) -> tuple[int, int]:
    made: Point = None
    while factor:
        if factor & 1:
            made = _add(made, point)
        point, factor = _add(point, point), factor >> 1
    if made is None:
        raise ArithmeticError("the factor is a multiple of the group's order")
    return made


def _der(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    size = len(body)
    if size < 128:
        return bytes((tag, size)) + body
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 128 + len(length))) + length + body


def _sequence(*parts: bytes) -> bytes:
    return _der(0x30, *parts)


def _integer(value: int) -> bytes:
    return _der(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _object(dotted: str) -> bytes:
    first, second, *rest = (int(part) for part in dotted.split("."))
    made = bytes((40 * first + second,))
    for part in rest:
        chunk = [part & 127]
        while part := part >> 7:
            chunk.append(128 | part & 127)
        made += bytes(reversed(chunk))
    return _der(0x06, made)


def _bits(data: bytes, unused: int = 0) -> bytes:
    return _der(0x03, bytes((unused,)), data)


_SHA256 = _sequence(_object("1.2.840.10045.4.3.2"))
_CURVE = _object("1.2.840.10045.3.1.7")


def _name(common: str, groups: tuple[str, ...] = ()) -> bytes:
    parts = [("2.5.4.10", group) for group in groups] + [("2.5.4.3", common)]
    return _sequence(*(_der(0x31, _sequence(_object(key), _der(0x0C, text.encode()))) for key, text in parts))


def _time(seconds: float) -> bytes:
    return _der(0x18, time.strftime("%Y%m%d%H%M%SZ", time.gmtime(seconds)).encode())


def _extension(dotted: str, value: bytes, *, critical: bool = False) -> bytes:
    return _sequence(_object(dotted), *([_der(0x01, b"\xff")] if critical else []), _der(0x04, value))


def _pem(label: str, der: bytes) -> str:
    text = base64.b64encode(der).decode()
    lines = "\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    return f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n"


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key, both PEM."""

    certificate: str
    key: str


class Authority:
    """Signs certificates; it is made anew each time, and its key is never written."""

    def __init__(self, name: str = "statetui-sandbox-ca") -> None:
        self._issuer = _name(name)
        self._secret, public = _fresh()
        self._identity = hashlib.sha1(public, usedforsecurity=False).digest()
        limits = (
            _extension("2.5.29.19", _sequence(_der(0x01, b"\xff")), critical=True),
            _extension("2.5.29.15", _bits(b"\x06", 1), critical=True),
            _extension("2.5.29.14", _der(0x04, self._identity)),
        )
        self.certificate = _pem("CERTIFICATE", self._signed(self._issuer, public, limits))

    def _signed(self, subject: bytes, public: bytes, extensions: tuple[bytes, ...]) -> bytes:
        start = time.time() - 3600
        key = _sequence(_sequence(_object("1.2.840.10045.2.1"), _CURVE), _bits(public))
        body = _sequence(
            _der(0xA0, _integer(2)),
            _integer(secrets.randbits(127)),
            _SHA256,
            self._issuer,
            _sequence(_time(start), _time(start + _DAYS * 86400)),
            subject,
            key,
            _der(0xA3, _sequence(*extensions)),
        )
        return _sequence(body, _SHA256, _bits(self._sign(body)))

    def _sign(self, data: bytes) -> bytes:
        digest = int.from_bytes(hashlib.sha256(data).digest(), "big")
        while True:
            once = secrets.randbelow(_N - 1) + 1
            r = _times(once, _G)[0] % _N
            s = pow(once, -1, _N) * (digest + r * self._secret) % _N
            if r and s:
                return _sequence(_integer(r), _integer(s))

    def issue(
        self, common: str, *, groups: tuple[str, ...] = (), names: tuple[str, ...] = (), server: bool = False
    ) -> Pair:
        """A certificate and its key; `names` are the DNS names and addresses of a server."""
        secret, public = _fresh()
        alternatives = []
        for name in names:
            try:
                alternatives.append(_der(0x87, ipaddress.ip_address(name).packed))
            except ValueError:
                alternatives.append(_der(0x82, name.encode("ascii")))
        usage = "1.3.6.1.5.5.7.3.1" if server else "1.3.6.1.5.5.7.3.2"
        extensions = (
            _extension("2.5.29.19", _sequence(), critical=True),
            _extension("2.5.29.15", _bits(b"\x80", 7), critical=True),
            _extension("2.5.29.37", _sequence(_object(usage))),
            _extension("2.5.29.35", _sequence(_der(0x80, self._identity))),
            *([_extension("2.5.29.17", _sequence(*alternatives))] if alternatives else []),
        )
        certificate = _pem("CERTIFICATE", self._signed(_name(common, groups), public, extensions))
        private = _sequence(
            _integer(1), _der(0x04, secret.to_bytes(32, "big")), _der(0xA0, _CURVE), _der(0xA1, _bits(public))
        )
        return Pair(certificate, _pem("EC PRIVATE KEY", private))


def _fresh() -> tuple[int, bytes]:
    secret = secrets.randbelow(_N - 1) + 1
    x, y = _times(secret, _G)
    return secret, b"\x04" + x.to_bytes(32, "big") + y.to_bytes(32, "big")


def write_private(path: Path, text: str) -> None:
    """Writes a file that only its owner may read, whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    made = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(made, "w", encoding="utf-8") as file:
        file.write(text)
    new.replace(path)
