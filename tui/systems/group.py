"""The objects of one workload, and the indexes that lead from Services and endpoints to them."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from itertools import chain, count

from tui.kube.objects import CustomResource, EndpointSlice, PersistentVolumeClaim, Pod, Service
from tui.kube.resources import SERVICE_NAME
from tui.systems.placing import Controller, Placement


class Group:
    """What one workload is made of, by uid. Changed by the recogniser only."""

    __slots__ = ("claims", "controllers", "customs", "key", "placement", "placements", "pods")

    def __init__(self, placement: Placement) -> None:
        self.placement = placement
        self.key = ""
        self.controllers: dict[str, tuple[str, Controller]] = {}
        self.pods: dict[str, Pod] = {}
        self.customs: dict[str, tuple[str, CustomResource]] = {}
        self.claims: dict[str, PersistentVolumeClaim] = {}
        self.placements: dict[str, Placement] = {}

    @property
    def empty(self) -> bool:
        """Whether nothing is left of it."""
        return not (self.controllers or self.pods or self.customs or self.claims)

    def settle(self) -> None:
        """Takes names, labels and images from the best source: a controller, then a pod, then an operator's object."""
        best: Placement | None = None
        best_key: tuple[bool, bool, str] | None = None
        for name, uid in self._names():
            placement = self.placements.get(uid)
            if placement is not None:
                key = (not placement.images, placement.owner is None, name)
                if best_key is None or key < best_key:
                    best, best_key = placement, key
        self.placement = best or self.placement

    def _names(self) -> Iterator[tuple[str, str]]:
        """Names and uids of the controllers, else of the pods; of operators' objects only where there is neither."""
        if self.controllers:
            return ((item.metadata.name, uid) for uid, (_, item) in self.controllers.items())
        if self.pods:
            return ((item.metadata.name, uid) for uid, item in self.pods.items())
        return ((item.metadata.name, uid) for uid, (_, item) in self.customs.items())

    def labels(self) -> Iterator[Mapping[str, str]]:
        """The labels of its pods: one for each controller, and those of pods without a controller that is seen."""
        for _, controller in self.controllers.values():
            yield controller.spec.template.metadata.labels
        if not self.controllers:
            for pod in self.pods.values():
                yield pod.metadata.labels


class Selectors:
    """Services by one label of their selector, so that those of a pod are found without asking all."""

    def __init__(self) -> None:
        self._by_label: dict[tuple[str, str, str], dict[str, tuple[Mapping[str, str], Service]]] = {}
        self._filed: dict[str, tuple[str, str, str]] = {}

    def put(self, item: Service, selector: Mapping[str, str]) -> None:
        """Files a Service under the rarest label of its selector."""
        self.drop(item.uid)
        if not selector:
            return
        keys = [(item.namespace, key, value) for key, value in selector.items()]
        best = min(keys, key=lambda key: len(self._by_label.get(key, ())))
        self._by_label.setdefault(best, {})[item.uid] = (selector, item)
        self._filed[item.uid] = best

    def drop(self, uid: str) -> None:
        """Forgets a Service."""
        key = self._filed.pop(uid, None)
        if key is not None:
            shelf = self._by_label[key]
            del shelf[uid]
            if not shelf:
                del self._by_label[key]

    def of(self, namespace: str, labels: Mapping[str, str]) -> Iterator[Service]:
        """The Services that select pods with these labels."""
        for key, value in labels.items():
            for selector, item in self._by_label.get((namespace, key, value), {}).values():
                if all(labels.get(name) == wanted for name, wanted in selector.items()):
                    yield item


class Endpoints:
    """Endpoint slices by their Service."""

    def __init__(self) -> None:
        self._by_service: dict[tuple[str, str], dict[str, EndpointSlice]] = {}

    def put(self, item: EndpointSlice) -> None:
        """Files a slice."""
        self._by_service.setdefault((item.namespace, item.metadata.labels.get(SERVICE_NAME, "")), {})[item.uid] = item

    def drop(self, item: EndpointSlice) -> None:
        """Forgets a slice."""
        key = (item.namespace, item.metadata.labels.get(SERVICE_NAME, ""))
        shelf = self._by_service.get(key)
        if shelf is not None:
            shelf.pop(item.uid, None)
            if not shelf:
                del self._by_service[key]

    def ready(self, namespace: str, service: str) -> int | None:
        """How many ready endpoints a Service has; None when it has no slice, which may mean that none may be read."""
        slices = self._by_service.get((namespace, service))
        if slices is None:
            return None
        return sum(
            1
            for item in slices.values()
            for endpoint in item.endpoints or ()
            if endpoint.conditions.ready is not False and endpoint.addresses
        )


def new_key(placement: Placement, taken: Container[str]) -> str:
    """`<namespace>/<system>/<name>`; what comes second under one name adds how it was installed, then a number."""
    base = f"{placement.namespace}/{placement.system.id}/{placement.name}"
    if base not in taken:
        return base
    longer = f"{base}/{placement.packaging.id}"
    return next(key for key in chain([longer], (f"{longer}/{number}" for number in count(2))) if key not in taken)


def placed_otherwise(before: Controller, now: Controller) -> bool:
    """Whether a controller may belong elsewhere now: only its generation, labels and owners decide where it belongs."""
    old, new = before.metadata, now.metadata
    return old.generation != new.generation or old.labels != new.labels or old.owner_references != new.owner_references
