"""Which workload an object belongs to: facts from controllers and pods, matched to the catalogue."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from tui.kube.objects import CustomResource, DaemonSet, Deployment, OwnerReference, Pod, PodSpec, StatefulSet
from tui.systems.catalogue import Catalogue
from tui.systems.model import Kind
from tui.systems.packaging import Facts, Packaging, System, image_matches, split_image

#: A controller that makes pods of a template.
Controller = StatefulSet | Deployment | DaemonSet

GENERIC = "generic"
#: What nobody in the catalogue knows, by what makes its pods.
_GENERIC = System(GENERIC, "", Kind.OTHER)
_CLAIMS_ONLY = Packaging("claims", "no pods, no controller")
_BUILT_IN_GROUPS = frozenset(("", "apps", "batch"))
_CHART = re.compile(r"^(?P<name>.+?)-(?P<version>v?\d+\.\d+.*)$")
#: What a CronJob adds to the names of its Jobs.
_SCHEDULED = re.compile(r"-\d{8,}$")


@dataclass(frozen=True, slots=True)
class Placement:
    """Where an object belongs: the identity of a workload and how it was found.

    Attributes:
        id: what is equal for everything of one workload: namespace, system, packaging and a name with its kind.
        labels: of the pods, for names, versions and Services.
        images: of the containers that hold the data.
    """

    id: tuple[str, str, str, str]
    system: System
    packaging: Packaging
    namespace: str
    name: str
    labels: Mapping[str, str] = field(compare=False)
    images: tuple[str, ...] = field(compare=False)
    owner: tuple[str, str, str] | None = None


def of_controller(catalogue: Catalogue, controller: Controller, kind: str) -> Placement | None:
    """Places a controller; None for one that holds no state.

    A StatefulSet is always a workload. Others are only when their pods mount claims, or when a custom resource of a
    known system owns them (the Sentinels of a RedisFailover).
    """
    meta = controller.metadata
    template = controller.spec.template
    templates = controller.spec.volume_claim_templates if isinstance(controller, StatefulSet) else []
    facts = _facts(
        template.spec,
        {**meta.labels, **template.metadata.labels},
        tuple(_owner(owner) for owner in meta.owner_references),
        {claim.metadata.name for claim in templates},
    )
    found = _known(catalogue, facts, meta.namespace, (kind, meta.name))
    if found is not None:
        # An operator may have resources of its own in between: a Vitess gateway's Deployment belongs to a VitessCell.
        owned = found.packaging.owner is not None and any(
            found.packaging.owner[1] == group for _, group, _ in facts.owners
        )
        if kind == "StatefulSet" or facts.claims or owned:
            return found
        return None
    if kind != "StatefulSet" and not facts.claims:
        return None
    return _generic(facts, meta.namespace, (kind, meta.name))


def of_pod(catalogue: Catalogue, pod: Pod, owner: OwnerReference | None) -> Placement | None:
    """Places a pod whose controller is not among the watched objects; None for one that holds no state.

    Args:
        catalogue: the systems.
        pod: the pod.
        owner: the controller as the pod (or its ReplicaSet) names it; None for a bare pod.
    """
    meta = pod.metadata
    owners = tuple(_owner(item) for item in meta.owner_references)
    facts = _facts(pod.spec, meta.labels, owners, set())
    controller = (owner.kind, owner.name) if owner is not None else ("Pod", meta.name)
    if owner is not None and owner.kind == "Job":
        controller = ("Job", _SCHEDULED.sub("", owner.name))
    found = _known(catalogue, facts, meta.namespace, controller)
    if found is not None and (facts.claims or controller[0] == "StatefulSet" or _owned_by_custom(facts)):
        return found
    if not facts.claims and controller[0] != "StatefulSet":
        return None
    return _generic(facts, meta.namespace, controller)


def of_custom(catalogue: Catalogue, resource_key: str, item: CustomResource) -> Placement | None:
    """Places an operator's object: it is a workload even while nothing was made of it."""
    known = catalogue.by_custom.get(resource_key)
    if known is None:
        return None
    system, packaging = known
    meta = item.metadata
    owner = (*packaging.owner, meta.name) if packaging.owner is not None else None
    return _placement(system, packaging, meta.namespace, meta.name, meta.labels, (), owner)


def of_loose_claims(namespace: str) -> Placement:
    """Where a namespace's claims go that belong to no workload."""
    return _placement(_GENERIC, _CLAIMS_ONLY, namespace, "claims without a workload", {}, ())


def title(placement: Placement) -> str:
    """The system's name as people write it; for an unknown one, what it calls itself."""
    system = placement.system
    for pattern, name in system.titles.items():
        if any(image_matches(image, (pattern,)) for image in placement.images):
            return name
    if system.title:
        return system.title
    if placement.packaging is _CLAIMS_ONLY:
        return "unused claims"
    labels = placement.labels
    called = labels.get("app.kubernetes.io/name") or labels.get("k8s-app")
    if called:
        return called
    if placement.owner is not None and placement.owner[1] not in _BUILT_IN_GROUPS:
        return placement.owner[0]
    return split_image(placement.images[0])[0].rpartition("/")[2] if placement.images else placement.packaging.title


def packaging_title(placement: Placement, controller_kind: str) -> str:
    """How it was installed, as shown: the template's `{chart}` and `{controller}` filled in."""
    template = placement.packaging.title
    if "{chart}" in template:
        name, version = chart_of(placement.labels)
        shown = f"{name} {version}".strip() or placement.labels.get("app.kubernetes.io/name", "")
        return template.replace("{chart}", shown).strip()
    return template.replace("{controller}", controller_kind)


def chart_of(labels: Mapping[str, str]) -> tuple[str, str]:
    """Name and version of the Helm chart, empty when the labels do not tell."""
    text = labels.get("helm.sh/chart") or labels.get("chart") or ""
    found = _CHART.match(text)
    return (found["name"], found["version"]) if found else (text, "")


def _known(catalogue: Catalogue, facts: Facts, namespace: str, controller: tuple[str, str]) -> Placement | None:
    for candidate in catalogue.candidates:
        if candidate.match.accepts(facts):
            packaging = candidate.packaging
            name, owner = _name(packaging, candidate.match.owner, facts)
            kind = "" if name else controller[0]
            return _placement(
                candidate.system, packaging, namespace, name or controller[1], facts.labels, facts.images, owner, kind
            )
    return None


def _name(
    packaging: Packaging, matched: tuple[str, str] | None, facts: Facts
) -> tuple[str, tuple[str, str, str] | None]:
    """The workload's name and the custom resource it comes from; empty when the controller names it."""
    owner = None
    for wanted in (packaging.owner, matched):
        if wanted is not None and owner is None and (owner_name := facts.owner_name(*wanted)):
            owner = (*wanted, owner_name)
    for source in packaging.named_by:
        if source == "owner" and owner is not None:
            return owner[2], owner
        if source.startswith("label ") and (value := facts.labels.get(source[6:].strip())):
            return value, owner
    return "", owner


def _generic(facts: Facts, namespace: str, controller: tuple[str, str]) -> Placement:
    """Places what nobody knows: under the foreign resource that owns it, else under its controller."""
    foreign = next((owner for owner in facts.owners if owner[1] not in _BUILT_IN_GROUPS), None)
    if foreign is not None:
        kind, name = foreign[0], foreign[2]
    else:
        kind, name = controller
    chart, version = chart_of(facts.labels)
    shown = f"chart {chart} {version}".strip() if chart else kind.lower() if kind == "Pod" else kind
    packaging = _generic_packaging(kind, shown)
    return _placement(_GENERIC, packaging, namespace, name, facts.labels, facts.images, foreign, kind)


def _generic_packaging(kind: str, shown: str) -> Packaging:
    return Packaging(kind.lower(), shown)


def _placement(
    system: System,
    packaging: Packaging,
    namespace: str,
    name: str,
    labels: Mapping[str, str],
    images: tuple[str, ...],
    owner: tuple[str, str, str] | None = None,
    kind: str = "",
) -> Placement:
    identity = (namespace, system.id, packaging.id, f"{kind}/{name}")
    return Placement(identity, system, packaging, namespace, name, labels, images, owner)


def _owner(owner: OwnerReference) -> tuple[str, str, str]:
    group, slash, _ = owner.api_version.partition("/")
    return owner.kind, group if slash else "", owner.name


def _owned_by_custom(facts: Facts) -> bool:
    return any(group not in _BUILT_IN_GROUPS for _, group, _ in facts.owners)


def _facts(
    spec: PodSpec, labels: Mapping[str, str], owners: tuple[tuple[str, str, str], ...], templates: set[str]
) -> Facts:
    volumes = {volume.name for volume in spec.volumes if volume.persistent_volume_claim or volume.ephemeral is not None}
    volumes |= templates
    holders = [item for item in spec.containers if any(mount.name in volumes for mount in item.volume_mounts)]
    return Facts(
        owners=owners,
        labels=labels,
        images=tuple(item.image for item in holders or spec.containers),
        containers=tuple(item.name for item in spec.containers),
        ports=tuple(port.container_port for item in holders or spec.containers for port in item.ports),
        claims=bool(volumes),
    )
