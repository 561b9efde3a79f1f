"""What servers said of themselves, in the workload's pane: believed for a while, and held against what labels say."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from worlds import CATALOGUE, World, make

from tui.systems.model import Health, Role
from tui.systems.observed import SOURCE, STALE, Observation, Observed, role, short_lag
from tui.systems.recognise import Recogniser


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(clock: Clock) -> Any:
    """The tutorial's MySQL: ordinal 0 is the primary by convention."""
    world: Any = World()
    world.observed = Observed(clock)
    world.recogniser = Recogniser(world.store, world.usage, CATALOGUE, world.observed)
    labels = {"app": "mysql"}
    pair = [{"name": "mysql", "image": "mysql:8.4", "ports": [{"containerPort": 3306}]},
            {"name": "xtrabackup", "image": "gcr.io/google-samples/xtrabackup:1.0"}]  # fmt: skip
    sts = make(
        "StatefulSet", "mysql", labels=labels,
        spec={"replicas": 2, "selector": {"matchLabels": labels}, "serviceName": "mysql",
              "template": {"metadata": {"labels": labels}, "spec": {"containers": pair}}},
        status={"replicas": 2, "readyReplicas": 2, "updateRevision": "r", "currentRevision": "r"},
    )  # fmt: skip
    world.put(sts)
    for n in range(2):
        world.put(make(
            "Pod", f"mysql-{n}", labels={**labels, "controller-revision-hash": "r"}, owner=sts,
            spec={"nodeName": "node-1", "containers": pair},
            status={"phase": "Running", "podIP": f"10.0.0.{n}",
                    "conditions": [{"type": "Ready", "status": "True"}],
                    "containerStatuses": [
                        {"name": each["name"], "ready": True, "state": {"running": {}}} for each in pair]},
        ))  # fmt: skip
    return world


def uid(n: int) -> str:
    return f"Pod/shop/mysql-{n}"


def told(world: Any, n: int, replica: bool, writes: bool, at: float, **more: str) -> None:
    world.observed.put([Observation(uid(n), replica, writes, at=at, **more)])


def test_roles_and_lag_come_from_the_servers_and_go_when_nobody_asks(world: Any, clock: Clock) -> None:
    before = world.member("mysql-1").role
    told(world, 0, False, True, clock.now)
    told(world, 1, True, False, clock.now, lag="0 s behind")
    member = world.member("mysql-1")
    assert member.lag == "0 s behind"
    assert short_lag(member) == "0 s"
    assert (member.role.name, member.role.writes, member.role.source) == ("replica", False, SOURCE)
    assert world.only.warnings == ()
    clock.now += STALE
    assert world.apply() == {world.only.key}, "what became stale changes the workload by itself"
    assert world.member("mysql-1").role == before
    assert world.member("mysql-1").lag == ""


def test_the_same_said_again_changes_nothing(world: Any, clock: Clock) -> None:
    told(world, 1, True, False, clock.now, lag="0 s behind")
    world.apply()
    clock.now += STALE - 1
    told(world, 1, True, False, clock.now, lag="0 s behind")
    assert world.apply() == set()
    clock.now += STALE - 1
    assert world.member("mysql-1").lag == "0 s behind", "and it has grown younger"


def test_a_replica_that_takes_writes_is_a_warning(world: Any, clock: Clock) -> None:
    told(world, 1, False, True, clock.now)
    member = world.member("mysql-1")
    assert (member.role.name, member.role.writes) == ("primary", True)
    assert [one.text for one in world.only.warnings] == [
        "its place says mysql-1 is replica, the server takes writes and follows nobody"
    ]
    assert world.only.health is Health.RUNNING
    clock.now += STALE
    assert world.only.warnings == ()


def test_a_primary_that_moved_and_a_stream_that_stopped(world: Any, clock: Clock) -> None:
    told(world, 0, True, False, clock.now, trouble="replication has stopped: IO: access denied")
    told(world, 1, False, True, clock.now)
    texts = [one.text for one in world.only.warnings]
    assert "its place says mysql-0 is primary, the server follows another one" in texts
    assert "mysql-0: replication has stopped: IO: access denied" in texts
    told(world, 0, False, False, clock.now)
    assert world.member("mysql-0").role.name == "read-only"
    assert "its place says mysql-0 is primary, the server refuses writes" in [one.text for one in world.only.warnings]


def test_a_pod_that_takes_the_name_of_another_is_not_what_that_one_said(world: Any, clock: Clock) -> None:
    told(world, 1, True, False, clock.now, lag="9 s behind")
    assert world.member("mysql-1").lag
    old = world.store.by_uid("pods", uid(1), object)
    world.remove(old)
    spec = {"containers": [{"name": "mysql", "image": "mysql:8.4"}]}
    world.put(make("Pod", "mysql-1", uid="another", labels=old.metadata.labels, spec=spec, status={"phase": "Running"}))
    assert world.member("mysql-1").lag == ""


def test_words_for_roles() -> None:
    primary = Observation("u", False, True)
    node = Role("node", None, "all members are alike")
    assert role(node, primary) is node, "no member of a system without a primary becomes one"
    labelled = Role("unhealthy", None, "label cnpg.io/instanceRole")
    assert role(labelled, primary) == Role("primary", True, SOURCE)
    assert role(Role("master", True, "label role"), primary) == Role("master", True, SOURCE)
    assert role(None, Observation("u", True, True)) == Role("replica", False, SOURCE)
    assert role(None, Observation("u", None, True)) is None


async def test_word_comes_when_something_new_is_said_and_when_it_is_stale(clock: Clock) -> None:
    observed = Observed(clock)
    waiting = asyncio.ensure_future(observed.changed())
    await asyncio.sleep(0.01)
    assert not waiting.done()
    observed.put([Observation("u", True, False, at=clock.now - STALE + 0.1)])
    await asyncio.wait_for(waiting, 20)
    assert set(observed.drain()) == {"u"}
    waiting = asyncio.ensure_future(observed.changed())
    await asyncio.sleep(0.01)
    clock.now += 0.2
    await asyncio.wait_for(waiting, 20)
    assert set(observed.drain()) == {"u"}
    assert observed.of("u") is None
