"""Starts a service with another Timing: `service.py <name> <seconds as JSON>`."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from datetime import timedelta
from importlib import import_module

from refrain.timing import TIMING


def main() -> None:
    name, seconds = sys.argv[1:]
    spans = {k: timedelta(seconds=v) for k, v in json.loads(seconds).items()}
    import_module(f"services.{name}.__main__").main(replace(TIMING, **spans))


if __name__ == "__main__":
    main()
