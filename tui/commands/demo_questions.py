"""One question for each kind of server of the demo, over a forward; the answer as a person reads it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence

from tui.sandbox import scene
from tui.sandbox.images import MissingProgramError, mysqlserver, wheels

#: Seconds that an answer may take.
PATIENCE = 15.0


class WrongError(Exception):
    """The server gave no answer, or not the one that it should; the message says which."""


async def mysql(port: int, role: str) -> str:
    """Whether a member of MySQL has the rows, and replicates or takes writes as its role wants it."""
    client = mysqlserver.client()
    words = [client, "--no-defaults", "-h127.0.0.1", f"-P{port}", "-uroot", "--protocol=tcp", "-N", "-B", "-e"]
    # In statements of their own: MariaDB 10.11 says 0 for @@read_only beside an aggregate (measured).
    told = await _run([*words, "SELECT @@read_only; SELECT COUNT(*) FROM shop.orders"])
    read_only, rows = told.split()[:2]
    if role == "primary":
        if read_only != "0":
            raise WrongError("the primary takes no writes")
        return f"{rows} rows, takes writes"
    try:
        told = await _run([*words, "SHOW REPLICA STATUS\\G"])
    except WrongError:
        # MySQL knows that word from 8.0.22 on, and this one until 8.4.
        told = await _run([*words, "SHOW SLAVE STATUS\\G"])
    # Without names (-N) the lines of \G are values alone: the two threads say Yes or No, or Connecting.
    if told.split("\n").count("Yes") < 2:
        raise WrongError("it does not replicate")
    if read_only != "1":
        raise WrongError("the replica takes writes")
    return f"{rows} rows, replicates"


async def cockroach(port: int, _: str) -> str:
    """How many rows a member of the CockroachDB-shaped set has."""
    psql = str(wheels.postgres() / "psql")
    address = f"host=127.0.0.1 port={port} user=root dbname=defaultdb sslmode=disable"
    rows = await _run([psql, "-XAtq", address, "-c", "SELECT COUNT(*) FROM accounts"])
    return f"{rows.strip()} rows"


async def minio(port: int, _: str) -> str:
    """What a member of the tenant lists in its bucket."""
    keys = [scene.secret("my-tenant-creds-secret", key) for key in ("accesskey", "secretkey")]
    told = await asyncio.to_thread(_list_bucket, f"127.0.0.1:{port}", keys[0], keys[1])
    if "<Key>hello.txt</Key>" not in told:
        raise WrongError("the bucket backups has no hello.txt")
    return f"bucket backups, {told.count('<Key>')} object"


async def rabbitmq(port: int, _: str) -> str:
    """How many nodes a member of RabbitMQ's cluster knows, and how many messages are in the queue."""
    login = base64.b64encode(f"user:{scene.secret('rabbitmq', 'rabbitmq-password')}".encode()).decode()

    async def ask(path: str) -> object:
        headers = {"Authorization": f"Basic {login}"}
        return json.loads(await asyncio.to_thread(_get, f"http://127.0.0.1:{port}/api/{path}", headers))

    running, messages, until = 0, 0, time.monotonic() + 10
    while True:
        # The first node makes the queue when it is ready, and RabbitMQ counts every five seconds. A node that has just
        # joined answers 500 until it knows the others.
        try:
            nodes, queue = await ask("nodes"), await ask("queues/%2F/orders")
        except urllib.error.HTTPError as error:
            if (error.code != 404 and error.code < 500) or time.monotonic() > until:
                raise
        else:
            assert isinstance(nodes, list) and isinstance(queue, dict)  # noqa: S101 (RabbitMQ's API)
            running, messages = sum(bool(node.get("running")) for node in nodes), int(queue.get("messages") or 0)
        if (messages and running == 3) or time.monotonic() > until:
            break
        await asyncio.sleep(0.5)
    if running != 3:
        raise WrongError(f"{running} of 3 nodes run in its cluster")
    return f"{running} nodes, queue orders: {messages} messages"


async def _run(words: Sequence[str]) -> str:
    environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": "/", "LC_ALL": "C.UTF-8"}
    process = await asyncio.create_subprocess_exec(
        *words, stdin=asyncio.subprocess.DEVNULL, stdout=-1, stderr=-1, env=environment
    )
    try:
        out, said = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    if process.returncode:
        raise WrongError(said.decode("utf-8", "replace").strip() or f"the client ended with {process.returncode}")
    return out.decode("utf-8", "replace")


def _get(url: str, headers: Mapping[str, str]) -> str:
    # No proxy of the environment's: it is a forward on this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(urllib.request.Request(url, headers=dict(headers)), timeout=PATIENCE) as answer:  # noqa: S310
        body: bytes = answer.read()
    return body.decode("utf-8", "replace")


def _list_bucket(host: str, user: str, password: str) -> str:
    """Lists the bucket, signed as S3 wants it (version 4)."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    headers = {"host": host, "x-amz-content-sha256": hashlib.sha256(b"").hexdigest(), "x-amz-date": stamp}
    names = ";".join(headers)
    lines = [*(f"{key}:{value}" for key, value in headers.items()), "", names, headers["x-amz-content-sha256"]]
    canonical = "\n".join(["GET", "/backups", "list-type=2", *lines])
    scope_ = f"{stamp[:8]}/us-east-1/s3/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope_, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{password}".encode()
    for part in scope_.split("/"):
        key = hmac.new(key, part.encode(), "sha256").digest()
    signature = hmac.new(key, text.encode(), "sha256").hexdigest()
    told = f"AWS4-HMAC-SHA256 Credential={user}/{scope_}, SignedHeaders={names}, Signature={signature}"
    return _get(f"http://{host}/backups?list-type=2", headers | {"authorization": told})


#: What may go wrong with a question, besides what the server says.
FAILURES = (WrongError, MissingProgramError, OSError, TimeoutError, ValueError, LookupError, urllib.error.URLError)
