"""Runs the emulators by hand: `python -m tests.emulators [--port 9000]`.

Prints the environment that makes a service use them, then every charge as it changes.
GET /_emulator/log and /_emulator/billed tell more; POST /_emulator/knobs takes
`{"gemini": {"image": {"throttle": 2}, "clip": {"hold": "processing"}}}`.
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import time
from typing import TYPE_CHECKING

from tests.emulators.desk import priced
from tests.emulators.server import Emulators

if TYPE_CHECKING:
    from collections.abc import Iterator

INTERVAL = 0.25
"""Seconds between two looks at the charges."""


def main() -> None:
    """Serves until it is interrupted."""
    assert __doc__
    parser = argparse.ArgumentParser(
        prog="python -m tests.emulators", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--port", type=int, default=9000, help="0: any that is free")
    emulators = Emulators(parser.parse_args().port)
    emulators.log.keeps_bodies = False
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with emulators, contextlib.suppress(KeyboardInterrupt):
        for name, value in emulators.environment().items():
            _say(f"export {name}={value}")
        for line in _changes(emulators):
            _say(line)


def _changes(emulators: Emulators) -> Iterator[str]:
    """Yields a line for every charge, and again when its state is another."""
    said: list[str] = []
    while True:
        for number, charge in enumerate(tuple(emulators.ledger.charges)):
            line = "${usd} {state} {provider} {purpose} {model} {operation_id}"
            line = line.format_map(priced(charge)).rstrip()
            if number == len(said):
                said.append("")
            if said[number] != line:
                said[number] = line
                yield line
        time.sleep(INTERVAL)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
