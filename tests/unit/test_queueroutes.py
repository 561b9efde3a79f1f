"""Which ports of a broker are tried, in which order, and by which name."""

from __future__ import annotations

import dataclasses
import datetime as dt
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace
from test_bucketroutes import service, world
from worlds import CATALOGUE, World

from tui.kube.objects import Condition, ContainerState, ContainerStatus, Pod, Running
from tui.kube.resources import PODS
from tui.problem import Cause, ProblemError
from tui.services.queue.tls import Security
from tui.systems.portroutes import PortTarget, service_of
from tui.systems.queueothers import others
from tui.systems.queueroutes import Port, QueueFinder, choices, serves

HAND = {"app": "hand"}
PLAIN, BOTH = [(5672, "amqp"), (15672, "management")], [(5672, "amqp"), (5671, "amqps"), (15672, "stats")]


def live(made: World) -> Any:
    return SimpleNamespace(workloads=made.workloads, cluster=SimpleNamespace(store=made.store), catalogue=CATALOGUE)


@pytest.mark.parametrize(
    ("ports", "security", "wanted"),
    [
        (PLAIN, Security(), (Port.AMQP,)),
        (PLAIN, Security(True, "CA"), (Port.AMQP,)),  # no port speaks TLS, whatever the packaging says
        (BOTH, Security(), (Port.AMQP, Port.AMQPS)),
        (BOTH, Security(True, "CA"), (Port.AMQPS, Port.AMQP)),
        (BOTH, Security(False), (Port.AMQP,)),
        ([(5671, "amqp-ssl")], Security(), (Port.AMQPS,)),
        ([], Security(), (Port.AMQP, Port.AMQPS)),
        ([(7000, "amqp-tls")], Security(), (Port.AMQPS,)),
    ],
)
def test_tls_that_can_be_verified_goes_first(ports, security, wanted):
    made = world(("hand", "rabbitmq:4", HAND, ports))
    found = choices(live(made), made.only.key, Port.AMQP, Port.AMQPS, security)
    if not ports:  # nothing is declared: then it is the port that everybody has
        wanted = (Port.AMQP,)
    assert found == wanted


def test_a_port_of_another_number_is_found_by_its_name():
    made = world(("hand", "rabbitmq:4", HAND, [(5672, "amqp"), (8080, "stats")]))
    port = Port.MANAGEMENT
    found = PortTarget(lambda: made.workloads, made.store, made.only.key, port.number, port.names).resolve()
    assert [(at.pod, at.port) for at in found] == [("hand-0", 8080)]


def at(time: str) -> float:
    return dt.datetime.fromisoformat(f"2026-01-01T{time}Z").timestamp()


@pytest.mark.parametrize(
    ("ready", "since", "started", "lapsed", "found"),
    [
        ("False", "2026-01-01T00:05:00Z", "2026-01-01T00:00:05Z", True, True),  # an alarm has come up
        ("False", "2026-01-01T00:05:00Z", "2026-01-01T00:00:05Z", False, False),
        ("False", "2026-01-01T00:05:05Z", "2026-01-01T00:05:05Z", True, False),  # it starts
        ("False", "2026-01-01T00:00:05Z", "2026-01-01T00:00:05Z", True, True),  # an alarm has held since then
        ("False", "2026-01-01T00:00:05Z", "2026-01-01T00:00:05Z", False, False),
        ("False", "2026-01-01T00:05:00Z", "2026-01-01T00:06:00Z", True, False),  # it restarts
        ("False", "2026-01-01T00:05:00Z", None, True, False),  # its container waits
        ("False", None, "2026-01-01T00:05:05Z", True, False),
    ],
)
def test_a_broker_that_was_ready_before_will_do_where_none_is(ready, since, started, lapsed, found):
    made = world(("hand", "rabbitmq:4", HAND, PLAIN))
    pod = next(iter(made.store.all(PODS.key, Pod)))
    running = Running(started) if started is not None else None
    status = replace(
        pod.status, conditions=[Condition("Ready", ready, last_transition_time=since)],
        container_statuses=[ContainerStatus("hand", state=ContainerState(running=running))],
    )  # fmt: skip
    store = SimpleNamespace(by_uid=lambda *_: replace(pod, status=status))
    port = Port.AMQP
    came = PortTarget(
        lambda: made.workloads, store, made.only.key, port.number, port.names, lapsed, clock=lambda: at("00:06:30")
    ).resolve()  # fmt: skip
    assert isinstance(came, list) is found
    if not found:
        assert came.reason == "pod hand-0 is not ready"


def test_the_name_is_that_of_the_service():
    made = world(("hand", "rabbitmq:4", HAND, PLAIN))
    made.put(service("hand-nodes", HAND, 5672, "amqp", headless=True), service("mq", HAND, 80, "management"))
    store, only = made.store, made.only
    assert service_of(store, only, Port.AMQP.number, Port.AMQP.names)[0].name == "hand-nodes"
    assert service_of(store, only, Port.MANAGEMENT.number, Port.MANAGEMENT.names)[0].name == "mq"


def test_only_a_broker_serves_amqp():
    made = world(("hand", "rabbitmq:4", HAND, PLAIN))
    assert serves(live(made), made.only)
    assert not serves(live(made), None)
    other = world(("pg", "postgres:17", {"app": "pg"}, [(5432, "pg")]))
    assert not serves(live(other), other.only)


def test_the_other_brokers_are_named_so_that_each_is_meant():
    made = world(
        ("mq", "rabbitmq:4", {"app": "mq"}, PLAIN), ("away", "rabbitmq:4", {"app": "away"}, PLAIN),
        ("pg", "postgres:17", {"app": "pg"}, [(5432, "pg")]),
    )  # fmt: skip
    key = {one.name: one.key for one in made.workloads.values()}
    there = live(made)
    assert others(there, key["mq"]) == {"away": key["away"]}
    twin = dataclasses.replace(made.workloads[key["mq"]], key="second/rabbitmq/mq", namespace="second")
    there.workloads = {**made.workloads, twin.key: twin}
    assert others(there, key["mq"]) == {"away": key["away"], "second/mq": twin.key}
    assert others(there, key["away"]) == {f"{made.workloads[key['mq']].namespace}/mq": key["mq"], "second/mq": twin.key}


async def test_a_workload_that_is_gone():
    gone = SimpleNamespace(workloads={}, forwards=object(), cluster=object(), problem=None)
    with pytest.raises(ProblemError, match="no workload mq any more") as caught:
        await QueueFinder(gone, "shop/rabbitmq/mq", Port.AMQP)()
    assert caught.value.problem.cause is Cause.ABSENT
