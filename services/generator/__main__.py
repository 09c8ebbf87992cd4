"""Runs the generator: `python -m services.generator`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from refrain.job import Kind, Slot
from refrain.media import MediaPool
from refrain.scratch import Scratch
from refrain.service import Connections, run
from refrain.timing import TIMING, Timing
from refrain.worker import Worker
from services.generator.plan import Plan
from services.generator.segment import LOCAL, MakeSegment

if TYPE_CHECKING:
    import asyncio

MEDIA_MODULES = [f"{LOCAL}.still", f"{LOCAL}.clip", "services.generator.plan"]


async def serve(to: Connections, shutdown: asyncio.Event) -> None:
    """Makes plans and segments until `shutdown` is set."""
    settings = to.settings
    with Scratch(Path(settings.scratch) / "generator") as scratch:
        async with MediaPool(settings.media_slots, MEDIA_MODULES) as media:
            worker = Worker(
                "generator",
                tasks=to.tasks,
                workers=to.workers,
                artifacts=to.artifacts,
                bus=to.bus,
                handlers={
                    Kind.PLAN: Plan(to.tasks, media),
                    Kind.SEGMENT: MakeSegment(to.tasks, to.artifacts, media, scratch),
                },
                slots={
                    Slot.PROVIDER: settings.provider_slots,
                    Slot.MEDIA: settings.media_slots,
                },
                timing=to.timing,
            )
            await worker.run(shutdown)


def main(timing: Timing = TIMING) -> None:
    """Serves until SIGTERM."""
    run("generator", serve, timing)


if __name__ == "__main__":
    main()
