"""What the server offers and what we may do there."""

from __future__ import annotations

import pytest
from fake_api import FakeApi
from fake_store import BUILT_IN, FakeResource

from tui.kube import resources
from tui.kube.access import Rule, can, discover, rules
from tui.kube.api import Api
from tui.problem import Cause, ProblemError

CLUSTERS = FakeResource("postgresql.cnpg.io", "v1", "clusters", "Cluster")
OLD = FakeResource("policy", "v1beta1", "poddisruptionbudgets", "PodDisruptionBudget")


@pytest.fixture
async def server():
    async with FakeApi(resources=[*BUILT_IN]) as running:
        running.add_resource(CLUSTERS)
        yield running


@pytest.fixture
async def api(server):
    made = Api(server.context())
    yield made
    await made.close()


@pytest.mark.parametrize(("aggregated", "requests"), [(True, 2), (False, 8)])
async def test_discovery_of_both_generations(server, api, aggregated, requests):
    server.aggregated = aggregated
    found = await discover(api)
    assert {"pods", "secrets"} <= found[""]["v1"]
    assert found["postgresql.cnpg.io"] == {"v1": {"clusters"}}
    assert "statefulsets" in found["apps"]["v1"]
    assert not any("/" in plural for versions in found.values() for plurals in versions.values() for plural in plurals)
    assert len(server.requests) == requests


async def test_an_old_server_is_asked_for_the_wanted_groups_only(server, api):
    server.aggregated = False
    found = await discover(api, groups={"", "apps"})
    assert set(found) == {"", "apps"}
    assert [r.path for r in server.requests] == ["/api", "/apis", "/api/v1", "/apis/apps/v1"]


async def test_the_preferred_version_comes_first():
    async with FakeApi(resources=[OLD], aggregated=False) as server:
        server.resources["other"] = FakeResource("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget")
        api = Api(server.context())
        assert list((await discover(api))["policy"]) == ["v1beta1", "v1"]
        await api.close()


async def test_a_group_whose_server_is_down_is_empty(server, api):
    server.aggregated = False
    server.fail("/apis/postgresql.cnpg.io/v1", 503)
    found = await discover(api)
    assert found["postgresql.cnpg.io"] == {"v1": set()}
    assert "statefulsets" in found["apps"]["v1"]


async def test_discovery_that_cannot_be_had_is_a_problem(server, api):
    server.fail("/apis", 403)
    with pytest.raises(ProblemError) as caught:
        await discover(api)
    assert caught.value.problem.cause is Cause.FORBIDDEN


async def test_questions_about_rights(server, api):
    server.rules = [{"verbs": ["get", "list"], "resources": ["pods", "nodes/proxy"], "namespace": "a"}]
    assert await can(api, "list", resources.PODS, namespace="a") is True
    assert await can(api, "list", resources.PODS) is False
    assert await can(api, "watch", "pods", namespace="a") is False
    assert await can(api, "get", "nodes", namespace="a", subresource="proxy") is True


@pytest.mark.parametrize(("code", "answer"), [(403, None), (404, None), (405, None)])
async def test_rights_that_cannot_be_asked_for_are_unknown(server, api, code, answer):
    server.fail("/apis/authorization.k8s.io", code)
    assert await can(api, "list", resources.PODS) is answer
    assert await rules(api, "a") == []


async def test_a_server_that_fails_is_not_a_missing_right(server, api):
    server.fail("/apis/authorization.k8s.io", 500)
    with pytest.raises(ProblemError):
        await can(api, "list", resources.PODS)


async def test_rules_of_a_namespace(server, api):
    server.rules = [{"verbs": ["get", "list"], "resources": ["pods"], "namespace": "a"},
                    {"verbs": ["get"], "resources": ["secrets"], "namespace": "b"}]  # fmt: skip
    found = await rules(api, "a")
    assert found == [Rule(verbs=("get", "list"), api_groups=("*",), resources=("pods",))]


@pytest.mark.parametrize(
    ("rule", "asked", "allowed"),
    [
        (Rule(("list",), ("",), ("pods",)), ("list", "pods"), True),
        (Rule(("list",), ("",), ("pods",)), ("watch", "pods"), False),
        (Rule(("list",), ("",), ("pods",)), ("list", "pods", "apps"), False),
        (Rule(("*",), ("*",), ("*",)), ("delete", "pods", "apps"), True),
        (Rule(("get",), ("",), ("*/log",)), ("get", "pods/log"), True),
        (Rule(("get",), ("",), ("secrets",), ("one",)), ("get", "secrets"), False),
        (Rule(("get",), ("",), ("secrets",), ("one",)), ("get", "secrets", "", "one"), True),
    ],
)
def test_what_a_rule_allows(rule, asked, allowed):
    assert rule.allows(*asked) is allowed
