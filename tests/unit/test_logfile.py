"""The log file, what is remembered, and the folders: private, quiet, and free of credentials."""

from __future__ import annotations

import json
import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tui import logfile, paths, state

JWT = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImEifQ.eyJzdWIiOiJtZSJ9.c2lnbmF0dXJl"


@pytest.fixture(autouse=True)
def quiet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    root, mine = logging.getLogger(), logging.getLogger("tui")
    before = root.handlers[:], root.level, mine.level
    root.handlers[:] = []
    yield
    logging.captureWarnings(capture=False)
    for handler in root.handlers:
        handler.close()
    root.handlers[:], mine.level = before[0], before[2]
    root.setLevel(before[1])


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"Authorization: Bearer {JWT}", JWT),
        ("{'Authorization': 'Bearer abc-def.ghi_123456'}", "abc-def.ghi_123456"),
        ("authorization: Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
        (f"the plugin printed {JWT} and left", JWT),
        ("sent bearer sha256~abcdefghijkl", "sha256~abcdefghijkl"),
        ('{"token": "k8s-aws-v1.aHR0cHM"}', "k8s-aws-v1.aHR0cHM"),
        ("id_token=abc123&x=1", "abc123"),
        ("refresh-token: r3fr3sh", "r3fr3sh"),
        ("'client-secret': 'hush hush'", "hush"),
        ("password: hunter2", "hunter2"),
        ("client-key-data: LS0tLS1CRUdJTg==", "LS0tLS1CRUdJTg"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIB\nAAAA\n-----END RSA PRIVATE KEY-----", "MIIB"),
        ("-----BEGIN PRIVATE KEY-----\nMIIC cut off", "MIIC"),
        ("proxy http://me:s3cret@proxy:3128/", "s3cret"),
        ("base64url.bearer.authorization.k8s.io.ZXlKaGJH", "ZXlKaGJH"),
    ],
)
def test_credentials_are_masked(text: str, secret: str) -> None:
    masked = logfile.mask(text)
    assert secret not in masked
    assert logfile.HIDDEN in masked


@pytest.mark.parametrize(
    "text",
    [
        'pods is forbidden: User "viewer" cannot list resource "pods" in API group ""',
        "secrets may not be read in namespace stateful",
        "GET https://10.0.0.1:6443/api/v1/pods?limit=500 took 12 ms",
        "the basic checks passed; a bearer was not needed",
    ],
)
def test_other_lines_stay_as_they_are(text: str) -> None:
    assert logfile.mask(text) == text


def test_arguments_and_tracebacks_are_masked_in_the_file() -> None:
    file = logfile.start("info")
    assert file is not None
    log = logging.getLogger("tui.test")
    log.info("asked with %s", {"Authorization": f"Bearer {JWT}"})
    try:
        int(f"bad answer to token={JWT}")
    except ValueError:
        log.exception("failed")
    text = file.read_text()
    assert "asked with" in text
    assert "Traceback" in text
    assert JWT not in text


def test_the_file_is_private_and_rotates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logfile, "SIZE", 2000)
    old = os.umask(0)
    try:
        file = logfile.start("info")
        assert file is not None
        for number in range(200):
            logging.getLogger("tui").info("line %d, long enough to fill the file soon", number)
    finally:
        os.umask(old)
    files = sorted(file.parent.iterdir())
    assert [path.name for path in files] == ["statetui.log", "statetui.log.1", "statetui.log.2", "statetui.log.3"]
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in files)
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert "line 199" in file.read_text()


def test_levels() -> None:
    file = logfile.start("info")
    assert file is not None
    logging.getLogger("tui").debug("too fine")
    logging.getLogger("aiohttp").info("not ours")
    logging.getLogger("aiohttp").warning("ours too")
    assert "too fine" not in file.read_text()
    assert "not ours" not in file.read_text()
    assert "ours too" in file.read_text()
    logfile.start("debug")
    logging.getLogger("tui").debug("fine now")
    assert "fine now" in file.read_text()


def test_nothing_is_written_to_the_terminal_when_the_file_cannot_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(blocked))
    assert logfile.start("info") is None
    logging.getLogger("tui").error("lost")
    logging.getLogger("asyncio").error("Task exception was never retrieved")
    assert capfd.readouterr() == ("", "")


def test_a_broken_record_or_a_full_disk_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    logfile.start("info", file=Path("/dev/full"))
    logging.getLogger("tui").error("no space")
    logfile.start("info")
    logging.getLogger("tui").error("%d", "not a number")
    assert capfd.readouterr() == ("", "")


def test_choices_are_remembered() -> None:
    assert state.recall() == {}
    state.remember("layout", "table")
    state.remember("theme", "dark")
    assert state.recall() == {"layout": "table", "theme": "dark"}
    assert [path.name for path in paths.state_dir().iterdir()] == ["choices.json"]


@pytest.mark.parametrize("text", ["", "not json", "[1]", '{"layout": 3}'])
def test_a_damaged_file_of_choices_is_forgotten(text: str) -> None:
    paths.private(paths.state_dir())
    (paths.state_dir() / "choices.json").write_text(text)
    assert state.recall() == {}
    state.remember("layout", "grid")
    assert json.loads((paths.state_dir() / "choices.json").read_text()) == {"layout": "grid"}


def test_choices_that_cannot_be_written_are_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(blocked))
    state.remember("layout", "grid")
    assert state.recall() == {}


def test_folders_follow_xdg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert paths.settings_file() == tmp_path / "statetui" / "config.yaml"
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert paths.config_dir() == tmp_path / "home" / ".config" / "statetui", "a relative path counts as unset"
