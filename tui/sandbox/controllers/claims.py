"""What claims, volumes and storage classes have to do with each other; facts alone, nothing is changed here."""

from __future__ import annotations

from collections.abc import Iterable

from tui.sandbox.controllers.meta import annotations_of, is_deleted, labels_of, name_of, namespace_of
from tui.sandbox.controllers.pods import is_finished
from tui.sandbox.model import Json, Objects
from tui.sandbox.quantities import quantity
from tui.sandbox.selectors import selects

CLAIMS, VOLUMES, CLASSES = "persistentvolumeclaims", "persistentvolumes", "storageclasses.storage.k8s.io"
#: The provisioner of this sandbox: a volume is a directory.
DIRECTORY = "sandbox.statetui/directory"
SELECTED_NODE = "volume.kubernetes.io/selected-node"
_DEFAULT = "storageclass.kubernetes.io/is-default-class"


def default_class(objects: Objects) -> Json | None:
    """The storage class of claims that name none; of several the newest, as in Kubernetes."""
    classes = [one for one in objects.list(CLASSES) if annotations_of(one).get(_DEFAULT) == "true"]
    return max(classes, key=lambda one: (one["metadata"].get("creationTimestamp") or "", name_of(one)), default=None)


def class_of(objects: Objects, claim: Json) -> Json | None:
    """A claim's storage class, None when it wants none or one that is not there."""
    name = claim["spec"].get("storageClassName")
    return objects.get(CLASSES, "", name) if name else None


def waits(storage_class: Json | None) -> bool:
    """Whether volumes of a class are bound only when a pod wants them."""
    return (storage_class or {}).get("volumeBindingMode") == "WaitForFirstConsumer"


def phase(obj: Json) -> str:
    """The phase of a claim or a volume."""
    return str((obj.get("status") or {}).get("phase") or "Pending")


def is_bound(claim: Json) -> bool:
    """Whether a claim has its volume."""
    return phase(claim) == "Bound" and bool(claim["spec"].get("volumeName"))


def requested(claim: Json) -> int:
    """How many bytes a claim asks for."""
    return quantity(((claim["spec"].get("resources") or {}).get("requests") or {}).get("storage"))


def capacity(volume: Json) -> int:
    """How many bytes a volume has."""
    return quantity((volume["spec"].get("capacity") or {}).get("storage"))


def is_for(volume: Json, claim: Json) -> bool:
    """Whether a volume is held for this claim: by name, or by its very uid."""
    reference = volume["spec"].get("claimRef") or {}
    if (reference.get("namespace"), reference.get("name")) != (namespace_of(claim), name_of(claim)):
        return False
    return reference.get("uid") in (None, "", claim["metadata"]["uid"])


def _suits(volume: Json, claim: Json) -> bool:
    spec, wanted = volume["spec"], claim["spec"]
    if (spec.get("storageClassName") or "") != (wanted.get("storageClassName") or "") or is_deleted(volume):
        return False
    if (spec.get("volumeMode") or "Filesystem") != (wanted.get("volumeMode") or "Filesystem"):
        return False
    if not set(wanted.get("accessModes") or ()) <= set(spec.get("accessModes") or ()):
        return False
    selector = wanted.get("selector")
    return capacity(volume) >= requested(claim) and (selector is None or selects(selector, labels_of(volume)))


def find_volume(volumes: Iterable[Json], claim: Json) -> Json | None:
    """The volume for a claim among some: one that is held for it, or the smallest free one that suits."""
    volumes = list(volumes)
    held = [volume for volume in volumes if is_for(volume, claim) and not is_deleted(volume)]
    if held:
        return held[0]
    free = [volume for volume in volumes if not volume["spec"].get("claimRef") and _suits(volume, claim)]
    return min(free, key=lambda volume: (capacity(volume), name_of(volume)), default=None)


def claims_of(pod: Json) -> list[str]:
    """The names of the claims that a pod mounts, those of its ephemeral volumes too."""
    names = []
    for volume in (pod.get("spec") or {}).get("volumes") or ():
        if volume.get("persistentVolumeClaim"):
            names.append(str(volume["persistentVolumeClaim"].get("claimName")))
        elif volume.get("ephemeral"):
            names.append(f"{name_of(pod)}-{volume.get('name')}")
    return names


def users(pods: Iterable[Json], claim: str) -> list[Json]:
    """Which of some pods of a namespace use a claim and have not ended."""
    return [pod for pod in pods if not is_finished(pod) and claim in claims_of(pod)]
