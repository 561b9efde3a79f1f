"""Which members serve S3, at which port, and by which name."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from worlds import World, claim, make, pod_of, stateful_set

from tui.kube.forward.targets import PodPort, Waiting
from tui.kube.objects import StatefulSet
from tui.problem import Cause, ProblemError
from tui.systems.bucketroutes import NAMES, StoreFinder, port_of, service_of
from tui.systems.portroutes import PortTarget, members

TENANT = {"v1.min.io/tenant": "t"}
WEED = {"app.kubernetes.io/name": "seaweedfs", "app.kubernetes.io/instance": "sw"}


def world(*sets: tuple[str, str, dict[str, str], list[tuple[int, str]]]) -> World:
    """A pod for each set, with its ports."""
    made = World()
    for name, image, labels, ports in sets:
        declared = [{"containerPort": number, "name": called} for number, called in ports]
        template = {"metadata": {"labels": labels}, "spec": {"containers": [
            {"name": "server", "image": image, "ports": declared, "volumeMounts": [{"name": "data", "mountPath": "/d"}]}
        ]}}  # fmt: skip
        item = stateful_set(name, image, labels, replicas=1, spec={"template": template})
        assert isinstance(item, StatefulSet)
        made.put(item, pod_of(item, 0), claim(f"data-{name}-0"))
    return made


def target(made: World, port: int) -> PortTarget:
    return PortTarget(lambda: made.workloads, made.store, made.only.key, port, NAMES)


def service(name: str, selector: dict[str, str], port: int, leads: Any, *, headless: bool = False) -> Any:
    return make("Service", name, spec={
        "selector": selector, "clusterIP": "None" if headless else "10.0.0.1",
        "ports": [{"port": port, "targetPort": leads, "protocol": "TCP"}]})  # fmt: skip


@pytest.mark.parametrize(
    ("ports", "number"),
    [
        ([(9000, "http-minio"), (9090, "console")], 9000),
        ([(9001, "http-minio"), (9090, "console")], 9001),
        ([(9443, "https-minio")], 9443),
        ([], 9000),  # nothing is declared: it is what everybody has
    ],
)
def test_the_port_is_the_usual_one_unless_the_containers_say_otherwise(ports, number):
    made = world(("t-pool-0", "minio/minio:x", TENANT, ports))
    found = target(made, 9000).resolve()
    assert isinstance(found, list)
    assert [(at.pod, at.port) for at in found] == [("t-pool-0-0", number)]


def test_only_members_that_serve_s3_are_reached():
    made = world(
        ("sw-master", "chrislusf/seaweedfs:4", {**WEED, "app.kubernetes.io/component": "master"}, [(9333, "master")]),
        ("sw-filer", "chrislusf/seaweedfs:4", {**WEED, "app.kubernetes.io/component": "filer"},
         [(8888, "swfs-filer"), (8333, "swfs-s3")]),
    )  # fmt: skip
    found = target(made, 8333).resolve()
    assert isinstance(found, list)
    assert [(at.pod, at.port) for at in found] == [("sw-filer-0", 8333)]


def test_a_workload_without_a_ready_member_is_waited_for():
    made = world(("t-pool-0", "minio/minio:x", TENANT, [(9000, "http-minio")]))
    (pod,) = members(made.store, made.only)
    assert port_of(pod, 9000) == 9000
    made.remove(pod)
    found = target(made, 9000).resolve()
    assert isinstance(found, Waiting)
    assert found.problem is None


def test_the_name_is_that_of_the_service_with_an_address():
    made = world(("t-pool-0", "minio/minio:x", TENANT, [(9000, "http-minio"), (9090, "http-console")]))
    made.put(
        service("t-console", TENANT, 9090, 9090), service("t-hl", TENANT, 9000, 9000, headless=True),
        service("minio", TENANT, 80, 9000), service("another", {"app": "x"}, 9000, 9000),
    )  # fmt: skip
    found = service_of(made.store, made.only, 9000)
    assert found is not None
    assert (found[0].name, found[1]) == ("minio", 80)


def test_a_gateway_that_is_no_member_is_found_by_its_service():
    made = world(
        ("sw-filer", "chrislusf/seaweedfs:4", {**WEED, "app.kubernetes.io/component": "filer"}, [(8888, "swfs-filer")])
    )
    assert service_of(made.store, made.only, 8333) is None
    made.put(service("sw-s3", {**WEED, "app.kubernetes.io/component": "s3"}, 8333, 8333))
    found = service_of(made.store, made.only, 8333)
    assert found is not None
    assert found[0].name == "sw-s3"


async def test_a_workload_that_is_gone():
    live = SimpleNamespace(workloads={}, forwards=object(), cluster=object(), problem=None)
    with pytest.raises(ProblemError, match="no workload t any more") as caught:
        await StoreFinder(live, "shop/minio/t")()
    assert caught.value.problem.cause is Cause.ABSENT


def test_ports_are_of_pods():
    made = world(("t-pool-0", "minio/minio:x", TENANT, [(9000, "http-minio")]))
    (found,) = target(made, 9000).resolve()
    assert isinstance(found, PodPort)
    assert found.namespace == "shop"
