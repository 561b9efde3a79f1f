"""Signatures of S3: AWS's published examples, the client library's own, and how keys stand in paths."""

from __future__ import annotations

import datetime as dt
import hashlib
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
from miniopy_async.credentials import Credentials
from miniopy_async.signer import sign_v4_s3

from tui.services.bucket import signing
from tui.services.bucket.model import Facts, Keys, Product
from tui.services.bucket.signing import EMPTY, UNSIGNED, Signer, ahead_in, path_of, query_of

#: Of "Authenticating Requests (AWS Signature Version 4)" in the API reference of Amazon S3.
EXAMPLE = Keys("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
HOST = "examplebucket.s3.amazonaws.com"
MOMENT = dt.datetime(2013, 5, 24, tzinfo=dt.UTC)
NASTY = ["plain", "a b", "a+b", "per%20cent", "ü/ß", "emoji😀", "a//b", "/lead", "new\nline", "q?x=1&y=2#z", "~-_.",
         "!'()*", "back\\slash", "colon:semi;at@", "\udcff"]  # fmt: skip


@pytest.fixture(autouse=True)
def then(monkeypatch: pytest.MonkeyPatch) -> None:
    at(monkeypatch, MOMENT)


def at(monkeypatch: pytest.MonkeyPatch, moment: dt.datetime) -> None:
    clock = SimpleNamespace(datetime=SimpleNamespace(now=lambda zone: moment), UTC=dt.UTC, timedelta=dt.timedelta)
    monkeypatch.setattr(signing, "dt", clock)


def signature(headers: dict[str, str]) -> str:
    return headers["Authorization"].rpartition("Signature=")[2]


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ({"lifecycle": ""}, "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
        ({"prefix": "J", "max-keys": "2"}, "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
    ],
)
def test_published_requests(query: dict[str, str], wanted: str) -> None:
    headers = Signer(EXAMPLE).sign("GET", HOST, "/", query_of(query), {}, EMPTY)
    assert signature(headers) == wanted
    assert headers["Authorization"].startswith(
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
        "SignedHeaders=host;x-amz-content-sha256;x-amz-date, "
    )
    assert headers["x-amz-date"] == "20130524T000000Z"


def test_the_published_link() -> None:
    # The example names the bucket in the host, and not in the path.
    link = Signer(EXAMPLE).presign("GET", "https", HOST, "test.txt", "", 86400, {})
    assert link == (
        "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
        "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    )


@pytest.mark.parametrize("key", NASTY, ids=[one.encode("utf-8", "backslashreplace").hex()[:12] for one in NASTY])
def test_it_signs_as_the_library_does(key: str) -> None:
    path, query = path_of("bucket", key), query_of({"uploads": "", "prefix": key, "a": "b c"})
    payload = hashlib.sha256(b"body").hexdigest()
    given = {"x-amz-meta-name": "two   blanks", "Content-Type": "text/plain", "Range": "bytes=0-9"}
    ours = Signer(EXAMPLE, "eu-west-1").sign("PUT", "store:9000", path, query, given, payload)
    theirs = sign_v4_s3(
        "PUT", urlsplit(f"http://store:9000{path}?{query}"), "eu-west-1",
        {"Host": "store:9000", "x-amz-date": "20130524T000000Z", "x-amz-content-sha256": payload,
         "x-amz-meta-name": "two   blanks", "Content-Type": "text/plain"},
        Credentials(EXAMPLE.access, EXAMPLE.secret), payload, MOMENT,
    )  # fmt: skip
    assert signature(ours) == signature(dict(theirs))
    assert ours["Range"] == "bytes=0-9", "what is not signed is sent all the same"


def test_a_day_a_region_or_a_secret_makes_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    signer = Signer(EXAMPLE)
    seen = [signature(signer.sign("GET", HOST, "/", "", {}, EMPTY))]
    assert signature(signer.sign("GET", HOST, "/", "", {}, EMPTY)) == seen[0]
    at(monkeypatch, MOMENT + dt.timedelta(days=1))
    seen.append(signature(signer.sign("GET", HOST, "/", "", {}, EMPTY)))
    signer.region = "eu-west-1"
    seen.append(signature(signer.sign("GET", HOST, "/", "", {}, EMPTY)))
    signer.keys = Keys(EXAMPLE.access, "another")
    seen.append(signature(signer.sign("GET", HOST, "/", "", {}, EMPTY)))
    assert len(set(seen)) == 4
    at(monkeypatch, MOMENT)
    assert signature(Signer(EXAMPLE).sign("GET", HOST, "/", "", {}, EMPTY)) == seen[0]


def test_the_servers_clock_and_a_temporary_token() -> None:
    signer = Signer(Keys(EXAMPLE.access, EXAMPLE.secret, "the-token"))
    signer.skew = 3600
    headers = signer.sign("GET", HOST, "/", "", {}, UNSIGNED)
    assert headers["x-amz-date"] == "20130524T010000Z"
    assert headers["x-amz-security-token"] == "the-token"
    assert "x-amz-security-token" in headers["Authorization"]
    link = signer.presign("PUT", "http", "store:9000", "bucket", "key", 60, {"versionId": "1"})
    assert "X-Amz-Date=20130524T010000Z" in link
    assert "X-Amz-Security-Token=the-token" in link
    assert link.startswith("http://store:9000/bucket/key?")
    assert "versionId=1" in link
    assert "wJalr" not in repr(signer.keys) and "the-token" not in repr(signer.keys)


def test_clocks_may_be_set_while_it_goes_on() -> None:
    signer = Signer(EXAMPLE)
    assert not signer.heed(20) and signer.skew == 0, "an answer takes its time"
    assert signer.heed(7200) and signer.skew == 7200
    assert not signer.heed(7210) and signer.skew == 7200
    assert signer.heed(1) and signer.skew == 0, "our clock was set right"
    assert signer.heed(-900) and signer.skew == -900


@pytest.mark.parametrize(
    ("date", "ahead"),
    [("Thu, 01 Jan 1970 02:00:00 GMT", 7200.0), ("", None), ("yesterday", None)],
)
def test_the_time_of_an_answer(date: str, ahead: float | None) -> None:
    assert ahead_in({"Date": date} if date else {}, 0.0) == ahead


@pytest.mark.parametrize(
    ("skew", "words"),
    [
        (59, ""), (-59, ""),
        (61, "the server's clock is 1 min ahead of this machine's"),
        (-10800.4, "the server's clock is 3 h behind this machine's"),
        (90061, "the server's clock is 1 d 1 h 1 min ahead of this machine's"),
    ],
)  # fmt: skip
def test_a_difference_in_words(skew: float, words: str) -> None:
    facts = Facts(Product.MINIO, "", "off", "key", "us-east-1", skew)
    assert facts.clock == words
    assert abs((facts.now() - dt.datetime.now(dt.UTC)).total_seconds() - skew) < 5


@pytest.mark.parametrize(
    ("bucket", "key", "path"),
    [
        ("", "", "/"),
        ("b", "", "/b"),
        ("b", "a/b", "/b/a/b"),
        ("b", "/lead", "/b//lead"),
        ("b", "a//b", "/b/a//b"),
        ("b", "../up", "/b/%2E%2E/up"),
        ("b", "a/./b/..", "/b/a/%2E/b/%2E%2E"),
        ("b", "a/...", "/b/a/..."),
        ("b", "ü +%?#&", "/b/%C3%BC%20%2B%25%3F%23%26"),
        ("b", "\n\0", "/b/%0A%00"),
        ("b", "\udcff", "/b/%FF"),
    ],
)
def test_paths(bucket: str, key: str, path: str) -> None:
    assert path_of(bucket, key) == path


def test_queries_are_sorted_as_they_are_signed() -> None:
    assert query_of({"b": "1", "a": "x y/+", "A": "", "a-b": "ü"}) == "A=&a=x%20y%2F%2B&a-b=%C3%BC&b=1"
    assert query_of({}) == ""
