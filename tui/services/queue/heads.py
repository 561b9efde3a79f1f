"""What stands before the body of a message that is published: made once for all that are alike."""

from __future__ import annotations

import struct

import pamqp.frame
from pamqp import commands
from pamqp.header import ContentHeader

from tui.problem import Cause, Problem, ProblemError
from tui.services.queue.model import Properties
from tui.services.queue.properties import to_frame

#: How many are remembered. What is published by the thousand goes to few places.
_KEPT = 256


class Heads:
    """The heads of a channel's messages.

    Args:
        channel: its number.
    """

    def __init__(self, channel: int) -> None:
        self._channel = channel
        self._made: dict[tuple[str, str, int, bool], tuple[bytes, bytes]] = {}
        self._of: dict[int, Properties] = {}

    def of(self, exchange: str, routing_key: str, properties: Properties, mandatory: bool) -> tuple[bytes, bytes]:
        """The method's frame, and the properties as the header's frame carries them behind the size of the body.

        Raises:
            ProblemError: the protocol cannot carry the routing key, the exchange's name or a property.
        """
        key = (exchange, routing_key, id(properties), mandatory)
        made = self._made.get(key)
        if made is None:
            if len(self._made) > _KEPT:
                self._made.clear()
                self._of.clear()
            if len(routing_key.encode()) > 255 or len(exchange.encode()) > 255:
                raise ProblemError(Problem(
                    Cause.CONFIG, "A routing key or the name of an exchange is longer than 255 bytes", routing_key[:80]
                ))  # fmt: skip
            publish = commands.Basic.Publish(exchange=exchange, routing_key=routing_key, mandatory=mandatory)
            try:
                head = ContentHeader(properties=to_frame(properties)).marshal()[12:]
            except (TypeError, ValueError, struct.error, OverflowError) as error:
                raise ProblemError(Problem(
                    Cause.CONFIG, "The protocol cannot carry a property or a header of the message", str(error),
                    "Names and short texts have at most 255 bytes, whole numbers 64 bits.",
                )) from error  # fmt: skip
            self._of[id(properties)] = properties  # an id is good as long as its object lives
            made = self._made[key] = (pamqp.frame.marshal(publish, self._channel), head)
        return made
