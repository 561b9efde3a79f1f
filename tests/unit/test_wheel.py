"""The wheel, built and installed into an empty environment. Needs the package index, as installing the tests did."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tui import __version__

ROOT = Path(__file__).parents[2]
#: What an installed statetui must be able to read from its own package, asked from inside.
PROBE = """
import json
from pathlib import Path
import tui
from tui import paths
from tui.systems.catalogue import load_catalogue
print(json.dumps({
    "package": str(Path(tui.__file__).parent),
    "themes": paths.theme_names(),
    "systems": sorted(load_catalogue().systems),
    "styles": sorted(str(file.name) for file in Path(tui.__file__).parent.rglob("*.tcss")),
}))
"""


def run(*command: str | Path, cwd: Path, seconds: float = 300) -> str:
    """The output of a command that knows nothing of this checkout."""
    strange = ("PYTHONPATH", "VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT")
    environ = {key: value for key, value in os.environ.items() if key not in strange}
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env=environ, capture_output=True, text=True, timeout=seconds, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def uv() -> str | None:
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.exists() else shutil.which("uv")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built from a copy so that nothing is left behind in it."""
    folder = tmp_path_factory.mktemp("build")
    source = folder / "source"
    keep_out = shutil.ignore_patterns(".*", "__pycache__", "tests", "dist")
    shutil.copytree(ROOT, source, ignore=keep_out)
    run(sys.executable, "-m", "build", "--wheel", "--outdir", folder / "dist", source, cwd=folder)
    (built,) = (folder / "dist").iterdir()
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment that holds the wheel, what it needs, and nothing else."""
    folder = tmp_path_factory.mktemp("empty")
    if tool := uv():
        run(tool, "venv", "--quiet", "--python", sys.executable, folder / "venv", cwd=folder)
        run(tool, "pip", "install", "--quiet", "--python", folder / "venv" / "bin" / "python", wheel, cwd=folder)
    else:
        run(sys.executable, "-m", "venv", folder / "venv", cwd=folder)
        run(folder / "venv" / "bin" / "python", "-m", "pip", "install", "--quiet", wheel, cwd=folder)
    return folder / "venv" / "bin"


@pytest.mark.timeout(600)
def test_the_wheel_holds_what_the_program_reads(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for folder, ending in (("manifests", "system.yaml"), ("themes", ".yaml")):
        here = {str(file.relative_to(ROOT)) for file in (ROOT / folder).rglob("*") if file.is_file()}
        there = {name.removeprefix("tui/") for name in names if name.startswith(f"tui/{folder}/")}
        assert there == here
        assert any(name.endswith(ending) for name in there)
    tree = {name for name in names if not name.startswith(("tui/manifests/", "tui/themes/"))}
    assert {name.split("/")[0] for name in tree} == {"tui", f"statetui-{__version__}.dist-info"}
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert "tui/py.typed" in names


@pytest.mark.timeout(600)
def test_it_works_in_an_empty_environment(installed: Path, tmp_path: Path) -> None:
    assert run(installed / "statetui", "--version", cwd=tmp_path) == f"statetui {__version__}\n"
    found = json.loads(run(installed / "python", "-c", PROBE, cwd=tmp_path))
    assert Path(found["package"]).is_relative_to(installed.parent)
    assert {"dark", "light", "colour-blind", "terminal"} <= set(found["themes"])
    assert {"cockroachdb", "minio", "mysql", "postgresql", "rabbitmq", "redis"} <= set(found["systems"])
    assert "app.tcss" in found["styles"]
    run(installed / "python", "-c", "import tui.screens.app, tui.commands.get, tui.commands.doctor", cwd=tmp_path)
