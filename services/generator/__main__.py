"""Runs the generator: `python -m services.generator`."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

from refrain.job import Kind, Slot
from refrain.media import MediaPool
from refrain.scratch import Scratch
from refrain.service import Connections, run
from refrain.timing import TIMING, Timing
from refrain.worker import Worker
from services.generator.calls import Calls
from services.generator.clips import ProviderClips
from services.generator.deployment import providers_of
from services.generator.duties import Duties
from services.generator.lyrics.lookup import LyricsLookup
from services.generator.plan import Plan
from services.generator.providers.local.renderer import MODULES, LocalRenderer
from services.generator.segment import CONFORM, MakeSegment

MEDIA_MODULES = [
    *MODULES,
    CONFORM,
    "refrain.cut",
    "services.generator.lyrics.tags",
]


async def serve(to: Connections, shutdown: asyncio.Event) -> None:
    """Makes plans and segments until `shutdown` is set."""
    settings = to.settings
    async with AsyncExitStack() as stack:
        scratch = stack.enter_context(Scratch(Path(settings.scratch) / "generator"))
        media = await stack.enter_async_context(
            MediaPool(settings.media_slots, MEDIA_MODULES)
        )
        providers = await stack.enter_async_context(
            providers_of(settings.providers, LocalRenderer(media))
        )
        duties = Duties(to.calls, to.bus, providers.clips)
        calls = await stack.enter_async_context(
            Calls(to.calls, to.bus, settings.providers.limits, duties.look)
        )
        lookup = LyricsLookup(
            lrclib=providers.lrclib,
            answers=to.lyrics,
            artifacts=to.artifacts,
            media=media,
            scratch=scratch,
        )
        plan = Plan(
            tasks=to.tasks, media=media, calls=calls, lookup=lookup, providers=providers
        )
        segment = MakeSegment(
            tasks=to.tasks,
            store=to.calls,
            artifacts=to.artifacts,
            media=media,
            scratch=scratch,
            calls=calls,
            clips=ProviderClips(calls, to.calls),
            providers=providers,
        )
        worker = Worker(
            "generator",
            tasks=to.tasks,
            workers=to.workers,
            artifacts=to.artifacts,
            bus=to.bus,
            handlers={Kind.PLAN: plan, Kind.SEGMENT: segment},
            slots={
                Slot.PROVIDER: settings.provider_slots,
                Slot.MEDIA: settings.media_slots,
            },
            timing=to.timing,
            on_settled=duties.look,
        )
        async with asyncio.TaskGroup() as group:
            running = group.create_task(duties.run())
            await worker.run(shutdown)
            running.cancel()


def main(timing: Timing = TIMING) -> None:
    """Serves until SIGTERM."""
    run("generator", serve, timing)


if __name__ == "__main__":
    main()
