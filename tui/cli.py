"""The command line: which subcommand, with which options, and what its exit code means.

Imports nothing heavy: `--version` and `--help` load neither Textual nor a Kubernetes client, and a subcommand loads
only what it needs.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tui import __version__
from tui.commands import bucket_arguments, exits, fault_arguments, forward_arguments, queue_arguments, sql_arguments
from tui.commands.parser import Parser

if TYPE_CHECKING:
    from tui.kube.options import ConnectOptions
    from tui.settings import Settings

_EPILOG = """\
Without a command the terminal program starts.

exit codes:
  0  done, and all is well
  1  something is not well, was not found, or failed
  2  wrong arguments or settings
  3  the cluster cannot be reached, or the kubeconfig or its credentials are not good
  4  the cluster allows this user nothing of what was asked
  5    a part was done and a part was not (queue)
  130  interrupted    141  the reader of the output went away

environment:
  KUBECONFIG, NO_COLOR, XDG_CONFIG_HOME, XDG_STATE_HOME; STATETUI_<KEY> sets any plain value of the settings file
  ESCDELAY: milliseconds after which an escape is a key and not the beginning of another one (20, over SSH 50)
"""

_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs statetui and returns its exit code. Never shows a traceback: that goes to the log file."""
    try:
        parser = _parser()
        words = list(sys.argv[1:] if argv is None else argv)
        parser.refuse_unknown(words)
        arguments = _parsed(parser, words)
        if "namespace" in arguments and "all_namespaces" in arguments:
            parser.error("argument -A/--all-namespaces: not allowed with argument -n/--namespace")
        if arguments.command == "demo" and "kubeconfig" in arguments:
            parser.error("argument --kubeconfig: the demo has a cluster of its own")
        if arguments.command == "forward" and (mistake := forward_arguments.mistake(arguments)):
            parser.error(mistake)
        if arguments.command == "sql" and (mistake := sql_arguments.mistake(arguments)):
            parser.error(mistake)
        if arguments.command == "bucket" and (mistake := bucket_arguments.mistake(arguments)):
            parser.error(mistake)
        if arguments.command == "queue" and (mistake := queue_arguments.mistake(arguments)):
            parser.error(mistake)
        return _dispatch(arguments)
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    except BrokenPipeError:
        # What is still buffered has no reader; without this the interpreter complains about it on its way out.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return exits.PIPE_CLOSED
    except Exception as error:  # the last line of defence: a person must never be shown a traceback
        return _defect(error)


# --- arguments


def _parsed(parser: Parser, words: list[str]) -> argparse.Namespace:
    """The arguments. What follows the first `--` is another program's command line, where a command takes one."""
    if "--" in words:
        cut = words.index("--")
        arguments = parser.parse_args(words[:cut])
        if arguments.command in ("forward", "sql"):
            arguments.program = words[cut + 1 :]
            return arguments
    return parser.parse_args(words)


def _namespace(text: str) -> str:
    if not _NAMESPACE.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} cannot be a namespace (lower case letters, digits and -)")
    return text


def _common(groups: str) -> Parser:
    """The options that stand before or after the command. No defaults, so that neither place overwrites the other.

    Args:
        groups: the name for the collected groups: those of the two places are joined.
    """
    common = Parser(add_help=False, argument_default=argparse.SUPPRESS, allow_abbrev=False)
    cluster = common.add_argument_group("cluster")
    cluster.add_argument("--kubeconfig", metavar="FILE", help="another kubeconfig than $KUBECONFIG or ~/.kube/config")
    cluster.add_argument("--context", metavar="NAME", help="another context than the current one")
    scope = cluster.add_mutually_exclusive_group()
    scope.add_argument("-n", "--namespace", type=_namespace, metavar="NS", help="this namespace only")
    scope.add_argument("-A", "--all-namespaces", action="store_true", help="the whole cluster")
    cluster.add_argument("--as", dest="impersonate", metavar="USER", help="act as this user (impersonation)")
    cluster.add_argument(
        "--as-group", dest=groups, action="append", metavar="GROUP", help="… and in this group; repeatable"
    )
    cluster.add_argument("--read-only", action="store_true", help="refuse everything that would change the cluster")
    look = common.add_argument_group("screen")
    look.add_argument("--theme", metavar="NAME", help="a theme by name")
    look.add_argument("--layout", metavar="auto|grid|table", help="panes, or one line for each workload")
    look.add_argument("--no-mouse", dest="mouse", action="store_false", help="do not listen to the mouse")
    look.add_argument("--low-bandwidth", action="store_true", help="for slow lines: fewer frames, lists compressed")
    program = common.add_argument_group("program")
    program.add_argument("--config", metavar="FILE", help="another settings file")
    program.add_argument("--debug", action="store_true", help="log more to the log file")
    return common


def _parser() -> Parser:
    common = _common("groups_after")
    shape = argparse.RawDescriptionHelpFormatter
    parser = Parser(
        prog="statetui", parents=[_common("groups_before")], allow_abbrev=False, formatter_class=shape, epilog=_EPILOG,
        description="Every stateful workload of a Kubernetes cluster, live in a terminal.",
    )  # fmt: skip
    parser.add_argument("-V", "--version", action="version", version=f"statetui {__version__}")
    commands = parser.add_subparsers(dest="command", title="commands", metavar="COMMAND")

    get = commands.add_parser(
        "get", parents=[common], allow_abbrev=False, help="print the workloads",
        description="Prints what the panes know. Named workloads are printed with their members.",
    )  # fmt: skip
    get.add_argument("names", nargs="*", metavar="NAME", help="a workload, NAMESPACE/NAME, or one of its StatefulSets")
    get.add_argument("-o", "--output", choices=("table", "wide", "json", "yaml"), default="table")
    get.add_argument("-w", "--watch", action="store_true", help="go on printing what changes")
    get.add_argument("--no-usage", dest="usage", action="store_false", help="do not ask how full volumes are")
    get.add_argument(
        "--timeout",
        type=forward_arguments.seconds,
        default=30.0,
        metavar="SECONDS",
        help="to wait for all (default: 30)",
    )

    doctor = commands.add_parser(
        "doctor", parents=[common], allow_abbrev=False, help="check what statetui needs, and what is lost",
        description="Checks kubeconfig, credentials, cluster, rights, metrics, terminal, files and settings.",
    )  # fmt: skip
    doctor.add_argument("-o", "--output", choices=("table", "json"), default="table")

    fault_arguments.add(commands, common)
    forward_arguments.add(commands, common)
    sql_arguments.add(commands, common)
    bucket_arguments.add(commands, common)
    queue_arguments.add(commands, common)

    demo = commands.add_parser(
        "demo", parents=[common], allow_abbrev=False, help="try it without a cluster: one on this machine",
        description="Runs a small cluster on this machine, with MySQL, MinIO, CockroachDB and RabbitMQ (or what "
        "stands in for them) as processes of yours, and shows it. It keeps its data until --reset.",
    )  # fmt: skip
    mode = demo.add_mutually_exclusive_group()
    for name, text in (
        ("serve", "no screen: print where its kubeconfig is, for other tools, and run until Ctrl-C"),
        ("check", "no screen: start it, ask each server a question, print a table"),
        ("reset", "forget everything that it keeps"),
    ):
        mode.add_argument(f"--{name}", dest="mode", action="store_const", const=name, default="screen", help=text)
    demo.add_argument("--yes", action="store_true", help="install missing servers, or forget everything, unasked")

    config = commands.add_parser(
        "config", parents=[common], allow_abbrev=False, help="where the settings file is, and what is in force",
        description="`path` prints where the settings file is; `show` prints each value and where it comes from.",
    )  # fmt: skip
    config.add_argument("action", choices=("path", "show"))
    return parser


def _connect_options(arguments: argparse.Namespace) -> ConnectOptions:
    from tui.kube.options import ConnectOptions  # noqa: PLC0415 - only where a cluster is meant

    given = vars(arguments)
    return ConnectOptions(
        kubeconfig=given.get("kubeconfig"),
        context=given.get("context"),
        namespace=given.get("namespace"),
        all_namespaces=given.get("all_namespaces", False),
        impersonate=given.get("impersonate"),
        impersonate_groups=(*given.get("groups_before", ()), *given.get("groups_after", ())),
    )


# --- commands


def _dispatch(arguments: argparse.Namespace) -> int:
    from dataclasses import replace  # noqa: PLC0415 - not for --version

    from tui import logfile  # noqa: PLC0415
    from tui.problem import ProblemError  # noqa: PLC0415
    from tui.settings import SettingsError  # noqa: PLC0415

    try:
        if arguments.command == "config":
            from tui.commands import config  # noqa: PLC0415

            return config.run(arguments.action, _settings_file(arguments), lambda: _settings(arguments))
        if arguments.command == "doctor":
            from tui.commands import doctor  # noqa: PLC0415

            logfile.start("debug" if "debug" in arguments else "info")
            return doctor.run(_connect_options(arguments), lambda: _settings(arguments), arguments.output)
        settings = _settings(arguments)
        logfile.start(settings.log_level)
        if arguments.command == "demo":
            return _demo(arguments, settings)
        options = replace(_connect_options(arguments), low_bandwidth=settings.low_bandwidth)
        if arguments.command == "get":
            from tui.commands import get  # noqa: PLC0415

            request = get.Request(
                tuple(arguments.names), arguments.output, arguments.watch, arguments.usage, arguments.timeout
            )
            return get.run(options, settings, request)
        if arguments.command == "fault":
            from tui.commands import fault  # noqa: PLC0415

            wanted = fault.Request(arguments.name, arguments.target, arguments.end, dict(arguments.set))
            return fault.run(options, settings, wanted)
        if arguments.command == "forward":
            return _forward(arguments, options, settings)
        if arguments.command == "sql":
            return _sql(arguments, options, settings)
        if arguments.command == "bucket":
            from tui.commands import bucket  # noqa: PLC0415

            return bucket.run(options, settings, bucket.Request.of(arguments))
        if arguments.command == "queue":
            from tui.commands import queue  # noqa: PLC0415

            return queue.run(options, settings, queue.Request(arguments.workload, arguments, arguments.wait))
        return _screen(options, settings)
    except SettingsError as error:
        exits.complain(error.problem)
        return exits.USAGE
    except ProblemError as error:
        return exits.complain(error.problem)


def _forward(arguments: argparse.Namespace, options: ConnectOptions, settings: Settings) -> int:
    from tui.commands import forward  # noqa: PLC0415
    from tui.commands.forward_definitions import Request  # noqa: PLC0415

    if arguments.list:
        return forward.show(settings, arguments.output)
    request = Request(
        tuple(arguments.words), tuple(arguments.program or ()), arguments.local, arguments.pod, arguments.role,
        arguments.any, arguments.spread, arguments.unready, arguments.wait, arguments.timeout, arguments.output,
        arguments.env_file, arguments.expand,
    )  # fmt: skip
    return forward.run(options, settings, request)


def _sql(arguments: argparse.Namespace, options: ConnectOptions, settings: Settings) -> int:
    from tui.commands import sql  # noqa: PLC0415

    return sql.run(options, settings, sql.Request.of(arguments))


def _demo(arguments: argparse.Namespace, settings: Settings) -> int:
    from dataclasses import replace  # noqa: PLC0415

    from tui.commands import demo  # noqa: PLC0415

    if arguments.mode == "screen" and (code := _no_screen("statetui demo --serve")):
        return code
    options = replace(_connect_options(arguments), low_bandwidth=settings.low_bandwidth)

    def screen(kubeconfig: str) -> int:
        return _screen(replace(options, kubeconfig=kubeconfig), settings)

    def check(kubeconfig: str) -> int:
        from tui.commands import demo_check  # noqa: PLC0415

        return demo_check.run(replace(options, kubeconfig=kubeconfig))

    def prepare() -> None:
        # Imports take about as long as the sandbox does.
        if arguments.mode == "check":
            from tui.commands import demo_check  # noqa: F401, PLC0415
        if arguments.mode == "screen":
            prepare_screen(settings)
            from tui.screens import app  # noqa: F401, PLC0415
            from tui.systems import live  # noqa: F401, PLC0415

    return demo.run(demo.Request(arguments.mode, arguments.yes), screen, check, prepare)


def _settings_file(arguments: argparse.Namespace) -> str | None:
    return vars(arguments).get("config") or os.environ.get("STATETUI_CONFIG") or None


def _settings(arguments: argparse.Namespace) -> Settings:
    """The settings with the command line on top."""
    from pathlib import Path  # noqa: PLC0415

    from tui import settings  # noqa: PLC0415
    from tui.screens.keys import BINDINGS  # noqa: PLC0415 - names only, no Textual

    given = vars(arguments)
    flags = {key: given.get(key) for key in ("theme", "layout", "mouse", "read_only", "low_bandwidth")}
    flags["log_level"] = "debug" if "debug" in arguments else None
    file = _settings_file(arguments)
    return settings.load(file=Path(file) if file else None, environ=os.environ, flags=flags, bindings=BINDINGS)


def _screen(options: ConnectOptions, settings: Settings) -> int:
    """Starts the terminal program."""
    if code := _no_screen("statetui get"):
        return code
    prepare_screen(settings)
    from tui.screens.app import StatetuiApp  # noqa: PLC0415 - Textual reads the environment when it is imported

    app = StatetuiApp(options, settings)
    app.run(mouse=settings.mouse)
    if app.defect is not None:
        raise app.defect
    return app.return_code or exits.OK


def _no_screen(instead: str) -> int:
    """Says why nothing can be shown here, and what needs no screen; the exit code, 0 when a screen can be shown."""
    if not (_is_terminal(0) and _is_terminal(1)):
        print(f"statetui: this is not a terminal; `{instead}` needs none.", file=sys.stderr)
        return exits.USAGE
    if os.environ.get("TERM") in ("dumb", "unknown"):
        print(
            f"statetui: a terminal of TERM={os.environ['TERM']} cannot show a screen; `{instead}` needs none.",
            file=sys.stderr,
        )
        return exits.USAGE
    return exits.OK


def prepare_screen(settings: Settings) -> None:
    """Sets what Textual reads from the environment when it is imported; what the person has set stays.

    A frame costs bytes, and over a thin line bytes are what is slow: no animation, whole lines when scrolling, and no
    more frames a second than can be told apart there.
    """
    remote = settings.low_bandwidth or "SSH_CONNECTION" in os.environ
    frames = 10 if settings.low_bandwidth else 15 if remote else 30
    os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
    os.environ.setdefault("TEXTUAL_SMOOTH_SCROLL", "0")
    os.environ.setdefault("TEXTUAL_FPS", str(frames))
    # Milliseconds after which an escape is a key, and not the beginning of another key's sequence. A network may tear
    # a sequence apart; a terminal on this machine does not.
    os.environ.setdefault("ESCDELAY", "50" if remote else "20")


def _is_terminal(descriptor: int) -> bool:
    try:
        return os.isatty(descriptor)
    except OSError:
        return False


def _defect(error: Exception) -> int:
    import logging  # noqa: PLC0415

    from tui import logfile, paths  # noqa: PLC0415

    if not logging.getLogger().handlers:
        logfile.start("info")
    logging.getLogger("tui").critical("a defect ended the program", exc_info=error)
    print(
        f"statetui: a defect of statetui, not of your cluster: {type(error).__name__}: {logfile.mask(str(error))}"
        f"\nThe details are in {paths.log_file()}",
        file=sys.stderr,
    )
    return exits.FAILED
