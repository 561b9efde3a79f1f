"""What the words of `cp`, `mv`, `mirror` and `cat` mean: a local path, a key, or a stream."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tui.problem import Cause, Problem, ProblemError

_GLOB = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class LocalPlace:
    """A file or folder of this machine.

    Attributes:
        text: as it was written; `-` for stdin or stdout.
    """

    text: str

    @property
    def stream(self) -> bool:
        """Stdin or stdout."""
        return self.text == "-"

    @property
    def path(self) -> Path:
        """Where it is."""
        return Path(self.text).expanduser()

    @property
    def folder_meant(self) -> bool:
        """Whether a folder is meant, there or not."""
        return self.text.endswith("/") or self.path.is_dir()


@dataclass(frozen=True, slots=True)
class StorePlace:
    """A key, a prefix or a whole bucket.

    Attributes:
        workload: another one than the command's; empty for that.
        bucket: never empty.
        key: empty for the bucket itself.
        pattern: of the key, when it is one; `key` is then what comes before it.
    """

    workload: str
    bucket: str
    key: str
    pattern: str = ""

    @property
    def prefix_meant(self) -> bool:
        """Whether the place is something to put things below."""
        return not self.key or self.key.endswith("/")

    @property
    def text(self) -> str:
        """For people."""
        return f"{self.workload}:{self.bucket}/{self.key}{self.pattern}"


def place(text: str, *, globs: bool = True, bare: bool = False) -> LocalPlace | StorePlace:
    """What a word means.

    Args:
        text: `:BUCKET[/KEY]` in the command's workload, `WORKLOAD:BUCKET[/KEY]` in another one; anything else is a path
            of this machine, as is what has a slash before its first colon.
        globs: whether `*`, `?` and `[` in a key make a pattern of it.
        bare: whether a word without a colon is a key, too.

    Raises:
        ProblemError: no bucket is named.
    """
    workload, colon, rest = text.partition(":")
    # A workload may be NAMESPACE/NAME; a path is told by what begins like one.
    local = not colon or text.startswith((".", "/", "~")) or workload.count("/") > 1
    if local and not (bare and not colon):
        return LocalPlace(text)
    if local:
        workload, rest = "", text
    bucket, _, key = rest.partition("/")
    if not bucket:
        raise ProblemError(
            Problem(Cause.CONFIG, f"{text} names no bucket", "", "Write :BUCKET/KEY, or ./ before a path with a colon.")
        )
    found = _GLOB.search(key) if globs else None
    if found is None:
        return StorePlace(workload, bucket, key)
    # What comes before the pattern narrows the listing; the pattern goes on from the last slash before it.
    cut = key.rfind("/", 0, found.start()) + 1
    return StorePlace(workload, bucket, key[:cut], key[cut:])
