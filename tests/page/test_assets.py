"""What a browser loads: small, and nothing in it that the policy would refuse."""

from __future__ import annotations

import re

import pytest

from services.gateway.web.server import PAGE, PAGES

MOST = 150_000
"""Bytes of all assets together."""


def test_all_assets_together_are_small() -> None:
    assert sum(file.stat().st_size for file in PAGE.iterdir()) < MOST


@pytest.mark.parametrize("name", PAGES.values())
def test_a_page_has_nothing_inline_and_loads_only_what_is_here(name: str) -> None:
    html = (PAGE / name).read_text()
    assert "<style" not in html
    assert not re.findall(r"<script(?![^>]* src=)", html)
    assert not re.findall(r'\s(?:style|on\w+)="', html)
    loaded = re.findall(r'(?:src|href)="(/page/[^"]+)"', html)
    assert loaded
    assert [path for path in loaded if not (PAGE.parent / path[1:]).is_file()] == []
