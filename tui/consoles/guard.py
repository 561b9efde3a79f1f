"""What a console may change, and what it asks first."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Held:
    """Something that is held back until somebody says that it is meant.

    Attributes:
        title: the question.
        does: what it does, a sentence each.
        yes: what the answer does, in a word or two.
        name: what must be typed first; empty where a key is enough.
    """

    title: str
    does: tuple[str, ...]
    yes: str
    name: str = ""


@dataclass(slots=True)
class Guard:
    """What holds for a console.

    Attributes:
        protected: whether the context is a protected one: what destroys wants the name typed of what goes.
        locked: whether the settings forbid changes outright (`--read-only`).
        opened: whether a protected context was opened for changes, by typing its name.
    """

    protected: bool = False
    locked: bool = False
    opened: bool = False

    @property
    def read_only(self) -> str:
        """Why nothing may be changed; empty when it may."""
        if self.locked:
            return "the settings say read_only"
        if self.protected and not self.opened:
            return "the context is protected: f2 opens it for changes"
        return ""

    def held(self, title: str, does: tuple[str, ...], yes: str, name: str, *, always: bool = False) -> Held:
        """The question before something is destroyed.

        Args:
            title: the question.
            does: what it does.
            yes: what the answer does.
            name: of what goes; it must be typed in a protected context.
            always: it must be typed everywhere, because what goes is whole (a bucket, a virtual host).
        """
        return Held(title, does, yes, name if self.protected or always else "")
