"""Chromium: where it is, and how tests, benchmarks and screenshots start it."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.async_api import Browser, Playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)


def find_chromium() -> str | None:
    """Returns its path; REFRAIN_CHROMIUM names another one."""
    named = os.environ.get("REFRAIN_CHROMIUM")
    return named or next(filter(None, map(shutil.which, NAMES)), None)


async def launch(playwright: Playwright) -> Browser:
    """Starts it without a window."""
    return await playwright.chromium.launch(
        executable_path=find_chromium(), args=ARGUMENTS
    )
