"""Definitions compared, secrets left out, arguments held against types, and the way of messages as a graph."""

from __future__ import annotations

import pytest

from tui.problem import ProblemError
from tui.services.queue import arguments, definitions
from tui.services.queue.definitions import Change, differences, without_secrets
from tui.services.queue.facts import Binding, Exchange, Queue
from tui.services.queue.graph import Graph, Spot, What, Why
from tui.services.queue.model import Kind
from tui.services.queue.transport import thing

HERE = {
    "users": [{"name": "u", "password_hash": "h", "hashing_algorithm": "a", "tags": ["administrator"]}],
    "vhosts": [{"name": "/"}],
    "queues": [
        {"name": "a", "vhost": "/", "durable": True, "arguments": {}},
        {"name": "b", "vhost": "/", "durable": True, "arguments": {"x-queue-type": "classic"}},
        {"name": "c", "vhost": "/", "durable": True, "arguments": {"x-max-length": 1}},
        {"name": "z", "vhost": "/", "durable": True, "arguments": {}},
    ],
    "policies": [{"name": "p", "vhost": "/", "pattern": "^a", "definition": {"max-length": 1}, "priority": 0}],
    "bindings": [{"source": "x", "vhost": "/", "destination": "a", "destination_type": "queue", "routing_key": "k",
                  "arguments": {}}],
    "parameters": [
        {"vhost": "/", "component": "shovel", "name": "s", "value": {"src-uri": "amqp://me:secret@there"}},
        {"vhost": "/", "component": "federation", "name": "f", "value": {"uri": ["amqp://there"]}},
    ],
}  # fmt: skip


def test_a_difference_tells_what_an_import_does():
    wanted = {
        "queues": [
            {"name": "b", "vhost": "/", "durable": True, "arguments": {}},
            {"name": "c", "vhost": "/", "durable": True, "arguments": {"x-max-length": 2}},
            {"name": "n", "vhost": "/", "durable": True, "arguments": {}},
        ],
        "policies": [{"name": "p", "vhost": "/", "pattern": "^a", "definition": {"max-length": 2}}],
        "bindings": [{"source": "x", "vhost": "/", "destination": "a", "routing_key": "other"}],
    }
    found = {(one.part, one.name): one for one in differences(HERE, wanted)}
    assert {key: one.change for key, one in found.items()} == {
        ("queues", "/: b"): Change.SAME, ("queues", "/: c"): Change.REFUSED, ("queues", "/: n"): Change.ADDED,
        ("queues", "/: a"): Change.HERE, ("queues", "/: z"): Change.HERE, ("policies", "/: p"): Change.CHANGED,
        ("bindings", "/: x → queue a (other)"): Change.ADDED, ("bindings", "/: x → queue a (k)"): Change.HERE,
    }  # fmt: skip
    assert found["policies", "/: p"].fields == (("definition", '{"max-length":1}', '{"max-length":2}'),)


def test_hashes_are_never_told_in_a_difference():
    wanted = {"users": [{"name": "u", "password_hash": "another", "tags": ["administrator"]}]}
    (found,) = differences(HERE, wanted)
    assert found.change is Change.CHANGED
    assert found.fields == (("password_hash", "(hidden)", "(hidden)"),)


def test_a_document_of_one_virtual_host_does_not_name_it():
    here = {"queues": [{"name": "a", "durable": True, "arguments": {}}]}
    wanted = {"queues": [{"name": "a", "vhost": "v", "arguments": {}}]}
    assert [one.change for one in differences(here, wanted, "v")] == [Change.SAME]


def test_nothing_that_gives_something_away_is_exported():
    found = without_secrets(HERE)
    assert found["users"] == [{"name": "u", "tags": ["administrator"]}]
    assert [one["name"] for one in found["parameters"]] == ["f"]
    assert "secret" not in str(found)
    assert HERE["users"][0]["password_hash"] == "h", "the original stays as it is"


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"queues": {}}', b'{"queues": [1]}', b"<html>", b'"\xff"'])
def test_what_is_no_document(content):
    with pytest.raises(ProblemError, match=r"f\.json holds no definitions"):
        definitions.read(content, "f.json")


@pytest.mark.parametrize(
    ("kind", "typed", "wrong"),
    [
        (Kind.QUORUM, {"x-delivery-limit": "x"}, "no whole number"),
        (Kind.QUORUM, {"x-delivery-limit": "-2"}, "below -1"),
        (Kind.CLASSIC, {"x-max-priority": "256"}, "above 255"),
        (Kind.STREAM, {"x-max-age": "7 days"}, "no age"),
        (Kind.CLASSIC, {"x-overflow": "explode"}, "none of drop-head"),
        (Kind.CLASSIC, {"x-dead-letter-routing-key": "k"}, "needs an exchange"),
        (Kind.CLASSIC, {"x-max-length": str(2**63)}, "64 bits"),
    ],
)
def test_arguments_that_cannot_be(kind, typed, wrong):
    with pytest.raises(ProblemError, match=wrong):
        arguments.read(kind, typed)


def test_arguments_that_can():
    typed = {
        "x-delivery-limit": "-1",
        "x-dead-letter-exchange": "(default)",
        "x-max-age": "7D",
        "x-max-length": "1,000",
    }
    assert arguments.read(Kind.QUORUM, typed) == {
        "x-delivery-limit": -1, "x-dead-letter-exchange": "", "x-max-length": 1000,
    }  # fmt: skip


def test_the_way_of_messages_goes_on_to_dead_letters_and_ends_in_circles():
    exchanges = [
        Exchange("x", arguments={"alternate-exchange": "lost"}),
        Exchange("dlx"),
        Exchange("y"),
    ]
    bindings = [
        Binding("", "a", routing_key="a"), Binding("x", "a", routing_key="k"),
        Binding("x", "y", destination_type="exchange"), Binding("dlx", "dead"),
    ]  # fmt: skip
    queues = [
        Queue("a", arguments={"x-dead-letter-exchange": "dlx"}),
        Queue("dead", policy="back"),
        Queue("direct", arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "a"}),
    ]
    graph = Graph(exchanges, bindings, queues, {"//back": {"dead-letter-exchange": "x"}})
    walked = [(depth, edge.target.name, edge.why) for depth, edge in graph.walk(Spot(What.EXCHANGE, "/", "x"))]
    assert walked == [
        (0, "a", Why.BINDING), (1, "dlx", Why.DEAD), (2, "dead", Why.BINDING), (3, "x", Why.DEAD),
        (0, "y", Why.BINDING), (0, "lost", Why.ALTERNATE),
    ]  # fmt: skip
    lost = [edge for edge in graph.leading_from(Spot(What.EXCHANGE, "/", "x")) if not edge.there]
    assert [edge.target.name for edge in lost] == ["lost"]
    to = graph.leading_to(Spot(What.QUEUE, "/", "a"))
    assert [(edge.source.name, edge.why) for edge in to] == [("x", Why.BINDING), ("direct", Why.DEAD)]


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("queues/%2F/a%2Fb", "queue a/b in the virtual host /"),
        ("queues/%2F/q/contents", "queue q in the virtual host /"),
        ("queues/shop", "virtual host shop"),
        ("vhosts/shop", "virtual host shop"),
        ("connections/a%20-%3E%20b", "connection a -> b"),
        ("bindings/%2F/e/x/q/y/~", "way from x to y in the virtual host /"),
        ("overview", "overview"),
    ],
)
def test_what_a_path_names(path, told):
    assert thing(path) == told
