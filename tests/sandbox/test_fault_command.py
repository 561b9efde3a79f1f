"""`statetui fault` against a real sandbox."""

from __future__ import annotations

from typing import Any

import pytest
from kubelet_fakes import until
from test_faults import Taught, taught  # noqa: F401  (a fixture)

from tui.commands import fault
from tui.kube.options import ConnectOptions
from tui.problem import Cause, ProblemError
from tui.settings import Settings


async def run(made: Taught, *words: str, end: bool = False, settings: Settings | None = None, **options: Any) -> int:
    where = ConnectOptions(kubeconfig=str(made.server.kubeconfig))
    return await fault._run(where, settings or Settings(), fault.Request(*words, end=end, options=options))


async def test_a_fault_from_the_list_to_its_end(taught: Taught, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: F811
    await taught.run("p")
    assert await run(taught, "list") == 0
    said = capsys.readouterr().out
    assert "crash-loop       POD        exitCode=1" in said
    assert "no fault goes on" in said
    assert await run(taught, "kill-pod", "p") == 0
    assert capsys.readouterr().out == "killed 1 container of p\n"
    await until(lambda: taught.container("p")["restartCount"] == 1 and taught.ready("p"))
    assert await run(taught, "crash-loop", "p", exitCode=7) == 0
    assert capsys.readouterr().out.splitlines() == [
        "each start of p fails with exit code 7",
        "end it with: statetui fault crash-loop default/p --end",
    ]
    assert await run(taught, "list") == 0
    assert "crash-loop   default/p" in capsys.readouterr().out
    assert await run(taught, "crash-loop", "default/p", end=True) == 0
    assert capsys.readouterr().out == "ended: crash-loop default/p\n"
    await until(lambda: taught.ready("p"))


@pytest.mark.parametrize(
    ("words", "end", "said"),
    [
        (("crash-lop", "p"), False, "There is no fault crash-lop: there are kill-pod, "),
        (("crash-loop", "gone"), False, 'The fault crash-loop was not made: pods "gone" not found'),
        (("crash-loop",), False, "The fault crash-loop was not made: crash-loop needs a pod"),
        (("crash-loop",), True, "The fault crash-loop was not ended: the fault crash-loop is not active"),
    ],
)
async def test_what_cannot_be_done_is_said(taught: Taught, words: tuple[str, ...], end: bool, said: str) -> None:  # noqa: F811
    with pytest.raises(ProblemError) as caught:
        await run(taught, *words, end=end)
    assert said in str(caught.value)


async def test_read_only_makes_no_faults(taught: Taught) -> None:  # noqa: F811
    with pytest.raises(ProblemError) as caught:
        await run(taught, "cut-watches", settings=Settings(read_only=True))
    assert caught.value.problem.cause is Cause.REJECTED
    assert "read-only" in caught.value.problem.what
    assert await run(taught, "list", settings=Settings(read_only=True)) == 0
