"""The form that starts a video: what it refuses, shows, keeps, and creates."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playwright.async_api import expect

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from playwright.async_api import FilePayload, Page, Route

    from tests.page.conftest import Site

SAMPLES = Path(__file__).parents[2] / "samples"
JOB = re.compile(r"/jobs/[0-9a-f-]{36}$")
LYRICS = "Row, row, row your boat\nGently down the stream"
BYTES_A_SECOND = 500_000
"""How fast an upload is that a person sees go on."""
UNLIMITED = -1


def text_file(name: str, content: bytes) -> FilePayload:
    return {"name": name, "mimeType": "text/plain", "buffer": content}


async def requests_of(site: Site) -> list[dict[str, Any]]:
    """Returns the requests of all jobs, oldest first."""
    rows = await site.record.read("SELECT request FROM job_requests ORDER BY job_id")
    return [row["request"] for row in rows]


async def fill_song(page: Page, title: str = "Row Your Boat") -> None:
    await page.get_by_label("Title").fill(title)
    await page.get_by_label("Lyrics").fill(LYRICS)


async def upload_limit(page: Page) -> Callable[[int], Awaitable[object]]:
    """Returns what sets how many bytes a second the page may send."""
    network = await page.context.new_cdp_session(page)

    def limit(bytes_a_second: int) -> Awaitable[object]:
        return network.send(  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
            "Network.emulateNetworkConditions",
            {
                "offline": False,
                "latency": 0,
                "downloadThroughput": UNLIMITED,
                "uploadThroughput": bytes_a_second,
            },
        )

    return limit


async def test_what_is_wrong_stands_at_its_field_and_nothing_typed_is_lost(
    page: Page, site: Site
) -> None:
    await page.goto("/new")
    typed = {"Album": "Rounds", "Length": "3 minutes", "Width": "1281"}
    await page.get_by_label("Size").select_option("Custom…")
    for label, value in typed.items():
        await page.get_by_label(label).fill(value)
    await page.get_by_text("More options").click()
    await page.get_by_label("Calls at once").fill("many")
    await page.get_by_text("More options").click()
    await expect(page.locator("#title")).not_to_have_attribute("aria-invalid", "true")

    await page.get_by_role("button", name="Start the video").click()

    summary = page.get_by_role("group", name="The video has not started")
    await expect(summary).to_be_focused()
    wrong = {
        "Title": "Give the title of the song.",
        "Lyrics": "Give the words of the song, or choose Instrumental.",
        "Length": "Length must be minutes and seconds, such as 3:25.",
        "Width": "Width must be even.",
        "Height": "Give the height.",
        "Calls at once": "Calls at once must be a whole number from 1 to 32.",
    }
    await expect(summary.get_by_role("link")).to_have_text(list(wrong.values()))
    for label, sentence in wrong.items():
        field = page.get_by_label(label)
        await expect(field).to_have_attribute("aria-invalid", "true")
        await expect(field).to_have_accessible_description(sentence)
    await summary.get_by_role("link", name=wrong["Calls at once"]).click()
    await expect(page.get_by_label("Calls at once")).to_be_focused()
    await page.reload()
    for label, value in {**typed, "Calls at once": "many"}.items():
        await expect(page.get_by_label(label)).to_have_value(value)
    assert await requests_of(site) == []


async def test_what_the_gateway_refuses_stands_at_its_field_too(
    page: Page, site: Site
) -> None:
    site.expected_errors.append("400 (Bad Request)")
    await page.goto("/new")
    long = ("la\n" * 2001).encode()
    await page.get_by_label("Open a file…").set_input_files(text_file("a.txt", long))
    await page.get_by_label("Title").fill("La")
    sentence = "The lyrics have 2,001 lines, at most 2,000 are allowed"
    preview = page.get_by_role("complementary", name="Preview")
    await expect(preview).to_contain_text(sentence)

    await page.get_by_role("button", name="Start the video").click()

    await expect(page.get_by_role("link", name=sentence)).to_be_visible()
    lyrics = page.get_by_label("Lyrics", exact=True)
    await expect(lyrics).to_have_accessible_description(re.compile(sentence))
    assert len(await lyrics.input_value()) == len(long)


async def test_a_video_starts_by_keyboard_alone(page: Page, site: Site) -> None:
    await page.goto("/new")

    async def tab_to(name: str) -> None:
        target = page.locator(name)
        for _ in range(40):
            await page.keyboard.press("Tab")
            if await target.evaluate("element => element === document.activeElement"):
                return
        raise AssertionError(name)

    await tab_to("#title")
    await page.keyboard.type("Row Your Boat")
    await tab_to("#lyrics")
    await page.keyboard.type(LYRICS)
    await tab_to("[data-look=neon]")
    await page.keyboard.press("Space")
    await tab_to("#size")
    await page.keyboard.type("1080p")
    await tab_to("#start")
    await page.keyboard.press("Enter")

    await page.wait_for_url(JOB, wait_until="commit")
    [request] = await requests_of(site)
    assert (request["title"], request["lyrics"]) == ("Row Your Boat", LYRICS)
    assert request["style"] == "neon"
    assert request["video"] == {"width": 1920, "height": 1080, "frameRate": 24}


async def test_an_lrc_file_and_audio_become_a_job(page: Page, site: Site) -> None:
    await page.goto("/new")
    await page.get_by_label("Open a file…").set_input_files(SAMPLES / "twinkle.lrc")
    await expect(page.get_by_label("Artist")).to_have_value("Traditional")
    limit = await upload_limit(page)
    await limit(BYTES_A_SECOND)
    choose = page.get_by_label("Choose an audio file…")
    for _ in range(2):
        await choose.set_input_files(SAMPLES / "twinkle.m4a")
        await expect(
            page.get_by_text(re.compile(r"0\.[1-4] of 0\.5 MB"))
        ).to_be_visible()
        cancel = page.get_by_role("button", name="Cancel the upload")
        await expect(cancel).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(choose).to_be_focused()
    await limit(UNLIMITED)
    await choose.set_input_files(SAMPLES / "twinkle.m4a")

    await expect(page.get_by_text("Plays 0:32", exact=True)).to_be_visible()
    await expect(page.get_by_label("Length")).to_be_disabled()
    await page.get_by_role("button", name="Start the video").click()
    await page.wait_for_url(JOB, wait_until="commit")
    [request] = await requests_of(site)
    assert request["title"] == "Twinkle, Twinkle, Little Star"
    assert request["audioUri"].startswith("artifact:uploads/")


async def test_a_file_that_is_no_lyrics_or_no_audio_is_refused_in_words(
    page: Page, site: Site
) -> None:
    site.expected_errors.append("400 (Bad Request)")
    await page.goto("/new")
    await fill_song(page)
    lyrics = page.get_by_label("Lyrics", exact=True)
    opened = page.get_by_label("Open a file…")
    for content, sentence in (
        (b"\x89PNG\xff\xfe", "song.txt is not a text file."),
        (b"\0" * 40, "song.txt is not a text file."),
        (b"a" * (2**20 + 1), "song.txt is larger than 1 MB"),
    ):
        await opened.set_input_files(text_file("song.txt", content))
        await expect(lyrics).to_have_accessible_description(re.compile(sentence))
        await expect(lyrics).to_have_value(LYRICS)

    await opened.set_input_files(text_file("song.txt", "Où est-il ?".encode("utf-16")))
    await expect(lyrics).to_have_value("Où est-il ?")
    await page.get_by_role("button", name="Put back what stood there").click()
    await expect(lyrics).to_have_value(LYRICS)

    audio = page.get_by_label("Choose an audio file…")
    await audio.set_input_files(SAMPLES / "twinkle.lrc")
    await expect(audio).to_have_accessible_description(
        "twinkle.lrc: this file holds no audio; send an audio file."
    )


async def test_the_preview_shows_the_segments_as_cut_and_stores_nothing(
    page: Page, site: Site
) -> None:
    await page.goto("/new")
    preview = page.get_by_role("complementary", name="Preview")
    await expect(preview).to_contain_text("Give the title and the words")
    before = await preview.bounding_box()

    await page.get_by_role("button", name="Fill in an example").click()

    await expect(preview.get_by_role("status")).to_have_text(
        "6 segments · 0:32 · no cost"
    )
    segments = preview.get_by_role("listitem")
    await expect(segments).to_have_count(6)
    await expect(segments.nth(3)).to_have_text(
        "0:15 \u2013 0:19Like a diamond in the sky."
    )
    assert await preview.bounding_box() == before
    assert await requests_of(site) == []


async def test_two_clicks_and_a_lost_answer_create_one_job(
    page: Page, site: Site
) -> None:
    site.expected_errors.append("ERR_FAILED")
    await page.goto("/new")
    await fill_song(page)
    ids: list[str] = []

    async def lose_the_first(route: Route) -> None:
        ids.append(json.loads(route.request.post_data or "")["requestId"])
        answer = await route.fetch()
        if len(ids) == 1:
            await route.abort()
        else:
            await route.fulfill(response=answer)

    await page.route("**/api/v1/jobs", lose_the_first)
    start = page.get_by_role("button", name="Start the video")
    await start.dblclick()
    summary = page.get_by_role("group", name="The video has not started")
    await expect(summary).to_contain_text("The gateway does not answer.")
    await start.click()

    await page.wait_for_url(JOB, wait_until="commit")
    assert len(ids) == 2
    assert len(set(ids)) == len(await requests_of(site)) == 1


async def test_what_is_typed_is_only_ever_text(page: Page, site: Site) -> None:
    script = "<img src=x onerror='window.hacked = 1'><script>hacked = 1</script>"
    await page.goto("/new")
    title = page.get_by_label("Title")
    await title.fill(script.ljust(10_000, "!"))
    await page.get_by_label("Lyrics").fill(script)
    await page.get_by_label("Artist").click()
    await expect(title).to_have_accessible_description(
        "Title has 10,000 characters; 200 are allowed."
    )
    await title.fill(script)

    await expect(page.locator("#segments .lines")).to_have_text([script])
    await page.get_by_role("button", name="Start the video").click()
    await page.wait_for_url(JOB, wait_until="commit")
    assert await page.evaluate("window.hacked") is None
    [request] = await requests_of(site)
    assert request["title"] == script


async def test_every_state_is_accessible_in_light_and_dark(
    page: Page, site: Site
) -> None:
    providers = {
        "storyboardProviders": ["local", "gemini"],
        "imageProviders": ["local", "gemini"],
        "clipProviders": ["local", "omni", "veo"],
        "lyricsLookup": True,
    }
    await page.route("**/serverInfo", lambda route: route.fulfill(json=providers))
    await page.goto("/new")

    async def assert_accessible(state: str) -> None:
        for width, scheme in ((360, "light"), (1440, "dark")):
            await page.emulate_media(
                color_scheme="dark" if scheme == "dark" else "light",
                reduced_motion="reduce",
            )
            await page.set_viewport_size({"width": width, "height": 3000})
            assert await site.violations(page) == [], (state, width, scheme)
            overflow = "document.documentElement.scrollWidth > innerWidth"
            assert not await page.evaluate(overflow), (state, width)

    await assert_accessible("empty")
    await page.get_by_text("More options").click()
    calls = page.get_by_label("Calls at once")
    await calls.fill("many")
    await page.get_by_role("button", name="Start the video").click()
    await assert_accessible("refused")
    await calls.fill("")
    await page.get_by_role("button", name="Fill in an example").click()
    await expect(page.locator("#segments li")).to_have_count(6)
    await assert_accessible("previewed")


async def test_audio_is_taken_after_another_program_replaced_the_cookie(
    page: Page, url: str, expected_errors: list[str]
) -> None:
    expected_errors += ["403", "400"]
    await page.goto("/new")
    await page.evaluate("import('/page/api.js').then((api) => api.csrfToken())")
    await page.context.add_cookies(
        [{"name": "csrftoken", "value": "theirs", "url": url}]
    )
    answers: list[int] = []
    page.on(
        "response",
        lambda r: answers.append(r.status) if r.url.endswith("/audio") else None,
    )
    await page.locator("#audioUri").set_input_files(
        {"name": "no.mp3", "mimeType": "audio/mpeg", "buffer": b"no audio"}
    )
    await expect(page.locator("#audioUri-note")).to_contain_text("no.mp3:")
    assert answers == [403, 400]


async def test_a_file_that_is_chosen_before_the_page_is_ready_is_read(
    page: Page, site: Site
) -> None:
    chosen = asyncio.Event()

    async def hold(route: Route) -> None:
        await chosen.wait()
        await route.continue_()

    await page.route("**/new.js", hold)
    await page.goto("/new", wait_until="commit")
    await page.locator("#lyrics-file").set_input_files(
        text_file("a.lrc", b"[00:01.00]Soon")
    )
    chosen.set()

    await expect(page.locator("#lyrics")).to_have_value("[00:01.00]Soon")
