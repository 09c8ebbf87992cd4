"""A job's own page: it fills in, stops, goes on, is tried again and deleted, live."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from uuid import uuid4

from PIL import Image
from playwright.async_api import expect

from refrain.outcome import Aborted, VideoMade
from refrain.provider_call import CallStatus, CancelState
from tests.page.accessibility import WATCH_SHIFTS
from tests.page.scene import LONG_LEASE, OWNER, set_scene
from tests.refrain.record import image_call
from tests.stitcher.material import WIDTH, make_clip

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

    from playwright.async_api import Locator, Page

    from refrain.job import Job, Task
    from refrain.outcome import Outcome
    from tests.page.conftest import Site

SEGMENTS = 4
MANY = 12
SHOWN = 30
"""Entries of the time line; a pause of a job that runs and its end make two."""
GONE = "Failed to load resource"
"""What Chromium logs of a job, or of a file, that is not there."""


async def open_page(page: Page, job: Job) -> None:
    await page.goto(f"/jobs/{job.job_id}")
    await expect(page.get_by_role("heading", level=1)).to_have_text(job.title)


async def settle(site: Site, task: Task, outcome: Outcome | None = None) -> Job:
    change = await site.record.settle(task, outcome)
    assert change
    await site.announce(change.job)
    return change.job


async def finish_segments(site: Site, worker_id: UUID, count: int) -> None:
    for _ in range(count):
        await settle(site, await site.record.claim(worker_id))


def file_of(folder: Path, task: Task, name: str) -> Path:
    """Where the gateway reads it; the folder is there."""
    path = folder / "artifacts" / task.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def row(page: Page, name: str) -> Locator:
    """What a card says under this name."""
    term = page.get_by_role("term").filter(has_text=re.compile(f"^{name}$"))
    return page.locator(".rows > div").filter(has=term).get_by_role("definition")


async def test_segments_fill_in_and_nothing_moves(
    page: Page, site: Site, tmp_path: Path
) -> None:
    worker_id = await site.record.register(LONG_LEASE)
    job = await site.record.at_paid_segments(worker_id, SEGMENTS, owner=OWNER)
    await open_page(page, job)
    first = page.locator(".segment").first
    state = first.locator(".state")
    await expect(state).to_have_text("Waiting")
    await expect(first).to_contain_text("1 · 0:00\u20130:05")
    await page.evaluate(WATCH_SHIFTS)

    task = await site.record.claim(worker_id)
    call = await site.record.begin(task, image_call())
    await site.announce(job)
    await expect(state).to_have_text("Image being made…")
    await expect(first.locator(".cost")).to_have_text("$0.067")
    await site.record.calls.finish_call(call, CallStatus.ANSWERED, call.estimate_usd)
    Image.new("RGB", (320, 180), "teal").save(file_of(tmp_path, task, "image.jpg"))
    image_uri = f"artifact:{task.folder}/image.jpg"
    assert await site.record.calls.keep_image(task, image_uri)
    await site.announce(job)
    await expect(state).to_have_text("Clip being made…")
    await expect(first.get_by_role("img")).to_have_js_property("naturalWidth", 320)
    make_clip(file_of(tmp_path, task, "clip.mp4"), frames=8)
    await settle(site, task)

    await expect(state).to_have_text("Done")
    await expect(page.locator("#done")).to_have_text("1 of 4 segments")
    assert await page.evaluate("window.moved") == 0
    await button(page, "Play segment 1").press("Enter")
    clip = page.get_by_role("dialog").locator("video")
    await expect(clip).to_have_js_property("videoWidth", WIDTH)
    await page.keyboard.press("Escape")
    await expect(button(page, "Play segment 1")).to_be_focused()


async def test_the_video_takes_its_place_as_soon_as_it_exists(
    page: Page, site: Site, tmp_path: Path
) -> None:
    site.expected_errors.append(GONE)
    worker_id = await site.record.register(LONG_LEASE)
    job = await site.record.at_stitch(worker_id, owner=OWNER)
    await open_page(page, job)
    player = page.get_by_role("region", name="Video")
    await expect(player).to_contain_text("when its clips are joined")
    before = await player.bounding_box()

    stitch = await site.record.claim(worker_id)
    video = make_clip(file_of(tmp_path, stitch, "video.mp4"), frames=8)
    captions = file_of(tmp_path, stitch, "captions.vtt")
    captions.write_text("WEBVTT\n\n00:00.000 --> 00:00.300\nHow I wonder\n")
    made = {
        "uri": f"artifact:{stitch.folder}/video.mp4",
        "captionsUri": f"artifact:{stitch.folder}/captions.vtt",
        "sizeBytes": str(video.stat().st_size),
    }
    await settle(site, stitch, VideoMade(video=made))

    shown = player.locator("video")
    await expect(shown).to_have_js_property("videoWidth", WIDTH)
    assert await player.bounding_box() == before
    await shown.evaluate("video => { video.textTracks[0].mode = 'showing' }")
    await expect(shown).to_have_js_property("textTracks.0.cues.0.text", "How I wonder")
    async with page.expect_download() as download:
        await page.get_by_role("link", name="Download video").click()
    path = await (await download.value).path()
    assert path.read_bytes() == video.read_bytes()


async def test_a_cancel_ends_grey_with_its_receipt(page: Page, site: Site) -> None:
    worker_id = await site.record.register(LONG_LEASE)
    job = await site.record.at_paid_segments(worker_id, SEGMENTS, owner=OWNER)
    site.expected_errors.append(GONE)
    await finish_segments(site, worker_id, 1)
    running = [await site.record.claim(worker_id) for _ in range(2)]
    call = await site.record.start_clip(running[0])
    await open_page(page, job)
    await button(page, "Cancel…").press("Enter")
    await page.keyboard.type("the wrong song")
    await page.keyboard.press("Enter")

    await expect(row(page, "Stopped")).to_have_text("Cancelling… 0 of 2 calls stopped")
    await expect(page.locator("#title")).to_be_focused()
    await settle(site, running[0], Aborted())
    await expect(row(page, "Tasks")).to_have_text(
        ["1 never started", "1 aborted in flight"]
    )
    await settle(site, running[1])
    await expect(page.locator("#badge")).to_have_text("Cancelled")
    await expect(row(page, "Tasks")).to_have_text(
        ["1 never started", "1 aborted in flight", "1 finished anyway"]
    )
    await expect(row(page, "Who")).to_have_text(re.compile("^local, at "))
    await expect(row(page, "Why")).to_have_text("“the wrong song”")
    await expect(row(page, "Stopped")).to_have_text(
        re.compile(r"^in \d.+ m?s, the slowest task in \d.+ m?s$")
    )
    await expect(row(page, "Kept")).to_have_text(
        "2 of 4 segments: a retry takes them over"
    )
    await expect(row(page, "Providers")).to_have_text("1 still being asked")
    await expect(row(page, "May still be billed")).to_have_text("$0.50")
    await expect(page.locator(".song")).to_have_css("filter", "grayscale(1)")
    await expect(page.locator(".song")).to_have_css("opacity", "0.75")
    await expect(page.get_by_role("status")).to_contain_text("Song is now cancelled.")

    change = await site.record.calls.resolve_cancel(call, CancelState.CONFIRMED, None)
    assert change
    await site.announce(change.job)
    await expect(row(page, "Providers")).to_have_text("1 confirmed stopped")
    await expect(row(page, "Probably saved")).to_have_text("$0.50")


async def test_a_job_is_paused_as_chosen_and_resumed(page: Page, site: Site) -> None:
    worker_id = await site.record.register(LONG_LEASE)
    job = await site.record.at_segments(worker_id, owner=OWNER)
    task = await site.record.claim(worker_id)
    await open_page(page, job)
    await button(page, "Pause").click()
    await expect(page.get_by_role("radio", name="Let what runs finish")).to_be_checked()
    await page.get_by_role("radio", name="Abort at once").check()
    await button(page, "Pause the job").click()

    await expect(page.locator("#badge")).to_have_text("Pausing…")
    (asked,) = await site.record.read("SELECT pause_mode FROM jobs")
    assert asked["pause_mode"] == "abort"
    await settle(site, task, Aborted())
    await expect(page.locator("#badge")).to_have_text("Paused")
    await expect(page.locator("#events")).to_contain_text("Paused: nothing runs")
    await button(page, "Resume").click()
    await expect(page.locator("#badge")).to_have_text("Processing")
    await expect(button(page, "Pause")).to_be_visible()


async def test_a_retry_says_what_it_takes_over_and_goes_to_the_new_job(
    page: Page, site: Site
) -> None:
    site.expected_errors.append(GONE)
    worker_id = await site.record.register(LONG_LEASE)
    job = await site.record.at_paid_segments(worker_id, SEGMENTS, owner=OWNER)
    await finish_segments(site, worker_id, 1)
    await site.cancel(job)
    await open_page(page, job)
    await button(page, "Retry…").click()
    await expect(page.get_by_role("dialog").get_by_role("listitem")).to_have_text(
        [
            "A new job is made of it; this one stays as it is.",
            "It takes over the storyboard and 1 of 4 segments.",
            "The rest costs about $1.70 at list prices.",
        ]
    )
    await button(page, "Retry as a new job").click()

    await expect(page.locator("#badge")).to_have_text("Pending")
    assert str(job.job_id) not in page.url
    await expect(page.locator(".state").first).to_have_text("Taken over")
    await expect(page.locator("#events")).to_contain_text("Created as a retry")
    await page.get_by_role("link", name="an earlier job").click()
    await expect(page.locator("#badge")).to_have_text("Cancelled")


async def test_a_deleted_job_leaves_this_page_and_every_other(
    page: Page, site: Site
) -> None:
    job = await site.record.create(owner=OWNER)
    await site.cancel(job)
    other = await page.context.new_page()
    await open_page(other, job)
    await open_page(page, job)
    await button(page, "Delete…").click()
    # What cannot be undone is not done by a stray Enter.
    await expect(button(page, "Keep it")).to_be_focused()
    await button(page, "Delete the job").click()

    await expect(page).to_have_url(f"{site.url}/")
    await expect(page.get_by_role("heading", name="No jobs yet")).to_be_visible()
    await expect(other.get_by_text("It has been deleted")).to_be_visible()
    assert await site.record.read("SELECT FROM jobs") == []


async def test_what_is_not_there_says_so(page: Page, site: Site) -> None:
    site.expected_errors.append(GONE)
    for job_id in (uuid4(), "no-id"):
        await page.goto(f"/jobs/{job_id}")
        await expect(page.get_by_role("heading", level=1)).to_be_focused()
        assert await site.violations(page) == []
    await page.get_by_role("link", name="See all jobs").click()
    await expect(page).to_have_url(f"{site.url}/")


async def test_events_go_on_without_repeats_after_an_outage_and_a_hidden_tab(
    page: Page, site: Site
) -> None:
    site.expected_errors += ["ERR_", GONE]
    worker_id = await site.record.register(LONG_LEASE)
    job = await site.record.at_segments(worker_id, SEGMENTS, owner=OWNER)
    await open_page(page, job)
    events = page.locator("#events > li > p:first-child")
    before = ["Created", "Reading the lyrics", "Storyboard written"]
    await expect(events).to_have_text(before)

    await site.stop()
    await expect(page.locator(".notice.lost")).to_be_visible()
    await site.record.pause(job)
    await site.start()
    after = [*before, "Pause asked for", "Paused: nothing runs"]
    await expect(events).to_have_text(after)
    for hidden in (True, False):
        await page.evaluate(
            """(value) => {
                const hidden = { value, configurable: true };
                Object.defineProperty(document, "hidden", hidden);
                document.dispatchEvent(new Event("visibilitychange"));
            }""",
            hidden,
        )
    await site.announce(await site.record.resume(job))

    await expect(events).to_have_text([*after, "Resumed"])
    await expect(page.locator(".notice.lost")).to_be_hidden()


async def test_a_burst_of_events_is_one_entry_that_tells_all(
    page: Page, site: Site
) -> None:
    site.expected_errors.append(GONE)
    worker_id = await site.record.register(LONG_LEASE)
    job = await site.record.at_segments(worker_id, MANY, owner=OWNER)
    await finish_segments(site, worker_id, MANY - 1)
    await site.record.claim(worker_id)
    await open_page(page, job)

    burst = page.get_by_text(f"Segments 1\u2013{MANY - 1} made, {MANY} begun")
    await expect(burst).to_be_visible()
    await burst.click()
    each = page.locator("details li")
    await expect(each).to_have_count(2 * MANY - 1)
    await expect(each.nth(1)).to_contain_text("Segment 1: image and clip made")
    for _ in range(SHOWN // 2):
        await site.record.resume(await site.record.pause(job))
    await expect(page.locator("#events > li:visible")).to_have_count(SHOWN)
    await page.get_by_role("button", name=re.compile(r"^Show all \d+$")).click()
    await expect(page.locator("#events > li").first).to_be_visible()


async def test_a_failed_job_says_why_and_what_to_do(page: Page, site: Site) -> None:
    site.expected_errors.append(GONE)
    scene = await set_scene(site.record)
    await page.goto(f"/jobs/{scene.jobs['failed']}")

    failure = page.locator("#failure")
    await expect(failure).to_contain_text("it may show a real person")
    await expect(failure).to_contain_text("takes over 3 finished segments")
    await button(page, "Show what went wrong with segment 4").click()
    await expect(page.get_by_role("dialog")).to_contain_text(
        "it may show a real person"
    )
