"""Pods that run: their processes, their statuses, their ends."""

from __future__ import annotations

import asyncio
import io
import os
import re
import signal
import socket
import sys
import tarfile
from pathlib import Path

import pytest

from tests.sandbox.kubelet_fakes import FakeObjects, sh, until
from tui.sandbox.freeports import free_port
from tui.sandbox.kubelet import BusyError, Kubelet, supervisor
from tui.sandbox.kubelet.addresses import Addresses
from tui.sandbox.model import Exec, Logs


@pytest.fixture
async def objects():
    return FakeObjects()


@pytest.fixture
async def kubelet(objects, tmp_path):
    kubelet = Kubelet(objects, tmp_path / "state")
    kubelet.host.first = 0.3
    await kubelet.start()
    yield kubelet
    await kubelet.stop(grace=0)


def status(objects, name="p"):
    return objects.get("pods", "default", name)["status"]


def state(objects, name="p", number=0, key="containerStatuses"):
    return status(objects, name)[key][number]


def conditions(objects, name="p"):
    return {c["type"]: c["status"] for c in status(objects, name)["conditions"]}


async def text(kubelet, name="p", container="app", **wanted):
    return b"".join([piece async for piece in kubelet.logs("default", name, container, Logs(**wanted))]).decode()


async def run(kubelet, *words, name="p", container="app"):
    process = await kubelet.exec("default", name, container, Exec(tuple(words)))
    out = {"stdout": b"", "stderr": b""}
    while (piece := await process.read()) is not None:
        out[piece[0]] += piece[1]
    return await process.wait(), out["stdout"].decode(), out["stderr"].decode()


async def test_a_pod_runs_and_says_so_as_the_kubelet_does(objects, kubelet):
    objects.pod("p", sh("echo hello; echo oops >&2; sleep 1000"))
    await until(lambda: conditions(objects)["Ready"] == "True")
    found = status(objects)
    assert (
        found["phase"] == "Running"
        and found["podIP"].startswith("127.")
        and found["podIPs"] == [{"ip": found["podIP"]}]
    )
    container = found["containerStatuses"][0]
    assert (container["ready"], container["started"], container["restartCount"], container["lastState"]) == (
        True,
        True,
        0,
        {},
    )
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", container["state"]["running"]["startedAt"])
    assert set(conditions(objects).values()) == {"True"}
    assert [reason for name, reason, _, _ in objects.events if name == "p"] == ["Pulled", "Created", "Started"]
    waiting = [
        h["containerStatuses"][0]["state"]["waiting"]["reason"] for h in objects.history if h["phase"] == "Pending"
    ]
    assert set(waiting) == {"ContainerCreating"}
    await until(
        lambda: (
            "oops"
            in (
                kubelet.host.state / "pods" / objects.get("pods", "default", "p")["metadata"]["uid"] / "logs/app/0.log"
            ).read_text()
        )
    )
    assert sorted((await text(kubelet)).splitlines()) == ["hello", "oops"]
    stamped = await text(kubelet, timestamps=True, tail=1)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z (hello|oops)\n", stamped)


async def test_init_containers_run_in_order_and_sidecars_stay(objects, kubelet):
    write = "echo $0 >>$STATETUI_MOUNT_SHARED/order"
    mount = {"volumeMounts": [{"name": "shared", "mountPath": "/shared"}]}
    inits = [
        {**sh("", "one"), "command": ["sh", "-c", f"sleep 0.3; {write}", "one"], **mount},
        {
            **sh("", "side"),
            "command": ["sh", "-c", f"{write}; exec sleep 1000", "side"],
            "restartPolicy": "Always",
            **mount,
        },
        {**sh("", "two"), "command": ["sh", "-c", write, "two"], **mount},
    ]
    objects.pod(
        "p",
        sh("cat /shared/order; sleep 1000", **mount),
        initContainers=inits,
        volumes=[{"name": "shared", "emptyDir": {}}],
    )
    await until(lambda: conditions(objects)["Ready"] == "True")
    await until(lambda: (kubelet.host.state / "pods").rglob("0.log"))
    assert (await run(kubelet, "cat", "/shared/order"))[1].split() == ["one", "side", "two"]
    inits = status(objects)["initContainerStatuses"]
    assert inits[0]["state"]["terminated"]["reason"] == "Completed" and inits[0]["ready"] and not inits[0]["started"]
    assert "running" in inits[1]["state"] and inits[1]["started"]
    pending = [h for h in objects.history if h["phase"] == "Pending"]
    assert any(
        c["message"] == "containers with incomplete status: [one side two]"
        for c in pending[0]["conditions"]
        if c["type"] == "Initialized"
    )
    assert pending[-1]["containerStatuses"][0]["state"] == {"waiting": {"reason": "PodInitializing"}}


async def test_a_crash_loop_backs_off_and_keeps_the_previous_log(objects, kubelet):
    objects.pod("p", sh("echo run; exit 3"))
    await until(lambda: state(objects)["state"]["waiting"]["reason"] == "CrashLoopBackOff")
    found = state(objects)
    assert found["restartCount"] == 1 and found["lastState"]["terminated"]["exitCode"] == 3
    assert found["lastState"]["terminated"]["reason"] == "Error" and not found["ready"]
    uid = objects.get("pods", "default", "p")["metadata"]["uid"]
    assert found["state"]["waiting"]["message"] == f"back-off 0.3s restarting failed container=app pod=p_default({uid})"
    assert f"Back-off restarting failed container app in pod p_default({uid})" in objects.said("p", "BackOff")
    await until(lambda: state(objects)["restartCount"] >= 2)
    await until(lambda: state(objects)["state"]["waiting"]["reason"] == "CrashLoopBackOff")
    assert await text(kubelet, previous=True) == "run\n"
    assert status(objects)["phase"] == "Running"


async def test_pods_that_end_succeed_or_fail(objects, kubelet):
    objects.pod("good", sh("exit 0"), restartPolicy="Never")
    objects.pod("bad", sh("exit 0"), sh("exit 4", "b"), restartPolicy="Never")
    objects.pod("init", sh("exit 0"), restartPolicy="Never", initContainers=[sh("exit 1", "i")])
    await until(lambda: status(objects, "good")["phase"] == "Succeeded")
    await until(lambda: status(objects, "bad")["phase"] == "Failed")
    await until(lambda: status(objects, "init")["phase"] == "Failed")
    assert state(objects, "good")["state"]["terminated"]["reason"] == "Completed"
    ready = {c["type"]: c for c in status(objects, "good")["conditions"]}["Ready"]
    assert (ready["status"], ready["reason"]) == ("False", "PodCompleted")
    assert state(objects, "init")["state"] == {"waiting": {"reason": "PodInitializing"}}


async def test_deleting_a_pod_ends_it_politely_and_then_for_good(objects, kubelet):
    hook = {"preStop": {"exec": {"command": ["sh", "-c", "echo hook >$STATETUI_MOUNT_D/hook"]}}}
    mount = {"volumeMounts": [{"name": "d", "mountPath": "/d"}]}
    objects.claim("c")
    volumes = [{"name": "d", "persistentVolumeClaim": {"claimName": "c"}}]
    polite = "trap 'echo bye >$STATETUI_MOUNT_D/bye; exit 0' TERM; while :; do sleep 0.05; done"
    stubborn = "trap '' TERM; sleep 1000 & while :; do sleep 0.1; done"
    objects.pod(
        "p", sh(polite, lifecycle=hook, **mount), sh(stubborn, "b"), volumes=volumes, terminationGracePeriodSeconds=1
    )
    await until(lambda: conditions(objects)["Ready"] == "True")
    pids = [r.child.pid for r in next(iter(kubelet._pods.values())).runners.values()]
    objects.delete("pods", "default", "p")
    await until(lambda: objects.get("pods", "default", "p") is None)
    kept = kubelet.host.state / "volumes" / "pv-c"
    assert (kept / "hook").exists() and (kept / "bye").exists()
    assert objects.said("p", "Killing") == ["Stopping container app", "Stopping container b"]
    last = objects.history[-1]
    assert [c["state"]["terminated"]["exitCode"] for c in last["containerStatuses"]] == [0, 137]
    assert last["phase"] == "Failed"
    for pid in pids:
        await until(lambda pid=pid: not Path(f"/proc/{pid}").exists())
    await until(lambda: not list((kubelet.host.state / "pods").iterdir()))


async def test_what_is_missing_is_waited_for(objects, kubelet):
    env = [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]
    mount = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}
    objects.pod("p", sh("echo $A; sleep 1000", env=env))
    objects.pod("q", sh("sleep 1000", **mount), volumes=[{"name": "v", "configMap": {"name": "zz"}}])
    objects.pod("r", {"name": "app", "image": "nosuch/server:1"})
    objects.pod("h", sh("sleep 1000", **mount), volumes=[{"name": "v", "hostPath": {"path": "/"}}])
    await until(
        lambda: (
            state(objects)["state"]["waiting"]
            == {"reason": "CreateContainerConfigError", "message": 'secret "s" not found'}
        )
    )
    await until(lambda: state(objects, "r")["state"]["waiting"]["reason"] == "ErrImagePull")
    await until(lambda: state(objects, "r")["state"]["waiting"]["reason"] == "ImagePullBackOff")
    assert "nosuch/server:1" in state(objects, "r")["state"]["waiting"]["message"]
    await until(lambda: objects.said("q", "FailedMount"))
    assert objects.said("q", "FailedMount")[0] == 'MountVolume.SetUp failed for volume "v" : configmap "zz" not found'
    assert "refuses volumes of type hostPath" in (await until(lambda: objects.said("h", "FailedMount")))[0]
    assert state(objects, "q")["state"] == {"waiting": {"reason": "ContainerCreating"}}
    objects.create("secrets", {"metadata": {"name": "s"}, "data": {"k": "aGk="}})
    objects.create("configmaps", {"metadata": {"name": "zz"}, "data": {"k": "v"}})
    await until(lambda: conditions(objects)["Ready"] == "True")
    await until(lambda: conditions(objects, "q")["Ready"] == "True")
    assert (await run(kubelet, "cat", "/v/k", name="q"))[1] == "v"


async def test_a_program_that_is_not_there_is_a_start_error(objects, kubelet):
    objects.pod("p", {"name": "app", "image": "sandbox/process", "command": ["nosuchprogram"]})
    await until(lambda: state(objects)["lastState"]["terminated"]["reason"] == "StartError")
    found = state(objects)["lastState"]["terminated"]
    assert found["exitCode"] == 128 and 'exec: "nosuchprogram": executable file not found' in found["message"]


async def test_probes_gate_and_restart(objects, kubelet):
    probe = {"exec": {"command": ["test", "-e", "/tmp/up"]}, "periodSeconds": 0.1}
    liveness = {
        "exec": {"command": ["sh", "-c", "echo bad; test ! -e $TMPDIR/ill"]},
        "periodSeconds": 0.1,
        "failureThreshold": 2,
    }
    tcp = {"tcpSocket": {"port": "web"}, "periodSeconds": 0.1}
    objects.pod(
        "p",
        sh(
            "rm -f $TMPDIR/ill; exec sleep 1000",
            readinessProbe=probe,
            livenessProbe=liveness,
            terminationGracePeriodSeconds=0,
        ),
        sh("sleep 1000", "b", readinessProbe=tcp, ports=[{"name": "web", "containerPort": 8099}]),
        terminationGracePeriodSeconds=1,
    )
    await until(lambda: "running" in state(objects)["state"] and "running" in state(objects, number=1)["state"])
    ip = status(objects)["podIP"]
    await until(lambda: objects.said("p", "Unhealthy"))
    assert conditions(objects)["Ready"] == "False"
    assert (await run(kubelet, "touch", "/tmp/up"))[0] == 0
    await until(lambda: state(objects)["ready"])
    assert f"Readiness probe failed: dial tcp {ip}:8099: connect: connection refused" in objects.said("p", "Unhealthy")
    server = await asyncio.start_server(lambda _, writer: writer.close(), ip, 8099)
    await until(lambda: conditions(objects)["Ready"] == "True")
    reader, _ = await kubelet.connect("default", "p", 8099)
    assert await reader.read() == b""
    server.close()
    await until(lambda: conditions(objects)["Ready"] == "False")
    await run(kubelet, "touch", "/tmp/ill")
    await until(lambda: state(objects)["restartCount"] == 1 and "running" in state(objects)["state"])
    assert "Container app failed liveness probe, will be restarted" in objects.said("p", "Killing")
    assert "Liveness probe failed: bad" in objects.said("p", "Unhealthy")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux answers for all of 127.0.0.0/8")
async def test_a_pod_made_anew_has_its_address_however_the_old_one_went(objects, kubelet):
    objects.pod("db-0", sh("trap '' TERM; sleep 1000"), terminationGracePeriodSeconds=0)
    await until(lambda: conditions(objects, "db-0")["Ready"] == "True")
    ip = status(objects, "db-0")["podIP"]
    for grace in (None, 0, None, 0):
        objects.delete("pods", "default", "db-0", grace=grace)
        while objects.get("pods", "default", "db-0") is not None:
            await asyncio.sleep(0)
        objects.pod("db-0", sh("trap '' TERM; sleep 1000"), terminationGracePeriodSeconds=0)
        await until(lambda: conditions(objects, "db-0")["Ready"] == "True")
        assert status(objects, "db-0")["podIP"] == ip


async def test_a_pod_that_was_deleted_at_once_says_nothing_of_its_successor(objects, kubelet):
    objects.pod("p", sh("echo old; sleep 1000"))
    await until(lambda: conditions(objects)["Ready"] == "True")
    old = next(iter(kubelet._pods.values()))
    objects.delete("pods", "default", "p", grace=0)
    objects.pod("p", sh("sleep 1000"), nodeName="elsewhere")
    old.records[0].ready = False
    old.changed()
    assert "status" not in objects.get("pods", "default", "p")


async def test_readiness_gates_of_others_count(objects, kubelet):
    objects.pod("p", sh("sleep 1000"), readinessGates=[{"conditionType": "x/y"}])
    await until(lambda: conditions(objects)["ContainersReady"] == "True")
    assert conditions(objects)["Ready"] == "False"
    now = status(objects)["conditions"]
    objects.patch("pods", "default", "p", {"status": {"conditions": [*now, {"type": "x/y", "status": "True"}]}})
    await until(lambda: conditions(objects)["Ready"] == "True")
    assert conditions(objects)["x/y"] == "True"


async def test_exec_passes_streams_codes_and_a_terminal(objects, kubelet):
    objects.pod("p", sh("sleep 1000", env=[{"name": "WHO", "value": "me"}]))
    await until(lambda: conditions(objects)["Ready"] == "True")
    assert await run(kubelet, "sh", "-c", "echo $WHO; echo no >&2; exit 3") == (3, "me\n", "no\n")
    process = await kubelet.exec("default", "p", "app", Exec(("cat",), stdin=True))
    await process.write(b"x" * 300_000)
    process.end_input()
    size = 0
    while (piece := await process.read()) is not None:
        size += len(piece[1])
    assert size == 300_000 and await process.wait() == 0
    process = await kubelet.exec(
        "default", "p", "app", Exec(("sh", "-c", "read x; stty size; tty"), tty=True, stdin=True)
    )
    process.resize(101, 33)
    await process.write(b"\n")
    shown = b""
    while (piece := await process.read()) is not None:
        shown += piece[1]
    assert b"33 101" in shown and b"/dev/pts/" in shown and await process.wait() == 0
    process = await kubelet.exec("default", "p", "app", Exec(("sleep", "1000")))
    process.kill()
    assert await process.wait() == 137


async def test_logs_are_followed_to_the_end(objects, kubelet):
    objects.pod("p", sh("for i in 1 2 3; do echo $i; sleep 0.1; done"), restartPolicy="Never")
    await until(lambda: "running" in state(objects)["state"])
    attached: list[bytes] = []

    async def attach():
        attached.extend([data async for _, data in kubelet.attach("default", "p", "app")])

    task = asyncio.create_task(attach())
    assert await text(kubelet, follow=True) == "1\n2\n3\n"
    await task
    assert b"3\n" in b"".join(attached)
    assert await text(kubelet, tail=2) == "2\n3\n"
    assert await text(kubelet, limit=3) == "1\n2"


async def test_pods_listen_on_one_port_and_mounts_are_translated(objects, kubelet):
    port = free_port("0.0.0.0")  # one that no other program here has on any address
    # HTTPServer would ask the name server for its own name first.
    serve = f"""import http.server as h, socketserver as s, sys
s.ThreadingTCPServer((sys.argv[1], {port}), h.SimpleHTTPRequestHandler).serve_forever()"""
    probe = {"httpGet": {"path": "/", "port": port}, "periodSeconds": 0.2, "timeoutSeconds": 3}
    # Not the environment's: in a clone below /tmp that path would be taken for one in the container's own /tmp.
    python = str(Path(sys.executable).resolve())
    for name in ("a", "b"):
        objects.pod(
            name,
            {
                "name": "app",
                "image": "sandbox/process",
                "command": [python, "-c", serve, "0.0.0.0"],
                "readinessProbe": probe,
            },
        )

    def told():
        logs = [path.read_text() for path in (kubelet.host.state / "pods").rglob("*.log")]
        return f"{status(objects, 'a')}, {status(objects, 'b')}, {objects.events}, {logs}"

    for name in ("a", "b"):
        await until(lambda name=name: conditions(objects, name)["Ready"] == "True", told=told)
    assert status(objects, "a")["podIP"] != status(objects, "b")["podIP"]


@pytest.mark.skipif(sys.platform != "linux", reason="needs GNU tar")
async def test_files_are_copied_under_the_names_of_the_mounts(objects, kubelet):
    mount = {"volumeMounts": [{"name": "d", "mountPath": "/var/lib/x.y"}]}
    objects.pod(
        "p", sh("echo hi >/var/lib/x.y/file; exec sleep 1000", **mount), volumes=[{"name": "d", "emptyDir": {}}]
    )
    await until(lambda: conditions(objects)["Ready"] == "True")
    await until(lambda: list((kubelet.host.state / "pods").rglob("file")))
    process = await kubelet.exec("default", "p", "app", Exec(("tar", "cf", "-", "/var/lib/x.y/file")))
    archive = b""
    while (piece := await process.read()) is not None:
        archive += piece[1] if piece[0] == "stdout" else b""
    assert await process.wait() == 0
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        assert tar.getnames() == ["var/lib/x.y/file"]
    process = await kubelet.exec("default", "p", "app", Exec(("tar", "-xmf", "-", "-C", "/var/lib/x.y"), stdin=True))
    await process.write(archive)
    process.end_input()
    assert await process.wait() == 0
    assert (await run(kubelet, "cat", "/var/lib/x.y/var/lib/x.y/file"))[1] == "hi\n"


async def test_usage_is_measured(objects, kubelet):
    objects.claim("c", "1Mi")
    mount = {"volumeMounts": [{"name": "d", "mountPath": "/d"}]}
    volumes = [{"name": "d", "persistentVolumeClaim": {"claimName": "c"}}]
    objects.pod(
        "p", sh("dd if=/dev/zero of=/d/x bs=1024 count=600 2>/dev/null; while :; do :; done", **mount), volumes=volumes
    )
    await until(lambda: conditions(objects)["Ready"] == "True")
    await asyncio.sleep(0.3)
    await kubelet._usage.sample()
    await asyncio.sleep(0.3)
    await kubelet._usage.sample()
    pod = kubelet.stats()["pods"][0]
    volume = pod["volume"][0]
    assert volume["pvcRef"] == {"name": "c", "namespace": "default"} and volume["capacityBytes"] == 1048576
    assert 600 * 1024 <= volume["usedBytes"] < 700 * 1024
    assert volume["availableBytes"] == 1048576 - volume["usedBytes"]
    usage = kubelet.metrics()[0]["containers"][0]["usage"]
    assert int(usage["cpu"][:-1]) > 100_000_000 and int(usage["memory"][:-2]) > 100
    assert "nothing enforces it" in objects.said("c", "SizeNotEnforced")[0]


async def test_the_end_of_the_log_says_why_a_container_failed_if_that_is_asked_for(objects, kubelet):
    words = "seq 500; echo 'the last words' >&2; exit 3"
    asked = {**sh(words), "terminationMessagePolicy": "FallbackToLogsOnError"}
    objects.pod("p", asked, restartPolicy="Never")
    objects.pod("q", sh(words), restartPolicy="Never")
    objects.pod("r", {**asked, "command": ["sh", "-c", "echo fine"]}, restartPolicy="Never")
    await until(lambda: all(status(objects, name)["phase"] in ("Failed", "Succeeded") for name in "pqr"))
    message = state(objects, "p")["state"]["terminated"]["message"]
    assert message.endswith("500\nthe last words\n") and len(message.splitlines()) == 80
    assert not any("message" in state(objects, name)["state"]["terminated"] for name in "qr")


async def test_a_full_volume_is_said_to_be_full_each_time_that_it_is(objects, kubelet):
    objects.claim("c", "1Mi")
    mount = {"volumeMounts": [{"name": "d", "mountPath": "/d"}]}
    volumes = [{"name": "d", "persistentVolumeClaim": {"claimName": "c"}}]
    objects.pod("p", sh("sleep 1000", **mount), volumes=volumes)
    await until(lambda: conditions(objects)["Ready"] == "True")
    for times in (1, 2):
        for _ in range(2):
            assert (await run(kubelet, "sh", "-c", "head -c 1500000 /dev/zero >/d/x"))[0] == 0
            await kubelet._usage.sample()
        volume = kubelet.stats()["pods"][0]["volume"][0]
        assert volume["capacityBytes"] == 1 << 20 and volume["availableBytes"] == 0
        assert volume["usedBytes"] > volume["capacityBytes"]
        for about in ("p", "c"):
            said = objects.said(about, "VolumeFull")
            assert len(said) == times and "holds 1 MiB and was to hold 1 MiB" in said[0] and "Remove data" in said[0]
        await run(kubelet, "sh", "-c", "rm /d/x")
        await kubelet._usage.sample()
        assert kubelet.stats()["pods"][0]["volume"][0]["availableBytes"] > 0


async def test_a_port_that_somebody_else_has_is_gone_round(objects, kubelet):
    def server(port):
        words = f"exec python3 -m http.server --bind $POD_IP $STATETUI_PORT_{port}"
        probe = {"readinessProbe": {"tcpSocket": {"port": port}, "periodSeconds": 1}}
        return {**sh(words), "ports": [{"containerPort": port}], **probe}

    usual = socket.inet_ntoa((Addresses(kubelet.host.state)._base + 2).to_bytes(4, "big"))
    with socket.create_server((usual, 0)) as other:
        objects.pod("p", server(other.getsockname()[1]))
        await until(lambda: conditions(objects)["Ready"] == "True")
        assert status(objects)["podIP"] != usual
        assert not objects.said("p", "AddressInUse"), "it had no address before: nothing to say"
    with socket.create_server(("0.0.0.0", 0)) as other:
        port = other.getsockname()[1]
        objects.pod("q-0", server(port))
        await until(lambda: conditions(objects, "q-0")["Ready"] == "True")
        assert f"Port {port} is taken at all addresses" in objects.said("q-0", "PortInUse")[0]
        reader, writer = await kubelet.connect("default", "q-0", port)
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        assert b"200 OK" in await reader.readline()
        writer.close()


async def test_the_node_is_there(objects, kubelet):
    node = objects.get("nodes", "", "sandbox")
    assert {c["type"]: c["status"] for c in node["status"]["conditions"]}["Ready"] == "True"
    assert node["status"]["capacity"]["pods"] == "110"


async def test_two_at_once_are_refused(kubelet, objects):
    with pytest.raises(BusyError):
        await Kubelet(objects, kubelet.host.state).start()


async def test_a_stop_keeps_the_pods_and_the_next_start_restarts_them(objects, tmp_path):
    first = Kubelet(objects, tmp_path / "state")
    await first.start()
    objects.pod("p", sh("sleep 1000"))
    await until(lambda: conditions(objects)["Ready"] == "True")
    await first.stop(grace=1)
    assert objects.get("pods", "default", "p") is not None
    second = Kubelet(objects, tmp_path / "state")
    await second.start()
    await until(lambda: state(objects)["restartCount"] == 1 and "running" in state(objects)["state"])
    assert state(objects)["lastState"]["terminated"]["exitCode"] == 255
    await second.stop(grace=0)


@pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")
async def test_nothing_outlives_a_killed_sandbox(tmp_path):
    program = """
import asyncio, sys
from pathlib import Path
from tests.sandbox.kubelet_fakes import FakeObjects, sh
from tui.sandbox.kubelet import Kubelet
async def main():
    objects = FakeObjects()
    kubelet = Kubelet(objects, Path(sys.argv[1]))
    await kubelet.start()
    # A daemon: of a session of its own, its parent gone.
    objects.pod("p", sh("(setsid sleep 98765 &) ; exec sleep 98764"))
    while not any(p.runners and p.runners["app"].child for p in kubelet._pods.values()):
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.3)
    print("up", flush=True)
    await asyncio.sleep(1000)
asyncio.run(main())
"""
    root = Path(__file__).parents[2]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(tmp_path / "state"), cwd=root, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert await asyncio.wait_for(process.stdout.readline(), 90) == b"up\n"
        family = supervisor.family(process.pid, supervisor.processes()) - {process.pid}
        children = {p for p in supervisor.processes() if b"9876" in _words(p)}
        assert len(family) >= 2 and len(children & family) == 2
    finally:
        os.kill(process.pid, signal.SIGKILL)
        await process.wait()
    await until(lambda: not family & supervisor.processes().keys())
    assert not list((tmp_path / "state" / "run" / "pids").iterdir())


def _words(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
