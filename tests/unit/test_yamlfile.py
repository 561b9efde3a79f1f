"""YAML that would end the process, fill the memory or raise what nobody catches is refused like any other mistake."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tui import yamlfile
from tui.kube import kubeconfig
from tui.problem import ProblemError
from tui.screens import themes
from tui.settings import SettingsError
from tui.settings import load as load_settings
from tui.systems.catalogue import load_catalogue

DEEP = "[" * 100_000
BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60))
LOOP = "clusters: &a [*a]\n"
HOSTILE = {
    "deep": DEEP,
    "deep-map": "{a: " * 50_000,
    "bomb": BOMB,
    "loop": LOOP,
    "date": "title: 2024-99-99\n",
    "number": "title: 0b_\n",
    "control": "a: \x1b[31m\n",
    "tag": "a: !!python/object/apply:os.abort []\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_not_meant_is_a_yaml_error(name: str) -> None:
    with pytest.raises(yaml.YAMLError):
        yamlfile.load(HOSTILE[name])


@pytest.mark.parametrize("name", ["deep", "deep-map", "bomb", "loop"])
def test_nodes_are_refused_in_the_same_way(name: str) -> None:
    with pytest.raises(yaml.YAMLError):
        yamlfile.compose(HOSTILE[name])


def test_the_line_is_told() -> None:
    with pytest.raises(yaml.MarkedYAMLError) as caught:
        yamlfile.load("a: 1\nb: " + DEEP)
    assert caught.value.problem == "nested too deeply"
    assert caught.value.problem_mark is not None
    assert caught.value.problem_mark.line == 1


def test_no_utf8_is_a_yaml_error() -> None:
    with pytest.raises(yaml.YAMLError):
        yamlfile.load(b"a: \xff\xfe")


def test_ordinary_documents_aliases_and_merges_are_read() -> None:
    text = "base: &base {a: 1, b: [x, y]}\nother: {<<: *base, c: *base}\n"
    assert yamlfile.load(text)["other"] == {"a": 1, "b": ["x", "y"], "c": {"a": 1, "b": ["x", "y"]}}
    assert yamlfile.load("") is None
    assert yamlfile.compose("") is None
    nested: object = 1
    for _ in range(yamlfile.MAX_DEPTH - 1):
        nested = [nested]
    assert yamlfile.load("[" * (yamlfile.MAX_DEPTH - 1) + "1" + "]" * (yamlfile.MAX_DEPTH - 1)) == nested


@pytest.mark.parametrize("name", HOSTILE)
def test_every_reader_of_a_persons_files_answers_with_its_own_error(name: str, tmp_path: Path) -> None:
    file = tmp_path / "odd" / "system.yaml"
    file.parent.mkdir()
    file.write_text(HOSTILE[name])
    if name not in ("date", "number"):  # plain text to kubectl
        with pytest.raises(ProblemError, match=r"system\.yaml"):
            kubeconfig.load(str(file), {})
    with pytest.raises(SettingsError, match=r"system\.yaml"):
        load_settings(file=file, environ={}, flags={}, bindings={})
    theme = tmp_path / "odd.yaml"
    theme.write_text(HOSTILE[name])
    with pytest.raises(ProblemError, match="odd"):
        themes.load("odd", tmp_path)
    problems = " ".join(f"{p.what} {p.evidence}" for p in load_catalogue([tmp_path]).problems)
    assert str(file) in problems


def test_the_process_survives_a_deep_settings_file(tmp_path: Path) -> None:
    folder = tmp_path / "statetui"
    folder.mkdir()
    (folder / "config.yaml").write_text(DEEP)
    done = subprocess.run(
        [sys.executable, "-m", "tui", "get"], capture_output=True, text=True, check=False, timeout=60,
        env={**os.environ, "XDG_CONFIG_HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state")},
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "nested too deeply" in done.stderr
