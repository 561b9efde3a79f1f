"""The websocket's frames: read however they are cut, and written so that an independent decoder reads them."""

from __future__ import annotations

import asyncio
import importlib
import random
import struct
import sys

import pytest
from fake_forward import frame
from fake_websocket import Heard, Made

from tui.kube.forward import websocket
from tui.kube.forward.websocket import HIGH_WATER, LOW_WATER, WebSocket

LENGTHS = [0, 1, 2, 124, 125, 126, 127, 128, 65_534, 65_535, 65_536, 65_537, 300_000]


@pytest.mark.parametrize("size", LENGTHS)
async def test_a_frame_of_each_length_split_at_every_byte(size):
    body = random.Random(size).randbytes(size)
    whole = frame(body) + frame(b"next")
    cuts = (
        range(len(whole)) if size < 200 else [*range(20), len(whole) - 6, len(whole) - 1, *range(20, len(whole), 9973)]
    )
    for cut in cuts:
        made = Made()
        made.transport.feed(whole[:cut])
        made.transport.feed(whole[cut:])
        assert made.heard.messages == [body, b"next"], cut
    if size < 200:
        made = Made()
        for byte in whole:
            made.transport.feed(bytes([byte]))
        assert made.heard.messages == [body, b"next"]


async def test_lengths_need_not_be_written_in_the_shortest_way():
    made = Made()
    made.transport.feed(b"\x82\x7e\0\3abc" + b"\x82\x7f" + struct.pack("!Q", 3) + b"def")
    assert made.heard.messages == [b"abc", b"def"]


async def test_bytes_are_handed_on_before_their_frame_is_whole():
    made = Made()
    made.transport.feed(frame(bytes(70_000))[:20])
    assert made.heard.messages == [bytes(10)]


async def test_fragments_with_control_frames_in_between():
    stream = frame(b"one", fin=False) + frame(b"p", 9) + frame(b" two", 0, fin=False) + frame(b"", 10)
    stream += frame(b"", 0, fin=False) + frame(b" three", 0) + frame(b"whole")
    for size in (1, 2, 3, 1000):
        made = Made()
        for at in range(0, len(stream), size):
            made.transport.feed(stream[at : at + size])
        assert made.heard.messages == [b"one two three", b"whole"]
        assert made.heard.events == ["pong"]
        assert await made.sent() == [(10, b"p")]


async def test_a_message_whose_first_fragment_is_empty_begins_with_the_next_one():
    made = Made()
    made.transport.feed(
        frame(b"", fin=False) + frame(b"", 0, fin=False) + frame(b"\0data", 0) + frame(b"") + frame(b"x")
    )
    made.transport.feed(frame(b"", fin=False) + frame(b"", 0))
    assert made.heard.messages == [b"\0data", b"", b"x", b""]
    assert made.heard.empty == 2  # whose messages are empty: a channel's number is in the first byte


@pytest.mark.parametrize(
    ("stream", "clean", "words"),
    [
        (frame(struct.pack("!H", 1000), 8), True, ""),
        (frame(struct.pack("!H", 1000) + b"bye", 8), True, ""),
        (frame(b"", 8), True, ""),
        (frame(struct.pack("!H", 1001) + b"restarting", 8), False, "code 1001 restarting"),
        (frame(struct.pack("!H", 1006), 8), False, "code 1006"),
        (frame(struct.pack("!H", 1011) + b"\xff\x1b[31m", 8), False, "code 1011 \ufffd\x1b[31m"),
        (frame(b"\3", 8), False, "broke the websocket protocol"),
        (frame(b"half", fin=False) + frame(struct.pack("!H", 1000), 8), False, "in the middle of a message"),
    ],
)
async def test_close_frames(stream, clean, words):
    made = Made()
    made.transport.feed(stream + frame(b"never"))
    ((why, was_clean),) = made.heard.ends
    assert (was_clean, words in why, bool(why)) == (clean, True, not clean)
    assert made.released == 1 and made.transport.closing
    made.socket.connection_lost(None)
    made.socket.send(b"more")
    assert len(made.heard.ends) == 1 and b"never" not in b"".join(made.heard.messages)
    if clean:
        assert await made.sent() == [(8, struct.pack("!H", 1000))]


@pytest.mark.parametrize(
    "bad",
    [
        b"\xc2\1x",  # a reserved bit: an extension that nobody asked for
        b"\xa2\1x",
        b"\x92\1x",
        b"\x82\x81\0\0\0\0x",  # masked
        b"\x82\x7f\xff" + bytes(7),  # a length of 2^63 and more
        b"\x82\x7f\x40" + bytes(7),
        frame(b"text", 1),
        frame(b"?", 3),
        frame(b"?", 11),
        frame(b"c", 0),  # goes on with nothing
        frame(b"a", fin=False) + frame(b"b"),  # begins anew in the middle
        frame(b"p", 9, fin=False),
        b"\x89\x7e\0\x7e" + bytes(126),  # an oversized ping
        b"\x88\x7e\0\x7e" + bytes(126),
    ],
    ids=lambda bad: bad[:12].hex(),
)
async def test_what_breaks_the_protocol_ends_it(bad):
    for size in (1, 1000):
        made = Made()
        for at in range(0, len(bad), size):
            if not made.heard.ends:
                made.transport.feed(bad[at : at + size])
        ((why, clean),) = made.heard.ends
        assert why.startswith("the server ") and not clean
        assert made.transport.calls == ["abort"] and made.released == 1


async def test_a_connection_that_drops_is_no_clean_end():
    for error, words in (
        (None, "ended without a word"),
        (ConnectionResetError("reset"), "reset"),
        (OSError(), "OSError"),
    ):
        made = Made()
        assert not made.socket.eof_received()
        made.socket.connection_lost(error)
        ((why, clean),) = made.heard.ends
        assert words in why and not clean and made.released == 1


@pytest.mark.parametrize("mask", ["aiohttp", "ours"])
@pytest.mark.parametrize("size", LENGTHS)
async def test_sent_frames_are_read_by_an_independent_decoder(size, mask, monkeypatch):
    if mask == "ours":
        monkeypatch.setattr(websocket, "_mask", fallback())
    body = random.Random(size).randbytes(size)
    for kind in (bytes, bytearray, memoryview):
        made = Made()
        for _ in range(5):  # with several keys
            data = bytearray(body)
            made.socket.send(b"\0\1\2", kind(data))
            data[:] = bytes(len(data))  # may be reused at once
            made.socket.send(body)
        assert await made.sent() == [(2, b"\0\1\2" + body), (2, body)] * 5
        header = 6 if size < 126 else 8 if size <= 0xFFFF else 14
        last = bytes(made.transport.written[-header - size :])
        assert last[1] == 0x80 | (size if size < 126 else {8: 126, 14: 127}[header])


def fallback():
    """The mask that is used where aiohttp's is missing."""
    name = "tui.kube.forward.websocket"
    hidden = "aiohttp._websocket.helpers"
    before, helpers = sys.modules.pop(name), sys.modules[hidden]
    try:
        sys.modules[hidden] = None  # type: ignore[assignment]
        return importlib.import_module(name)._mask
    finally:
        sys.modules[hidden] = helpers
        sys.modules[name] = before
        sys.modules["tui.kube.forward"].websocket = before  # type: ignore[attr-defined]


def test_the_fallback_masks_the_same_bytes():
    mask, rng = fallback(), random.Random(3)
    assert mask.__module__ == websocket.__name__ and mask is not websocket._mask
    for size in [*range(40), 125, 126, 65_536, 100_003]:
        key, data = rng.randbytes(4), rng.randbytes(size)
        one, two = bytearray(data), bytearray(data)
        mask(key, one)
        websocket._mask(key, two)
        assert one == two == bytes(byte ^ key[at % 4] for at, byte in enumerate(data))


async def test_a_pong_carries_what_the_ping_did_and_a_ping_is_empty():
    made = Made()
    made.transport.feed(frame(b"x" * 125, 9) + frame(b"", 9))
    made.socket.ping()
    assert await made.sent() == [(10, b"x" * 125), (10, b""), (9, b"")]


async def test_nothing_is_read_or_told_before_resume():
    early = frame(b"early") + frame(b"cut")[:3]
    made = Made(early, resume=False)
    assert made.heard.messages == [] and not made.transport.reading
    made.socket.resume()
    assert made.heard.messages == [b"early", b"c"] and made.transport.reading
    made.transport.feed(b"ut")
    assert made.heard.messages == [b"early", b"cut"]
    made.socket.pause()
    assert not made.transport.reading
    made.socket.resume()
    assert made.transport.reading and made.heard.messages == [b"early", b"cut"]


async def test_who_pauses_while_early_bytes_are_told_stays_paused():
    made = Made(frame(b"early"), resume=False)
    made.heard.on_bytes = made.socket.pause
    made.socket.resume()
    assert made.heard.messages == [b"early"] and not made.transport.reading


async def test_an_end_among_the_early_bytes():
    made = Made(frame(b"early") + frame(struct.pack("!H", 1000), 8))
    assert made.heard.messages == [b"early"] and made.heard.ends == [("", True)]


@pytest.mark.parametrize("end", ["close", "abort"])
async def test_nothing_is_told_after_our_end(end):
    made = Made(frame(b"early"), resume=False)
    getattr(made.socket, end)()
    made.socket.resume()
    made.transport.feed(frame(b"late"))
    made.socket.connection_lost(None)
    made = Made()
    made.transport.feed(frame(b"half of it")[:6])
    getattr(made.socket, end)()
    made.transport.feed(b" of it" + frame(b"late"))  # TLS hands on what it holds while it closes
    getattr(made.socket, end)()
    assert made.heard.messages == [b"half"] and made.heard.ends == []
    assert made.released == 1 and made.socket.waiting == 0
    assert await made.sent() == ([(8, b"\3\xe8")] if end == "close" else [])


async def test_who_ends_it_within_a_message_hears_no_more_of_what_was_read_with_it():
    made = Made()
    made.heard.on_bytes = made.socket.abort
    made.transport.feed(frame(b"one") + frame(b"two"))
    assert made.heard.messages == [b"one"]


async def test_back_pressure_and_what_the_transport_knows():
    made = Made()
    assert made.transport.limits == (HIGH_WATER, LOW_WATER)
    made.transport.size = 17
    assert made.socket.waiting == 17 and made.socket.info("peername") == "the peername"
    made.socket.pause_writing()
    made.socket.resume_writing()
    assert made.heard.events == ["full", "drained"]
    unconnected = WebSocket(Heard())
    unconnected.send(b"x")
    unconnected.pause()
    unconnected.resume()
    unconnected.close()
    unconnected.abort()
    assert (unconnected.waiting, unconnected.info("socket")) == (0, None)


async def test_when_something_was_heard_last():
    made = Made()
    made.socket.heard = 0.0
    made.transport.feed(frame(b"")[:1])
    assert made.socket.heard == pytest.approx(asyncio.get_running_loop().time(), abs=1)


async def test_two_websockets_share_a_buffer_without_mixing_up_what_is_left():
    one, two = Made(), Made()
    first, second = frame(b"1" * 200) + frame(b"p1", 9), frame(b"2" * 200) + frame(b"p2", 9)
    for a, b in zip(first, second, strict=True):
        one.transport.feed(bytes([a]))
        two.transport.feed(bytes([b]))
    assert (one.heard.messages, two.heard.messages) == ([b"1" * 200], [b"2" * 200])
    assert (await one.sent(), await two.sent()) == ([(10, b"p1")], [(10, b"p2")])


async def test_random_messages_cut_at_random():
    rng = random.Random(7)
    for _ in range(60):
        stream, expected, pings = bytearray(), [], []
        for _ in range(rng.randint(1, 20)):
            message = rng.randbytes(rng.choice([0, 1, 125, 126, 5000, 70_000]))
            expected.append(message)
            cuts = sorted(rng.randint(0, len(message)) for _ in range(rng.choice([0, 0, 1, 3])))
            parts = [message[a:b] for a, b in zip([0, *cuts], [*cuts, len(message)], strict=True)]
            for number, part in enumerate(parts):
                if rng.random() < 0.2:
                    pings.append(rng.randbytes(rng.randint(0, 125)))
                    stream += frame(pings[-1], 9)
                stream += frame(part, 0 if number else 2, fin=number == len(parts) - 1)
        made = Made()
        while stream:
            size = rng.choice([1, 3, 14, 1000, 100_000, 400_000])
            made.transport.feed(bytes(stream[:size]))
            del stream[:size]
        assert made.heard.messages == expected and made.heard.ends == []
        assert await made.sent() == [(10, ping) for ping in pings]


async def test_noise_ends_it_at_most_once_and_raises_nothing():
    rng = random.Random(8)
    ended = 0
    for _ in range(3000):
        made = Made()
        noise = rng.choice([b"", b"\x82\x05", b"\x02\x00"]) + rng.randbytes(rng.randint(1, 60))
        while noise:
            size = rng.randint(1, 20)
            made.transport.feed(noise[:size])
            noise = noise[size:]
        assert len(made.heard.ends) <= 1
        ended += len(made.heard.ends)
    assert ended > 1000
