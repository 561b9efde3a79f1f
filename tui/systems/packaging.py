"""The catalogue's vocabulary: systems, the packagings they come in, and how a set of pods is matched to one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from fnmatch import fnmatchcase
from functools import lru_cache

from tui.kube.resources import Resource
from tui.services.sql.model import Wire
from tui.systems.credentialrules import CredentialRule
from tui.systems.model import Kind, Role

#: Label keys that anybody may set; a label outside of them belongs to one operator and proves more.
COMMON_LABEL = re.compile(
    r"^(app\.kubernetes\.io/|helm\.sh/|(app|chart|component|heritage|release|role|tier|k8s-app)$)"
)


class Certainty(IntEnum):
    """How much a match proves; the lowest number is asked first, over all systems."""

    OWNER = 0
    OPERATOR_LABEL = 1
    COMMON_LABEL = 2
    IMAGE = 3
    GUESS = 4


@dataclass(frozen=True, slots=True)
class Facts:
    """What can be matched of a set of pods, wherever it was read from (a controller's template or a pod).

    Attributes:
        owners: kind and API group of each owner up the chain, nearest first.
        labels: of the pods, completed with those of their controller.
        images: of the containers that hold claims, or of all containers where none does.
        containers: names of the containers.
        ports: numbers that the same containers as in `images` listen on.
        claims: whether the pods mount claims.
    """

    owners: tuple[tuple[str, str, str], ...]
    labels: Mapping[str, str]
    images: tuple[str, ...]
    containers: tuple[str, ...]
    ports: tuple[int, ...]
    claims: bool

    def owner_name(self, kind: str, group: str) -> str:
        """The name of the owner of that kind, empty when there is none."""
        for owner_kind, owner_group, name in self.owners:
            if owner_kind == kind and owner_group == group:
                return name
        return ""


@dataclass(frozen=True, slots=True)
class LabelTest:
    """A label that must be there, with one of these values; a value may hold `*`."""

    key: str
    exact: frozenset[str]
    globs: tuple[str, ...]

    def accepts(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels pass."""
        value = labels.get(self.key)
        if value is None:
            return False
        return value in self.exact or any(fnmatchcase(value, glob) for glob in self.globs)


@dataclass(frozen=True, slots=True)
class Match:
    """One way to tell a packaging; every condition that is given must hold."""

    certainty: Certainty
    owner: tuple[str, str] | None = None
    labels: tuple[LabelTest, ...] = ()
    images: tuple[str, ...] = ()
    containers: frozenset[str] = frozenset()
    port: int | None = None

    def accepts(self, facts: Facts) -> bool:
        """Whether these facts fit."""
        for test in self.labels:
            if not test.accepts(facts.labels):
                return False
        if self.owner is not None and not any(self.owner == (kind, group) for kind, group, _ in facts.owners):
            return False
        if self.images and not any(image_matches(image, self.images) for image in facts.images):
            return False
        if self.containers and not self.containers.issubset(facts.containers):
            return False
        return self.port is None or self.port in facts.ports


@dataclass(frozen=True, slots=True)
class RoleRule:
    """One way to tell a member's role: by a label's value, by ordinal, for a lone member or for every member."""

    label: str = ""
    values: Mapping[str, Role] = field(default_factory=dict)
    first: Role | None = None
    rest: Role | None = None
    lone: Role | None = None
    every: Role | None = None


@dataclass(frozen=True, slots=True)
class Custom:
    """An operator's custom resource: one object of it is one workload.

    Attributes:
        resource: how it is watched.
        desired: path of the number of members in the object, empty when the controllers below it say so.
        says: path of the operator's own verdict: a text, or `status.conditions`.
    """

    resource: Resource
    desired: tuple[str, ...] = ()
    says: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Packaging:
    """One way in which a system is installed.

    Attributes:
        id: unique within the system; part of what makes two workloads of one name differ.
        title: as shown; `{chart}` becomes the chart's name and version.
        operator: the operator's name, empty where none looks after the workload.
        custom: the operator's resource, if it is watched.
        matches: the ways to recognise it.
        named_by: where the workload's name comes from, best first: `owner`, `controller` or `label KEY`. Sets that
            share it are one workload.
        roles: the rules of roles, the first that tells one wins.
        credentials: the logins that it provides, by console (`sql`), the best first.
        servers: labels of the pods that clients are led to where any member would do, and that are asked how the
            system is; none where all members are servers. A proxy, an orchestrator or a repository is a member, too.
    """

    id: str
    title: str
    operator: str = ""
    custom: Custom | None = None
    matches: tuple[Match, ...] = ()
    named_by: tuple[str, ...] = ("controller",)
    roles: tuple[RoleRule, ...] = ()
    credentials: Mapping[str, tuple[CredentialRule, ...]] = field(default_factory=dict)
    servers: tuple[LabelTest, ...] = ()

    @property
    def owner(self) -> tuple[str, str] | None:
        """Kind and group of the custom resource."""
        return (self.custom.resource.kind, self.custom.resource.group) if self.custom else None


@dataclass(frozen=True, slots=True)
class ClientVariables:
    """How a system's usual clients are told where to connect: variables of the environment, with what they say.

    The values hold places in braces, which `tui.systems.clients` fills. A variable that is empty is to be taken away,
    because it would lead the client elsewhere.

    Attributes:
        tcp: for a port on 127.0.0.1.
        unix: for a Unix socket.
        socket: what the clients call the socket's file in its directory; `{port}` is the remote port.
    """

    tcp: Mapping[str, str] = field(default_factory=dict)
    unix: Mapping[str, str] = field(default_factory=dict)
    socket: str = ""


@dataclass(frozen=True, slots=True)
class System:
    """A stateful system that statetui knows.

    Attributes:
        id: the folder's name (`mysql`).
        title: as people write it.
        titles: other names, by image pattern (a Valkey is looked after like a Redis, and is called Valkey).
        kind: the group it is shown in.
        images: patterns of its servers' images.
        ports: its well-known ports by what they speak (`sql: 3306`).
        packagings: in order of certainty.
        environment: the variables of its usual clients, by the port's name.
        sql: the protocol that its port `sql` speaks; None for a system without SQL.
    """

    id: str
    title: str
    kind: Kind
    titles: Mapping[str, str] = field(default_factory=dict)
    images: tuple[str, ...] = ()
    ports: Mapping[str, int] = field(default_factory=dict)
    packagings: tuple[Packaging, ...] = ()
    environment: Mapping[str, ClientVariables] = field(default_factory=dict)
    sql: Wire | None = None

    def packaging(self, packaging_id: str) -> Packaging | None:
        """The packaging of that id."""
        return next((packaging for packaging in self.packagings if packaging.id == packaging_id), None)


def split_image(image: str) -> tuple[str, str]:
    """Repository and tag of an image; the tag is empty for a digest or where there is none."""
    name = image.partition("@")[0]
    slash = name.rfind("/")
    colon = name.rfind(":")
    return (name[:colon], name[colon + 1 :]) if colon > slash else (name, "")


@lru_cache(maxsize=4096)
def image_matches(image: str, patterns: tuple[str, ...]) -> bool:
    """Whether the last parts of an image's repository equal one of the patterns.

    `mysql` fits `mysql:8.4`, `docker.io/bitnamilegacy/mysql` and `mirror.corp:5000/db/mysql@sha256:…`, but not
    `prom/mysqld-exporter`. A pattern may hold `*` and several parts (`cockroachdb/cockroach`).
    """
    parts = split_image(image)[0].split("/")
    for pattern in patterns:
        wanted = pattern.split("/")
        have = parts[-len(wanted) :]
        if len(have) == len(wanted) and all(map(fnmatchcase, have, wanted)):
            return True
    return False


@lru_cache(maxsize=4096)
def version_of(image: str) -> str:
    """The version in an image's tag, empty when the tag does not tell one (`latest`, a digest)."""
    tag = split_image(image)[1]
    if tag.startswith("RELEASE."):
        return tag
    found = re.match(r"v?\d+(\.\d+)*", tag)
    return found[0] if found else ""
