"""What every cluster has from the start: its namespaces, the roles that people know, and what the viewer may."""

from __future__ import annotations

from tui.sandbox.model import ApiError, Json, Objects

_RBAC = "rbac.authorization.k8s.io"
_READ = ["get", "list", "watch"]
_WRITE = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
#: What the viewer reads: all but Secrets and who may do what.
_SEEN: list[Json] = [
    {
        "apiGroups": [""],
        "resources": [
            "configmaps",
            "endpoints",
            "events",
            "persistentvolumeclaims",
            "pods",
            "pods/log",
            "serviceaccounts",
            "services",
        ],
        "verbs": _READ,
    },
    {
        "apiGroups": [
            "apps",
            "batch",
            "discovery.k8s.io",
            "events.k8s.io",
            "metrics.k8s.io",
            "networking.k8s.io",
            "policy",
        ],
        "resources": ["*"],
        "verbs": _READ,
    },
]
_PATHS = ["/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi", "/openapi/*", "/readyz"]
_REVIEWS: Json = {
    "apiGroups": ["authorization.k8s.io"],
    "resources": ["selfsubjectaccessreviews", "selfsubjectrulesreviews"],
    "verbs": ["create"],
}


def plant(objects: Objects, viewed: str = "default") -> None:
    """Makes what is missing of it; `viewed` is the namespace that the viewer may see, made when it is missing."""
    for name in dict.fromkeys(("default", "kube-system", "kube-public", viewed)):
        _make(objects, "namespaces", {"metadata": {"name": name}})
    everything = [
        {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
        {"nonResourceURLs": ["*"], "verbs": ["*"]},
    ]
    every: list[Json] = [
        {"apiGroups": ["*"], "resources": ["*"], "verbs": _WRITE},
        {"apiGroups": [""], "resources": ["pods/exec", "pods/attach", "pods/portforward"], "verbs": ["get", "create"]},
    ]
    public = [
        {"nonResourceURLs": [*_PATHS, "/version", "/version/"], "verbs": ["get"]},
        _REVIEWS,
        {"apiGroups": ["authentication.k8s.io"], "resources": ["selfsubjectreviews"], "verbs": ["create"]},
    ]
    health = [{"nonResourceURLs": ["/healthz", "/livez", "/readyz", "/version", "/version/"], "verbs": ["get"]}]
    roles: dict[str, list[Json]] = {
        "cluster-admin": everything,
        "admin": every,
        "edit": every,
        "view": _SEEN,
        "system:discovery": public,
        "system:public-info-viewer": health,
    }
    for name, rules in roles.items():
        _make(objects, f"clusterroles.{_RBAC}", {"metadata": {"name": name}, "rules": rules})
    bound = {
        "cluster-admin": ["system:masters"],
        "system:discovery": ["system:authenticated"],
        "system:public-info-viewer": ["system:authenticated", "system:unauthenticated"],
    }
    for name, groups in bound.items():
        binding = {
            "metadata": {"name": name},
            "roleRef": {"kind": "ClusterRole", "name": name},
            "subjects": [{"kind": "Group", "name": group} for group in groups],
        }
        _make(objects, f"clusterrolebindings.{_RBAC}", binding)
    _make(objects, f"roles.{_RBAC}", {"metadata": {"name": "viewer", "namespace": viewed}, "rules": _SEEN})
    seen = {
        "metadata": {"name": "viewer", "namespace": viewed},
        "roleRef": {"kind": "Role", "name": "viewer"},
        "subjects": [{"kind": "User", "name": "viewer"}],
    }
    _make(objects, f"rolebindings.{_RBAC}", seen)
    kubernetes = {
        "metadata": {"name": "kubernetes", "namespace": "default"},
        "spec": {"clusterIP": "10.96.0.1", "ports": [{"name": "https", "port": 443, "targetPort": 443}]},
    }
    _make(objects, "services", kubernetes)


def _make(objects: Objects, resource: str, obj: Json) -> None:
    meta = obj["metadata"]
    if objects.get(resource, meta.get("namespace", ""), meta["name"]) is None:
        try:
            objects.create(resource, obj)
        except ApiError as problem:
            # A namespace that is being deleted takes nothing new.
            if problem.code != 403:
                raise
