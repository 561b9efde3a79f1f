"""Logins of brokers, in each form in which a packaging keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from fake_api import FakeApi
from test_login import RESOURCES, from_secret, secret
from worlds import CATALOGUE, World, claim, make, pod_of, stateful_set

from tui.kube.api import Api
from tui.kube.objects import StatefulSet
from tui.problem import Cause
from tui.services.queue.tls import Security
from tui.systems.credentialsearch import ASSUMED
from tui.systems.queuekeys import FoundLogins, find_logins

OPERATOR = {"app.kubernetes.io/name": "orders", "app.kubernetes.io/component": "rabbitmq",
            "app.kubernetes.io/part-of": "rabbitmq"}  # fmt: skip
BITNAMI = {
    "app.kubernetes.io/name": "rabbitmq", "app.kubernetes.io/instance": "mq", "helm.sh/chart": "rabbitmq-16.0.14",
}  # fmt: skip
CONF = "default_user = mq\ndefault_pass=p w\ndefault_vhost = /shop\n# default_user = no\n"
#: Packaging → the set, its owner, what its pods hold, the Secrets, and what comes of it: user, password, vhost, source.
CASES: dict[str, dict[str, Any]] = {
    "operator": {
        "set": ("orders-server", "rabbitmq:4.1.1-management", OPERATOR), "custom": {},
        "secrets": {"orders-default-user": {"username": "default_user_x", "password": "p"}},
        "logins": [("default_user_x", "p", "/", "Secret shop/orders-default-user, key password")],
        "security": Security(),
    },
    "operator, with a Secret of one's own": {
        "set": ("orders-server", "rabbitmq:4.1.1", OPERATOR),
        "custom": {"secretBackend": {"externalSecret": {"name": "mine"}}},
        "secrets": {"mine": {"username": "u", "password": "p"},
                    "orders-default-user": {"username": "n", "password": "n"}},
        "logins": [("u", "p", "/", "Secret shop/mine, key password")],
    },
    "operator, with TLS of an authority": {
        "set": ("orders-server", "rabbitmq:4.1.1", OPERATOR), "custom": {"tls": {"secretName": "orders-tls"}},
        "secrets": {"orders-default-user": {"username": "u", "password": "p"},
                    "orders-tls": {"ca.crt": "CA", "tls.crt": "CERT", "tls.key": "K"}},
        "logins": [("u", "p", "/", "Secret shop/orders-default-user, key password")],
        "security": Security(True, "CA"),
    },
    "operator, with a certificate alone": {
        "set": ("orders-server", "rabbitmq:4.1.1", OPERATOR), "custom": {"tls": {"secretName": "orders-tls"}},
        "secrets": {"orders-default-user": {"username": "u", "password": "p"}, "orders-tls": {"tls.crt": "CERT"}},
        "logins": [("u", "p", "/", "Secret shop/orders-default-user, key password")],
        "security": Security(True, "CERT"),
    },
    "bitnami": {
        "set": ("mq-rabbitmq", "bitnami/rabbitmq:4", BITNAMI),
        "secrets": {"mq-rabbitmq": {"rabbitmq-password": "p", "rabbitmq-erlang-cookie": "c"}},
        "logins": [("user", "p", "/", "Secret shop/mq-rabbitmq, key rabbitmq-password")],
    },
    "bitnami, with files and another user": {
        "set": ("mq-rabbitmq", "bitnami/rabbitmq:4", BITNAMI),
        "env": [{"name": "RABBITMQ_PASSWORD_FILE", "value": "/opt/bitnami/rabbitmq/secrets/rabbitmq-password"}],
        "container": {"volumeMounts": [{"name": "v", "mountPath": "/opt/bitnami/rabbitmq/secrets"},
                                       {"name": "c", "mountPath": "/bitnami/rabbitmq/conf"}]},
        "volumes": [{"name": "v", "secret": {"secretName": "theirs"}},
                    {"name": "c", "secret": {"secretName": "mq-config"}}],
        "secrets": {"theirs": {"rabbitmq-password": "p"}, "mq-config": {"rabbitmq.conf": CONF}},
        "logins": [("mq", "p", "/", "Secret shop/theirs, key rabbitmq-password")],
    },
    "plain, by variables": {
        "set": ("hand", "rabbitmq:4", {"app": "hand"}),
        "env": [{"name": "RABBITMQ_DEFAULT_USER", "value": "shop"}, from_secret("RABBITMQ_DEFAULT_PASS", "x", "pw"),
                {"name": "RABBITMQ_DEFAULT_VHOST", "value": "orders"}],
        "secrets": {"x": {"pw": "p"}},
        "logins": [("shop", "p", "orders", "Secret shop/x, key pw")],
    },
    "plain, by its configuration": {
        "set": ("hand", "rabbitmq:4", {"app": "hand"}),
        "container": {"volumeMounts": [{"name": "c", "mountPath": "/etc/rabbitmq/rabbitmq.conf", "subPath": "it"}]},
        "volumes": [{"name": "c", "configMap": {"name": "conf"}}], "configmaps": {"conf": {"it": CONF}},
        "logins": [("mq", "p", "/shop", "ConfigMap shop/conf, key it")],
    },
    "plain, and nothing says otherwise": {
        "set": ("hand", "rabbitmq:4", {"app": "hand"}),
        "logins": [("guest", "guest", "/", ASSUMED)],
    },
}  # fmt: skip


async def look(case: Mapping[str, Any], *, rules: list[dict[str, Any]] | None = None) -> FoundLogins:
    """Looks for the logins of a case's workload."""
    name, image, labels = case["set"]
    world, owner = World(), None
    if "custom" in case:
        owner = make("RabbitmqCluster", "orders", spec=case["custom"])
        world.put(owner)
    made = stateful_set(name, image, labels, replicas=1, container="rabbitmq", owner=owner)
    assert isinstance(made, StatefulSet)
    world.put(made, pod_of(made, 0), claim(f"data-{name}-0"))
    container = {"name": "rabbitmq", "env": case.get("env", []), **case.get("container", {})}
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
            found = await find_logins(api, world.store, world.only, CATALOGUE)
        finally:
            await api.close()
    assert all(request.method == "GET" and request.path.count("/") == 6 for request in server.requests), "no lists"
    return found


@pytest.mark.parametrize("name", CASES)
async def test_the_login_of_each_packaging(name: str) -> None:
    case = CASES[name]
    found = await look(case)
    assert [(one.user, one.password, one.vhost, one.source) for one in found.logins] == case["logins"]
    if "security" in case:
        assert found.security == case["security"]
    assert "password='p'" not in repr(found), "a password is never shown"


async def test_guest_is_not_assumed_where_the_secret_may_not_be_read() -> None:
    case = CASES["plain, by variables"]
    found = await look(case, rules=[{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}])
    assert not found.logins
    problem = found.problem("hand")
    assert problem.cause is Cause.FORBIDDEN
    assert "get secrets/x in namespace shop" in problem.remedy
    assert found.user == "shop"
