"""`sandbox/process` and `busybox`: the container's command as it stands, run with this machine's programs."""

from __future__ import annotations

from tui.sandbox.images.model import Container, MissingProgramError, Plan


class ProcessImage:
    """Runs `command` and `args`; a shell that waits for input when there is neither, as busybox does."""

    def __init__(self, stands_for: str = "") -> None:
        self._stands_for = stands_for

    def stands_in(self, container: Container) -> str:
        """One sentence on what stands in for what."""
        return f"This machine's programs stand in for {self._stands_for}" if self._stands_for else ""

    def plan(self, container: Container) -> Plan:
        """Its words as they are."""
        words = [*container.command, *container.args]
        if not words and not self._stands_for:
            raise MissingProgramError(f'image "{container.image}" runs the container\'s command, and it has none')
        return Plan(words or ["sh"])
