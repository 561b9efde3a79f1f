"""The resource types that statetui watches: where each lies in the API and how it is decoded."""

from __future__ import annotations

from dataclasses import dataclass

from tui.kube import objects as o

#: The label with which an endpoint slice names its Service.
SERVICE_NAME = "kubernetes.io/service-name"


@dataclass(frozen=True, slots=True)
class Resource:
    """A watched resource type.

    Attributes:
        plural: the name in the URL, and the store's key for it; custom resources carry their group
            (`clusters.postgresql.cnpg.io`) because plurals of different groups collide.
        group: the API group, empty for core.
        versions: the versions that the structs fit, best first; the server's discovery decides.
        kind: the kind, as owner references name it.
        struct: what an item is decoded into.
        namespaced: False for objects of the whole cluster.
        needed_for: what is lost without it, as `doctor` and a "forbidden" line say it.
    """

    plural: str
    group: str
    versions: tuple[str, ...]
    kind: str
    struct: type[o.Object]
    namespaced: bool = True
    needed_for: str = ""

    @property
    def key(self) -> str:
        """The key in the store."""
        return f"{self.plural}.{self.group}" if self.struct is o.CustomResource else self.plural

    @property
    def rbac(self) -> str:
        """The name as RBAC and the API server's refusals spell it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, version: str, namespace: str | None) -> str:
        """The collection's URL path, of one namespace or (None) of the whole cluster."""
        root = f"/apis/{self.group}/{version}" if self.group else f"/api/{version}"
        return (
            f"{root}/namespaces/{namespace}/{self.plural}" if namespace and self.namespaced else f"{root}/{self.plural}"
        )


PODS = Resource(
    "pods", "", ("v1",), "Pod", o.Pod, needed_for="members, their phase, restarts and why they are not ready"
)
STATEFULSETS = Resource(
    "statefulsets", "apps", ("v1",), "StatefulSet", o.StatefulSet, needed_for="workloads, desired counts, rollouts"
)
DEPLOYMENTS = Resource(
    "deployments", "apps", ("v1",), "Deployment", o.Deployment, needed_for="stateful systems that run as Deployments"
)
REPLICASETS = Resource(
    "replicasets", "apps", ("v1",), "ReplicaSet", o.ReplicaSet, needed_for="which Deployment a pod belongs to"
)
DAEMONSETS = Resource(
    "daemonsets", "apps", ("v1",), "DaemonSet", o.DaemonSet, needed_for="stateful systems that run as DaemonSets"
)
CLAIMS = Resource(
    "persistentvolumeclaims",
    "",
    ("v1",),
    "PersistentVolumeClaim",
    o.PersistentVolumeClaim,
    needed_for="claims: phase, size, class",
)
VOLUMES = Resource(
    "persistentvolumes",
    "",
    ("v1",),
    "PersistentVolume",
    o.PersistentVolume,
    namespaced=False,
    needed_for="the volume behind each claim",
)
STORAGECLASSES = Resource(
    "storageclasses",
    "storage.k8s.io",
    ("v1",),
    "StorageClass",
    o.StorageClass,
    namespaced=False,
    needed_for="why a claim stays Pending; whether it can grow",
)
SERVICES = Resource("services", "", ("v1",), "Service", o.Service, needed_for="the ports of a workload")
ENDPOINTSLICES = Resource(
    "endpointslices",
    "discovery.k8s.io",
    ("v1", "v1beta1"),
    "EndpointSlice",
    o.EndpointSlice,
    needed_for="which pods a Service leads to",
)
EVENTS = Resource("events", "", ("v1",), "Event", o.Event, needed_for="what Kubernetes did and why it could not")
BUDGETS = Resource(
    "poddisruptionbudgets",
    "policy",
    ("v1", "v1beta1"),
    "PodDisruptionBudget",
    o.PodDisruptionBudget,
    needed_for="how many members may go",
)
NODES = Resource("nodes", "", ("v1",), "Node", o.Node, namespaced=False, needed_for="whether a member's node is well")

#: Everything built in, in the order of what the first screen needs.
BUILT_IN: tuple[Resource, ...] = (
    STATEFULSETS,
    PODS,
    CLAIMS,
    DEPLOYMENTS,
    REPLICASETS,
    DAEMONSETS,
    SERVICES,
    VOLUMES,
    STORAGECLASSES,
    BUDGETS,
    NODES,
    ENDPOINTSLICES,
    EVENTS,
)


def custom(group: str, plural: str, kind: str, versions: tuple[str, ...]) -> Resource:
    """A custom resource of a known operator (the catalogue names them)."""
    return Resource(plural, group, versions, kind, o.CustomResource, needed_for=f"what the operator says of its {kind}")
