"""Frames that come in any pieces, and the messages that are put together from them."""

from __future__ import annotations

import asyncio
import struct

import pamqp.frame
import pytest
from aiormq.exceptions import AMQPConnectionError, InvalidFrameError
from pamqp import commands
from pamqp.body import ContentBody
from pamqp.header import ContentHeader

from tui.services.queue import frames
from tui.services.queue.frames import ACK, DELIVER, METHOD, RETURN, Bulk, Contents, Frames, confirmed, why_returned
from tui.services.queue.model import Message, Properties

CHANNEL = 7


class Channel(Bulk):
    """Takes deliveries and returns, and nothing else."""

    def __init__(self) -> None:
        self.contents = Contents()
        self.messages: list[Message] = []
        self.waits: asyncio.Future[None] | None = None

    def receive(self, kind: int, payload: bytes) -> bool:
        if kind == METHOD:
            if payload[:4] not in (DELIVER, RETURN):
                return False
            self.contents.begin(payload)
            return True
        if not self.contents.open:
            return False
        if (message := self.contents.add(kind, payload)) is not None:
            self.messages.append(message)
        return True

    def full(self) -> asyncio.Future[None] | None:
        return self.waits


def delivered(tag: int, body: bytes, properties: commands.Basic.Properties, piece: int = 1000) -> bytes:
    """The frames of a delivery."""
    deliver = commands.Basic.Deliver(consumer_tag="me", delivery_tag=tag, redelivered=tag % 2 == 0, exchange="ex",
                                     routing_key="kéy")  # fmt: skip
    parts = [deliver, ContentHeader(body_size=len(body), properties=properties)]
    parts += [ContentBody(body[at : at + piece]) for at in range(0, len(body), piece)]
    return b"".join(pamqp.frame.marshal(part, CHANNEL) for part in parts)


async def read(data: bytes, pieces: int, channel: Channel) -> list[object]:
    """Feeds the data in pieces of a size; what the library gets to see of it."""
    reader = asyncio.StreamReader()
    frames, seen = Frames(reader, {CHANNEL: channel}), []

    async def look() -> None:
        async for _, number, frame in frames:
            seen.append((number, frame.name))

    task = asyncio.create_task(look())
    for at in range(0, len(data), pieces):
        reader.feed_data(data[at : at + pieces])
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    reader.feed_eof()
    with pytest.raises(AMQPConnectionError):
        await task
    return [one for one in seen if one[1] != "Heartbeat"]


@pytest.mark.parametrize("pieces", [1, 2, 7, 8, 9, 1000, 1 << 20])
async def test_messages_are_whole_however_they_come(pieces: int) -> None:
    bodies = [b"", b"x", bytes(range(256)) * 10, b"\xce" * 1000, b"y" * 1001]
    plain, told = commands.Basic.Properties(delivery_mode=2), commands.Basic.Properties(headers={"n": 1}, priority=3)
    data = b"".join(delivered(tag, body, told if tag == 3 else plain) for tag, body in enumerate(bodies, 1))
    declared = pamqp.frame.marshal(commands.Queue.DeclareOk(queue="q", message_count=1, consumer_count=0), CHANNEL)
    other = pamqp.frame.marshal(commands.Channel.OpenOk(), 1)
    channel = Channel()
    assert await read(data + declared + other, pieces, channel) == [(CHANNEL, "Queue.DeclareOk"), (1, "Channel.OpenOk")]
    assert [message.body for message in channel.messages] == bodies
    assert [message.tag for message in channel.messages] == [1, 2, 3, 4, 5]
    assert [message.redelivered for message in channel.messages] == [False, True, False, True, False]
    assert {(message.exchange, message.routing_key) for message in channel.messages} == {("ex", "kéy")}
    assert channel.messages[2].properties == Properties(headers={"n": 1}, priority=3)
    assert channel.messages[0].properties == Properties(delivery_mode=2)


async def test_a_message_that_was_asked_for_singly_is_the_librarys() -> None:
    got = commands.Basic.GetOk(delivery_tag=1, exchange="", routing_key="q", message_count=0)
    parts = [got, ContentHeader(body_size=1), ContentBody(b"x")]
    data = b"".join(pamqp.frame.marshal(part, CHANNEL) for part in parts)
    channel = Channel()
    assert [name for _, name in await read(data, 1 << 20, channel)] == ["Basic.GetOk", "ContentHeader", "ContentBody"]
    assert channel.messages == []


async def test_what_was_swallowed_is_a_sign_of_life_for_the_library() -> None:
    reader, channel = asyncio.StreamReader(), Channel()
    frames = Frames(reader, {CHANNEL: channel})
    reader.feed_data(delivered(1, b"x", commands.Basic.Properties()))
    async with asyncio.timeout(10):
        _, number, frame = await anext(frames)
    assert (number, frame.name, len(channel.messages)) == (0, "Heartbeat", 1)


async def test_a_frame_that_does_not_end_as_one_ends_the_connection() -> None:
    reader = asyncio.StreamReader()
    reader.feed_data(struct.pack(">BHI", 1, 0, 4) + b"abcd" + b"\x00")
    with pytest.raises(InvalidFrameError):
        await anext(Frames(reader, {}))


async def test_what_is_no_text_where_a_text_must_be_ends_the_connection() -> None:
    contents = Contents()
    contents.begin(DELIVER + b"\x00" + bytes(9) + b"\x00" + b"\x01\xff")
    with pytest.raises(InvalidFrameError):
        contents.add(2, struct.pack(">HHQH", 60, 0, 0, 0))


async def test_a_channel_that_is_full_holds_the_connection() -> None:
    reader, channel = asyncio.StreamReader(), Channel()
    channel.waits = asyncio.get_running_loop().create_future()
    reader.feed_data(delivered(1, b"x", commands.Basic.Properties()))
    task = asyncio.ensure_future(anext(Frames(reader, {CHANNEL: channel})))
    for _ in range(20):
        await asyncio.sleep(0)
    assert channel.messages == []
    channel.waits.set_result(None)
    channel.waits = None
    async with asyncio.timeout(10):
        await task
    assert len(channel.messages) == 1


def test_headers_are_each_messages_own() -> None:
    contents, found = Contents(), []
    for _ in range(2):
        contents.begin(DELIVER + b"\x00" + bytes(9) + b"\x00\x00")
        head = ContentHeader(body_size=0, properties=commands.Basic.Properties(headers={"n": 1}))
        message = contents.add(2, head.marshal())
        assert message is not None
        found.append(message.properties.headers)
    assert found[0] == found[1] == {"n": 1}
    assert found[0] is not found[1]


def test_confirms_and_the_words_of_a_return() -> None:
    ack = ACK + commands.Basic.Ack(delivery_tag=70_000, multiple=True).marshal()
    assert confirmed(ack) == (70_000, True)
    assert confirmed(ACK + commands.Basic.Ack(delivery_tag=1, multiple=False).marshal()) == (1, False)
    returned = commands.Basic.Return(reply_code=312, reply_text="NO_ROUTE", exchange="ex", routing_key="key")
    method = RETURN + returned.marshal()
    assert why_returned(method) == "NO_ROUTE"
    contents = Contents()
    contents.begin(method)
    message = contents.add(2, ContentHeader(body_size=0).marshal())
    assert message is not None
    assert (message.exchange, message.routing_key, message.tag) == ("ex", "key", 0)


async def test_what_we_do_not_read_is_no_silence_of_the_brokers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library would take the connection for dead, and what it has delivered would go back."""
    monkeypatch.setattr(frames, "_SIGN", 0.01)
    reader, channel = asyncio.StreamReader(), Channel()
    channel.waits = asyncio.get_running_loop().create_future()
    reader.feed_data(delivered(1, b"x", commands.Basic.Properties()))
    read = Frames(reader, {CHANNEL: channel})
    for _ in range(2):
        assert (await anext(read))[2].name == "Heartbeat"
    assert not channel.messages, "nothing is read meanwhile"
    channel.waits.set_result(None)
    await anext(read)
    assert [one.body for one in channel.messages] == [b"x"]
