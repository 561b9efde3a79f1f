"""SPDY of a port-forward, against a server that is written here and bytes that a real one sent."""

from __future__ import annotations

import hashlib
import random
import struct
import zlib
from collections.abc import Iterable, Iterator

import pytest

from tui.kube.forward import spdy
from tui.kube.forward.spdy import Accepted, Ended, Pong, PortStreams, Refused, SpdyError
from tui.spdy_headers import DICTIONARY

#: What Kubernetes 1.36.3 with containerd 2.3.7 sent: the answer to a ping, both SYN_REPLYs, and for a closed port the
#: end of the data stream before the text and the end of the error stream.
REAL = bytes.fromhex(
    "800300060000000400000001"
    "80030002000000140000000178f9e3c6a7c26260606000000000ffff"
    "800300020000000c00000003026100000000ffff"
)
ENDED, TEXT = bytes.fromhex("0000000301000000"), b"error forwarding port 9 to pod 5ede9f: connection refused"
REAL_REFUSAL = REAL + ENDED + struct.pack(">II", 1, len(TEXT)) + TEXT + bytes.fromhex("0000000101000000")


def control(kind: int, payload: bytes, flags: int = 0, version: int = 3) -> bytes:
    return struct.pack(">HHI", 0x8000 | version, kind, flags << 24 | len(payload)) + payload


def data(payload: bytes, stream: int = 3, fin: bool = False) -> bytes:
    return struct.pack(">IB", stream, fin) + len(payload).to_bytes(3, "big") + payload


def ping(number: int) -> bytes:
    return control(6, number.to_bytes(4, "big"))


def reset(stream: int, status: int) -> bytes:
    return control(3, struct.pack(">II", stream, status))


def goaway(last: int, status: int) -> bytes:
    return control(7, struct.pack(">II", last, status))


class Server:
    """The other end's headers: one compressor and one decompressor for the whole connection."""

    def __init__(self) -> None:
        self.packer = zlib.compressobj(zdict=DICTIONARY)
        self.unpacker = zlib.decompressobj(zdict=DICTIONARY)

    def block(self, headers: dict[str, str] | bytes) -> bytes:
        if isinstance(headers, dict):
            texts = [text.encode() for pair in headers.items() for text in pair]
            headers = len(headers).to_bytes(4, "big") + b"".join(len(t).to_bytes(4, "big") + t for t in texts)
        return self.packer.compress(headers) + self.packer.flush(zlib.Z_SYNC_FLUSH)

    def reply(
        self, stream: int, headers: dict[str, str] | bytes | None = None, kind: int = 2, fin: bool = False
    ) -> bytes:
        return control(kind, stream.to_bytes(4, "big") + self.block(headers or {}), flags=fin)

    def accept(self) -> bytes:
        return self.reply(1) + self.reply(3)

    def read(self, sent: bytes) -> Iterator[tuple[int, int, int, dict[str, str]]]:
        """Of each SYN_STREAM: stream, flags, what follows the stream's id, headers."""
        while sent:
            word, kind, flags = struct.unpack_from(">HHB", sent)
            assert (word, kind) == (0x8003, 1)
            size = int.from_bytes(sent[5:8], "big")
            payload, sent = sent[8 : 8 + size], sent[8 + size :]
            assert len(payload) == size
            stream, rest = struct.unpack_from(">IxxI", payload[:4] + b"\0\0" + payload[4:])
            block = self.unpacker.decompress(payload[10:])
            texts, at = [], 4
            while at < len(block):
                length = int.from_bytes(block[at : at + 4], "big")
                texts.append(block[at + 4 : at + 4 + length].decode())
                at += 4 + length
            assert len(texts) == 2 * int.from_bytes(block[:4], "big")
            yield stream, flags, rest, dict(zip(texts[::2], texts[1::2], strict=True))


def begun(port: int) -> PortStreams:
    streams = PortStreams()
    streams.open(port)
    return streams


def joined(events: Iterable[spdy.Event]) -> list[object]:
    """Events, with neighbouring data in one piece."""
    out: list[object] = []
    for event in events:
        if isinstance(event, memoryview):
            assert len(event)
            if out and isinstance(out[-1], bytes):
                out[-1] += bytes(event)
            else:
                out.append(bytes(event))
        else:
            out.append(event)
    return out


def fed(pieces: Iterable[bytes], streams: PortStreams | None = None) -> list[object]:
    streams = streams or begun(5432)
    return joined(event for piece in pieces for event in streams.receive(piece))


def cut(text: bytes, rng: random.Random, longest: int) -> Iterator[bytes]:
    at = 0
    while at < len(text):
        length = rng.randint(1, longest)
        yield text[at : at + length]
        at += length


def repr_briefly(value: object) -> str:
    return repr(value)[:40]


def test_the_dictionary_is_the_protocols():
    dictionary = DICTIONARY
    assert (len(dictionary), zlib.adler32(dictionary)) == (1423, 0xE3C6A7C2)  # what real streams announce, see REAL
    assert hashlib.sha256(dictionary).hexdigest() == "51d27341373f923f3cd88e1eb7162aeaa3723d7585ff2399201dc06498407f02"


def test_opens_both_streams_at_once_and_closes_its_half_of_the_error_stream():
    streams = begun(15672)
    opened = list(Server().read(streams.take()))
    assert opened == [
        (1, 1, 0, {"streamtype": "error", "port": "15672", "requestid": "0"}),
        (3, 0, 0, {"streamtype": "data", "port": "15672", "requestid": "0"}),
    ]
    assert streams.take() == b""


def test_data_frames_have_a_header_before_them():
    streams = begun(1)
    assert streams.frame(0) == data(b"")
    assert streams.frame(70_000) + bytes(70_000) == data(bytes(70_000))
    assert streams.frame((1 << 24) - 1).hex() == "0000000300ffffff"
    for length in (-1, 1 << 24):
        with pytest.raises(ValueError, match="cannot carry"):
            streams.frame(length)


def test_a_real_servers_refusal_however_it_is_cut():
    def read(pieces: Iterable[bytes]) -> list[object]:
        streams = begun(9)
        streams.ping()
        return fed(pieces, streams)

    wanted = [Pong(), Accepted(), Refused(TEXT.decode()), Ended()]
    assert read([REAL_REFUSAL]) == wanted
    assert read(bytes([byte]) for byte in REAL_REFUSAL) == wanted
    for at in range(len(REAL_REFUSAL)):
        assert read([REAL_REFUSAL[:at], REAL_REFUSAL[at:]]) == wanted


@pytest.mark.parametrize("longest", [1, 7, 100, 5000, 200_000])
def test_data_arrives_byte_for_byte_however_it_is_cut(longest):
    rng = random.Random(longest)
    body = rng.randbytes(min(2_000_000, longest * 3000))
    frames = [Server().accept(), data(b"")]
    for piece in cut(body, rng, 40_000):
        frames += [data(piece), rng.choice([b"", b"", data(b""), control(9, bytes(8)), control(4, bytes(4))])]
    frames += [data(b"", fin=True), data(b"", 1, fin=True)]
    assert fed(cut(b"".join(frames), rng, longest)) == [Accepted(), body, Ended()]


def test_data_is_handed_on_before_its_frame_is_complete_and_without_a_copy():
    streams = begun(1)
    streams.receive(Server().accept())
    message = data(bytes(1000))[:500]
    (event,) = streams.receive(message)
    assert isinstance(event, memoryview) and event.obj is message and len(event) == 492
    (event,) = streams.receive(memoryview(bytes(900))[:300])
    assert len(event) == 300
    assert fed([bytes(208) + data(b"more")], streams) == [bytes(208) + b"more"]


def test_the_last_frame_of_a_stream_can_carry_data_and_what_follows_it_is_no_news():
    # moby/spdystream lets a copy that still runs write to a stream that was ended.
    server = Server()
    frames = [server.accept(), data(b"bye", fin=True), data(b"late"), data(b"", fin=True), data(b"", 1, fin=True)]
    assert fed(frames) == [Accepted(), b"bye", Ended()]
    server = Server()
    assert fed([server.reply(3, fin=True), server.reply(1, fin=True)]) == [Accepted(), Ended()]
    server = Server()
    frames = [server.accept(), server.reply(3, {"a": "b"}, kind=8, fin=True), server.reply(1, kind=8, fin=True)]
    assert fed(frames) == [Accepted(), Ended()]


def test_the_end_waits_for_what_the_error_stream_has_to_say():
    streams = begun(1)
    assert fed([Server().accept(), data(b"", fin=True), data(b"re", 1), data(b"fused", 1)], streams) == [Accepted()]
    assert fed([data(b"!\n", 1, fin=True)], streams) == [Refused("refused!"), Ended()]
    ended = [Server().accept(), data(b"", fin=True), data(b"", 1, fin=True)]
    assert fed([*ended, data(b"e" * 70_000, 1), reset(1, 5)]) == [Accepted(), Ended()]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"plain", "plain"),
        (b'{"closeConnection":true,"message":"why \\u00e9"}', "why é"),
        (b'{"closeConnection":true}', '{"closeConnection":true}'),
        (b'{"message":5}', '{"message":5}'),
        (b'"text"', '"text"'),
        (b"\xff", "\ufffd"),
        (b'{"message":"\xed"}', "\ufffd"),
        (b'{"message":"\\ud800"}', '{"message":"\\ud800"}'),
        (b"[" * 50_000, "[" * 50_000),
        (b'{"a":' * 10_000, '{"a":' * 10_000),
    ],
    ids=repr_briefly,
)
def test_the_error_stream_carries_text_or_json(text, message):
    half = len(text) // 2
    frames = [Server().accept(), data(text[:half], 1), data(b"x"), data(text[half:], 1), data(b"", 1, fin=True)]
    assert fed(frames) == [Accepted(), b"x", Refused(message)]


def test_an_endless_error_text_is_told_once_and_cut():
    streams = begun(1)
    server = Server()
    assert fed([server.accept()] + [data(b"e" * 10_000, 1)] * 6, streams) == [Accepted()]
    assert fed([data(b"f" * 10_000, 1)] * 50, streams) == [Refused("e" * 60_000 + "f" * 5536)]
    assert fed([data(b"", 1, fin=True), reset(3, 5), data(b"late")], streams) == [Ended()]


@pytest.mark.parametrize(
    ("frames", "events"),
    [
        ([reset(3, 3)], [Refused("the server reset the data stream (stream refused)")]),
        ([reset(1, 5)], [Refused("the server reset the error stream (cancelled)")]),
        ([reset(3, 99)], [Refused("the server reset the data stream (status 99)")]),
        ([data(b"why", 1), reset(1, 5), reset(3, 5)], [Refused("why"), Ended()]),
        ([data(b"why", 1), goaway(3, 2)], [Refused("why")]),
        ([reset(3, 5), data(b"late"), goaway(3, 1)], [Refused("the server reset the data stream (cancelled)")]),
        ([data(b"", fin=True), reset(1, 5)], [Ended()]),
        ([goaway(3, 0), data(b"x")], [b"x"]),
        ([goaway(1, 0)], [Refused("the server closed the connection (going away)")]),
        ([goaway(3, 1)], [Refused("the server closed the connection (protocol error)")]),
        ([goaway(3, 9)], [Refused("the server closed the connection (status 9)")]),
        ([data(b"", fin=True), data(b"", 1, fin=True), goaway(0, 2)], [Ended()]),
    ],
)
def test_resets_and_farewells_in_words(frames, events):
    assert fed([Server().accept(), *frames]) == [Accepted(), *events]


def test_a_stream_that_is_reset_instead_of_answered():
    assert fed([reset(3, 3)]) == [Refused("the server reset the data stream (stream refused)")]


def test_pings():
    streams = begun(1)
    streams.take()
    assert fed([ping(1)], streams) == []  # never sent
    assert fed([ping(2), ping(0x80000000)], streams) == []
    assert streams.take() == ping(2) + ping(0x80000000)
    streams.ping()
    streams.ping()
    assert streams.take() == ping(1) + ping(3)
    assert fed([ping(1) + ping(3) + ping(5)], streams) == [Pong(), Pong()]
    assert streams.take() == b""


def test_what_changes_nothing():
    server = Server()
    settings = control(4, struct.pack(">IIIII", 2, 4, 100, 7, 65536), flags=1)
    unknown = control(10, bytes(300_000)) + control(0xFFFF, b"", flags=0xFF)  # must be ignored, says the draft
    frames = [settings, control(9, struct.pack(">II", 3, 1)), unknown, server.reply(1)]
    frames += [server.reply(3, {"x-long": "v" * 60_000}), server.reply(3, {"a": "b", "c": ""}, kind=8)]
    assert fed(frames) == [Accepted()]


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (b"HTTP/1.1 400 Bad Request", "data on stream 1213486160, which was never opened"),
        (data(b"x", 0), "stream 0, which was never opened"),
        (data(b"x", 2), "stream 2, which was never opened"),
        (data(b"x"), "was not answered yet"),
        (data(b"", 1, fin=True), "was not answered yet"),
        (control(6, bytes(4), version=2), "version 2, not 3"),
        (control(1, bytes(10)), "opened a stream"),
        (control(6, bytes(5)), "of 5 bytes, not 4"),
        (control(6, b""), "of 0 bytes, not 4"),
        (control(3, bytes(4)), "of 4 bytes, not 8"),
        (control(7, bytes(12)), "of 12 bytes, not 8"),
        (control(9, b""), "of 0 bytes, not 8"),
        (control(4, b""), "of 0 bytes, not 4"),
        (control(4, b"\xff" * 4), "of 4 bytes, not 3"),
        (control(4, bytes(8)), "of 8 bytes, not 4"),
        (reset(5, 1), "a reset on stream 5"),
        (control(2, b"abc"), "no stream"),
        (control(2, bytes(4)), "headers on stream 0"),
        (control(2, b"\0\0\0\3"), "cut off"),
        (control(2, b"\0\0\0\3garbage"), "cannot be decompressed"),
        (control(2, b"\0\0\0\3" + zlib.compress(bytes(4))), "was ended"),
        (Server().reply(3, b"\0\0\0\1"), "cut off"),
        (Server().reply(3, b"\0\0\0\0more"), "longer than they say"),
        (Server().reply(3, b"\0\0\0\1\xff\xff\xff\xffname"), "cut off"),
        (Server().reply(3, b"\xff\xff\xff\xff" + bytes(100)), "cut off"),
        (control(2, bytes(131_073)), "control frame .* of 131073 bytes"),
        (Server().reply(3, {"bomb": "0" * 50_000_000}), "more than 65536 bytes"),
    ],
    ids=repr_briefly,
)
def test_what_makes_no_sense_is_said_in_words_and_ends_it(frame, words):
    for pieces in ([frame], list(cut(frame, random.Random(1), 5))):
        streams = begun(1)
        with pytest.raises(SpdyError, match=words):
            fed(pieces, streams)
        with pytest.raises(SpdyError, match=words):
            streams.receive(b"")


def test_a_stream_is_answered_once():
    server = Server()
    with pytest.raises(SpdyError, match="stream 3 was answered twice"):
        fed([server.accept(), server.reply(3)])


def test_too_long_a_frame_is_refused_before_it_arrives():
    with pytest.raises(SpdyError, match="16777215 bytes"):
        begun(1).receive(struct.pack(">HHI", 0x8003, 8, 0xFFFFFF))


def test_mutations_raise_nothing_else():
    rng = random.Random(11)
    server = Server()
    whole = [server.accept(), ping(2), data(b"some data"), server.reply(3, {"a": "b"}, kind=8), control(4, bytes(4))]
    whole += [data(b'{"message":"m"}', 1), ping(1), goaway(3, 0), reset(1, 5), data(b"", fin=True)]
    good = b"".join(whole)
    raised = 0
    for _ in range(5000):
        bad = bytearray(good)
        for _ in range(rng.randint(1, 6)):
            at = rng.randrange(len(bad))
            match rng.randrange(4):
                case 0:
                    bad[at] = rng.randrange(256)
                case 1:
                    bad[at] ^= 1 << rng.randrange(8)
                case 2:
                    del bad[at : at + rng.randint(1, 8)]
                case _:
                    bad[at:at] = rng.randbytes(rng.randint(1, 8))
        streams = begun(1)
        streams.ping()
        try:
            fed(cut(bytes(bad), rng, rng.choice([1, 10, 1000])), streams)
        except SpdyError as error:
            raised += 1
            assert str(error)
        assert len(streams.take()) < len(bad) + 500
    assert 1000 < raised < 5000


def test_noise_raises_nothing_else():
    rng = random.Random(12)
    for _ in range(3000):
        noise = rng.choice([b"", b"\x80\x03\x00"]) + rng.randbytes(rng.randint(1, 60))
        try:
            fed(cut(noise, rng, 20))
        except SpdyError as error:
            assert str(error)


def test_connections_follow_one_another_and_what_is_late_is_skipped():
    server, streams = Server(), begun(1)
    list(server.read(streams.take()))
    streams.receive(server.accept())
    assert not streams.over
    streams.give_up()
    assert streams.take() == reset(3, 5)
    assert streams.over
    assert fed([data(b"too late"), data(b"", fin=True), data(b"error text", stream=1, fin=True)], streams) == []
    streams.open(2)
    opened = list(server.read(streams.take().removeprefix(reset(3, 5))))
    assert [(stream, headers["port"], headers["requestid"]) for stream, _, _, headers in opened] == [
        (5, "2", "1"),
        (7, "2", "1"),
    ]
    assert streams.frame(3) == struct.pack(">II", 7, 3)
    late = [data(b"of the first"), reset(1, 5), server.reply(5), server.reply(7), data(b"of the second", stream=7)]
    assert fed(late, streams) == [Accepted(), b"of the second"]
    assert fed([data(b"", 7, fin=True), data(b"", 5, fin=True)], streams) == [Ended()]
    assert streams.over


def test_the_next_connection_ends_the_one_before():
    streams = begun(1)
    streams.take()
    streams.open(2)
    assert streams.take().startswith(reset(3, 5))


def test_data_on_a_stream_to_come_is_refused():
    with pytest.raises(SpdyError, match="never opened"):
        begun(1).receive(data(b"x", stream=7))
