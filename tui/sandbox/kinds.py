"""The resources that are served: those of Kubernetes that the sandbox knows, and those that CRDs define."""

from __future__ import annotations

from dataclasses import dataclass, field

from tui.sandbox import shapes
from tui.sandbox.model import Json
from tui.sandbox.shapes import Shape

#: Every verb of an ordinary resource, in the order in which discovery tells them.
VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True, slots=True)
class Kind:
    """A resource in one version.

    Attributes:
        group: empty for the core group.
        version: `v1`.
        plural: as in a path.
        name: the kind.
        singular: for people.
        namespaced: whether its objects live in namespaces.
        short: short names.
        categories: `all` and the like.
        subresources: of it: `status`, `scale`, and those that are served elsewhere (`log`, `exec` …).
        shape: what its objects look like.
        stored: the version in which objects are kept.
        view: the resource whose objects it shows, when they are not its own.
        columns: what the CRD wants to be shown (`additionalPrinterColumns`).
        scale: the CRD's paths of replicas (`specReplicasPath` …).
        rules: the CRD's schema, whose values are checked and defaulted.
    """

    group: str
    version: str
    plural: str
    name: str
    singular: str
    namespaced: bool
    short: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    shape: Shape = field(default_factory=lambda: shapes.ANY)
    stored: str = ""
    view: str = ""
    columns: tuple[Json, ...] = ()
    scale: Json = field(default_factory=dict)
    rules: Json | None = None

    @property
    def key(self) -> str:
        """The key of the resource in the store."""
        return self.view or self.qualified

    @property
    def qualified(self) -> str:
        """The plural with its group behind a dot."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def api_version(self) -> str:
        """As it stands in objects."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def verbs(self) -> tuple[str, ...]:
        """What can be done with it."""
        return tuple(verb for verb in VERBS if verb != "deletecollection" or self.plural != "namespaces")


#: group/version: plural, kind, N for namespaced or C, short names, categories, subresources.
_TABLE: dict[str, tuple[tuple[str, str, str, str, str, str], ...]] = {
    "v1": (
        ("configmaps", "ConfigMap", "N", "cm", "", ""),
        ("endpoints", "Endpoints", "N", "ep", "", ""),
        ("events", "Event", "N", "ev", "", ""),
        ("limitranges", "LimitRange", "N", "limits", "", ""),
        ("namespaces", "Namespace", "C", "ns", "", "finalize status"),
        ("nodes", "Node", "C", "no", "", "proxy status"),
        ("persistentvolumeclaims", "PersistentVolumeClaim", "N", "pvc", "", "status"),
        ("persistentvolumes", "PersistentVolume", "C", "pv", "", "status"),
        ("pods", "Pod", "N", "po", "all", "attach binding ephemeralcontainers eviction exec log portforward status"),
        ("resourcequotas", "ResourceQuota", "N", "quota", "", "status"),
        ("secrets", "Secret", "N", "", "", ""),
        ("serviceaccounts", "ServiceAccount", "N", "sa", "", ""),
        ("services", "Service", "N", "svc", "all", "status"),
    ),
    "apps/v1": (
        ("controllerrevisions", "ControllerRevision", "N", "", "", ""),
        ("daemonsets", "DaemonSet", "N", "ds", "all", "status"),
        ("deployments", "Deployment", "N", "deploy", "all", "scale status"),
        ("replicasets", "ReplicaSet", "N", "rs", "all", "scale status"),
        ("statefulsets", "StatefulSet", "N", "sts", "all", "scale status"),
    ),
    "events.k8s.io/v1": (("events", "Event", "N", "ev", "", ""),),
    "batch/v1": (
        ("cronjobs", "CronJob", "N", "cj", "all", "status"),
        ("jobs", "Job", "N", "", "all", "status"),
    ),
    "coordination.k8s.io/v1": (("leases", "Lease", "N", "", "", ""),),
    "discovery.k8s.io/v1": (("endpointslices", "EndpointSlice", "N", "", "", ""),),
    "networking.k8s.io/v1": (
        ("ingresses", "Ingress", "N", "ing", "", "status"),
        ("networkpolicies", "NetworkPolicy", "N", "netpol", "", ""),
    ),
    "policy/v1": (("poddisruptionbudgets", "PodDisruptionBudget", "N", "pdb", "", "status"),),
    "rbac.authorization.k8s.io/v1": (
        ("clusterrolebindings", "ClusterRoleBinding", "C", "", "", ""),
        ("clusterroles", "ClusterRole", "C", "", "", ""),
        ("rolebindings", "RoleBinding", "N", "", "", ""),
        ("roles", "Role", "N", "", "", ""),
    ),
    "scheduling.k8s.io/v1": (("priorityclasses", "PriorityClass", "C", "pc", "", ""),),
    "storage.k8s.io/v1": (("storageclasses", "StorageClass", "C", "sc", "", ""),),
    "apiextensions.k8s.io/v1": (
        ("customresourcedefinitions", "CustomResourceDefinition", "C", "crd crds", "api-extensions", "status"),
    ),
}


def _built_in() -> list[Kind]:
    made = []
    for group_version, rows in _TABLE.items():
        group, _, version = group_version.rpartition("/")
        for plural, name, scope, short, categories, subresources in rows:
            shape = shapes.of_kind(group_version, name)
            view = "events" if group == "events.k8s.io" else ""
            made.append(
                Kind(
                    group,
                    version,
                    plural,
                    name,
                    name.lower(),
                    scope == "N",
                    tuple(short.split()),
                    tuple(categories.split()),
                    tuple(subresources.split()),
                    shape or shapes.ANY,
                    version,
                    view,
                )
            )
    return made


class Kinds:
    """The resources that are served now."""

    def __init__(self) -> None:
        self._kinds: dict[tuple[str, str, str], Kind] = {
            (kind.group, kind.version, kind.plural): kind for kind in _built_in()
        }
        self._keys: dict[str, Kind] = {kind.key: kind for kind in self._kinds.values() if not kind.view}
        self._defined: set[str] = set()
        #: Grows whenever something is defined or gone, for those who keep documents of it.
        self.generation = 0

    def find(self, group: str, version: str, plural: str) -> Kind | None:
        """The resource at a path."""
        return self._kinds.get((group, version, plural))

    def of(self, key: str) -> Kind | None:
        """The resource with a key, in the version in which it is kept."""
        return self._keys.get(key)

    def of_kind(self, api_version: str, name: str) -> Kind | None:
        """The resource whose objects call themselves so."""
        group, _, version = api_version.rpartition("/")
        for kind in self._kinds.values():
            if kind.name == name and kind.group == group and kind.version == version:
                return self._keys.get(kind.key)
        return None

    def all(self) -> list[Kind]:
        """All resources in all versions."""
        return list(self._kinds.values())

    def groups(self) -> dict[str, list[str]]:
        """The groups and their versions, the core group not among them; the most preferred version first."""
        made: dict[str, list[str]] = {}
        for kind in self._kinds.values():
            versions = made.setdefault(kind.group, [])
            if kind.version not in versions:
                versions.append(kind.version)
        made.pop("", None)
        return made

    def define(self, crd: Json) -> None:
        """Serves what a CustomResourceDefinition defines, in place of what the one of that name defined before."""
        self.drop(crd["metadata"]["name"])
        spec = crd["spec"]
        names, group = spec["names"], spec["group"]
        versions = spec["versions"]
        stored = next((version["name"] for version in versions if version.get("storage")), versions[0]["name"])
        for version in versions:
            if not version.get("served"):
                continue
            subresources = version.get("subresources") or {}
            rules = (version.get("schema") or {}).get("openAPIV3Schema") or {}
            kind = Kind(
                group,
                version["name"],
                names["plural"],
                names["kind"],
                names.get("singular") or names["kind"].lower(),
                spec.get("scope") == "Namespaced",
                tuple(names.get("shortNames") or ()),
                tuple(names.get("categories") or ()),
                tuple(sorted(subresources)),
                shapes.of_crd(rules),
                stored,
                columns=tuple(version.get("additionalPrinterColumns") or ()),
                scale=subresources.get("scale") or {},
                rules=rules,
            )
            self._kinds[group, kind.version, kind.plural] = kind
            if kind.version == stored or kind.key not in self._keys:
                self._keys[kind.key] = kind
        self._defined.add(crd["metadata"]["name"])
        self.generation += 1

    def drop(self, name: str) -> None:
        """Serves no longer what a CustomResourceDefinition defined."""
        if name in self._defined:
            self._defined.discard(name)
            self._keys.pop(name, None)
            self._kinds = {at: kind for at, kind in self._kinds.items() if kind.qualified != name}
            self.generation += 1
