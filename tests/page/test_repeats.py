"""What the page's files repeat of the Python is what the Python says."""

from __future__ import annotations

import re

import pytest

from services.gateway.request import MAX_IN_FLIGHT, MAX_NAME, MAX_SIDE, MIN_SIDE
from services.gateway.web.server import PAGE
from services.generator.providers.local.look import LOOKS


def test_the_looks_on_offer_are_those_of_the_local_renderer() -> None:
    written = re.search(
        r"const LOOKS = \[(.*?)\n\];", (PAGE / "new.js").read_text(), re.DOTALL
    )
    assert written
    offered = re.findall(r'"(\w+)"', written[1])
    assert offered == [look.name for look in LOOKS]


def test_each_look_is_shown_in_its_own_colours() -> None:
    rules = re.findall(
        r'\[data-look="(\w+)"\] {(.*?)}', (PAGE / "looks.css").read_text(), re.DOTALL
    )
    shown = {name: set(re.findall(r"#([0-9a-f]{6})", rule)) for name, rule in rules}
    assert shown.keys() == {look.name for look in LOOKS}
    for look in LOOKS:
        colors = {*look.ramp, look.light, look.glow, look.far, look.near}
        assert shown[look.name] <= colors
        assert len(shown[look.name]) == 2


@pytest.mark.parametrize(
    "line",
    [
        f"const MAX_LENGTH = {MAX_NAME};",
        f'readWhole("maxInFlight", 1, {MAX_IN_FLIGHT}, wrong)',
        f"readWhole(field, {MIN_SIDE}, {MAX_SIDE}, wrong)",
    ],
)
def test_the_form_takes_what_the_gateway_takes(line: str) -> None:
    assert line in (PAGE / "request.js").read_text()
