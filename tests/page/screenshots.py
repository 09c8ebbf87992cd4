"""Takes the pictures of docs/screenshots: `python -m tests.page.screenshots [folder]`.

Three real services, a job in every state, and one that the local renderer makes.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from playwright.async_api import async_playwright

from refrain.local.embedded import EmbeddedNats, EmbeddedPostgres
from refrain.local.guardian import Guardian
from refrain.store import Database, migrate
from refrain.v1 import job_service_pb2 as v1
from tests.page.browser import launch
from tests.page.scene import set_scene
from tests.refrain.record import Record
from tests.system.system import System

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import TypeAlias

    from playwright.async_api import Browser, Page

    Prepare: TypeAlias = Callable[[Page], Awaitable[None]]

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "screenshots"
WIDTHS = {"phone": (390, 844), "desktop": (1440, 900)}
SCHEMES = ("light", "dark")
SHARE_PICTURES = """
    UPDATE segments
    SET image_uri = made.image_uri
    FROM segments AS made, jobs
    WHERE made.job_id = %s AND segments.job_id = jobs.job_id
        AND made.position = (segments.position + length(jobs.title)) %% 6
        AND segments.image_uri IS NOT NULL AND segments.job_id <> made.job_id"""
SHOWN = ("processing", "cancelling", "cancelled", "paused", "failed")
LOADED = """() => Promise.all([...document.images].map((image) => {
    image.loading = "eager";
    return image.decode().catch(() => {});
}))"""
LYRICS = ROOT / "samples" / "twinkle.lrc"


async def take(folder: Path) -> None:
    """Writes every picture anew."""
    async with AsyncExitStack() as stack:
        system = await _start(stack)
        video = await _make_video(system)
        async with Database(system.database_url) as database:
            record = Record(database, system.database_url)
            jobs = (await set_scene(record)).jobs
            await record.read(SHARE_PICTURES, video)
        playwright = await stack.enter_async_context(async_playwright())
        browser = await launch(playwright)
        url = f"http://127.0.0.1:{system.http_port}"
        shots: dict[str, tuple[str, Prepare]] = {
            "list": ("/", _nothing),
            "cancel": ("/", _ask_to_cancel),
            "cancel-many": ("/", _ask_to_cancel_many),
            "new": ("/new", _fill_in),
            "video": (f"/jobs/{video}", _nothing),
            **{name: (f"/jobs/{jobs[name]}", _nothing) for name in SHOWN},
        }
        for name, (path, prepare) in shots.items():
            await _shoot(browser, folder / name, url + path, prepare)
        await browser.close()


async def _start(stack: AsyncExitStack) -> System:
    folder = Path(stack.enter_context(TemporaryDirectory(prefix="refrain-page-")))
    folder.chmod(0o755)  # noqa: ASYNC240
    guardian = stack.enter_context(Guardian())
    postgres = stack.enter_context(EmbeddedPostgres(folder / "postgres", guardian))
    nats = stack.enter_context(EmbeddedNats(folder / "nats", guardian))
    await migrate(postgres.url)
    system = System(folder=folder, database_url=postgres.url, nats_url=nats.url)
    await stack.enter_async_context(system)
    await system.start()
    return system


async def _make_video(system: System) -> str:
    request = v1.CreateJobRequest(
        title="Twinkle, Twinkle, Little Star",
        artist="Jane Taylor",
        lyrics=LYRICS.read_text(),
        style="night",
        video=v1.VideoOptions(width=640, height=360),
    )
    job = await system.api.CreateJob(request)
    await system.api.WaitJob(v1.WaitJobRequest(job_id=job.job_id))
    await system.stop()
    await system.start("gateway")
    return job.job_id


async def _shoot(browser: Browser, stem: Path, url: str, prepare: Prepare) -> None:
    for width, (wide, high) in WIDTHS.items():
        for scheme in SCHEMES:
            page = await _open(browser, url, wide, high, scheme)
            await prepare(page)
            dialog = await page.get_by_role("dialog").count()
            await page.screenshot(
                path=f"{stem}-{width}-{scheme}.jpg", quality=80, full_page=not dialog
            )
            await page.context.close()


async def _nothing(page: Page) -> None:
    del page


async def _ask_to_cancel(page: Page) -> None:
    await page.get_by_role("button", name="Cancel Greensleeves").click()


async def _ask_to_cancel_many(page: Page) -> None:
    await page.get_by_label("Select all").check()
    await page.get_by_role("button", name="Cancel selected").click()


async def _fill_in(page: Page) -> None:
    await page.get_by_role("button", name="Fill in an example").click()
    await page.get_by_text("segments ·").wait_for()


async def _open(browser: Browser, url: str, wide: int, high: int, scheme: str) -> Page:
    context = await browser.new_context(
        viewport={"width": wide, "height": high},
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
    )
    page = await context.new_page()
    await page.goto(url)
    # The streams stay open, so that the network is never idle.
    await page.locator("[aria-busy=true]").wait_for(state="detached")
    await page.evaluate(LOADED)
    return page


if __name__ == "__main__":
    asyncio.run(take(Path(*sys.argv[1:2] or [FOLDER])))
