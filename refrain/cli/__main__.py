"""The command line: `refrain up`, `demo`, and a command for each thing to ask.

Exit codes: 0 done, 1 not done, 2 not understood, 130 Ctrl-C.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import grpc.aio

from refrain import VERSION
from refrain.cli import commands, options, steering
from refrain.cli.calls import explain
from refrain.cli.client import Client
from refrain.cli.terminal import CommandError, Terminal, complain
from refrain.local.guardian import StartError, runs
from refrain.local.home import Home

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Awaitable, Callable, Mapping, Sequence

SERVER = "127.0.0.1:50051"
"""Where a gateway is looked for when nothing says where one is."""


_COMMANDS = (
    ("create", commands.create, "create a job from a song", options.add_create),
    ("list", commands.list_jobs, "list jobs, newest first", options.add_list),
    ("show", commands.show, "show one job and what it is made of", options.add_job),
    ("events", commands.events, "list what happened to a job", options.add_job),
    ("watch", commands.watch, "follow jobs to their end", options.add_jobs),
    ("wait", commands.wait, "wait until jobs are finished", options.add_wait),
    ("cancel", steering.cancel, "cancel jobs, one or all", options.add_cancel),
    ("pause", steering.pause, "start nothing more of jobs", options.add_pause),
    ("resume", steering.resume, "let paused jobs go on", options.add_jobs),
    ("retry", steering.retry, "create a failed job again", options.add_retry),
    ("download", commands.download, "fetch a finished video", options.add_download),
    ("delete", steering.delete, "delete finished jobs", options.add_delete),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one command and exits with its code."""
    asked = _parser().parse_args(arguments)
    if "check" in asked:
        asked.check(asked)
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
    except (KeyboardInterrupt, asyncio.CancelledError):
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
        return asyncio.run(_until_interrupted(call()))
    except grpc.aio.AioRpcError as error:
        complain(explain(error, server))
        return 1


async def _until_interrupted(command: Awaitable[int]) -> int:
    """Cancels the command at Ctrl-C.

    A thread of gRPC's may take the signal, and then nothing but a handler of the
    loop's own wakes the loop.
    """
    if (task := asyncio.current_task()) is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, task.cancel)
    return await command


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
    for name, command, help_line, add_options in _COMMANDS:
        added = every.add_parser(name, help=help_line, description=command.__doc__)
        add_options(added)
        options.add_common(added)
        added.set_defaults(run=partial(_call, command))
    return parser


if __name__ == "__main__":
    main()
