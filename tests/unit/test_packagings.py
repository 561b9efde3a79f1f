"""Each packaging of the catalogue, told by the labels, owners and images that it really has."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from worlds import CATALOGUE, FIXTURES, World, claim, make, pod, pod_of, stateful_set, template, whole

from tui.kube.forward.targets import Waiting
from tui.systems.model import Health
from tui.systems.reach import Reach

CASES: list[dict[str, Any]] = yaml.safe_load((FIXTURES / "packagings.yaml").read_text())
PGO = "postgres-operator.crunchydata.com"


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['key']} {case['name']}")
def test_packaging(case: dict[str, Any]) -> None:
    world = World()
    name, members = case["name"], case["members"]
    owner = {**case["owner"], "uid": "owner", "controller": True} if "owner" in case else None
    made = stateful_set(
        name,
        case["image"],
        case["labels"],
        container=case.get("container", "server"),
        ports=case.get("ports", ()),
        owner=owner,
        replicas=len(members),
    )
    world.put(made, *(pod_of(made, place, labels=member.get("labels")) for place, member in enumerate(members)))
    world.put(*(claim(f"data-{name}-{place}") for place in range(len(members))))
    found = world.only
    assert found.key == f"shop/{case['key']}"
    assert found.packaging == case["packaging"]
    assert [(m.role and m.role.name, m.role and m.role.writes) for m in found.members] == [
        (member["role"], member["writes"]) for member in members
    ]
    assert found.health is Health.READY
    assert found.title == case.get("title", found.title)
    if owner is not None:
        assert found.owner.kind == "operator"
        assert found.owner.text.startswith(f"{owner['kind']} {owner['name']} (")


def test_the_sets_of_a_crunchy_cluster_are_one_workload() -> None:
    world = World()
    for name in ("hippo-00-abcd", "hippo-00-efgh"):
        labels = {f"{PGO}/cluster": "hippo", f"{PGO}/instance": name, f"{PGO}/data": "postgres"}
        world.put(*whole(stateful_set(name, "crunchy-postgres:17", labels, replicas=1)))
    repo = {f"{PGO}/cluster": "hippo", f"{PGO}/data": "pgbackrest"}
    world.put(*whole(stateful_set("hippo-repo-host", "crunchy-pgbackrest:2", repo, replicas=1)))
    assert [(m.label, m.set_name) for m in world.only.members] == [
        ("00-abcd-0", "hippo-00-abcd"), ("00-efgh-0", "hippo-00-efgh"), ("repo-host-0", "hippo-repo-host"),
    ]  # fmt: skip
    assert world.only.version == "17"


def test_pods_of_the_new_cockroachdb_operator_are_one_workload() -> None:
    world = World()
    for number in range(3):
        api = "crdb.cockroachlabs.com/v1beta1"
        node = {
            "kind": "CrdbNode",
            "apiVersion": api,
            "name": f"crdb-{number}",
            "uid": f"n{number}",
            "controller": True,
        }
        body = template("cockroachdb/cockroach:v26.2.1", {}, container="cockroachdb", claim="datadir")["spec"]
        body["volumes"] = [{"name": "datadir", "persistentVolumeClaim": {"claimName": f"datadir-crdb-{number}"}}]
        labels = {"crdb.cockroachlabs.com/cluster": "crdb", "svc": "cockroachdb"}
        world.put(pod(f"crdb-{number}", spec=body, labels=labels, owner=node), claim(f"datadir-crdb-{number}"))
    assert (world.only.key, world.only.packaging, world.only.ready) == (
        "shop/cockroachdb/crdb",
        "CockroachDB operator",
        3,
    )
    assert [m.label for m in world.only.members] == ["0", "1", "2"]


def test_a_router_or_pooler_is_no_workload() -> None:
    world = World()
    labels = {"mysql.oracle.com/cluster": "idc", "component": "mysqlrouter"}
    owner = {
        "kind": "InnoDBCluster",
        "apiVersion": "mysql.oracle.com/v2",
        "name": "idc",
        "uid": "i",
        "controller": True,
    }
    spec = {"replicas": 1, "template": template("mysql/community-router:9", labels)}
    world.put(make("Deployment", "idc-router", labels=labels, owner=owner, spec=spec))
    assert dict(world.workloads) == {}


def vitess(component: str, name: str, **more: str) -> dict[str, Any]:
    """Labels and, but for the gateway's, the owner of one of the Vitess operator's pods."""
    kinds = {"vttablet": "VitessShard", "etcd": "EtcdLockserver", "vtgate": "VitessCell"}
    owner = {"kind": kinds[component], "apiVersion": "planetscale.com/v2", "name": f"example-{component}",
             "uid": f"o-{component}", "controller": True}  # fmt: skip
    labels = {"planetscale.com/cluster": "example", "planetscale.com/component": component, **more}
    return {"name": name, "labels": labels, "owner": owner}


def vitess_world() -> World:
    """What the operator makes of its sample: a gateway of a cell, two tablets of a shard and a lock server."""
    world = World()
    gate = vitess("vtgate", "example-zone1-vtgate-bc6cde92")
    made = make(
        "Deployment", gate["name"], labels=gate["labels"], owner=gate["owner"],
        spec={"replicas": 1, "template": template("vitess/lite:v22.0.1", gate["labels"], container="vtgate")},
    )  # fmt: skip
    replicas = make("ReplicaSet", f"{gate['name']}-77", owner=made)
    body = template("vitess/lite:v22.0.1", {}, container="vtgate")["spec"]
    world.put(made, replicas, pod(f"{gate['name']}-77-x", labels=gate["labels"], owner=replicas, spec=body))
    for component, names in (
        ("vttablet", ("example-vttablet-zone1-0000000101-aa", "example-vttablet-zone1-0000000102-bb")),
        ("etcd", ("example-etcd-faf13de3-1",)),
    ):
        for name in names:
            one = vitess(component, name, **{"planetscale.com/tablet-type": "replica"})
            body = template("vitess/lite:v22.0.1", {}, container=component, claim="vtdataroot")["spec"]
            body["volumes"] = [{"name": "vtdataroot", "persistentVolumeClaim": {"claimName": name}}]
            world.put(pod(name, spec=body, labels=one["labels"], owner=one["owner"]), claim(name))
    world.put(make("VitessCluster", "example", spec={}))
    return world


def test_all_that_belongs_to_a_vitesscluster_is_one_workload() -> None:
    world = vitess_world()
    assert (world.only.key, world.only.title, world.only.packaging) == (
        "shop/vitess/example", "Vitess", "Vitess operator",
    )  # fmt: skip
    assert sorted((m.role and m.role.name, m.role and m.role.writes) for m in world.only.members) == [
        ("gateway", None), ("lock server", None), ("tablet", None), ("tablet", None),
    ]  # fmt: skip


def test_sql_goes_to_gateways_and_not_to_what_stands_beside_them() -> None:
    world = vitess_world()
    reach = Reach(world.store, CATALOGUE, lambda: world.workloads, lambda _: True)
    (server,) = reach.servers(world.only)
    assert server.pod == "example-zone1-vtgate-bc6cde92-77-x"
    any_one = reach.workload(world.only, "sql").resolve()
    assert not isinstance(any_one, Waiting)
    assert [str(one) for one in any_one] == [f"{server.pod}:3306"]
    tablets = reach.workload(world.only, "web", role="tablet").resolve()
    assert not isinstance(tablets, Waiting)
    assert [one.port for one in tablets] == [15000, 15000], "who asks for a role gets it"
    assert isinstance(reach.workload(world.only, "sql", role="tablet", strict=True).resolve(), Waiting)


def test_an_operators_object_is_a_workload_before_anything_is_made_of_it() -> None:
    world = World()
    world.put(make("Cluster", "shop", spec={"instances": 3}))
    assert (world.only.key, world.only.desired, world.only.health) == ("shop/postgresql/shop", 3, Health.WAITING)
    assert world.only.why == "3 of 3 members do not exist yet"


def test_a_custom_resource_joins_the_workload_that_its_set_made() -> None:
    world = World()
    tenant = make("Tenant", "t", status={"currentState": "Initialized"})
    made = stateful_set("t-pool-0", "minio/minio:latest", {"v1.min.io/tenant": "t"}, replicas=1, owner=tenant)
    world.put(*whole(made), tenant)
    assert world.only.operator_status == "Initialized"
    assert {item.resource for item in world.only.objects} == {"statefulsets", "tenants.minio.min.io"}
