"""The program on a terminal, against the real cluster and its five workloads."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.contract.clusters import RealCluster
from tests.live.real import KUBECONFIG, kubectl, other

sys.path.append(str(Path(__file__).parents[1] / "tui"))
from process import Program

NAMESPACE = "stateful"
WIDE = (140, 40)
#: Seconds within which a kubelet measures a volume that was just mounted, and we read it.
A_FIGURE = 150
pytestmark = [pytest.mark.live, pytest.mark.usefixtures("own_terminal")]


def pane(text: str, name: str) -> list[str]:
    """The lines of one workload's pane, frames and neighbours cut away; none while it is not there."""
    lines = text.splitlines()
    places = [(y, line.index(f" {name} · ")) for y, line in enumerate(lines) if f" {name} · " in line]
    if not places:
        return []
    top, left = places[0]
    left = max(lines[top].rfind(corner, 0, left) for corner in "╭┏")
    right = min(at for corner in "╮┓" if (at := lines[top].find(corner, left)) > 0)
    found = []
    for line in lines[top + 1 :]:
        inside = line[left : right + 1]
        if inside[:1] not in ("│", "┃"):
            break
        found.append(inside.strip("│┃ "))
    return found


def told(name: str) -> dict[str, Any]:
    """What `statetui get` says of a workload."""
    done = subprocess.run(
        [sys.executable, "-m", "tui", "get", "--kubeconfig", KUBECONFIG, "-n", NAMESPACE, "-o", "json"],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    found: dict[str, Any] = next(item for item in json.loads(done.stdout)["workloads"] if item["name"] == name)
    return found


def claims(workload: dict[str, Any]) -> dict[str, list[str]]:
    """Claims' uids by pod."""
    return {member["pod"]: [claim["uid"] for claim in member["claims"]] for member in workload["members"]}


def sized(text: str) -> list[str]:
    """The members whose claims lie on volumes that report their use."""
    return [line for name in ("cdb", "rabbitmq") for line in pane(text, name) if "256Mi" in line]


def all_in_use(text: str) -> bool:
    """Whether the use of each of these is told in bytes and percent, and of the others why it is not."""
    lines = sized(text)
    explained = text.count("use: class standard reports no usage") == 3  # mysql, orders, my-tenant
    return explained and len(lines) == 6 and all(re.search(r"\d+(Ki|Mi) .*\d+%", line) for line in lines)


async def test_the_five_workloads_with_roles_claims_and_usage() -> None:
    async with Program("-n", NAMESPACE, "--layout", "grid", kubeconfig=KUBECONFIG, size=WIDE) as program:
        await program.until(r"● live +5 workloads")
        await program.until(r"● rabbitmq(?s:.*)3/3 ready")
        await program.until(all_in_use, A_FIGURE)
        text = program.text
        for name, system in (("cdb", "CockroachDB"), ("my-tenant", "MinIO"), ("mysql", "MySQL"), ("orders", "MySQL"),
                             ("rabbitmq", "RabbitMQ")):  # fmt: skip
            assert f"● {name} · {system}" in text, text
        roles = {name: [" ".join(re.findall(r"^\S+|primary ▲|replica|secondary|server|node(?!-)", line))
                        for line in pane(text, name)[1:] if " ● " in line]
                 for name in ("mysql", "orders", "cdb", "rabbitmq", "my-tenant")}  # fmt: skip
        assert roles["mysql"] == ["0 primary ▲", "1 replica", "2 replica"]
        assert [line.split()[1:] for line in roles["orders"]] == [["primary", "▲"], ["replica"]] or roles["orders"] == [
            "primary-0 primary ▲", "secondary-0 secondary",
        ]  # fmt: skip
        assert roles["cdb"] == ["0 node", "1 node", "2 node"]
        assert roles["rabbitmq"] == ["0 node", "1 node", "2 node"]
        assert roles["my-tenant"] == ["0 server", "1 server"]
        program.type("q")
        assert await program.exit_code() == 0


@pytest.mark.alone
async def test_a_deleted_pod_is_seen_going_and_returning_with_its_claim() -> None:
    before = claims(told("rabbitmq"))
    seen: list[str] = []

    def look(text: str) -> bool:
        line = next(line for line in pane(text, "rabbitmq") if line.startswith("2 "))
        if not seen or seen[-1] != line.split()[1]:
            seen.append(line.split()[1])
        return len(seen) > 1 and seen[-1] == "●" and "3/3 ready" in pane(text, "rabbitmq")[0]

    async with Program("-n", NAMESPACE, "--layout", "grid", kubeconfig=KUBECONFIG, size=WIDE) as program:
        await program.until(r"● live +5 workloads")
        await program.until(r"● rabbitmq(?s:.*)3/3 ready")
        look(program.text)
        kubectl("-n", NAMESPACE, "delete", "pod", "rabbitmq-2", "--wait=false")
        await program.until(look, 120)
        assert "◍" in seen, f"it was not seen terminating: {seen}"
    after = claims(told("rabbitmq"))
    assert after == before


async def test_a_killed_api_server_makes_it_stale_and_then_live_again(components: RealCluster) -> None:
    async with Program("-n", NAMESPACE, kubeconfig=KUBECONFIG, size=WIDE) as program:
        await program.until(r"● live +5 workloads")
        components.kill_api_server()
        await program.until(r"◌ stale since \d\d:\d\d")
        assert "mysql · MySQL" in program.text, "what was known stays on the screen"
        components.up()
        await program.until(r"● live +5 workloads", 60)


async def test_a_user_of_one_namespace_sees_it_and_why_no_more(tmp_path: Path) -> None:
    file = tmp_path / "viewer.conf"
    file.write_bytes(Path(other("viewer")).read_bytes())
    kubectl("config", "--kubeconfig", str(file), "set-context", "--current", f"--namespace={NAMESPACE}")
    async with Program("-A", kubeconfig=str(file), size=WIDE) as program:
        await program.until("● live: no right to list anything in all namespaces; showing namespace stateful")
        await program.until("use: needs get on nodes/proxy")
        text = program.text
        assert f"/ namespace {NAMESPACE}" in text.splitlines()[0]
        assert set(re.findall(r"[─━] (\S+) [─━][╮┓]", text)) == {NAMESPACE}
        assert len(pane(text, "mysql")) == 4
        program.type("q")
        assert await program.exit_code() == 0


async def test_a_user_without_rights_is_told_so() -> None:
    async with Program(kubeconfig=other("nobody"), size=(80, 24)) as program:
        await program.until("No right to read anything in namespace default")
        text = program.text
        assert re.search(r"nobody", text), text
        assert "another context" in text
        assert "try again now" in text
        assert "Traceback" not in text
        program.type("q")
        assert await program.exit_code() == 0
