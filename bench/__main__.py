"""Runs every benchmark: `python -m bench [--check]`.

Prints a table and writes `.refrain/bench.json`. With --check, a missed goal is an
error; else the run is a report.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from pathlib import Path
from typing import Any

from bench import cancel, create, renderer
from bench.figure import Figure, table


def main() -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit 1 on a missed goal")
    check: bool = parser.parse_args().check
    figures = [
        *asyncio.run(cancel.measure()),
        *asyncio.run(create.measure()),
        *map(_renderer_figure, renderer.measure()),
    ]
    print(table(figures))  # noqa: T201
    folder = Path(os.environ.get("REFRAIN_HOME", ".refrain"))
    folder.mkdir(parents=True, exist_ok=True)
    entries = json.dumps([figure.as_json() for figure in figures], indent=2)
    (folder / "bench.json").write_text(entries + "\n")
    return int(check and not all(figure.good for figure in figures))


def _renderer_figure(measured: dict[str, Any]) -> Figure:
    return Figure(
        name=measured["name"],
        value=measured["value"],
        unit=measured["unit"],
        floor=measured["floor"],
        at_most=2.0,
    )


if __name__ == "__main__":
    raise SystemExit(main())
