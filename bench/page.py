"""Page: what a person waits for in a browser.

From the click on Cancel until "Cancelled" stands there, of a job in a provider's call;
frames of a list of 1,000 jobs of which 50 change ten times a second; the first paint.
"""

from __future__ import annotations

import asyncio
import random
import statistics
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import psycopg
from nats.aio.client import Client
from playwright.async_api import async_playwright

from bench.figure import Figure, percentile
from bench.system import System
from refrain.store import Database
from refrain.v1 import job_service_pb2 as v1
from tests.emulators import Emulators
from tests.page.browser import launch
from tests.refrain.record import Record

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from uuid import UUID

    from playwright.async_api import Page

CANCELS = 30
SHOWN = 300.0
"""Milliseconds from the click to the word."""
LISTED, CHANGING, TIMES = 1000, 50, 10
"""Jobs on the page, those of them that change, and how often a second."""
SECONDS = 10.0
FRAME = 50.0
"""Milliseconds that a frame may take."""
PAINTS = 10
PAINT = 300.0
"""Milliseconds until something is painted."""
LIMITS = "gemini=500,30000"
CHANGE = """
    UPDATE jobs
    SET segments_completed = (segments_completed + 1) %% (segments_total + 1),
        spent_usd = spent_usd + 0.01
    WHERE job_id = ANY(%s)"""
UNTIL_CANCELLED = """([title]) => new Promise((resolve) => {
    let clicked;
    document.addEventListener("click", () => (clicked = performance.now()), true);
    const look = () => {
        const row = [...document.querySelectorAll(".job")].find(
            (row) => row.querySelector(".title").textContent === title);
        if (row?.querySelector(".badge").textContent !== "Cancelled") return;
        watcher.disconnect();
        requestAnimationFrame(() => resolve(performance.now() - clicked));
    };
    const watcher = new MutationObserver(look);
    watcher.observe(document.body,
        { subtree: true, childList: true, characterData: true });
})"""
FRAMES = """(seconds) => new Promise((resolve) => {
    const frames = [];
    let changes = 0;
    new MutationObserver((records) => (changes += records.length)).observe(
        document.getElementById("jobs"), { subtree: true, attributeFilter: ["value"] });
    const start = performance.now();
    let last = start;
    const next = (now) => {
        frames.push(now - last);
        last = now;
        if (now - start < seconds * 1000) requestAnimationFrame(next);
        else resolve([frames.slice(1), changes]);
    };
    requestAnimationFrame(next);
})"""
FIRST_PAINT = """() => new Promise((resolve) => {
    new PerformanceObserver((list) => resolve(list.getEntries()[0].startTime))
        .observe({ type: "paint", buffered: true });
})"""


async def measure() -> list[Figure]:
    """Returns the three, each beside what it may take."""
    shown = await _cancel_clicks()
    frames, paints = await _long_list()
    return [
        Figure(
            name=f"click_on_cancel_to_cancelled_shown_p50_of_{CANCELS}",
            value=statistics.median(shown),
            unit="ms",
            floor=SHOWN,
            at_most=1,
        ),
        Figure(
            name=f"frame_p99_while_{CHANGING}_of_{LISTED}_change_{TIMES}_times_a_second",
            value=percentile(frames, 99),
            unit="ms",
            floor=FRAME,
            at_most=1,
        ),
        Figure(
            name="the_longest_of_these_frames",
            value=max(frames),
            unit="ms",
            floor=FRAME,
            at_most=1,
        ),
        Figure(
            name=f"first_paint_p50_of_{PAINTS}",
            value=statistics.median(paints),
            unit="ms",
            floor=PAINT,
            at_most=1,
        ),
    ]


async def _cancel_clicks() -> list[float]:
    """Returns the milliseconds of each cancel of a job that waits for a picture."""
    with Emulators() as emulators:
        emulators.gemini.knobs.turn({"image": {"hang": "headers"}})
        environment = {"REFRAIN_LIMITS": LIMITS, **emulators.environment()}
        async with System(**environment) as system, _opened(system) as page:
            await system.spawn("services.generator")
            await page.goto("/")
            return [
                await _cancel_click(system, emulators, page, f"Song {number}")
                for number in range(CANCELS)
            ]


async def _cancel_click(
    system: System, emulators: Emulators, page: Page, title: str
) -> float:
    sent = len(emulators.log.of("gemini", "image"))
    request = v1.CreateJobRequest(
        title=title,
        instrumental=True,
        storyboard_provider="local",
        image_provider="gemini",
        clip_provider="local",
        max_in_flight=3,
    )
    request.song_duration.FromSeconds(15)
    await system.jobs.CreateJob(request)
    await emulators.until(
        lambda: len(emulators.log.of("gemini", "image")) >= sent + 3, within=60
    )
    await page.get_by_role("button", name=f"Cancel {title}", exact=True).click()
    waiting = asyncio.create_task(page.evaluate(UNTIL_CANCELLED, [title]))
    await page.evaluate("0")
    await page.get_by_role("button", name="Cancel the job").click()
    return await waiting


async def _long_list() -> tuple[list[float], list[float]]:
    """Returns the milliseconds of each frame, and of each first paint."""
    async with System() as system, _opened(system) as page:
        async with Database(system.database_url) as database:
            job_ids = await _fill(Record(database, system.database_url))
        paints: list[float] = []
        for _ in range(PAINTS):
            await page.goto("/")
            paints.append(await page.evaluate(FIRST_PAINT))
        await page.goto(f"/?size={LISTED}")
        await page.locator(".job").nth(LISTED - 1).wait_for(state="attached")
        async with _changing(system, random.sample(job_ids, CHANGING)):
            await page.evaluate(FRAMES, 1)
            frames, changes = await page.evaluate(FRAMES, SECONDS)
    if changes < CHANGING * TIMES * SECONDS / 2:
        raise RuntimeError(f"only {changes} changes were shown, which proves little")
    return frames, paints


async def _fill(record: Record) -> list[UUID]:
    worker_id = await record.register(timedelta(hours=1))
    job = await record.at_segments(worker_id, segments=20, owner="local")
    return await record.clone(job, LISTED)


@asynccontextmanager
async def _changing(system: System, job_ids: list[UUID]) -> AsyncGenerator[None]:
    """Changes these jobs, and rings for each, until the block ends."""
    nats = Client()
    await nats.connect(system.nats_url)
    connection = await psycopg.AsyncConnection.connect(
        system.database_url, autocommit=True
    )

    async def change() -> None:
        while True:
            await connection.execute(CHANGE, [job_ids])
            for job_id in job_ids:
                await nats.publish(f"refrain.events.{job_id}", b"1")
            await asyncio.sleep(1 / TIMES)

    async with connection, asyncio.TaskGroup() as group:
        changing = group.create_task(change())
        yield
        changing.cancel()
    await nats.close()


@asynccontextmanager
async def _opened(system: System) -> AsyncGenerator[Page]:
    async with async_playwright() as playwright:
        browser = await launch(playwright)
        context = await browser.new_context(
            base_url=f"http://127.0.0.1:{system.http_port}"
        )
        yield await context.new_page()
        await browser.close()
