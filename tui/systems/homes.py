"""Where claims belong: to a pod that mounts them, an owner, a claim template, or pods with the same labels."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from tui.kube.objects import PersistentVolumeClaim, Pod, StatefulSet
from tui.kube.store import Store, claims_of
from tui.systems.claims import CLAIMS
from tui.systems.group import Group
from tui.systems.placing import GENERIC

_Label = tuple[str, str, str]


class LabelIndex:
    """Groups by the labels of their pods."""

    def __init__(self) -> None:
        self._groups: dict[_Label, dict[Group, None]] = {}
        self._filed: dict[Group, set[_Label]] = {}

    def file(self, group: Group) -> None:
        """Files a group under the labels that its pods have now; an empty one is forgotten."""
        namespace = group.placement.namespace
        now = {(namespace, key, value) for labels in group.labels() for key, value in labels.items()}
        before = self._filed.pop(group, set())
        for key in before - now:
            shelf = self._groups[key]
            del shelf[group]
            if not shelf:
                del self._groups[key]
        for key in now - before:
            self._groups.setdefault(key, {})[group] = None
        if now:
            self._filed[group] = now

    def with_all(self, namespace: str, labels: Mapping[str, str]) -> Iterator[Group]:
        """The groups that have all of these labels; none for no labels at all."""
        if labels:
            shelves: list[dict[Group, None]] = [
                self._groups.get((namespace, key, value), {}) for key, value in labels.items()
            ]
            rarest = min(shelves, key=len)
            for group in list(rarest):
                if all(group in shelf for shelf in shelves):
                    yield group


class Homes:
    """Finds the group of a claim."""

    def __init__(self, store: Store, group_of: Mapping[str, Group], labels: LabelIndex) -> None:
        self._store = store
        self._group_of = group_of
        self._labels = labels
        self._templates: dict[tuple[str, str], str] = {}
        self._by_prefix: dict[tuple[str, str], set[str]] = {}

    def add_set(self, item: StatefulSet) -> Iterator[str]:
        """Remembers a StatefulSet's claim templates; yields the uids of claims that fit the new ones."""
        for prefix in _prefixes(item):
            if self._templates.get(prefix) != item.uid:
                self._templates[prefix] = item.uid
                yield from self._by_prefix.get(prefix, ())

    def drop_set(self, item: StatefulSet) -> None:
        """Forgets a StatefulSet."""
        for prefix in _prefixes(item):
            if self._templates.get(prefix) == item.uid:
                del self._templates[prefix]

    def add_claim(self, item: PersistentVolumeClaim) -> None:
        """Remembers a claim by its name."""
        self._by_prefix.setdefault(_prefix(item), set()).add(item.uid)

    def drop_claim(self, item: PersistentVolumeClaim) -> None:
        """Forgets a claim."""
        shelf: set[str] = self._by_prefix.get(_prefix(item), set())
        shelf.discard(item.uid)
        if not shelf:
            self._by_prefix.pop(_prefix(item), None)

    def home(self, item: PersistentVolumeClaim, besides: Collection[str] = ()) -> Group | None:
        """The group that a claim belongs to; None when nothing leads to one.

        Args:
            item: the claim.
            besides: uids of pods that do not count.
        """
        for pod in self._store.pods_of_claim(item.namespace, item.name):
            group = self._group_of.get(pod.uid)
            if group is not None and pod.uid not in besides:
                return group
        for owner in item.metadata.owner_references:
            group = self._group_of.get(owner.uid)
            if group is not None and owner.uid not in besides:
                return group
        set_uid = self._templates.get(_prefix(item))
        if set_uid is not None and item.name.rpartition("-")[2].isdecimal():
            return self._group_of.get(set_uid)
        # Claims of a template carry the selector of their set: those of one that was renamed or deleted still do.
        for group in self._labels.with_all(item.namespace, item.metadata.labels):
            if group.placement.system.id != GENERIC:
                return group
        return None

    def helps(self, pod: Pod) -> bool:
        """Whether a Job's pod works on the claims of another workload: a backup, a first set-up."""
        for name in claims_of(pod):
            item = self._store.named(CLAIMS, pod.namespace, name, PersistentVolumeClaim)
            if item is not None and self.home(item, (pod.uid,)) is not None:
                return True
        return False


def _prefixes(item: StatefulSet) -> Iterator[tuple[str, str]]:
    for template in item.spec.volume_claim_templates:
        yield item.namespace, f"{template.metadata.name}-{item.name}"


def _prefix(item: PersistentVolumeClaim) -> tuple[str, str]:
    return item.namespace, item.name.rpartition("-")[0]
