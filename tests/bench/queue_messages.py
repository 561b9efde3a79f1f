"""Messages to and from the real RabbitMQ of the real cluster, beside aio-pika and rabbitmqadmin, in turn.

    PATH=…/kubectl:$PATH .venv/bin/python tests/bench/queue_messages.py --kubeconfig FILE [--rounds 3]
        [--only classic|quorum|tail|memory] [--messages 100000] [--quorum 20000] [--rabbitmqadmin PROGRAM]

Ours is `statetui queue rabbitmq publish` and `get --ack` as people run them, from the start of the process to its end;
the rival is `queue_rival.py` over `kubectl port-forward` to the same pod, without the start of kubectl. Both publish
numbered messages with confirms, and write what they consume to a file, in which number, order and each byte are
compared. rabbitmqadmin publishes one message in each run; PROGRAM is the one in Rust, without it the server's own is
taken, in Python. Processor seconds are each process' own; on a busy machine they say more than the rates do.

All of it is in a virtual host of its own. A quorum queue writes what goes through it to a log that each node keeps for
long, on volumes of 256 MiB; so fewer go through it, and after each the nodes are asked to begin another one. Nothing is
begun when a volume has too little room. Prints tables with the limits, and ends with 1 when one was missed.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from queue_bodies import complete, template
from verdicts import Table, conclude

POD, VHOST = "rabbitmq-0", f"bench-messages-{os.getpid()}"
NODES = ("rabbitmq-0", "rabbitmq-1", "rabbitmq-2")
#: Bytes that a volume must have left, for others and for the server's own limit.
SPARE = 80 << 20
#: What a message needs on disk beside its body, in bytes; a small one more than a large one, which is stored elsewhere.
OVERHEAD, OVERHEAD_SMALL = 100, 300
#: Messages a second at which `--rate` is looked at.
RATES = (10, 500, 2000)
#: Megabytes that a large export may need more than a small one.
GROWTH = 25


@dataclass(frozen=True)
class Run:
    """Of a process.

    Attributes:
        seconds: from its start to its end.
        cpu: processor seconds that it used.
        memory: megabytes that were resident at most.
    """

    seconds: float
    cpu: float
    memory: int


def run(command: Sequence[str], out: Path | None = None) -> Run:
    """Runs a program; it must end well."""
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        stdout = stack.enter_context(out.open("wb")) if out is not None else subprocess.DEVNULL
        process = subprocess.Popen(command, stdout=stdout, stderr=subprocess.PIPE)
        assert process.stderr is not None
        said = process.stderr.read()
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}: {said.decode(errors='replace')}")
    return Run(time.monotonic() - began, used.ru_utime + used.ru_stime, used.ru_maxrss >> 10)


@dataclass
class Broker:
    """The broker, as the bench and the rivals reach it.

    Attributes:
        kubeconfig: the administrator's.
        password: of `user`.
        amqp: local port of `kubectl port-forward`.
        http: the same for the management API.
    """

    kubeconfig: str
    password: str = ""
    amqp: int = 0
    http: int = 0
    forward: int = 0

    @contextlib.contextmanager
    def open(self) -> Iterator[None]:
        """Forwards both ports, and makes the virtual host."""
        secret = self.kubectl("get", "secret", "rabbitmq", "-o", "jsonpath={.data.rabbitmq-password}")
        self.password = base64.b64decode(secret).decode()
        self.amqp, self.http = free_port(), free_port()
        with subprocess.Popen(
            ["kubectl", "--kubeconfig", self.kubeconfig, "-n", "stateful", "port-forward", f"pod/{POD}",
             f"{self.amqp}:5672", f"{self.http}:15672"], stdout=subprocess.DEVNULL,
        ) as process:  # fmt: skip
            self.forward = process.pid
            made = False
            try:
                for port in (self.amqp, self.http):
                    await_port(port)
                self.ask("PUT", f"vhosts/{VHOST}", {})
                made = True
                everything = {"configure": ".*", "write": ".*", "read": ".*"}
                self.ask("PUT", f"permissions/{VHOST}/user", everything)
                yield
            finally:
                try:
                    if made:
                        self.ask("DELETE", f"vhosts/{VHOST}")
                finally:
                    process.terminate()

    def kubectl(self, *words: str) -> str:
        """What kubectl prints."""
        command = ["kubectl", "--kubeconfig", self.kubeconfig, "-n", "stateful", *words]
        return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Asks the management API."""
        given = urllib.request.Request(f"http://127.0.0.1:{self.http}/api/{path}", method=method)
        given.add_header("Authorization", "Basic " + base64.b64encode(f"user:{self.password}".encode()).decode())
        given.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(given, None if body is None else json.dumps(body).encode(), timeout=60) as answer:
            told = answer.read()
        return json.loads(told) if told else None

    @contextlib.contextmanager
    def queue(self, name: str, kind: str, room: int) -> Iterator[str]:
        """A queue, for which all nodes have so many bytes of room."""
        deadline = time.monotonic() + 60  # what was deleted just now is given back, and told, some seconds later
        while short := [one for one in self.ask("GET", "nodes") if one["disk_free"] < room + SPARE]:
            if time.monotonic() > deadline:
                told = ", ".join(f"{one['name']} has {one['disk_free'] >> 20} MiB left" for one in short)
                raise SystemExit(f"{told}: too little for {room >> 20} MiB more")
            time.sleep(2)
        path = f"queues/{VHOST}/{name}"
        self.ask("PUT", path, {"durable": True, "arguments": {"x-queue-type": kind}})
        try:
            yield name
        finally:
            self.ask("DELETE", path)
            if kind == "quorum":
                self.begin_logs()

    def begin_logs(self) -> None:
        """Has the nodes begin a new log of their quorum queues; nothing else gives the room of the old one back."""
        for node in NODES:
            ctl = "rabbitmqctl eval 'ra_log_wal:force_roll_over({ra_log_wal, node()}).'"
            name = f"RABBITMQ_NODENAME=rabbit@{node}.rabbitmq-headless.stateful.svc.cluster.local"
            self.kubectl("exec", node, "--", "bash", "-c", f"RABBITMQ_USE_LONGNAME=true HOME=/data {name} {ctl}")

    def ours(self, verb: str, *words: str) -> list[str]:
        """Our command."""
        return [sys.executable, "-m", "tui", "--kubeconfig", self.kubeconfig, "queue", "-n", "stateful", "--member",
                POD, "rabbitmq", verb, "--vhost", VHOST, *words]  # fmt: skip

    def rival(self, verb: str, queue: str, count: int, size: int, *file: str) -> list[str]:
        """The same with aio-pika."""
        url = f"amqp://user:{self.password}@127.0.0.1:{self.amqp}/{VHOST}"
        return [sys.executable, str(Path(__file__).with_name("queue_rival.py")), verb, url, queue, str(count),
                str(size), *file]  # fmt: skip


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def await_port(port: int) -> None:
    """Waits until somebody listens."""
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 5).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def processor(pid: int) -> float:
    """Seconds of a process so far."""
    told = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")


@dataclass
class Side:
    """What one of the two needed, a value for each round."""

    published: list[Run] = field(default_factory=list)
    consumed: list[Run] = field(default_factory=list)
    forward: list[float] = field(default_factory=list)


def bulk(broker: Broker, kind: str, count: int, size: int, rounds: int, folder: Path) -> tuple[Table, list[float]]:
    """Publishing and consuming; also our rates of publishing, of each round."""
    ours, theirs = Side(), Side()
    file, out = folder / "template", folder / "out"
    file.write_bytes(template(size))
    for _ in range(rounds):
        for side in (theirs, ours):
            mine = side is ours
            with broker.queue("messages", kind, count * (size + OVERHEAD)) as name:
                before = processor(broker.forward)
                side.published.append(run(
                    broker.ours("publish", "--queue", name, "--file", str(file), "--template", "--count", str(count))
                    if mine else broker.rival("publish", name, count, size)
                ))  # fmt: skip
                middle = processor(broker.forward)
                if mine:
                    words = broker.ours("get", name, "--count", str(count), "--ack", "--yes", "--raw")
                    side.consumed.append(run(words, out))
                else:
                    side.consumed.append(run(broker.rival("consume", name, count, size, str(out))))
                if not complete(out, count, size):
                    raise SystemExit(f"{'ours' if mine else 'aio-pika'}: not all, or in another order: {out}")
                side.forward += [middle - before, processor(broker.forward) - middle]
                told = (
                    f"{count / one[-1].seconds:,.0f}/s {one[-1].cpu:.1f} s" for one in (side.published, side.consumed)
                )
                print(f"{kind}, {'statetui' if mine else 'aio-pika'}:", *told, file=sys.stderr, flush=True)
                # aio-pika's last ones may be put back: a quorum queue takes single acknowledgements later than it
                # lets a channel close.
                if mine and (left := left_in(broker, name, 0)) != 0:
                    raise SystemExit(f"{left} messages of {name} are left, though all were acknowledged")
    table = Table(f"{kind} queue, {count:,} messages of {size} bytes")
    rates = {}
    for what in ("published", "consumed"):
        for name, side in (("aio-pika", theirs), ("statetui", ours)):
            runs: list[Run] = getattr(side, what)
            rates[name] = [count / one.seconds for one in runs]
            table.add(f"{what}, {name}", rates[name], "/s")
            table.add("  processor", [one.cpu for one in runs], "s")
            table.add("  memory", [one.memory for one in runs], "MB")
            if side is theirs:
                table.add("  kubectl's processor", side.forward[what == "consumed" :: 2], "s")
        if what == "published":
            published = rates["statetui"]
        pairs = zip(rates["statetui"], rates["aio-pika"], strict=True)
        table.add(f"{what}, how many times as fast", [one / other for one, other in pairs], "x", least=1.2)
    return table, published


def left_in(broker: Broker, name: str, wanted: int) -> int:
    """Messages of a queue, ready or not, as the server counts them; waits until they are as many as is wanted.

    Its counts come some seconds late.
    """
    deadline = time.monotonic() + 60
    while True:
        told = broker.ask("GET", f"queues/{VHOST}/{name}?disable_stats=true&enable_queue_totals=true")
        count = int(told.get("messages", -1))
        if count == wanted or time.monotonic() > deadline:
            return count
        time.sleep(1)


def admin(broker: Broker, program: str, count: int, size: int, published: list[float], folder: Path) -> Table:
    """rabbitmqadmin's publish, one run for each message."""
    payload = "x" * size
    with broker.queue("admin", "classic", 0) as name:
        if program:
            base = [program, "--host", "127.0.0.1", "--port", str(broker.http), "--username", "user", "--password",
                    broker.password, "--vhost", VHOST, "publish", "message", "--routing-key", name, "--payload",
                    payload]  # fmt: skip
            title = subprocess.run([program, "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
        else:
            script = folder / "rabbitmqadmin"
            with urllib.request.urlopen(f"http://127.0.0.1:{broker.http}/cli/rabbitmqadmin", timeout=60) as answer:
                script.write_bytes(answer.read())
            base = [sys.executable, str(script), "-H", "127.0.0.1", "-P", str(broker.http), "-u", "user", "-p",
                    broker.password, "-V", VHOST, "publish", f"routing_key={name}", f"payload={payload}",
                    'properties={"delivery_mode":2}']  # fmt: skip
            title = "the server's own rabbitmqadmin (Python)"
        runs = [run(base) for _ in range(count)]
        if (left := left_in(broker, name, count)) != count:
            raise SystemExit(f"rabbitmqadmin published {left} of {count}")
    table = Table(f"{title}, {count} messages of {size} bytes, one in each run")
    rate = count / sum(one.seconds for one in runs)
    table.add("published, rabbitmqadmin", [rate], "/s")
    table.add("  processor, each", [one.cpu for one in runs], "s")
    table.add("published, statetui: how many times as fast", [one / rate for one in published], "x", least=5)
    return table


def tail(broker: Broker, count: int, size: int, folder: Path) -> Table:
    """Whether a tail keeps up with a fast publisher, and whether `--rate` is kept."""
    table = Table(f"tail of an exchange, and publish --rate; messages of {size} bytes")
    broker.ask("PUT", f"exchanges/{VHOST}/tailed", {"type": "topic"})
    file, out = folder / "template", folder / "out"
    file.write_bytes(template(size))
    words = ("--exchange", "tailed", "--routing-key", "k", "--file", str(file), "--template")
    with tailed(broker, count, out) as (process, _):
        publisher = run(broker.ours("publish", *words, "--count", str(count)))
        ended = time.monotonic()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        late = time.monotonic() - ended
    if not complete(out, count, size):
        raise SystemExit(f"the tail left something out, or changed the order: {out}")
    table.add(f"published to it, {count:,}", [count / publisher.seconds], "/s")
    table.add("  processor", [publisher.cpu], "s")
    table.add("the tail's end after the publisher's", [late], "s", limit=2.0)
    table.add("  processor", [used.ru_utime + used.ru_stime], "s")
    table.add("  memory", [used.ru_maxrss >> 10], "MB")
    for rate in RATES:
        arrived = rated(broker, rate, [*words, "--count", str(rate * 5), "--rate", str(rate)])
        wanted = (rate * 5 - 1) / rate
        table.add(f"--rate {rate}: off by", [abs((arrived[-1] - arrived[0]) / wanted - 1) * 100], "%", limit=2.0)
        off = [moment - arrived[0] - number / rate for number, moment in enumerate(arrived)]
        table.add("  how late a message came", [max(0.0, one) for one in off], "s")
    return table


def rated(broker: Broker, rate: int, words: list[str]) -> list[float]:
    """When each message came."""
    arrived: list[float] = []
    with tailed(broker, rate * 5, None) as (process, _):
        publisher = subprocess.Popen(broker.ours("publish", *words), stderr=subprocess.DEVNULL)
        assert process.stdout is not None
        arrived.extend(time.monotonic() for _ in process.stdout)
        publisher.wait()
        process.wait()
    if len(arrived) != rate * 5 or publisher.returncode:
        raise SystemExit(f"--rate {rate}: {len(arrived)} came, the publisher ended with {publisher.returncode}")
    return arrived


@contextlib.contextmanager
def tailed(broker: Broker, count: int, out: Path | None) -> Iterator[tuple[subprocess.Popen[bytes], None]]:
    """A tail that listens."""
    with contextlib.ExitStack() as stack:
        stdout = stack.enter_context(out.open("wb")) if out is not None else subprocess.PIPE
        process = stack.enter_context(subprocess.Popen(
            broker.ours("tail", "tailed", "--raw", "--count", str(count)), stdout=stdout, stderr=subprocess.PIPE
        ))  # fmt: skip
        assert process.stderr is not None
        if not process.stderr.readline().startswith(b"listening"):
            raise SystemExit(f"the tail does not listen: {process.stderr.read().decode(errors='replace')}")
        yield process, None


def memory(broker: Broker, count: int, folder: Path) -> Table:
    """What an export needs that is larger than what it may hold."""
    size = 40
    file, out = folder / "template", folder / "out"
    file.write_bytes(template(size))
    table, peaks = Table(f"an export of {count:,} messages of {size} bytes, beside one of 1,000"), []
    for many in (1000, count):
        with broker.queue("export", "classic", many * (size + OVERHEAD_SMALL)) as name:
            words = ("--queue", name, "--file", str(file), "--template", "--count", str(many))
            published = run(broker.ours("publish", *words))
            got = run(broker.ours("get", name, "--count", str(many), "--ack", "--yes", "-o", "jsonl"), out)
        with out.open("rb") as lines:
            number = 0
            for number, line in enumerate(lines, 1):
                if int(json.loads(line)["payload"][:8]) != number:
                    raise SystemExit(f"line {number} is another message: {line[:200]!r}")
        if number != many:
            raise SystemExit(f"{number} of {many} are in the file")
        peaks.append((published, got))
        table.add(f"published {many:,}", [many / published.seconds], "/s")
        table.add("  memory", [published.memory], "MB")
        table.add(f"exported {many:,} as JSON", [many / got.seconds], "/s")
        table.add("  processor", [got.cpu], "s")
        table.add("  memory", [got.memory], "MB")
    for place, what in enumerate(("publishing", "the export")):
        table.add(f"{what}: more memory", [peaks[1][place].memory - peaks[0][place].memory], "MB", limit=GROWTH)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kubeconfig", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--messages", type=int, default=100_000, help="for the classic queue")
    parser.add_argument("--quorum", type=int, default=20_000, help="for the quorum queue")
    parser.add_argument("--export", type=int, default=300_000, help="for the memory; more need larger volumes")
    parser.add_argument("--admin", type=int, default=100, help="for rabbitmqadmin")
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--rabbitmqadmin", default="", metavar="PROGRAM", help="the one in Rust")
    parser.add_argument("--only", choices=("classic", "quorum", "tail", "memory"))
    given = parser.parse_args()
    broker, tables = Broker(given.kubeconfig), []
    with tempfile.TemporaryDirectory() as name, broker.open():
        folder = Path(name)
        if given.only in (None, "classic"):
            table, published = bulk(broker, "classic", given.messages, given.size, given.rounds, folder)
            tables += [table, admin(broker, given.rabbitmqadmin, given.admin, given.size, published, folder)]
        if given.only in (None, "quorum"):
            tables.append(bulk(broker, "quorum", given.quorum, given.size, given.rounds, folder)[0])
        if given.only in (None, "tail"):
            tables.append(tail(broker, given.messages // 2, given.size, folder))
        if given.only in (None, "memory"):
            tables.append(memory(broker, given.export, folder))
    conclude(*tables)


if __name__ == "__main__":
    main()
