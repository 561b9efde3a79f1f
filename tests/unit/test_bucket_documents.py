"""Policies, settings and errors of S3: what is read out of them, what is refused before it is sent, what is said."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tui.problem import Cause, ProblemError
from tui.services.bucket import xml
from tui.services.bucket.documents import to_json, to_xml
from tui.services.bucket.errors import check_key, said, store_error
from tui.services.bucket.model import Anonymous, Keys, Request, StoreError
from tui.services.bucket.policies import anonymous_of, checked, policy_for

KEYS = Keys("access", "the-secret", source="Secret shop/creds, key secretkey")
OBJECTS = "arn:aws:s3:::shop/*"


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def statement(**changes: Any) -> dict[str, Any]:
    """Everybody may read all of the bucket."""
    found = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": OBJECTS} | changes
    return {name: value for name, value in found.items() if value is not None}


# --- policies


@pytest.mark.parametrize("access", [Anonymous.NONE, Anonymous.READ, Anonymous.WRITE, Anonymous.BOTH])
def test_what_is_written_is_read_as_the_same(access: Anonymous) -> None:
    text = policy_for("shop", access)
    assert anonymous_of(text, "shop") is access
    if text:
        checked(text, "shop")
        actions = {action for one in json.loads(text)["Statement"] for action in one["Action"]}
        assert ("s3:PutObject" in actions) is (access is not Anonymous.READ)
        assert ("s3:GetObject" in actions) is (access is not Anonymous.WRITE)
        assert "s3:*" not in actions


@pytest.mark.parametrize(
    ("text", "access"),
    [
        ("", Anonymous.NONE),
        ("{", Anonymous.UNKNOWN),
        (policy(statement()), Anonymous.READ),
        (policy(statement(Principal={"AWS": "*"})), Anonymous.READ),
        (policy(statement(Principal={"AWS": ["*"]}, Action=["s3:GetObject", "s3:PutObject"])), Anonymous.BOTH),
        (policy(statement(Action="s3:*")), Anonymous.BOTH),
        (policy(statement(Action="*")), Anonymous.BOTH),
        (policy(statement(Principal={"AWS": "arn:aws:iam::1:user/ada"})), Anonymous.NONE),
        (policy(statement(Effect="Deny")), Anonymous.NONE),
        (policy(statement(Resource="arn:aws:s3:::shop/public/*")), Anonymous.CUSTOM),
        (policy(statement(Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})), Anonymous.CUSTOM),
        (policy(statement(Action="s3:DeleteObject")), Anonymous.CUSTOM),
        (policy(statement(Action="s3:ListBucket", Resource="arn:aws:s3:::shop")), Anonymous.CUSTOM),
        (policy(statement(), statement(Effect="Deny", Action="s3:GetObject")), Anonymous.CUSTOM),
        (policy(statement(Action=None, NotAction="s3:DeleteObject")), Anonymous.CUSTOM),
        (policy(statement(Resource=None, NotResource="arn:aws:s3:::shop/private/*")), Anonymous.CUSTOM),
    ],
)
def test_what_everybody_may_do(text: str, access: Anonymous) -> None:
    assert anonymous_of(text, "shop") is access


def test_what_anybody_may_do_is_never_taken_for_private() -> None:
    """A policy that is not understood as a whole must not look like none."""
    for changes in (
        {"Action": ["s3:Get*"]}, {"Action": "s3:getobject"}, {"Resource": "*"}, {"Resource": ["*"]},
        {"Resource": "arn:aws:s3:::*"}, {"Resource": "arn:aws:s3:::sh*"}, {"Principal": ["*"]},
    ):  # fmt: skip
        assert anonymous_of(policy(statement(**changes)), "shop") is not Anonymous.NONE, changes


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "no JSON: .*line 1 column 2"),
        ("[]", "an object with a list"),
        ('"text"', "an object with a list"),
        ("{}", "an object with a list"),
        (policy(), "an object with a list"),
        (policy(statement(Effect="Maybe")), "Statement 1: Effect is"),
        (policy(statement(Action=None)), "Statement 1 has no Action"),
        (policy(statement(), statement(Resource=None)), "Statement 2 has no Resource"),
        (policy(statement(Resource="arn:aws:s3:::other/*")), "another bucket: arn:aws:s3:::other"),
        (policy(statement(Resource=[OBJECTS, "arn:aws:s3:::shopping"])), "another bucket"),
    ],
)
def test_a_policy_that_is_refused_before_it_is_sent(text: str, said: str) -> None:
    with pytest.raises(ProblemError, match=said) as wrong:
        checked(text, "shop")
    assert wrong.value.problem.cause is Cause.CONFIG
    assert wrong.value.problem.remedy == "Nothing was changed."


def test_a_policy_is_sent_as_it_was_written() -> None:
    text = policy(statement(Sid="ü"), statement(Action=None, NotAction="s3:DeleteObject", Resource="*"))
    assert json.loads(checked(text, "shop")) == json.loads(text)


# --- settings


LIFECYCLE = (
    '<LifecycleConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Rule><ID>007</ID><Status>Enabled</Status>'
    "<Filter><And><Prefix>a&amp;b/</Prefix><Tag><Key>k</Key><Value>v</Value></Tag></And></Filter>"
    "<Expiration><Days>7</Days></Expiration></Rule><Rule><ID>two</ID><Status>Disabled</Status><Filter/>"
    "<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration></Rule>"
    "</LifecycleConfiguration>"
)


def test_settings_go_to_json_and_back() -> None:
    text = to_json(LIFECYCLE)
    told = json.loads(text)
    assert [rule["Status"] for rule in told["Rules"]] == ["Enabled", "Disabled"]
    assert told["Rules"][0]["Filter"] == {"And": {"Prefix": "a&b/", "Tags": [{"Key": "k", "Value": "v"}]}}
    assert told["Rules"][0]["Expiration"] == {"Days": 7}
    assert told["Rules"][1]["Expiration"] == {"ExpiredObjectDeleteMarker": True}
    assert json.loads(to_json(to_xml(text, "LifecycleConfiguration"))) == told


def test_texts_that_look_like_numbers_stay_as_they_were() -> None:
    assert "<ID>007</ID>" in to_xml(to_json(LIFECYCLE), "LifecycleConfiguration")


@pytest.mark.parametrize("text", ["", "{", "[]", '"x"', "1"])
def test_what_is_no_object_is_not_sent(text: str) -> None:
    with pytest.raises(ProblemError, match="It is no JSON"):
        to_xml(text, "LifecycleConfiguration")


# --- answers


def test_an_answer_that_is_no_xml_is_told() -> None:
    with pytest.raises(StoreError) as wrong:
        xml.parse(b"<html>a proxy's page")
    assert wrong.value.problem.cause is Cause.PROTOCOL
    assert "a proxy's page" in wrong.value.problem.evidence


def test_an_error_may_come_with_a_good_status() -> None:
    with pytest.raises(StoreError) as wrong:
        xml.parse(b"\n\n<Error><Code>InternalError</Code><Message>We have failed</Message></Error>")
    assert (wrong.value.code, wrong.value.message) == ("InternalError", "We have failed")


def test_entities_of_a_document_blow_nothing_up() -> None:
    bomb = b'<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">' + b"".join(
        f'<!ENTITY {chr(98 + at)} "{f"&{chr(97 + at)};" * 10}">'.encode() for at in range(12)
    )
    with pytest.raises(StoreError):
        xml.parse(bomb + b"]><a>&m;</a>")
    assert said(bomb + b"]><Error><Code>&m;</Code></Error>") == ("", "")


# --- refusals


def document(code: str, message: str) -> bytes:
    return f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()


@pytest.mark.parametrize(
    ("status", "code", "cause", "remedy"),
    [
        (403, "AccessDenied", Cause.FORBIDDEN, "policy that allows it"),
        (403, "SignatureDoesNotMatch", Cause.CREDENTIALS, "Secret shop/creds, key secretkey"),
        (403, "InvalidAccessKeyId", Cause.CREDENTIALS, "Secret shop/creds, key secretkey"),
        (403, "RequestTimeTooSkewed", Cause.FORBIDDEN, "clock"),
        (404, "NoSuchBucket", Cause.ABSENT, "list the buckets"),
        (404, "NoSuchKey", Cause.ABSENT, "list the keys"),
        (409, "BucketNotEmpty", Cause.REJECTED, "with its contents"),
        (409, "BucketAlreadyExists", Cause.REJECTED, "choose another"),
        (400, "InvalidBucketName", Cause.REJECTED, "3 to 63"),
        (400, "KeyTooLongError", Cause.REJECTED, "1,024"),
        (429, "SlowDown", Cause.THROTTLED, "later"),
        (507, "XMinioStorageFull", Cause.SERVER, "full"),
    ],
)
def test_refusals_say_what_to_do(status: int, code: str, cause: Cause, remedy: str) -> None:
    error = store_error(status, {}, document(code, "words of the server"), "GET shop/a", KEYS)
    assert (error.code, error.message, error.status) == (code, "words of the server", status)
    assert error.problem.cause is cause
    assert error.problem.evidence == f"{code}: words of the server"
    assert remedy in error.problem.remedy
    assert "the-secret" not in str(error) + repr(error)


@pytest.mark.parametrize(
    ("status", "only_bucket", "code"),
    [(404, True, "NoSuchBucket"), (404, False, "NoSuchKey"), (403, False, "AccessDenied"), (412, False,
     "PreconditionFailed"), (405, False, "MethodNotAllowed"), (502, False, "HTTP 502"), (503, False, "SlowDown")],
)  # fmt: skip
def test_answers_without_a_document(status: int, only_bucket: bool, code: str) -> None:
    error = store_error(status, {}, b"", "HEAD shop/a", KEYS, bucket_only=only_bucket)
    assert error.code == code and error.status == status


def test_what_minio_says_in_headers_and_a_proxy_in_a_page() -> None:
    headers = {"x-minio-error-code": "NoSuchVersion", "x-minio-error-desc": '"The version is not there"'}
    error = store_error(404, headers, b"", "HEAD shop/a", KEYS)
    assert (error.code, error.message) == ("NoSuchVersion", "The version is not there")
    error = store_error(502, {}, b"<html>Bad gateway</html>" + b"x" * 1000, "GET shop/a", KEYS)
    assert error.problem.cause is Cause.SERVER
    assert "Bad gateway" in error.problem.evidence
    assert len(error.problem.evidence) < 400


@pytest.mark.parametrize(
    ("server", "refused"), [("MinIO", True), ("MinIO/2026", True), ("SeaweedFS", False), ("", False)]
)
def test_a_key_that_minio_would_take_for_another(server: str, refused: bool) -> None:
    check_key(server, Request("PUT", "shop", "a/b"))
    if not refused:
        check_key(server, Request("PUT", "shop", "/a"))
        return
    for method in ("PUT", "DELETE", "GET"):
        with pytest.raises(ProblemError, match="it would take a for what is meant"):
            check_key(server, Request(method, "shop", "//a"))
