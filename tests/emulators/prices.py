"""The list prices that the emulators bill by, in US dollars, apart from the product's.

Google's page of 2026-10-07 and LiteLLM's price map. Each call is rounded once, half up,
to four decimals.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal

MILLION = 1_000_000

TEXT = {
    "gemini-3.8-flash": ("0.75", "3.75"),
    "gemini-3.5-flash": ("1.50", "9.00"),
    "gemini-3.5-flash-lite": ("0.30", "2.50"),
}
"""Of a million tokens in, and out."""
TEXT_FROM_2027 = {**TEXT, "gemini-3.8-flash": ("1.50", "7.50")}

IMAGE = {
    "gemini-3.1-flash-image": ("0.50", "3.00", "60"),
    "gemini-3.1-flash-lite-image": ("0.50", "3.00", "30"),
    "gemini-nano-banana-2.1": ("0.50", "3.00", "30"),
    "gemini-3-pro-image": ("2.00", "12.00", "120"),
    "gemini-2.5-flash-image": ("0.30", "2.50", "30"),
}
"""Of a million tokens in, of text out, and of image out."""

OMNI = {"gemini-omni-1.1-flash": "17.50", "gemini-omni-1.2-flash": "12.25"}
"""Of a million tokens of video."""
OMNI_INPUT, OMNI_TEXT = "1.50", "9.00"
OMNI_TOKENS = {"360p": 1738, "720p": 5792, "1080p": 8688, "4k": 17376}
"""Of a second of video."""

VEO = {
    "veo-3.1-generate-001": {"720p": "0.40", "1080p": "0.40", "4k": "0.60"},
    "veo-3.1-fast-generate-001": {"720p": "0.10", "1080p": "0.12", "4k": "0.30"},
    "veo-3.1-lite-generate-001": {"720p": "0.05", "1080p": "0.08"},
}
"""Of a second."""


def text(model: str, tokens_in: int, tokens_out: int) -> Decimal:
    """Returns the price of an answer; thoughts are tokens out."""
    day = datetime.now(UTC).date()
    prices = TEXT if day < date(2027, 1, 1) else TEXT_FROM_2027
    return tokens((prices[model][0], tokens_in), (prices[model][1], tokens_out))


def tokens(*amounts: tuple[str, int]) -> Decimal:
    """Adds up prices of a million tokens, each times its tokens."""
    return rounded(
        sum((Decimal(price) * count for price, count in amounts), Decimal(0)) / MILLION
    )


def rounded(usd: Decimal) -> Decimal:
    """Returns it with four decimals."""
    return usd.quantize(Decimal("0.0001"), ROUND_HALF_UP)
