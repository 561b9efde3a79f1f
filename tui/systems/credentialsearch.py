"""Searches for what a packaging's rules name: with GETs of named objects and nothing else.

A person may have `get` on one Secret and no `list`: so the names come from the pod (its variables, the files they name)
and from the packaging's patterns, and each is asked for alone. What was looked for is kept, without any value, so that
one can be told which Secret and which right would have served. Nothing is logged or stored.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote

import msgspec

from tui.kube.api import Api
from tui.kube.objects import CustomResource
from tui.kube.store import Store
from tui.problem import Cause, Problem, ProblemError
from tui.services.sql.model import Tls
from tui.systems.catalogue import Catalogue
from tui.systems.credentialrules import PROOFS, Condition, CredentialRule, From, TlsRule, Word
from tui.systems.extracts import extract
from tui.systems.model import Member, Workload
from tui.systems.places import Places
from tui.systems.podvariables import Literal, PodVariables, Reference
from tui.systems.reach import servers_among
from tui.systems.staticusers import static_user

#: Seconds for each Secret.
TIMEOUT = 10.0
#: The source of a login that no object of the cluster proves.
ASSUMED = "assumed: nothing in the cluster says otherwise"
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_SINGULAR = {"secrets": "Secret", "configmaps": "ConfigMap", "pods": "pod"}


class Outcome(StrEnum):
    """What came of looking for something."""

    FOUND = "found"
    ABSENT = "absent"
    FORBIDDEN = "forbidden"
    NO_KEY = "key missing"
    UNREADABLE = "unreadable"  # no answer, or one that is no Secret


@dataclass(frozen=True, slots=True)
class Looked:
    """Something that was looked for.

    Attributes:
        what: `Secret stateful/orders-mysql, key mysql-root-password`.
        outcome: what came of it.
        says: the API server's words, or the keys that are there instead; never a value.
        right: the right that was missing (`get secrets/orders-mysql in namespace stateful`), if it was one.
    """

    what: str
    outcome: Outcome
    says: str = ""
    right: str = ""


def missing(workload: str, looked: Iterable[Looked], ask: str, more: str = "") -> Problem:
    """Why there are no credentials, with what would have served, for the one question that is left to ask.

    Args:
        workload: its name.
        looked: what was looked for.
        ask: what one may do instead, without a full stop.
        more: what is added to it where nothing is wrong but that nobody tells.
    """
    missed = [one for one in looked if one.outcome is not Outcome.FOUND]
    forbidden = [one for one in missed if one.outcome is Outcome.FORBIDDEN]
    # What the API server says of the second is what it said of the first, but for the name.
    quoted = [one for one in missed if one.says and one not in forbidden[1:]]
    evidence = "\n".join(
        dict.fromkeys(f"{one.what}: {one.outcome}{f' ({one.says})' if one in quoted else ''}" for one in missed)
    )
    if forbidden:
        return Problem(
            Cause.FORBIDDEN, f"The credentials of {workload} may not be read", evidence,
            f"{ask}, or ask for the right to {_together(one.right for one in forbidden)}.",
        )  # fmt: skip
    if any(one.outcome is Outcome.UNREADABLE for one in missed):
        return Problem(Cause.UNREACHABLE, f"The credentials of {workload} could not be read", evidence, f"{ask}.")
    return Problem(
        Cause.CREDENTIALS, f"No credentials of {workload} are known", evidence or "its packaging does not tell any",
        f"{ask}{more}.",
    )  # fmt: skip


def _together(rights: Iterable[str]) -> str:
    """`get secrets/a, secrets/b in namespace shop`."""
    found: dict[str, dict[str, None]] = {}
    for right in rights:
        what, _, namespace = right.removeprefix("get ").partition(" in namespace ")
        found.setdefault(namespace, {})[what] = None
    return ", ".join(f"get {', '.join(names)} in namespace {namespace}" for namespace, names in found.items())


async def search(
    api: Api, store: Store, workload: Workload, catalogue: Catalogue, console: str, *, member: str = "", user: str = ""
) -> tuple[Search, tuple[CredentialRule, ...]]:
    """A search for a workload's credentials, and the rules to follow.

    Args:
        api: reads the pod, and each Secret by its name.
        store: has the operator's object, which may name the Secret.
        workload: whose credentials are meant.
        catalogue: the rules.
        console: `sql`, `bucket`, `queue`; see `credentialrules.FIELDS`.
        member: the pod that one connects to; empty for the one that takes writes, or the first.
        user: only a login of this user will do; empty for the packaging's best.
    """
    system = catalogue.systems.get(workload.system)
    packaging = system.packaging(workload.packaging_id) if system is not None else None
    rules = packaging.credentials.get(console, ()) if packaging is not None else ()
    servers = packaging.servers if packaging is not None else ()
    at = _member(workload.members if member else servers_among(workload.members, store, servers), member)
    reader = Reader(api, workload.namespace)
    variables = await reader.pod(at.pod) if at is not None and rules else PodVariables()
    custom = next((store.by_uid(one.resource, one.uid, CustomResource) for one in workload.objects
                   if "." in one.resource), None)  # fmt: skip
    places = Places(workload.name, workload.namespace, at.set_name if at is not None else "", user, variables.labels,
                    custom.spec if custom is not None else {})  # fmt: skip
    return Search(reader, variables, places, PROOFS[console], user), rules


def _member(members: Iterable[Member], pod: str) -> Member | None:
    there = [member for member in members if member.uid and pod in ("", member.pod)]
    writers = [member for member in there if member.role is not None and member.role.writes]
    return next(iter([*writers, *there]), None)


class Search:
    """One search over a packaging's rules."""

    def __init__(self, reader: Reader, variables: PodVariables, places: Places, proof: str, user: str) -> None:
        """Reads nothing yet.

        Args:
            reader: reads single objects.
            variables: of the pod.
            places: fills names in.
            proof: the field without which the others are worth nothing (`password`).
            user: only a login of this user will do; empty for any.
        """
        self._reader = reader
        self._variables = variables
        self._places = places
        self._proof = proof
        self._user = user

    @property
    def looked(self) -> tuple[Looked, ...]:
        """All that was looked for, in order."""
        return tuple(self._reader.looked)

    def applies(self, rule: CredentialRule) -> bool:
        """Whether a rule's condition holds, and it may be followed.

        What nobody proves is no answer where the proof may not be read.
        """
        return self._holds(rule.when) and not (rule.assumed and self._reader.refused)

    def _holds(self, when: Condition | None) -> bool:
        if when is None:
            return True
        if when.argument:
            return self._variables.mentions(when.argument)
        given = [source for source in self._variables.sources(when.variable) if isinstance(source, Literal)]
        if when.value:
            return any(source.text == when.value for source in given)
        # The images' scripts take any text for yes; Bitnami's take yes, true or 1.
        return any(source.text.lower() not in ("", "no", "false") for source in given)

    async def fields(self, rule: CredentialRule) -> tuple[dict[str, str], str]:
        """The fields that have a value, and where the proof comes from."""
        for secret in self._places.all(rule.secrets) or [""]:
            fields: dict[str, str] = {}
            sources: list[str] = []
            for name, words in rule.fields.items():
                value = await self._value(name, words, secret)
                if value is not None:
                    fields[name] = value[0]
                    if name == self._proof and value[1]:
                        sources.insert(0, value[1])
                    elif value[1]:
                        sources.append(value[1])
                elif name == self._proof:
                    break
            if self._proof in fields:
                return fields, sources[0] if sources else self._shown(rule)
        return {name: value for name, value in fields.items() if name != self._proof}, ""

    def _shown(self, rule: CredentialRule) -> str:
        """What proves a login that no Secret is needed for."""
        if rule.when is None:
            return ""
        return f"no password: {rule.when.argument or rule.when.variable} is set"

    async def _value(self, field: str, words: Iterable[Word], secret: str) -> tuple[str, str] | None:
        """A field's value, and which object it is from (empty for one that stands in the rule)."""
        for word in words:
            text = self._places.fill(word.text)
            if text is None:
                continue
            if word.source in (From.VALUE, From.NONE):
                return text, ""
            if word.source is From.KEY:
                references = [Reference("secrets", secret, text)] if secret else []
                found = await self._first(references, word, "")
            elif word.source is From.FILE:
                found = await self._first(self._variables.files(text), word, "")
            elif word.source is From.USERS:
                found = await self._of_users(field, text)
            else:
                sources = list(self._variables.sources(text))
                found = await self._first(sources, word, f"variable {text} of the pod")
                # The pod itself says which key it is: to guess at others would only mislead.
                if found is None and any(isinstance(one, Reference) and not one.optional for one in sources):
                    return None
            if found is not None:
                return found
        return None

    async def _of_users(self, field: str, flag: str) -> tuple[str, str] | None:
        """The user, or for the field `password` the password, of the static users that a flag names."""
        for mounted in self._variables.file_of_flag(flag):
            file = await self._reader.value(mounted)
            if file is not None and (one := static_user(file, self._user)) is not None:
                return one[field == "password"], self._reader.name(mounted)
        return None

    async def _first(
        self, sources: Iterable[Literal | Reference], word: Word, literally: str
    ) -> tuple[str, str] | None:
        """The first of several sources that has a value, and its name (`literally` for a text of the pod's own)."""
        for source in sources:
            value = source.text if isinstance(source, Literal) else await self._reader.value(source)
            if value is not None and word.extract is not None:
                value = await self._followed(extract(value, word.extract))
            if value or (value is not None and isinstance(source, Reference)):
                return value, literally if isinstance(source, Literal) else self._reader.name(source)
        return None

    async def _followed(self, value: str | None) -> str | None:
        """What `${NAME}` in a file means to the program that reads it: SeaweedFS takes the variable's value."""
        found = _VARIABLE.fullmatch(value or "")
        if found is None:
            return value
        for source in self._variables.sources(found[1]):
            said = source.text if isinstance(source, Literal) else await self._reader.value(source)
            if said is not None:
                return said
        return None

    async def tls(self, rule: CredentialRule) -> Tls | None:
        """TLS as far as it can be had; None when each way needs something that cannot be read."""
        if not rule.tls:
            return Tls()
        for way in rule.tls:
            if self._holds(way.when) and (found := await self._way(way)) is not None:
                return found
        return None

    async def _way(self, way: TlsRule) -> Tls | None:
        name = self._places.fill(way.name) or ""
        if not way.keys:
            return Tls(way.mode, name=name)
        named = [("secrets", one) for one in self._places.all(way.secrets)]
        named += [("configmaps", one) for one in self._places.all(way.configmaps)]
        for kind, one in named:
            found: dict[str, str] = {}
            for part, key in way.keys.items():
                if (at := self._places.fill(key)) is None:
                    break
                if (value := await self._reader.value(Reference(kind, one, at))) is None:
                    break
                found[part] = value
            if len(found) == len(way.keys):
                return Tls(way.mode, found.get("authority", ""), found.get("certificate", ""),
                           found.get("private_key", ""), name)  # fmt: skip
        return None


class _Object(msgspec.Struct, frozen=True):
    data: dict[str, str] | None = None


class Reader:
    """Reads single objects, each once, and notes what came of it."""

    def __init__(self, api: Api, namespace: str) -> None:
        self.looked: list[Looked] = []
        self._api = api
        self._namespace = namespace
        self._read: dict[tuple[str, str], Mapping[str, str] | Looked] = {}

    @property
    def refused(self) -> bool:
        """Whether something may not be read."""
        return any(one.outcome in (Outcome.FORBIDDEN, Outcome.UNREADABLE) for one in self.looked)

    def name(self, reference: Reference) -> str:
        """`Secret stateful/orders-mysql, key mysql-root-password`."""
        return f"{_SINGULAR[reference.kind]} {self._namespace}/{reference.name}, key {reference.key}"

    async def pod(self, name: str) -> PodVariables:
        """The variables of a pod; none where it cannot be read."""
        try:
            return PodVariables(await self._api.get(self._path("pods", name), timeout=TIMEOUT))
        except ProblemError as error:
            self._note("pods", name, f"pod {self._namespace}/{name}", error.problem)
        except (msgspec.DecodeError, UnicodeDecodeError):
            self.looked.append(Looked(f"pod {self._namespace}/{name}", Outcome.UNREADABLE, "it is not a pod's JSON"))
        return PodVariables()

    async def value(self, reference: Reference) -> str | None:
        """The text behind a key; None, and a note why, when there is none."""
        what = self.name(reference)
        data = await self._object(reference, what)
        if isinstance(data, Looked):
            return None
        encoded = data.get(reference.key)
        if encoded is None:
            if not reference.optional:
                keys = ", ".join(sorted(data)) or "none"
                self._add(Looked(what, Outcome.NO_KEY, f"its keys: {keys}"))
            return None
        try:
            text = base64.b64decode(encoded).decode() if reference.kind == "secrets" else encoded
        except (binascii.Error, UnicodeDecodeError):
            self._add(Looked(what, Outcome.UNREADABLE, "it is not text"))
            return None
        self._add(Looked(what, Outcome.FOUND))
        return text

    async def _object(self, reference: Reference, what: str) -> Mapping[str, str] | Looked:
        at = (reference.kind, reference.name)
        known = self._read.get(at)
        if known is None:
            path = self._path(*at)
            try:
                known = (await self._api.get_as(path, _Object, timeout=TIMEOUT)).data or {}
            except ProblemError as error:
                known = self._note(*at, what, error.problem)
            self._read[at] = known
        return known

    def _note(self, kind: str, name: str, what: str, problem: Problem) -> Looked:
        outcome = {Cause.FORBIDDEN: Outcome.FORBIDDEN, Cause.ABSENT: Outcome.ABSENT}.get(
            problem.cause, Outcome.UNREADABLE
        )
        right = f"get {kind}/{name} in namespace {self._namespace}" if outcome is Outcome.FORBIDDEN else ""
        note = Looked(what, outcome, problem.evidence or problem.what, right)
        self._add(note)
        return note

    def _add(self, note: Looked) -> None:
        if note not in self.looked:
            self.looked.append(note)

    def _path(self, kind: str, name: str) -> str:
        return f"/api/v1/namespaces/{self._namespace}/{kind}/{quote(name, safe='')}"
