"""Consoles: the screens that talk to a workload's own service."""
