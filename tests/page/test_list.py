"""The list as a person sees it: live, cancelled through the dialog, many at once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.async_api import expect

from refrain.job import Status
from refrain.outcome import Aborted
from tests.page.accessibility import WATCH_SHIFTS
from tests.page.scene import OWNER, set_scene

if TYPE_CHECKING:
    from playwright.async_api import Locator, Page, Route

    from tests.page.conftest import Site

MANY, MATCHING = 200, 50


def row_of(page: Page, title: str) -> Locator:
    return page.locator(".job").filter(has=page.get_by_role("link", name=title))


async def test_a_job_that_is_created_meanwhile_comes_first(
    page: Page, site: Site
) -> None:
    await page.goto("/")
    await expect(page.get_by_role("heading", name="No jobs yet")).to_be_visible()
    assert await site.violations(page) == []
    await site.record.create(owner=OWNER, title="Older")
    await expect(page.locator(".title")).to_have_text(["Older"])

    job = await site.record.create(owner=OWNER, title="Newer")
    await site.announce(job)

    await expect(page.locator(".title")).to_have_text(["Newer", "Older"])


async def test_a_cancel_goes_through_the_dialog_and_ends_grey(
    page: Page, site: Site
) -> None:
    worker_id = await site.record.register()
    job = await site.record.at_segments(worker_id, owner=OWNER, title="By mistake")
    running = [await site.record.claim(worker_id) for _ in range(2)]
    await page.goto("/")
    row = row_of(page, "By mistake")
    opacity = await row.evaluate("row => getComputedStyle(row).opacity")
    await row.get_by_role("button", name="Cancel").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog.get_by_role("heading")).to_have_text("Cancel “By mistake”?")
    await expect(dialog).to_contain_text("2 calls under way will be aborted")

    await dialog.get_by_label("Reason (optional)").fill("the wrong song")
    await page.keyboard.press("Enter")

    await expect(row.locator(".badge")).to_have_text("Cancelling…")
    await expect(row.locator(".line")).to_have_text("Cancelling… 0 of 2 calls stopped")
    await expect(row.get_by_role("button")).to_be_hidden()
    for task, line in zip(running, ("1 of 2 calls", "by user"), strict=True):
        change = await site.record.settle(task, Aborted())
        assert change
        await site.announce(change.job)
        await expect(row.locator(".line")).to_contain_text(line)
    await expect(row.locator(".badge")).to_have_text("Cancelled")
    await expect(row.locator(".line")).to_have_text(
        re.compile(
            r"Job cancelled by user · By local at .+ · “the wrong song” · "
            r"stopped (at once|in \d+\.\d s)"
        )
    )
    assert float(opacity) == 1
    assert 0 < float(await row.evaluate("row => getComputedStyle(row).opacity")) < 1
    assert (await site.record.job(job.job_id)).cancel_reason == "the wrong song"


async def test_escape_and_keep_it_running_cancel_nothing(
    page: Page, site: Site
) -> None:
    job = await site.record.create(owner=OWNER, title="Stays")
    await page.goto("/")
    cancel = page.get_by_role("button", name="Cancel Stays")
    for leave in ("Escape", "Keep it running"):
        await cancel.click()
        if leave == "Escape":
            await page.keyboard.press("Escape")
        else:
            await page.get_by_role("button", name=leave).click()
        await expect(page.get_by_role("dialog")).to_have_count(0)
        await expect(cancel).to_be_focused()

    assert (await site.record.job(job.job_id)).status is Status.PENDING


async def test_cancel_job_works_from_the_console(page: Page, site: Site) -> None:
    job = await site.record.create(owner=OWNER, title="Song Title")
    await page.goto("/")
    await expect(row_of(page, "Song Title")).to_be_visible()

    answer = await page.evaluate("jobId => cancelJob(jobId)", str(job.job_id))

    assert answer == {
        "success": True,
        "message": "Job 'Song Title' has been cancelled.",
    }
    await expect(row_of(page, "Song Title").locator(".badge")).to_have_text("Cancelled")


async def test_fifty_of_two_hundred_are_cancelled_by_filter(
    page: Page, site: Site
) -> None:
    one = await site.record.create(owner=OWNER, title="A song to keep")
    await site.record.clone(one, MANY - MATCHING - 1)
    other = await site.record.create(owner=OWNER, title="Demo take")
    await site.record.clone(other, MATCHING - 1)
    await page.goto("/?size=200")
    await expect(page.locator(".job")).to_have_count(MANY)

    await page.get_by_label("Title or artist").fill("demo")
    await expect(page.locator(".job")).to_have_count(MATCHING)
    await page.get_by_role("button", name="Cancel all matching…").click()
    await page.get_by_role("button", name=f"Cancel {MATCHING} jobs").click()

    await expect(page.get_by_role("dialog")).to_contain_text("50 jobs cancelled")
    await page.get_by_role("button", name="Close").click()
    await expect(page.locator("[data-status=cancelled]")).to_have_count(MATCHING)
    counts = await site.record.read("SELECT status, count(*) FROM jobs GROUP BY 1")
    assert {row["status"]: row["count"] for row in counts} == {
        "cancelled": MATCHING,
        "pending": MANY - MATCHING,
    }


async def test_selected_jobs_are_cancelled_each_for_itself(
    page: Page, site: Site
) -> None:
    titles = [f"Take {number}" for number in range(1, 7)]
    jobs = {
        title: await site.record.create(owner=OWNER, title=title) for title in titles
    }
    await page.goto("/")
    await page.get_by_role("checkbox", name="Select Take 5").click()
    await page.get_by_role("checkbox", name="Select Take 2").click(modifiers=["Shift"])
    await expect(page.get_by_text("4 selected")).to_be_visible()
    assert await site.violations(page) == []
    await page.get_by_role("button", name="Cancel selected…").click()
    # It ends while the person reads, and the page has not heard of it.
    await site.record.read(
        "UPDATE jobs SET status = 'failed', finished_at = now(), "
        "error = '{\"code\": 13}' WHERE job_id = %s",
        jobs["Take 3"].job_id,
    )
    await page.get_by_role("button", name="Cancel 4 jobs").click()

    results = page.get_by_role("dialog").get_by_role("listitem")
    await expect(results).to_have_text(
        [
            re.compile("Take 5.*Cancelled"),
            re.compile("Take 4.*Cancelled"),
            re.compile("Take 3.*Cannot cancel job with status: failed"),
            re.compile("Take 2.*Cancelled"),
        ]
    )
    assert await site.violations(page) == []
    await page.get_by_role("button", name="Close").click()
    await expect(page.get_by_role("button", name="Cancel selected…")).to_be_hidden()


async def test_the_list_is_filtered_paged_and_kept_in_the_address(
    page: Page, site: Site
) -> None:
    for number in range(1, 53):
        await site.record.create(owner=OWNER, title=f"Song {number}")
    done = await site.record.create(owner=OWNER, title="Stopped")
    await site.cancel(done)
    await page.goto("/")
    await expect(page.locator(".title").first).to_have_text("Stopped")
    await page.get_by_role("button", name="Older jobs →").click()
    await expect(page.locator(".title")).to_have_text(["Song 3", "Song 2", "Song 1"])
    await page.reload()
    await expect(page.locator(".title")).to_have_text(["Song 3", "Song 2", "Song 1"])
    await page.get_by_role("button", name="← Newer jobs").click()
    await expect(page.locator(".title").first).to_have_text("Stopped")

    await page.get_by_label("Status").select_option("Cancelled")
    await expect(page.locator(".title")).to_have_text(["Stopped"])
    await expect(
        page.get_by_role("button", name="Cancel all matching…")
    ).to_be_disabled()
    await page.go_back()
    await expect(page.locator(".job")).to_have_count(50)
    await page.get_by_label("Title or artist").fill("no such song")
    await expect(page.get_by_role("heading", name="No job matches")).to_be_visible()
    assert await site.violations(page) == []


async def test_a_lost_gateway_shows_and_comes_back(page: Page, site: Site) -> None:
    job = await site.record.create(owner=OWNER, title="Goes on")
    await page.goto("/")
    await expect(row_of(page, "Goes on").locator(".badge")).to_have_text("Pending")
    site.expected_errors.append("ERR_")

    await site.stop()
    notice = page.get_by_text("The connection is lost. Reconnecting…")
    await expect(notice.first).to_be_visible()
    assert await site.violations(page) == []
    await page.get_by_role("button", name="Cancel Goes on").click()
    await page.get_by_role("button", name="Cancel the job").click()
    await expect(
        page.get_by_text("The job may not have been cancelled.").first
    ).to_be_visible()
    await site.cancel(job)
    await site.start()

    await expect(row_of(page, "Goes on").locator(".badge")).to_have_text("Cancelled")
    await expect(page.locator(".notice.lost")).to_be_hidden()


async def test_what_a_user_typed_is_only_ever_text(page: Page, site: Site) -> None:
    titles = ["<script>window.hacked = 1</script>", "\u202eevil\u202c", "long " * 2000]
    for title in titles:
        await site.record.create(owner=OWNER, title=title, artist="<img src=x>")
    await page.goto("/")
    await expect(page.locator(".title")).to_have_text([*map(str.strip, titles)][::-1])
    await page.get_by_role("button", name="Cancel <script>").click()

    heading = page.get_by_role("dialog").get_by_role("heading")
    await expect(heading).to_contain_text(titles[0])
    assert await page.evaluate("window.hacked") is None
    assert await page.locator("#jobs img").count() == 0
    overflow = "document.documentElement.scrollWidth > innerWidth"
    assert not await page.evaluate(overflow)


async def test_every_state_is_accessible_in_light_and_dark_on_a_phone_and_a_desk(
    page: Page, site: Site
) -> None:
    await set_scene(site.record)
    for scheme in ("light", "dark"):
        for width in (360, 1440):
            await page.emulate_media(
                color_scheme="dark" if scheme == "dark" else "light",
                reduced_motion="reduce",
            )
            await page.set_viewport_size({"width": width, "height": 3000})
            await page.goto("/")
            await expect(page.locator(".job")).to_have_count(9)
            assert await site.violations(page) == [], (scheme, width)
            await page.get_by_role("button", name="Cancel Greensleeves").click()
            assert await site.violations(page) == [], (scheme, width, "dialog")


async def test_all_of_it_works_by_keyboard_alone(page: Page, site: Site) -> None:
    await site.record.create(owner=OWNER, title="First")
    await site.record.create(owner=OWNER, title="Second")
    await page.goto("/")
    await expect(page.locator(".job")).to_have_count(2)

    async def tab_to(name: str) -> None:
        for _ in range(20):
            await page.keyboard.press("Tab")
            focused = await page.evaluate(
                "document.activeElement.ariaLabel ?? document.activeElement.innerText"
            )
            if focused == name:
                return
        raise AssertionError(name)

    await tab_to("Cancel First")
    await page.keyboard.press("Enter")
    await page.keyboard.type("no hands")
    await page.keyboard.press("Enter")
    await expect(row_of(page, "First").locator(".badge")).to_have_text("Cancelled")
    await expect(row_of(page, "First").get_by_role("link")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("First")


async def test_a_new_status_is_said_to_screen_readers(page: Page, site: Site) -> None:
    job = await site.record.create(owner=OWNER, title="Spoken")
    await page.goto("/")
    await expect(row_of(page, "Spoken")).to_be_visible()

    await site.cancel(job)

    await expect(page.get_by_role("status")).to_have_text("Spoken is now cancelled.")


async def test_nothing_moves_while_jobs_change(page: Page, site: Site) -> None:
    worker_id = await site.record.register()
    await site.record.at_segments(worker_id, segments=4, owner=OWNER, title="One")
    await site.record.create(owner=OWNER, title="Another")
    await page.goto("/")
    await expect(page.locator(".job")).to_have_count(2)
    await page.evaluate(WATCH_SHIFTS)
    for done in range(1, 5):
        change = await site.record.settle(await site.record.claim(worker_id))
        assert change
        await site.announce(change.job)
        await expect(row_of(page, "One")).to_contain_text(f"{done} of 4 segments")

    assert await page.evaluate("window.moved") == 0


async def test_what_many_jobs_have_spent_stands_before_their_cancel(
    page: Page, site: Site
) -> None:
    worker_id = await site.record.register()
    await site.record.at_stitch(worker_id, owner=OWNER, title="All paid")
    await site.record.read("UPDATE jobs SET spent_usd = 4.5")
    await page.goto("/")
    await page.get_by_role("checkbox", name="Select All paid").click()
    for name, points in (
        ("Cancel selected…", re.compile(r"\$4\.50 has been spent")),
        ("Cancel all jobs…", re.compile("1 not begun or paused")),
    ):
        await page.get_by_role("button", name=name).click()
        dialog = page.get_by_role("dialog")
        await expect(dialog).to_contain_text(points)
        await expect(dialog).not_to_contain_text("Nothing has been paid for")
        await dialog.get_by_role("button", name="Keep them running").click()


async def test_a_call_aborted_by_a_pause_may_still_be_billed(
    page: Page, site: Site
) -> None:
    await site.record.create(owner=OWNER, title="Paused")
    await site.record.read("UPDATE jobs SET unknown_usd = 0.25")
    await page.goto("/")
    await page.get_by_role("button", name="Cancel Paused").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("$0.25 may still be billed")
    await expect(dialog).not_to_contain_text("Nothing has been paid for")


async def test_a_cancel_whose_answer_is_lost_is_not_said_to_have_failed(
    page: Page, site: Site
) -> None:
    job = await site.record.create(owner=OWNER, title="Unsure")
    site.expected_errors.append("ERR_")

    async def lose(route: Route) -> None:
        await route.fetch()
        await route.abort()

    await page.route("**/cancel/**", lose)
    await page.goto("/")
    await page.get_by_role("button", name="Cancel Unsure").click()
    await page.get_by_role("button", name="Cancel the job").click()
    await expect(page.locator(".notice", has_text="does not answer")).to_be_visible()
    assert (await site.record.job(job.job_id)).status is Status.CANCELLED
    await expect(page.get_by_text("was not cancelled")).to_have_count(0)


async def test_a_tab_that_is_opened_unseen_takes_no_connection_until_it_is_seen(
    page: Page, site: Site
) -> None:
    await site.record.create(owner=OWNER, title="Behind")
    await page.add_init_script(
        "Object.defineProperty(document, 'hidden',"
        " { get: () => !window.seen, configurable: true })"
    )
    streams: list[str] = []
    page.on("request", lambda r: streams.append(r.url) if "/live/" in r.url else None)
    await page.goto("/")
    await page.wait_for_load_state("networkidle")
    assert streams == []
    await page.evaluate(
        "window.seen = true; document.dispatchEvent(new Event('visibilitychange'))"
    )
    await expect(row_of(page, "Behind")).to_be_visible()


async def test_a_cancel_of_all_says_when_nothing_was_left_to_cancel(
    page: Page, site: Site
) -> None:
    job = await site.record.create(owner=OWNER, title="Already gone")
    await page.goto("/")
    await page.get_by_role("button", name="Cancel all jobs…").click()
    confirm = page.get_by_role("button", name="Cancel 1 job")
    await expect(confirm).to_be_visible()
    await site.cancel(job)
    await confirm.click()

    said = page.get_by_text("No job that matches can be cancelled.")
    await expect(said.first).to_be_visible()
