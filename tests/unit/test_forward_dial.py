"""Which protocol is tried when, what a refusal means, and how many handshakes run at once."""

from __future__ import annotations

import asyncio
import random

import pytest
from fake_forward import BOTH, Answer, Bench, refuse_rights, until
from fake_forward_apps import Sink, echo, says
from fake_tls import data as pem_data
from fake_tls import server_context

from tui.kube.forward import dial
from tui.kube.forward.remote import SPDY, V4
from tui.kube.forward.views import State
from tui.kube.kubeconfig import User
from tui.problem import Cause, Problem, ProblemError

EMPTY_403 = Answer(403)


def asked(bench: Bench) -> list[str]:
    return [protocol for protocol, _, _ in bench.server.asked]


async def reaches(bench: Bench, forward) -> None:
    reader, writer = await bench.through_port(forward)
    writer.write(b"\n")
    assert await asyncio.wait_for(reader.readline(), 20) == b"here\n"
    writer.close()
    await until(lambda: not forward.view().tunnels)


STATUS_404 = {"kind": "Status", "message": "the server could not find the requested resource", "code": 404}


@pytest.mark.parametrize(
    "answer",
    [
        EMPTY_403,
        Answer(400, "unable to upgrade: unsupported protocol"),
        Answer(400, {"kind": "Status", "message": "Upgrade request required", "code": 400}),
        Answer(400, 'query parameter "port" is required\n'),  # Kubernetes 1.20
        Answer(404, "404 page not found\n"),
        Answer(404, STATUS_404),
        Answer(405, "method not allowed"),
        Answer(200, "<html>a login page</html>"),
        Answer(302, headers={"Location": "https://login.example.test"}),
        Answer(500, "websocket: bad handshake"),
        Answer(403, "<html>blocked</html>"),
    ],
    ids=lambda answer: f"{answer.status} {str(answer.body)[:12]}",
)
async def test_a_server_that_knows_no_spdy_gets_v4_and_that_is_remembered(answer):
    async with Bench() as bench:
        bench.put("db-0")
        bench.server.serve(7, says(b"here"))
        bench.server.refuse[SPDY] = [answer]
        forward = bench.to(7)
        assert bench.book.protocol == ""
        await reaches(bench, forward)
        assert asked(bench) == [SPDY, V4] and bench.book.protocol == V4 == forward.view().protocol
        assert bench.server.asked[1][2] == {"ports": ["7"]} and bench.server.asked[0][2] == {}
        await reaches(bench, forward)
        assert asked(bench) == [SPDY, V4, V4]
        # And the other way round: a proxy that learns it, or a cluster that is upgraded.
        bench.server.refuse = {V4: [EMPTY_403]}
        await reaches(bench, forward)
        assert asked(bench)[3:5] == [V4, SPDY] and bench.book.protocol == SPDY


async def test_spdy_comes_first():
    async with Bench() as bench:
        bench.put("db-0")
        bench.server.serve(7, says(b"here"))
        await reaches(bench, bench.to(7))
        assert set(asked(bench)) == {SPDY} and bench.book.protocol == SPDY


async def test_no_protocol_at_all():
    async with Bench() as bench:
        bench.put("db-0")
        bench.server.refuse[""] = [Answer(400, "no upgrade here")]
        forward = bench.to(7, patience=0)
        with pytest.raises(ProblemError) as caught:
            await forward.connect()
        problem = caught.value.problem
        assert (problem.cause, bench.book.protocol) == (Cause.PROTOCOL, "")
        assert "No protocol" in problem.what and "no upgrade here" in problem.evidence and "kubectl" in problem.remedy
        assert asked(bench) == [SPDY, V4]


@pytest.mark.parametrize("protocol", BOTH)
@pytest.mark.parametrize("words", [True, False])
@pytest.mark.parametrize("verb", ["get", "create"])
async def test_who_may_not_forward_is_told_the_verb(protocol, verb, words):
    async with Bench() as bench:
        bench.put("db-0")
        bench.dialer.protocol = protocol
        bench.server.refuse[""] = [refuse_rights(verb, words)]
        forward = bench.to(7)
        with pytest.raises(ProblemError) as caught:
            await forward.connect()
        problem = caught.value.problem
        assert problem.cause is Cause.FORBIDDEN and "is forbidden" in problem.evidence
        assert problem.what == f"You may not {verb if words else 'create'} pods/portforward in namespace shop"
        assert "get and create" in problem.remedy
        assert asked(bench) == [protocol], "neither another protocol nor another attempt can help"
        assert forward.state is State.DEGRADED and forward.evidence == problem.evidence


@pytest.mark.parametrize("protocol", BOTH)
async def test_a_token_that_has_run_out_is_renewed_once(protocol, tmp_path, monkeypatch):
    monkeypatch.setattr("tui.kube.credentials.COOL_DOWN", 0.0)
    file = tmp_path / "token"
    file.write_text("old")
    async with Bench(protocol=protocol, user=User(token_file=str(file))) as bench:
        bench.put("db-0")
        bench.server.serve(7, says(b"here"))
        bench.server.tokens = {"old"}
        forward = bench.to(7)
        await reaches(bench, forward)
        for socket in bench.server.sockets:
            socket.drop()
        await asyncio.sleep(0.05)
        bench.server.tokens = {"new"}
        file.write_text("new")
        await reaches(bench, forward)
        for socket in bench.server.sockets:
            socket.drop()
        await asyncio.sleep(0.05)
        bench.server.tokens = {"newer"}
        before = len(bench.server.asked)
        with pytest.raises(ProblemError) as caught:
            await forward.connect()
        assert caught.value.problem.cause is Cause.CREDENTIALS and len(bench.server.asked) - before <= 2


@pytest.mark.parametrize(
    ("answer", "cause", "what"),
    [
        (
            Answer(404, {"kind": "Status", "message": 'pods "db-0" not found', "code": 404}),
            Cause.ABSENT,
            "not there any",
        ),
        (Answer(503, "etcd is gone"), Cause.SERVER, "failed (503)"),
        (
            Answer(500, "error dialing backend: dial tcp 10.0.0.1:10250: connect: connection refused"),
            Cause.SERVER,
            "500",
        ),
        (Answer(429, "slowly"), Cause.THROTTLED, "slow down"),
        (Answer(0), Cause.UNREACHABLE, "dropped the connection"),
    ],
    ids=lambda value: str(getattr(value, "status", value)),
)
async def test_what_is_no_matter_of_protocols_tries_no_other(answer, cause, what):
    async with Bench() as bench:
        bench.put("db-0")
        bench.server.refuse[""] = [answer]
        with pytest.raises(ProblemError) as caught:
            await bench.to(7, patience=0).connect()
        assert (caught.value.problem.cause, set(asked(bench))) == (cause, {SPDY})
        assert what in caught.value.problem.what


@pytest.mark.parametrize("protocol", BOTH)
async def test_a_handshake_that_takes_too_long(protocol, monkeypatch):
    monkeypatch.setattr(dial, "TIMEOUT", 0.1)
    async with Bench(protocol=protocol) as bench:
        bench.put("db-0")
        bench.server.serve(7, says(b"here"))
        bench.server.refuse[""] = [Answer(200, after=5)]
        with pytest.raises(ProblemError) as caught:
            await bench.to(7, patience=0).connect()
        assert caught.value.problem.cause is Cause.TIMEOUT
        bench.server.refuse[""] = [Answer(200, after=5), Answer(-1)]
        await reaches(bench, bench.to(7))


@pytest.mark.parametrize("protocol", BOTH)
async def test_thirty_two_handshakes_run_at_once(protocol):
    async with Bench(protocol=protocol) as bench:
        bench.put("db-0")
        bench.server.serve(7, echo)
        bench.server.refuse[""] = [Answer(-1, after=0.1)]
        forward = bench.to(7)
        connections = await asyncio.gather(*(forward.connect() for _ in range(70)))
        assert bench.server.most_at_once == dial.AT_ONCE == 32
        assert len(forward.view().tunnels) == 70 and forward.view().failures == 0
        for connection in connections:
            connection.socket.close()
        await until(lambda: not forward.view().tunnels)


async def test_who_gives_up_during_the_handshake_frees_its_place():
    async with Bench(protocol=V4) as bench:
        bench.put("db-0")
        bench.server.serve(7, says(b"here"))
        bench.server.refuse[""] = [Answer(-1, after=0.3)]
        forward = bench.to(7)
        trying = [asyncio.create_task(forward.connect()) for _ in range(40)]
        await until(lambda: bench.server.at_once == 32)
        for task in trying:
            task.cancel()
        await asyncio.gather(*trying, return_exceptions=True)
        bench.server.refuse.clear()
        await until(lambda: not forward.view().tunnels)
        await reaches(bench, forward)
        assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("tunnel")]


@pytest.mark.parametrize("protocol", BOTH)
async def test_through_tls_all_that_was_sent_arrives_although_the_program_goes_at_once(protocol):
    noise = random.Random(3).randbytes(2 << 20)
    async with Bench(protocol=protocol, tls=server_context(), certificate_authority_data=pem_data("ca")) as bench:
        bench.put("db-0")
        sink = Sink()
        bench.server.serve(7, sink)
        bench.server.serve(8, echo)
        forward = bench.to(7)
        for number in range(3):
            _, writer = await bench.through_port(forward)
            writer.write(noise)
            writer.close()
            await until(lambda n=number: len(sink.got) > n and len(sink.got[n]) == len(noise), 10)
        assert all(got == noise for got in sink.got)
        reader, writer = await bench.through_port(bench.to(8))
        writer.write(noise)
        assert await reader.readexactly(len(noise)) == noise
        writer.close()
        await until(lambda: not forward.view().tunnels)


async def test_a_mistake_of_ours_ends_the_connection_instead_of_leaving_it(monkeypatch):
    async with Bench(protocol=V4) as bench:
        bench.put("db-0")

        async def broken(*_: object):
            raise KeyError("oops")

        monkeypatch.setattr(bench.dialer, "_open", broken)
        forward = bench.to(7)
        with pytest.raises(ProblemError) as caught:
            async with asyncio.timeout(2):
                await forward.connect()
        assert caught.value.problem.cause is Cause.INTERNAL and "oops" in caught.value.problem.evidence
        assert forward.view().tunnels == ()


@pytest.mark.parametrize(
    ("problem", "refuses"),
    [
        (Problem(Cause.FORBIDDEN, "x", 'pods "a" is forbidden'), False),
        (Problem(Cause.FORBIDDEN, "x", ""), True),
        (Problem(Cause.PROTOCOL, "x", ""), True),
        (Problem(Cause.SERVER, "x", "container not found"), False),
        (Problem(Cause.CREDENTIALS, "x", "upgrade"), False),
        (Problem(Cause.UNREACHABLE, "x", "protocol"), False),
    ],
)
def test_which_refusals_are_about_the_protocol(problem, refuses):
    assert dial._refuses_protocol(problem, SPDY) is dial._refuses_protocol(problem, V4) is refuses


def test_what_is_rejected_is_tried_with_v4_once():
    rejected = Problem(Cause.REJECTED, "x", "pod db-0 does not have a host assigned")
    assert dial._refuses_protocol(rejected, SPDY) is True
    assert dial._refuses_protocol(rejected, V4) is False
