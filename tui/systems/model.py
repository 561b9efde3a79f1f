"""What statetui knows of a stateful system: workloads, members, claims. Immutable values, no objects of Kubernetes.

Times are seconds of the wall clock (`time.time()`), sizes are bytes. Whatever cannot be known is None together with
a reason beside it, never a zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tui.kube.usage import Usage


class Kind(StrEnum):
    """The group a workload is shown in, and which console fits it."""

    DATABASE = "database"
    OBJECT_STORE = "object store"
    QUEUE = "queue"
    OTHER = "other"


class Health(StrEnum):
    """How a member, a claim or a workload is. The order of `SEVERITY` is from well to worst."""

    READY = "ready"  # ● serving
    RUNNING = "running"  # ◐ runs, not ready: a probe or a readiness gate fails
    STARTING = "starting"  # ◌ init containers, pulling an image, creating
    WAITING = "waiting"  # ○ pending: not scheduled, claim not bound, member not created yet
    FAILING = "failing"  # ✗ crash loop, error, lost claim
    TERMINATING = "terminating"  # ◍ on its way out
    STOPPED = "stopped"  # ■ on purpose: scaled to zero, hibernated, fenced
    UNKNOWN = "unknown"  # ? and `phase` says why


#: From well to worst, for "the worst of these".
SEVERITY = (
    Health.READY,
    Health.STOPPED,
    Health.TERMINATING,
    Health.STARTING,
    Health.RUNNING,
    Health.WAITING,
    Health.UNKNOWN,
    Health.FAILING,
)


@dataclass(frozen=True, slots=True)
class Role:
    """What a member is within its system.

    Attributes:
        name: in the system's own words, lower case: primary, replica, node, server, sentinel, …
        writes: True for the member that takes writes, False for one that does not, None where members are alike
            or it is not known.
        source: how it is known ("label cnpg.io/instanceRole", "ordinal 0 by convention"), for the details.
    """

    name: str
    writes: bool | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """A PersistentVolumeClaim of a member, or one that waits for a member to come back.

    Attributes:
        template: the claim template it comes from (`data` of `data-mysql-0`), empty when unknown.
        phase: Pending, Bound, Lost or Terminating.
        capacity: what it got, None while unbound.
        requested: what it asks for.
        storage_class: the class' name, empty for none.
        volume: the PersistentVolume's name, empty while unbound.
        volume_source: what is behind it, short: `csi ebs.csi.aws.com`, `hostPath`, `local`, `nfs`; empty when
            volumes may not be read.
        usage: bytes in use, None when it cannot be known; then `usage_unknown` says why in a few words.
        note: a resize under way, or why it is Pending.
    """

    name: str
    uid: str
    template: str
    health: Health
    phase: str
    capacity: int | None
    requested: int | None
    storage_class: str
    volume: str
    volume_source: str
    access_modes: tuple[str, ...]
    usage: Usage | None
    usage_unknown: str
    created: float | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a workload: a pod, or the place of one that should exist (`uid` is empty then).

    Attributes:
        pod: the pod's name.
        label: how a pane calls it: the ordinal ("0"), or with several sets what tells them apart ("primary-0",
            "zone-0-1").
        set_name: the StatefulSet (or other controller) it belongs to.
        ordinal: its place in the set, None for bare pods.
        phase: what `kubectl get pods` prints in STATUS, with the init container's name added (`Init:1/2 clone-mysql`).
        ready: ready containers "2/2".
        restarts: of all containers together.
        last_restart: the last reason and exit code ("OOMKilled 137"), empty when none.
        revision: the controller revision hash; `current` is False while it is not the one being rolled out to.
        ports: named container ports, for forwards.
        note: why it is not ready, in a few words; empty when it is.
        stands_in: what runs in place of what its images name, in the sandbox's words ("Valkey stands in for Redis");
            empty where everything is what it seems.
        lag: how far it is behind, as its server said not long ago ("0 s behind"); empty when nobody asked it.
    """

    pod: str
    uid: str
    label: str
    set_name: str
    ordinal: int | None
    role: Role | None
    health: Health
    phase: str
    ready: str
    restarts: int
    last_restart: str
    last_restart_at: float | None
    created: float | None
    node: str
    ip: str
    revision: str
    current: bool
    images: tuple[str, ...]
    claims: tuple[Claim, ...]
    note: str = ""
    terminating_since: float | None = None
    stands_in: str = ""
    lag: str = ""


def brief(stands_in: str) -> str:
    """What stands in for what, without what comes of it: the words before each colon. The verb is said once."""
    first, *others = dict.fromkeys(said.partition(":")[0].strip() for said in stands_in.split(";"))
    return ", ".join([first, *(other.replace(" stands in for ", " for ") for other in others)])


@dataclass(frozen=True, slots=True)
class Owner:
    """Who looks after a workload: a Helm release, an operator's object, or nobody.

    Attributes:
        kind: "helm", "operator" or "".
        text: as shown: "helm orders (mysql-14.0.3)", "Cluster shop (CloudNativePG)".
    """

    kind: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Rollout:
    """A change of revision under way.

    Attributes:
        set_name: the set that rolls.
        to_revision: the hash being rolled out.
        updated: members on the new revision.
        total: members in all.
        partition: ordinals below it keep the old revision on purpose.
        stuck: why it does not move, empty while it does.
    """

    set_name: str
    to_revision: str
    updated: int
    total: int
    partition: int = 0
    stuck: str = ""


@dataclass(frozen=True, slots=True)
class Warning:
    """A fact that wants attention, with its evidence; the traps of operators' statuses are told this way."""

    text: str
    evidence: str = ""
    health: Health = Health.FAILING

    @property
    def alarms(self) -> bool:
        """Whether it wants attention; what is said of a workload in good health is only a note."""
        return self.health is not Health.READY


@dataclass(frozen=True, slots=True)
class Reason:
    """A step of the way from an effect to its cause.

    Attributes:
        depth: 0 for the effect; each cause is one deeper than what it explains.
        text: the step in words.
        evidence: who said so, verbatim; empty when it follows from the objects themselves.
        remedy: what can be done, where that can be said honestly.
        at: since when, or when the evidence was seen.
    """

    depth: int
    text: str
    evidence: str = ""
    remedy: str = ""
    at: float | None = None


@dataclass(frozen=True, slots=True)
class Reference:
    """An object of Kubernetes that belongs to a workload, so that it can be fetched whole."""

    resource: str
    namespace: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Workload:
    """One stateful system in the cluster.

    Attributes:
        key: stable while the workload lives, unique in the cluster: `<namespace>/<system>/<name>`.
        system: the catalogue's id (`mysql`, `postgresql`, `generic`).
        title: the system's name as people write it ("MySQL").
        packaging: how it was installed ("StatefulSet", "chart mysql 14.0.3", "CloudNativePG", "operator tenant").
        version: from the image tag or the packaging, empty when it cannot be told.
        ready, desired: members; `desired` is what the specification asks for.
        members: in order of set and ordinal; places that should exist but do not are among them.
        spare_claims: claims of the workload that no member uses (left by a scale-down).
        why: the worst reason in one line, empty when all is well.
        operator_status: what an operator says of it ("Cluster in healthy state"), shown as a claim, not as truth.
        objects: the StatefulSets, Deployments, custom resources and Services it was made of.
        packaging_id: the catalogue's id of the packaging, by which its rules are found.
    """

    key: str
    kind: Kind
    system: str
    title: str
    name: str
    namespace: str
    packaging: str
    version: str
    owner: Owner
    health: Health
    ready: int
    desired: int
    members: tuple[Member, ...]
    spare_claims: tuple[Claim, ...]
    rollouts: tuple[Rollout, ...]
    warnings: tuple[Warning, ...]
    why: str
    operator_status: str
    objects: tuple[Reference, ...]
    created: float | None
    packaging_id: str = ""

    @property
    def claims(self) -> tuple[Claim, ...]:
        """All claims, those of members first."""
        return (*(claim for member in self.members for claim in member.claims), *self.spare_claims)

    @property
    def stands_in(self) -> str:
        """What runs in place of something else, of all members; empty where everything is what it seems."""
        return "; ".join(dict.fromkeys(member.stands_in for member in self.members if member.stands_in))

    @property
    def fullest(self) -> Usage | None:
        """The usage of the fullest claim whose use is known."""
        known = [claim.usage for claim in self.claims if claim.usage is not None and not claim.usage.shared]
        return max(known, key=lambda usage: usage.fraction, default=None)
