"""A figure, its floor of the same run, and the goal for their ratio."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import quantiles
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """What was measured, in `unit`, beside its floor, in the same unit."""

    name: str
    value: float
    unit: str
    floor: float
    at_least: float = 0.0
    """The lowest ratio that is good."""
    at_most: float | None = None
    """The highest ratio that is good; None if none is too high."""

    @property
    def ratio(self) -> float:
        """How many times its floor the value is."""
        return self.value / self.floor

    @property
    def goal(self) -> str:
        """What is asked of the ratio, in words; empty if nothing is."""
        least = f">= {self.at_least:.2g}" if self.at_least else ""
        most = "" if self.at_most is None else f"<= {self.at_most:g}"
        return " ".join(filter(None, (least, most)))

    @property
    def good(self) -> bool:
        """True if the ratio is what is asked of it."""
        highest = self.ratio if self.at_most is None else self.at_most
        return self.at_least <= self.ratio <= highest

    def as_json(self) -> dict[str, str | float]:
        """Returns it as one entry of bench.json."""
        return {
            "name": self.name,
            "value": round(self.value, 4),
            "unit": self.unit,
            "floor": round(self.floor, 4),
            "ratio": round(self.ratio, 4),
        }


def percentile(samples: Sequence[float], percent: int) -> float:
    """Returns the sample that `percent` of 100 lie below."""
    return quantiles(samples, n=100, method="inclusive")[percent - 1]


def table(figures: Sequence[Figure]) -> str:
    """Returns the figures as lines of text, one each."""
    rows = [("figure", "value", "unit", "floor", "ratio", "goal", "")]
    rows += [
        (
            figure.name,
            f"{figure.value:,.2f}",
            figure.unit,
            f"{figure.floor:,.2f}",
            f"{figure.ratio:.2f}",
            figure.goal,
            ("ok" if figure.good else "MISS") if figure.goal else "",
        )
        for figure in figures
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        f"{name:<{widths[0]}}  {value:>{widths[1]}} {unit:<{widths[2]}}  "
        f"{floor:>{widths[3]}}  {ratio:>{widths[4]}}  {goal:<{widths[5]}}  {verdict}"
        for name, value, unit, floor, ratio, goal, verdict in rows
    )
