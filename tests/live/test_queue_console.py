"""The chapter's queue by keyboard alone, in front of the three RabbitMQ nodes of the real cluster."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import re
import secrets
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from tests.live.consoles import CONNECTED, ENTER, NAMESPACE, SMALL, TAB, WIDE, Program, back, opened
from tests.live.queue_pods import eventually
from tests.live.real import KUBECONFIG, kubectl, other

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("own_terminal"), pytest.mark.timeout(300)]

WORKLOAD = "rabbitmq"
F5 = "\x1b[15~"


def password() -> str:
    return base64.b64decode(
        kubectl("-n", NAMESPACE, "get", "secret", WORKLOAD, "-o", "jsonpath={.data.rabbitmq-password}")
    ).decode()


def api(method: str, path: str, body: Any = None) -> Any:
    """Asks a node's management API from inside its pod."""
    more = ["-d", json.dumps(body)] if body is not None else []
    url = f"http://localhost:15672/api/{path}"
    curl = ["curl", "-s", "-u", f"user:{password()}", "-X", method, "-H", "Content-Type: application/json", url, *more]
    told = kubectl("-n", NAMESPACE, "exec", f"{WORKLOAD}-0", "--", *curl)
    return json.loads(told) if told.strip() else None


@pytest.fixture
def vhost() -> Iterator[str]:
    """A virtual host of our own, removed afterwards with all that is in it."""
    name = f"qui-{secrets.token_hex(3)}"
    api("PUT", f"vhosts/{name}", {})
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    api("PUT", f"permissions/{name}/user", everything)
    yield name
    with contextlib.suppress(AssertionError):
        api("DELETE", f"vhosts/{name}")


def console(
    size: tuple[int, int] = WIDE, kubeconfig: str = KUBECONFIG, until: str = CONNECTED
) -> AbstractAsyncContextManager[Program]:
    """The broker's console."""
    return opened(WORKLOAD, "m", until, size=size, kubeconfig=kubeconfig)


async def narrow(program: Program, vhost: str) -> None:
    """Shows only the queues of a virtual host."""
    program.type("/")
    await program.until(r"name, ~pattern")
    program.type(f"vhost:{vhost}")
    await program.until(rf"vhost:{vhost}")
    program.type(ENTER)
    await program.until(rf" /vhost:{vhost}")  # it is told so once the list has the keys


async def declare(program: Program, vhost: str, name: str, kind: str) -> None:
    """Declares a queue by its form."""
    program.type("n")
    await program.until("New queue")
    program.type(name)
    await program.until(rf"name +{name}")
    for value in (vhost, kind):
        program.type(TAB)
        await asyncio.sleep(0.3)
        program.type("\x05" + "\x7f" * 30)  # to the end, and all of it away
        program.type(value)
        await program.until(rf" {value}")
    program.type(F5)
    await program.until(rf"▌{name} ")


@pytest.mark.parametrize("size", [WIDE, SMALL], ids=["140x40", "80x24"])
async def test_the_chapters_steps_by_keyboard_alone(size: tuple[int, int], vhost: str) -> None:
    async with console(size) as program:
        await program.until(r"RabbitMQ 4\.0\.5")
        assert re.search(r"as user|  user", program.text)

        program.type("2")
        for at in range(3):
            await program.until(rf"rabbitmq-{at} +● yes +\S+ +\d+Mi/\d+\S*i")
        if size == WIDE:
            await program.until(r"data-rabbitmq-0 ")
        assert re.search(r"rabbitmq-0 .* (\d+[hdm] ?)+", program.text), "uptime"

        program.type("1")
        await program.until(r"READY +UNACK")
        await narrow(program, vhost)
        await program.until(r"nothing matches")

        await declare(program, vhost, "orders", "quorum")
        told = api("GET", f"queues/{vhost}/orders")
        assert (told["type"], told["durable"]) == ("quorum", True)

        program.type("p")
        await program.until(rf"Publish in {vhost}")
        await program.until(r"routing key +orders")
        program.type(TAB + TAB)
        await asyncio.sleep(0.3)
        program.type("Hello from the chapter")
        await program.until(r"payload +Hello from the chapter")
        program.type(F5)
        await program.until(r"✓ publish 1 message to orders: 1 message published")

        program.type(ENTER)
        await program.until(r"orders +quorum +1 message, 1 unacknowledged with us")
        await program.until(r"Hello from the chapter")
        program.type("a")
        await program.until(r"acknowledges 1 message of orders: they are gone")
        program.type("y")
        await program.until(r"0 unacknowledged with us")
        await back(program, r"READY +UNACK")
        # The statistics come every five seconds.
        await program.until(r"▌orders +.*quorum +.* 0 +0 ", 60)

        program.type("D")
        await program.until(r"deletes queue orders of virtual host")
        program.type("y")
        await program.until(r"nothing matches")
        assert [one["name"] for one in api("GET", f"queues/{vhost}")] == []
    assert password() not in program.raw.decode(errors="replace")


async def test_what_one_looks_at_goes_back_when_one_leaves(vhost: str) -> None:
    api("PUT", f"queues/{vhost}/kept", {"durable": True, "arguments": {"x-queue-type": "classic"}})
    for number in range(3):
        body = {"properties": {}, "routing_key": "kept", "payload": f"message {number}", "payload_encoding": "string"}
        assert api("POST", f"exchanges/{vhost}/amq.default/publish", body) == {"routed": True}
    async with console() as program:
        await narrow(program, vhost)
        await program.until(r"▌kept ")
        program.type(ENTER)
        await program.until(r"3 messages, 3 unacknowledged with us(?s:.*)message 0(?s:.*)message 2")
        await back(program, r"READY +UNACK")
    # The list is there at once, and nobody waits for the broker to have them back. What was got once is redelivered
    # ever after, so it is the first time that counts.
    again: dict[str, bool] = {}

    def back_again() -> bool:
        got = api("POST", f"queues/{vhost}/kept/get", {"count": 5, "ackmode": "ack_requeue_true", "encoding": "auto"})
        for one in got:
            again.setdefault(one["payload"], one["redelivered"])
        return [one["payload"] for one in got] == [f"message {number}" for number in range(3)]

    await eventually(back_again)
    assert again == {f"message {number}": True for number in range(3)}


async def test_a_thousand_are_published_and_moved_and_copied_none_is_lost(vhost: str) -> None:
    for name in ("from", "to"):
        api("PUT", f"queues/{vhost}/{name}", {"durable": True, "arguments": {"x-queue-type": "quorum"}})
    async with console() as program:
        await narrow(program, vhost)
        await program.until(r"▌from ")
        program.type("p")
        await program.until(r"routing key +from")
        program.type(TAB + TAB)
        await asyncio.sleep(0.3)
        program.type('{"n": {n}}')
        await program.until(r'payload +\{"n": \{n\}\}')
        for _ in range(5):
            program.type(TAB)
        await asyncio.sleep(0.3)
        program.type("\x7f1000")
        await program.until(r"how many +1000")
        program.type(F5)
        await program.until(r"1,000 messages published", 120)
        await program.until(r"▌from .* 1,000 ", 60)
        program.type("m")
        await program.until(r"Move messages of from")
        program.type(TAB)
        await asyncio.sleep(0.3)
        program.type("to")
        await program.until(r"to queue, key +to")
        program.type(F5)
        await program.until(r"moves 1,000 messages from from to to")
        program.type("y")
        await program.until(r"1,000 messages moved", 120)
    got = api("POST", f"queues/{vhost}/to/get", {"count": 2000, "ackmode": "ack_requeue_false", "encoding": "auto"})
    assert [json.loads(one["payload"])["n"] for one in got] == list(range(1, 1001))
    left = api("POST", f"queues/{vhost}/from/get", {"count": 10, "ackmode": "ack_requeue_true", "encoding": "auto"})
    assert left == []


async def test_one_may_not_read_the_secret_and_is_told_which_and_which_right() -> None:
    async with console(SMALL, other("viewer"), until=r"Login to rabbitmq") as program:
        await program.until(r"│  user .*│\n.*│  password .*│(?s:.*)esc back")
        told = " ".join(program.text.replace("│", " ").split())
        assert "Secret stateful/rabbitmq, key rabbitmq-password: forbidden" in told
        assert re.search(r"get secrets/[^.]*rabbitmq[^.]* in namespace stateful", told)
