"""Claims and volumes: binds them, makes volumes for the sandbox's own storage class, lets them go, makes them larger.

A volume made here is a PersistentVolume with `spec.hostPath.path`. The directory itself is the kubelet's: it creates it
when a pod first mounts it and removes it when the PersistentVolume is gone.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar, Literal

from tui.sandbox.controllers import claims
from tui.sandbox.controllers.claims import CLAIMS, CLASSES, DIRECTORY, SELECTED_NODE, VOLUMES
from tui.sandbox.controllers.engine import Clock, Key
from tui.sandbox.controllers.meta import annotations_of, is_deleted, name_of, namespace_of, timestamp
from tui.sandbox.controllers.pods import set_status
from tui.sandbox.model import ApiError, Change, Json, Objects
from tui.sandbox.quantities import quantity

_CLAIM_GUARD, _VOLUME_GUARD = "kubernetes.io/pvc-protection", "kubernetes.io/pv-protection"
_SOURCE = "persistentvolume-controller"
_BY = "pv.kubernetes.io/provisioned-by"
_BOUND = {"pv.kubernetes.io/bind-completed": "yes", "pv.kubernetes.io/bound-by-controller": "yes"}
_PROVISIONER = "volume.kubernetes.io/storage-provisioner"
_PROVISIONER_BETA = "volume.beta.kubernetes.io/storage-provisioner"
_WAITING = "waiting for first consumer to be created before binding"
_EXTERNAL = (
    "Waiting for a volume to be created either by the external provisioner '{}' or manually by the system "
    "administrator. If volume creation is delayed, please verify that the provisioner is running and correctly "
    "registered."
)
_LOST = "Bound claim has lost its PersistentVolume. Data on the volume is lost!"


def _with_guard(obj: Json, guard: str) -> Json:
    changed = copy.deepcopy(obj)
    changed["metadata"]["finalizers"] = [*(changed["metadata"].get("finalizers") or ()), guard]
    return changed


def _without_guard(obj: Json, guard: str) -> Json:
    changed = copy.deepcopy(obj)
    changed["metadata"]["finalizers"] = [one for one in changed["metadata"]["finalizers"] if one != guard]
    return changed


def _is_guarded(obj: Json, guard: str) -> bool:
    return guard in (obj["metadata"].get("finalizers") or ())


class Claims:
    """Looks after PersistentVolumeClaims."""

    resources: ClassVar[tuple[str, ...]] = (CLAIMS, VOLUMES, CLASSES, "pods")

    def __init__(self, objects: Objects, clock: Clock, volumes: Path) -> None:
        self._objects, self._clock, self._volumes = objects, clock, volumes
        #: What was last said about a claim that waits, so that it is said once. Not needed after a restart.
        self._said: dict[str, str] = {}
        #: Which claim each volume is held for, None for one that is free, as far as the changes have told.
        self._held: dict[str, Key | None] = {}

    def concerned(self, change: Change) -> Iterable[Key]:
        """The claim itself; a volume's; a pod's when it ends; all that wait when a class or a volume comes."""
        obj = change.object
        if change.resource == CLAIMS:
            if change.type == "DELETED":
                self._said.pop(obj["metadata"]["uid"], None)
            yield namespace_of(obj), name_of(obj)
        elif change.resource == "pods":
            for name in claims.claims_of(obj):
                yield namespace_of(obj), name
        elif change.resource == VOLUMES and (holder := self._note(change)):
            yield holder
        else:
            for claim in self._objects.list(CLAIMS):
                if not claims.is_bound(claim) or change.resource == CLASSES:
                    yield namespace_of(claim), name_of(claim)

    def _note(self, change: Change) -> Key | None:
        """Remembers whose a volume is."""
        reference, name = change.object["spec"].get("claimRef"), name_of(change.object)
        holder = (str(reference.get("namespace")), str(reference.get("name"))) if reference else None
        if change.type == "DELETED":
            self._held.pop(name, None)
        else:
            self._held[name] = holder
        return holder

    def reconcile(self, key: Key) -> float | None:
        """Does for one claim what is to be done next."""
        claim = self._objects.get(CLAIMS, *key)
        if claim is None:
            return None
        if is_deleted(claim):
            if _is_guarded(claim, _CLAIM_GUARD) and not claims.users(self._objects.list("pods", key[0]), key[1]):
                self._objects.update(CLAIMS, _without_guard(claim, _CLAIM_GUARD))
            return None
        if not _is_guarded(claim, _CLAIM_GUARD):
            claim = self._objects.update(CLAIMS, _with_guard(claim, _CLAIM_GUARD))
        if claim["spec"].get("volumeName"):
            self._hold(claim)
        else:
            self._find(claim)
        return None

    def _hold(self, claim: Json) -> None:
        """Looks after a claim that names its volume."""
        name = claim["spec"]["volumeName"]
        volume = self._objects.get(VOLUMES, "", name)
        was_bound = annotations_of(claim).get("pv.kubernetes.io/bind-completed") == "yes"
        if volume is None:
            if was_bound and claims.phase(claim) != "Lost":
                set_status(self._objects, CLAIMS, claim, {"phase": "Lost"})
                self._event(claim, "ClaimLost", _LOST, "Warning")
            elif not was_bound:
                self._wait(claim, "FailedBinding", f'volume "{name}" not found', "Warning")
        elif volume["spec"].get("claimRef") and not claims.is_for(volume, claim):
            self._wait(claim, "FailedBinding", f'volume "{name}" already bound to a different claim.', "Warning")
        elif claims.is_bound(claim):
            self._expand(claim, volume)
        else:
            self._bind(claim, volume)

    def _find(self, claim: Json) -> None:
        """Finds or makes a volume for a claim that has none."""
        if claim["spec"].get("storageClassName") is None:
            default = claims.default_class(self._objects)
            if default is not None:
                spec = {**claim["spec"], "storageClassName": name_of(default)}
                claim = self._objects.update(CLAIMS, {**claim, "spec": spec})
        name, storage_class = claim["spec"].get("storageClassName"), claims.class_of(self._objects, claim)
        if claims.waits(storage_class) and SELECTED_NODE not in annotations_of(claim):
            self._wait(claim, "WaitForFirstConsumer", _WAITING)
            return
        key = (namespace_of(claim), name_of(claim))
        near = [name for name, holder in self._held.items() if holder in (None, key)]
        volumes = (self._objects.get(VOLUMES, "", name) for name in near)
        volume = claims.find_volume((volume for volume in volumes if volume), claim)
        if volume is not None:
            self._bind(claim, volume)
        elif not name:
            note = "no persistent volumes available for this claim and no storage class is set"
            self._wait(claim, "FailedBinding", note)
        elif storage_class is None:
            self._wait(claim, "ProvisioningFailed", f'storageclass.storage.k8s.io "{name}" not found', "Warning")
        elif storage_class.get("provisioner") == DIRECTORY:
            self._provision(claim, storage_class)
        elif storage_class.get("provisioner") != "kubernetes.io/no-provisioner":
            self._wait(claim, "ExternalProvisioning", _EXTERNAL.format(storage_class.get("provisioner")))
        else:
            note = "no persistent volumes available for this claim and no storage class is set"
            self._wait(claim, "FailedBinding", note)

    def _provision(self, claim: Json, storage_class: Json) -> None:
        why = ""
        if claim["spec"].get("selector"):
            why = "claim Selector is not supported"
        elif claim["spec"].get("volumeMode") == "Block":
            why = f"{DIRECTORY} does not support block volume provisioning"
        if why:
            note = f'failed to provision volume with StorageClass "{name_of(storage_class)}": {why}'
            self._wait(claim, "ProvisioningFailed", note, "Warning")
            return
        name = f"pvc-{claim['metadata']['uid']}"
        metadata = {
            "name": name,
            "annotations": {_BY: DIRECTORY, "pv.kubernetes.io/bound-by-controller": "yes"},
            "finalizers": [_VOLUME_GUARD],
        }
        spec = {
            "accessModes": list(claim["spec"].get("accessModes") or ()),
            "capacity": {"storage": claim["spec"]["resources"]["requests"]["storage"]},
            "claimRef": self._reference(claim),
            "hostPath": {"path": str(self._volumes / name), "type": ""},
            "persistentVolumeReclaimPolicy": storage_class.get("reclaimPolicy") or "Delete",
            "storageClassName": name_of(storage_class),
            "volumeMode": "Filesystem",
        }
        if storage_class.get("mountOptions"):
            spec["mountOptions"] = list(storage_class["mountOptions"])
        volume = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": metadata, "spec": spec}
        created = self._objects.create(VOLUMES, volume)
        note = f"Successfully provisioned volume {name} using {DIRECTORY}"
        self._event(claim, "ProvisioningSucceeded", note)
        self._bind(claim, created)

    @staticmethod
    def _reference(claim: Json) -> Json:
        reference = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "uid": claim["metadata"]["uid"]}
        reference |= {"namespace": namespace_of(claim), "name": name_of(claim)}
        return reference | {"resourceVersion": claim["metadata"].get("resourceVersion")}

    def _bind(self, claim: Json, volume: Json) -> None:
        """Ties the two together: the volume first, so that what breaks off in between is found again."""
        if (volume["spec"].get("claimRef") or {}).get("uid") != claim["metadata"]["uid"]:
            spec = {**volume["spec"], "claimRef": self._reference(claim)}
            volume = self._objects.update(VOLUMES, {**volume, "spec": spec})
        provisioner = annotations_of(volume).get(_BY)
        marks = {_PROVISIONER: provisioner, _PROVISIONER_BETA: provisioner} if provisioner else {}
        annotations = {**annotations_of(claim), **_BOUND, **marks}
        if claim["spec"].get("volumeName") != name_of(volume) or annotations != annotations_of(claim):
            metadata = {**claim["metadata"], "annotations": annotations}
            spec = {**claim["spec"], "volumeName": name_of(volume)}
            claim = self._objects.update(CLAIMS, {**claim, "metadata": metadata, "spec": spec})
        status = {
            "phase": "Bound",
            "accessModes": volume["spec"].get("accessModes"),
            "capacity": volume["spec"].get("capacity"),
        }
        set_status(self._objects, CLAIMS, claim, status)

    def _expand(self, claim: Json, volume: Json) -> None:
        """Makes a volume as large as its claim asks now: says so, does it, and says that it is done."""
        wanted = claims.requested(claim)
        told = quantity(((claim["status"].get("capacity")) or {}).get("storage"))
        if wanted <= told:
            return
        storage_class = claims.class_of(self._objects, claim) or {}
        if annotations_of(volume).get(_BY) != DIRECTORY or not storage_class.get("allowVolumeExpansion"):
            return
        status = copy.deepcopy(claim["status"])
        if not any(one.get("type") == "Resizing" for one in status.get("conditions") or ()):
            stamp = timestamp(self._clock.wall())
            resizing = {"type": "Resizing", "status": "True", "lastProbeTime": None, "lastTransitionTime": stamp}
            status["conditions"] = [*(status.get("conditions") or ()), resizing]
            set_status(self._objects, CLAIMS, claim, status)
            note = f"External resizer is resizing volume {name_of(volume)}"
            self._event(claim, "Resizing", note, source=f"external-resizer {DIRECTORY}")
            return
        size = claim["spec"]["resources"]["requests"]["storage"]
        if claims.capacity(volume) < wanted:
            spec = {**volume["spec"], "capacity": {**(volume["spec"].get("capacity") or {}), "storage": size}}
            self._objects.update(VOLUMES, {**volume, "spec": spec})
        status["capacity"] = {**(status.get("capacity") or {}), "storage": size}
        left = [one for one in status["conditions"] if one.get("type") != "Resizing"]
        set_status(self._objects, CLAIMS, claim, status | {"conditions": left or None})
        self._event(claim, "VolumeResizeSuccessful", "Resize volume succeeded", source=f"external-resizer {DIRECTORY}")

    def _wait(self, claim: Json, reason: str, message: str, kind: Literal["Normal", "Warning"] = "Normal") -> None:
        if claims.phase(claim) != "Pending" or not (claim.get("status") or {}).get("phase"):
            set_status(self._objects, CLAIMS, claim, {**(claim.get("status") or {}), "phase": "Pending"})
        if self._said.get(claim["metadata"]["uid"]) != message:
            self._said[claim["metadata"]["uid"]] = message
            self._event(claim, reason, message, kind)

    def _event(
        self,
        claim: Json,
        reason: str,
        message: str,
        kind: Literal["Normal", "Warning"] = "Normal",
        *,
        source: str = _SOURCE,
    ) -> None:
        self._objects.event(claim, reason, message, kind=kind, source=source)


class Volumes:
    """Looks after PersistentVolumes: says in which phase they are, and lets them go with their claims."""

    resources: ClassVar[tuple[str, ...]] = (VOLUMES, CLAIMS)

    def __init__(self, objects: Objects, clock: Clock) -> None:
        self._objects, self._clock = objects, clock

    def concerned(self, change: Change) -> Iterable[Key]:
        """The volume itself, or a claim's."""
        if change.resource == VOLUMES:
            yield "", name_of(change.object)
            return
        for claim in (change.object, change.old):
            if claim and (claim.get("spec") or {}).get("volumeName"):
                yield "", str(claim["spec"]["volumeName"])

    def reconcile(self, key: Key) -> float | None:
        """Brings one volume's phase up to date and deletes it when nobody has it any more."""
        volume = self._objects.get(VOLUMES, *key)
        if volume is None:
            return None
        if not is_deleted(volume) and not _is_guarded(volume, _VOLUME_GUARD):
            volume = self._objects.update(VOLUMES, _with_guard(volume, _VOLUME_GUARD))
        phase = self._phase(volume)
        if is_deleted(volume):
            if phase != "Bound" and _is_guarded(volume, _VOLUME_GUARD):
                self._objects.update(VOLUMES, _without_guard(volume, _VOLUME_GUARD))
            return None
        unwanted = phase == "Released" and volume["spec"].get("persistentVolumeReclaimPolicy") == "Delete"
        if unwanted and annotations_of(volume).get(_BY) != DIRECTORY:
            phase = "Failed"
        if phase != claims.phase(volume) or not volume.get("status"):
            now = timestamp(self._clock.wall())
            set_status(self._objects, VOLUMES, volume, {"phase": phase, "lastPhaseTransitionTime": now})
            if phase == "Failed":
                note = f'error getting deleter volume plugin for volume "{name_of(volume)}": no deletable volume plugin'
                self._objects.event(volume, "VolumeFailedDelete", note, kind="Warning", source=_SOURCE)
        if unwanted and phase == "Released":
            try:
                self._objects.delete(VOLUMES, "", name_of(volume), uid=volume["metadata"]["uid"])
            except ApiError as error:
                if error.reason != "NotFound":
                    raise
        return None

    def _phase(self, volume: Json) -> str:
        reference = volume["spec"].get("claimRef")
        if not reference or not reference.get("uid"):
            return "Available"
        claim = self._objects.get(CLAIMS, str(reference.get("namespace")), str(reference.get("name")))
        if claim is None or claim["metadata"]["uid"] != reference["uid"]:
            return "Released"
        return "Bound" if claim["spec"].get("volumeName") == name_of(volume) else claims.phase(volume)
