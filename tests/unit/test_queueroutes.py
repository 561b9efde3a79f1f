"""Which ports of a broker are tried, in which order, and by which name."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from test_bucketroutes import service, world
from worlds import CATALOGUE, World

from tui.problem import Cause, ProblemError
from tui.services.queue.tls import Security
from tui.systems.portroutes import PortTarget, service_of
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


async def test_a_workload_that_is_gone():
    gone = SimpleNamespace(workloads={}, forwards=object(), cluster=object(), problem=None)
    with pytest.raises(ProblemError, match="no workload mq any more") as caught:
        await QueueFinder(gone, "shop/rabbitmq/mq", Port.AMQP)()
    assert caught.value.problem.cause is Cause.ABSENT
