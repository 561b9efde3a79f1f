"""What the verbs about messages take, what does not fit together, and what a copy may say of itself."""

from __future__ import annotations

import argparse

import pytest

from tui.commands import queue_arguments
from tui.services.queue.model import Properties
from tui.services.queue.moving import allowed
from tui.services.queue.templates import Filled


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    queue_arguments.add(parser.add_subparsers(), argparse.ArgumentParser(add_help=False))
    return parser.parse_args(["queue", "rabbit", *words])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("publish", "x"), "give --queue or --exchange"),
        (("publish", "--queue", "a"), "give one of PAYLOAD"),
        (("publish", "x", "--queue", "a", "--exchange", "b"), "give --queue, or"),
        (("publish", "x", "--queue", "a", "--property", "colour=red"), "argument --property: colour is none of"),
        (("publish", "x", "--queue", "a", "--header", "k"), "k is not NAME=VALUE"),
        (("get", "a", "--offset", "first", "--ack"), "nothing can be taken out of a stream"),
        (("tail",), "give EXCHANGE or --stream"),
        (("move", "a"), "give a queue to go to"),
        (("move", "a", "b"), ""),
        (("publish", "x", "--queue", "a", "--header", "k=v", "--property", "priority=3"), ""),
    ],
)
def test_what_does_not_fit_together_is_told(words: tuple[str, ...], says: str) -> None:
    told = queue_arguments.mistake(parsed(*words))
    assert told.startswith(says)
    assert bool(told) is bool(says)


def test_only_places_are_filled() -> None:
    template = b'{"n":{n},"m":"{n:04}","kept":{"a":1},"written":"{{n}}"}'
    assert Filled(7, "", "").fill(template) == b'{"n":7,"m":"0007","kept":{"a":1},"written":"{n}"}'


def test_a_copy_keeps_what_it_may() -> None:
    told = Properties(user_id="me", headers={"CC": ["a"], "k": 1})
    assert allowed(told, "me", named=False) is told
    assert allowed(told, "me", named=True).headers == {"k": 1}
    assert allowed(told, "you", named=False).user_id == ""
