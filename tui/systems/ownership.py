"""Who made which pods: the way from a pod to its controller and back."""

from __future__ import annotations

from tui.kube.objects import Deployment, OwnerReference, Pod, ReplicaSet
from tui.kube.store import Store


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
