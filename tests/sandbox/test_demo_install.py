"""How the demo gets servers that a machine lacks: a package manager played by a script, and no network."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tui.commands import demo_fetch, demo_install
from tui.sandbox.images import MissingProgramError, fetched, wheels
from tui.sandbox.images.model import program
from tui.sandbox.missing import Missing

MARIA = Missing("mariadb", "MariaDB", apt=("mariadb-server-core",), dnf=("mariadb-server",), megabytes=20)
#: Makes a package file of each `name=version`, and knows what is to be installed for a server.
APT = """\
#!/bin/sh
echo "$*" >>"$LOG"
case "$*" in
  *update*) [ -z "$BROKEN" ] || { echo "E: no mirror" >&2; exit 100; };;
  *--simulate*) printf 'Inst %s (1.0 x)\\n' mariadb-server-core libaio1 perl cron;;
  *--print-uris*) echo "'http://x/y.deb' y.deb 5000000 SHA256:0";;
  *) for word; do case $word in *=*[0-9]) touch "${word%%=*}.deb";; esac; done;;
esac
"""
#: Unpacks a server that says how it was started.
DPKG = """\
#!/bin/sh
mkdir -p "$3/usr/sbin" "$3/usr/lib/erlang/bin"
printf '#!/bin/sh\\nprintf "%%s\\\\n" "$LD_LIBRARY_PATH" "$@"\\n' >"$3/usr/sbin/mariadbd"
printf '#!/bin/sh\\nROOTDIR=/usr/lib/erlang\\necho "$ROOTDIR"\\n' >"$3/usr/lib/erlang/bin/erl"
mkdir -p "$3/usr/lib/x86_64-linux-gnu"
chmod +x "$3/usr/sbin/mariadbd" "$3/usr/lib/erlang/bin/erl"
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with apt-get and a cache of its own; the directory has its log."""
    directory = tmp_path / "bin"
    directory.mkdir()
    for name, text in (("apt-get", APT), ("dpkg-deb", DPKG)):
        (directory / name).write_text(text)
        (directory / name).chmod(0o755)
    (tmp_path / "status").touch()
    monkeypatch.setattr(demo_fetch, "_STATUS", str(tmp_path / "status"))
    monkeypatch.setenv("PATH", f"{directory}:/usr/bin:/bin")
    monkeypatch.setenv("LOG", str(tmp_path / "log"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "a cache"))
    return tmp_path


def test_packages_are_fetched_and_run_without_being_installed(machine: Path) -> None:
    demo_fetch.fetch([("mariadb", ["mariadb-server-core"])])
    (found,) = fetched.programs()
    server = Path(found, "mariadbd")
    root = fetched.place() / "mariadb" / "root"
    told = subprocess.run([server, "--defaults-file=/a b", "--x"], capture_output=True, text=True, check=True).stdout
    lines = told.splitlines()
    assert lines[0] == f"{root}/usr/lib/x86_64-linux-gnu"
    # MariaDB wants the file first.
    assert lines[1] == "--defaults-file=/a b" and f"--basedir={root}/usr" in lines and lines[-1] == "--x"
    erl = subprocess.run([Path(found, "erl")], capture_output=True, text=True, check=True).stdout
    assert Path(erl.strip()) == root / "usr/lib/erlang"
    asked = (machine / "log").read_text()
    assert "libaio1=1.0" in asked
    # What the servers do without is left.
    assert "perl=" not in asked and "cron=" not in asked
    # Nothing but the server is left in the cache.
    assert [one.name for one in fetched.place().iterdir()] == ["mariadb"]


def test_a_fetched_program_comes_after_the_systems(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    demo_fetch.fetch([("mariadb", ["mariadb-server-core"])])
    monkeypatch.setenv("PATH", str(machine / "bin"))
    mine = machine / "bin" / "erl"
    mine.touch(0o755)
    assert program("erl") == str(mine)
    mine.unlink()
    assert program("erl") == f"{fetched.programs()[0]}/erl"


def test_a_fetch_that_fails_says_why_and_leaves_nothing(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKEN", "1")
    with pytest.raises(demo_fetch.FetchError, match="E: no mirror"):
        demo_fetch.fetch([("mariadb", ["mariadb-server-core"])])
    assert not fetched.programs() and not list(fetched.place().iterdir())


def test_what_a_killed_fetch_left_is_removed_by_the_next(machine: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left, others = fetched.place() / f".{ended.pid}-x", fetched.place() / f".{os.getpid()}-y"
    left.mkdir(parents=True)
    others.mkdir()
    demo_fetch.fetch([("mariadb", ["mariadb-server-core"])])
    assert not left.exists() and others.exists()


@pytest.mark.parametrize(("answer", "wanted"), [("\n", True), ("y\n", True), ("n\n", False), ("", False)])
def test_it_is_asked_first(
    machine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answer: str, wanted: bool
) -> None:
    monkeypatch.setattr(demo_install, "missing", lambda: [] if fetched.programs() else [MARIA])
    monkeypatch.setattr(os, "isatty", lambda _: True)
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    demo_install.offer(yes=False)
    said = capsys.readouterr().err
    assert bool(fetched.programs()) is wanted
    assert "MariaDB" in said and "about 20 MB" in said and "apt-get install mariadb-server-core" in said
    assert all(len(line) <= 80 for line in said.splitlines() if "/" not in line)


def test_without_a_terminal_nothing_is_fetched_unasked(
    machine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo_install, "missing", lambda: [] if fetched.programs() else [MARIA])
    monkeypatch.setattr(os, "isatty", lambda _: False)
    demo_install.offer(yes=False)
    assert not fetched.programs() and "demo --yes" in capsys.readouterr().err
    demo_install.offer(yes=True)
    assert fetched.programs()


def test_where_packages_cannot_be_fetched_they_are_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"dnf"}
    monkeypatch.setattr(demo_install.shutil, "which", lambda name: f"/usr/bin/{name}" if name in found else None)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert demo_install.plan([MARIA]).commands == [["dnf", "install", "-y", "-q", "mariadb-server"]]
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    offered = demo_install.plan([MARIA])
    assert not offered.commands and "dnf install" in offered.by_hand[0]
    found.add("sudo")
    assert demo_install.plan([MARIA]).commands[0][0] == "sudo"


def test_a_pod_that_waits_says_how_to_get_its_server(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingProgramError, match=r"package nothing-such, or let `statetui demo --yes` fetch it"):
        wheels.system(["nothing-such"], "Nothing", "nothing-such")
