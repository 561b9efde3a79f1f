"""Objects to workloads, incrementally: a changed object touches its own workload only.

Every watched object is placed once (which workload does it belong to?) and again only when its labels, owners or
specification changed. After a batch of changes the workloads that were touched are assembled anew, and those that
look different are handed on.
"""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Sequence

from tui.kube.objects import (
    CustomResource,
    DaemonSet,
    Deployment,
    Object,
    PersistentVolumeClaim,
    Pod,
    ReplicaSet,
    StatefulSet,
)
from tui.kube.store import Change, Store, claims_of
from tui.systems.assemble import Assembler
from tui.systems.catalogue import Catalogue
from tui.systems.claims import CLAIMS, ClaimBook, UsageLike
from tui.systems.delta import Delta, owners_first
from tui.systems.group import Group, new_key, placed_otherwise
from tui.systems.homes import Homes, LabelIndex
from tui.systems.model import Health, Workload
from tui.systems.observed import Observed
from tui.systems.ownership import group_of_owned, maker_of, pods_behind_unseen_sets, pods_of
from tui.systems.placing import Controller, Placement, of_controller, of_custom, of_loose_claims, of_pod
from tui.systems.surroundings import Surroundings

__all__ = ["Delta", "Recogniser", "UsageLike"]

_CONTROLLERS = {"statefulsets": "StatefulSet", "deployments": "Deployment", "daemonsets": "DaemonSet"}
_PLURAL = {kind: plural for plural, kind in _CONTROLLERS.items()}
#: Workloads that one `refresh` looks at.
LOOKS = 50


class Recogniser:
    """Keeps the workloads of a store.

    Attributes:
        workloads: what is known now, by key.
    """

    def __init__(self, store: Store, usage: UsageLike, catalogue: Catalogue, observed: Observed | None = None) -> None:
        self.workloads: dict[str, Workload] = {}
        self._store = store
        self._catalogue = catalogue
        self._again: list[Group] = []
        self._claims = ClaimBook(store, usage)
        self._groups: dict[tuple[str, str, str, str], Group] = {}
        self._group_of: dict[str, Group] = {}
        self._of_owner: dict[str, Placement | None] = {}
        self._loose: dict[str, Group] = {}
        self._keys: dict[str, Group] = {}
        self._dirty: dict[Group, None] = {}
        self._relabel: dict[Group, None] = {}
        self._claims_to_place: dict[str, None] = {}
        self._labels = LabelIndex()
        self._homes = Homes(store, self._group_of, self._labels)
        self._around = Surroundings(store, catalogue, self._group_of, self._labels, self._well)
        self._observed = observed or Observed()
        self._assembler = Assembler(
            store, self._claims, self._around.services, self._around.endpoints, self._observed
        )  # fmt: skip

    # --- the two ways in

    @property
    def unsettled(self) -> bool:
        """Whether `apply` ran out of time: call it again, with nothing new if there is nothing."""
        return bool(self._dirty)

    def apply(
        self, changes: Sequence[Change], usage_changed: Collection[tuple[str, str]] = (), *, within: float = math.inf
    ) -> Delta:
        """Follows a batch of changes.

        Args:
            changes: what `Store.drain` returned.
            usage_changed: claims (namespace, name) whose use is another now.
            within: seconds after which deriving stops, for others on the loop; what is left is as it was before.
        """
        self.take(changes)
        for namespace, name in usage_changed:
            item = self._store.named(CLAIMS, namespace, name, PersistentVolumeClaim)
            if item is not None:
                self._touch(self._group_of.get(item.uid))
        for uid in self._observed.drain():
            self._touch(self._group_of.get(uid))
        return self._settle(time.monotonic() + within)

    def take(self, changes: Sequence[Change]) -> None:
        """Follows a batch of changes without deriving anything from it yet; the next `apply` does.

        While the first lists arrive there is time for this, and half of them would make wrong workloads.
        """
        for change in owners_first(changes):
            self._follow(change)

    def refresh(self) -> Delta:
        """Looks again at some workloads that are not well, at others each time.

        What explains them may have gone without word: events expire. At most `LOOKS` are looked at, so that a cluster
        in trouble costs no more than a few milliseconds.
        """
        if not self._again:
            self._again = [group for group in self._groups.values() if not self._well(group)]
        for group in self._again[-LOOKS:]:
            if group.key in self._keys:
                self._dirty[group] = None
        del self._again[-LOOKS:]
        return self._settle()

    # --- following one change

    def _follow(self, change: Change) -> None:
        old, new = change.old, change.new
        item = new if new is not None else old
        if item is None:
            return
        if isinstance(item, Pod):
            self._pod(old, new, item)
        elif change.resource in _CONTROLLERS:
            self._controller(change.resource, new, item)
        elif isinstance(item, PersistentVolumeClaim):
            self._claim(old, new, item)
        elif isinstance(item, ReplicaSet):
            self._replica_set(old, new, item)
        elif isinstance(item, CustomResource):
            self._custom(change.resource, new, item)
        else:
            for group in self._around.follow(old, new):
                self._touch(group)

    def _controller(self, resource: str, new: Object | None, item: Object) -> None:
        uid = item.uid
        if not isinstance(new, StatefulSet | Deployment | DaemonSet):
            self._drop_controller(resource, uid)
            return
        placement = (
            of_controller(self._catalogue, new, _CONTROLLERS[resource])
            if self._moved(uid, new)
            else self._of_owner[uid]
        )
        fresh = uid not in self._of_owner or self._of_owner[uid] != placement
        self._of_owner[uid] = placement
        group = self._enter(uid, placement)
        if group is not None:
            former = group.controllers.get(uid)
            group.controllers[uid] = (_CONTROLLERS[resource], new)
            if former is None or former[1].spec.template.metadata.labels != new.spec.template.metadata.labels:
                self._relabel[group] = None
        if isinstance(new, StatefulSet):
            self._claims_to_place.update(dict.fromkeys(self._homes.add_set(new)))
        if fresh:
            for pod in (
                *pods_of(self._store, uid),
                *(pods_behind_unseen_sets(self._store, new) if isinstance(new, Deployment) else ()),
            ):
                self._place_pod(pod)

    def _moved(self, uid: str, new: Controller) -> bool:
        """Whether a controller must be placed again."""
        group = self._group_of.get(uid)
        former = group.controllers.get(uid) if group is not None else None
        return former is None or placed_otherwise(former[1], new)

    def _drop_controller(self, resource: str, uid: str) -> None:
        group = self._group_of.pop(uid, None)
        if group is not None:
            _, gone = group.controllers.pop(uid)
            group.placements.pop(uid, None)
            self._touch(group)
            self._relabel[group] = None
            if isinstance(gone, StatefulSet):
                self._homes.drop_set(gone)
        # Its last pods stay where they were: what they say of themselves may be less than their controller said.
        if not pods_of(self._store, uid):
            self._of_owner.pop(uid, None)
        if group is not None:
            self._claims_to_place.update(dict.fromkeys(group.claims))

    def _replica_set(self, old: Object | None, new: Object | None, item: Object) -> None:
        if old is None or new is None or old.metadata.owner_references != new.metadata.owner_references:
            for pod in self._store.owned(item.uid, "pods", Pod):
                self._place_pod(pod)

    def _custom(self, resource: str, new: Object | None, item: Object) -> None:
        uid = item.uid
        if not isinstance(new, CustomResource):
            group = self._group_of.pop(uid, None)
            if group is not None:
                group.customs.pop(uid, None)
                group.placements.pop(uid, None)
                self._touch(group)
                self._claims_to_place.update(dict.fromkeys(group.claims))
            return
        fresh = uid not in self._group_of
        # It belongs to the workload that its controllers and pods have made, else to its own.
        made = group_of_owned(self._store, self._group_of, uid)
        group = self._enter(uid, made.placement if made else of_custom(self._catalogue, resource, new))
        if group is not None:
            group.customs[uid] = (resource, new)
        if fresh:
            self._claims_to_place.update(
                dict.fromkeys(claim.uid for claim in self._store.owned(uid, CLAIMS, PersistentVolumeClaim))
            )

    def _pod(self, old: Object | None, new: Object | None, item: Pod) -> None:
        if not isinstance(new, Pod):
            self._drop_pod(item)
            return
        group = self._group_of.get(new.uid)
        if group is not None and isinstance(old, Pod) and old.metadata.labels == new.metadata.labels \
                and old.metadata.owner_references == new.metadata.owner_references:  # fmt: skip
            group.pods[new.uid] = new
            self._dirty[group] = None
            return
        if group is None or old is not None or group.pods.get(new.uid) is not new:  # else its controller brought it in
            self._place_pod(new)

    def _drop_pod(self, pod: Pod) -> None:
        group = self._group_of.pop(pod.uid, None)
        self._assembler.forget_pod(pod.uid)
        self._claims_of_pod(pod)
        if group is not None:
            group.pods.pop(pod.uid, None)
            group.placements.pop(pod.uid, None)
            self._touch(group)
            if not group.controllers:
                self._relabel[group] = None
        owner = pod.metadata.controller
        if owner is not None and owner.uid in self._of_owner and not self._store.owned(owner.uid, "pods", Pod) \
                and self._store.by_uid(_PLURAL.get(owner.kind, ""), owner.uid, Object) is None:  # fmt: skip
            del self._of_owner[owner.uid]

    def _place_pod(self, pod: Pod) -> None:
        uid = pod.uid
        owner = maker_of(self._store, pod)
        known = owner is not None and owner.uid in self._of_owner
        if owner is not None and known:
            placement = self._of_owner[owner.uid]
        elif (owner is not None and owner.kind == "Node") or (
            owner is not None and owner.kind == "Job" and self._homes.helps(pod)
        ):
            placement = None
        else:
            placement = of_pod(self._catalogue, pod, owner)
        former = self._group_of.get(uid)
        group = self._enter(uid, placement, own=not known)
        if group is not None:
            group.pods[uid] = pod
            if not group.controllers:
                self._relabel[group] = None
        if group is not former or former is None:
            self._claims_of_pod(pod)

    def _claims_of_pod(self, pod: Pod) -> None:
        for name in claims_of(pod):
            item = self._store.named(CLAIMS, pod.namespace, name, PersistentVolumeClaim)
            if item is not None:
                self._claims_to_place[item.uid] = None

    # --- claims

    def _claim(self, old: Object | None, new: Object | None, item: PersistentVolumeClaim) -> None:
        uid = item.uid
        if not isinstance(new, PersistentVolumeClaim):
            self._homes.drop_claim(item)
            self._claims.forget(uid)
            group = self._group_of.pop(uid, None)
            if group is not None:
                group.claims.pop(uid, None)
            self._touch(group)
            return
        group = self._group_of.get(uid)
        if group is not None and old is not None and old.metadata.labels == new.metadata.labels \
                and old.metadata.owner_references == new.metadata.owner_references:  # fmt: skip
            group.claims[uid] = new
            self._dirty[group] = None
            return
        if old is None:
            self._homes.add_claim(new)
        self._claims_to_place[uid] = None

    def _place_claims(self) -> None:
        while self._claims_to_place:
            uids, self._claims_to_place = self._claims_to_place, {}
            for uid in uids:
                item = self._store.by_uid(CLAIMS, uid, PersistentVolumeClaim)
                if item is not None:
                    self._place_claim(item)

    def _place_claim(self, item: PersistentVolumeClaim) -> None:
        group = self._homes.home(item)
        if group is None:
            group = self._loose.get(item.namespace)
            if group is None:
                group = self._group(of_loose_claims(item.namespace))
                self._loose[item.namespace] = group
        former = self._group_of.get(item.uid)
        if former is not group:
            if former is not None:
                former.claims.pop(item.uid, None)
                self._touch(former)
            self._group_of[item.uid] = group
        group.claims[item.uid] = item
        self._dirty[group] = None

    # --- groups

    def _well(self, group: Group) -> bool:
        workload = self.workloads.get(group.key)
        return workload is not None and workload.health is Health.READY

    def _touch(self, group: Group | None) -> None:
        if group is not None:
            self._dirty[group] = None

    def _group(self, placement: Placement) -> Group:
        group = self._groups.get(placement.id)
        if group is None:
            group = self._groups[placement.id] = Group(placement)
            loose = self._loose.get(placement.namespace)
            if loose is not None:
                self._claims_to_place.update(dict.fromkeys(loose.claims))
        return group

    def _enter(self, uid: str, placement: Placement | None, own: bool = True) -> Group | None:
        """Moves an object to the group of its placement. `own`: the placement is its own, not its controller's."""
        former = self._group_of.get(uid)
        group = self._group(placement) if placement is not None else None
        if former is not None and former is not group:
            for table in (former.controllers, former.pods, former.customs):
                table.pop(uid, None)
            former.placements.pop(uid, None)
            self._dirty[former] = self._relabel[former] = None
            self._claims_to_place.update(dict.fromkeys(former.claims))
        if group is None or placement is None:
            self._group_of.pop(uid, None)
            return None
        self._group_of[uid] = group
        if own:
            group.placements[uid] = placement
        else:
            group.placements.pop(uid, None)
        self._dirty[group] = None
        return group

    def _index_labels(self) -> None:
        for group in self._relabel:
            self._labels.file(group)
        self._relabel.clear()

    def _settle(self, deadline: float = math.inf) -> Delta:
        """Places what is left to place, and assembles the groups that were touched, until the deadline."""
        self._index_labels()
        self._place_claims()
        self._index_labels()
        changed: list[Workload] = []
        gone: list[str] = []
        dirty = sorted(self._dirty, key=lambda group: group.placement.id)
        self._dirty.clear()
        # First what is gone, so that its key is free for whoever takes its place.
        alive = [group for group in dirty if not self._retire(group, gone)]
        for at, group in enumerate(alive):
            if time.monotonic() > deadline:
                self._dirty.update(dict.fromkeys(alive[at:]))
                break
            group.settle()
            if not group.key:
                group.key = new_key(group.placement, self._keys)
                self._keys[group.key] = group
            workload = self._assembler.workload(group)
            if self.workloads.get(group.key) != workload:
                self.workloads[group.key] = workload
                changed.append(workload)
        kept = {workload.key for workload in changed}
        return Delta(tuple(changed), tuple(key for key in gone if key not in kept))

    def _retire(self, group: Group, gone: list[str]) -> bool:
        """Forgets a group of which nothing is left."""
        if not group.empty:
            return False
        self._groups.pop(group.placement.id, None)
        self._loose = {namespace: loose for namespace, loose in self._loose.items() if loose is not group}
        if group.key:
            self._keys.pop(group.key, None)
            if self.workloads.pop(group.key, None) is not None:
                gone.append(group.key)
        return True
