"""Discovery documents of the fake API server, in both generations."""

from __future__ import annotations

from typing import Any

from fake_store import FakeResource

Json = dict[str, Any]


def discovery(path: str, accept: str, resources: list[FakeResource], *, aggregated: bool) -> Json | None:
    """The answer to `/api`, `/apis` and the group versions below them; None for any other path."""
    parts = path.strip("/").split("/")
    if parts in (["api"], ["apis"]):
        chosen = [r for r in resources if bool(r.group) == (parts == ["apis"])]
        if aggregated and "APIGroupDiscoveryList" in accept:
            return _aggregated(chosen)
        return {"kind": "APIVersions", "versions": ["v1"]} if parts == ["api"] else _groups(chosen)
    if (len(parts) == 2 and parts[0] == "api") or (len(parts) == 3 and parts[0] == "apis"):
        group, version = ("", parts[1]) if parts[0] == "api" else (parts[1], parts[2])
        found = [r for r in resources if (r.group, r.version) == (group, version)]
        return (
            {
                "kind": "APIResourceList",
                "groupVersion": "/".join(filter(None, (group, version))),
                "resources": [
                    {"name": name, "kind": r.kind, "namespaced": r.namespaced, "verbs": ["get", "list", "watch"]}
                    for r in found
                    for name in (r.plural, f"{r.plural}/status")
                ],
            }
            if found
            else None
        )
    return None


def _aggregated(resources: list[FakeResource]) -> Json:
    groups: dict[str, dict[str, list[FakeResource]]] = {}
    for resource in resources:
        groups.setdefault(resource.group, {}).setdefault(resource.version, []).append(resource)
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": [
            {
                "metadata": {"name": group},
                "versions": [
                    {
                        "version": version,
                        "freshness": "Current",
                        "resources": [
                            {
                                "resource": r.plural,
                                "responseKind": {"group": group, "version": version, "kind": r.kind},
                                "scope": "Namespaced" if r.namespaced else "Cluster",
                                "verbs": ["get", "list", "watch"],
                            }
                            for r in members
                        ],
                    }
                    for version, members in versions.items()
                ],
            }
            for group, versions in groups.items()
        ],
    }


def _groups(resources: list[FakeResource]) -> Json:
    versions: dict[str, list[str]] = {}
    for resource in resources:
        known = versions.setdefault(resource.group, [])
        if resource.version not in known:
            known.append(resource.version)
    return {
        "kind": "APIGroupList",
        "groups": [
            {
                "name": group,
                "versions": [{"groupVersion": f"{group}/{v}", "version": v} for v in known],
                "preferredVersion": {"groupVersion": f"{group}/{known[0]}", "version": known[0]},
            }
            for group, known in versions.items()
        ],
    }
