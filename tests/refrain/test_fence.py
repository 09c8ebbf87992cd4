"""The fence counts from the last renewal that was sent, in any state of the process."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from refrain.fence import EXIT_FENCED, Fence, boottime
from refrain.timing import TIMING, Timing

ROOT = Path(__file__).parents[2]

FENCED = """
import sys, time
from datetime import timedelta
from refrain.fence import Fence, boottime
from refrain.timing import Timing

fence = Fence(
    Timing(fence_abort=timedelta(seconds=0.1), fence_end=timedelta(seconds=0.3)),
    holds_tasks=lambda: sys.argv[1] == "busy",
)
fence.open()
if sys.argv[2] == "closed":
    fence.close()
deadline = time.monotonic() + (10 if sys.argv[1:] == ["busy", "open"] else 1)
while time.monotonic() < deadline:
    pass
"""


def test_a_fence_stands_until_its_last_renewal_is_too_old() -> None:
    fence = Fence(TIMING, holds_tasks=lambda: True)
    assert fence.stands
    fence.renewed(boottime() - TIMING.fence_abort.total_seconds() - 0.01)
    assert not fence.stands
    fence.renewed(boottime())
    assert fence.stands


def test_a_renewal_counts_from_when_it_was_sent() -> None:
    fence = Fence(Timing(fence_abort=timedelta(seconds=1)), holds_tasks=lambda: True)
    fence.renewed(boottime() - 0.9)
    assert fence.stands
    fence.renewed(boottime() - 1.1)
    assert not fence.stands


def test_a_worker_ends_before_others_may_rescue_its_tasks() -> None:
    assert TIMING.heartbeat < TIMING.fence_abort < TIMING.fence_end < TIMING.lease


@pytest.mark.parametrize(
    ("work", "fence", "code"),
    [("busy", "open", EXIT_FENCED), ("idle", "open", 0), ("busy", "closed", 0)],
)
def test_a_fence_ends_only_a_process_that_still_holds_tasks(
    work: str, fence: str, code: int
) -> None:
    """The process never yields to an event loop: the fence is a thread."""
    ended = subprocess.run(
        [sys.executable, "-c", FENCED, work, fence], cwd=ROOT, timeout=30, check=False
    )
    assert ended.returncode == code
