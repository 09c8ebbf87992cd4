"""The command line: `refrain up`, `demo`, and a command for each thing to ask.

Exit codes: 0 done, 1 not done, 2 not understood, 130 Ctrl-C.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import grpc.aio

from refrain import VERSION
from refrain.cli import commands
from refrain.cli.client import Client, explain
from refrain.cli.commands import CommandError
from refrain.cli.terminal import Terminal, complain
from refrain.local.guardian import StartError, runs
from refrain.local.home import Home
from refrain.v1.job_pb2 import Job

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Awaitable, Callable, Mapping, Sequence

SERVER = "127.0.0.1:50051"
"""Where a gateway is looked for when nothing says where one is."""

STATUSES = {name.lower(): number for name, number in Job.Status.items() if number}


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one command and exits with its code."""
    asked = _parser().parse_args(arguments)
    try:
        code = asked.run(asked)
    except (CommandError, StartError) as error:
        complain(str(error))
        code = 1
    except BrokenPipeError:
        # Who read our output has gone; nothing is left to be flushed at the exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except OSError as error:
        complain(
            f"{error.filename}: {error.strerror}" if error.filename else str(error)
        )
        code = 1
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)


def find_server(environment: Mapping[str, str] = os.environ) -> str:
    """Returns host:port of REFRAIN_SERVER, else of `refrain up`, else the usual one."""
    if server := environment.get("REFRAIN_SERVER"):
        return server
    where = Home(_home(environment)).whereabouts()
    return where.grpc if where and runs(where.pid) else SERVER


def _home(environment: Mapping[str, str] = os.environ) -> Path:
    return Path(environment.get("REFRAIN_HOME") or ".refrain")


def _up(_: Namespace) -> int:
    # Only here, as clients need none of what servers do.
    from refrain.local.system import up
    from refrain.store import migrate

    return asyncio.run(up(_home(), migrate=migrate, say=Terminal().say))


def _demo(_: Namespace) -> int:
    from refrain.cli.demo import demo

    return asyncio.run(demo(_home() / "demo", Terminal()))


def _call(
    command: Callable[[Client, Namespace, Terminal], Awaitable[int]], asked: Namespace
) -> int:
    """Runs a command against the gateway."""
    server = asked.server or find_server()

    async def call() -> int:
        async with Client(server) as client:
            return await command(client, asked, Terminal())

    try:
        return asyncio.run(call())
    except grpc.aio.AioRpcError as error:
        complain(explain(error, server))
        return 1


def _parser() -> ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="refrain", description="Turns a song into a video, and stops when asked."
    )
    parser.add_argument("--version", action="version", version=f"refrain {VERSION}")
    every = parser.add_subparsers(required=True, metavar="COMMAND")
    up = every.add_parser("up", help="run Refrain on this machine until Ctrl-C")
    up.set_defaults(run=_up)
    demo = every.add_parser("demo", help="make one sample's video, cancel another's")
    demo.set_defaults(run=_demo)
    for name, command, help_line, add_options in (
        ("create", commands.create, "create a job from a song", _add_create),
        ("watch", commands.watch, "follow jobs to their end", _add_jobs),
        ("cancel", commands.cancel, "cancel jobs and show the receipts", _add_cancel),
        ("list", commands.list_jobs, "list jobs, newest first", _add_list),
        ("show", commands.show, "show one job and what it is made of", _add_job),
        ("download", commands.download, "fetch a finished video", _add_download),
    ):
        added = every.add_parser(name, help=help_line, description=command.__doc__)
        add_options(added)
        _add_common(added)
        added.set_defaults(run=partial(_call, command))
    return parser


def _add_common(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--server",
        metavar="HOST:PORT",
        help="the gateway; else REFRAIN_SERVER, else where `refrain up` runs",
    )
    parser.add_argument("--json", action="store_true", help="write JSON, for scripts")


def _add_create(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add("--title", type=_text, help="of the song; else the ti tag of the lyrics")
    add("--artist", type=_text, help="who performs it; else the ar tag of the lyrics")
    add("--lyrics", metavar="FILE", help="plain text or LRC; - reads standard input")
    add("--audio", metavar="FILE", type=Path, help="the song, in any usual format")
    add("--style", type=_text, default="", help="the look, such as dusk or ember")
    add("--size", metavar="WxH", type=_size, default=(0, 0), help="else 1280x720")
    add("--frame-rate", metavar="N", type=int, default=0, help="a second; else 24")
    add("--duration", metavar="SECONDS", type=_seconds, help="of a song without audio")
    add("--instrumental", action="store_true", help="the song has no words")
    add("--max-in-flight", metavar="N", type=int, default=0, help="tasks at once")
    add("--priority", metavar="N", type=int, default=0, help="-10 to 10 (first)")
    add("--cancel-after", metavar="SECONDS", type=_seconds, help="unless finished")
    add(
        "--label",
        metavar="KEY=VALUE",
        type=_label,
        action="append",
        default=[],
        help="a note of your own; may be repeated",
    )
    add("--request-id", type=_text, default="", help="the same id, the same job")
    add("--watch", action="store_true", help="follow the job to its end")


def _add_job(parser: ArgumentParser) -> None:
    parser.add_argument("job_id", metavar="JOB_ID", type=_text)


def _add_jobs(parser: ArgumentParser) -> None:
    parser.add_argument("job_ids", metavar="JOB_ID", type=_text, nargs="+")


def _add_cancel(parser: ArgumentParser) -> None:
    _add_jobs(parser)
    parser.add_argument("--reason", type=_text, default="", help="for the receipt")
    parser.add_argument("--yes", action="store_true", help="cancel without asking")


def _add_list(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--status",
        metavar="STATUS",
        type=_status,
        action="append",
        help=f"one of {', '.join(STATUSES)}; may be repeated",
    )
    add("--text", type=_text, help="in the title or the artist")
    add("--limit", metavar="N", type=_count, default=50, help="at most; else 50")


def _add_download(parser: ArgumentParser) -> None:
    _add_job(parser)
    parser.add_argument(
        "--to", metavar="FOLDER", type=Path, help="else one named after the song"
    )


def _text(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise argparse.ArgumentTypeError("it is not UTF-8 text") from error
    return value


def _size(value: str) -> tuple[int, int]:
    width, _, height = value.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise argparse.ArgumentTypeError(f"{value!r} is not like 1280x720")
    return int(width), int(height)


def _seconds(value: str) -> timedelta:
    try:
        return timedelta(seconds=float(value))
    except (ValueError, OverflowError) as error:
        raise argparse.ArgumentTypeError(f"{value!r} are no seconds") from error


def _label(value: str) -> tuple[str, str]:
    key, equals, label = _text(value).partition("=")
    if not (key and equals):
        raise argparse.ArgumentTypeError(f"{value!r} is not like KEY=VALUE")
    return key, label


def _status(value: str) -> int:
    if value.lower() not in STATUSES:
        raise argparse.ArgumentTypeError(f"{value!r} is none of {', '.join(STATUSES)}")
    return STATUSES[value.lower()]


def _count(value: str) -> int:
    if not value.isdecimal() or int(value) < 1:
        raise argparse.ArgumentTypeError(f"{value!r} is no number from 1")
    return int(value)


if __name__ == "__main__":
    main()
