"""Every page, state and dialog is accessible, however it is looked at."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from tests.page.scene import set_scene

if TYPE_CHECKING:
    from typing import Literal

    from playwright.async_api import Page

    from tests.page.conftest import Site

SCHEMES = ("light", "dark")
WIDTHS = (360, 1440)
OVERFLOWS = "document.documentElement.scrollWidth > innerWidth"
MISSING = "Failed to load resource"
"""The scene's segments name pictures that nobody has made."""


@pytest.mark.long
@pytest.mark.parametrize(("scheme", "width"), list(itertools.product(SCHEMES, WIDTHS)))
async def test_every_page_state_and_dialog_is_accessible(
    page: Page, site: Site, scheme: Literal["light", "dark"], width: int
) -> None:
    site.expected_errors.append(MISSING)
    scene = await set_scene(site.record)
    await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    await page.set_viewport_size({"width": width, "height": 3000})
    jobs = {name: f"/jobs/{job_id}" for name, job_id in scene.jobs.items()}
    asked = 0
    for name, path in {"list": "/", "new": "/new", **jobs, "none": "/jobs/x"}.items():
        await page.goto(path)
        await expect(page.locator("[aria-busy=true]")).to_have_count(0)
        assert await site.violations(page) == [], name
        assert not await page.evaluate(OVERFLOWS), name
        for button in await page.locator("main button:visible").all():
            text = await button.inner_text()
            # A pause asks only where there is something to abort.
            if not text.endswith("…") and (name, text) != ("processing", "Pause"):
                continue
            await button.click()
            dialog = page.get_by_role("dialog")
            await expect(dialog).to_be_visible()
            assert await site.violations(page) == [], (name, dialog)
            asked += 1
            await page.keyboard.press("Escape")
            await expect(dialog).to_have_count(0)
    assert asked >= len(jobs)
