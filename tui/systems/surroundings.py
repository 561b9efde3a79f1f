"""What lies around workloads: Services, endpoints, events, volumes, nodes, classes; and which of them it concerns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from tui.kube.objects import (
    CustomResource,
    EndpointSlice,
    Event,
    Node,
    Object,
    PersistentVolume,
    PersistentVolumeClaim,
    Pod,
    ReplicaSet,
    Service,
    StorageClass,
)
from tui.kube.resources import SERVICE_NAME
from tui.kube.store import Store
from tui.systems.catalogue import Catalogue
from tui.systems.claims import CLAIMS
from tui.systems.group import Endpoints, Group, Selectors
from tui.systems.homes import LabelIndex
from tui.systems.members import node_trouble


class Surroundings:
    """Follows the objects around workloads.

    Attributes:
        services: Services by what they select.
        endpoints: endpoint slices by their Service.
    """

    def __init__(
        self,
        store: Store,
        catalogue: Catalogue,
        group_of: Mapping[str, Group],
        labels: LabelIndex,
        well: Callable[[Group], bool],
    ) -> None:
        self.services = Selectors()
        self.endpoints = Endpoints()
        self._store = store
        self._catalogue = catalogue
        self._group_of = group_of
        self._labels = labels
        self._well = well

    def follow(self, old: Object | None, new: Object | None) -> Iterator[Group | None]:
        """Follows a change; yields the groups that it concerns."""
        item = new if new is not None else old
        if isinstance(item, Event):
            yield from self._event(item)
        elif isinstance(item, Service):
            yield from self._service(old, new)
        elif isinstance(item, EndpointSlice):
            yield from self._slice(old, new)
        elif isinstance(item, PersistentVolume):
            holder = item.spec.claim_ref
            if holder is not None:
                claim = self._store.named(CLAIMS, holder.namespace, holder.name, PersistentVolumeClaim)
                yield self._group_of.get(claim.uid) if claim is not None else None
        elif isinstance(item, Node):
            if node_trouble(_node(old)) != node_trouble(_node(new)):
                for pod in self._store.all("pods", Pod):
                    if pod.spec.node_name == item.name:
                        yield self._group_of.get(pod.uid)
        elif isinstance(item, StorageClass):
            for claim in self._store.all(CLAIMS, PersistentVolumeClaim):
                if claim.status.phase == "Pending":
                    yield self._group_of.get(claim.uid)

    def _event(self, event: Event) -> Iterator[Group | None]:
        """Events explain what is not well; where everything is well they change nothing."""
        uid = event.involved_object.uid
        group = self._group_of.get(uid)
        if group is None:
            replica_set = self._store.by_uid("replicasets", uid, ReplicaSet)
            above = replica_set.metadata.controller if replica_set is not None else None
            group = self._group_of.get(above.uid) if above is not None else None
        if group is not None and not self._well(group):
            yield group

    def _service(self, old: Object | None, new: Object | None) -> Iterator[Group | None]:
        before = (old.spec.selector or {}) if isinstance(old, Service) else {}
        now = (new.spec.selector or {}) if isinstance(new, Service) else {}
        if isinstance(new, Service):
            self.services.put(new, now)
        elif isinstance(old, Service):
            self.services.drop(old.uid)
        if old is None or new is None or before != now:
            item = new or old
            namespace = item.namespace if item is not None else ""
            yield from self._labels.with_all(namespace, before)
            yield from self._labels.with_all(namespace, now)
            for owner in item.metadata.owner_references if item is not None else ():
                yield self._group_of.get(owner.uid)

    def _slice(self, old: Object | None, new: Object | None) -> Iterator[Group | None]:
        """Whether a Service leads anywhere is asked for workloads of operators only."""
        if isinstance(old, EndpointSlice):
            self.endpoints.drop(old)
        if isinstance(new, EndpointSlice):
            self.endpoints.put(new)
        item = new or old
        if item is None:
            return
        name = item.metadata.labels.get(SERVICE_NAME, "")
        service = self._store.named("services", item.namespace, name, Service)
        owners = service.metadata.owner_references if service is not None else []
        if owners:
            for owner in owners:
                yield self._group_of.get(owner.uid)
            return
        for resource in self._catalogue.customs:
            for custom in self._store.in_namespace(resource.key, item.namespace, CustomResource):
                yield self._group_of.get(custom.uid)


def _node(item: Object | None) -> Node | None:
    return item if isinstance(item, Node) else None
