"""Ports for services under test: no two test processes are given the same."""

from __future__ import annotations

import itertools
import os

from refrain.local.ports import is_free

EACH = 600
"""Ports of one test process, from 20,000 on: below those of outgoing connections."""


_turns = itertools.count()


def own_port() -> int:
    """Returns a port that nothing listens on, of this process's share, each in turn.

    A service binds its port a second after it was chosen; by then a free port may
    have been chosen by another test process too, and its client talk to the wrong one.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    while True:
        port = 20000 + worker * EACH + next(_turns) % EACH
        if is_free(port):
            return port
