"""Runs benchmarks: `python -m bench [--check] [name ...]`, all without names.

Prints a table of each as it ends and writes `.refrain/bench.json`. With --check, a
missed goal is an error; else the run is a report.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import (
    bulk,
    burst,
    cancel,
    create,
    encode,
    list_jobs,
    load,
    memory,
    page,
    paid,
    poll,
    renderer,
    rescue,
    waiting,
)
from bench.figure import Figure, table

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

BENCHMARKS: Mapping[str, Callable[[], Coroutine[Any, Any, list[Figure]]]] = {
    "cancel": cancel.measure,
    "load": load.measure,
    "burst": burst.measure,
    "bulk": bulk.measure,
    "poll": poll.measure,
    "rescue": rescue.measure,
    "encode": encode.measure,
    "list": list_jobs.measure,
    "memory": memory.measure,
    "paid": paid.measure,
    "waiting": waiting.measure,
    "page": page.measure,
    "create": create.measure,
    "renderer": renderer.measure,
}


def main() -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit 1 on a missed goal")
    parser.add_argument("name", nargs="*", help=", ".join(BENCHMARKS))
    arguments = parser.parse_args()
    if unknown := set(arguments.name) - BENCHMARKS.keys():
        parser.error(
            f"no benchmark is called {', '.join(sorted(unknown))}; "
            f"there are {', '.join(BENCHMARKS)}"
        )
    figures: list[Figure] = []
    for name in arguments.name or BENCHMARKS:
        figures += _run(name)
    folder = Path(os.environ.get("REFRAIN_HOME", ".refrain"))
    folder.mkdir(parents=True, exist_ok=True)
    entries = json.dumps([figure.as_json() for figure in figures], indent=2)
    (folder / "bench.json").write_text(entries + "\n")
    return int(arguments.check and not all(figure.good for figure in figures))


def _run(name: str) -> list[Figure]:
    start = time.monotonic()
    figures = asyncio.run(BENCHMARKS[name]())
    seconds = time.monotonic() - start
    print(f"\n{name}, {seconds:.0f} s", table(figures), sep="\n", flush=True)  # noqa: T201
    return figures


if __name__ == "__main__":
    raise SystemExit(main())
