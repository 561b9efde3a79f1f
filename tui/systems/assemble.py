"""From a group of objects to a Workload: members, claims, health, and the one line that says what is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from tui.kube import events, times
from tui.kube.objects import DaemonSet, Deployment, Object, Pod, ReplicaSet, Service, StatefulSet
from tui.kube.store import Store
from tui.systems import operators
from tui.systems.claims import ClaimBook
from tui.systems.group import Endpoints, Group, Selectors
from tui.systems.members import (
    WAITS_FOR,
    Context,
    MemberBook,
    PodSet,
    empty_place,
    natural,
    ordinal_of,
    short_refusal,
)
from tui.systems.model import SEVERITY, Claim, Health, Member, Owner, Reference, Rollout, Warning, Workload
from tui.systems.observed import Observed
from tui.systems.ownership import maker_of
from tui.systems.packaging import image_matches, version_of
from tui.systems.placing import chart_of, packaging_title, title
from tui.systems.roles import role_of
from tui.systems.rollouts import rollout

_RANK = {health: place for place, health in enumerate(SEVERITY)}
_PLURALS = {"StatefulSet": "statefulsets", "Deployment": "deployments", "DaemonSet": "daemonsets"}


class Assembler:
    """Makes Workloads of groups. Holds what members and claims are remembered by."""

    def __init__(
        self, store: Store, claims: ClaimBook, services: Selectors, endpoints: Endpoints, observed: Observed
    ) -> None:
        self._store = store
        self._claims = claims
        self._members = MemberBook(store, claims)
        self._services = services
        self._endpoints = endpoints
        self._observed = observed

    def forget_pod(self, uid: str) -> None:
        """Drops what is kept of a pod that is gone."""
        self._members.forget(uid)

    def workload(self, group: Group) -> Workload:
        """The workload that a group of objects is now."""
        placement = group.placement
        custom_key, custom = next(iter(group.customs.values()), ("", None))
        scene = operators.Scene(
            custom,
            list(group.pods.values()),
            placement.name,
            lambda service: self._endpoints.ready(placement.namespace, service),
        )
        findings = operators.look(placement.packaging.id, scene)
        sets = self._sets(group)
        wanted = operators.desired(placement.packaging.custom, custom)
        desired = wanted if wanted is not None and not any(item.controller for item in sets) else _desired(sets)
        if findings.stopped:
            desired = 0
        members, contradictions = self._observed.apply(self._all_members(group, sets, desired, findings))
        used = {claim.uid for member in members for claim in member.claims}
        spare = [self._claims.claim(item) for uid, item in group.claims.items() if uid not in used]
        spare.sort(key=lambda claim: natural(claim.name))
        rollouts = _rollouts(sets, members)
        warnings = (*findings.warnings, *contradictions, *_policies(sets))
        owed = wanted if not any(item.controller for item in sets) and not findings.stopped else None
        unmet = self._unmet(sets, members, owed)
        health, why = self._verdict(group, members, spare, warnings, unmet, findings.stopped, desired)
        images = placement.images or ((findings.image,) if findings.image else ())
        kind = next((item.kind for item in sets), placement.packaging.id)
        return Workload(
            key=group.key, kind=placement.system.kind, system=placement.system.id, title=title(placement),
            name=placement.name, namespace=placement.namespace, packaging=packaging_title(placement, _shown_kind(kind)),
            version=_version(group, images), owner=_owner(group), health=health,
            ready=sum(1 for member in members if member.health is Health.READY), desired=desired,
            members=members, spare_claims=tuple(spare), rollouts=rollouts, warnings=warnings, why=why,
            operator_status=operators.says(placement.packaging.custom, custom),
            objects=self._objects(group, custom_key), created=_created(group), packaging_id=placement.packaging.id,
        )  # fmt: skip

    # --- members

    def _sets(self, group: Group) -> list[PodSet]:
        sets: dict[str, PodSet] = {}
        for uid, (kind, controller) in group.controllers.items():
            sets[uid] = PodSet(controller.metadata.name, kind, controller)
        for pod in group.pods.values():
            owner = maker_of(self._store, pod)
            kind, name, uid = (owner.kind, owner.name, owner.uid) if owner is not None else ("Pod", pod.name, pod.uid)
            pod_set = sets.get(uid)
            if pod_set is None:
                known = kind in _PLURALS or kind == "Job"
                uid, name = (uid, name) if known else ("", group.placement.name)
                pod_set = sets.setdefault(uid, PodSet(name, kind if known else "Pod", None))
            pod_set.pods.append(pod)
        ordered = sorted(sets.values(), key=lambda item: natural(item.name))
        for pod_set, prefix in zip(ordered, distinct([item.name for item in ordered]), strict=True):
            pod_set.prefix = prefix
        return ordered

    def _all_members(
        self, group: Group, sets: Sequence[PodSet], desired: int, findings: operators.Findings
    ) -> tuple[Member, ...]:
        members = [member for pod_set in sets for member in self._set_members(group, pod_set, desired)]
        for place in findings.places:
            label = place.name.removeprefix(f"{group.placement.name}-")
            context = Context(group.placement.name, label, None, None, "", place.role)
            members.append(
                empty_place(place.name, context, place.health, place.note, self._claims_of_instance(group, place.name))
            )
        if findings.places:
            members.sort(key=lambda member: natural(member.pod))
        if findings.overrides:
            members = [
                replace(member, health=over[0], note=over[1])
                if (over := findings.overrides.get(member.pod))
                else member
                for member in members
            ]
        return tuple(members)

    def _claims_of_instance(self, group: Group, name: str) -> tuple[Claim, ...]:
        items = [item for item in group.claims.values() if item.metadata.labels.get("cnpg.io/instanceName") == name]
        return tuple(self._claims.claim(item) for item in sorted(items, key=lambda item: natural(item.name)))

    def _set_members(self, group: Group, pod_set: PodSet, desired: int) -> list[Member]:
        stateful_set = pod_set.stateful_set
        if stateful_set is None and pod_set.kind != "StatefulSet":
            pods = sorted(pod_set.pods, key=lambda pod: natural(pod.name))
            return [self._members.of_pod(pod, self._context(group, pod_set, pod, None, desired)) for pod in pods]
        by_ordinal: dict[int | None, list[Pod]] = {}
        for pod in pod_set.pods:
            by_ordinal.setdefault(ordinal_of(pod), []).append(pod)
        start, count = 0, 0
        if stateful_set is not None:
            start = stateful_set.spec.ordinals.start if stateful_set.spec.ordinals is not None else 0
            # A place for each member that should be there; a set of thousands is not drawn place by place.
            count = min(stateful_set.spec.replicas, 5000)
            if stateful_set.metadata.deletion_timestamp is not None:
                count = 0
        members: list[Member] = []
        places = sorted({*range(start, start + count), *(place for place in by_ordinal if place is not None)})
        for ordinal in places:
            members += [
                self._members.of_pod(pod, self._context(group, pod_set, pod, ordinal, desired))
                for pod in by_ordinal.get(ordinal, ())
            ]
            if ordinal not in by_ordinal and stateful_set is not None:
                context = self._context(group, pod_set, None, ordinal, desired)
                members.append(self._members.of_place(stateful_set, ordinal, context, members))
        members += [
            self._members.of_pod(pod, self._context(group, pod_set, pod, None, desired))
            for pod in by_ordinal.get(None, ())
        ]
        return members

    def _context(self, group: Group, pod_set: PodSet, pod: Pod | None, ordinal: int | None, desired: int) -> Context:
        stateful_set = pod_set.stateful_set
        target, start = "", 0
        labels = stateful_set.spec.template.metadata.labels if stateful_set is not None else {}
        if stateful_set is not None:
            target = stateful_set.status.update_revision
            start = stateful_set.spec.ordinals.start if stateful_set.spec.ordinals is not None else 0
        if pod is not None:
            labels = pod.metadata.labels
        tail = str(ordinal) if ordinal is not None else _tail(pod_set, pod)
        return Context(
            set_name=pod_set.name,
            label=f"{pod_set.prefix}-{tail}" if pod_set.prefix else tail,
            ordinal=ordinal,
            place=ordinal - start if ordinal is not None else None,
            target=target,
            role=role_of(group.placement.packaging, labels, ordinal - start if ordinal is not None else None, desired),
        )

    # --- the verdict

    def _verdict(
        self,
        group: Group,
        members: Sequence[Member],
        spare: Sequence[Claim],
        warnings: Sequence[Warning],
        unmet: Iterable[tuple[Health, str]],
        stopped: str,
        desired: int,
    ) -> tuple[Health, str]:
        """Health and the worst reason. Members stopped on purpose weigh only when all are."""
        told: list[tuple[Health, str]] = [(item.health, item.text) for item in warnings]
        waits: list[tuple[Health, str]] = []
        for member in members:
            if member.health not in (Health.READY, Health.STOPPED):
                behind = not member.uid and member.note.startswith(WAITS_FOR)
                (waits if behind else told).append((member.health, f"{member.pod}: {_said(member)}"))
            told += [
                (claim.health, f"claim {claim.name}: {claim.note or claim.phase}")
                for claim in member.claims
                if claim.health is Health.FAILING
            ]
        told += unmet
        if all(item[0] is Health.READY for item in told):
            told += waits  # else what they wait for is the reason
        worst = max((item[0] for item in told), key=_RANK.__getitem__, default=Health.READY)
        if stopped:
            leaving = any(member.uid for member in members)
            return Health.TERMINATING if leaving else Health.STOPPED, stopped
        if not members and group.claims and not group.controllers and not group.customs:
            return Health.STOPPED, f"{len(spare)} claim{'s' if len(spare) != 1 else ''} that no workload uses"
        running = [member for member in members if member.health is not Health.STOPPED]
        if not running and _RANK[worst] <= _RANK[Health.STOPPED]:
            if members:
                return Health.STOPPED, members[0].note or members[0].phase
            return (Health.STOPPED, "scaled to zero") if desired == 0 else (Health.WAITING, "no member exists yet")
        if worst is Health.READY:
            return Health.READY, ""
        reasons = [text for health, text in told if health is worst]
        return worst, reasons[0] + (f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else "")

    def _unmet(self, sets: Iterable[PodSet], members: Sequence[Member], wanted: int | None) -> list[tuple[Health, str]]:
        """Members that should exist and that no place stands for: those of Deployments, and those an operator owes."""
        told = []
        for pod_set in sets:
            controller = pod_set.controller
            if controller is None or isinstance(controller, StatefulSet):
                continue
            missing = _desired([pod_set]) - sum(1 for pod in pod_set.pods if pod.metadata.deletion_timestamp is None)
            if missing > 0:
                failed = self._create_failure(controller.uid)
                text = f"{missing} of {pod_set.name} {'does' if missing == 1 else 'do'} not exist"
                told.append((Health.FAILING, f"{text}: {failed}") if failed else (Health.WAITING, text))
        if wanted is not None and wanted > len(members):
            told.append((Health.WAITING, f"{wanted - len(members)} of {wanted} members do not exist yet"))
        return told

    def _create_failure(self, uid: str) -> str:
        """Why a Deployment or DaemonSet cannot make pods, empty when nothing says so."""
        for owned in (uid, *(item.uid for item in self._store.owned(uid, "replicasets", ReplicaSet))):
            told = self._store.events_of(owned)
            failed, done = events.newest(told, "FailedCreate"), events.newest(told, "SuccessfulCreate")
            if failed is not None:
                later = done is not None and (events.last_seen(done) or 0) > (events.last_seen(failed) or 0)
                if not later:
                    return short_refusal(failed.message)
        return ""

    # --- what it is made of

    def _objects(self, group: Group, custom_key: str) -> tuple[Reference, ...]:
        namespace = group.placement.namespace
        found = [
            Reference(_PLURALS[kind], namespace, item.metadata.name, uid)
            for uid, (kind, item) in group.controllers.items()
        ]
        found.sort(key=lambda item: natural(item.name))
        found += [Reference(key, namespace, item.name, uid) for uid, (key, item) in group.customs.items()]
        services: dict[str, Object] = {
            item.uid: item for labels in group.labels() for item in self._services.of(namespace, labels)
        }
        for uid in group.customs:
            services |= {item.uid: item for item in self._store.owned(uid, "services", Service)}
        ordered = sorted(services.values(), key=lambda item: item.metadata.name)
        found += [Reference("services", namespace, item.metadata.name, item.uid) for item in ordered]
        return tuple(found)


def distinct(names: Sequence[str]) -> list[str]:
    """What tells names apart: `orders-mysql-primary`, `orders-mysql-secondary` → `primary`, `secondary`.

    One name needs nothing. A number alone keeps the word before it (`zone-0`).
    """
    if len(names) < 2:
        return [""] * len(names)
    parts = [name.split("-") for name in names]
    shortest = min(map(len, parts))
    lead = 0
    while lead < shortest - 1 and len({part[lead] for part in parts}) == 1:
        lead += 1
    tail = 0
    while tail < shortest - 1 - lead and len({part[-1 - tail] for part in parts}) == 1:
        tail += 1
    if lead and all(len(part) - tail - lead == 1 and part[lead].isdecimal() for part in parts):
        lead -= 1
    return ["-".join(part[lead : len(part) - tail]) for part in parts]


def _tail(pod_set: PodSet, pod: Pod | None) -> str:
    if pod is None:
        return ""
    tail = pod.name.removeprefix(f"{pod_set.name}-")
    if pod_set.kind in ("Deployment", "ReplicaSet"):
        tail = tail.rpartition("-")[2]
    return tail or pod.name


def _shown_kind(kind: str) -> str:
    return "pod" if kind == "Pod" else kind


def _desired(sets: Iterable[PodSet]) -> int:
    total = 0
    for pod_set in sets:
        controller = pod_set.controller
        if isinstance(controller, StatefulSet | Deployment):
            total += controller.spec.replicas if controller.metadata.deletion_timestamp is None else 0
        elif isinstance(controller, DaemonSet):
            total += controller.status.desired_number_scheduled
        else:
            total += len(pod_set.pods)
    return total


def _rollouts(sets: Iterable[PodSet], members: Sequence[Member]) -> tuple[Rollout, ...]:
    found = []
    for pod_set in sets:
        stateful_set = pod_set.stateful_set
        if stateful_set is not None:
            own = [member for member in members if member.set_name == stateful_set.name]
            if (rolling := rollout(stateful_set, own)) is not None:
                found.append(rolling)
    return tuple(found)


def _policies(sets: Iterable[PodSet]) -> Iterable[Warning]:
    """Sets whose claims, and so whose data, go when they are deleted or scaled down."""
    for pod_set in sets:
        stateful_set = pod_set.stateful_set
        policy = stateful_set.spec.persistent_volume_claim_retention_policy if stateful_set is not None else None
        if policy is None or "Delete" not in (policy.when_deleted, policy.when_scaled):
            continue
        causes = (("deleted", policy.when_deleted), ("scaled down", policy.when_scaled))
        when = [word for word, what in causes if what == "Delete"]
        yield Warning(
            f"{pod_set.name}: its claims are deleted when it is {' or '.join(when)}",
            f"persistentVolumeClaimRetentionPolicy: whenDeleted {policy.when_deleted}, whenScaled {policy.when_scaled}",
            Health.READY,
        )


def _said(member: Member) -> str:
    if not member.note:
        return member.phase
    return member.note if not member.uid else f"{member.phase}: {member.note}"


def _version(group: Group, images: Sequence[str]) -> str:
    known = group.placement.system.images
    servers = [image for image in images if known and image_matches(image, known)]
    for image in servers or images[:1]:
        if found := version_of(image):
            return found
    return group.placement.labels.get("app.kubernetes.io/version", "")


def _owner(group: Group) -> Owner:
    placement = group.placement
    operator = placement.packaging.operator
    if placement.owner is not None:
        kind, _, name = placement.owner
        return Owner("operator", f"{kind} {name} ({operator})" if operator else f"{kind} {name}")
    for _, controller in group.controllers.values():
        meta = controller.metadata
        release = meta.annotations.helm_release
        if not release and meta.labels.get("app.kubernetes.io/managed-by", meta.labels.get("heritage")) == "Helm":
            release = meta.labels.get("app.kubernetes.io/instance") or meta.labels.get("release") or ""
        if release:
            chart = "-".join(part for part in chart_of(placement.labels) if part)
            return Owner("helm", f"helm {release} ({chart})" if chart else f"helm {release}")
        if meta.annotations.argocd:
            return Owner("argocd", f"Argo CD {meta.annotations.argocd.partition(':')[0]}")
    return Owner()


def _created(group: Group) -> float | None:
    tables: list[Iterable[str]] = [
        [item.metadata.creation_timestamp for _, item in group.customs.values()],
        [item.metadata.creation_timestamp for _, item in group.controllers.values()],
        [item.metadata.creation_timestamp for item in group.pods.values()],
        [item.metadata.creation_timestamp for item in group.claims.values()],
    ]
    stamps = next((table for table in tables if table), [])
    found = [at for at in map(times.parse, stamps) if at is not None]
    return min(found, default=None)
