"""The streams of pods: logs, exec, attach, port-forward; and the figures that the kubelet keeps."""

from __future__ import annotations

from tui.sandbox.streams.routes import add_streams

__all__ = ["add_streams"]
