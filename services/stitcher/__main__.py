"""Runs the stitcher: `python -m services.stitcher`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from refrain.job import Kind, Slot
from refrain.media import MediaPool
from refrain.scratch import Scratch
from refrain.service import Connections, run
from refrain.timing import TIMING, Timing
from refrain.worker import Worker
from services.stitcher.stitch import Stitch

if TYPE_CHECKING:
    import asyncio

MEDIA_SLOTS = 1


async def serve(to: Connections, shutdown: asyncio.Event) -> None:
    """Makes videos until `shutdown` is set."""
    with Scratch(Path(to.settings.scratch) / "stitcher") as scratch:
        async with MediaPool(MEDIA_SLOTS, ["services.stitcher.timeline"]) as media:
            worker = Worker(
                "stitcher",
                tasks=to.tasks,
                workers=to.workers,
                artifacts=to.artifacts,
                bus=to.bus,
                handlers={Kind.STITCH: Stitch(to.tasks, to.artifacts, media, scratch)},
                slots={Slot.MEDIA: MEDIA_SLOTS},
                timing=to.timing,
            )
            await worker.run(shutdown)


def main(timing: Timing = TIMING) -> None:
    """Serves until SIGTERM."""
    run("stitcher", serve, timing)


if __name__ == "__main__":
    main()
