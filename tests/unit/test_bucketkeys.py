"""Keys of object stores, in each form in which a packaging keeps them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from fake_api import FakeApi
from test_login import RESOURCES, from_secret, secret
from worlds import CATALOGUE, World, claim, make, pod_of, stateful_set

from tui.kube.api import Api
from tui.kube.objects import StatefulSet
from tui.problem import Cause, ProblemError
from tui.services.bucket.model import Security
from tui.systems.bucketkeys import FoundKeys, find_keys
from tui.systems.catalogue import parse_system
from tui.systems.credentialsearch import ASSUMED, Outcome
from tui.systems.extracts import Extract, How, extract

ENV = """# written by hand
export MINIO_ROOT_USER="minio"
export MINIO_ROOT_PASSWORD='min io"123'
MINIO_BROWSER=on; export MINIO_SITE_REGION=eu-1  # a region
"""
S3_CONFIG = json.dumps({"identities": [
    {"name": "anonymous", "actions": ["Read"]},
    {"name": "ro", "credentials": [{"accessKey": "r", "secretKey": "rs"}], "actions": ["Read", "List"]},
    {"name": "admin", "credentials": [{"accessKey": "a", "secretKey": "as"}], "actions": ["Admin", "Read"]},
]})  # fmt: skip
TENANT = {"v1.min.io/tenant": "my-tenant", "v1.min.io/pool": "pool-0"}
BITNAMI = {"app.kubernetes.io/name": "minio", "app.kubernetes.io/instance": "s", "app.kubernetes.io/component": "minio"}
WEED = {
    "app.kubernetes.io/name": "seaweedfs",
    "app.kubernetes.io/instance": "sw",
    "app.kubernetes.io/component": "filer",
}
AUTHORITY = {"configmaps": {"kube-root-ca.crt": {"ca.crt": "CLUSTER"}}}
#: Packaging → the set, its owner, what its pods hold, the Secrets, and what comes of it: (access, secret, source).
CASES: dict[str, dict[str, Any]] = {
    "tenant with config.env": {
        "set": ("my-tenant-pool-0", "minio/minio:latest", TENANT),
        "custom": ("Tenant", "my-tenant", {"configuration": {"name": "configuration"}, "users": [{"name": "u0"}]}),
        "secrets": {
            "configuration": {"config.env": ENV}, "my-tenant-tls": {"public.crt": "CERT", "private.key": "K"},
            "u0": {"CONSOLE_ACCESS_KEY": "console", "CONSOLE_SECRET_KEY": "pw"},
        },
        "keys": [("minio", 'min io"123', "Secret shop/configuration, key config.env"),
                 ("console", "pw", "Secret shop/u0, key CONSOLE_SECRET_KEY")],
        "security": Security(True, "CERT", "minio.shop.svc"),
        "region": "eu-1",
    },
    "tenant with a certificate of one's own": {
        "set": ("my-tenant-pool-0", "minio/minio:latest", TENANT),
        "custom": ("Tenant", "my-tenant", {"configuration": {"name": "c"}, "externalCertSecret": [{"name": "mine"}]}),
        "secrets": {"c": {"config.env": ENV}, "mine": {"tls.crt": "MINE", "tls.key": "K"}},
        "keys": [("minio", 'min io"123', "")],
        "security": Security(True, "MINE", "minio.shop.svc"),
    },
    "tenant whose certificate may be the cluster's": {
        "set": ("my-tenant-pool-0", "minio/minio:latest", TENANT),
        "custom": ("Tenant", "my-tenant", {"configuration": {"name": "c"}}),
        "secrets": {"c": {"config.env": ENV}}, **AUTHORITY,
        "keys": [("minio", 'min io"123', "")],
        "security": Security(None, "CLUSTER", "minio.shop.svc"),
    },
    "tenant of operator 4 with credsSecret": {
        "set": ("my-tenant-zone-0", "minio/minio:2021", TENANT),
        "custom": ("Tenant", "my-tenant", {"credsSecret": {"name": "creds"}}),
        "secrets": {"creds": {"accesskey": "AK", "secretkey": "SK"}},
        "keys": [("AK", "SK", "Secret shop/creds, key secretkey")],
        "security": Security(),
    },
    "tenant without its Tenant, keys from the pod": {
        "set": ("my-tenant-zone-0", "minio/minio:latest", TENANT),
        "env": [from_secret("MINIO_ROOT_USER", "x", "accesskey"), from_secret("MINIO_ROOT_PASSWORD", "x", "secretkey")],
        "secrets": {"x": {"accesskey": "AK", "secretkey": "SK"},
                    "my-tenant-console-secret": {"CONSOLE_ACCESS_KEY": "c", "CONSOLE_SECRET_KEY": "cs"}},
        "keys": [("AK", "SK", "Secret shop/x, key secretkey"),
                 ("c", "cs", "Secret shop/my-tenant-console-secret, key CONSOLE_SECRET_KEY")],
    },
    "bitnami": {
        "set": ("s-minio", "bitnami/minio:2025", BITNAMI),
        "env": [{"name": "MINIO_SCHEME", "value": "http"}],
        "secrets": {"s-minio": {"root-user": "admin", "root-password": "p"}},
        "keys": [("admin", "p", "Secret shop/s-minio, key root-password")],
        "security": Security(),
    },
    "bitnami with password files": {
        "set": ("s-minio", "bitnami/minio:2025", BITNAMI),
        "env": [{"name": "MINIO_ROOT_USER_FILE", "value": "/opt/bitnami/minio/secrets/root-user"},
                {"name": "MINIO_ROOT_PASSWORD_FILE", "value": "/opt/bitnami/minio/secrets/root-password"},
                {"name": "MINIO_SCHEME", "value": "https"}],
        "container": {"volumeMounts": [{"name": "v", "mountPath": "/opt/bitnami/minio/secrets/"}]},
        "volumes": [{"name": "v", "secret": {"secretName": "theirs"}}],
        "secrets": {"theirs": {"root-user": "u", "root-password": "p"}, "s-minio-crt": {"ca.crt": "CA"}},
        "keys": [("u", "p", "Secret shop/theirs, key root-password")],
        "security": Security(True, "CA", ""),
    },
    "bitnami of 2021": {
        "set": ("s-minio", "bitnami/minio:2021", BITNAMI),
        "secrets": {"s-minio": {"access-key": "a", "secret-key": "s"}},
        "keys": [("a", "s", "Secret shop/s-minio, key secret-key")],
    },
    "bitnami that keeps its user's name to itself": {
        "set": ("s-minio", "bitnami/minio:2024", BITNAMI),
        "secrets": {"s-minio": {"root-password": "s"}},
        "keys": [("admin", "s", "Secret shop/s-minio, key root-password")],
    },
    "minio's chart": {
        "set": ("s3-minio", "minio/minio:x", {"app": "minio", "release": "s3", "chart": "minio-5.4.0"}),
        "secrets": {"s3-minio": {"rootUser": "u", "rootPassword": "p"}},
        "keys": [("u", "p", "Secret shop/s3-minio, key rootPassword")],
    },
    "plain": {
        "set": ("store", "minio/minio:x", {"app": "store"}),
        "env": [{"name": "MINIO_ROOT_USER", "value": "u"}, from_secret("MINIO_ROOT_PASSWORD", "x", "pw"),
                {"name": "MINIO_REGION", "value": "de-1"}],
        "secrets": {"x": {"pw": "p"}},
        "keys": [("u", "p", "Secret shop/x, key pw")],
        "region": "de-1",
    },
    "plain with a file of settings": {
        "set": ("store", "minio/minio:x", {"app": "store"}),
        "env": [{"name": "MINIO_CONFIG_ENV_FILE", "value": "/etc/minio/config.env"}],
        "container": {"volumeMounts": [{"name": "v", "mountPath": "/etc/minio/config.env", "subPath": "the.env"}]},
        "volumes": [{"name": "v", "secret": {"secretName": "settings"}}],
        "secrets": {"settings": {"the.env": ENV}},
        "keys": [("minio", 'min io"123', "Secret shop/settings, key the.env")],
    },
    "seaweedfs, operator": {
        "set": ("w-filer", "chrislusf/seaweedfs:4.48", {**WEED, "app.kubernetes.io/managed-by": "seaweedfs-operator"}),
        "custom": ("Seaweed", "w", {"filer": {"s3": {"configSecret": {"name": "cfg", "key": "s3.json"}}}}),
        "secrets": {"cfg": {"s3.json": S3_CONFIG}},
        "keys": [("a", "as", "Secret shop/cfg, key s3.json")],
    },
    "seaweedfs, chart": {
        "set": ("sw-filer", "chrislusf/seaweedfs:4.48", WEED),
        "container": {"volumeMounts": [{"name": "config-users", "mountPath": "/etc/sw"}]},
        "volumes": [{"name": "config-users", "secret": {"secretName": "sw-seaweedfs-s3-secret"}}],
        "secrets": {"sw-seaweedfs-s3-secret": {
            "admin_access_key_id": "A", "admin_secret_access_key": "AS", "read_access_key_id": "R",
            "read_secret_access_key": "RS", "seaweedfs_s3_config": S3_CONFIG}},
        "keys": [("a", "as", "Secret shop/sw-seaweedfs-s3-secret, key seaweedfs_s3_config"),
                 ("R", "RS", "Secret shop/sw-seaweedfs-s3-secret, key read_secret_access_key")],
    },
    "seaweedfs, chart, keys in another Secret": {
        "set": ("sw-filer", "chrislusf/seaweedfs:4.48", WEED),
        "env": [from_secret("ADMIN_KEY", "theirs", "k"), from_secret("ADMIN_SECRET", "theirs", "s")],
        "container": {"volumeMounts": [{"name": "config-users", "mountPath": "/etc/sw"}]},
        "volumes": [{"name": "config-users", "secret": {"secretName": "c"}}],
        "secrets": {"theirs": {"k": "K", "s": "S"}, "c": {"seaweedfs_s3_config": json.dumps({"identities": [
            {"credentials": [{"accessKey": "${ADMIN_KEY}", "secretKey": "${ADMIN_SECRET}"}], "actions": ["Admin"]}]})}},
        "keys": [("K", "S", "Secret shop/c, key seaweedfs_s3_config")],
    },
    "openio": {
        "set": ("oio", "openio/sds:20.04", {"app": "oio"}),
        "env": [{"name": "SWIFT_CREDENTIALS", "value": "acme:bob:s3cret:.admin,x:y:z"},
                {"name": "REGION", "value": "fr"}],
        "keys": [("acme:bob", "s3cret", "variable SWIFT_CREDENTIALS of the pod")],
        "security": Security(False), "region": "fr",
    },
    "openio as it comes": {
        "set": ("oio", "openio/sds:20.04", {"app": "oio"}),
        "keys": [("demo:demo", "DEMO_PASS", ASSUMED)],
        "security": Security(False), "region": "us-east-1",
    },
}  # fmt: skip


async def look(case: Mapping[str, Any], *, rules: list[dict[str, Any]] | None = None) -> FoundKeys:
    """Looks for the keys of a case's workload."""
    name, image, labels = case["set"]
    world, owner = World(), None
    if "custom" in case:
        kind, called, spec = case["custom"]
        owner = make(kind, called, spec=spec)
        world.put(owner)
    made = stateful_set(name, image, labels, replicas=1, container="store", owner=owner)
    assert isinstance(made, StatefulSet)
    world.put(made, pod_of(made, 0), claim(f"data-{name}-0"))
    container = {"name": "store", "env": case.get("env", []), **case.get("container", {})}
    pod = {
        "metadata": {"name": f"{name}-0", "namespace": "shop", "labels": labels},
        "spec": {"containers": [container], "volumes": case.get("volumes", [])},
    }
    async with FakeApi(resources=RESOURCES) as server:
        server.put("pods", pod)
        for key, data in case.get("secrets", {}).items():
            server.put("secrets", secret(key, data))
        for key, data in case.get("configmaps", {}).items():
            server.put("configmaps", {"metadata": {"name": key, "namespace": "shop"}, "data": data})
        server.rules = rules
        api = Api(server.context())
        try:
            found = await find_keys(api, world.store, world.only, CATALOGUE)
        finally:
            await api.close()
    assert all(request.method == "GET" and request.path.count("/") == 6 for request in server.requests), "no lists"
    return found


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_packaging(case: dict[str, Any]) -> None:
    found = await look(case)
    wanted = case["keys"]
    assert [(one.access, one.secret) for one in found.keys] == [(access, proof) for access, proof, _ in wanted]
    assert all(one.source == source for one, (_, _, source) in zip(found.keys, wanted, strict=True) if source)
    assert all(one.source for one in found.keys)
    if "security" in case:
        assert found.security == case["security"]
    assert found.region == case.get("region", found.region)
    assert not any(repr(proof) in repr(found) for _, proof, _ in wanted if len(proof) > 3)


async def test_a_secret_that_may_not_be_read_is_named_with_the_right() -> None:
    case = CASES["tenant with config.env"]
    found = await look(case, rules=[{"verbs": ["get"], "resources": ["pods"]}])
    assert not found.keys
    problem = found.problem("my-tenant", "Type them here")
    assert problem.cause is Cause.FORBIDDEN
    assert "the right to get secrets/configuration, secrets/my-tenant-env-configuration, " in problem.remedy
    assert problem.remedy.count("in namespace shop") == 1, "the rights are told together"
    assert problem.evidence.count("cannot get") == 1, "what the API server says of each is the same"
    refused = [one.right for one in found.looked if one.outcome is Outcome.FORBIDDEN]
    assert problem.evidence.count(": forbidden") == len(refused)
    assert problem.remedy.startswith("Type them here")
    assert "get secrets/u0 in namespace shop" in refused


async def test_nothing_is_assumed_where_the_proof_may_not_be_read() -> None:
    case = {
        **CASES["openio"],
        "env": [from_secret("SWIFT_CREDENTIALS", "x", "c")],
        "secrets": {"x": {"c": "a:b:c:.admin"}},
    }
    assert [one.access for one in (await look(case)).keys] == ["a:b"]
    assert not (await look(case, rules=[{"verbs": ["get"], "resources": ["pods"]}])).keys


@pytest.mark.parametrize(
    ("text", "way", "value"),
    [
        (ENV, Extract(How.EXPORT, "MINIO_BROWSER"), "on;"),
        (ENV, Extract(How.EXPORT, "MINIO_ROOT"), None),
        ('export A="un\nexport B=2', Extract(How.EXPORT, "B"), "2"),
        ("export A=1\nexport A=2", Extract(How.EXPORT, "A"), "2"),
        ('export A="$(reboot)"', Extract(How.EXPORT, "A"), "$(reboot)"),
        ("not json", Extract(How.AT, "a"), None),
        ('{"a": [{"b": "c"}]}', Extract(How.AT, "a.0.b"), "c"),
        ('{"a": [{"b": "c"}]}', Extract(How.AT, "a.1.b"), None),
        ('{"a": [{"b": "c", "k": ["x"]}]}', Extract(How.AT, "a.k=x.b"), "c"),
        ('{"a": {"b": 1}}', Extract(How.AT, "a.b"), None),
        ("a:b:c", Extract(How.MATCH, "^a:(.)"), "b"),
        ("a:b:c", Extract(How.MATCH, "^b:(.)"), None),
    ],
)
def test_extracts(text: str, way: Extract, value: str | None) -> None:
    assert extract(text, way) == value


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("key k match no group", "takes a regular expression with a group"),
        ("key k match (", "takes a regular expression with a group"),
        ("keys k", "did you mean 'key'"),
        ("file", "none stands alone"),
    ],
)
def test_a_mistake_in_a_rule_is_told(word: str, said: str) -> None:
    data = {"title": "X", "kind": "object store", "packagings": [{
        "id": "p", "title": "p", "match": [{"labels": {"a": "b"}}],
        "credentials": {"bucket": [{"secret": "s", "access_key": word, "secret_key": "key s"}]}}]}  # fmt: skip
    with pytest.raises(ProblemError) as caught:
        parse_system("x", data, "x/system.yaml")
    assert said in caught.value.problem.what
