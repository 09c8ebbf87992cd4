"""The ledger once more, in plain Python: what a job's calls say that it has cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from refrain.job import Kind
from refrain.provider_call import FREE, CallStatus, CancelState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from decimal import Decimal

    from refrain.job import Job
    from refrain.provider_call import ProviderCall

NAMES = (
    "spent_usd",
    "avoided_usd",
    "avoided_probably_usd",
    "unknown_usd",
    "in_flight_usd",
    "unstoppable_usd",
    "calls_to_stop",
    "cancels_confirmed",
    "cancels_refused",
    "cancels_pending",
    "cancels_unsupported",
    "cancels_unknown",
)


def costs(job: Job) -> dict[str, Decimal | int]:
    """Returns what the job's row says, without what is zero."""
    return _without_zeros({name: getattr(job, name) for name in NAMES})


def counted(calls: Sequence[ProviderCall]) -> dict[str, Decimal | int]:
    """Returns what it should say but `avoided_usd`, without what is zero."""
    sums: dict[str, Decimal | int] = dict.fromkeys(NAMES, FREE)
    for call in calls:
        for name, amount in _amounts(call):
            sums[name] += amount
    return _without_zeros(sums)


def avoided(job: Job, calls: Iterable[ProviderCall]) -> Decimal:
    """Returns what its segments would have cost of which nothing was sent."""
    parts: dict[object, list[ProviderCall]] = {}
    for call in calls:
        if call.kind is Kind.SEGMENT:
            parts.setdefault((call.position, call.purpose), []).append(call)
    sent = (
        max(call.estimate_usd for call in part)
        for part in parts.values()
        if any(call.status is not CallStatus.FAILED for call in part)
    )
    return max(FREE, job.segments_usd - sum(sent, FREE))


def _amounts(call: ProviderCall) -> Iterable[tuple[str, Decimal | int]]:
    match call.status, call.cancel_state:
        case CallStatus.SENT, _:
            yield "in_flight_usd", call.estimate_usd
            if call.on_stop is not CancelState.NOT_NEEDED:
                yield "calls_to_stop", 1
            if call.on_stop in {CancelState.UNKNOWN, CancelState.UNSUPPORTED}:
                yield "unstoppable_usd", call.estimate_usd
        case CallStatus.ANSWERED | CallStatus.FAILED, _:
            assert call.price_usd is not None
            yield "spent_usd", call.price_usd
        case _, CancelState.NOT_NEEDED:
            yield "spent_usd", call.price_usd or FREE
        case _, CancelState.REFUSED | CancelState.UNSUPPORTED as state:
            price = call.price_usd
            yield "spent_usd", call.estimate_usd if price is None else price
            yield f"cancels_{state}", 1
        case _, CancelState.CONFIRMED:
            price = call.price_usd or FREE
            yield "spent_usd", price
            yield "avoided_probably_usd", max(FREE, call.estimate_usd - price)
            yield "cancels_confirmed", 1
        case _, CancelState.UNKNOWN | CancelState.PENDING as state:
            yield "unknown_usd", call.estimate_usd
            yield "spent_usd", call.price_usd or FREE
            yield f"cancels_{state}", 1


def _without_zeros(
    sums: Mapping[str, Decimal | int],
) -> dict[str, Decimal | int]:
    return {name: amount for name, amount in sums.items() if amount}
