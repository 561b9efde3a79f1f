"""The far ends by themselves: channels, words of errors, and a connection on a carrier."""

from __future__ import annotations

import asyncio
import struct

import pytest
from fake_forward import frame
from fake_websocket import Transport
from test_spdy import Server, data, goaway, ping, reset

from tui.kube.api import Upgraded
from tui.kube.forward import refusals
from tui.kube.forward.carrier import STRAY, Carrier
from tui.kube.forward.remote import MAX_WORDS, ChannelRemote, words_of
from tui.kube.forward.targets import PodPort

AT = PodPort("shop", "db-0", "u", 9)
REFUSED = "error forwarding port 9: failed to connect to localhost:9: connection refused"


class Sink:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def remote_data(self, data):
        if self.told and isinstance(self.told[-1], bytes):
            self.told[-1] += bytes(data)
        else:
            self.told.append(bytes(data))

    def remote_refused(self, words):
        if self.told and isinstance(self.told[-1], tuple) and self.told[-1][0] == "refused":
            self.told.pop()
        self.told.append(("refused", words))

    def remote_ended(self):
        self.told.append("ended")

    def remote_lost(self, why):
        self.told.append(("lost", why))

    def remote_full(self):
        self.told.append("full")

    def remote_drained(self):
        self.told.append("drained")


def channel(early: bytes = b"") -> tuple[ChannelRemote, Sink, Transport]:
    sink, transport = Sink(), Transport()
    remote = ChannelRemote(sink)
    remote.adopt(Upgraded(transport, early, lambda: None))
    return remote, sink, transport


PORTS = frame(b"\0\x09\0") + frame(b"\1\x09\0")
CLOSE = frame(struct.pack("!H", 1000), 8)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
async def test_ports_come_first_on_each_channel_however_they_are_cut(size):
    streams = {
        "together": PORTS,
        "other way round": frame(b"\1\x09\0") + frame(b"\0\x09\0"),
        "byte by byte": frame(b"\0\x09") + frame(b"\1\x09") + frame(b"\1\0") + frame(b"\0\0"),
        "with data behind": frame(b"\1\x09\0"),
    }
    for name, beginning in streams.items():
        remote, sink, transport = channel()
        remote.resume()
        body = frame(b"\0\x09\0da") if name == "with data behind" else frame(b"\0da")
        stream = (
            beginning
            + body
            + frame(b"\0ta")
            + frame(b"\0")
            + frame(b"")
            + frame(b"\2other")
            + frame(b"\xffmore")
            + CLOSE
        )
        for at in range(0, len(stream), size):
            transport.feed(stream[at : at + size])
        assert sink.told == [b"data", "ended"], name


async def test_an_error_text_split_over_frames_and_in_json():
    for text in (REFUSED.encode(), b'{"closeConnection":true,"message":"%s"}' % REFUSED.encode()):
        remote, sink, transport = channel(PORTS)
        remote.resume()
        for byte in text:
            transport.feed(frame(b"\1" + bytes([byte])))
        transport.feed(CLOSE)
        assert sink.told == [("refused", REFUSED), "ended"]


async def test_an_endless_error_text_is_cut_and_no_longer_told():
    remote, sink, transport = channel(PORTS)
    remote.resume()
    for _ in range(3):
        transport.feed(frame(b"\1" + b"e" * 3000))
    assert sink.told == [("refused", "e" * MAX_WORDS)]


async def test_what_a_channel_passes_on():
    remote, sink, transport = channel(PORTS + frame(b"\0early"))
    assert sink.told == [] and remote.answered and remote.heard
    remote.resume()
    assert sink.told.pop() == b"early"
    remote.write(memoryview(b"up"))
    remote.ping()
    assert not remote.answered
    transport.feed(frame(b"", 10))
    assert remote.answered
    remote.pause()
    assert not transport.reading
    transport.protocol.pause_writing()
    transport.protocol.resume_writing()
    transport.size = 5
    assert (remote.waiting, remote.info("socket"), remote.protocol) == (5, "the socket", "websocket")
    transport.protocol.connection_lost(ConnectionResetError("gone"))
    assert sink.told == ["full", "drained", ("lost", "the connection to the API server dropped: gone")]
    for end, calls in (("close", ["close"]), ("abort", ["abort"])):
        remote, sink, transport = channel(PORTS)
        getattr(remote, end)()
        assert transport.calls == calls and sink.told == []


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b" plain \n", "plain"),
        (b'{"message":"why"}', "why"),
        (b'{"message":""}', '{"message":""}'),
        (b'{"message":["a"]}', "['a']"),
        (b'{"message', '{"message'),
        (b"\xff\x1b[2J", "\ufffd\x1b[2J"),
        (b'{"a":' + b"[" * 4000, '{"a":' + "[" * 4000),
        (b'{"a":' * 13_000, '{"a":' * 13_000),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_words_of_an_error_channel(said, words):
    assert words_of(said) == words


@pytest.mark.parametrize(
    ("words", "never", "what"),
    [
        (REFUSED, True, "refuses connections"),
        ("dial tcp4 127.0.0.1:9: connect: connection refused", True, "refuses connections"),
        ("error forwarding port 9: container not running", True, "could not be reached"),
        ('failed to find sandbox "x" in store: not found', True, "could not be reached"),
        ("pod does not exist", True, "could not be reached"),
        ("read tcp 127.0.0.1: read: connection reset by peer", False, "dropped the connection"),
        ("write: broken pipe", False, "dropped the connection"),
        ("something else", False, "could not be reached"),
        ("\x1b]0;owned\x07\u202e", False, "could not be reached"),
    ],
)
def test_what_kubelets_words_mean(words, never, what):
    assert refusals.never_connected(words) is never
    problem = refusals.explain(AT, words)
    assert what in problem.what and problem.evidence == words and "Port 9 of pod db-0" in problem.what
    assert refusals.explain(None, words).what.startswith("The port ")


# --- carriers


class Made:
    """A carrier over a fake transport, with the server's side of its SPDY."""

    def __init__(self) -> None:
        self.transport, self.server, self.free, self.gone = Transport(), Server(), [], []
        self.carrier = Carrier(self.free.append, self.gone.append)
        self.carrier.adopt(Upgraded(self.transport, b"", lambda: None))

    def feed(self, *frames: bytes) -> None:
        self.transport.feed(frame(b"".join(frames)))


async def begun() -> tuple[Made, object, Sink]:
    made, sink = Made(), Sink()
    remote = await made.carrier.open(9, sink)
    remote.resume()
    made.feed(made.server.accept())
    return made, remote, sink


ENDED = data(b"", fin=True) + data(b"", 1, fin=True)


async def test_a_connection_on_a_carrier():
    made, remote, sink = await begun()
    made.feed(data(b"hello"), data(b" there"))
    made.feed(ENDED)
    assert sink.told == [b"hello there", "ended"] and made.free == [made.carrier] and remote.over
    before = len(made.transport.written)
    remote.write(b"late")
    remote.pause()
    remote.resume()
    remote.ping()
    remote.close()
    remote.abort()
    assert len(made.transport.written) == before and made.transport.reading and remote.waiting == 0
    assert made.carrier.alive


@pytest.mark.parametrize(
    "text", [REFUSED, '{"message":"' + REFUSED + '"}', '{"a":' * 10_000], ids=["text", "json", "deep"]
)
async def test_a_refusal_on_a_carrier(text):
    made, _, sink = await begun()
    made.feed(data(b"", fin=True), data(text.encode(), 1, fin=True))
    assert sink.told == [("refused", REFUSED if REFUSED in text else text), "ended"]


async def test_what_comes_before_anybody_listens_is_kept_and_reading_pauses():
    made, sink = Made(), Sink()
    remote = await made.carrier.open(9, sink)
    made.feed(made.server.accept(), data(b"first"), data(b" second"))
    assert sink.told == [] and not made.transport.reading
    remote.resume()
    assert sink.told == [b"first second"] and made.transport.reading
    made.feed(data(b" third"))
    assert sink.told == [b"first second third"]


async def test_a_connection_that_is_over_before_anybody_listens():
    made, sink = Made(), Sink()
    remote = await made.carrier.open(9, sink)
    made.feed(made.server.accept(), data(b"all"), ENDED)
    remote.resume()
    assert sink.told == [b"all", "ended"]


async def test_a_carrier_that_goes_right_behind_the_end():
    made, sink = Made(), Sink()
    remote = await made.carrier.open(9, sink)
    made.transport.feed(frame(made.server.accept() + data(b"all") + ENDED) + CLOSE)
    remote.resume()
    assert sink.told == [b"all", "ended"], "nothing is told after the end"
    made, sink = Made(), Sink()
    remote = await made.carrier.open(9, sink)
    made.transport.feed(frame(made.server.accept() + data(b"half")) + CLOSE)
    remote.resume()
    assert sink.told == [b"half", ("lost", "the API server closed the websocket")]
    assert made.gone == [made.carrier] and not made.carrier.alive


@pytest.mark.parametrize(
    ("frames", "words"),
    [
        (CLOSE, "closed the websocket"),
        (frame(struct.pack("!H", 1011) + b"oops", 8), "code 1011 oops"),
        (frame(b"HTTP/1.1 400 Bad Request"), "broke the SPDY protocol"),
        (b"\xc2\0", "broke the websocket protocol"),
    ],
)
async def test_a_carrier_that_is_lost(frames, words):
    made, _, sink = await begun()
    made.feed(data(b"half"))
    made.transport.feed(frames)
    half, (lost, why) = sink.told
    assert (half, lost) == (b"half", "lost") and words in why
    assert made.gone == [made.carrier] and not made.carrier.alive
    made.carrier.drop()
    made.carrier.close()
    assert len(made.gone) == 1


async def test_pings_go_inside_spdy_and_are_answered_there():
    made, remote, sink = await begun()
    remote.ping()
    assert not remote.answered
    made.transport.feed(frame(b"", 10))  # the proxy in between answers for itself
    assert not remote.answered
    made.feed(ping(1))
    assert remote.answered and sink.told == []


async def test_a_connection_that_is_given_up_frees_the_carrier_unless_much_is_on_its_way():
    made, remote, sink = await begun()
    remote.close()
    assert made.free == [made.carrier]
    made.feed(data(b"x" * 1000), data(b"", fin=True))
    assert sink.told == [] and made.carrier.alive
    for _ in range(STRAY // 100_000 + 1):
        made.feed(data(b"x" * 100_000))
    assert not made.carrier.alive and made.transport.calls == ["abort"]
    for stop in ("pause", "fill"):
        made, remote, _ = await begun()
        if stop == "pause":
            remote.pause()
        else:
            made.transport.size = 1
        remote.close()
        assert made.free == [] and made.gone == [made.carrier] and made.transport.calls == ["close"]
    made, remote, _ = await begun()
    remote.abort()
    assert made.free == [] and made.gone == [made.carrier] and made.transport.calls == ["abort"]


async def test_the_next_connection_waits_for_its_acceptance():
    made, remote, _ = await begun()
    remote.close()
    sink = Sink()
    opening = asyncio.create_task(made.carrier.open(10, sink))
    await asyncio.sleep(0)
    made.feed(data(b"of the first"), made.server.reply(5))
    await asyncio.sleep(0)
    assert not opening.done()
    made.feed(made.server.reply(7), data(b"hello", stream=7))
    second = await opening
    second.resume()
    assert sink.told == [b"hello"]


async def test_a_reset_and_a_farewell_are_told_as_refusals():
    made, _, sink = await begun()
    made.feed(reset(3, 3), goaway(3, 1))
    assert sink.told == [("refused", "the server reset the data stream (stream refused)")]
