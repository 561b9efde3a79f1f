"""Faults made to real parts: the API over HTTPS, controllers, and a kubelet with processes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from api_client import Api, Sandbox
from kubelet_fakes import sh, until

from tui.sandbox import controllers
from tui.sandbox.faultnode import FILLING
from tui.sandbox.faults import PATH, Faults
from tui.sandbox.faultsorts import Wish
from tui.sandbox.kubelet import Kubelet
from tui.sandbox.kubelet.usage import disk

CLASS = {
    "metadata": {"name": "standard", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
    "provisioner": "sandbox.statetui/directory",
}
PODS = "/api/v1/namespaces/default/pods"
CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "8Mi"}}}


class Taught(Sandbox):
    """A sandbox with a kubelet, controllers and faults."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.kubelet = Kubelet(self.registry, directory)
        self.kubelet.host.first = 0.2
        self.faults = Faults(self.store, self.registry, self.server, self.kubelet)

    def pod(self, name: str) -> Any:
        return self.registry.get("pods", "default", name)

    def ready(self, name: str) -> bool:
        found = (self.pod(name) or {}).get("status", {}).get("conditions") or []
        return any(each["type"] == "Ready" and each["status"] == "True" for each in found)

    def container(self, name: str) -> Any:
        return self.pod(name)["status"]["containerStatuses"][0]

    async def run(self, name: str, script: str = "sleep 1000", **spec: Any) -> None:
        self.registry.create(
            "pods", {"metadata": {"name": name, "namespace": "default"}, "spec": {"containers": [sh(script)], **spec}}
        )
        await until(lambda: self.ready(name))


def wish(target: str = "", **options: Any) -> Any:
    return Wish(target, "default", options)


@pytest.fixture
async def taught(tmp_path: Path) -> AsyncIterator[Taught]:
    made = Taught(tmp_path)
    made.registry.create("storageclasses.storage.k8s.io", CLASS)
    await made.kubelet.start()
    await made.server.start()
    running = asyncio.create_task(controllers.run(made.registry, volumes=tmp_path / "volumes"))
    yield made
    await made.faults.close()
    await made.server.stop()
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    await made.kubelet.stop(grace=0)
    made.store.close()


@pytest.fixture
async def admin(taught: Taught) -> AsyncIterator[Api]:
    async with taught.client("admin") as made:
        yield made


async def test_faults_are_listed_and_for_admins_alone(taught: Taught, admin: Api) -> None:
    status, told = await admin("GET", PATH)
    assert status == 200
    assert [each["name"] for each in told["possible"]] == [
        "kill-pod", "crash-loop", "fill-volume", "freeze-node", "cut-watches", "expire-history", "refuse-right",
        "slow-network",
    ]  # fmt: skip
    assert told["active"] == []
    for name in ("viewer", "nobody", "stranger"):
        async with taught.client(name) as other:
            assert (await other("GET", PATH))[0] == 403
            assert (await other("POST", f"{PATH}/cut-watches"))[0] == 403
            assert (await other("DELETE", f"{PATH}/cut-watches"))[0] == 403


@pytest.mark.parametrize(
    ("name", "body", "code", "said"),
    [
        ("burn", {}, 404, "there is no fault 'burn'; there are kill-pod, "),
        ("kill-pod", {}, 400, "kill-pod needs a pod"),
        ("cut-watches", {"target": "x"}, 400, "cut-watches has no target"),
        ("kill-pod", {"target": "gone"}, 404, 'pods "gone" not found in the namespace default'),
        ("kill-pod", {"target": "x", "options": {"now": True}}, 400, "has no option 'now'; it has none"),
        ("slow-network", {"options": {"seconds": 1}}, 400, "has no option 'seconds'; it has milliseconds"),
        ("slow-network", {"options": {"milliseconds": "1"}}, 400, "option milliseconds of slow-network is a int"),
        ("slow-network", {"options": {"milliseconds": True}}, 400, "option milliseconds of slow-network is a int"),
        ("slow-network", {"options": {"milliseconds": 0}}, 400, "milliseconds is a number from 1 to 10000"),
        ("slow-network", {"option": {}}, 400, "unknown field 'option'"),
        ("slow-network", ["x"], 400, "a fault is asked for with an object"),
        ("slow-network", {"options": "x"}, 400, "options is an object"),
        ("fill-volume", {"target": "a/b"}, 404, "neither a claim nor a pod with one is called b in a"),
        ("fill-volume", {"target": "../../etc"}, 404, "neither a claim"),
    ],
)
async def test_what_cannot_be_done_is_refused_in_words(admin: Api, name: str, body: Any, code: int, said: str) -> None:
    status, told = await admin("POST", f"{PATH}/{name}", body)
    assert (status, told["kind"]) == (code, "Status")
    assert said in told["message"]
    assert (await admin("GET", PATH))[1]["active"] == []


async def test_what_is_not_active_cannot_be_ended(admin: Api) -> None:
    status, told = await admin("DELETE", f"{PATH}/crash-loop?target=x")
    assert (status, told["message"]) == (404, "the fault crash-loop of x is not active")


async def test_a_killed_pod_restarts(taught: Taught, admin: Api) -> None:
    await taught.run("p")
    status, told = await admin("POST", f"{PATH}/kill-pod", {"target": "p"})
    assert (status, told["said"], told["active"]) == (201, "killed 1 container of p", False)
    await until(lambda: taught.container("p")["restartCount"] == 1 and taught.ready("p"))
    assert taught.container("p")["lastState"]["terminated"]["exitCode"] == 137
    assert (await admin("GET", PATH))[1]["active"] == []


async def test_a_crash_loop_lasts_until_it_is_ended(taught: Taught, admin: Api) -> None:
    await taught.run("p")
    status, told = await admin("POST", f"{PATH}/crash-loop", {"target": "p", "options": {"exitCode": 3}})
    assert (status, told["target"], told["active"]) == (201, "default/p", True)
    assert (await admin("POST", f"{PATH}/crash-loop", {"target": "default/p"}))[0] == 409
    await until(lambda: taught.container("p")["state"].get("waiting", {}).get("reason") == "CrashLoopBackOff")
    await until(lambda: taught.container("p")["lastState"]["terminated"]["exitCode"] == 3)
    (active,) = (await admin("GET", PATH))[1]["active"]
    assert (active["name"], active["options"]) == ("crash-loop", {"exitCode": 3})
    status, told = await admin("DELETE", f"{PATH}/crash-loop?target=p")
    assert (status, told["ended"]) == (200, ["crash-loop default/p"])
    await until(lambda: taught.ready("p"))


async def filled(taught: Taught) -> Path:
    taught.registry.create(
        "persistentvolumeclaims", {"metadata": {"name": "data-p", "namespace": "default"}, "spec": CLAIM}
    )
    volume = {"name": "data", "persistentVolumeClaim": {"claimName": "data-p"}}
    await taught.run("p", volumes=[volume])
    claim = taught.registry.get("persistentvolumeclaims", "default", "data-p") or {}
    return taught.directory / "volumes" / str(claim["spec"]["volumeName"])


async def test_a_volume_is_filled_to_its_size_and_emptied(taught: Taught, admin: Api) -> None:
    directory = await filled(taught)
    (directory / "mine").write_bytes(b"x" * 5000)
    status, told = await admin("POST", f"{PATH}/fill-volume", {"target": "p"})
    assert (status, told["target"]) == (201, "default/data-p")
    assert disk(directory)[0] == 8 << 20

    def figures() -> Any:
        (pod,) = taught.kubelet.stats()["pods"]
        return next(each for each in pod["volume"] if "pvcRef" in each)

    await taught.kubelet._usage.sample()
    assert figures()["usedBytes"] == 8 << 20
    assert figures()["availableBytes"] == 0
    for target in ("p", "data-p", "default/data-p"):
        assert (await admin("POST", f"{PATH}/fill-volume", {"target": target}))[0] == 409
    assert (await admin("DELETE", f"{PATH}/fill-volume"))[0] == 200
    assert [each.name for each in directory.iterdir()] == ["mine"]


async def test_a_volume_is_not_filled_at_the_cost_of_the_machine(
    taught: Taught, admin: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = await filled(taught)
    real = shutil.disk_usage(directory)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: real._replace(free=(2 << 30) + (1 << 20)))
    status, told = await admin("POST", f"{PATH}/fill-volume", {"target": "data-p"})
    assert status == 409
    assert "of the 2049 MiB that this machine's disk has free 2048 MiB must stay" in told["message"]
    assert not list(directory.iterdir())


async def test_what_a_killed_sandbox_left_is_removed(tmp_path: Path) -> None:
    left = tmp_path / "volumes" / "pvc-1" / FILLING
    left.parent.mkdir(parents=True)
    left.write_bytes(b"x")
    made = Taught(tmp_path)
    assert not left.exists()
    await made.server.start()
    await made.server.stop()
    made.store.close()


async def test_a_frozen_node_is_not_heard_and_comes_back(taught: Taught, admin: Api) -> None:
    await taught.run("p")
    pid = next(iter(taught.kubelet.pods[0].runners.values())).child.pid  # type: ignore[union-attr]

    def stopped() -> bool:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"

    def conditions() -> dict[str, str]:
        node = taught.registry.get("nodes", "", "sandbox") or {}
        return {each["type"]: each["status"] for each in node["status"]["conditions"]}

    status, told = await admin("POST", f"{PATH}/freeze-node", {"options": {"processes": True}})
    assert (status, told["active"]) == (201, True)
    assert conditions()["Ready"] == "Unknown"
    assert not taught.ready("p")
    await until(stopped)
    assert (await admin("DELETE", f"{PODS}/p"))[0] in (200, 202)
    taught.registry.create(
        "pods", {"metadata": {"name": "q", "namespace": "default"}, "spec": {"containers": [sh("sleep 1000")]}}
    )
    await asyncio.sleep(1)
    assert conditions()["Ready"] == "Unknown"
    assert taught.pod("p")["metadata"]["deletionTimestamp"], "nobody ends it"
    assert not taught.pod("q")["spec"].get("nodeName"), "nothing is put on a node that is not reached"
    assert (await admin("DELETE", f"{PATH}/freeze-node"))[0] == 200
    await until(lambda: taught.ready("q"))
    assert conditions()["Ready"] == "True"
    await until(lambda: taught.pod("p") is None)
    node = taught.registry.get("nodes", "", "sandbox") or {}
    assert not node["spec"].get("taints")


async def test_probes_do_not_count_what_they_see_of_a_frozen_node(taught: Taught) -> None:
    probe = {"exec": {"command": ["true"]}, "periodSeconds": 1, "timeoutSeconds": 3, "failureThreshold": 1}
    container = sh("sleep 1000") | {"livenessProbe": probe}
    taught.registry.create(
        "pods", {"metadata": {"name": "p", "namespace": "default"}, "spec": {"containers": [container]}}
    )
    await until(lambda: taught.ready("p"))
    await taught.faults.start("freeze-node", wish(processes=True))
    await asyncio.sleep(4.5)
    await taught.faults.end("freeze-node")
    await until(lambda: taught.ready("p"))
    await asyncio.sleep(1.2)
    assert taught.container("p")["restartCount"] == 0


async def test_watches_are_cut_and_old_ones_expire(taught: Taught, admin: Api) -> None:
    async with taught.client("admin") as other:
        watch = asyncio.create_task(other.watch(f"{PODS}?watch=true"))
        version = taught.store.revision
        said = ""
        async with asyncio.timeout(90):  # until it is connected
            while said != "cut 1 connection of watches":
                status, told = await admin("POST", f"{PATH}/cut-watches")
                assert status == 201
                said = told["said"]
        with pytest.raises(aiohttp.ClientError):
            await watch
    taught.registry.create("configmaps", {"metadata": {"name": "c", "namespace": "default"}})
    assert (await admin("POST", f"{PATH}/expire-history"))[0] == 201
    (event,) = await admin.watch(f"{PODS}?watch=true&resourceVersion={version}")
    assert event["object"]["code"] == 410


async def test_a_right_is_refused_until_that_ends(taught: Taught, admin: Api) -> None:
    maps = "/api/v1/namespaces/default/configmaps"
    options = {"user": "viewer", "verb": "list"}
    review = {"spec": {"resourceAttributes": {"verb": "list", "resource": "configmaps", "namespace": "default"}}}
    reviews = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    async with taught.client("viewer") as viewer:
        assert (await viewer("GET", maps))[0] == 200
        status, told = await admin("POST", f"{PATH}/refuse-right", {"target": "configmaps", "options": options})
        assert (status, told["said"]) == (201, "viewer may no longer list configmaps")
        status, told = await viewer("GET", maps)
        assert (status, told["reason"]) == (403, "Forbidden")
        assert (await viewer("POST", reviews, review))[1]["status"] == {"allowed": False}
        assert (await viewer("GET", f"{maps}/kube-root-ca.crt"))[0] != 403
        assert (await viewer("GET", PODS))[0] == 200
        assert (await admin("GET", maps))[0] == 200
        assert (await admin("DELETE", f"{PATH}/refuse-right?target=configmaps"))[0] == 200
        assert (await viewer("GET", maps))[0] == 200
    assert (await admin("POST", f"{PATH}/refuse-right", {"target": "statefulsets.apps"}))[0] == 201
    assert (await admin("GET", "/apis/apps/v1/statefulsets"))[0] == 403, "even an admin"
    assert (await admin("GET", PATH))[0] == 200


async def test_a_slow_network_slows_answers_and_watches_that_run(taught: Taught, admin: Api) -> None:
    maps = "/api/v1/namespaces/default/configmaps"

    async def changed(name: str) -> float:
        """How long a watch that runs takes to tell of a new object."""
        began = time.monotonic()
        taught.registry.create("configmaps", {"metadata": {"name": name, "namespace": "default"}})
        while name not in json.loads(await watch.content.readline())["object"]["metadata"]["name"]:
            pass
        return time.monotonic() - began

    async def get() -> float:
        began = time.monotonic()
        assert (await admin("GET", PODS))[0] == 200
        return time.monotonic() - began

    async with taught.client("admin") as other, other.session.get(f"{other.url}{maps}?watch=true") as watch:
        # How long it takes otherwise depends on how busy this machine is; less than the delay it is.
        assert min([await changed(f"fast{number}") for number in range(5)]) < 0.4
        assert (await admin("POST", f"{PATH}/slow-network", {"options": {"milliseconds": 400}}))[0] == 201
        assert await changed("slow") >= 0.4
        assert await get() >= 0.4
        assert (await admin("DELETE", f"{PATH}/slow-network"))[0] == 200
        assert min([await changed(f"again{number}") for number in range(5)]) < 0.4
        assert min([await get() for _ in range(5)]) < 0.4


async def test_the_end_of_the_sandbox_ends_all_faults(taught: Taught) -> None:
    directory = await filled(taught)
    await taught.faults.start("fill-volume", wish("p"))
    await taught.faults.start("slow-network", wish())
    await taught.faults.start("freeze-node", wish(processes=True))
    await taught.faults.start("crash-loop", wish("p"))
    await taught.faults.start("refuse-right", wish("pods"))
    await taught.faults.close()
    assert not taught.faults.active
    assert not list(directory.iterdir())
    host = taught.kubelet.host
    assert (taught.server.latency.seconds, host.crashing, host.awake.is_set()) == (0.0, {}, True)
    assert taught.server.rights.denials == []
