"""Accessibility: what axe-core finds wrong with a page, and what moves on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from axe_playwright_python.async_playwright import Axe

if TYPE_CHECKING:
    from playwright.async_api import Page

WATCH_SHIFTS = """() => {
    window.moved = 0;
    new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) window.moved += entry.value;
    }).observe({ type: "layout-shift" });
}"""
SHOWN = 3
"""Elements that a finding names."""


async def violations(page: Page) -> list[str]:
    """Returns a line for each rule that the page breaks as it now stands."""
    results = await Axe().run(page)  # pyright: ignore[reportUnknownMemberType]
    response = cast("dict[str, Any]", results.response)  # pyright: ignore[reportUnknownMemberType]
    return [_line(found) for found in response["violations"]]


def _line(found: dict[str, Any]) -> str:
    nodes = found["nodes"]
    places = "; ".join(_place(node) for node in nodes[:SHOWN])
    return f"{found['id']} ({found['impact']}, {len(nodes)} times): {places}"


def _place(node: dict[str, Any]) -> str:
    checks = [*node["any"], *node["all"], *node["none"]]
    why = ", ".join(check["message"] for check in checks)
    return f"{node['html']} at {' '.join(map(str, node['target']))}: {why}"
