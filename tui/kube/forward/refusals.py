"""What kubelets say when a connection inside a pod fails, and what that means."""

from __future__ import annotations

import contextlib
import re

import msgspec

from tui.kube.forward.targets import PodPort
from tui.problem import Cause, Problem

#: A connection that did not come about: the application has seen nothing then.
_NOT_CONNECTED = re.compile(
    r"dial tcp|failed to connect|connect(ion)? refused|unable to connect|no such container|not running|not found"
    r"|sandbox .*(closed|not ready)|no route to host|does not exist",
    re.IGNORECASE,
)


def never_connected(words: str) -> bool:
    """Whether the application cannot have seen the connection, so that it may be made again elsewhere."""
    return bool(_NOT_CONNECTED.search(words))


def explain(at: PodPort | None, words: str) -> Problem:
    """What the kubelet's words about a failed connection mean."""
    where = f"Port {at.port} of pod {at.pod}" if at is not None else "The port"
    if re.search(r"connect(ion)?:? refused", words, re.IGNORECASE):
        return Problem(
            Cause.UNREACHABLE,
            f"{where} refuses connections: nothing listens there",
            words,
            "Is it the right port, and does the server listen on localhost or all addresses, not on the pod's only?",
        )
    if re.search(r"reset by peer|broken pipe", words, re.IGNORECASE):
        return Problem(Cause.UNREACHABLE, f"{where} dropped the connection", words, "")
    return Problem(Cause.UNREACHABLE, f"{where} could not be reached", words, "")


class _Failure(msgspec.Struct):
    """An error as JSON; whether the connection goes on is not asked, as there is only one."""

    message: str = ""


def message(text: bytes) -> str:
    """What the error stream says: the message of a JSON object, or else the text as it stands."""
    said = text.decode(errors="replace")  # here, because msgspec raises something else for bytes that are no UTF-8
    with contextlib.suppress(msgspec.DecodeError, RecursionError):
        return msgspec.json.decode(said, type=_Failure).message or said
    return said.strip()
