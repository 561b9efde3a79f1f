"""The scene and what shows it: its manifests, what is removed from the disk, and the command around it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

from tui.sandbox import reclaim, scene, seeds
from tui.sandbox.registry import Registry
from tui.sandbox.store import Store


def test_the_scene_is_planted_once() -> None:
    registry = Registry(Store())
    seeds.plant(registry, scene.NAMESPACE)
    scene.plant(registry)
    sets = [one["metadata"]["name"] for one in registry.list("statefulsets.apps", scene.NAMESPACE)]
    assert sets == ["cdb-cockroachdb", "my-tenant-zone-0", "mysql", "rabbitmq"]
    registry.delete("services", scene.NAMESPACE, "mysql-read")
    scene.plant(registry)
    assert registry.get("services", scene.NAMESPACE, "mysql-read") is None


async def test_only_directories_of_volumes_that_are_gone_are_removed(tmp_path: Path) -> None:
    volumes, elsewhere = tmp_path / "volumes", tmp_path / "elsewhere"
    gone, name = volumes / f"pvc-{'0' * 36}", f"pvc-{'1' * 36}"
    for directory in (gone, volumes / "mine", elsewhere):
        directory.mkdir(parents=True)
        (directory / "file").touch()
    (volumes / name).symlink_to(elsewhere)
    (gone / "link").symlink_to(elsewhere)
    task = asyncio.create_task(reclaim.run(Registry(Store()), volumes))
    async with asyncio.timeout(60):
        while gone.exists():
            await asyncio.sleep(0.02)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert (elsewhere / "file").exists() and (volumes / "mine" / "file").exists()


def _demo(state: Path, *words: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "XDG_STATE_HOME": str(state), "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-m", "tui", "demo", *words]
    return subprocess.Popen(command, env=environment, stdin=-3, stdout=-1, stderr=-1, text=True)


def test_the_command_serves_one_at_a_time_and_forgets(tmp_path: Path) -> None:
    first = _demo(tmp_path, "--serve")
    try:
        assert first.stdout is not None
        assert first.stdout.readline().startswith("export KUBECONFIG=")
        second = _demo(tmp_path, "--serve")
        _, said = second.communicate(timeout=120)
        assert second.returncode == 1 and "another demo runs already" in said
        third = _demo(tmp_path, "--reset", "--yes")
        _, said = third.communicate(timeout=120)
        assert third.returncode == 1 and "a demo runs" in said
        first.send_signal(signal.SIGTERM)
        assert first.wait(120) == 0
    finally:
        first.kill()
        first.communicate()
    assert (tmp_path / "statetui" / "demo").is_dir()
    last = _demo(tmp_path, "--reset", "--yes")
    last.communicate(timeout=120)
    assert last.returncode == 0 and not (tmp_path / "statetui" / "demo").exists()
