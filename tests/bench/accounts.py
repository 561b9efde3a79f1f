"""CPU seconds of the programs that a transfer goes through, out of /proc: what a busy machine does not falsify.

Wall-clock rates depend on who else is at work. The seconds that a gibibyte costs each program between the client and
the disks do so much less, and on a machine where all of them run, their sum is what bounds the rate.
"""

from __future__ import annotations

import os
from pathlib import Path

#: What runs on the way: the API server, the kubelet, the runtime, the store, the rival's forward.
NAMES = ("kube-apiserver", "kubelet", "containerd", "minio", "kubectl")
_TICKS = os.sysconf("SC_CLK_TCK")


def seconds() -> dict[str, float]:
    """CPU seconds that the running programs have used so far, by name; nothing where there is no /proc."""
    used = dict.fromkeys(NAMES, 0.0)
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            text = (folder / "stat").read_text()
        except OSError:
            continue  # it has ended
        name = text[text.index("(") + 1 : text.rindex(")")]
        if name in used:
            fields = text[text.rindex(")") + 2 :].split()
            used[name] += (int(fields[11]) + int(fields[12])) / _TICKS
    return used


def between(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    """What was used in the meantime. Programs that ended meanwhile count as nothing."""
    return {name: max(0.0, after[name] - before[name]) for name in NAMES}
