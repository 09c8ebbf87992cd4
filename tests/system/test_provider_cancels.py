"""A cancel in every state that a call can be in, of every provider."""

from __future__ import annotations

import asyncio
from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from refrain.prices import storyboard_estimate
from refrain.v1 import job_pb2
from tests.emulators import State
from tests.eventually import eventually
from tests.system.buying import usd
from tests.system.provider_states import (
    CASES,
    ID_NEVER_COMES,
    SERVER,
    Case,
    answered,
    hangs,
)
from tests.system.shop import FIELDS
from tests.system.system import task_started

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.system.shop import Cancelled, Order, Shop

pytestmark = pytest.mark.asyncio(loop_scope="module")
LONG = pytest.mark.long
LIMITS = "gemini=1,6000 omni=1,6000 odyssey=1,6000 veo=1,6000"

CLOSED = 1.0
"""Seconds from the cancel, on a busy machine; on an idle one it is 50 ms."""
ID_AWAITED = 5.0
"""Seconds that the id of an operation is awaited after the cancel."""
CENT = Decimal("0.01")
LIST = {
    "storyboard": storyboard_estimate("gemini-3.8-flash", lines=2),
    "image": Decimal("0.0672"),
    "omni": 6 * Decimal("0.03"),
    "odyssey": 6 * Decimal("0.05"),
    "veo": 6 * Decimal("0.40"),
}
"""What one call costs by the list; a clip has 6 s and the least resolution."""
SEGMENT = {name: LIST.get(name, Decimal(0)) for name in FIELDS} | {
    "gemini": LIST["image"] + LIST["omni"]
}
"""What a segment costs by the list, by what the job is made with."""
RECEIPT = ("confirmed", "refused", "unsupported", "unknown")
DUTY = {"cancel", "look"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(shop: Shop) -> AsyncIterator[Shop]:
    """One for all tests, since each of them is done with its jobs in the end."""
    yield shop
    shop.report()
    assert list(shop.late()) == []


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=case.claim, marks=() if case.is_quick else LONG)
        for case in CASES
    ],
)
async def test_a_cancel_stops_a_job_at_once_and_then_its_provider(
    shop: Shop, case: Case
) -> None:
    await _cancel_and_check(shop, case)


@LONG
async def test_a_create_that_is_never_answered_is_let_go_of_after_5_s(
    shop: Shop, subtests: pytest.Subtests
) -> None:
    tries = await asyncio.gather(
        *(_cancel_and_check(shop, case) for case in ID_NEVER_COMES),
        return_exceptions=True,
    )
    for case, error in zip(ID_NEVER_COMES, tries, strict=True):
        with subtests.test(case.claim):
            if error is not None:
                raise error


@pytest.mark.parametrize(
    ("provider", "purpose"),
    [
        ("lrclib", "get"),
        ("gemini", "storyboard"),
        ("omni", "create"),
        ("odyssey", "create"),
        ("veo", "create"),
    ],
)
async def test_a_job_that_waits_for_its_turn_is_cancelled_without_a_call(
    shop: Shop, provider: str, purpose: str
) -> None:
    knobs = {SERVER[provider]: {purpose: {"hang": "headers"}}}
    async with shop.turned(knobs):
        first = await shop.order(provider)
        await eventually(lambda: hangs(purpose)(first.exchanges))
        waiting = await shop.order(provider)
        of_clip = purpose == "create"
        stage = job_pb2.Task.SEGMENT if of_clip else job_pb2.Task.PLAN
        await shop.system.until(waiting.job_id, task_started(stage))
        cancelled = await shop.cancel(waiting)
        assert cancelled.at - cancelled.asked_at < CLOSED
        await shop.cancel(first)
    await shop.settled(first)
    job = await shop.settled(waiting)
    assert waiting.exchanges == []
    assert usd(job.cost.avoided_usd) == (2 * SEGMENT[provider] if of_clip else 0)
    assert job.cost.spent_usd == job.cost.unknown_usd == 0


async def test_a_create_that_waits_for_a_token_is_not_sent_after_the_cancel(
    shop: Shop,
) -> None:
    log = shop.emulators.log
    # A token that is too short to be used for a second call.
    async with shop.turned({"odyssey": {"revoked_tokens": 1, "token_seconds": 1.0}}):
        first = await shop.order("odyssey")
        await eventually(lambda: answered("look")(first.exchanges))
        await shop.cancel(first)
        await shop.settled(first)
    asked = len(log.of("odyssey", "token"))
    async with shop.turned({"odyssey": {"token": {"hang": "headers"}}}):
        order = await shop.order("odyssey")
        await eventually(lambda: log.of("odyssey", "token")[asked:])
        await shop.cancel(order)
    job = await shop.settled(order)
    assert order.exchanges == []
    assert usd(job.cost.avoided_usd) == 2 * SEGMENT["odyssey"]
    assert job.cost.spent_usd == job.cost.unknown_usd == 0


async def _cancel_and_check(shop: Shop, case: Case) -> None:
    server = SERVER[case.provider]
    async with shop.turned({server: case.knobs}):
        order = await shop.order(case.provider)
        await eventually(lambda: case.reached(order.exchanges))
        if not case.caught:
            await eventually(lambda: shop.awaits_nothing(order))
        if case.aged:
            await shop.age(order)
        cancelled = await shop.cancel(order)
        await eventually(lambda: case.once(order.exchanges))
        if case.aged:
            await eventually(lambda: shop.has_tried(order))
        shop.turn({server: case.released})
        await _check_connections(shop, cancelled)
        await shop.settled(order)
    await eventually(lambda: not order.charges(State.RUNNING))
    # A start may have failed just now, of which no duty tells.
    await eventually(lambda: _check_books(shop, order, case), within=CLOSED)
    _check_requests(order, cancelled, case, await shop.calls(order))


async def _check_books(shop: Shop, order: Order, case: Case) -> bool:
    job = await shop.system.job(order.job_id)
    _check_receipt(job, case, await shop.kinds(order))
    _check_ledger(order, job, case)
    return True


async def _check_connections(shop: Shop, cancelled: Cancelled) -> None:
    """A create is left alone until its id is known; all others are closed by now."""
    assert cancelled.at - cancelled.asked_at < CLOSED
    for exchange in cancelled.caught:
        if exchange.purpose == "create":
            await eventually(lambda e=exchange: not e.open, within=ID_AWAITED + CLOSED)
            continue
        await eventually(lambda e=exchange: not e.open, within=CLOSED)
        assert exchange.disconnected_at is not None
        shop.closings.append(exchange.disconnected_at - cancelled.asked_at)


def _check_requests(
    order: Order, cancelled: Cancelled, case: Case, calls: list[dict[str, Any]]
) -> None:
    """What comes after the end of the job comes from the duty, turn by turn."""
    late = [e.purpose for e in order.exchanges if e.received_at > cancelled.at]
    turns = sum(call["cancel_attempts"] for call in calls)
    assert set(late) <= (DUTY if turns else set())
    assert late.count("look") <= turns
    assert late.count("cancel") <= turns


def _check_receipt(job: job_pb2.Job, case: Case, kinds: list[int]) -> None:
    cancels = job.cancellation.provider_cancels
    assert {name: getattr(cancels, name) for name in RECEIPT} == {
        name: int(name == case.end) for name in RECEIPT
    }
    pending = case.provider in {"omni", "odyssey"} and case.caught == case.provider
    fetched = pending and not case.end and "download" in case.knobs
    resolved = Counter(kinds)[job_pb2.JobEvent.PROVIDER_CANCEL]
    assert resolved == int(pending and not fetched)


def _check_ledger(order: Order, job: job_pb2.Job, case: Case) -> None:
    """What was never billed counts at the list price, since its usage is not told."""
    caught = LIST.get(case.caught, Decimal(0))
    charges = order.charges()
    orphans = [charges.pop()] if case.orphan else []
    by_state = Counter(charge.state for charge in charges)
    billed = sum((c.usd for c in charges if c.state is State.BILLED), Decimal(0))
    cost = job.cost
    assert usd(cost.spent_usd) == billed
    assert usd(cost.unknown_usd) == (caught if case.end == "unknown" else 0)
    assert usd(cost.avoided_probably_usd) == (caught if case.end == "confirmed" else 0)
    assert cost.in_flight_usd == cost.unstoppable_usd == 0
    assert by_state[State.CANCELLED] == int(case.end == "confirmed")
    assert by_state[State.DROPPED] == int(case.end == "unknown" and not case.orphan)
    for charge in (*charges, *orphans):
        if charge.state in {State.CANCELLED, State.DROPPED} or charge in orphans:
            assert charge.usd < caught + CENT
            assert case.caught == "storyboard" or charge.usd > caught - CENT
    planned = 2 * SEGMENT[case.provider] if job.segments_total else Decimal(0)
    assert usd(cost.avoided_usd) == planned - (caught if planned else 0)
