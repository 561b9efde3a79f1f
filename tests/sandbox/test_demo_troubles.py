"""What keeps a demo from working is told: what happened, the evidence, and what to do next; never a traceback."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from demo_process import demo, environment, nothing_is_left

from tui.sandbox import missing

_ROOT = Path(__file__).parents[2]
_UNSHARE = shutil.which("unshare") or ""


@pytest.fixture
def public() -> Iterator[Path]:
    """A directory to which every user may pass; pytest keeps its own from them."""
    with tempfile.TemporaryDirectory(prefix="statetui-test-") as made:
        yield Path(made)


def _can(*words: str) -> bool:
    """Whether this machine and user can do something."""
    try:
        return subprocess.run(words, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


needs_mounts = pytest.mark.skipif(
    not _can(_UNSHARE, "--mount", "true"), reason="mount namespaces need root and Linux' unshare"
)
needs_users = pytest.mark.skipif(
    os.geteuid() != 0 or not _can("setpriv", "--reuid", "54321", "--clear-groups", "/usr/bin/python3", "-V"),
    reason="other users need root, setpriv and a Python that everybody may run",
)


def _sandbox(directory: Path, *words: str, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    command = [*before, sys.executable, "-m", "tui.sandbox", "--directory", str(directory), *words]
    done = subprocess.run(
        command, env=environment(directory), stdin=-3, capture_output=True, text=True, timeout=60, check=False
    )
    assert "Traceback" not in done.stderr + done.stdout
    return done


def _fails(home: Path, *words: str, before: tuple[str, ...] = ()) -> str:
    """What a demo says that cannot start."""
    process = demo(home, *words, before=before)
    try:
        out, said = process.communicate(timeout=90)
    finally:
        process.kill()
    assert process.returncode == 1, (process.returncode, said)
    assert "Traceback" not in said and not out, said
    return said


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = _sandbox(tmp_path / "state", "--port", str(port))
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"port {port} is taken",
        f"  another program listens on 127.0.0.1:{port}",
        "End that program (`ss -ltnp` names it), choose another --port, or leave it out.",
    ]
    nothing_is_left(tmp_path)


def _mounted(home: Path, options: str) -> tuple[str, ...]:
    """Starts a program that sees a small file system at a directory."""
    home.mkdir()
    script = f'mount -t tmpfs -o {options} none "$0" && exec "$@"'
    return (_UNSHARE, "--mount", "sh", "-c", script, str(home))


@needs_mounts
@pytest.mark.parametrize("mode", ["--serve", "--check"])
def test_a_directory_that_cannot_be_written(tmp_path: Path, mode: str) -> None:
    home = tmp_path / "home"
    said = _fails(home, mode, before=_mounted(home, "ro"))
    assert f"the demo cannot start: {home / 'statetui'} cannot be written" in said
    assert "Read-only file system" in said and "belongs to root" in said
    assert "choose another directory (XDG_STATE_HOME" in said


@needs_mounts
def test_a_disk_that_is_full_at_the_start(tmp_path: Path) -> None:
    home = tmp_path / "home"
    said = _fails(home, "--serve", before=_mounted(home, "size=32k"))
    assert re.search(r"the demo cannot start: the disk of .*/demo is full", said), said
    assert "No space left on device (0 MiB of 0 MiB are free)" in said and "Make room there" in said
    nothing_is_left(home)


@needs_users
def test_a_directory_of_somebody_elses(public: Path) -> None:
    home = public
    home.chmod(0o755)
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    command = ["setpriv", "--reuid", "54321", "--regid", "54321", "--clear-groups"]
    command += ["/usr/bin/python3", "-m", "tui", "demo", "--serve"]
    settings = environment(home) | {"PYTHONPATH": f"{_ROOT}:{packages}", "HOME": str(home)}
    done = subprocess.run(command, env=settings, stdin=-3, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    assert "Permission denied" in done.stderr and "belongs to root, mode 0755; this is user 54321" in done.stderr
    assert "Give it to this user" in done.stderr


@pytest.mark.parametrize("mode", ["--serve", "--check"])
def test_a_directory_that_is_a_file(tmp_path: Path, mode: str) -> None:
    (tmp_path / "statetui").mkdir()
    (tmp_path / "statetui" / "demo").write_text("precious")
    said = _fails(tmp_path, mode)
    assert f"{tmp_path}/statetui/demo cannot be used" in said and "move it away" in said
    assert (tmp_path / "statetui" / "demo").read_text() == "precious"


def test_objects_that_cannot_be_read(tmp_path: Path) -> None:
    state = tmp_path / "statetui" / "demo"
    state.mkdir(parents=True)
    (state / "objects.jsonl").write_text('{"statetui-sandbox":1}\nnonsense\n{"r":1}\n')
    said = _fails(tmp_path, "--serve")
    assert "what the sandbox has kept cannot be read" in said and "line 2" in said and "statetui demo --reset" in said


@pytest.mark.parametrize("mode", ["--serve", "--check"])
def test_two_demos_at_once(tmp_path: Path, mode: str) -> None:
    first = demo(tmp_path, "--serve")
    try:
        assert first.stdout is not None and first.stdout.readline().startswith("export KUBECONFIG=")
        said = _fails(tmp_path, mode)
        assert "another demo runs already" in said and str(tmp_path) in said
        assert f"statetui --kubeconfig {tmp_path}/statetui/demo/kubeconfig" in said
        done = _sandbox(tmp_path / "statetui" / "demo")
        assert done.returncode == 75 and "another sandbox uses" in done.stderr and "--directory" in done.stderr
        assert first.poll() is None
    finally:
        first.terminate()
        first.communicate(timeout=60)
    nothing_is_left(tmp_path)


#: Few ports are left to connections: a server whose port is one of them finds it taken.
_FEW_PORTS = "echo 41000 41110 >/proc/sys/net/ipv4/ip_local_port_range"
_ONE_ADDRESS = f"ip link set lo up && ip route del local 127.0.0.0/8 dev lo table local && {_FEW_PORTS}"


@pytest.mark.skipif(
    not _can(_UNSHARE, "--net", "sh", "-c", _ONE_ADDRESS), reason="network namespaces need root, unshare and ip"
)
@pytest.mark.skipif(bool(missing.missing()), reason="a server of the scene is not on this machine")
@pytest.mark.timeout(300)
def test_a_machine_with_one_loopback_address_runs_all_of_it(tmp_path: Path) -> None:
    process = demo(tmp_path, "--check", before=(_UNSHARE, "--net", "sh", "-c", f'{_ONE_ADDRESS} && exec "$@"', "sh"))
    try:
        out, said = process.communicate(timeout=250)
    finally:
        process.kill()
    assert process.returncode == 0, out + said
    assert "11 of 11 servers answer as they should" in said
    nothing_is_left(tmp_path)


def _checked(command: list[str], settings: dict[str, str], home: Path) -> None:
    """Runs a check of a demo, which finds all well."""
    done = subprocess.run(command, env=settings, stdin=-3, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "11 of 11 servers answer as they should" in done.stderr
    nothing_is_left(home)


@needs_users
@pytest.mark.skipif(bool(missing.missing()), reason="a server of the scene is not on this machine")
@pytest.mark.timeout(300)
def test_an_ordinary_user_runs_all_of_it(public: Path) -> None:
    home = public
    os.chown(home, 54321, 54321)
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    settings = environment(home, HOME=str(home), PATH=programs) | {"PYTHONPATH": f"{_ROOT}:{packages}"}
    command = ["setpriv", "--reuid", "54321", "--regid", "54321", "--clear-groups"]
    _checked([*command, "/usr/bin/python3", "-m", "tui", "demo", "--check"], settings, home)


@pytest.mark.skipif(os.geteuid() != 0, reason="it is root that PostgreSQL refuses to run as")
@pytest.mark.skipif(bool(missing.missing()), reason="a server of the scene is not on this machine")
@pytest.mark.timeout(300)
def test_root_runs_all_of_it_where_user_namespaces_are_forbidden(tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "unshare").write_text(
        "#!/bin/sh\necho 'unshare: unshare failed: Operation not permitted' >&2\nexit 1\n"
    )
    (programs / "unshare").chmod(0o755)
    settings = environment(tmp_path, PATH=f"{programs}:{os.environ['PATH']}")
    _checked([sys.executable, "-m", "tui", "demo", "--check"], settings, tmp_path)


@pytest.mark.skipif(bool(missing.missing()), reason="a server of the scene is not on this machine")
@pytest.mark.timeout(300)
def test_a_server_that_dies_at_its_start(tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    # A machine may have MinIO itself, which is used in place of its stand-in: that one dies as well then.
    for name in ("weed", *(("minio",) if shutil.which("minio") else ())):
        (programs / name).write_text("#!/bin/sh\necho 'F1127 cannot start: the moon is full' >&2\nexit 3\n")
        (programs / name).chmod(0o755)
    process = demo(tmp_path, "--check", env=environment(tmp_path, PATH=f"{programs}:{os.environ['PATH']}"))
    try:
        out, said = process.communicate(timeout=250)
    finally:
        process.kill()
    assert process.returncode == 1 and "Traceback" not in out + said, out + said
    row = next(line for line in out.splitlines() if "my-tenant-zone-0-0" in line)
    assert "ended: Error" in row and "the moon is full" in row, row
    assert "9 of 11 servers answer as they should" in said, out
    nothing_is_left(tmp_path)
