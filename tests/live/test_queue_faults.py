"""What goes wrong with a broker of three nodes, by keyboard and by command; the nodes are the tests' own."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from queue_pods import F5, Brokers, eventually, find, so, start, wait
from sql_pods import own

from tests.live.consoles import ENTER, TAB
from tests.live.real import KUBECONFIG, kubectl

pytestmark = [
    pytest.mark.live,
    pytest.mark.usefixtures("own_terminal"),
    pytest.mark.timeout(600),
    pytest.mark.skipif(not KUBECONFIG, reason="needs STATETUI_TEST_KUBECONFIG"),
]


@pytest.fixture(scope="module")
def brokers() -> Iterator[Brokers]:
    with own(f"statetui-test-hares-{os.getpid()}") as namespace:
        start(namespace, "hares", replicas=3)
        wait(namespace, "hares")
        yield Brokers(namespace, "hares")


def well(brokers: Brokers) -> bool:
    """Whether all nodes run, without an alarm, and their pods are ready."""
    try:
        nodes = brokers.api("GET", "nodes")
    except AssertionError:  # the first one is not up again
        return False
    ready = kubectl("-n", brokers.namespace, "get", "statefulset", brokers.name, "-o=jsonpath={.status.readyReplicas}")
    alarms = [one for one in nodes if one.get("mem_alarm") or one.get("disk_free_alarm")]
    return len(nodes) == 3 and all(one["running"] for one in nodes) and not alarms and ready == "3"


@pytest.fixture(autouse=True)
def whole(brokers: Brokers) -> None:
    """Whatever the test before has broken is well again."""
    so(lambda: well(brokers), 240)


def memory(brokers: Brokers, watermark: str) -> None:
    """Sets it on all nodes."""
    brokers.on(range(3), "vm_memory_monitor", "set_vm_memory_high_watermark", f"[{watermark}]")


def disk(brokers: Brokers, limit: int) -> None:
    """Sets how many bytes must be free on the second node."""
    brokers.on([1], "rabbit_disk_monitor", "set_disk_free_limit", f"[{limit}]")


async def test_a_memory_alarm_on_all_nodes_is_shown_and_the_publication_waits_and_is_given_up(brokers: Brokers) -> None:
    """None of the pods is ready then, and the console is wanted most."""
    brokers.fill("alarmed", 0)
    try:
        memory(brokers, "{absolute, 1000000}")
        await eventually(lambda: "readyReplicas" not in kubectl(
            "-n", brokers.namespace, "get", "statefulset", brokers.name, "-o=jsonpath={.status}"))  # fmt: skip
        async with brokers.console() as program:
            await program.until(r"⚠ memory alarm on hares-0, hares-1, hares-2: publishers wait")
            program.type("2")
            for at in range(3):
                await program.until(rf"hares-{at} +● yes .*ALARM")
            program.type("1")
            await find(program, "alarmed")
            program.type("p")
            await program.until(r"routing key +alarmed")
            program.type(TAB + TAB)
            await asyncio.sleep(0.3)
            program.type("waits")
            await program.until(r"payload +waits")
            program.type(F5)
            await program.until(r"publish 1 message to alarmed.*⚠ blocked: low on memory")
            program.type("X")
            await program.until(r"given up, 0 published")
            memory(brokers, "0.6")
            await program.until(lambda text: "alarm on" not in text)
    finally:
        memory(brokers, "0.6")


def test_a_disk_alarm_is_told_to_a_command_that_waits_and_ctrl_c_ends_it(brokers: Brokers) -> None:
    brokers.fill("full", 0)
    command = [sys.executable, "-m", "tui", "--kubeconfig", KUBECONFIG, "queue", "-n", brokers.namespace, "hares",
               "publish", "--queue", "full", "waits"]  # fmt: skip
    told = "statetui: waiting: the broker takes no messages: low on disk (Ctrl-C gives up)\n"
    try:
        disk(brokers, 10**18)
        so(lambda: any(one["disk_free_alarm"] for one in brokers.api("GET", "nodes")))
        troubles = {one["pod"]: one["trouble"] for one in brokers.lines("nodes", code=1)}
        assert troubles == {"hares-0": "", "hares-1": "disk alarm: publishers are blocked", "hares-2": ""}
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as waiting:
            assert waiting.stderr is not None
            assert waiting.stderr.readline() == told
            waiting.send_signal(signal.SIGINT)
            assert waiting.wait(60) == 130
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as goes_on:
            assert goes_on.stderr is not None
            assert goes_on.stderr.readline() == told
            disk(brokers, 50_000_000)
            assert goes_on.wait(60) == 0
            assert "1 taken" in goes_on.stderr.read()
    finally:
        disk(brokers, 50_000_000)


async def test_a_pod_goes_with_messages_that_a_look_holds_and_they_return(brokers: Brokers) -> None:
    brokers.fill("held", 3, **{"x-queue-type": "quorum"})
    async with brokers.console() as program:
        pod = re.search(r"on (hares-\d)", program.text)
        assert pod is not None
        await find(program, "held")
        program.type(ENTER)
        await program.until(r"3 messages, 3 unacknowledged with us(?s:.*)message 0(?s:.*)message 2")
        others = {"hares-0", "hares-1", "hares-2"} - {pod[1]}
        at = int(min(others)[-1])
        kubectl("-n", brokers.namespace, "delete", "pod", pod[1], "--grace-period=0", "--force", "--wait=false")
        await program.until(r"3 messages, 0 unacknowledged with us")
        await program.until(r"✗ 3 unacknowledged messages went back to held: ")
        get = {"count": 5, "ackmode": "ack_requeue_true", "encoding": "auto"}

        def returned() -> list[dict[str, Any]]:  # an error, as long as the queue has no leader
            told = brokers.api("POST", "queues/%2F/held/get", get, at=at)
            return told if isinstance(told, list) and len(told) == 3 else []

        back = await eventually(returned)
        assert sorted((one["payload"], one["redelivered"]) for one in back) == [
            (f"message {number}", True) for number in range(3)
        ]
        program.type("\x1b")
        await program.until(r"READY +UNACK")
        # The console goes on by itself, over another node.
        await program.until(r"● connected since")
        program.type("2")
        await program.until(rf"{pod[1]} +✗ no")
        await program.until(rf"{pod[1]} +● yes", 120)


async def test_a_majority_that_is_gone_is_told_and_what_stands_is_critical(brokers: Brokers) -> None:
    brokers.fill("many", 1, **{"x-queue-type": "quorum"})
    try:
        brokers.on([2], "rabbit", "stop", "[]")
        await eventually(lambda: {one["pod"]: one["quorum_critical"] for one in brokers.lines("nodes", code=1)}
                         == {"hares-0": True, "hares-1": True, "hares-2": None})  # fmt: skip
        brokers.on([1], "rabbit", "stop", "[]")
        await eventually(lambda: [one["name"] for one in brokers.lines("ls", "--is", "minority", "many")] == ["many"])
        async with brokers.console() as program:
            await program.until(r"✗ hares-1, hares-2 not running")
            program.type("/")
            await program.until(r"name, ~pattern")
            program.type("many is:minority" + ENTER)
            await program.until(r"▌many .* 1/3 minority")
            program.type("2")
            await program.until(r"hares-0 +● yes .*quorum-cr")
    finally:
        brokers.on([1, 2], "rabbit", "start", "[]")
    await eventually(lambda: not brokers.lines("ls", "--is", "minority", "many"))


async def test_a_connection_that_an_operator_closes_says_his_reason(brokers: Brokers) -> None:
    brokers.fill("closed", 2)
    async with brokers.console() as program:
        await find(program, "closed")
        program.type(ENTER)
        await program.until(r"2 messages, 2 unacknowledged with us")
        own_one = await eventually(lambda: [one["name"] for one in brokers.api("GET", "connections")
                                            if one.get("user_provided_name") == "statetui"])  # fmt: skip
        for name in own_one:
            brokers.told("close", name, "--reason", "mind the gap", "--yes", code=0)
        await program.until(r"✗ 2 unacknowledged messages went back to closed: CONNECTION_FORCED - mind the gap")
        program.type("\x1b")
        await program.until(r"READY +UNACK")
        program.type(ENTER)  # another connection
        await program.until(r"2 messages, 2 unacknowledged with us")


async def test_a_queue_is_deleted_while_it_is_looked_at_and_followed(brokers: Brokers) -> None:
    brokers.fill("gone", 1)
    brokers.fill("flow", 1, **{"x-queue-type": "stream"})
    async with brokers.console() as program:
        await find(program, "gone")
        program.type(ENTER)
        await program.until(r"1 message, 1 unacknowledged with us")
        brokers.api("DELETE", "queues/%2F/gone")
        program.type("a")
        await program.until(r"acknowledges 1 message of gone")
        program.type("y")
        await program.until(r"0 unacknowledged with us")
        program.type("+")
        await program.until(r"no queue 'gone'")
        program.type("\x1b")
        await program.until(r"0 unacknowledged with us")
        await asyncio.sleep(0.3)
        program.type("\x1b")
        await program.until(r"READY +UNACK")
        await asyncio.sleep(0.3)
        program.type("\x1b")  # the filter
        await program.until(lambda text: " /gone" not in text)
        await find(program, "flow")
        program.type("t")
        await program.until(r"tail of queue flow")
        await eventually(lambda: brokers.api("GET", "queues/%2F/flow").get("consumer_details"))
        brokers.api("DELETE", "queues/%2F/flow")
        await program.until(r"✗ There is nothing more to listen to: .*its queue was deleted")


async def test_a_declaration_with_other_arguments_shows_both(brokers: Brokers) -> None:
    brokers.fill("there", 0, **{"x-queue-type": "classic", "x-max-length": 7})
    async with brokers.console() as program:
        program.type("n")
        await program.until("New queue")
        program.type("there")
        await program.until(r"name +there")
        program.type(TAB + TAB)
        await asyncio.sleep(0.3)
        program.type("\x05" + "\x7f" * 20 + "classic")
        await program.until(r"type +classic")
        program.type(F5)
        await program.until(lambda text: re.search(
            r"inequivalent arg 'x-max-length' .* received none but current is the value '7'",
            " ".join(re.sub("[│ ]+", " ", text).split()),
        ))  # fmt: skip


def test_users_are_made_and_may_what_they_may(brokers: Brokers, tmp_path: Path) -> None:
    secret, other = tmp_path / "secret", tmp_path / "other"
    secret.write_text("pass-1\nnot this\n")
    other.write_text("wrong\n")
    brokers.fill("theirs", 1)
    brokers.lines("declare", "vhost", "closed")
    brokers.lines("declare", "user", "ann", "--password-from", str(secret), "--tags", "management")
    brokers.lines("declare", "permission", "ann", "--configure", "", "--write", "", "--read", "^theirs$")
    brokers.lines("declare", "user", "ann", "--tags", "management,monitoring")  # the password stays
    ann = ("--user", "ann", "--password-file", str(secret))
    assert [one["tags"] for one in brokers.lines("ls", "users", "ann")] == [["management", "monitoring"]]
    assert [one["payload"] for one in brokers.lines(*ann, "get", "theirs")] == ["message 0"]
    assert "access to queue 'other' in vhost '/' refused" in brokers.told(*ann, "get", "other", code=4)
    assert "ann" in brokers.told(*ann, "ls", "--vhost", "closed", code=4)
    assert "refused for user 'ann'" in brokers.told(*ann, "get", "--vhost", "closed", "theirs", code=1)
    assert "does not let ann in" in brokers.told("--user", "ann", "--password-file", str(other), "ls", code=3)
    brokers.lines("delete", "permission", "ann", "--yes")
    assert "refused for user 'ann'" in brokers.told(*ann, "get", "theirs", code=1)
    brokers.lines("delete", "user", "ann", "--yes")
    brokers.lines("delete", "vhost", "closed", "--yes")
    assert not brokers.lines("ls", "users", "ann")


async def test_people_by_keyboard(brokers: Brokers) -> None:
    async with brokers.console() as program:
        program.type("7")
        await program.until(r"DEFAULT QUEUE TYPE")
        program.type("n")
        await program.until(r"New virtual host")
        program.type("shop" + TAB)
        await program.until(r"name +shop")
        program.type("quorum")
        await program.until(r"queues are +quorum")
        program.type(ENTER)
        await program.until(r"▌shop .*quorum")
        program.type("8")
        await program.until(r"MAY: CONFIGURE")
        program.type("n")
        await program.until(r"│ +password ")
        program.type("\x05" + "\x7f" * 10 + "bob" + TAB)
        await program.until(r"name +bob")
        program.type("hidden-1" + TAB)
        await program.until(r"password +•••")
        program.type("\x05" + "\x7f" * 20 + "management")
        await program.until(r"tags +management")
        program.type(ENTER)
        await program.until(r"▌bob +management +nothing anywhere")
        program.type("x")
        await program.until(r"Say what he may")
        program.type("\x1b[B" + ENTER)
        await program.until(r"What bob may")
        program.type("\x05" + "\x7f" * 10 + "shop")
        await program.until(r"vhost +shop")
        program.type(ENTER)
        await program.until(r"▌bob +management +shop: \.\* · \.\* · \.\*")
        assert "hidden-1" not in program.raw.decode(errors="replace")
        who = {one["user"] for one in brokers.api("GET", "vhosts/shop/permissions")}
        assert who == {"bob", "user"}
        program.type("D")
        await program.until(r"deletes user bob")
        program.type("y")
        await program.until(lambda text: "▌bob" not in text and "MAY: CONFIGURE" in text)
        program.type("7")
        await program.until(r"DEFAULT QUEUE TYPE")
        program.type("/shop" + ENTER)
        await program.until(r"▌shop")
        program.type("D")
        await program.until(r"deletes virtual host shop with 0 queues")
        program.type("shop")
        await asyncio.sleep(0.3)
        program.type(ENTER)
        await program.until(lambda text: "▌shop" not in text)
    assert [one["name"] for one in brokers.api("GET", "vhosts")] == ["/"]
