"""The kubelet's parts by themselves: words, volumes, addresses, logs, statuses, the supervisor."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sandbox.kubelet_fakes import FakeObjects, until
from tui.sandbox.kubelet import status, supervisor
from tui.sandbox.kubelet.addresses import Addresses
from tui.sandbox.kubelet.environment import ConfigError, Translation, build, expand, mount_variable
from tui.sandbox.kubelet.logs import Log
from tui.sandbox.kubelet.processes import Processes
from tui.sandbox.kubelet.volumes import MountError, Volumes, inside
from tui.sandbox.model import Logs
from tui.sandbox.quantities import quantity


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("/data", "/real"),
        ("/data/x", "/real/x"),
        ("--dir=/data --log=/data/log", "--dir=/real --log=/real/log"),
        ("/database /data.bak x/data http://h/data", "/database /data.bak x/data http://h/data"),
        ("/data/sub/y", "/other/y"),
        ("-h 127.0.0.1:80 localhost,0.0.0.0", "-h 127.9.9.9:80 127.9.9.9,127.9.9.9"),
        ("127.0.0.10 localhost.example my-localhost 10.0.0.0", "127.0.0.10 localhost.example my-localhost 10.0.0.0"),
    ],
)
def test_words_are_translated(text, found):
    mounts = {"/data": Path("/real"), "/data/sub/": Path("/other")}
    assert Translation(mounts, "127.9.9.9").text(text) == found


@pytest.mark.parametrize(
    ("text", "found"), [("$(A)", "1"), ("$$(A)", "$(A)"), ("$(B)", "$(B)"), ("$A $$ $(A)$(A)", "$A $ 11"), ("$(", "$(")]
)
def test_references_are_expanded_as_kubernetes_does(text, found):
    assert expand(text, {"A": "1"}) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1Gi", 1 << 30),
        ("1.5Ki", 1536),
        ("500m", 1),
        ("10M", 10**7),
        ("7", 7),
        ("2Ei", 2 << 60),
        ("x", 0),
        ("1..2", 0),
        ("", 0),
    ],
)
def test_quantities(text, found):
    assert quantity(text) == found


def test_the_environment_comes_from_everywhere():
    objects = FakeObjects()
    objects.create("secrets", {"metadata": {"name": "s"}, "data": {"k": "c2VjcmV0"}})
    objects.create("configmaps", {"metadata": {"name": "c"}, "data": {"x": "1", "y": "2"}})
    pod = {"metadata": {"name": "p", "namespace": "default", "labels": {"a": "b"}}, "spec": {"nodeName": "n"}}
    container = {
        "resources": {"limits": {"memory": "2Mi"}},
        "envFrom": [{"prefix": "C_", "configMapRef": {"name": "c"}}, {"secretRef": {"name": "none", "optional": True}}],
        "env": [
            {"name": "S", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
            {"name": "T", "value": "<$(S)>"},
            {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            {"name": "L", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['a']"}}},
            {"name": "M", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Ki"}}},
            {"name": "O", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "none", "optional": True}}},
        ],
    }
    found = build(objects, pod, container, {"podIP": "127.1.1.1"})
    assert found == {"C_x": "1", "C_y": "2", "S": "secret", "T": "<secret>", "IP": "127.1.1.1", "L": "b", "M": "2048"}
    with pytest.raises(ConfigError, match="couldn't find key z in Secret default/s"):
        build(objects, pod, {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "z"}}}]}, {})
    assert mount_variable("my-data.0") == "STATETUI_MOUNT_MY_DATA_0"


@pytest.mark.parametrize("part", ["..", "a/../../b", "a/..", "x\0y"])
def test_nothing_leads_out_of_a_directory(part, tmp_path):
    with pytest.raises(MountError):
        inside(tmp_path, part)


def test_volumes_are_made_of_what_they_name(tmp_path):
    objects = FakeObjects()
    objects.claim("c")
    objects.create("configmaps", {"metadata": {"name": "m"}, "data": {"a": "1", "b": "2"}})
    objects.create("secrets", {"metadata": {"name": "s"}, "data": {"k": "c2VjcmV0"}})
    volumes = [
        {"name": "claim", "persistentVolumeClaim": {"claimName": "c"}},
        {"name": "map", "configMap": {"name": "m", "items": [{"key": "a", "path": "deep/a", "mode": 0o600}]}},
        {
            "name": "all",
            "projected": {
                "sources": [
                    {"secret": {"name": "s"}},
                    {"downwardAPI": {"items": [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]}},
                ]
            },
        },
    ]
    pod = {"metadata": {"name": "p", "namespace": "default", "uid": "u"}, "spec": {"volumes": volumes}}
    made = Volumes(objects, tmp_path, pod)
    made.mount({})
    assert made.real["claim"] == tmp_path / "volumes" / "pv-c"
    deep = made.real["map"] / "deep" / "a"
    assert deep.read_text() == "1" and deep.stat().st_mode & 0o777 == 0o600 and not (made.real["map"] / "b").exists()
    assert (made.real["all"] / "k").read_text() == "secret" and (made.real["all"] / "name").read_text() == "p"
    mounts = made.mounts({"name": "x", "volumeMounts": [{"name": "claim", "mountPath": "/d", "subPath": "sub"}]}, {})
    assert mounts["/d"] == made.real["claim"] / "sub" and mounts["/d"].is_dir()
    with pytest.raises(ConfigError, match="leads out"):
        made.mounts({"name": "x", "volumeMounts": [{"name": "claim", "mountPath": "/d", "subPath": "../y"}]}, {})
    volumes[1]["configMap"]["items"][0]["path"] = "../../../evil"
    with pytest.raises(MountError, match="leads out"):
        Volumes(objects, tmp_path, pod).mount({})
    made.unmount()
    assert [path.name for path in tmp_path.iterdir() if path.name != "pods"] == ["volumes"]
    assert made.real["claim"].is_dir() and not made.directory.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux answers for all of 127.0.0.0/8")
def test_a_name_keeps_its_address(tmp_path):
    (tmp_path / "run").mkdir()
    addresses = Addresses(tmp_path)
    first, second = addresses.allocate("ns/db-0"), addresses.allocate("ns/other")
    assert first.ip != second.ip and first.port(80) == 80
    assert addresses.allocate("ns/db-0").ip not in (first.ip, second.ip)  # It is in use.
    assert addresses.busy("ns/db-0")
    addresses.release(first, "ns/db-0")
    assert not addresses.busy("ns/db-0")
    assert Addresses(tmp_path).allocate("ns/db-0").ip == first.ip


def test_where_pods_share_an_address_ports_are_mapped(tmp_path, monkeypatch):
    monkeypatch.setattr("tui.sandbox.kubelet.addresses.usable", lambda _: False)
    addresses = Addresses(tmp_path)
    first, second = addresses.allocate("a"), addresses.allocate("b")
    assert first.ip == second.ip == "127.0.0.1" and first.shared
    assert first.port(80) == first.port(80) != second.port(80)


def test_a_port_stands_in_for_one_only_though_nobody_listens_there_yet(tmp_path, monkeypatch):
    monkeypatch.setattr("tui.sandbox.kubelet.addresses.usable", lambda ip: False)
    addresses = Addresses(tmp_path)
    pods = [addresses.allocate(f"ns/db-{number}") for number in range(40)]
    # The system gives one of some ten thousand, so that 400 hardly ever differ of themselves.
    given = [pod.port(port) for pod in pods for port in range(3306, 3316)]
    assert len(set(given)) == len(given)


async def _text(log, **wanted):
    return b"".join([piece async for piece in log.read(Logs(**wanted))])


async def test_logs_rotate_and_are_read_across_the_seam(tmp_path):
    log = Log(tmp_path / "0.log", rotate_at=2000)
    for number in range(60):
        log.feed("stdout", b"line %d\n" % number)
    lines = (await _text(log)).decode().splitlines()
    assert lines[-1] == "line 59" and len(lines) > 30 and lines == [f"line {n}" for n in range(60 - len(lines), 60)]
    assert await _text(log, tail=3) == b"line 57\nline 58\nline 59\n"
    assert await _text(log, tail=0) == b""
    assert len((await _text(log, tail=40)).splitlines()) == 40
    assert await _text(log, since=4e9) == b""
    assert log.older.stat().st_size < 3000 and log.path.stat().st_size < 3000
    following = asyncio.create_task(_text(log, follow=True, tail=0))
    await asyncio.sleep(0.05)
    for number in range(60, 120):
        log.feed("stdout", b"\nline %d" % number)
        await asyncio.sleep(0)
    log.close()
    found = (await following).decode().splitlines()
    assert found[-1] == "line 119" and len(found) >= 60


async def test_long_lines_are_kept_in_parts(tmp_path):
    log = Log(tmp_path / "0.log")
    log.feed("stdout", b"x" * 100_000 + b"\ny\n")
    assert await _text(log) == b"x" * 100_000 + b"\ny\n"


async def test_a_slow_attacher_does_not_hold_the_container(tmp_path):
    log = Log(tmp_path / "0.log")
    attached = log.attach()
    first = asyncio.ensure_future(anext(attached))
    await asyncio.sleep(0)
    for number in range(2000):
        log.feed("stdout", b"%d\n" % number)
    assert (await first)[1] != b""
    log.close()
    assert [data async for _, data in attached][-1] == b"1999\n"


def test_phases_and_conditions():
    main = status.Container({"name": "a"}, "main", {"running": {"startedAt": "x"}}, ready=True, started=True)
    init = status.Container({"name": "i"}, "init")
    assert status.phase([init, main], "Always", ended=False) == "Pending"
    init.finished = init.ready = True
    init.state = status.terminated(0, 0, "x", "id")
    assert status.phase([init, main], "Always", ended=False) == "Running"
    then = {"type": "Ready", "status": "True", "lastTransitionTime": "2020-01-01T00:00:00Z"}
    pod = {"spec": {}, "status": {"conditions": [then, {"type": "mine", "status": "True"}]}}
    found = {c["type"]: c for c in status.conditions(pod, [init, main], "Running", sandbox=True)}
    assert found["Ready"]["lastTransitionTime"] == "2020-01-01T00:00:00Z" and found["mine"]["status"] == "True"
    main.ready = False
    found = {c["type"]: c for c in status.conditions(pod, [init, main], "Running", sandbox=True)}
    assert found["Ready"]["message"] == "containers with unready status: [a]"
    assert found["Ready"]["lastTransitionTime"] != "2020-01-01T00:00:00Z"
    assert status.terminated(137, 9, "x", "id")["terminated"]["reason"] == "Error"


@pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")
@pytest.mark.skipif(sys.platform != "linux", reason="there is but one address")
def test_a_name_gets_another_address_when_somebody_listens_at_its_own(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    addresses = Addresses(tmp_path)
    (tmp_path / "run").mkdir()
    first = addresses.allocate("ns/db-0", [port])
    addresses.release(first, "ns/db-0")
    with socket.create_server((first.ip, port)):
        other = addresses.allocate("ns/db-0", [port])
    assert other.ip != first.ip and other.refused == f"{first.ip}:{port}" and other.port(port) == port
    addresses.release(other, "ns/db-0")
    # It is its own now, also after a new start.
    assert Addresses(tmp_path).allocate("ns/db-0", [port]).ip == other.ip
    with socket.create_server(("0.0.0.0", port)):
        everywhere = Addresses(tmp_path).allocate("ns/db-0", [port])
        real = everywhere.port(port)
        assert (everywhere.ip, everywhere.refused) == (other.ip, "") and real != port
        # Peers ask by name, and find the same one after a new start.
        again = Addresses(tmp_path)
        assert again.port("ns/db-0", port) == real == again.allocate("ns/db-0", [port]).port(port)
    free = Addresses(tmp_path)
    assert free.allocate("ns/db-0", [port]).port(port) == port == free.port("ns/db-0", port)


async def test_what_a_killed_supervisor_left_is_ended_at_the_next_start(tmp_path):
    # As if even the supervisor had been killed: a process that it had noted, and one whose id another has by now.
    left = subprocess.Popen(["sleep", "1000"], start_new_session=True)  # noqa: ASYNC220
    other = subprocess.Popen(["sleep", "1000"], start_new_session=True)  # noqa: ASYNC220
    named = {**os.environ, supervisor.RUN: str(tmp_path)}
    grandchild = subprocess.Popen(["sleep", "1000"], start_new_session=True, env=named)  # noqa: ASYNC220
    served, precious = tmp_path / "served.sock", tmp_path / "precious"
    precious.touch()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(served))
    pids = tmp_path / "pids"
    pids.mkdir()
    start = supervisor.processes()[left.pid][2]
    note = {"start": start, "litter": [str(served), str(precious), str(tmp_path / "absent")]}
    (pids / str(left.pid)).write_text(json.dumps(note))
    (pids / str(other.pid)).write_text(json.dumps({"start": start - 1, "litter": []}))
    (pids / "garbage").write_text("x")
    processes = Processes(tmp_path)
    try:
        await processes.open()
        await until(lambda: left.poll() is not None)
        assert left.returncode == -signal.SIGKILL and other.poll() is None
        await until(lambda: grandchild.poll() is not None)
        await until(lambda: not list(pids.iterdir()))
        assert not served.exists() and precious.exists()
    finally:
        await processes.close()
        other.kill()
        for each in (other, left, grandchild):
            each.wait()


async def test_what_a_process_started_ends_with_a_killed_supervisor_and_so_do_its_sockets(tmp_path):
    processes = Processes(tmp_path / "run")
    await processes.open()
    null, served = os.open(os.devnull, os.O_RDWR), tmp_path / "served.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(served))
    words = ["sh", "-c", "setsid sleep 1000 & echo $! >pid; wait"]
    streams = (null, os.dup(null), os.dup(null))
    await processes.start(words, {"PATH": os.environ["PATH"]}, tmp_path, streams, mark="m", litter=[str(served)])
    await until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip())
    pid = int((tmp_path / "pid").read_text())
    processes._supervisor.kill()
    if sys.platform == "linux":
        await until(lambda: pid not in supervisor.processes() or supervisor._zombie(pid))
    await until(lambda: not served.exists())
    await processes.close()


async def test_a_supervisor_that_dies_ends_its_children_and_is_noticed(tmp_path):
    processes = Processes(tmp_path)
    await processes.open()
    null = os.open(os.devnull, os.O_RDWR)
    child = await processes.start(
        ["sleep", "1000"], {"PATH": os.environ["PATH"]}, tmp_path, (null, os.dup(null), os.dup(null)), mark="m"
    )
    processes._supervisor.kill()
    assert (await asyncio.wait_for(child.ended, 60)).code == 137
    if sys.platform == "linux":
        await until(lambda: child.pid not in supervisor.processes())
    null = os.open(os.devnull, os.O_RDWR)
    with pytest.raises(OSError):
        await processes.start(["true"], {"PATH": os.environ["PATH"]}, tmp_path, (null, null, null), mark="m")
    await processes.close()
