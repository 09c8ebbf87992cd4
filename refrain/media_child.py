"""The child's side of a media process: reads calls, runs them, writes results."""

from __future__ import annotations

import importlib
import json
import os
import queue
import select
import sys
import threading
from typing import Any

SILENCE = 7.0
"""Seconds without a byte from the parent after which the child ends itself."""


def main() -> None:
    """Serves calls from standard input until its parent is gone."""
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    calls: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(calls,), daemon=True).start()
    for module in sys.argv[1:]:
        importlib.import_module(module)
    while True:
        reply = json.dumps(_serve(calls.get())).encode()
        replies.write(reply + b"\n")
        replies.flush()


def _serve(call: dict[str, Any]) -> dict[str, Any]:
    module, _, function = call["function"].partition(":")
    try:
        result = getattr(importlib.import_module(module), function)(**call["arguments"])
    except Exception as err:  # noqa: BLE001 the one supervisor of this process
        return {"error": str(err) or repr(err)}
    return {"result": result}


def _listen(calls: queue.SimpleQueue[dict[str, Any]]) -> None:
    """Ends the process, whatever it is doing, when its parent is gone or frozen."""
    pending = b""
    while select.select([0], [], [], SILENCE)[0]:
        received = os.read(0, 65536)
        if not received:
            break
        *lines, pending = (pending + received).split(b"\n")
        for line in filter(None, lines):
            calls.put(json.loads(line))
    os._exit(0)


if __name__ == "__main__":
    main()
