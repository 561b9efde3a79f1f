"""Which member a SQL session is led to, and by which name."""

from __future__ import annotations

from types import SimpleNamespace

import msgspec
import pytest

from tui.kube.objects import Pod
from tui.problem import Cause, ProblemError
from tui.systems.model import Role
from tui.systems.sqlroutes import WorkloadRouter, dns_name, role_of


def members(*roles):
    return [SimpleNamespace(role=role) for role in roles]


PRIMARY, REPLICA, NODE = Role("primary", True), Role("replica", False), Role("node")


@pytest.mark.parametrize(
    ("roles", "wanted", "looked_for"),
    [
        ((PRIMARY, REPLICA), "primary", "primary"),
        ((REPLICA, REPLICA), "primary", "primary"),  # none at the moment: it is waited for, no replica will do
        ((NODE, NODE), "primary", ""),
        ((None, None), "primary", ""),
        ((None, REPLICA), "primary", "primary"),
        ((NODE, NODE), "replica", "replica"),
        ((PRIMARY, REPLICA), "", ""),
        ((), "primary", ""),
    ],
)
def test_the_primary_is_any_member_only_where_all_are_alike(roles, wanted, looked_for):
    assert role_of(members(*roles), wanted) == looked_for


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ({"subdomain": "mysql", "hostname": "mysql-0"}, "mysql-0.mysql.stateful.svc"),
        ({"subdomain": "mysql"}, "mysql-0.mysql.stateful.svc"),
        ({}, "mysql-0.stateful"),
    ],
)
def test_names_of_pods(spec, name):
    pod = msgspec.convert({"metadata": {"name": "mysql-0", "namespace": "stateful"}, "spec": spec}, Pod)
    store = SimpleNamespace(named=lambda *_: pod)
    assert dns_name(store, "stateful", "mysql-0") == name


def test_a_pod_that_is_gone_has_its_bare_name():
    assert dns_name(SimpleNamespace(named=lambda *_: None), "stateful", "mysql-0") == "mysql-0.stateful"


async def test_a_workload_that_is_gone():
    live = SimpleNamespace(workloads={}, forwards=object(), cluster=object(), problem=None)
    with pytest.raises(ProblemError, match="no workload mysql any more") as caught:
        await WorkloadRouter(live, "stateful/mysql/mysql")()
    assert caught.value.problem.cause is Cause.ABSENT
