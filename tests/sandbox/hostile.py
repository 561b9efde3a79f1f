"""Manifests and bodies that mean no good, and mutations of any: what the fuzz of the composed cluster sends."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

import manifests

#: What is put in the place of any value.
VALUES: list[Any] = [
    *(None, True, 0, -1, 1, 1.5, 2**31 - 1, 2**31, 2**63, 2**70, 1e300, "", "x", "A_B", "é" * 300, "\u0000", "$patch"),
    *([], {}, [None], [[]], [{}], {"a": None}, {"": ""}, "9" * 400, "-5Gi", "1e999", {"$patch": "delete"}, "=", "a=b"),
    *("../../../../../../../../outside", "/etc", "..", ".", "/", "a/../..", "a\nb", "\ud800", "%2e%2e%2f", "x" * 5000),
    *("127.0.0.1", "0.0.0.0", "$(HOME)", "$(X)$(Y)", "$$(X)", "`id`", "$(id)", "; rm -rf .", "${HOME}", "~", "1\u202e"),
    *({"$retainKeys": ["x"]}, {"$deleteFromPrimitiveList/x": [1]}, [[[[[[[[[[]]]]]]]]]], "2026-01-01T00:00:00Z"),
]
_KEYS = [
    *("foo", "", "status", "spec", "$setElementOrder/env", "name", "metadata", "finalizers", "ownerReferences"),
    *(
        "managedFields",
        "deletionTimestamp",
        "annotations",
        "hostPath",
        "emptyDir",
        "command",
        "nodeName",
        "hostNetwork",
    ),
    *("subPath", "subPathExpr", "workingDir", "env", "lifecycle", "livenessProbe", "replicas", "generateName", "uid"),
]
#: Commands that do not want to end, or to be found. None of them writes outside its directory by itself.
COMMANDS: list[list[str]] = [
    ["sleep", "1d"],
    ["sh", "-c", "trap '' TERM; while :; do sleep 0.5; done"],
    ["sh", "-c", "setsid sleep 1d & setsid setsid sleep 1d & sleep 1d"],
    ["sh", "-c", "(setsid sh -c 'sleep 1d & sleep 1d' >/dev/null 2>&1 </dev/null &); exit 0"],
    ["sh", "-c", "env -i setsid sleep 1d & sleep 1d"],
    ["sh", "-c", "for i in $(seq 20); do sleep 1d & done; wait"],
    ["sh", "-c", "head -c 300000 /dev/zero; seq 20000; exit 3"],
    ["sh", "-c", "yes | head -c 3000000"],
    ["sh", "-c", "kill -STOP $$"],
    ["sh", "-c", "ulimit -c 0; kill -SEGV $$"],
    ["sh", "-c", "exec >&- 2>&- <&-; exec sleep 1d"],
    ["/nonexistent"],
    ["/etc/passwd"],
    ["../../bin/sh"],
    [""],
    ["a\u0000b"],
    ["true"],
]


def bases(outside: Path) -> dict[str, tuple[str, dict[str, Any]]]:
    """Valid manifests, by what they are, with where they are made; `outside` is where nothing may come to be."""
    out, up = str(outside), "../" * 12 + str(outside).lstrip("/")
    found = {}
    for kind, path in manifests.PATHS.items():
        found[kind] = (path, _quick(manifests.made(kind)))
    pods = manifests.PATHS["Pod"]
    mounts = [
        {"name": "e", "mountPath": "/data"},
        {"name": "e", "mountPath": "/data/../../up", "subPath": "sub"},
        {"name": "c", "mountPath": "/etc/c"},
        {"name": "e", "mountPath": out},
    ]
    link = f"ln -sfn {out} link; ln -sfn {out} $STATETUI_MOUNT_E/link; exec sleep 1d"
    container = {"name": "c", "image": "sandbox/process", "command": ["sh", "-c", link], "volumeMounts": mounts}
    evil = {
        "terminationGracePeriodSeconds": 0,
        "initContainers": [{**container, "name": "i", "command": ["sh", "-c", link.replace("exec sleep 1d", ":")]}],
        "containers": [
            container,
            {
                **container,
                "name": "d",
                "workingDir": f"/data/{up}",
                "volumeMounts": [
                    {"name": "e", "mountPath": "/data"},
                    {"name": "e", "mountPath": "/l", "subPath": "link/made-by-subpath"},
                ],
                "env": [{"name": "UP", "value": up}],
                "livenessProbe": {"exec": {"command": ["sh", "-c", "setsid sleep 1d & exit 0"]}, "periodSeconds": 1},
                "lifecycle": {"preStop": {"exec": {"command": ["sleep", "1d"]}}},
            },
        ],
        "volumes": [
            {"name": "e", "emptyDir": {}},
            {"name": "c", "configMap": {"name": "db", "items": [{"key": "my.cnf", "path": "a/b"}], "optional": True}},
        ],
    }
    found["Evil"] = (pods, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "evil"}, "spec": evil})
    found["HostPath"] = (pods, _pod("host", volumes=[{"name": "h", "hostPath": {"path": out, "type": "Directory"}}]))
    items = [{"key": "my.cnf", "path": up}]
    found["Items"] = (pods, _pod("items", volumes=[{"name": "h", "configMap": {"name": "db", "items": items}}]))
    expr = [{"name": "h", "mountPath": "/h", "subPathExpr": "$(UP)"}]
    made = _pod("expr", volumes=[{"name": "h", "emptyDir": {}}])
    made["spec"]["containers"][0] |= {"volumeMounts": expr, "env": [{"name": "UP", "value": up}]}
    found["SubPathExpr"] = (pods, made)
    downward = {"items": [{"path": up, "fieldRef": {"fieldPath": "metadata.annotations['x']"}}]}
    made = _pod("down", volumes=[{"name": "h", "downwardAPI": downward}])
    made["metadata"]["annotations"] = {"x": "../../outside", "statetui/stands-in": "x"}
    found["Downward"] = (pods, made)
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}, "volumeName": up}
    body = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "up"}, "spec": claim}
    found["Claim"] = (manifests.PATHS["PersistentVolumeClaim"], body)
    volume = {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Mi"}, "hostPath": {"path": out}}
    body = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "outside"}, "spec": volume}
    found["Volume"] = ("/api/v1/persistentvolumes", body)
    return found


def _pod(name: str, **spec: Any) -> dict[str, Any]:
    mounts = [{"name": volume["name"], "mountPath": f"/{volume['name']}"} for volume in spec.get("volumes", [])]
    container = {"name": "c", "image": "sandbox/process", "command": ["sleep", "1d"], "volumeMounts": mounts}
    whole = {"terminationGracePeriodSeconds": 1, "containers": [container], **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": whole}


def _quick(obj: dict[str, Any]) -> dict[str, Any]:
    """The same with containers that are processes: no server's start is what is tried here."""
    spec = obj.get("spec", {})
    pod = spec.get("template", {}).get("spec") if "template" in spec else spec if "containers" in spec else None
    if pod is not None:
        pod["terminationGracePeriodSeconds"] = 1
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            container["image"] = "sandbox/process"
            container.setdefault("command", ["sleep", "1d"])
            container.pop("readinessProbe", None)
    return obj


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where values are inside one, as the keys and indices that lead there."""
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        found += places(inner, (*path, key))
    return found


def mutated(rng: random.Random, obj: Any, donors: list[Any]) -> Any:
    """A copy with one to three wrong things; now and then only its command is one of the hostile ones."""
    made = copy.deepcopy(obj)
    for _ in range(rng.choice((0, 1, 1, 2, 3))):
        found = places(made)
        if not found:
            break
        *path, last = rng.choice(found)
        at = made
        for step in path:
            at = at[step]
        match rng.randrange(6):
            case 0:
                del at[last]
            case 1 if isinstance(at, dict):
                at[rng.choice(_KEYS)] = copy.deepcopy(rng.choice(VALUES))
            case 2:
                donor = rng.choice(donors)
                at[last] = copy.deepcopy(rng.choice([donor["metadata"], donor.get("spec", {}), donor]))
            case 3 if isinstance(at, list):
                at.append(copy.deepcopy(at[last]))
            case 4 if isinstance(at, dict) and isinstance(last, str):
                at[rng.choice(("../" + last, last + "\n", "/" + last, "x" * 300, last.upper()))] = at.pop(last)
            case _:
                at[last] = copy.deepcopy(rng.choice(VALUES))
    if rng.random() < 0.5:
        for holder in _commanded(made):
            holder["command"] = list(rng.choice(COMMANDS))
    return made


def _commanded(value: Any) -> list[dict[str, Any]]:
    """The dictionaries that have a command, wherever they are."""
    if isinstance(value, list):
        return [found for inner in value for found in _commanded(inner)]
    if not isinstance(value, dict):
        return []
    return [value] * ("command" in value) + [found for inner in value.values() for found in _commanded(inner)]


def bodies(rng: random.Random, obj: Any) -> tuple[bytes, str]:
    """A body that is hardly one, and its content type."""
    whole = json.dumps(obj).encode()
    deep = rng.choice((50, 5000, 200_000))
    yaml = b"# not JSON\n" + whole
    body = rng.choice(
        [
            *(
                yaml,
                yaml.replace(b"{", b'{"x":' + b"9" * rng.choice((30, 400)) + b",", 1),
                yaml.replace(b'"c"', b'"\\ud800"'),
            ),
            *(yaml.replace(b"}", b", ? [a, b] : c}", 1), yaml.replace(b"{", b"{1: 2, null: 3, true: .nan,", 1)),
            *(b"", b"null", b"1", b'"x"', b"[]", b"\xff\xfe", b"{", b"\x00" * 100, b'{"metadata":{"name":"\\ud800"}}'),
            *(b'{"a":' * deep + b"1" + b"}" * deep, b"[" * deep, whole[: rng.randrange(len(whole))], whole + b"}"),
            *(whole.replace(b'"name"', b'"name\xff"'), whole.replace(b":", b"=", 1), whole.replace(b'"', b"'")),
            *(b"k8s\x00" + rng.randbytes(rng.randrange(200)), b"k8s\x00\x0a\xff\xff\xff\xff\x0f", b"k8s\x00" + whole),
            *(b"a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n", b"a: !!python/object:os.x {}", b"- 1", b"\t", b"a: .inf"),
            *(whole.replace(b"{", b'{"x":NaN,', 1), b'{"x":1e9999}', b"{}" * 1000, b" " * (rng.choice((1, 4)) << 20)),
        ]
    )
    media = rng.choice(
        [
            *("application/json", "application/yaml", "application/vnd.kubernetes.protobuf", "text/plain", "x", ""),
            *("application/json; charset=utf-16", "application/json;;;", "application/apply-patch+yaml", "a/b/c"),
            *("application/merge-patch+json", "application/strategic-merge-patch+json", "application/json-patch+json"),
            *("multipart/form-data", "application/json; charset=\u00e9", "application/apply-patch+cbor"),
        ]
    )
    return body, media


def patch(rng: random.Random, whole: Any, changed: Any) -> tuple[Any, str, str]:
    """A patch of any type: body, content type, query."""
    media = rng.choice(("merge-patch+json", "strategic-merge-patch+json", "apply-patch+yaml", "json-patch+json"))
    query = ""
    if media == "json-patch+json":
        found = ["/" + "/".join(str(step) for step in path) for path in places(whole)] + [
            "",
            "/-",
            "x",
            "/~9",
            "/a/b/c",
        ]
        kinds = ("add", "remove", "replace", "test", "move", "copy", "x", None)
        operations = [
            {"op": rng.choice(kinds), "path": rng.choice(found), "from": rng.choice(found), "value": rng.choice(VALUES)}
            for _ in range(rng.randint(0, 4))
        ]
        return rng.choice([operations, operations, operations, changed]), f"application/{media}", query
    if media == "apply-patch+yaml":
        query = rng.choice(("?fieldManager=fuzz&force=true", "?fieldManager=fuzz", "", "?fieldManager=&force=x"))
        fields = rng.choice(
            (
                {},
                {"f:spec": 1},
                {"f:metadata": {"f:labels": []}},
                "x",
                {"k:{}": {}, "v:{": {}, "i:x": {}, "f:": {"": 0}},
            )
        )
        entry = {"manager": "fuzz", "operation": rng.choice(("Apply", "Update", "x", 1)), "fieldsV1": fields}
        if isinstance(changed, dict) and isinstance(changed.get("metadata"), dict) and rng.random() < 0.4:
            changed["metadata"]["managedFields"] = rng.choice(([entry], [entry, entry], [{}], [1], entry, "x"))
    return changed, f"application/{media}", query
