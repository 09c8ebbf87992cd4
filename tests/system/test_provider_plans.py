"""What is bought: storyboards, pictures and clips that are wrong, refused or dear."""

from __future__ import annotations

from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING, Any

import grpc
import pytest
import pytest_asyncio

from refrain.v1 import job_service_pb2 as v1
from refrain.v1.job_pb2 import Cancellation, Job, Task
from tests.emulators import State
from tests.eventually import eventually
from tests.system.buying import (
    completed,
    finished,
    order,
    purposes,
    reason,
    start_another_generator,
    usd,
)
from tests.system.shop import GOOGLE, LOCAL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.emulators import Exchange
    from tests.system.shop import Order, Shop
    from tests.system.system import System

pytestmark = pytest.mark.long

GENERATORS = 2
LIMIT = 2
"""Calls of Gemini at once; of Omni it is one."""
LIMITS = f"gemini={LIMIT},6000 omni=1,6000"
STORYBOARD_ONLY: dict[str, Any] = {
    **LOCAL,
    "clip_provider": "local",
    "storyboard_provider": "gemini",
}
OMNI_ONLY: dict[str, Any] = {**LOCAL, "clip_provider": "omni"}
STYLE = "oil on canvas, at dusk"
"""What the emulator's storyboards say."""
NO_KEYS = {
    "GEMINI_API_KEY": "",
    "ODYSSEY_API_KEY": "",
    "GOOGLE_CLOUD_API_KEY": "",
    "GOOGLE_CLOUD_PROJECT": "",
    "LRCLIB_URL": "",
}

shared = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(shop: Shop) -> Shop:
    """Has two generators, which share what the providers allow."""
    await start_another_generator(shop.system)
    return shop


@shared
@pytest.mark.parametrize(
    ("fault", "times", "asked"),
    [
        ("bad_storyboards", 0, 1),
        ("bad_storyboards", 1, 2),
        ("partial_storyboards", 1, 2),
        ("bad_storyboards", 2, 3),
    ],
)
async def test_a_storyboard_that_came_wrong_is_repaired_or_asked_for_again(
    shop: Shop, fault: str, times: int, asked: int
) -> None:
    async with shop.turned({"gemini": {fault: times}}):
        wanted = await order_of(shop, segments=3, **STORYBOARD_ONLY)
        job = await completed(shop.system, wanted.job_id)
    assert purposes(wanted) == {"storyboard": asked}
    assert usd(job.cost.spent_usd) == wanted.total(State.BILLED) > 0
    prompts = [each.prompt for each in await shop.system.segments(wanted.job_id)]
    assert len(prompts) == 3
    assert all(
        f"Segment {position}," in prompt and wanted.mark in prompt and STYLE in prompt
        for position, prompt in enumerate(prompts)
    )


@shared
async def test_a_storyboard_that_comes_wrong_three_times_fails_the_job(
    shop: Shop,
) -> None:
    async with shop.turned({"gemini": {"bad_storyboards": 3}}):
        wanted = await order_of(shop, segments=3)
        job = await finished(shop.system, wanted.job_id)
    assert job.status == Job.FAILED
    assert reason(job) == "STORYBOARD_UNUSABLE"
    assert "gemini wrote no storyboard that can be used: " in job.error.message
    assert purposes(wanted) == {"storyboard": 3}
    assert usd(job.cost.spent_usd) == wanted.total(State.BILLED) > 0


REFUSALS = [
    ({"refused_images": 1, "image_refusal": "PROHIBITED_CONTENT"}, "PROHIBITED"),
    ({"refused_images": 1, "image_refusal": "IMAGE_SAFETY"}, "Unable to show the"),
    ({"clip": {"refuse": 1}}, "I can't help with generating that video."),
]


@shared
@pytest.mark.parametrize(("refusal", "words"), REFUSALS)
async def test_what_a_provider_will_not_make_fails_the_job_with_its_words(
    shop: Shop, refusal: dict[str, Any], words: str
) -> None:
    async with shop.turned({"gemini": refusal}):
        wanted = await order_of(shop)
        job = await finished(shop.system, wanted.job_id)
    assert job.status == Job.FAILED
    assert reason(job) == "CONTENT_REFUSED"
    assert words in job.error.message
    assert usd(job.cost.spent_usd) == wanted.total(State.BILLED)
    assert job.cost.unknown_usd == 0
    tasks = await shop.system.tasks(wanted.job_id)
    assert [task.attempt for task in tasks if task.kind == Task.SEGMENT] == [1]


@shared
@pytest.mark.parametrize(("refusal", "words"), REFUSALS)
async def test_a_segment_that_is_refused_is_made_here_if_the_job_says_so(
    shop: Shop, refusal: dict[str, Any], words: str
) -> None:
    stand_in = v1.CreateJobRequest.STAND_IN
    async with shop.turned({"gemini": refusal}):
        wanted = await order_of(shop, segments=2, on_refusal=stand_in)
        job = await completed(shop.system, wanted.job_id)
    assert not job.HasField("error"), words
    assert purposes(wanted) == {"storyboard": 1, "image": 2, "clip": 2}
    assert usd(job.cost.spent_usd) == wanted.total(State.BILLED)
    made_here = await shop.system.query(
        "SELECT purpose FROM provider_calls "
        "WHERE job_id::text = %s AND provider = 'local'",
        wanted.job_id,
    )
    assert len(made_here) == 1


@shared
async def test_the_call_that_would_pass_the_budget_is_not_sent_and_ends_the_job(
    shop: Shop,
) -> None:
    budget = 0.40
    wanted = await order_of(shop, segments=3, max_cost_usd=budget)
    job = await finished(shop.system, wanted.job_id)
    assert job.status == Job.CANCELLED
    assert job.cancellation.cause == Cancellation.BUDGET
    assert job.message == "Job cancelled: budget reached"
    await eventually(lambda: not wanted.charges(State.RUNNING))
    billed = wanted.total(State.BILLED) + wanted.total(State.DROPPED)
    assert 0 < billed <= Decimal(str(budget))
    assert purposes(wanted).get("clip", 0) < 3


@shared
async def test_after_a_429_no_generator_calls_the_provider_for_as_long_as_it_says(
    shop: Shop,
) -> None:
    throttle = {"throttle": 1, "retry_after": 1.5, "hang": "headers"}
    async with shop.turned({"gemini": {"create": throttle}}):
        orders = await orders_in_all_generators(shop, Task.SEGMENT, **OMNI_ONLY)
        shop.turn({"gemini": {"create": {"hang": ""}}})
        for each in orders:
            await completed(shop.system, each.job_id)
    first, *others = seen(orders, "create")
    assert first.status == 429
    assert first.answered_at
    assert len(others) == len(orders)
    assert others[0].received_at > first.answered_at + 1.5
    for each in orders:
        tasks = await shop.system.tasks(each.job_id)
        assert {(task.attempt, task.failures) for task in tasks} == {(1, 0)}


@shared
async def test_all_generators_together_send_no_more_calls_than_are_allowed(
    shop: Shop,
) -> None:
    slow = {"image": {"delay": 0.15}, "storyboard": {"hang": "headers"}}
    async with shop.turned({"gemini": slow}):
        orders = await orders_in_all_generators(shop, Task.PLAN, segments=2)
        await eventually(lambda: len(seen(orders, "storyboard")) == LIMIT)
        shop.turn({"gemini": {"storyboard": {"hang": ""}}})
        for each in orders:
            await completed(shop.system, each.job_id)
    images = seen(orders, "image")
    assert len(images) == 2 * len(orders)
    assert most_at_once(images, seconds=0.15) == LIMIT
    clips = [each.operation_id for each in seen(orders, "create", "look")]
    one_by_one = [name for name, _ in groupby(clips)]
    assert len(one_by_one) == len(set(one_by_one)) == 2 * len(orders)


@shared
async def test_a_deployment_says_what_it_offers(shop: Shop) -> None:
    offered = await shop.system.api.GetServerInfo(v1.GetServerInfoRequest())
    assert offered.storyboard_providers == ["gemini", "local"]
    assert offered.image_providers == ["gemini", "local"]
    assert sorted(offered.clip_providers) == ["local", "odyssey", "omni", "veo"]
    assert offered.lyrics_lookup


async def test_a_provider_without_a_key_is_refused_by_the_name_of_its_field(
    system: System,
) -> None:
    system.variables["gateway"] = NO_KEYS
    await system.start("gateway")
    offered = await system.api.GetServerInfo(v1.GetServerInfoRequest())
    assert offered.clip_providers == offered.image_providers == ["local"]
    assert not offered.lyrics_lookup
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await system.create(lyrics="", clip_provider="veo", **GOOGLE)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    for field in ("storyboard_provider", "image_provider", "clip_provider", "lyrics"):
        assert field in str(caught.value.details())


async def order_of(shop: Shop, segments: int = 1, **fields: Any) -> Order:
    return await order(shop.system, shop.emulators, segments, **fields)


async def orders_in_all_generators(
    shop: Shop, kind: Task.Kind.ValueType, segments: int = 1, **fields: Any
) -> list[Order]:
    """Orders until each generator runs a task of this kind, which nobody ends."""
    orders: list[Order] = []
    workers: set[str] = set()
    while len(workers) < GENERATORS:
        orders.append(await order_of(shop, segments, **fields))
        last = orders[-1].job_id
        workers.add(await eventually(lambda last=last: worker_of(shop, last, kind)))
    return orders


async def worker_of(shop: Shop, job_id: str, kind: Task.Kind.ValueType) -> str:
    tasks = await shop.system.tasks(job_id)
    running = [
        each for each in tasks if (each.kind, each.status) == (kind, Task.RUNNING)
    ]
    return running[0].worker_id if running else ""


def seen(orders: Sequence[Order], *purposes: str) -> list[Exchange]:
    """Returns what the providers were asked for, in the order in which it came."""
    exchanges = (each for wanted in orders for each in wanted.exchanges)
    chosen = [each for each in exchanges if each.purpose in purposes]
    return sorted(chosen, key=lambda each: each.received_at)


def most_at_once(exchanges: Sequence[Exchange], seconds: float) -> int:
    """Counts those that came while others were waited for at least so long."""
    times = [each.received_at for each in exchanges]
    return max(
        sum(earlier <= time < earlier + seconds for earlier in times) for time in times
    )
