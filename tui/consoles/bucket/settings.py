"""What is set on buckets and objects: policy, lifecycle, tags; and a version brought back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tui.consoles.bucket.editor import TextEditor, check_json
from tui.consoles.bucket.moves import wrong
from tui.consoles.forms import Field, Form
from tui.text import safe
from tui.widgets.lines import Line

if TYPE_CHECKING:
    from tui.consoles.bucket.browsing import BrowsingScreen
    from tui.services.bucket.model import Entry

#: S3's bounds of tags.
TAGS, TAG_KEY, TAG_VALUE = 10, 128, 256
POLICY = """{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Principal": {"AWS": ["*"]},
      "Action": ["s3:GetObject"],
      "Resource": ["arn:aws:s3:::%s/public/*"]
    }
  ]
}
"""
LIFECYCLE = """{
  "Rules": [
    {
      "ID": "old-logs",
      "Status": "Enabled",
      "Filter": {"Prefix": "logs/"},
      "Expiration": {"Days": 30}
    }
  ]
}
"""
_PARTS = ("Effect", "Action", "Resource")
#: What a rule of a lifecycle may do; one of them is needed.
_DOES = (
    "Expiration", "NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload", "Transition",
    "NoncurrentVersionTransition",
)  # fmt: skip


def check_policy(text: str, bucket: str) -> None:
    """Refuses a text that cannot be a bucket's policy.

    Raises:
        ProblemError: what is wrong, and where.
    """
    policy = check_json(text)
    if policy is None:
        return
    if not isinstance(policy, dict) or not isinstance(policy.get("Statement"), list | dict):
        raise wrong("A policy is an object with a Statement", "Nothing was sent.")
    statements = policy["Statement"] if isinstance(policy["Statement"], list) else [policy["Statement"]]
    for at, statement in enumerate(statements, 1):
        _check_statement(statement, at, bucket)


def _check_statement(statement: Any, at: int, bucket: str) -> None:  # noqa: ANN401  (somebody's JSON)
    if not isinstance(statement, dict):
        raise wrong(f"Statement {at} is no object", "Nothing was sent.")
    for part in _PARTS:
        if not statement.get(part) and not statement.get(f"Not{part}"):
            raise wrong(f"Statement {at} has no {part}", "Nothing was sent.")
    if statement.get("Effect") not in ("Allow", "Deny"):
        raise wrong(f"Statement {at}: Effect is Allow or Deny, not {statement.get('Effect')!r}", "Nothing was sent.")
    resources = statement.get("Resource") or []
    for one in [resources] if isinstance(resources, str) else resources:
        named = str(one).removeprefix("arn:aws:s3:::")
        if not str(one).startswith("arn:aws:s3:::") or named.partition("/")[0] not in (bucket, "*", f"{bucket}*"):
            raise wrong(f"Statement {at}: {one!r} is not in this bucket", f"Write arn:aws:s3:::{bucket}/…")


def check_lifecycle(text: str) -> None:
    """Refuses a text that cannot be lifecycle rules.

    Raises:
        ProblemError: what is wrong, and where.
    """
    rules = check_json(text)
    if rules is None:
        return
    if not isinstance(rules, dict) or not isinstance(rules.get("Rules"), list):
        raise wrong("Lifecycle rules are an object with a list Rules", "Nothing was sent.")
    for at, rule in enumerate(rules["Rules"], 1):
        if not isinstance(rule, dict) or rule.get("Status") not in ("Enabled", "Disabled"):
            raise wrong(f"Rule {at}: Status is Enabled or Disabled", "Nothing was sent.")
        if not any(rule.get(one) for one in _DOES):
            raise wrong(f"Rule {at} does nothing", f"One of {', '.join(_DOES)} is needed.")


def policy(console: BrowsingScreen, bucket: str) -> None:
    """Views and changes the policy."""

    async def show() -> None:
        text = await console.client.policy(bucket)
        console.app.push_screen(
            TextEditor(f"Policy of {bucket}", text, start=POLICY % bucket, save=save, locked=console.guard.read_only,
                       check=lambda typed: check_policy(typed, bucket))
        )  # fmt: skip

    async def save(text: str) -> None:
        await console.client.set_policy(bucket, text)
        console.tell(f"Policy of {bucket} {'set' if text else 'taken away'}", "ready")
        if console.browser is not None:
            console.browser.anonymous[bucket] = await console.client.anonymous(bucket)
            console.look()

    console.do(show())


def lifecycle(console: BrowsingScreen, bucket: str) -> None:
    """Views and changes what expires."""

    async def show() -> None:
        text = await console.client.lifecycle(bucket)
        console.app.push_screen(
            TextEditor(f"Lifecycle of {bucket}", text, start=LIFECYCLE, check=check_lifecycle, save=save,
                       locked=console.guard.read_only)
        )  # fmt: skip

    async def save(text: str) -> None:
        await console.client.set_lifecycle(bucket, text)
        console.tell(f"Lifecycle of {bucket} {'set' if text else 'taken away'}", "ready")

    console.do(show())


def tags_of(text: str) -> dict[str, str]:
    """`team=shop, stage=test` as tags.

    Raises:
        ProblemError: S3 has no such tags.
    """
    found: dict[str, str] = {}
    for part in filter(None, (one.strip() for one in text.split(","))):
        name, equals, value = (one.strip() for one in part.partition("="))
        if not equals or not name:
            raise wrong(f"“{part}” is no tag", "Write name=value, name=value.")
        if name in found:
            raise wrong(f"“{name}” stands there twice")
        if len(name) > TAG_KEY or len(value) > TAG_VALUE:
            raise wrong(f"“{name}” is too long", f"A name has at most {TAG_KEY} characters, a value {TAG_VALUE}.")
        found[name] = value
    if len(found) > TAGS:
        raise wrong(f"These are {len(found)} tags", f"There can be {TAGS}.")
    return found


def tags(console: BrowsingScreen, bucket: str, key: str) -> None:
    """Views and changes the tags of an object, or of the bucket where the key is empty."""

    async def show() -> None:
        unknown = ""
        if key:
            detail = await console.client.detail(bucket, key)
            now: Mapping[str, str] = detail.tags or {}
            unknown = next((one for one in detail.unknown if one.startswith("tags: ")), "")
        else:
            now = await console.client.bucket_tags(bucket)
        text = ", ".join(f"{name}={value}" for name, value in now.items())
        told = [Line((("They replace those that are there; an empty field takes all away.", "dim"),))]
        if unknown:
            why = f"What is there could not be read: {safe(unknown.removeprefix('tags: '))}"
            told.append(Line((("▲ ", "warn"), (why, "warn")), hang=2))
        what = safe(key) if key else bucket
        form = Form(f"Tags of {what}", [Field("tags", text, hint="team=shop, stage=test")], done, word="set", told=told)
        console.app.push_screen(form)

    def done(typed: Mapping[str, str]) -> None:
        found = tags_of(typed["tags"])
        if console.may_change():
            console.do(save(found))

    async def save(found: dict[str, str]) -> None:
        await console.client.set_tags(bucket, key, found)
        console.tell(f"Tags of {safe(key) if key else bucket} set", "ready")
        await console.reload()

    console.do(show())


async def restore(console: BrowsingScreen, entry: Entry) -> None:
    """Brings an old version back: it is copied on top, nothing is lost."""
    if console.may_change():
        bucket = console.place.bucket
        await console.client.copy(bucket, entry.key, entry.version, bucket, entry.key)
        console.tell(f"{safe(entry.key)}: the version of before is the latest again", "ready")
        await console.reload()
