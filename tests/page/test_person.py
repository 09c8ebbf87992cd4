"""What a person does first: starts the sample, sees it run, and stops it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

if TYPE_CHECKING:
    from playwright.async_api import Page

    from tests.system.system import System

SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.fixture
def url(system: System) -> str:
    return f"http://127.0.0.1:{system.http_port}"


async def test_a_person_starts_the_sample_and_stops_it(page: Page) -> None:
    await page.goto("/")
    await page.get_by_role("link", name="Start a video").first.click()
    await page.get_by_label("Title").fill("Started by mistake")
    await page.locator("#lyrics-file").set_input_files(SAMPLES / "greensleeves.lrc")
    await page.locator("#audioUri").set_input_files(SAMPLES / "greensleeves.m4a")
    await expect(
        page.get_by_text(re.compile(r"\d+ segments · \d:\d\d"))
    ).to_be_visible()
    await page.get_by_role("button", name="Start the video").click()

    await expect(page.get_by_role("heading", level=1)).to_have_text(
        "Started by mistake"
    )
    await expect(page.locator("[data-state=done]").first).to_be_visible()
    await page.get_by_role("link", name="All jobs").click()
    row = page.locator(".job")
    await expect(row.locator(".badge")).to_have_text("Processing")
    await expect(row.locator(".segments")).to_have_text(re.compile(r"[1-9]\d* of \d+"))
    await row.get_by_role("button", name="Cancel").click()
    await page.get_by_label("Reason (optional)").fill("the wrong song")
    await page.get_by_role("button", name="Cancel the job").click()

    await expect(row.locator(".badge")).to_have_text("Cancelled")
    await expect(row.locator(".line")).to_contain_text("“the wrong song” · stopped")
    await expect(row.locator(".line")).to_contain_text("kept")
    style = "row => [getComputedStyle(row).opacity, getComputedStyle(row).filter]"
    opacity, colours = await row.evaluate(style)
    assert 0 < float(opacity) < 1
    assert colours == "grayscale(1)"
