"""What the tests work out by themselves: prices by tokens, and what is in a clip."""

from __future__ import annotations

import io
from decimal import ROUND_HALF_UP, Decimal

import av

MILLION = 1_000_000


def price_of(*amounts: tuple[str, int | None]) -> Decimal:
    """Adds up prices of a million tokens, each times the tokens."""
    usd = sum(
        (Decimal(price) * (tokens or 0) / MILLION for price, tokens in amounts),
        Decimal(0),
    )
    return usd.quantize(Decimal("0.0001"), ROUND_HALF_UP)


def seen(clip: bytes) -> tuple[tuple[int, int], int, float, int]:
    """Decodes a clip: its size, frames, frames a second, and streams of audio."""
    with av.open(io.BytesIO(clip), "r") as file:
        frames = [(each.width, each.height) for each in file.decode(video=0)]
        [size] = set(frames)
        rate = float(file.streams.video[0].average_rate or 0)
        return size, len(frames), rate, len(file.streams.audio)
