"""The chapter's queue by keyboard alone, in front of the three RabbitMQ nodes of the real cluster."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import re
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.contract.clusters import KUBECONFIG

sys.path.append(str(Path(__file__).parents[1] / "tui"))
from process import Program

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]

WORKLOAD, NAMESPACE = "rabbitmq", "stateful"
WIDE, SMALL = (140, 40), (80, 24)
ENTER, ESCAPE, TAB, F5 = "\r", "\x1b", "\t", "\x1b[15~"


def kubectl(*arguments: str) -> str:
    """What kubectl prints."""
    command = ["kubectl", f"--kubeconfig={KUBECONFIG}", "-n", NAMESPACE, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def password() -> str:
    return base64.b64decode(kubectl("get", "secret", WORKLOAD, "-o", "jsonpath={.data.rabbitmq-password}")).decode()


def api(method: str, path: str, body: Any = None) -> Any:
    """Asks a node's management API from inside its pod."""
    more = ["-d", json.dumps(body)] if body is not None else []
    told = kubectl("exec", f"{WORKLOAD}-0", "--", "curl", "-s", "-u", f"user:{password()}", "-X", method,
                   "-H", "Content-Type: application/json", f"http://localhost:15672/api/{path}", *more)  # fmt: skip
    return json.loads(told) if told.strip() else None


@pytest.fixture(autouse=True)
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONFIG", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    for name in ("NO_COLOR", "TEXTUAL_COLOR_SYSTEM", "TEXTUAL_THEME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in (("TERM", "xterm-256color"), ("COLORTERM", "truecolor"), ("LC_ALL", "C.UTF-8")):
        monkeypatch.setenv(name, value)


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


@asynccontextmanager
async def console(
    size: tuple[int, int] = WIDE, kubeconfig: str = KUBECONFIG, until: str = r"● (connected since )?\d\d:\d\d:\d\d"
) -> AsyncIterator[Program]:
    """A console, opened from the overview by its keys."""
    async with Program("-n", NAMESPACE, "--layout", "table", kubeconfig=kubeconfig, size=size) as program:
        await program.until(r"● live")
        program.type("/")
        await program.until("/ words, all of them")
        program.type(WORKLOAD)
        await program.until(lambda text: re.search(rf"● +{WORKLOAD} ", text.splitlines()[2]))
        program.type(ENTER)
        await program.until(lambda text: "/ words" not in text)
        program.type("m")
        await program.until(until)
        yield program


async def back(program: Program, until: str) -> None:
    program.type(ESCAPE)
    await asyncio.sleep(0.3)  # the next key would make a sequence of it
    await program.until(until)


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
        program.type("/")
        await program.until(r"name, ~pattern")
        program.type(f"vhost:{vhost}")
        await program.until(rf"vhost:{vhost}")
        program.type(ENTER)
        await program.until(rf" /vhost:{vhost}")  # it is told so once the list has the keys
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
        program.type("/")
        await program.until(r"name, ~pattern")
        program.type(f"vhost:{vhost}")
        await program.until(rf"vhost:{vhost}")
        program.type(ENTER)
        await program.until(rf" /vhost:{vhost}")  # it is told so once the list has the keys
        await program.until(r"▌kept ")
        program.type(ENTER)
        await program.until(r"3 messages, 3 unacknowledged with us(?s:.*)message 0(?s:.*)message 2")
        await back(program, r"READY +UNACK")
    got = api("POST", f"queues/{vhost}/kept/get", {"count": 5, "ackmode": "ack_requeue_true", "encoding": "auto"})
    assert [(one["payload"], one["redelivered"]) for one in got] == [(f"message {number}", True) for number in range(3)]


async def test_a_thousand_are_published_and_moved_and_copied_none_is_lost(vhost: str) -> None:
    for name in ("from", "to"):
        api("PUT", f"queues/{vhost}/{name}", {"durable": True, "arguments": {"x-queue-type": "quorum"}})
    async with console() as program:
        program.type("/")
        await program.until(r"name, ~pattern")
        program.type(f"vhost:{vhost}")
        await program.until(rf"vhost:{vhost}")
        program.type(ENTER)
        await program.until(rf" /vhost:{vhost}")  # it is told so once the list has the keys
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
    viewer = Path(KUBECONFIG).with_name("viewer.conf")
    if not viewer.exists():
        pytest.skip("this cluster has no user viewer")
    async with console(SMALL, str(viewer), until=r"Login to rabbitmq") as program:
        await program.until(r"│  user .*│\n.*│  password .*│(?s:.*)esc back")
        told = " ".join(program.text.replace("│", " ").split())
        assert "Secret stateful/rabbitmq, key rabbitmq-password: forbidden" in told
        assert re.search(r"get secrets/[^.]*rabbitmq[^.]* in namespace stateful", told)
