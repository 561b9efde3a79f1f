"""Who made what: the way from a pod to its controller and back, and from an operator's object to its workload."""

from __future__ import annotations

from collections.abc import Mapping

from tui.kube.objects import Deployment, Object, OwnerReference, Pod, ReplicaSet
from tui.kube.store import Store
from tui.systems.group import Group
from tui.systems.placing import GENERIC


def maker_of(store: Store, pod: Pod) -> OwnerReference | None:
    """What makes a pod, as an owner reference; None for a bare pod.

    A ReplicaSet stands for its Deployment. Where ReplicaSets may not be read, the pod's template hash tells which
    part of the name is the Deployment's.
    """
    owner = pod.metadata.controller
    if owner is None or owner.kind != "ReplicaSet":
        return owner
    replica_set = store.by_uid("replicasets", owner.uid, ReplicaSet)
    if replica_set is not None:
        return replica_set.metadata.controller or owner
    name = owner.name.removesuffix(f"-{pod.metadata.labels.get('pod-template-hash', '')}")
    deployment = store.named("deployments", pod.metadata.namespace, name, Deployment)
    uid = deployment.uid if deployment is not None else owner.uid
    return OwnerReference(kind="Deployment", name=name, uid=uid, api_version=owner.api_version, controller=True)


def pods_of(store: Store, uid: str) -> list[Pod]:
    """The pods of a controller, those of a Deployment's ReplicaSets among them."""
    pods = store.owned(uid, "pods", Pod)
    for replica_set in store.owned(uid, "replicasets", ReplicaSet):
        pods += store.owned(replica_set.uid, "pods", Pod)
    return pods


def pods_behind_unseen_sets(store: Store, item: Deployment) -> list[Pod]:
    """The pods of a Deployment whose ReplicaSets may not be read."""
    if store.count("replicasets", item.namespace):
        return []
    pods = store.in_namespace("pods", item.namespace, Pod)
    return [pod for pod in pods if (maker := maker_of(store, pod)) is not None and maker.uid == item.uid]


def group_of_owned(store: Store, groups: Mapping[str, Group], uid: str) -> Group | None:
    """The workload of a known system that the controllers or pods of an operator's object belong to."""
    for plural in ("statefulsets", "deployments", "daemonsets", "pods"):
        for owned in store.owned(uid, plural, Object):
            group = groups.get(owned.uid)
            if group is not None and group.placement.system.id != GENERIC:
                return group
    return None
