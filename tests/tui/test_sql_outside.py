"""A text in the person's own editor, in a real terminal: everything else lives on meanwhile."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from process import Program

# These stand beside the unit tests; `process` has put that folder on the path.
from fake_api import FakeApi  # isort: skip
from small_cluster import kubeconfig, put_mysql  # isort: skip

#: Says that it is there, waits for a file, and writes a statement.
EDITOR = """#!{python}
import pathlib, sys, time
print("in the editor", flush=True)
while not pathlib.Path({go!r}).exists():
    time.sleep(0.02)
pathlib.Path(sys.argv[1]).write_text("select 'written outside'\\n")
sys.exit({code})
"""


def editor(folder: Path, code: int = 0) -> dict[str, str]:
    """What makes it the person's editor; by its bare name, which no message has to wrap."""
    script = folder / "my-editor"
    script.write_text(EDITOR.format(python=sys.executable, go=str(folder / "go"), code=code))
    script.chmod(0o755)
    return {"VISUAL": "", "EDITOR": script.name, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


async def test_the_program_lives_on_while_somebody_writes_outside(tmp_path: Path) -> None:
    async with FakeApi() as server:
        put_mysql(server)
        more = editor(tmp_path)
        async with Program(kubeconfig=kubeconfig(server, tmp_path), environment=more) as program:
            await program.until("● live")
            program.type("s")
            await program.until("Log in to shop")
            program.type("\x1b")
            await program.until(lambda text: "Log in to" not in text and "query 1" in text)
            program.type("\x1bOS")  # f4
            await program.until("in the editor")
            asked, drawn = len(server.requests), len(program.raw)
            server.drop_watches()
            program.resize(90, 26)
            await program.until(lambda _: len(server.requests) > asked)
            assert b"query 1" not in program.raw[drawn:], "nothing is drawn on the editor's screen"
            (tmp_path / "go").touch()
            await program.until("written outside")


async def test_an_editor_that_fails_changes_nothing_and_gives_the_terminal_back(tmp_path: Path) -> None:
    async with FakeApi() as server:
        put_mysql(server)
        (tmp_path / "go").touch()
        more = editor(tmp_path, code=3)
        async with Program(kubeconfig=kubeconfig(server, tmp_path), environment=more) as program:
            await program.until("● live")
            program.type("s")
            await program.until("Log in to shop")
            program.type("\x1b")
            await program.until(lambda text: "Log in to" not in text and "query 1" in text)
            program.type("\x1bOS")
            await program.until("exit code 3")
            assert "written outside" not in program.text
