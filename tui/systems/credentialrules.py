"""What `system.yaml` says of credentials: where a packaging keeps them, and how its certificates can be verified.

The rules are the same for every console; only the fields that a login is made of differ.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from tui.services.sql.model import TlsMode
from tui.systems.block import Block, nearest
from tui.systems.extracts import Extract, How

#: The fields of a login by console; those of `_NEEDED` must be told by each rule.
FIELDS: Mapping[str, tuple[str, ...]] = {
    "sql": ("user", "password", "database"),
    "bucket": ("access_key", "secret_key", "region"),
    "queue": ("user", "password", "vhost"),
}
_NEEDED: Mapping[str, tuple[str, ...]] = {
    "sql": ("user", "password"), "bucket": ("access_key", "secret_key"), "queue": ("user", "password"),
}  # fmt: skip
#: The field without which the others are worth nothing.
PROOFS: Mapping[str, str] = {"sql": "password", "bucket": "secret_key", "queue": "password"}

_PEM = ("authority", "certificate", "private_key")
_TLS = ("when", "mode", "secret", "configmap", *_PEM, "name")
#: The places in names of objects and of keys; `spec.…` and `label …` are followed by what is meant.
_PLACES = ("name", "set", "user", "namespace")
_PLACE = re.compile(r"{([^{}]*)}|[{}]")
_EXTRACT = re.compile(rf" ({'|'.join(How)}) (\S.*)$")


class From(StrEnum):
    """Where a field's value comes from."""

    KEY = "key"  # a key of the rule's Secret
    VARIABLE = "variable"  # a variable of the pod's containers, wherever that takes it from, or its _FILE
    FILE = "file"  # a file in the pod's containers that a Secret or ConfigMap is mounted as
    VALUE = "value"  # always this
    USERS = "users"  # the file of users that a flag of the containers names, in Vitess' form
    NONE = "none"  # always empty


#: Where a value is seen in the cluster; the others say it themselves.
_SEEN = {From.KEY, From.VARIABLE, From.FILE, From.USERS}


@dataclass(frozen=True, slots=True)
class Word:
    """One way to a field's value: `key root-password`, `variable MYSQL_USER`, `users FLAG`, `value root`, `none`.

    Attributes:
        extract: what is taken out of that value (`key config.env export MINIO_ROOT_USER`); None for all of it.
    """

    source: From
    text: str = ""
    extract: Extract | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """What must be seen in the pod for a rule to hold.

    Attributes:
        variable: a variable that its containers have; empty for none.
        value: the value that it must have; empty for any that is not empty, `no` or `false`.
        argument: a text that its containers' commands must hold; empty for none.
    """

    variable: str = ""
    value: str = ""
    argument: str = ""


@dataclass(frozen=True, slots=True)
class TlsRule:
    """One way to use TLS. It holds when all that it names can be read.

    Attributes:
        secrets: names to try in turn.
        configmaps: the same, in ConfigMaps.
        keys: by what they hold (`authority`, `certificate`, `private_key`).
        name: the name to verify; with places.
    """

    mode: TlsMode
    when: Condition | None = None
    secrets: tuple[str, ...] = ()
    configmaps: tuple[str, ...] = ()
    keys: Mapping[str, str] = field(default_factory=dict)
    name: str = ""


@dataclass(frozen=True, slots=True)
class CredentialRule:
    """One login that a packaging provides.

    Attributes:
        secrets: names of Secrets to try in turn, with places in braces.
        fields: the ways to each field, the first that leads to a value wins.
        when: what must be seen in the pod.
        tls: ways to use TLS, the first that can be used wins; none at all is `prefer`.
    """

    secrets: tuple[str, ...] = ()
    fields: Mapping[str, tuple[Word, ...]] = field(default_factory=dict)
    when: Condition | None = None
    tls: tuple[TlsRule, ...] = ()

    @property
    def assumed(self) -> bool:
        """Whether nothing in the cluster proves it: it is what the packaging does where nobody says otherwise."""
        who = {name for names in _NEEDED.values() for name in names}
        words = [word.source for name, words in self.fields.items() if name in who for word in words]
        certain = any(way.keys for way in self.tls)
        return self.when is None and not certain and not (_SEEN & set(words))


def read_credentials(block: Block) -> dict[str, tuple[CredentialRule, ...]]:
    """The `credentials` of a packaging, by console.

    Raises:
        ProblemError: CONFIG, naming the file, the key and the nearest valid one.
    """
    found: dict[str, tuple[CredentialRule, ...]] = {}
    for console in block.data:
        if console not in FIELDS:
            block.fail(console, f"is not a console{nearest(console, tuple(FIELDS))}; there are {', '.join(FIELDS)}")
        keys = ("when", "secret", "tls", *FIELDS[console])
        rules = block.blocks(console, keys, _NEEDED[console])
        found[console] = tuple(_rule(rule, FIELDS[console]) for rule in rules)
    return found


def _rule(block: Block, fields: Sequence[str]) -> CredentialRule:
    secrets = _names(block, "secret")
    words = {name: tuple(_word(block, name, text) for text in block.texts(name)) for name in fields if block.has(name)}
    if not secrets and any(word.source is From.KEY for given in words.values() for word in given):
        block.fail("secret", "is missing: whose key is meant?")
    tls = tuple(_tls(item) for item in block.blocks("tls", _TLS, ("mode",)))
    return CredentialRule(secrets, words, _when(block), tls)


def _word(block: Block, key: str, text: str) -> Word:
    kind, _, rest = text.partition(" ")
    if kind not in set(From):
        valid = "key KEY, variable NAME, file PATH, users FLAG, value TEXT, none"
        block.fail(key, f"{text!r} is not one of {valid}{nearest(kind, list(From))}")
    if (kind == From.NONE) is bool(rest.strip()):
        others = f"{From.KEY}, {From.VARIABLE}, {From.FILE}, {From.USERS} and {From.VALUE}"
        block.fail(key, f"{text!r}: none stands alone, {others} with what is meant")
    found = _EXTRACT.search(rest) if kind in (From.KEY, From.VARIABLE, From.FILE) else None
    if found is None:
        _check(block, key, rest)
        return Word(From(kind), rest)
    if found[1] == How.MATCH and not _groups(found[2]):
        block.fail(key, f"{text!r}: {How.MATCH} takes a regular expression with a group")
    _check(block, key, rest[: found.start()])
    return Word(From(kind), rest[: found.start()], Extract(How(found[1]), found[2]))


def _groups(expression: str) -> int:
    try:
        return re.compile(expression).groups
    except re.error:
        return 0


def _tls(block: Block) -> TlsRule:
    mode = TlsMode(block.choice("mode", list(TlsMode)))
    keys: dict[str, str] = {}
    for name in _PEM:
        if block.has(name):
            word = _word(block, name, block.text(name))
            if word.source is not From.KEY or word.extract is not None:
                block.fail(name, "is a key of the Secret or ConfigMap: key KEY")
            keys[name] = word.text
    secrets, configmaps = _names(block, "secret"), _names(block, "configmap")
    if keys and not secrets and not configmaps:
        block.fail("secret", "is missing: whose key is meant?")
    if ("certificate" in keys) is not ("private_key" in keys):
        block.fail("private_key", "and certificate belong together")
    if mode in (TlsMode.VERIFY_CA, TlsMode.VERIFY_FULL) and "authority" not in keys:
        block.fail("authority", f"is missing: {mode} needs one")
    name = block.text("name")
    _check(block, "name", name)
    return TlsRule(mode, _when(block), secrets, configmaps, keys, name)


def _names(block: Block, key: str) -> tuple[str, ...]:
    names = block.texts(key)
    for name in names:
        _check(block, key, name)
    return names


def _when(block: Block) -> Condition | None:
    if not block.has("when"):
        return None
    kind, _, rest = block.text("when").partition(" ")
    if not rest or kind not in ("variable", "argument"):
        near = nearest(kind, ("variable", "argument"))
        block.fail("when", f"is variable NAME, variable NAME=VALUE or argument TEXT, not {block.text('when')!r}{near}")
    if kind == "argument":
        return Condition(argument=rest)
    name, _, value = rest.partition("=")
    return Condition(variable=name, value=value)


def _check(block: Block, key: str, text: str) -> None:
    for found in _PLACE.finditer(text):
        place = found[1] or ""
        if place not in _PLACES and not re.fullmatch(r"(spec(\.\w+)+|label \S+)", place):
            valid = ", ".join(f"{{{one}}}" for one in (*_PLACES, "spec.PATH", "label KEY"))
            block.fail(key, f"has {found[0]}, which is not one of {valid}{nearest(place, _PLACES)}")
