"""The optional arguments of queues: what each means, which type of queue takes it, and what may stand in it.

From RabbitMQ's documentation of 4.0 (queues, quorum queues, streams) and what servers of 3.10 and 4.0 refuse.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from tui.problem import Cause, Problem, ProblemError
from tui.services.queue.model import Kind

_ALL = frozenset(Kind)
_KEPT = frozenset({Kind.CLASSIC, Kind.QUORUM})
#: An age of a stream's: a number and year, month, day, hour, minute or second.
_AGE = re.compile(r"[1-9]\d*[YMDhms]")


@dataclass(frozen=True, slots=True)
class Argument:
    """One of them.

    Attributes:
        key: as the protocol has it.
        label: as the form has it.
        help: what it does.
        kinds: the types that take it.
        number: whether it is a whole number, not below `least`.
        values: what may stand in it, empty for anything.
        yes: whether it is set (`yes`) or not.
        age: whether it is an age.
    """

    key: str
    label: str
    help: str
    kinds: frozenset[Kind] = _ALL
    number: bool = False
    least: int = 0
    values: tuple[str, ...] = ()
    yes: bool = False
    age: bool = False


ARGUMENTS = (
    Argument(
        "x-max-length",
        "max messages",
        "Messages that are ready, at most. From then on `overflow` holds.",
        _KEPT,
        number=True,
    ),
    Argument(
        "x-max-length-bytes",
        "max bytes",
        "Bytes of all bodies, at most. From then on `overflow` holds; of a stream the oldest segments go.",
        number=True,
    ),
    Argument(
        "x-overflow",
        "overflow",
        "What happens when it is full: the oldest message goes (drop-head), or new ones "
        "are refused: their publishers are told by a nack.",
        _KEPT,
        values=("drop-head", "reject-publish", "reject-publish-dlx"),
    ),
    Argument(
        "x-message-ttl",
        "message TTL",
        "Milliseconds after which a message that nobody took is dead-lettered, or dropped.",
        _KEPT,
        number=True,
    ),
    Argument(
        "x-expires",
        "expires",
        "Milliseconds without consumers, declaration or get after which the queue itself is deleted.",
        _KEPT,
        number=True,
        least=1,
    ),
    Argument(
        "x-dead-letter-exchange",
        "dead letters to",
        "The exchange that gets messages which are rejected, expire, or do not fit. (default) is the default one.",
        _KEPT,
    ),
    Argument(
        "x-dead-letter-routing-key",
        "dead letter key",
        "The key that dead letters get; without it they keep their own. Needs an exchange above.",
        _KEPT,
    ),
    Argument(
        "x-dead-letter-strategy",
        "dead lettering",
        "at-least-once keeps a dead letter until it was confirmed; it needs overflow reject-publish.",
        frozenset({Kind.QUORUM}),
        values=("at-most-once", "at-least-once"),
    ),
    Argument(
        "x-delivery-limit",
        "delivery limit",
        "Returns after which a message is dead-lettered, or dropped. "
        "Without it 20 from RabbitMQ 4.0 on, none before; -1 is none.",
        frozenset({Kind.QUORUM}),
        number=True,
        least=-1,
    ),
    Argument(
        "x-quorum-initial-group-size",
        "members",
        "How many nodes keep it; 3 unless there are fewer. An odd number: a majority of them must be there.",
        frozenset({Kind.QUORUM}),
        number=True,
        least=1,
    ),
    Argument(
        "x-initial-cluster-size",
        "members",
        "How many nodes keep it; all of them unless this says less.",
        frozenset({Kind.STREAM}),
        number=True,
        least=1,
    ),
    Argument(
        "x-max-age",
        "max age",
        "How long a stream keeps messages: 7D, 12h, 30m. Whole segments go.",
        frozenset({Kind.STREAM}),
        age=True,
    ),
    Argument(
        "x-stream-max-segment-size-bytes",
        "segment bytes",
        "Size of a stream's segments; 500,000,000 unless this says otherwise.",
        frozenset({Kind.STREAM}),
        number=True,
        least=1,
    ),
    Argument(
        "x-single-active-consumer",
        "one consumer",
        "yes: one consumer gets everything; when it goes the next one does.",
        _KEPT,
        yes=True,
    ),
    Argument(
        "x-max-priority",
        "max priority",
        "Makes it a queue with priorities from 0 to this, 255 at most; few are better.",
        frozenset({Kind.CLASSIC}),
        number=True,
        least=1,
    ),
    Argument(
        "x-queue-leader-locator",
        "leader",
        "Where its leader begins: on the node one is connected to, or spread evenly.",
        _ALL,
        values=("client-local", "balanced"),
    ),
)


def wrong(what: str, remedy: str = "") -> ProblemError:
    """What was typed cannot be."""
    return ProblemError(Problem(Cause.CONFIG, what, "", remedy))


def kind_of(typed: str) -> Kind:
    """A queue's type.

    Raises:
        ProblemError: there is none that is called so.
    """
    try:
        return Kind(typed.strip())
    except ValueError as error:
        raise wrong(f"“{typed}” is no type of queue", f"There are: {', '.join(Kind)}.") from error


def read(kind: Kind, typed: Mapping[str, str]) -> dict[str, Any]:
    """The arguments of what was typed, by the labels' keys.

    Args:
        kind: the queue's type.
        typed: texts by argument key; empty ones are left out.

    Raises:
        ProblemError: one that cannot be; says which and why.
    """
    found: dict[str, Any] = {}
    for one in ARGUMENTS:
        text = typed.get(one.key, "").strip()
        if text and kind in one.kinds and (value := _value(one, text)) is not None:
            found[one.key] = value
    if "x-dead-letter-routing-key" in found and "x-dead-letter-exchange" not in found:
        raise wrong("A key for dead letters needs an exchange for them", "(default) leads to the queue of that name.")
    if found.get("x-dead-letter-strategy") == "at-least-once" and found.get("x-overflow") != "reject-publish":
        raise wrong(
            "Dead lettering at-least-once needs the overflow reject-publish", "The server ignores it otherwise."
        )
    return found


def _value(one: Argument, text: str) -> Any:  # noqa: ANN401  (an argument's)
    if one.number:
        digits = text.replace(",", "").replace("_", "")
        if not digits.lstrip("-").isdecimal():
            raise wrong(f"{one.label}: “{text}” is no whole number", one.help)
        if int(digits) < one.least:
            raise wrong(f"{one.label}: {digits} is below {one.least}", one.help)
        if int(digits) >= 2**63:
            raise wrong(f"{one.label}: {digits} is more than 64 bits hold", one.help)
        if one.key == "x-max-priority" and int(digits) > 255:
            raise wrong(f"{one.label}: {digits} is above 255", one.help)
        return int(digits)
    if one.yes:
        return yes_no(one.label, text) or None
    if one.values and text not in one.values:
        raise wrong(f"{one.label}: “{text}” is none of {', '.join(one.values)}", one.help)
    if one.age and not _AGE.fullmatch(text):
        raise wrong(f"{one.label}: “{text}” is no age", "A number and Y, M, D, h, m or s: 7D.")
    return "" if one.key == "x-dead-letter-exchange" and text == "(default)" else text


def yes_no(label: str, text: str) -> bool:
    """`yes` or `no`.

    Raises:
        ProblemError: it is neither.
    """
    if text not in ("yes", "no"):
        raise wrong(f"{label}: yes or no")
    return text == "yes"


def table(label: str, text: str) -> dict[str, Any]:
    """A JSON object, for headers and arguments; nothing for an empty text.

    Raises:
        ProblemError: it is none.
    """
    if not text.strip():
        return {}
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise ProblemError(Problem(Cause.CONFIG, f"{label}: that is no JSON object", str(error),
                                   'As in {"x-match": "all"}; nothing was sent.')) from error  # fmt: skip


def whole(label: str, text: str, *, least: int = 0) -> int:
    """A whole number.

    Raises:
        ProblemError: it is none, or too small.
    """
    digits = text.replace(",", "").replace("_", "").strip()
    if not digits.isdecimal() or int(digits) < least:
        raise wrong(f"{label}: a whole number from {least} on, not “{text}”")
    return int(digits)
