"""What a provider's call costs, by the list prices of its models, in US dollars.

Prices are Decimal, and rounded once, at the end, to a hundredth of a cent. A model
that is not in the table costs what the dearest of its kind does, so that a new model
is never taken for a cheap one. Odyssey publishes no price, so none stands here: see
`price_by_second`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

_STEP = Decimal("0.0001")
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """The list price of a model; amounts by the token are for a million of them."""

    model: str
    source: str
    as_of: date
    """When the source was read."""
    until: date | None = None
    """The last day (UTC) of the price; None: not known to end."""

    @property
    def rank(self) -> Decimal:
        """Orders the prices of one kind."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class TextPrice(Price):
    """Of a model that writes."""

    input: Decimal
    output: Decimal
    """Thoughts included."""

    @property
    def rank(self) -> Decimal:
        return self.output


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePrice(Price):
    """Of a model that paints."""

    input: Decimal
    output: Decimal
    """Text and thoughts beside the image."""
    image: Decimal
    one: Decimal
    """A whole image of 1K, which is about 1024 x 1024 pixels."""

    @property
    def rank(self) -> Decimal:
        return self.one


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipPrice(Price):
    """Of a model that makes clips."""

    second: Mapping[int, Decimal]
    """A second of a clip, by the shorter side of its frame in pixels."""

    def per_second(self, height: int) -> Decimal:
        """Returns the price at the next resolution that is sold, or at the largest."""
        sold = (side for side in self.second if side >= height)
        return self.second[min(sold, default=max(self.second))]

    @property
    def rank(self) -> Decimal:
        return self.per_second(720)


@dataclass(frozen=True, slots=True, kw_only=True)
class OmniPrice(ClipPrice):
    """Of a Gemini Omni, which says how many tokens it used."""

    input: Decimal
    video: Decimal
    text: Decimal
    """Text and thoughts beside the video."""


class VeoPrice(ClipPrice):
    """Of a Veo, which is billed by the second alone."""


_GOOGLE = "Google's pricing page, as read by api-evangelist"
_GOOGLE_READ = date(2026, 10, 7)
_LITELLM = "the price map of LiteLLM 1.109.1"
_LITELLM_READ = date(2026, 11, 22)
_LITE_TEXT = f"{_LITELLM}; its text as that of gemini-3.1-flash-image"
_OMNI_1_2 = "two resellers' statements, to be verified: 0.7 of gemini-omni-1.1-flash"

PRICES: tuple[Price, ...] = (
    TextPrice(
        model="gemini-3.8-flash",
        input=Decimal("0.75"),
        output=Decimal("3.75"),
        source=_GOOGLE,
        as_of=_GOOGLE_READ,
        until=date(2026, 12, 31),
    ),
    TextPrice(
        model="gemini-3.8-flash",
        input=Decimal("1.50"),
        output=Decimal("7.50"),
        source=_GOOGLE,
        as_of=_GOOGLE_READ,
    ),
    TextPrice(
        model="gemini-3.5-flash",
        input=Decimal("1.50"),
        output=Decimal("9.00"),
        source=_GOOGLE,
        as_of=_GOOGLE_READ,
    ),
    TextPrice(
        model="gemini-3.5-flash-lite",
        input=Decimal("0.30"),
        output=Decimal("2.50"),
        source=_GOOGLE,
        as_of=_GOOGLE_READ,
    ),
    ImagePrice(
        model="gemini-3.1-flash-image",
        input=Decimal("0.50"),
        output=Decimal("3.00"),
        image=Decimal(60),
        one=Decimal("0.0672"),
        source=f"{_LITELLM}, its vertex_ai row",
        as_of=_LITELLM_READ,
    ),
    ImagePrice(
        model="gemini-3.1-flash-lite-image",
        input=Decimal("0.50"),
        output=Decimal("3.00"),
        image=Decimal(30),
        one=Decimal("0.0336"),
        source=_LITE_TEXT,
        as_of=_LITELLM_READ,
    ),
    ImagePrice(
        model="gemini-nano-banana-2.1",
        input=Decimal("0.50"),
        output=Decimal("3.00"),
        image=Decimal(30),
        one=Decimal("0.0336"),
        source=_LITE_TEXT,
        as_of=_LITELLM_READ,
    ),
    ImagePrice(
        model="gemini-3-pro-image",
        input=Decimal("2.00"),
        output=Decimal("12.00"),
        image=Decimal(120),
        one=Decimal("0.134"),
        source=f"{_GOOGLE}, and {_LITELLM}",
        as_of=_GOOGLE_READ,
    ),
    ImagePrice(
        model="gemini-2.5-flash-image",
        input=Decimal("0.30"),
        output=Decimal("2.50"),
        image=Decimal(30),
        one=Decimal("0.039"),
        source=_LITELLM,
        as_of=_LITELLM_READ,
    ),
    OmniPrice(
        model="gemini-omni-1.1-flash",
        second={
            360: Decimal("0.03"),
            720: Decimal("0.10"),
            1080: Decimal("0.15"),
            2160: Decimal("0.30"),
        },
        input=Decimal("1.50"),
        video=Decimal("17.50"),
        text=Decimal("9.00"),
        source=_LITELLM,
        as_of=_LITELLM_READ,
    ),
    OmniPrice(
        model="gemini-omni-1.2-flash",
        second={
            360: Decimal("0.023"),
            720: Decimal("0.07"),
            1080: Decimal("0.105"),
            2160: Decimal("0.21"),
        },
        input=Decimal("1.50"),
        video=Decimal("12.25"),
        text=Decimal("9.00"),
        source=_OMNI_1_2,
        as_of=_LITELLM_READ,
    ),
    VeoPrice(
        model="veo-3.1-generate-001",
        second={720: Decimal("0.40"), 1080: Decimal("0.40"), 2160: Decimal("0.60")},
        source=f"{_GOOGLE}, and {_LITELLM}",
        as_of=_GOOGLE_READ,
    ),
    VeoPrice(
        model="veo-3.1-fast-generate-001",
        second={720: Decimal("0.10"), 1080: Decimal("0.12"), 2160: Decimal("0.30")},
        source=f"{_GOOGLE}, and {_LITELLM}",
        as_of=_GOOGLE_READ,
    ),
    VeoPrice(
        model="veo-3.1-lite-generate-001",
        second={720: Decimal("0.05"), 1080: Decimal("0.08")},
        source=f"{_GOOGLE}, and {_LITELLM}",
        as_of=_GOOGLE_READ,
    ),
)
"""Of one model, the price that ends first stands first."""

_BRIEF_TOKENS, _LINE_TOKENS = 700, 20
"""What a storyboard's request holds: what is wanted, and each line of the song."""
_THOUGHT_TOKENS, _PROMPT_TOKENS = 2_000, 80
"""What its answer holds: thoughts, and a prompt, at most one for each line."""


def text_price(
    model: str, *, input_tokens: int, output_tokens: int, today: date | None = None
) -> Decimal:
    """Returns the price of a text; thoughts count as output.

    Here and below `today` is the day (UTC) of the call; None: today.
    """
    price = _find(TextPrice, model, today)
    return _rounded(
        _tokens(price.input, input_tokens) + _tokens(price.output, output_tokens)
    )


def storyboard_estimate(
    model: str, *, lines: int, today: date | None = None
) -> Decimal:
    """Returns about what a storyboard of a song of so many lines costs."""
    return text_price(
        model,
        input_tokens=_BRIEF_TOKENS + lines * _LINE_TOKENS,
        output_tokens=_THOUGHT_TOKENS + lines * _PROMPT_TOKENS,
        today=today,
    )


def image_price(
    model: str,
    *,
    input_tokens: int = 0,
    image_tokens: int | None = None,
    output_tokens: int = 0,
    today: date | None = None,
) -> Decimal:
    """Returns the price of an image; None for its tokens: the list price of one.

    `output_tokens` are those of text and thoughts, without the image's own.
    """
    price = _find(ImagePrice, model, today)
    image = price.one if image_tokens is None else _tokens(price.image, image_tokens)
    return _rounded(
        image
        + _tokens(price.input, input_tokens)
        + _tokens(price.output, output_tokens)
    )


def clip_price(
    model: str, *, seconds: Decimal, height: int, today: date | None = None
) -> Decimal:
    """Returns the list price of a clip of a Gemini Omni or a Veo.

    `height` is the p of 720p: the shorter side of the frame, also of an upright one.
    """
    kind = OmniPrice if "omni" in model else VeoPrice if "veo" in model else ClipPrice
    price = _find(kind, model, today)
    return _rounded(price.per_second(height) * seconds)


def omni_usage_price(
    model: str,
    *,
    input_tokens: int,
    video_tokens: int,
    text_tokens: int,
    today: date | None = None,
) -> Decimal:
    """Returns the price of a Gemini Omni's clip by the usage that its answer names.

    `text_tokens` are those of text and thoughts, without the video's.
    """
    price = _find(OmniPrice, model, today)
    return _rounded(
        _tokens(price.input, input_tokens)
        + _tokens(price.video, video_tokens)
        + _tokens(price.text, text_tokens)
    )


def price_by_second(usd_per_second: Decimal, *, seconds: Decimal) -> Decimal:
    """Returns the price of a clip from a provider without a list price: Odyssey.

    Odyssey meters hours a month by plan, so only its customer knows what a second
    costs.
    """
    return _rounded(usd_per_second * seconds)


_Kind = TypeVar("_Kind", bound=Price)


def _find(kind: type[_Kind], model: str, today: date | None) -> _Kind:
    """Returns the model's price on that day, or the dearest of the kind."""
    day = today or datetime.now(UTC).date()
    current: dict[str, _Kind] = {}
    for price in PRICES:
        if isinstance(price, kind) and (price.until is None or day <= price.until):
            current.setdefault(price.model, price)
    dearest = max(current.values(), key=lambda price: price.rank)
    return current.get(model.rpartition("/")[2], dearest)


def _tokens(per_million: Decimal, tokens: int) -> Decimal:
    return per_million * tokens / _MILLION


def _rounded(amount: Decimal) -> Decimal:
    return amount.quantize(_STEP, ROUND_HALF_UP)
