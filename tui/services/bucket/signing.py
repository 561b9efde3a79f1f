"""Signatures of S3 (AWS Signature Version 4), with a key that is derived once a day and not for each request.

The client library's signer derives the key each time and splits the URL again: 0.15 ms a request, which is most of what
a small object costs.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import email.utils
import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import quote

from tui.services.bucket.model import Keys

UNSIGNED = "UNSIGNED-PAYLOAD"
EMPTY = hashlib.sha256(b"").hexdigest()
_ALGORITHM = "AWS4-HMAC-SHA256"
#: Seconds from which a difference of the clocks is corrected. S3 bears 15 minutes.
_BORNE = 30.0


def path_of(bucket: str, key: str) -> str:
    """The path of a request, encoded as it is signed: every byte but unreserved ones and `/`.

    A key may begin with a slash, hold two of them in a row, or be `..`: none of it is normalised.
    """
    if not bucket:
        return "/"
    encoded = quote(key.encode("utf-8", "surrogateescape"), safe="/-_.~")
    # What clients and proxies would fold, is written so that nobody sees a path in it.
    segments = ["%2E" * len(one) if one in (".", "..") else one for one in encoded.split("/")]
    return f"/{quote(bucket, safe='-_.~')}/{'/'.join(segments)}" if key else f"/{quote(bucket, safe='-_.~')}"


def query_of(query: Mapping[str, str]) -> str:
    """The query, encoded and in the order in which it is signed."""
    pairs = ((quote(name, safe="-_.~"), quote(text.encode("utf-8", "surrogateescape"), safe="-_.~"))
             for name, text in query.items())  # fmt: skip
    return "&".join(f"{name}={text}" for name, text in sorted(pairs))


def ahead_in(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds by which a server's clock is ahead, by the Date of an answer; None where it has none.

    Args:
        headers: of the answer.
        now: our time, seconds since the epoch.
    """
    with contextlib.suppress(ValueError):
        return email.utils.parsedate_to_datetime(headers.get("Date") or "").timestamp() - now
    return None


class Signer:
    """Signs requests of one user to one region.

    Attributes:
        region: as the server wants it.
        skew: seconds by which the server's clock is ahead.
    """

    def __init__(self, keys: Keys, region: str = "us-east-1") -> None:
        self.keys = keys
        self.region = region
        self.skew = 0.0
        self._derived: tuple[str, str, bytes] = ("", "", b"")

    def heed(self, ahead: float) -> bool:
        """Signs by the server's time from now on, where ours differs; either clock may be set at any time.

        Args:
            ahead: seconds by which the server's clock is ahead now.

        Returns:
            Whether what was refused for its time may be taken now.
        """
        if abs(ahead - self.skew) <= _BORNE:
            return False
        self.skew = ahead if abs(ahead) > _BORNE else 0.0
        return True

    def sign(
        self, method: str, host: str, path: str, query: str, headers: Mapping[str, str], payload: str,
        service: str = "s3",
    ) -> dict[str, str]:  # fmt: skip
        """The headers of a request with its signature among them.

        Args:
            method: of HTTP.
            host: as the Host header has it.
            path: encoded, see `path_of`.
            query: encoded, see `query_of`.
            headers: those of the request; `x-amz-…`, Content-MD5 and Content-Type are signed.
            payload: SHA-256 of the body in hexadecimal digits, or UNSIGNED.
            service: the service's name in the scope.
        """
        at = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=self.skew)
        stamp = at.strftime("%Y%m%dT%H%M%SZ")
        found = dict(headers)
        found["Host"] = host
        found["x-amz-date"] = stamp
        found["x-amz-content-sha256"] = payload
        if self.keys.token:
            found["x-amz-security-token"] = self.keys.token
        signed = sorted(
            (name.lower(), " ".join(text.split()))
            for name, text in found.items()
            if name.lower().startswith("x-amz-") or name.lower() in ("host", "content-md5", "content-type")
        )
        names = ";".join(name for name, _ in signed)
        lines = "".join(f"{name}:{text}\n" for name, text in signed)
        request = f"{method}\n{path}\n{query}\n{lines}\n{names}\n{payload}"
        scope = f"{stamp[:8]}/{self.region}/{service}/aws4_request"
        digest = hashlib.sha256(request.encode("utf-8", "surrogateescape")).hexdigest()
        text = f"{_ALGORITHM}\n{stamp}\n{scope}\n{digest}"
        signature = hmac.digest(self._key(stamp[:8], service), text.encode(), "sha256").hex()
        found["Authorization"] = (
            f"{_ALGORITHM} Credential={self.keys.access}/{scope}, SignedHeaders={names}, Signature={signature}"
        )
        return found

    def presign(
        self, method: str, scheme: str, host: str, bucket: str, key: str, seconds: int, query: Mapping[str, str]
    ) -> str:
        """A link that works without credentials for a while.

        Args:
            method: GET or PUT.
            scheme: `http` or `https`.
            host: that others will use, with its port: it is part of the signature, no other name works.
            bucket: where.
            key: what.
            seconds: for how long, at most seven days.
            query: more of it (`versionId`, `response-content-disposition`).
        """
        at = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=self.skew)
        stamp = at.strftime("%Y%m%dT%H%M%SZ")
        scope = f"{stamp[:8]}/{self.region}/s3/aws4_request"
        given = {
            **query,
            "X-Amz-Algorithm": _ALGORITHM,
            "X-Amz-Credential": f"{self.keys.access}/{scope}",
            "X-Amz-Date": stamp,
            "X-Amz-Expires": str(seconds),
            "X-Amz-SignedHeaders": "host",
        }
        if self.keys.token:
            given["X-Amz-Security-Token"] = self.keys.token
        path, encoded = path_of(bucket, key), query_of(given)
        request = f"{method}\n{path}\n{encoded}\nhost:{host}\n\nhost\n{UNSIGNED}"
        digest = hashlib.sha256(request.encode("utf-8", "surrogateescape")).hexdigest()
        text = f"{_ALGORITHM}\n{stamp}\n{scope}\n{digest}"
        signature = hmac.digest(self._key(stamp[:8], "s3"), text.encode(), "sha256").hex()
        return f"{scheme}://{host}{path}?{encoded}&X-Amz-Signature={signature}"

    def _key(self, day: str, service: str) -> bytes:
        at = f"{day}/{self.region}/{service}"
        if self._derived[0] != at or self._derived[1] != self.keys.secret:
            key = f"AWS4{self.keys.secret}".encode()
            for part in (day, self.region, service, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._derived = (at, self.keys.secret, key)
        return self._derived[2]
