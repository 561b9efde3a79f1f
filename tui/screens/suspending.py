"""ctrl+z: the program rests in the background until the shell lets it go on."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import ClassVar

from textual.app import App
from textual.binding import Binding, BindingType


class SuspendingApp(App[None]):
    """An app that can be suspended, where somebody is there to let it go on."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+z,alt+z", "suspend_process", "Suspend: fg goes on", show=False, id="app.suspend"),
    ]

    def action_suspend_process(self) -> None:
        """Hands the terminal back to the shell; Textual's driver restores it before, and takes it again afterwards."""
        if self._driver is None or not self._driver.can_suspend:
            return
        if not has_shell():
            self.notify("No shell is there to let it go on afterwards.", title="Not suspended", severity="warning")
            return
        # All of the group, as the terminal itself would do: a script that has started us would hold the shell up.
        os.killpg(os.getpgrp(), signal.SIGTSTP)


def has_shell() -> bool:
    """Whether a shell with job control has started the program.

    The kernel leaves processes alone that nobody could wake again (an orphaned process group, as POSIX calls it: after
    `exec`, by `ssh -t HOST statetui`, as the command of a tmux window); the driver stops itself all the same.
    """
    group, session, above = os.getpgrp(), os.getsid(0), os.getppid()
    try:
        while os.getsid(above) == session:
            if os.getpgid(above) != group:
                return True
            above = int(Path(f"/proc/{above}/stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, ValueError):
        return False
    return False
