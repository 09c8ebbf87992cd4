"""A browser for each test process, and a gateway whose record the test drives.

All of it, the tests too, runs in the one loop that the browser is bound to.
"""

from __future__ import annotations

import os
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from playwright.async_api import async_playwright, expect

from refrain.store import Change, Database
from tests.gateway.conftest import OWNER, Gateway, serving
from tests.page import accessibility
from tests.page.browser import find_chromium, launch
from tests.ports import own_port
from tests.refrain.record import Record
from tests.system.system import System

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from playwright.async_api import Browser, ConsoleMessage, Page

    from refrain.job import Job
    from refrain.local.embedded import EmbeddedNats
    from tests.databases import Databases

HERE = Path(__file__).parent
PATIENCE = 10_000
"""Milliseconds until a page that does not show what it should has failed."""
NO_BROWSER = "there is no Chromium: install one, or name it in REFRAIN_CHROMIUM"

expect.set_options(timeout=PATIENCE)


def pytest_collection_modifyitems(items: Iterable[pytest.Item]) -> None:
    session = pytest.mark.asyncio(loop_scope="session")
    for item in items:
        if item.path.is_relative_to(HERE) and pytest_asyncio.is_async_test(item):
            item.add_marker(session, append=False)


class Site:
    """A gateway that serves the page, and the record behind it."""

    def __init__(
        self,
        record: Record,
        nats_url: str,
        folder: Path,
        expected_errors: list[str],
    ) -> None:
        self.record = record
        self.expected_errors = expected_errors
        """Parts of the errors that the page may log; see the fixture."""
        self._nats_url = nats_url
        self._folder = folder
        self._http_port = own_port()
        self._gateway: Gateway | None = None
        self._running = AsyncExitStack()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http_port}"

    async def start(self) -> None:
        """Serves, again where it did before."""
        self._gateway = await self._running.enter_async_context(
            serving(
                self.record.url, self._nats_url, self._folder, http_port=self._http_port
            )
        )

    async def stop(self) -> None:
        """Ends the gateway as SIGTERM does."""
        self._gateway = None
        await self._running.aclose()

    async def announce(self, *jobs: Job) -> None:
        """Tells the gateway to look, as the worker does who changed the jobs."""
        if self._gateway is not None:
            changes = [Change(job=job) for job in jobs]
            await self._gateway.connections.bus.announce(changes)

    async def cancel(self, job: Job, reason: str = "") -> Job:
        """Cancels the job from elsewhere than the page."""
        change = await self.record.jobs.cancel_job(
            job.job_id, OWNER, requested_by=f"user:{OWNER}", reason=reason
        )
        await self.announce(change.job)
        return change.job

    async def violations(self, page: Page) -> list[str]:
        """Returns what is inaccessible about the page as it now stands."""
        return await accessibility.violations(page)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Chromium; where there is none, tests are skipped, but in CI they fail."""
    if find_chromium() is None:
        (pytest.fail if "CI" in os.environ else pytest.skip)(NO_BROWSER)
    async with async_playwright() as playwright, await launch(playwright) as browser:
        yield browser


@pytest.fixture
def expected_errors() -> list[str]:
    """Parts of what a test makes the page log as an error, such as `ERR_`."""
    return []


@pytest_asyncio.fixture(loop_scope="session")
async def site(
    database_url: str,
    nats_server: EmbeddedNats,
    tmp_path: Path,
    expected_errors: list[str],
) -> AsyncIterator[Site]:
    async with Database(database_url) as database:
        record = Record(database, database_url)
        site = Site(record, nats_server.url, tmp_path, expected_errors)
        await site.start()
        yield site
        await site.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def system(
    tmp_path_factory: pytest.TempPathFactory,
    databases: Databases,
    nats_server: EmbeddedNats,
) -> AsyncIterator[System]:
    """The three services as processes, running, for all tests of a module."""
    async with System(
        folder=tmp_path_factory.mktemp("system"),
        database_url=await databases.create(),
        nats_url=nats_server.url,
    ) as system:
        await system.start()
        yield system


@pytest.fixture
def url(site: Site) -> str:
    """Where the page is; a module whose page is a `system`'s overrides this."""
    return site.url


@pytest_asyncio.fixture(loop_scope="session")
async def page(
    browser: Browser, url: str, expected_errors: list[str]
) -> AsyncIterator[Page]:
    """A tab of its own, which in the end has logged no error but the expected."""
    errors: list[str] = []
    context = await browser.new_context(
        base_url=url, viewport={"width": 1280, "height": 800}
    )
    context.set_default_timeout(PATIENCE)
    context.on("weberror", lambda failed: errors.append(str(failed.error)))
    context.on("console", lambda message: errors.extend(_error_in(message)))
    yield await context.new_page()
    await context.close()
    assert [
        error for error in errors if not any(part in error for part in expected_errors)
    ] == []


def _error_in(message: ConsoleMessage) -> list[str]:
    where = message.location["url"]
    return [f"{message.text} ({where})"] if message.type == "error" else []
