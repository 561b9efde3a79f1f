"""How workloads are reached: their ports, their roles, and targets made of words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from worlds import CATALOGUE, World, claim, pod, pod_of, stateful_set

from tui.kube.forward.targets import PodPort, PodTarget, ServiceTarget, Waiting
from tui.kube.resources import PODS
from tui.problem import Cause, ProblemError
from tui.systems.model import Role, Workload
from tui.systems.reach import PortChoice, Reach, WorkloadTarget, plays, ports_of

PRIMARY, SECONDARY = Role("primary", writes=True), Role("secondary", writes=False)
NODE = Role("node")


class Shop(World):
    """A MySQL of three, whose roles are set by hand."""

    def __init__(self, *, image: str = "mysql:8.4", ports: Any = (33060, 3306), ready: int = 3) -> None:
        super().__init__()
        self.set = stateful_set("db", image, ports=ports)
        self.put(self.set, *(pod_of(self.set, n, ready=n < ready) for n in range(3)), claim("data-db-0"))
        self.changed: dict[str, Workload] = {}

    def roles(self, *roles: Role | None) -> None:
        members = tuple(replace(member, role=role) for member, role in zip(self.only.members, roles, strict=True))
        self.changed = {self.only.key: replace(self.only, members=members)}

    @property
    def known(self) -> dict[str, Workload]:
        return {**self.workloads, **self.changed}

    def reach(self, known: bool = True) -> Reach:
        return Reach(self.store, CATALOGUE, lambda: self.known, lambda _: known)

    def target(self, port: int | str = 3306, role: str = "", **options: Any) -> WorkloadTarget:
        return self.reach().workload(self.known[self.only.key], port, role=role, **options)  # type: ignore[return-value]

    def names(self, port: int | str = 3306, role: str = "", **options: Any) -> list[str]:
        found = self.target(port, role, **options).resolve()
        assert not isinstance(found, Waiting), found
        return [one.pod for one in found]


def told(found: object) -> str:
    assert isinstance(found, Waiting), found
    return found.reason


def test_any_ready_member():
    shop = Shop(ready=2)
    assert shop.names() == ["db-0", "db-1"]
    target = shop.target()
    assert (target.text, target.name, target.namespace, target.port) == ("db", "db", "shop", 3306)
    assert shop.names(unready=True) == ["db-0", "db-1", "db-2"]
    shop = Shop(ready=0)
    assert told(shop.target().resolve()) == "no member of db is ready"


@pytest.mark.parametrize(
    ("role", "names"),
    [
        ("primary", ["db-0"]),
        ("secondary", ["db-1", "db-2"]),
        ("replica", ["db-1", "db-2"]),  # whatever the system calls those that take no writes
    ],
)
def test_members_by_their_role(role, names):
    shop = Shop()
    shop.roles(PRIMARY, SECONDARY, SECONDARY)
    assert shop.names(role=role) == names
    assert shop.target(role=role).text == f"db, {role}"


def test_a_leader_by_another_name_is_the_primary():
    shop = Shop()
    shop.roles(Role("follower", writes=False), Role("leader", writes=True), NODE)
    assert (shop.names(role="primary"), shop.names(role="replica")) == (["db-1"], ["db-0"])
    assert shop.names(role="leader") == ["db-1"]


def test_a_role_moves_and_is_asked_at_each_connection():
    shop = Shop()
    shop.roles(PRIMARY, SECONDARY, SECONDARY)
    target = shop.target(role="primary")
    shop.roles(SECONDARY, PRIMARY, SECONDARY)
    assert [one.pod for one in target.resolve()] == ["db-1"]  # type: ignore[union-attr]
    shop.roles(SECONDARY, None, SECONDARY)
    found = target.resolve()
    assert told(found) == "No member of db is primary now; there are: secondary" and found.problem is None
    shop.changed = {shop.only.key: replace(shop.only, members=())}
    assert told(target.resolve()) == "No member of db is primary now"
    shop.changed = {}
    shop.remove(shop.set)
    for n in range(3):
        shop.remove(pod_of(shop.set, n))
    assert told(target.resolve()) == "there is no workload db"


def test_a_primary_that_is_not_ready_is_waited_for():
    shop = Shop(ready=0)
    shop.roles(PRIMARY, SECONDARY, SECONDARY)
    assert told(shop.target(role="primary").resolve()) == "pod db-0 is not ready"
    assert told(shop.target(role="replica").resolve()) == "no member of role replica of db is ready"


def test_roles_that_nobody_knows_are_refused():
    shop = Shop()
    shop.roles(None, None, None)
    found = shop.target(role="primary").resolve()
    assert isinstance(found, Waiting) and found.problem is not None
    assert found.problem.cause is Cause.ABSENT and "--pod" in found.problem.remedy
    assert "Which member of db is primary is not known" in found.problem.what
    assert not plays(shop.known[shop.only.key].members[0], "primary")


def test_alike_members_are_neither_primary_nor_replica():
    shop = Shop()
    shop.roles(NODE, NODE, NODE)
    assert shop.names(role="node") == ["db-0", "db-1", "db-2"]
    for role in ("primary", "replica", "witness"):
        assert told(shop.target(role=role).resolve()) == f"No member of db is {role} now; there are: node"


def test_places_without_a_pod_and_pods_that_are_not_seen_yet():
    shop = Shop()
    shop.remove(pod_of(shop.set, 1))
    assert [member.uid != "" for member in shop.only.members] == [True, False, True]
    assert shop.names() == ["db-0", "db-2"]
    workloads = dict(shop.workloads)
    target = WorkloadTarget(lambda: workloads, shop.store, shop.only.key, 1)
    for n in (0, 2):
        shop.store.remove(PODS.key, pod_of(shop.set, n).uid)
    assert told(target.resolve()) == "no member of db is ready"


@pytest.mark.parametrize(("port", "number"), [("sql", 3306), (33060, 33060), ("33060", 33060), ("", 3306)])
def test_ports_by_the_systems_name_and_by_number(port, number):
    shop = Shop()
    found = shop.target(port).resolve()
    assert isinstance(found, list) and {one.port for one in found} == {number}
    member = shop.reach().member(shop.only, "db-1", port).resolve()
    assert member == [PodPort("shop", "db-1", "Pod/shop/db-1", number)]


def test_a_port_that_nobody_names():
    shop = Shop()
    found = shop.target("nosuch").resolve()
    assert "no port named nosuch" in told(found)


# --- the ports to choose from


def test_the_systems_ports_come_first():
    shop = Shop(ports=(9104, 33060, 3306))
    choices = shop.reach().ports(shop.only)
    assert choices == [PortChoice(3306, "sql", known=True), PortChoice(9104), PortChoice(33060)]
    assert [str(choice) for choice in choices] == ["3306 sql", "9104", "33060"]


def test_a_systems_port_that_is_not_declared_is_not_offered_unless_nothing_is():
    shop = Shop(ports=(9104,))
    assert [str(choice) for choice in ports_of(shop.only, shop.store, CATALOGUE)] == ["9104"]
    shop = Shop(ports=())
    assert [str(choice) for choice in ports_of(shop.only, shop.store, CATALOGUE)] == ["3306 sql"]


def test_names_of_containers_and_protocols_that_cannot_be_forwarded():
    world = World()
    made = stateful_set("x", "nobody/knows:1")
    spec = {
        "containers": [
            {"name": "a", "image": "nobody/knows:1", "ports": [
                {"name": "web", "containerPort": 8080},
                {"name": "dns", "containerPort": 53, "protocol": "UDP"},
            ]},
            {"name": "b", "ports": [{"name": "again", "containerPort": 8080}, {"containerPort": 1}]},
        ]
    }  # fmt: skip
    world.put(made, pod("x-0", spec=spec, owner=made, labels=made.spec.template.metadata.labels), claim("data-x-0"))
    assert [str(choice) for choice in ports_of(world.only, world.store, CATALOGUE)] == ["8080 web", "1"]


def test_no_port_at_all():
    world = World()
    made = stateful_set("x", "nobody/knows:1")
    world.put(made, pod_of(made, 0), claim("data-x-0"))
    reach = Reach(world.store, CATALOGUE, lambda: world.workloads, lambda _: True)
    for make in (lambda: reach.workload(world.only), lambda: reach.member(world.only, "x-0")):
        with pytest.raises(ProblemError) as caught:
            make()
        assert caught.value.problem.cause is Cause.CONFIG and "x:PORT" in caught.value.problem.remedy
    assert reach.member(world.only, "x-0", 80).resolve() == [PodPort("shop", "x-0", "Pod/shop/x-0", 80)]


# --- other words


def test_pods_and_services():
    shop = Shop()
    reach = shop.reach()
    assert reach.pod("shop", "db-0", 1) == PodTarget(shop.store, "shop", "db-0", 1)
    assert reach.pod("shop", "db-0", 1, unready=True) == PodTarget(shop.store, "shop", "db-0", 1, True)
    service = reach.service("shop", "db", "sql")
    assert isinstance(service, ServiceTarget) and service.text == "service db"
    assert service.slices_known() and service.pods_known()
    blind = shop.reach(known=False).service("shop", "db", "sql")
    assert not blind.slices_known() and not blind.pods_known()  # type: ignore[attr-defined]
