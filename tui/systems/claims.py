"""Claims: what each asked for and got, what lies behind it, how full it is, and why it is still Pending."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from tui.kube import events, quantity, times
from tui.kube.objects import PersistentVolume, PersistentVolumeClaim, StorageClass
from tui.kube.store import Store
from tui.kube.usage import Usage
from tui.systems.model import Claim, Health

CLAIMS, VOLUMES, CLASSES = "persistentvolumeclaims", "persistentvolumes", "storageclasses"

_RESIZE = {
    "Resizing": "growing: the volume is being resized",
    "FileSystemResizePending": "growing: the file system follows when the node resizes it",
    "ControllerResizeError": "cannot grow",
    "NodeResizeError": "cannot grow",
    "ModifyingVolume": "its volume attributes are being changed",
    "ModifyVolumeError": "its volume attributes cannot be changed",
}
_RESIZE_STEPS = {
    "ControllerResizeInProgress": "growing: the volume is being resized",
    "NodeResizePending": "growing: the file system follows when the node resizes it",
    "NodeResizeInProgress": "growing: the node resizes the file system",
    "ControllerResizeFailed": "cannot grow: the volume could not be resized",
    "ControllerResizeInfeasible": "cannot grow: the driver refuses this size",
    "NodeResizeFailed": "cannot grow: the file system could not be resized",
    "NodeResizeInfeasible": "cannot grow: the node refuses this size",
}


class UsageLike(Protocol):
    """Where the use of volumes is looked up."""

    def get(self, namespace: str, claim: str) -> Usage | str:
        """The use of a claim, or why it is unknown."""
        ...


@dataclass(frozen=True, slots=True)
class Pending:
    """Why a claim is not bound.

    Attributes:
        text: in a few words.
        evidence: whose words it rests on, verbatim.
        remedy: what can be done; empty when waiting is right.
        failing: whether waiting longer will not help.
        at: when the evidence was seen.
    """

    text: str
    evidence: str = ""
    remedy: str = ""
    failing: bool = False
    at: float | None = None


class ClaimBook:
    """Makes Claims of objects, and keeps each for as long as nothing about it changed."""

    def __init__(self, store: Store, usage: UsageLike) -> None:
        self._store = store
        self._usage = usage
        self._memo: dict[str, tuple[PersistentVolumeClaim, PersistentVolume | None, Usage | str, str, Claim]] = {}

    def claim(self, item: PersistentVolumeClaim, template: str = "") -> Claim:
        """The claim of an object.

        Args:
            item: the object.
            template: the claim template it comes from, empty when unknown.
        """
        meta = item.metadata
        volume = (
            self._store.named(VOLUMES, "", item.spec.volume_name, PersistentVolume) if item.spec.volume_name else None
        )
        usage = self._usage.get(meta.namespace, meta.name)
        memo = self._memo.get(meta.uid)
        if memo is not None and memo[0] is item and memo[1] is volume and memo[2] == usage and memo[3] == template \
                and item.status.phase == "Bound":  # fmt: skip
            return memo[4]
        made = self._make(item, volume, usage, template)
        if memo is not None and memo[4] == made:
            made = memo[4]
        self._memo[meta.uid] = (item, volume, usage, template, made)
        return made

    def forget(self, uid: str) -> None:
        """Drops what is kept of a claim that is gone."""
        self._memo.pop(uid, None)

    def missing(self, namespace: str, name: str, template: str = "") -> Claim:
        """The claim that a pod names and that is not there, or may not be read."""
        readable = self._store.count(CLAIMS, namespace) > 0
        return Claim(
            name=name, uid="", template=template,
            health=Health.WAITING if readable else Health.UNKNOWN,
            phase="Missing" if readable else "Unknown",
            capacity=None, requested=None, storage_class="", volume="", volume_source="", access_modes=(), usage=None,
            usage_unknown="no such claim" if readable else "claims may not be read",
            created=None, note="no such claim" if readable else "claims may not be read",
        )  # fmt: skip

    def _make(
        self, item: PersistentVolumeClaim, volume: PersistentVolume | None, usage: Usage | str, template: str
    ) -> Claim:
        meta, spec, status = item.metadata, item.spec, item.status
        capacity = quantity.parse(status.capacity.storage) if status.capacity.storage else None
        requested = quantity.parse(spec.resources.requests.storage) if spec.resources.requests.storage else None
        note = ""
        phase = status.phase or "Pending"
        if phase == "Bound":
            health, note = Health.READY, _resize(item)
        elif phase == "Lost":
            health, note = Health.FAILING, f"its volume {spec.volume_name or '(unknown)'} is gone"
        elif phase == "Pending":
            why = pending(self._store, item)
            health, note = Health.FAILING if why.failing else Health.WAITING, why.text
        else:
            health = Health.UNKNOWN
        if meta.deletion_timestamp is not None:
            phase, health = "Terminating", Health.TERMINATING
            note = note or "deleted; stays while a pod mounts it"
        return Claim(
            name=meta.name, uid=meta.uid, template=template, health=health, phase=phase,
            capacity=capacity, requested=requested, storage_class=spec.storage_class_name or "",
            volume=spec.volume_name, volume_source=volume_source(volume), access_modes=tuple(spec.access_modes),
            usage=usage if isinstance(usage, Usage) else None,
            usage_unknown=usage if isinstance(usage, str) else "",
            created=times.parse(meta.creation_timestamp), note=note,
        )  # fmt: skip


def volume_source(volume: PersistentVolume | None) -> str:
    """What is behind a volume, short; empty when it may not be read."""
    if volume is None:
        return ""
    spec = volume.spec
    if spec.csi is not None:
        return f"csi {spec.csi.driver}"
    for name, source in (("hostPath", spec.host_path), ("local", spec.local), ("nfs", spec.nfs)):
        if source is not None:
            return name
    return "other"


def _resize(item: PersistentVolumeClaim) -> str:
    steps: Mapping[str, str] = item.status.allocated_resource_statuses or {}
    if (step := steps.get("storage")) is not None:
        return _RESIZE_STEPS.get(step, step)
    for condition in item.status.conditions:
        if condition.status == "True" and condition.type in _RESIZE:
            text = _RESIZE[condition.type]
            return f"{text}: {condition.message}" if condition.message and text.startswith("cannot") else text
    return ""


def pending(store: Store, item: PersistentVolumeClaim) -> Pending:
    """Why a claim is Pending, from its class, its events and the volume it names."""
    spec = item.spec
    told = store.events_of(item.metadata.uid)
    failed = events.newest(told, "ProvisioningFailed", "FailedBinding", "VolumeMismatch", "ClaimMisbound", "ClaimLost")
    if spec.volume_name:
        return _wants_volume(store, item)
    name = spec.storage_class_name
    kind = store.named(CLASSES, "", name, StorageClass) if name else None
    readable = store.count(CLASSES) > 0
    if name and kind is None and readable:
        have = ", ".join(sorted(item.name for item in store.all(CLASSES, StorageClass)))
        return Pending(
            f"storage class {name} does not exist",
            failed.message if failed else "",
            f"Make the class, or use one of: {have}.",
            True,
            events.last_seen(failed) if failed else None,
        )
    if name is None and readable and not _default_class(store):
        return Pending(
            "names no storage class, and there is no default one",
            failed.message if failed else "",
            "Name a class in the claim (template), or mark one as default.",
            True,
            events.last_seen(failed) if failed else None,
        )
    waits = kind is not None and kind.volume_binding_mode == "WaitForFirstConsumer"
    if failed is not None:
        return Pending(failed.message, failed.message, "", True, events.last_seen(failed))
    if waits:
        if not list(store.pods_of_claim(item.namespace, item.name)):
            return Pending("waits for its first pod", f"volumeBindingMode of {name} is WaitForFirstConsumer")
        return Pending("waits until its pod can be scheduled", f"volumeBindingMode of {name} is WaitForFirstConsumer")
    working = events.newest(told, "ExternalProvisioning", "Provisioning", "WaitForPodScheduled")
    if working is not None:
        return Pending("is being provisioned", working.message, at=events.last_seen(working))
    if name == "":
        return Pending("waits for a volume that fits", "storageClassName is empty: no volume is made for it")
    return Pending("waits to be provisioned")


def _wants_volume(store: Store, item: PersistentVolumeClaim) -> Pending:
    name = item.spec.volume_name
    volume = store.named(VOLUMES, "", name, PersistentVolume)
    if volume is None and store.count(VOLUMES):
        return Pending(f"volume {name} does not exist", "", "Make that volume, or a claim that names none.", True)
    holder = volume.spec.claim_ref if volume is not None else None
    if holder is not None and (holder.namespace, holder.name) != (item.namespace, item.name):
        return Pending(f"volume {name} belongs to {holder.namespace}/{holder.name}", "", "", True)
    return Pending(f"waits for volume {name}")


def _default_class(store: Store) -> bool:
    return any(item.metadata.annotations.default_class == "true" for item in store.all(CLASSES, StorageClass))
