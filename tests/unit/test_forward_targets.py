"""What a forward leads to: pods, Services through their slices or their selector, and which of several is taken."""

from __future__ import annotations

from typing import Any

import pytest
from worlds import World, make, pod

from tui.kube.forward.targets import PodPort, PodTarget, ServiceTarget, Waiting, of_pods, port_of, preferred
from tui.problem import Cause

PORTS = [{"name": "sql", "containerPort": 3306}, {"name": "dns", "containerPort": 53, "protocol": "UDP"}]


def db(world: World, name: str = "db-0", *, ports: Any = PORTS, start: str = "", ready: bool = True, **rest: Any):
    status = {"conditions": [{"type": "Ready", "status": str(ready)}], **({"startTime": start} if start else {})}
    spec = {"containers": [{"name": "a"}, {"name": "b", "ports": ports}], **rest.pop("spec", {})}
    return world.put(pod(name, spec=spec, status=status, uid=rest.pop("uid", f"uid-{name}"), **rest))


def at(name: str, port: int) -> PodPort:
    return PodPort("shop", name, f"uid-{name}", port)


def told(found: object) -> str:
    assert isinstance(found, Waiting), found
    return found.reason


def never(found: object) -> str:
    """What is final, with what to do about it."""
    assert isinstance(found, Waiting) and found.problem is not None, found
    assert found.problem.cause is Cause.REJECTED and found.problem.what == found.reason
    return f"{found.reason} | {found.problem.remedy}"


# --- pods


@pytest.mark.parametrize(("port", "number"), [(3306, 3306), ("3306", 3306), ("sql", 3306), (1, 1)])
def test_a_pods_port_by_number_and_name(port, number):
    world = World()
    db(world)
    assert PodTarget(world.store, "shop", "db-0", port).resolve() == [at("db-0", number)]


def test_what_is_waited_for_of_a_pod():
    world = World()
    target = PodTarget(world.store, "shop", "db-0", "sql")
    assert target.text == "pod db-0" and told(target.resolve()) == "pod db-0 does not exist"
    db(world, ready=False)
    assert told(target.resolve()) == "pod db-0 is not ready"
    unready = PodTarget(world.store, "shop", "db-0", "sql", unready=True)
    assert unready.resolve() == [at("db-0", 3306)]
    db(world, deletionTimestamp="2026-01-01T00:00:00Z")
    assert told(target.resolve()) == told(unready.resolve()) == "pod db-0 is on its way out"
    assert told(PodTarget(world.store, "other", "db-0", 1).resolve()) == "pod db-0 does not exist"


def test_a_pod_without_a_ready_condition_is_not_ready():
    world = World()
    world.put(pod("db-0", spec={"containers": []}, status={}))
    assert told(PodTarget(world.store, "shop", "db-0", 1).resolve()) == "pod db-0 is not ready"


def test_a_port_that_the_pod_does_not_have():
    world = World()
    db(world)
    for name in ("http", "dns"):  # the second is UDP
        found = never(PodTarget(world.store, "shop", "db-0", name).resolve())
        assert f"Pod db-0 has no port named {name}" in found and "3306 (sql)" in found
    db(world, "bare", ports=[])
    assert "none declared; a number always works" in never(PodTarget(world.store, "shop", "bare", "x").resolve())


def test_ports_of_sidecars_count_and_those_of_what_runs_before_do_not():
    world = World()
    sidecar = {"name": "s", "restartPolicy": "Always", "ports": [{"name": "metrics", "containerPort": 9104}]}
    before = {"name": "i", "ports": [{"name": "init", "containerPort": 1}, {"name": "metrics", "containerPort": 2}]}
    made = db(world, spec={"initContainers": [before, sidecar]})
    assert (port_of(made, "metrics"), port_of(made, "init"), port_of(made, "sql")) == (9104, None, 3306)


def test_the_one_that_started_last_comes_last():
    world = World()
    pods = [
        db(world, "db-2", start="2026-01-02T00:00:00Z"),
        db(world, "db-1", start="2026-01-03T00:00:00Z"),
        db(world, "db-0", start="2026-01-02T00:00:00Z"),
        db(world, "db-9", creationTimestamp="2025-01-01T00:00:00Z"),
    ]
    found = of_pods(pods, "sql")
    assert [one.pod for one in found] == ["db-9", "db-0", "db-2", "db-1"]


def test_why_none_of_several_will_do():
    world = World()
    one, two = db(world, ready=False), db(world, "db-1", ready=False)
    assert told(of_pods([one, two], 1)) == "none of 2 pods is ready"
    assert told(of_pods([], 1)) == "there is no pod"
    other = db(world, "router-0", ports=[])
    for pods in ([one, other], [other, one]):
        found = of_pods(pods, "sql")
        assert told(found) and found.problem is None, "the one that has the port may become ready"
    assert "no port named sql" in never(of_pods([other], "sql"))
    assert [found.pod for found in of_pods([other, db(world, "db-2")], "sql")] == ["db-2"]


# --- Services


def service(world: World, *, ports: Any = None, selector: Any = "app", name: str = "db", **spec: Any) -> None:
    ports = ports or [{"name": "sql", "port": 3306, "targetPort": "sql"}]
    chosen = {"app": "db"} if selector == "app" else selector
    world.put(make("Service", name, spec={"ports": ports, **({"selector": chosen} if chosen else {}), **spec}))


def endpoint(name: str = "", *, kind: str = "Pod", uid: str = "", **conditions: bool) -> dict[str, Any]:
    made: dict[str, Any] = {"addresses": ["10.0.0.1"], "conditions": conditions}
    if name:
        made["targetRef"] = {"kind": kind, "name": name, "namespace": "shop", "uid": uid or f"uid-{name}"}
    return made


def piece(world: World, name: str, *endpoints: Any, ports: Any = None, of: str = "db") -> None:
    ports = ports if ports is not None else [{"name": "sql", "port": 3306}]
    world.put(
        make("EndpointSlice", name, labels={"kubernetes.io/service-name": of}, endpoints=list(endpoints), ports=ports)
    )


def test_a_service_by_name_and_number_of_its_port():
    world = World()
    db(world)
    service(world, ports=[{"name": "sql", "port": 80, "targetPort": "sql"}, {"name": "x", "port": 81}])
    piece(
        world, "db-x", endpoint("db-0", ready=True), ports=[{"name": "x", "port": 33060}, {"name": "sql", "port": 3306}]
    )
    for port in ("sql", 80, "80"):
        assert ServiceTarget(world.store, "shop", "db", port).resolve() == [at("db-0", 3306)]
    assert ServiceTarget(world.store, "shop", "db", 81).resolve() == [at("db-0", 33060)]
    found = never(ServiceTarget(world.store, "shop", "db", 3306).resolve())
    assert found == "Service db has no port 3306 | Its ports: 80 (sql), 81 (x)."
    assert told(ServiceTarget(world.store, "shop", "web", 80).resolve()) == "service web does not exist"


def test_several_slices_with_ports_that_differ_from_pod_to_pod():
    world = World()
    for name in ("db-0", "db-1", "db-2"):
        db(world, name)
    service(world)
    piece(world, "db-a", endpoint("db-2", ready=True), endpoint("db-1"), ports=[{"name": "sql", "port": 3306}])
    piece(
        world, "db-b", endpoint("db-0", ready=True), endpoint("db-2", ready=True), ports=[{"name": "sql", "port": 3307}]
    )
    piece(world, "web-a", endpoint("db-1", ready=True), ports=[{"name": "sql", "port": 1}], of="web")
    piece(world, "db-c", ports=None)
    piece(world, "db-d", endpoint("db-1", ready=True), ports=[{"name": "sql"}])
    found = ServiceTarget(world.store, "shop", "db", "sql").resolve()
    assert found == [at("db-0", 3307), at("db-1", 3306), at("db-2", 3306), at("db-2", 3307)]


def test_an_unnamed_port():
    world = World()
    db(world)
    service(world, ports=[{"port": 3306}])
    piece(world, "db-a", endpoint("db-0", ready=True), ports=[{"port": 33061}])
    assert ServiceTarget(world.store, "shop", "db", 3306).resolve() == [at("db-0", 33061)]


def test_who_is_on_the_way_out_but_still_serves_is_the_last_resort():
    world = World()
    for name in ("db-0", "db-1"):
        db(world, name)
    service(world)
    target = ServiceTarget(world.store, "shop", "db", "sql")
    leaving = endpoint("db-0", ready=False, serving=True, terminating=True)
    piece(world, "db-a", leaving, endpoint("db-1", ready=True))
    assert target.resolve() == [at("db-1", 3306)]
    piece(world, "db-a", leaving, endpoint("db-1", ready=False))
    assert target.resolve() == [at("db-0", 3306)]
    piece(world, "db-a", endpoint("db-0", ready=False, serving=False, terminating=True))
    assert told(target.resolve()) == "service db has no ready endpoint"
    # The slice lags: the one that it calls ready is another pod by now.
    piece(world, "db-a", leaving, endpoint("db-1", uid="former", ready=True))
    assert target.resolve() == [at("db-0", 3306)]
    # A Service that publishes the unready calls also those ready that are on their way out.
    piece(world, "db-a", endpoint("db-0", ready=True, serving=True, terminating=True), endpoint("db-1", ready=True))
    assert target.resolve() == [at("db-1", 3306)]


def test_pods_that_are_gone_are_not_led_to_as_far_as_pods_are_known():
    world = World()
    service(world)
    piece(world, "db-a", endpoint("db-0", ready=True))
    assert told(ServiceTarget(world.store, "shop", "db", "sql").resolve()) == "service db has no ready endpoint"
    blind = ServiceTarget(world.store, "shop", "db", "sql", pods_known=lambda: False)
    assert blind.resolve() == [at("db-0", 3306)]
    db(world, uid="successor")
    assert told(blind.resolve()) == "service db has no ready endpoint"


def test_a_service_that_publishes_the_unready():
    world = World()
    db(world, ready=False, labels={"app": "db"})
    service(world, publishNotReadyAddresses=True)
    piece(world, "db-a", endpoint("db-0", ready=True))
    assert ServiceTarget(world.store, "shop", "db", "sql").resolve() == [at("db-0", 3306)]
    assert ServiceTarget(world.store, "shop", "db", "sql", slices_known=lambda: False).resolve() == [at("db-0", 3306)]


def test_a_service_without_selector():
    world = World()
    db(world)
    service(world, selector=None)
    target = ServiceTarget(world.store, "shop", "db", "sql")
    assert told(target.resolve()) == "service db has no selector and no endpoints"
    piece(world, "db-a", endpoint("db-0", ready=True))
    assert target.resolve() == [at("db-0", 3306)]
    for one in (endpoint(), endpoint("node-1", kind="Node", ready=True)):
        piece(world, "db-a", one)
        assert "addresses that are no pods" in never(target.resolve())
    found = ServiceTarget(world.store, "shop", "db", "sql", slices_known=lambda: False).resolve()
    assert "endpointslices.discovery.k8s.io" in never(found)


def test_what_cannot_be_forwarded():
    world = World()
    service(world, type="ExternalName", externalName="db.example.test", selector=None)
    assert "only another name for db.example.test" in never(ServiceTarget(world.store, "shop", "db", 3306).resolve())
    service(
        world,
        name="dns",
        ports=[{"name": "udp", "port": 53, "protocol": "UDP"}, {"name": "s", "port": 9, "protocol": "SCTP"}],
    )
    assert "is UDP | Kubernetes forwards TCP only" in never(ServiceTarget(world.store, "shop", "dns", 53).resolve())
    assert "is SCTP" in never(ServiceTarget(world.store, "shop", "dns", "s").resolve())
    service(world, name="both", ports=[{"name": "u", "port": 53, "protocol": "UDP"}, {"name": "t", "port": 53}])
    db(world)
    piece(world, "both-a", endpoint("db-0", ready=True), ports=[{"name": "t", "port": 5353}], of="both")
    assert ServiceTarget(world.store, "shop", "both", 53).resolve() == [at("db-0", 5353)]
    world.put(make("Service", "none", spec={"clusterIP": "None"}))
    assert "Its ports: none." in never(ServiceTarget(world.store, "shop", "none", 1).resolve())


@pytest.mark.parametrize(("target_port", "number"), [("sql", 3306), (3307, 3307), (None, 80), (0, 80), ("", 80)])
def test_without_slices_the_selector_has_to_do(target_port, number):
    world = World()
    db(world, labels={"app": "db", "x": "y"})
    db(world, "web-0", labels={"app": "web"})
    db(world, "db-1", labels={"app": "db"}, ready=False)
    service(
        world, ports=[{"name": "p", "port": 80, **({"targetPort": target_port} if target_port is not None else {})}]
    )
    target = ServiceTarget(world.store, "shop", "db", "p", slices_known=lambda: False)
    assert target.resolve() == [at("db-0", number)]
    db(world, labels={"app": "db"}, ready=False)
    assert told(target.resolve()) == "service db has no ready endpoint"


def test_a_selector_that_selects_nothing():
    world = World()
    service(world)
    assert (
        told(ServiceTarget(world.store, "shop", "db", "sql", slices_known=lambda: False).resolve()) == "there is no pod"
    )


# --- which of several


def test_stickiness_and_spreading():
    found = [at(f"db-{n}", 1) for n in range(3)]
    zero, one, two = found
    assert preferred(found, last=one, avoid=(), turn=7) == one
    assert preferred(found, last=at("gone", 1), avoid=(), turn=7) == zero
    assert preferred(found, last=one, avoid={one.uid}, turn=0) == zero
    assert [preferred(found, last=None, avoid=(), turn=turn) for turn in range(4)] == [zero, one, two, zero]
    assert [preferred(found, last=None, avoid={zero.uid}, turn=turn) for turn in range(3)] == [one, two, one]
    everybody = {one.uid for one in found}
    assert preferred(found, last=None, avoid=everybody, turn=1) == one, "there is no other"
    assert preferred(found, last=two, avoid=everybody, turn=1) == two
    assert str(zero) == "db-0:1"
