"""Brokers that have only a part: no management plugin, no AMQP and no statistics, TLS alone. Each is the tests' own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from queue_pods import F5, Brokers, certificate, find, start, wait
from real import KUBECONFIG
from sql_pods import own

from tests.live.consoles import ENTER, TAB, back, opened

pytestmark = [
    pytest.mark.live,
    pytest.mark.usefixtures("own_terminal"),
    pytest.mark.timeout(600),
    pytest.mark.skipif(not KUBECONFIG, reason="needs STATETUI_TEST_KUBECONFIG"),
]


@pytest.fixture(scope="module")
def namespace() -> Iterator[str]:
    """`bare` has no management plugin, `mute` neither AMQP nor statistics, `sealed` no port without TLS, and `strict`
    lets nobody in who does not show a certificate.
    """
    with own(f"statetui-test-shapes-{os.getpid()}") as name:
        start(name, "bare", plugins=())
        start(name, "mute", "listeners.tcp = none", "management_agent.disable_metrics_collector = true")
        files = certificate(f"sealed.{name}.svc", f"*.sealed.{name}.svc.cluster.local")
        parts = (("certfile", "tls.crt"), ("keyfile", "tls.key"), ("cacertfile", "ca.crt"))
        options = [f"{of}.{key} = /files/{file}" for of in ("ssl_options", "management.ssl") for key, file in parts]
        start(name, "sealed", "listeners.tcp = none", "listeners.ssl.default = 5671", "management.ssl.port = 15671",
              *options, files=files)  # fmt: skip
        options += [f"{of}.{key}" for of in ("ssl_options", "management.ssl")
                    for key in ("verify = verify_peer", "fail_if_no_peer_cert = true")]  # fmt: skip
        start(name, "strict", "listeners.tcp = none", "listeners.ssl.default = 5671", "management.ssl.port = 15671",
              *options, files=certificate(f"strict.{name}.svc", f"*.strict.{name}.svc.cluster.local"))  # fmt: skip
        wait(name, "bare", "mute", "sealed", "strict")
        yield name


def test_commands_do_without_the_management_api_and_say_so(namespace: str) -> None:
    bare = Brokers(namespace, "bare")
    said = bare.told("declare", "queue", "orders", "--type", "quorum", code=0)
    assert "over AMQP alone (Port 15672 of pod bare-0 refuses connections" in said
    assert "by names and without patterns" in said
    said = bare.told("declare", "queue", "orders", "--type", "quorum", "--argument", "delivery-limit=9", code=1)
    assert "inequivalent arg 'x-delivery-limit'" in said and "received" in said and "current is none" in said
    bare.lines("declare", "exchange", "shop", "--type", "topic")
    bare.lines("bind", "shop", "orders", "--routing-key", "order.#")
    bare.lines("bind", "shop", "orders", "--routing-key", "never")
    (told,) = bare.lines("unbind", "shop", "orders", "--routing-key", "never")
    assert (told["status"], told["note"]) == ("unbound", "whether it was there is not told")
    assert "no exchange 'nix'" in bare.told("unbind", "nix", "orders", code=1)
    bare.lines("publish", "--exchange", "shop", "--routing-key", "order.new", "hello")
    assert [one["payload"] for one in bare.lines("get", "orders")] == ["hello"]
    assert bare.lines("purge", "orders", "--yes") == [
        {"status": "purged", "name": "orders", "note": "1 messages that are ready"}
    ]
    assert bare.lines("get", "orders") == []
    done = bare.command("delete", "queue", "orders", "nix", "--yes")
    assert done.returncode == 5 and "no queue 'nix' in vhost '/'" in done.stderr
    bare.lines("delete", "exchange", "shop", "--yes")
    refused = bare.command("declare", "queue", "no", before=("--read-only",))
    assert refused.returncode == 4 and "queue.declare no was not sent" in refused.stderr
    for words, needs in (
        (("delete", "queue", "*", "--yes"), "`delete` with a pattern"), (("purge", "o*"), "`purge` with a pattern"),
        (("ls",), "`ls queues`"), (("declare", "vhost", "v"), "`declare vhost`"),
    ):  # fmt: skip
        said = bare.told(*words, code=3)
        assert f"{needs} needs the management API: Port 15672 of pod bare-0 refuses connections" in said
        assert "`rabbitmq-plugins enable rabbitmq_management`" in said


async def test_the_console_without_the_management_api(namespace: str) -> None:
    async with Brokers(namespace, "bare").console() as program:
        await program.until(r"without the management API \(Port 15672 of pod bare-0 refuses connections")
        program.type("n")
        await program.until("New queue")
        program.type("by-name")
        await program.until(r"name +by-name")
        program.type("\x1b[15~")
        await program.until(r"Queue by-name declared")
    assert Brokers(namespace, "bare").lines("get", "by-name") == []  # it is there: no 404


async def test_without_amqp_and_statistics_lists_stand_and_say_what_is_not_known(namespace: str) -> None:
    mute = Brokers(namespace, "mute")
    mute.fill("counted", 2)
    said = mute.told("publish", "--queue", "counted", "x", code=3)
    assert "Port 5672 of pod mute-0 refuses connections" in said
    (one,) = mute.lines("ls", "counted")
    assert (one["messages"], one["message_stats"], one["memory"]) == (2, None, None)
    assert "no statistics" in mute.told("nodes", code=0)
    async with mute.console() as program:
        await program.until(r"without AMQP \(Port 5672 of pod mute-0 refuses connections")
        await program.until(r"▌counted .* 2 +0 +2 +\? ·* +\? ")
        program.type("i")
        await program.until(r"memory +\?")


def test_tls_is_verified_and_messages_go_from_one_broker_to_another(namespace: str) -> None:
    bare, sealed = Brokers(namespace, "bare"), Brokers(namespace, "sealed")
    for one in (bare, sealed):
        one.lines("declare", "queue", "orders")
    bare.lines("publish", "--queue", "orders", "--template", "--count", "50", "n {n}")
    away = ("orders", "orders", "--to-workload", "sealed")
    assert "would move 50 messages from orders to orders of sealed" in bare.told("move", *away, "--dry-run", code=0)
    assert "50 copied to orders of sealed" in bare.told("copy", *away, "--yes", code=0)
    assert "50 moved to orders of sealed" in bare.told("move", *away, "--yes", code=0)
    assert bare.lines("get", "orders") == []
    found = [one["payload"] for one in sealed.lines("get", "orders", "--count", "200")]
    assert found == [f"n {n}" for n in range(1, 51)] * 2
    assert "is both source and target" in bare.told("move", *away[:3], "bare", "--yes", code=2)


async def test_a_clients_certificate_is_shown_where_the_broker_wants_one(namespace: str) -> None:
    strict = Brokers(namespace, "strict")
    for words in (("ls",), ("publish", "--queue", "orders", "x")):
        said = strict.told(*words, code=1)
        assert "strict-0 wants a client's certificate" in said and "--cert and --key show one" in said
    shown = ("--cert", "secret/strict-certs")
    strict.lines(*shown, "declare", "queue", "orders")
    strict.lines(*shown, "publish", "--queue", "orders", "hello")
    assert [one["payload"] for one in strict.lines(*shown, "get", "orders")] == ["hello"]
    assert "Secret " in strict.told("--cert", "secret/none", "ls", code=3)
    async with opened("strict", "m", r"wants a client's certificate", namespace=namespace) as program:
        program.type("\x1bOQ")  # f2
        await program.until(r"Show a client's certificate")
        program.type("certificate" + ENTER)
        await program.until(r"Client's certificate of user")
        program.type("secret/strict-certs")
        await program.until(r"certificate +secret/strict-certs")
        program.type(ENTER)
        await program.until(r"RabbitMQ 4\.0\.5 .* TLS  ")
        await program.until(r"▌orders ")


async def test_the_console_moves_to_another_broker_and_is_told_what_is_not_there(namespace: str) -> None:
    bare, sealed = Brokers(namespace, "bare"), Brokers(namespace, "sealed")
    bare.lines("declare", "queue", "arrivals")
    sealed.lines("declare", "queue", "leaving")
    sealed.lines("publish", "--queue", "leaving", "--template", "--count", "50", "n {n}")
    async with sealed.console() as program:
        await find(program, "leaving")
        for queue, said in (("nowhere", r"no queue 'nowhere' in vhost '/'"), ("arrivals", r"to arrivals of bare")):
            program.type("m")
            await program.until(r"Move messages of leaving")
            program.type(TAB)
            await program.until(r"The queue, or the key that they get")
            program.type(queue)
            await program.until(rf"to queue, key +{queue}")
            program.type(TAB + TAB)
            await program.until(r"Another broker is reached with its own login")
            program.type("\x7f" * len("sealed") + "bare")
            await program.until(r"of workload +bare")
            program.type(F5)
            await program.until(said)
            if queue == "nowhere":
                await program.until(r"Nothing was moved to nowhere of bare")
                await back(program, r"▌leaving ")
        program.type("y")
        await program.until(r"50 messages moved to arrivals of bare", 120)
    assert sealed.lines("get", "leaving") == []
    found = [one["payload"] for one in bare.lines("get", "arrivals", "--count", "200")]
    assert found == [f"n {n}" for n in range(1, 51)]


async def test_the_head_says_that_tls_is_verified(namespace: str, tmp_path: Path) -> None:
    async with Brokers(namespace, "sealed").console() as program:
        await program.until(r"RabbitMQ 4\.0\.5 .* TLS  ")
        assert "not verified" not in program.text
