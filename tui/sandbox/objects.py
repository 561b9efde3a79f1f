"""Steps of a write that several kinds of writes share: an object made ready to be kept."""

from __future__ import annotations

import copy
import secrets
import time
import uuid
from dataclasses import dataclass

from tui.sandbox import changes, defaults, fields, problems, selectors, shapes
from tui.sandbox.kinds import Kind
from tui.sandbox.model import Json, Propagation
from tui.sandbox.shapes import Value

#: Letters of generated names: Kubernetes leaves out what makes words or looks alike.
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
#: Resources whose `metadata.generation` counts changes of what is wanted.
_COUNTED = frozenset(
    {
        "pods",
        "statefulsets.apps",
        "deployments.apps",
        "replicasets.apps",
        "daemonsets.apps",
        "jobs.batch",
        "cronjobs.batch",
        "poddisruptionbudgets.policy",
        "ingresses.networking.k8s.io",
        "networkpolicies.networking.k8s.io",
        "endpointslices.discovery.k8s.io",
        "priorityclasses.scheduling.k8s.io",
        "customresourcedefinitions.apiextensions.k8s.io",
    }
)


@dataclass(frozen=True, slots=True)
class Options:
    """How a write is meant.

    Attributes:
        manager: who owns the fields that it sets.
        subresource: `status`, `scale` or `finalize` (of namespaces); empty for the object itself.
        dry: whether everything but the keeping is done.
        strict: whether unknown fields are refused.
        force: whether an apply takes fields from their owners.
    """

    manager: str = "sandbox"
    subresource: str = ""
    dry: bool = False
    strict: bool = False
    force: bool = False


@dataclass(frozen=True, slots=True)
class Deletion:
    """How a deletion is meant.

    Attributes:
        uid: which object is meant; empty: whichever has the name.
        version: the resource version that the object must still have; empty: any.
        grace: seconds that it has to end, None for what the object says.
        propagation: what becomes of its dependents.
        dry: whether everything but the deleting is done.
    """

    uid: str = ""
    version: str = ""
    grace: int | None = None
    propagation: Propagation = "Background"
    dry: bool = False


def now() -> str:
    """The time as Kubernetes writes it, in seconds."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def later(seconds: int) -> str:
    """The time some seconds from now; what would be beyond the calendar is at its end."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(min(time.time() + seconds, 253402300799)))


def suffix(length: int = 5) -> str:
    """The end of a generated name."""
    return "".join(secrets.choice(_LETTERS) for _ in range(length))


def counted(kind: Kind) -> bool:
    """Whether a kind's generation counts changes."""
    return kind.key in _COUNTED or kind.rules is not None


def same(one: Json, other: Json) -> bool:
    """Whether two objects say the same, whoever owns it and whenever it was written."""
    skipped = ("managedFields", "resourceVersion", "generation")

    def bare(obj: Json) -> Json:
        return {**obj, "metadata": {key: value for key, value in obj["metadata"].items() if key not in skipped}}

    return bare(one) == bare(other)


def shaped(kind: Kind, obj: object, options: Options) -> Json:
    """An object in its shape.

    Raises:
        ApiError: 400 BadRequest.
    """
    if not isinstance(obj, dict):
        raise problems.bad(f"the object provided is unrecognized (must be of type {kind.name}): not a JSON object")
    version, name = obj.get("apiVersion") or kind.api_version, obj.get("kind") or kind.name
    group = str(version).rpartition("/")[0]
    if name != kind.name or group != kind.group:
        told = f'{name} in version "{str(version).rpartition("/")[2]}" cannot be handled as a {kind.name}'
        raise problems.bad(f"{told}: converting ({version}.{name}) to ({kind.name}): unknown conversion")
    if version != kind.api_version:
        why = f"the API version in the data ({version}) does not match the expected API version ({kind.api_version})"
        raise problems.bad(why)
    read = shapes.read(kind.shape, {**obj, "apiVersion": version, "kind": name}, kind.name, kind.version)
    if options.strict and read.unknown:
        raise changes.strict(read.unknown, kind)
    made = read.object
    made["apiVersion"], made["kind"] = kind_version(kind), kind.name
    metadata = made.setdefault("metadata", {})
    for part in ("labels", "annotations", "finalizers", "ownerReferences"):
        if part in metadata and not metadata[part]:
            del metadata[part]
    metadata.pop("selfLink", None)
    return made


def kind_version(kind: Kind) -> str:
    """The apiVersion in which objects of a kind are kept."""
    return f"{kind.group}/{kind.stored or kind.version}" if kind.group else kind.version


def begun(kind: Kind, obj: Json) -> None:
    """Gives a new object what the server gives it."""
    metadata = obj["metadata"]
    if not metadata.get("name") and metadata.get("generateName"):
        metadata["name"] = metadata["generateName"][:58] + suffix()
    for part in ("resourceVersion", "deletionTimestamp", "deletionGracePeriodSeconds", "generation"):
        metadata.pop(part, None)
    if not kind.namespaced:
        metadata.pop("namespace", None)
    metadata["uid"] = str(uuid.uuid4())
    metadata["creationTimestamp"] = now()
    if counted(kind):
        metadata["generation"] = 1
    # Nodes say what they are when they come.
    if "status" in kind.subresources and kind.key != "nodes":
        obj.pop("status", None)


def filled(kind: Kind, obj: Json) -> None:
    """Fills in defaults."""
    if kind.rules is not None:
        defaults.from_schema(kind.rules, obj)
    else:
        defaults.fill(kind.key, obj)


#: What stays as it was, whatever is written.
_KEPT = (
    "uid",
    "creationTimestamp",
    "generation",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "resourceVersion",
    "generateName",
)


def continued(kind: Kind, old: Json, obj: Json, options: Options) -> Json:
    """What becomes of an object when it is replaced: the parts that such a write may not touch are as they were."""
    if options.subresource in ("status", "finalize"):
        return _continued_part(kind, old, obj, options.subresource)
    made = obj
    metadata, before = made["metadata"], old["metadata"]
    for part in _KEPT:
        metadata.pop(part, None)
        if part in before:
            metadata[part] = before[part]
    if before.get("deletionTimestamp"):
        # Who is being deleted waits for nobody new.
        kept = [name for name in metadata.get("finalizers", []) if name in before.get("finalizers", [])]
        metadata.pop("finalizers", None)
        if kept:
            metadata["finalizers"] = kept
    if "status" in kind.subresources:
        made.pop("status", None)
        if "status" in old:
            made["status"] = old["status"]
    if kind.key == "services":
        for part in ("clusterIP", "clusterIPs"):
            if part in old["spec"] and not made.get("spec", {}).get(part):
                made.setdefault("spec", {})[part] = old["spec"][part]
    if kind.key == "persistentvolumeclaims" and old["spec"].get("volumeName"):
        made.setdefault("spec", {}).setdefault("volumeName", old["spec"]["volumeName"])
    return made


def _continued_part(kind: Kind, old: Json, obj: Json, subresource: str) -> Json:
    """What becomes of an object when a subresource of it is written; `old` is not changed, but shares its parts."""
    if subresource == "finalize":
        finalizers = (obj.get("spec") or {}).get("finalizers") or []
        return {**old, "metadata": dict(old["metadata"]), "spec": {**old.get("spec", {}), "finalizers": finalizers}}
    made = {key: value for key, value in old.items() if key != "status"}
    made["metadata"] = dict(old["metadata"])
    if "status" in obj:
        made["status"] = obj["status"]
    if kind.key == "pods" and "status" in made:
        made["status"].setdefault("qosClass", old.get("status", {}).get("qosClass", "BestEffort"))
    return made


def owned(kind: Kind, old: Json | None, obj: Json, options: Options) -> None:
    """Notes in an object's `managedFields` what its writer changed."""
    status = "status" in kind.subresources
    entries = (old or obj)["metadata"].get("managedFields")
    managers = fields.Managers(entries, kind.api_version, options.subresource, now())
    before = fields.leaves(kind.shape, old, subresource=options.subresource, status=status) if old else {}
    after = fields.leaves(kind.shape, obj, subresource=options.subresource, status=status)
    fields.updated(managers, before, after, options.manager)
    written = managers.written()
    obj["metadata"].pop("managedFields", None)
    if written:
        obj["metadata"]["managedFields"] = written


def scale_of(kind: Kind, obj: Json) -> Json:
    """The Scale of an object."""
    metadata = obj["metadata"]
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    wanted = _at(obj, kind.scale.get("specReplicasPath", ".spec.replicas"))
    made: Json = {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {key: metadata[key] for key in kept if key in metadata},
        "spec": {"replicas": wanted} if wanted else {},  # 0 is left out, as in Kubernetes
        "status": {"replicas": _at(obj, kind.scale.get("statusReplicasPath", ".status.replicas")) or 0},
    }
    if kind.scale:
        chosen = _at(obj, kind.scale.get("labelSelectorPath", "")) if kind.scale.get("labelSelectorPath") else None
    else:
        chosen = selectors.text_of(obj["spec"].get("selector"))
    if isinstance(chosen, str) and chosen:
        made["status"]["selector"] = chosen
    return made


def _at(obj: Json, path: str) -> Value:
    value: Value = obj
    for part in path.strip(".").split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def scaled(kind: Kind, obj: Json, replicas: int) -> Json:
    """An object with another number of replicas."""
    made = copy.deepcopy(obj)
    *path, last = kind.scale.get("specReplicasPath", ".spec.replicas").strip(".").split(".")
    at = made
    for part in path:
        at = at.setdefault(part, {})
    at[last] = replicas
    return made


def establish(crd: Json) -> None:
    """Says in a CustomResourceDefinition that what it defines is served."""
    stamp = now()
    names = crd["spec"]["names"]
    crd["status"] = {
        "acceptedNames": names,
        "conditions": [
            {
                "type": "NamesAccepted",
                "status": "True",
                "lastTransitionTime": stamp,
                "reason": "NoConflicts",
                "message": "no conflicts found",
            },
            {
                "type": "Established",
                "status": "True",
                "lastTransitionTime": stamp,
                "reason": "InitialNamesAccepted",
                "message": "the initial names have been accepted",
            },
        ],
        "storedVersions": [version["name"] for version in crd["spec"]["versions"] if version.get("storage")],
    }
