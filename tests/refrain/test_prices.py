"""List prices against bills worked out by hand, and what is unknown."""

from dataclasses import asdict
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refrain.prices import (
    PRICES,
    ClipPrice,
    ImagePrice,
    OmniPrice,
    TextPrice,
    clip_price,
    image_price,
    omni_usage_price,
    price_by_second,
    storyboard_estimate,
    text_price,
)

TODAY = date(2026, 11, 22)
NEW_YEAR = date(2027, 1, 1)
FLASH, IMAGE = "gemini-3.8-flash", "gemini-3.1-flash-image"
OMNI, VEO = "gemini-omni-1.1-flash", "veo-3.1-generate-001"
TEXT_MODELS = [price.model for price in PRICES if isinstance(price, TextPrice)]
IMAGE_MODELS = [price.model for price in PRICES if isinstance(price, ImagePrice)]
OMNI_MODELS = [price.model for price in PRICES if isinstance(price, OmniPrice)]
CLIP_MODELS = [price.model for price in PRICES if isinstance(price, ClipPrice)]


def clip(model: str, height: int, seconds: str = "5") -> Decimal:
    return clip_price(model, seconds=Decimal(seconds), height=height, today=TODAY)


@pytest.mark.parametrize(
    ("day", "dollars"), [(TODAY, "4.5"), (date(2026, 12, 31), "4.5"), (NEW_YEAR, "9")]
)
def test_a_text_costs_what_it_does_on_its_day(day: date, dollars: str) -> None:
    a_million = {"input_tokens": 1_000_000, "output_tokens": 1_000_000}
    assert text_price(FLASH, **a_million, today=day) == Decimal(dollars)


def test_without_a_day_the_price_is_that_of_today() -> None:
    assert text_price("gemini-3.5-flash", input_tokens=12, output_tokens=25_000) == (
        Decimal("0.2250")
    )


def test_a_recorded_image_costs_its_tokens() -> None:
    assert image_price(
        IMAGE, input_tokens=10, image_tokens=1120, output_tokens=272, today=TODAY
    ) == Decimal("0.0680")
    assert image_price(IMAGE, image_tokens=0, today=TODAY) == 0


@pytest.mark.parametrize(
    ("model", "dollars"),
    [
        (IMAGE, "0.0672"),
        ("gemini-3.1-flash-lite-image", "0.0336"),
        ("gemini-nano-banana-2.1", "0.0336"),
        ("gemini-3-pro-image", "0.1340"),
        ("gemini-2.5-flash-image", "0.0390"),
    ],
)
def test_an_image_without_usage_costs_its_list_price(model: str, dollars: str) -> None:
    assert image_price(model, today=TODAY) == Decimal(dollars)


def test_a_recorded_clip_of_omni_costs_its_tokens() -> None:
    assert omni_usage_price(
        OMNI, input_tokens=18, video_tokens=5793, text_tokens=0, today=TODAY
    ) == Decimal("0.1014")
    assert omni_usage_price(
        OMNI, input_tokens=18, video_tokens=5793, text_tokens=373, today=TODAY
    ) == Decimal("0.1048")


@pytest.mark.parametrize(
    ("model", "height", "dollars"),
    [
        (OMNI, 720, "0.50"),
        (OMNI, 1080, "0.75"),
        (OMNI, 704, "0.50"),
        (OMNI, 8_000, "1.50"),
        ("gemini-omni-1.2-flash", 360, "0.115"),
        ("gemini-omni-1.2-flash", 720, "0.35"),
        (VEO, 720, "2.00"),
        (VEO, 2160, "3.00"),
        ("veo-3.1-fast-generate-001", 1080, "0.60"),
        ("veo-3.1-lite-generate-001", 1080, "0.40"),
        ("publishers/google/models/veo-3.1-lite-generate-001", 720, "0.25"),
    ],
)
def test_a_clip_costs_its_seconds_at_its_resolution(
    model: str, height: int, dollars: str
) -> None:
    assert clip(model, height) == Decimal(dollars)


def test_an_unknown_model_costs_as_the_dearest_of_its_kind() -> None:
    assert text_price(
        "gemini-9", input_tokens=0, output_tokens=1_000_000, today=TODAY
    ) == Decimal(9)
    assert image_price("gemini-9-image", today=TODAY) == Decimal("0.134")
    assert clip("gemini-omni-9", 720) == clip(OMNI, 720)
    assert clip("veo-9", 720) == clip(VEO, 720)
    assert clip("sora", 720) == clip(VEO, 720)


def test_a_fraction_of_a_hundredth_of_a_cent_is_rounded_once_and_half_up() -> None:
    assert text_price(
        FLASH, input_tokens=20, output_tokens=4, today=NEW_YEAR
    ) == Decimal("0.0001")
    assert str(price_by_second(Decimal("0.00005"), seconds=Decimal(1))) == "0.0001"
    assert str(price_by_second(Decimal("0.00005"), seconds=Decimal("0.9"))) == "0.0000"


@settings(deadline=None)
@given(st.sampled_from(TEXT_MODELS), st.integers(min_value=0, max_value=400))
def test_a_longer_song_never_has_a_cheaper_storyboard(model: str, lines: int) -> None:
    shorter = storyboard_estimate(model, lines=lines)
    assert 0 < shorter <= storyboard_estimate(model, lines=lines + 1) < 1


@settings(deadline=None)
@given(st.sampled_from(OMNI_MODELS), st.integers(min_value=1, max_value=15))
def test_a_clip_of_omni_costs_about_the_same_by_second_and_by_token(
    model: str, seconds: int
) -> None:
    """At 720p a second has 5,792 tokens."""
    by_token = omni_usage_price(
        model, input_tokens=0, video_tokens=5792 * seconds, text_tokens=0
    )
    assert abs(by_token / clip(model, 720, str(seconds)) - 1) < Decimal("0.02")


@settings(deadline=None)
@given(st.sampled_from(CLIP_MODELS), st.integers(min_value=1, max_value=5000))
def test_more_pixels_never_cost_less(model: str, height: int) -> None:
    assert clip(model, height) <= clip(model, height + 1)


def test_a_whole_image_costs_about_its_tokens() -> None:
    for model in IMAGE_MODELS:
        assert abs(image_price(model, image_tokens=1120) - image_price(model)) < (
            Decimal("0.006")
        )


def test_every_price_says_where_it_is_from_and_is_exact() -> None:
    for price in PRICES:
        assert price.source
        assert price.as_of <= TODAY
        amounts = asdict(price)
        assert not any(isinstance(amount, float) for amount in amounts.values())


def test_every_price_that_ends_is_followed_by_another() -> None:
    for price in PRICES:
        if price.until:
            after = price.until + timedelta(days=1)
            assert any(
                other.model == price.model
                and (other.until is None or other.until >= after)
                for other in PRICES
                if other is not price
            )
