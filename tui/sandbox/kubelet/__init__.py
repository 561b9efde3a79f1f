"""The sandbox's kubelet: it runs the pods of the one node as local processes."""

from __future__ import annotations

from tui.sandbox.kubelet.kubelet import BusyError, Kubelet

__all__ = ["BusyError", "Kubelet"]
