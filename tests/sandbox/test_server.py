"""The API over HTTPS, as the real server answers."""

from __future__ import annotations

import asyncio
import json
import stat
import time
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from api_client import Api, Events, Sandbox

import manifests
from tui.sandbox import watching
from tui.sandbox.model import ApiError
from tui.sandbox.server import TARGET, USER

MAPS = "/api/v1/namespaces/default/configmaps"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


def config(name: str, **labels: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": labels}, "data": {"a": "b"}}


async def test_users_and_what_they_may(sandbox: Sandbox, api: Api) -> None:
    assert stat.S_IMODE(sandbox.server.kubeconfig.stat().st_mode) == 0o600
    for kept in sandbox.directory.iterdir():
        assert stat.S_IMODE(kept.stat().st_mode) & 0o077 == 0 or kept.name == "client.pem", kept
    async with sandbox.client("viewer") as viewer:
        assert (await viewer("GET", MAPS))[0] == 200
        status, told = await viewer("GET", "/api/v1/namespaces/default/secrets")
        assert (status, told["message"]) == (
            403,
            'secrets is forbidden: User "viewer" cannot list resource "secrets" in API group "" '
            'in the namespace "default"',
        )
        status, told = await viewer("DELETE", f"{MAPS}/x")
        assert told["message"].startswith('configmaps "x" is forbidden: User "viewer" cannot delete resource')
        assert told["details"] == {"name": "x", "kind": "configmaps"}
        assert (await viewer("GET", "/api/v1/nodes"))[1]["message"].endswith('in API group "" at the cluster scope')
        assert (await viewer("GET", "/api/v1/namespaces/kube-system/pods"))[0] == 403
        assert (await viewer("GET", "/apis"))[0] == 200
        spec = {"resourceAttributes": {"verb": "list", "resource": "pods", "namespace": "default"}}
        review = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        assert (await viewer("POST", review, {"spec": spec}))[1]["status"] == {"allowed": True}
        spec["resourceAttributes"]["verb"] = "delete"
        assert (await viewer("POST", review, {"spec": spec}))[1]["status"] == {"allowed": False}
        assert (await viewer("GET", MAPS, Impersonate_User="admin"))[0] == 403
        rules = (await viewer("POST", review.replace("access", "rules"), {"spec": {"namespace": "default"}}))[1]
        assert any("pods" in rule["resources"] for rule in rules["status"]["resourceRules"])
    async with sandbox.client("nobody") as nobody:
        assert (await nobody("GET", MAPS))[0] == 403
    async with sandbox.client("stranger") as stranger:
        status, told = await stranger("GET", MAPS)
        assert (status, 'User "system:anonymous"' in told["message"]) == (403, True)
        status, told = await stranger("GET", MAPS, Authorization="Bearer x")
        assert (status, told["reason"], told["message"]) == (401, "Unauthorized", "Unauthorized")
        assert await stranger("GET", "/healthz") == (200, "ok")
    assert (await api("GET", MAPS, Impersonate_User="viewer"))[0] == 200
    assert (await api("GET", "/api/v1/nodes", Impersonate_User="viewer"))[0] == 403
    status, told = await api("GET", "/foo", Impersonate_User="bob")
    assert (status, told["message"]) == (403, 'forbidden: User "bob" cannot get path "/foo"')


async def test_certificates_and_tokens_outlive_a_restart(sandbox: Sandbox) -> None:
    before = json.loads(sandbox.server.kubeconfig.read_text())
    sandbox.store.close()
    again = Sandbox(sandbox.directory)
    await again.server.start()
    assert json.loads(again.server.kubeconfig.read_text())["users"] == before["users"]
    async with again.client("admin") as api:
        assert (await api("GET", MAPS))[0] == 200
    await again.server.stop()
    again.store.close()


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "message"),
    [
        ("GET", f"{MAPS}/no", None, 404, 'configmaps "no" not found'),
        ("GET", "/api/v1/namespaces/default/nopes", None, 404, "the server could not find the requested resource"),
        ("PUT", MAPS, {}, 405, "the server does not allow this method on the requested resource"),
        ("POST", "/api/v1/configmaps", {}, 405, "the server does not allow this method on the requested resource"),
        ("POST", MAPS.replace("default", "no"), config("a"), 404, 'namespaces "no" not found'),
        ("POST", MAPS, {"metadata": {}}, 422, 'ConfigMap "" is invalid: metadata.name: Required value: name or'),
        ("POST", MAPS, b"{", 400, "the object provided is unrecognized (must be of type ConfigMap)"),
        ("POST", MAPS, b"[]", 400, "the object provided is unrecognized (must be of type ConfigMap)"),
        ("POST", MAPS, {"kind": "Secret", "apiVersion": "v1"}, 400, 'Secret in version "v1" cannot be handled as a'),
        ("POST", MAPS, {"metadata": {"namespace": "x"}}, 400, "the namespace of the provided object does not match"),
        ("POST", f"{MAPS}?dryRun=x", config("a"), 422, "CreateOptions.meta.k8s.io"),
        ("POST", f"{MAPS}?fieldValidation=Strict", {"dataa": {}, **config("a")}, 400, "ConfigMap in version"),
        ("PUT", f"{MAPS}/a", config("b"), 400, "the name of the object (b) does not match the name on the URL (a)"),
        ("GET", f"{MAPS}?labelSelector=a%3D%3D%3Db", None, 400, "unable to parse requirement: found '=', expected"),
        ("GET", f"{MAPS}?fieldSelector=foo=b", None, 400, "field label not supported: foo"),
        ("GET", f"{MAPS}?resourceVersion=abc", None, 400, "invalid resource version"),
        ("GET", f"{MAPS}?resourceVersion=99999999", None, 504, "Timeout: Too large resource version: 99999999"),
        ("GET", f"{MAPS}?limit=1&continue=abc", None, 400, "invalid continue token"),
        ("POST", MAPS, b"x" * (4 << 20), 413, "Request entity too large"),
        ("PATCH", f"{MAPS}/a", {}, 415, "415: Unsupported Media Type"),
    ],
)
async def test_refusals(api: Api, method: str, path: str, body: Any, status: int, message: str) -> None:
    code, told = await api(method, path, body)
    assert code == status, told
    assert (told["kind"], told["status"], told["code"]) == ("Status", "Failure", status)
    assert told["message"].startswith(message)


async def test_selectors(api: Api) -> None:
    for name, labels in {"a": {"x": "1"}, "b": {"x": "2", "y": ""}, "c": {}}.items():
        await api("POST", MAPS, config(name, **labels))

    async def names(query: str) -> str:
        status, told = await api("GET", f"{MAPS}?{query}")
        assert status == 200, told
        return "".join(item["metadata"]["name"] for item in told["items"])

    expected = {
        "labelSelector=x": "ab",
        "labelSelector=!x": "c",
        "labelSelector=x=1": "a",
        "labelSelector=x!=1": "bc",
        "labelSelector=x in (1, 2),y": "b",
        "labelSelector=x notin (1)": "bc",
        "labelSelector=x>1": "b",
        "fieldSelector=metadata.name=b": "b",
        "fieldSelector=metadata.name!=b,metadata.namespace=default": "ac",
    }
    for query, wanted in expected.items():
        assert await names(query.replace(">", "%3E").replace("!", "%21").replace(" ", "%20")) == wanted, query


async def test_pages_are_of_one_moment_and_expire(sandbox: Sandbox, api: Api) -> None:
    for number in range(5):
        await api("POST", MAPS, config(f"m{number}"))
    first = (await api("GET", f"{MAPS}?limit=2"))[1]
    assert first["metadata"]["remainingItemCount"] == 3
    await api("DELETE", f"{MAPS}/m3")
    await api("POST", MAPS, config("m9"))
    rest = (await api("GET", f"{MAPS}?limit=9&continue={first['metadata']['continue']}"))[1]
    assert [item["metadata"]["name"] for item in rest["items"]] == ["m2", "m3", "m4"]
    assert rest["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    sandbox.store.forget()
    status, told = await api("GET", f"{MAPS}?limit=9&continue={first['metadata']['continue']}")
    assert (status, told["reason"]) == (410, "Expired")
    status, told = await api("GET", f"{MAPS}?resourceVersion=1&resourceVersionMatch=Exact")
    assert (status, told["message"]) == (410, "The resourceVersion for the provided list is too old.")


async def test_watches(sandbox: Sandbox, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "BOOKMARKS", 0.3)
    made = (await api("POST", MAPS, config("a", app="x")))[1]
    version = made["metadata"]["resourceVersion"]
    query = f"{MAPS}?watch=1&allowWatchBookmarks=true&resourceVersion={version}&labelSelector=app%3Dx"

    def enough(events: Events) -> bool:
        changes = [event for event in events if event["type"] != "BOOKMARK"]
        return len(changes) == 3 and events[-1]["type"] == "BOOKMARK"

    task = asyncio.create_task(api.watch(query, enough=enough))
    await asyncio.sleep(0.2)
    await api("POST", MAPS, config("b", app="y"))
    for labels in ({"app": "y"}, {"app": "x"}):
        patch = {"metadata": {"labels": labels}}
        await api("PATCH", f"{MAPS}/a", patch, media="application/merge-patch+json")
    await api("DELETE", f"{MAPS}/a")
    events = await task
    kinds = [event["type"] for event in events]
    assert [kind for kind in kinds if kind != "BOOKMARK"] == ["DELETED", "ADDED", "DELETED"]
    assert kinds[-1] == "BOOKMARK"
    assert events[-1]["object"]["metadata"]["resourceVersion"] == str(sandbox.store.revision)
    assert events[-1]["object"]["kind"] == "ConfigMap"
    began = time.monotonic()
    await api.watch(f"{MAPS}?watch=1&timeoutSeconds=1")
    assert time.monotonic() - began >= 1
    sandbox.store.forget()
    (event,) = await api.watch(f"{MAPS}?watch=1&resourceVersion={version}")
    assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")


async def test_a_watch_list_says_when_all_was_told(api: Api) -> None:
    await api("POST", MAPS, config("a"))
    query = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    events = await api.watch(f"{MAPS}?{query}", count=2)
    assert [event["type"] for event in events] == ["ADDED", "BOOKMARK"]
    assert events[1]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    status, told = await api("GET", f"{MAPS}?watch=1&sendInitialEvents=true")
    assert status == 422 and "resourceVersionMatch" in told["message"]


async def test_tables(api: Api) -> None:
    for kind, path in manifests.PATHS.items():
        status, told = await api("POST", path, manifests.made(kind))
        assert status == 201, (kind, told)
        status, told = await api("GET", path, Accept=TABLE)
        assert told["kind"] == "Table"
        for row in told["rows"]:
            assert len(row["cells"]) == len(told["columnDefinitions"]), kind
    heads = {kind: (await api("GET", path, Accept=TABLE))[1] for kind, path in manifests.PATHS.items()}
    assert heads["StatefulSet"]["rows"][0]["cells"][:2] == ["db", "0/3"]
    assert heads["StatefulSet"]["rows"][0]["cells"][3:] == ["mysql", "mysql:9"]
    assert heads["Pod"]["rows"][0]["cells"][:4] == ["one", "0/1", "Pending", "0"]
    widgets = "/apis/example.org/v1/namespaces/default/widgets"
    assert (await api("POST", widgets, {"metadata": {"name": "w"}, "spec": {"size": "small"}}))[0] == 201
    table = (await api("GET", widgets, Accept=TABLE))[1]
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Size", "Ready"]
    assert table["rows"][0]["cells"] == ["w", "small", None]
    scale = (await api("GET", f"{widgets}/w/scale"))[1]
    assert scale["spec"] == {"replicas": 1}
    events = await api.watch(f"{MAPS}?watch=1", count=1, Accept=TABLE)
    assert [event["object"]["kind"] for event in events] == ["Table"]


async def test_discovery_tells_what_is_served(api: Api) -> None:
    wanted = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
    await api("POST", manifests.PATHS["CustomResourceDefinition"], manifests.made("CustomResourceDefinition"))
    for root in ("/api", "/apis"):
        told = (await api("GET", root, Accept=wanted))[1]
        assert told["kind"] == "APIGroupDiscoveryList"
        for group in told["items"]:
            name = group["metadata"].get("name", "")
            for version in group["versions"]:
                path = f"/apis/{name}/{version['version']}" if name else f"/api/{version['version']}"
                listed = (await api("GET", path))[1]["resources"]
                assert {one["resource"] for one in version["resources"]} == {
                    one["name"] for one in listed if "/" not in one["name"]
                }
    groups = {group["name"] for group in (await api("GET", "/apis"))[1]["groups"]}
    assert {"apps", "batch", "example.org", "authorization.k8s.io"} <= groups
    index = (await api("GET", "/openapi/v3"))[1]["paths"]
    for path, entry in index.items():
        status, document = await api("GET", entry["serverRelativeURL"])
        assert status == 200 and document["openapi"] == "3.0.0", path
        for patch in (inner["patch"] for inner in document["paths"].values()):
            assert "fieldValidation" in {parameter["name"] for parameter in patch["parameters"]}


async def test_evictions_heed_budgets(sandbox: Sandbox, api: Api) -> None:
    pods = manifests.PATHS["Pod"]
    for name in ("one", "two"):
        pod = manifests.made("Pod", name)
        await api("POST", pods, pod)
        ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
        sandbox.registry.patch("pods", "default", name, {"status": ready}, subresource="status")
    await api("POST", manifests.PATHS["PodDisruptionBudget"], manifests.made("PodDisruptionBudget"))
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "one"}}
    assert (await api("POST", f"{pods}/one/eviction", eviction))[0] == 201
    assert (await api("GET", f"{pods}/one"))[0] == 404
    eviction["metadata"]["name"] = "two"
    status, told = await api("POST", f"{pods}/two/eviction", eviction)
    assert (status, told["reason"]) == (429, "TooManyRequests")
    assert told["details"]["causes"][0]["reason"] == "DisruptionBudget"
    assert (await api("POST", f"{pods}/one/eviction", eviction))[0] == 400


async def test_events_are_seen_both_ways(sandbox: Sandbox, api: Api) -> None:
    pod = sandbox.registry.create("pods", manifests.made("Pod"))
    sandbox.registry.event(pod, "Started", "Started container c", source="kubelet")
    uid = pod["metadata"]["uid"]
    old = (await api("GET", f"/api/v1/events?fieldSelector=involvedObject.uid={uid}"))[1]["items"]
    new = (await api("GET", "/apis/events.k8s.io/v1/namespaces/default/events"))[1]["items"]
    assert old[0]["message"] == new[0]["note"] == "Started container c"
    assert new[0]["regarding"]["uid"] == uid and new[0]["apiVersion"] == "events.k8s.io/v1"


async def test_secrets_of_helm_come_as_protobuf(api: Api) -> None:
    def field(number: int, data: bytes) -> bytes:
        size = len(data)
        length = bytes((size,)) if size < 128 else bytes((size & 127 | 128, size >> 7))
        return bytes((number << 3 | 2,)) + length + data

    label = field(11, field(1, b"owner") + field(2, b"helm"))
    meta = field(1, field(1, b"sh.helm.release.v1.x.v1") + label)
    secret = meta + field(2, field(1, b"release") + field(2, b"\x00\xff")) + field(3, b"helm.sh/release.v1")
    kind = field(1, field(1, b"v1") + field(2, b"Secret"))
    media = "application/vnd.kubernetes.protobuf"
    body = b"k8s\x00" + kind + field(2, secret)
    status, told = await api("POST", "/api/v1/namespaces/default/secrets", body, media=media)
    assert status == 201
    assert (told["type"], told["data"], told["metadata"]["labels"]) == (
        "helm.sh/release.v1",
        {"release": "AP8="},
        {"owner": "helm"},
    )
    for cut in range(4, len(body), 7):
        status, told = await api("POST", "/api/v1/namespaces/default/secrets", body[:cut], media=media)
        assert 400 <= status < 500, json.dumps(told)


async def test_handlers_of_others_are_guarded(tmp_path: Path) -> None:
    seen = []

    async def stream(request: web.Request) -> web.Response:
        seen.append((USER.get().name, TARGET.get().verb, TARGET.get().subresource, request.match_info["name"]))
        raise ApiError(400, "BadRequest", 'container "c" is waiting to start')

    start = "/api/v1/namespaces/{namespace}/pods/{name}/"
    routes = [web.get(start + "log", stream), web.get(start + "exec", stream)]
    sandbox = Sandbox(tmp_path, routes=routes)
    await sandbox.server.start()
    start = "/api/v1/namespaces/default/pods/x/"
    async with sandbox.client("viewer") as viewer:
        status, told = await viewer("GET", start + "log")
        assert (status, told["message"]) == (400, 'container "c" is waiting to start')
        assert (await viewer("GET", start + "exec"))[0] == 403
        role = {"rules": [{"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["get"]}]}
        sandbox.registry.patch("roles.rbac.authorization.k8s.io", "default", "viewer", role)
        status, told = await viewer("GET", start + "exec")
        assert status == 403 and 'cannot create resource "pods/exec"' in told["message"]
        role["rules"][0]["verbs"].append("create")
        sandbox.registry.patch("roles.rbac.authorization.k8s.io", "default", "viewer", role)
        assert (await viewer("GET", start + "exec"))[0] == 400
    assert seen == [("viewer", "get", "log", "x"), ("viewer", "get", "exec", "x")]
    await sandbox.server.stop()
    sandbox.store.close()
