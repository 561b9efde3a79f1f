"""Finds how one logs in to a workload: by the rules of its packaging, with GETs of named Secrets and nothing else.

A person may have `get` on one Secret and no `list`: so the names come from the pod (its variables, the files they name)
and from the packaging's patterns, and each is asked for alone. What was looked for is kept, without any value, so that
one can be told which Secret and which right would have served. Values leave this module inside a Login only; nothing is
logged or stored.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import quote

import msgspec

from tui.kube.api import Api
from tui.kube.objects import CustomResource
from tui.kube.store import Store
from tui.problem import Cause, Problem, ProblemError
from tui.services.sql.model import Login, Tls
from tui.systems.catalogue import Catalogue
from tui.systems.credentialrules import Condition, CredentialRule, From, TlsRule, Word
from tui.systems.model import Member, Workload
from tui.systems.places import Places
from tui.systems.podvariables import Literal, PodVariables, Reference
from tui.systems.reach import servers_among
from tui.systems.staticusers import static_user

#: Seconds for each Secret.
TIMEOUT = 10.0
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


@dataclass(frozen=True, slots=True)
class Found:
    """What was found, and what was looked for.

    Attributes:
        login: how one logs in; None when it must be asked for.
        looked: all that was looked for, in order.
        tls: how TLS is to be used by another login than that of the rules: without its client certificate.
        user: whom the packaging would log in as, to be offered where one is asked; empty when it does not say.
        database: the database that goes with it; empty when it does not say.
    """

    login: Login | None
    looked: tuple[Looked, ...] = ()
    tls: Tls = field(default_factory=Tls)
    user: str = ""
    database: str = ""

    def problem(self, workload: str) -> Problem:
        """Why there is no login, with what would have served, for the one question that is left to ask.

        Args:
            workload: its name.
        """
        missed = [one for one in self.looked if one.outcome is not Outcome.FOUND]
        forbidden = [one for one in missed if one.outcome is Outcome.FORBIDDEN]
        evidence = "\n".join(
            dict.fromkeys(f"{one.what}: {one.outcome}{f' ({one.says})' if one.says else ''}" for one in missed)
        )
        ask = "Give --user and --password-file"
        if forbidden:
            rights = ", ".join(dict.fromkeys(one.right for one in forbidden))
            return Problem(
                Cause.FORBIDDEN, f"The credentials of {workload} may not be read", evidence,
                f"{ask}, or ask for the right to {rights}.",
            )  # fmt: skip
        if any(one.outcome is Outcome.UNREADABLE for one in missed):
            return Problem(Cause.UNREACHABLE, f"The credentials of {workload} could not be read", evidence, f"{ask}.")
        return Problem(
            Cause.CREDENTIALS, f"No credentials of {workload} are known", evidence or "its packaging does not tell any",
            f"{ask}; the password may come from any file or program.",
        )  # fmt: skip

    def override(
        self, *, user: str = "", password: str | None = None, database: str = "", source: str = ""
    ) -> Login | None:
        """The login with what somebody gives in place of what was found; None when a user or password is lacking.

        Args:
            user: empty for the one that was found.
            password: None for the one that was found, which counts only for its own user.
            database: empty for the one that was found.
            source: where the given ones come from, for the header and for errors.
        """
        login = self.login
        same = login is not None and user in ("", login.user)
        if password is None:
            if login is None or not same:
                return None
            return Login(login.user, login.password, database or login.database, login.tls, login.source)
        name = user or (login.user if login is not None else self.user)
        if not name:
            return None
        tls = login.tls if login is not None and same else self.tls
        return Login(name, password, database or self.database, tls, source)


async def find_login(
    api: Api, store: Store, workload: Workload, catalogue: Catalogue, *, member: str = "", user: str = ""
) -> Found:
    """Looks for the credentials of a SQL workload.

    Args:
        api: reads the pod, and each Secret by its name.
        store: has the operator's object, which may name the Secret.
        workload: whose credentials are meant.
        catalogue: the rules.
        member: the pod that one connects to; empty for the one that takes writes, or the first.
        user: only a login of this user will do; empty for the packaging's best.
    """
    system = catalogue.systems.get(workload.system)
    packaging = system.packaging(workload.packaging_id) if system is not None else None
    rules = packaging.credentials.get("sql", ()) if packaging is not None else ()
    servers = packaging.servers if packaging is not None else ()
    at = _member(workload.members if member else servers_among(workload.members, store, servers), member)
    reader = _Reader(api, workload.namespace)
    variables = await reader.pod(at.pod) if at is not None and rules else PodVariables()
    custom = next((store.by_uid(one.resource, one.uid, CustomResource) for one in workload.objects
                   if "." in one.resource), None)  # fmt: skip
    places = Places(workload.name, workload.namespace, at.set_name if at is not None else "", user, variables.labels,
                    custom.spec if custom is not None else {})  # fmt: skip
    return await _Search(reader, variables, places, user).run(rules)


def _member(members: Iterable[Member], pod: str) -> Member | None:
    there = [member for member in members if member.uid and pod in ("", member.pod)]
    writers = [member for member in there if member.role is not None and member.role.writes]
    return next(iter([*writers, *there]), None)


class _Search:
    """One search over a packaging's rules."""

    def __init__(self, reader: _Reader, variables: PodVariables, places: Places, user: str) -> None:
        self._reader = reader
        self._variables = variables
        self._places = places
        self._user = user

    async def run(self, rules: Iterable[CredentialRule]) -> Found:
        tls: Tls | None = None
        offered = database = ""
        for rule in rules:
            if not self._holds(rule.when):
                continue
            if rule.assumed and self._reader.refused:
                break  # what nobody proves is no answer where the proof may not be read
            fields, source = await self._fields(rule)
            known = fields.get("user") or _fixed(rule)
            offered = offered or known
            if self._user and known and known != self._user:
                tls = tls or await self._tls(rule)
                continue
            if "user" in fields and "password" in fields:
                found = await self._tls(rule)
                if found is not None:
                    login = Login(
                        fields["user"], fields["password"], fields.get("database", ""), found,
                        source or "assumed: nothing in the cluster says otherwise",
                    )  # fmt: skip
                    return Found(login, tuple(self._reader.looked), _bare(found), login.user, login.database)
            tls = tls or await self._tls(rule)
            database = database or fields.get("database", "")
        return Found(None, tuple(self._reader.looked), _bare(tls or Tls()), self._user or offered, database)

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

    async def _fields(self, rule: CredentialRule) -> tuple[dict[str, str], str]:
        """The fields that have a value, and where the password comes from."""
        for secret in self._places.all(rule.secrets) or [""]:
            fields: dict[str, str] = {}
            sources: list[str] = []
            for name, words in rule.fields.items():
                value = await self._value(name, words, secret)
                if value is not None:
                    fields[name] = value[0]
                    if name == "password" and value[1]:
                        sources.insert(0, value[1])
                    elif value[1]:
                        sources.append(value[1])
                elif name == "password":
                    break
            if "password" in fields:
                return fields, sources[0] if sources else self._shown(rule)
        return {name: value for name, value in fields.items() if name != "password"}, ""

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
                if secret and (value := await self._reader.value(Reference("secrets", secret, text))) is not None:
                    return value, self._reader.name(Reference("secrets", secret, text))
                continue
            if word.source is From.USERS:
                for mounted in self._variables.file_of_flag(text):
                    file = await self._reader.value(mounted)
                    if file is not None and (one := static_user(file, self._user)) is not None:
                        return one[field == "password"], self._reader.name(mounted)
                continue
            for source in self._variables.sources(text):
                if isinstance(source, Literal):
                    if source.text:
                        return source.text, f"variable {text} of the pod"
                elif (value := await self._reader.value(source)) is not None:
                    return value, self._reader.name(source)
                elif not source.optional:
                    return None  # the pod itself says which key it is: to guess at others would only mislead
        return None

    async def _tls(self, rule: CredentialRule) -> Tls | None:
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


def _fixed(rule: CredentialRule) -> str:
    """The user that a rule is always for."""
    words = rule.fields.get("user", ())
    return words[0].text if words and words[0].source is From.VALUE and "{" not in words[0].text else ""


def _bare(tls: Tls) -> Tls:
    """Without the client certificate, which is one user's."""
    return Tls(tls.mode, tls.authority, name=tls.name)


class _Object(msgspec.Struct, frozen=True):
    data: dict[str, str] | None = None


class _Reader:
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
