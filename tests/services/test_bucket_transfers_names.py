"""Keys never choose a path: properties of local names, and what the file system makes of them."""

from __future__ import annotations

import os
import random
import zlib
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pytest

from tui.problem import ProblemError
from tui.services.bucket.transfers.names import LocalName, Namer, component, folded, key_of
from tui.services.bucket.transfers.writing import Folder

NASTY = [
    "../etc/passwd", "/etc/passwd", "//", "/", "a//b", "a/../../b", "..", ".", "./a", "a/.", "a/..", "..\\..\\x",
    "C:\\x", "nul\0byte", "new\nline", "esc\x1b[31m", "a" * 1024, "é" * 512, "😀" * 256, "a/" + "b" * 300 + "/c",
    "rtl\u202eabc", "%2E%2E/x", "%2e", "%empty", "a%folder", "%~x", "%25", "100%", "%", "%%", ".statetui-x.part",
    " ", "a ", "-rf", "~", "$HOME", "a/b/", "\u2028", "\x7f", "\x85", "\ud800",
]  # fmt: skip
ALPHABET = ["a", "b", "A", "/", "/", ".", "..", "%", "2", "E", "\\", "\0", "\n", "é", "e\u0301", "😀", "\u202e", "~",
            "empty", "folder", " ", "-", "!"]  # fmt: skip


def keys(count: int, seed: int) -> list[str]:
    dice = random.Random(seed)
    found = {"".join(dice.choice(ALPHABET) for _ in range(dice.randint(1, 9))) for _ in range(count)}
    return sorted(found | set(NASTY), key=lambda key: key.encode("utf-8", "surrogatepass"))


def check(name: LocalName) -> None:
    for piece in (*name.folders, *((name.name,) if name.name else ())):
        assert piece not in ("", ".", "..")
        assert not set(piece) & {"/", "\0", "\\", "\n", "\x1b", "\u202e"}
        assert len(piece.encode()) <= 255
        assert not piece.startswith(".statetui-")


@pytest.mark.parametrize("seed", range(20))
def test_every_key_has_a_path_of_its_own_below_the_folder(seed: int) -> None:
    namer = Namer()
    paths: dict[str, str] = {}
    folders: set[str] = set()
    for key in keys(400, seed):
        name = namer.name(key)
        check(name)
        if name.name:
            assert name.path not in paths, (key, paths[name.path])
            paths[name.path] = key
        for depth in range(len(name.folders)):
            folders.add("/".join(name.folders[: depth + 1]))
    assert not folders & paths.keys(), "a name is a file's or a folder's"


def test_a_name_that_needs_no_change_is_none() -> None:
    for key in ("a/b/c.txt", "report 2026.pdf", "100%", "a%b", "é/ü", "日本/語", ".hidden"):
        name = Namer().name(key)
        assert name.path == key and not name.changed


@pytest.mark.parametrize(
    "piece", ["..", ".", "a\0b", "a\\b", "x\ny", "%41", "%", "%%41", "a%2", "\u202ea", ".statetui-q"]
)
def test_names_can_be_read_back(piece: str) -> None:
    assert unquote_to_bytes(component(piece)) == piece.encode()


def test_an_object_and_a_folder_of_one_name() -> None:
    namer = Namer()
    got = [namer.name(key).path for key in ("a", "a!", "a/b", "a/b/c", "a/c", "ab/c")]
    assert got == ["a", "a!", "a%folder/b", "a%folder/b%folder/c", "a%folder/c", "ab/c"]


def test_the_folder_of_a_console() -> None:
    name = Namer().name("dir/")
    assert (name.folders, name.name, name.changed) == (("dir",), "", False)
    assert Namer().content_of_folder("dir/").path == "dir/%empty"


def test_the_prefix_is_left_out() -> None:
    assert Namer("backup/2026/").name("backup/2026/a/b").path == "a/b"


def test_folding() -> None:
    assert folded("Ä/É") == folded("a\u0308/e\u0301") != folded("a/e")


def test_keys_of_local_names() -> None:
    assert key_of("x/", "a/b") == "x/a/b"
    with pytest.raises(ValueError, match="1,024"):
        key_of("", "a" * 1025)
    with pytest.raises(ValueError, match="UTF-8"):
        key_of("", os.fsdecode(b"\xff"))


# --- on a disk


def write(folder: Folder, name: LocalName, data: bytes = b"x") -> None:
    target = folder.open(name, "tag")
    target.write([data], 0, 0, None)
    target.finish(None, flush=False)


def test_nasty_keys_stay_below_the_folder(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "chosen")
    namer = Namer()
    written = 0
    for key in sorted(NASTY, key=lambda key: key.encode("utf-8", "surrogatepass")):
        name = namer.name(key)
        if name.name:
            write(folder, name)
            written += 1
    assert [path.name for path in tmp_path.iterdir()] == ["chosen"]
    assert sum(1 for path in (tmp_path / "chosen").rglob("*") if path.is_file()) == written


def test_links_below_the_folder_are_not_followed(tmp_path: Path) -> None:
    chosen, outside = tmp_path / "chosen", tmp_path / "outside"
    chosen.mkdir()
    outside.mkdir()
    (outside / "file").write_text("precious")
    (chosen / "dir").symlink_to(outside)
    (chosen / "name").symlink_to(outside / "file")
    folder = Folder(chosen)
    with pytest.raises(ProblemError, match="in the way"):
        write(folder, LocalName(("dir",), "file", False))
    write(folder, LocalName((), "name", False), b"new")
    assert (outside / "file").read_text() == "precious"
    assert (chosen / "name").read_bytes() == b"new" and not (chosen / "name").is_symlink()
    (chosen / ".statetui-tag.part").symlink_to(outside / "file")
    write(folder, LocalName((), "other", False), b"new")
    assert (outside / "file").read_text() == "precious"


def test_what_is_in_the_way(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    with pytest.raises(ProblemError, match="in the way"):
        write(folder, LocalName(("file",), "b", False))
    with pytest.raises(ProblemError, match="is a folder"):
        write(folder, LocalName((), "folder", False))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_a_disk_that_takes_little_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pwritev = os.pwritev
    monkeypatch.setattr(os, "pwritev", lambda handle, data, at: pwritev(handle, [b"".join(data)[:7]], at))
    target = Folder(tmp_path).open(LocalName((), "a", False), "tag")
    pieces = [bytes([number]) * number for number in range(12)]
    crc = target.write(pieces, 3, 0, None)
    target.finish(None, flush=False)
    assert (tmp_path / "a").read_bytes() == bytes(3) + b"".join(pieces) and crc == zlib.crc32(b"".join(pieces))


def test_no_room(tmp_path: Path) -> None:
    target = Folder(tmp_path).open(LocalName((), "a", False), "tag")
    with pytest.raises(ProblemError, match="no room"):
        target.require(1 << 60)
    target.discard()
    assert list(tmp_path.iterdir()) == []
