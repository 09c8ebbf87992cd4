"""Whatever happens to a generator: nothing is paid twice, and nothing left running."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from refrain.v1 import job_pb2
from refrain.v1 import job_service_pb2 as v1
from refrain.v1.job_pb2 import Job
from tests.emulators import ALWAYS, State
from tests.eventually import eventually
from tests.system.buying import (
    completed,
    finished,
    generator_restarted,
    order,
    purposes,
    receipt,
    start_another_generator,
    usd,
)
from tests.system.system import SHORT_LEASE

if TYPE_CHECKING:
    from tests.emulators import Emulators
    from tests.system.shop import Order, Shop
    from tests.system.system import System

pytestmark = pytest.mark.long
LIMITS = "gemini=1,6000"

ONCE = {"storyboard": 1, "image": 1, "clip": 1}
"""What is paid for a job of one segment."""
HELD = {"clip": {"hold": "processing"}}
GOES_ON = {"clip": {"hold": ""}}


shared = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("others", ["started afterwards", "that ran already"])
async def test_after_a_kill_a_cancel_still_reaches_the_providers_by_a_generator(
    bought: System, emulators: Emulators, others: str
) -> None:
    bought.seconds = SHORT_LEASE
    await bought.start("gateway", "generator")
    emulators.gemini.knobs.turn(HELD)
    emulators.odyssey.knobs.turn({"clip": {"hold": "pending"}})
    known = await order(bought, emulators)
    await looked(known)
    emulators.gemini.knobs.create.hang = "headers"
    emulators.odyssey.knobs.create.hang = "headers"
    listed = await order(bought, emulators, clip_provider="odyssey")
    lost = await order(bought, emulators)
    await eventually(lambda: hangs(listed) and hangs(lost))
    if others == "that ran already":
        await start_another_generator(bought)
        bought.kill("older")
    else:
        bought.kill("generator")
    for each in (known, listed, lost):
        assert (await bought.cancel(each.job_id)).status == Job.CANCELLING
    if others == "started afterwards":
        await bought.start("generator")
    assert await receipt(bought, known.job_id) == {"confirmed": 1}
    await let_the_wait_for_ids_pass(bought)
    assert await receipt(bought, listed.job_id) == {"confirmed": 1}
    assert await receipt(bought, lost.job_id) == {"unknown": 1}
    assert [each.state for each in clips_of(known)] == [State.CANCELLED]
    assert [each.state for each in clips_of(listed)] == [State.CANCELLED]
    assert [each.state for each in clips_of(lost)] == [State.RUNNING]
    assert emulators.log.of("odyssey", "list")


async def test_after_a_kill_the_next_generator_takes_up_what_it_knows_of(
    bought: System, emulators: Emulators
) -> None:
    bought.seconds = SHORT_LEASE
    await bought.start()
    emulators.gemini.knobs.turn(HELD)
    emulators.odyssey.knobs.turn({"clip": {"hold": "pending"}})
    known = await order(bought, emulators)
    await looked(known)
    emulators.odyssey.knobs.create.hang = "headers"
    lost = await order(bought, emulators, clip_provider="odyssey")
    await eventually(lambda: hangs(lost))
    bought.kill("generator")
    emulators.odyssey.knobs.create.hang = ""
    await let_calls_age(bought)
    await bought.start("generator")
    await eventually(lambda: len(clips_of(lost)) == 2)
    await let_the_wait_for_ids_pass(bought)
    await eventually(lambda: clips_of(lost)[0].state is State.CANCELLED)
    emulators.gemini.knobs.turn(GOES_ON)
    emulators.odyssey.knobs.turn(GOES_ON)
    job = await completed(bought, known.job_id)
    assert purposes(known) == ONCE
    assert usd(job.cost.spent_usd) == known.total(State.BILLED)
    job = await completed(bought, lost.job_id)
    assert [each.state for each in clips_of(lost)] == [State.CANCELLED, State.BILLED]
    assert usd(job.cost.spent_usd) == lost.total(State.BILLED)
    assert usd(job.cost.avoided_probably_usd) == lost.total(State.CANCELLED)


@shared
async def test_a_rolling_restart_pays_for_nothing_twice(shop: Shop) -> None:
    held = {"gemini": HELD, "odyssey": HELD, "vertex": HELD}
    async with shop.turned({**held, "odyssey": {**HELD, "create": {"hang": ""}}}):
        orders = [
            await order(shop.system, shop.emulators, clip_provider=name)
            for name in ("omni", "veo", "odyssey")
        ]
        for each in orders:
            await looked(each)
        shop.turn({"odyssey": {"create": {"hang": "headers"}}})
        awaited = await order(shop.system, shop.emulators, clip_provider="odyssey")
        await eventually(lambda: hangs(awaited))
        orders.append(awaited)
        async with generator_restarted(shop.system):
            for each in orders:
                await eventually(lambda each=each: handed_back(shop, each))
            shop.turn({"odyssey": {"create": {"hang": ""}}})
        shop.turn(dict.fromkeys(held, GOES_ON))
        for each in orders:
            await pays_once(shop, each)


@shared
async def test_a_job_that_is_resumed_goes_on_with_what_was_started(shop: Shop) -> None:
    async with shop.turned({"gemini": HELD}):
        wanted = await paused_while_its_clip_is_made(shop)
        await shop.system.api.ResumeJob(v1.ResumeJobRequest(job_id=wanted.job_id))
        shop.turn({"gemini": GOES_ON})
        await pays_once(shop, wanted)
    assert not asked_to_stop(wanted)


@shared
async def test_a_cancel_of_a_paused_job_reaches_its_provider(shop: Shop) -> None:
    async with shop.turned({"gemini": HELD}):
        wanted = await paused_while_its_clip_is_made(shop)
        assert not asked_to_stop(wanted)
        job = await shop.system.cancel(wanted.job_id)
        assert job.status == Job.CANCELLED
        assert await receipt(shop.system, wanted.job_id) == {"confirmed": 1}
    assert [each.state for each in clips_of(wanted)] == [State.CANCELLED]


@shared
async def test_a_provider_that_is_down_is_asked_again_and_by_the_next_generator(
    shop: Shop,
) -> None:
    down = {"gemini": {**HELD, "cancel": {"unavailable": ALWAYS}}}
    async with shop.turned(down):
        wanted = await order(shop.system, shop.emulators)
        await looked(wanted)
        await shop.system.cancel(wanted.job_id)
        await eventually(lambda: len(asked_to_stop(wanted)) >= 3)
        await eventually(lambda: no_turn_is_under_way(shop, wanted))
        shop.system.kill("generator")
        times = [each.received_at for each in asked_to_stop(wanted)]
        shop.turn({"gemini": {"cancel": {"unavailable": 0}}})
        await shop.system.start("generator")
        assert await receipt(shop.system, wanted.job_id) == {"confirmed": 1}
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert all(pause > 0.25 * 2**n for n, pause in enumerate(pauses))
    assert asked_to_stop(wanted)[-1].status == 200


@shared
async def test_what_a_provider_refuses_to_stop_is_billed(shop: Shop) -> None:
    async with shop.turned({"odyssey": HELD}):
        wanted = await order(shop.system, shop.emulators, clip_provider="odyssey")
        await looked(wanted)
        await shop.system.cancel(wanted.job_id)
        asked = await eventually(lambda: asked_to_stop(wanted))
        await eventually(lambda: asked[0].status == 400)
        job = await finished(shop.system, wanted.job_id)
        assert job.cancellation.provider_cancels.pending == 1
        shop.turn({"odyssey": GOES_ON})
        assert await receipt(shop.system, wanted.job_id) == {"refused": 1}
    job = await shop.system.job(wanted.job_id)
    assert purposes(wanted) == ONCE
    assert usd(job.cost.spent_usd) == wanted.total(State.BILLED)
    assert job.cost.unknown_usd == job.cost.avoided_probably_usd == 0


@shared
@pytest.mark.parametrize(
    ("clip_provider", "server", "fault", "failures"),
    [
        ("odyssey", "odyssey", {"expired_downloads": 1}, 0),
        ("odyssey", "odyssey", {"expired_downloads": 3}, 1),
        ("odyssey", "odyssey", {"revoked_tokens": 1}, 0),
        ("omni", "gemini", {"download": {"broken": 1}}, 1),
        ("omni", "gemini", {"look": {"broken": 2}}, 0),
        ("omni", "gemini", {"look": {"throttle": 11, "retry_after": 0.01}}, 1),
        ("omni", "gemini", {"create": {"broken": 1}}, 1),
        ("omni", "gemini", {"image": {"broken": 1}}, 1),
        ("veo", "vertex", {"look": {"broken": 2}}, 0),
    ],
)
async def test_what_a_provider_fails_at_is_done_again_and_what_it_made_is_kept(
    shop: Shop, clip_provider: str, server: str, fault: dict[str, Any], failures: int
) -> None:
    async with shop.turned({server: fault}):
        wanted = await order(shop.system, shop.emulators, clip_provider=clip_provider)
        await pays_once(shop, wanted)
    tasks = await shop.system.tasks(wanted.job_id)
    assert sum(task.failures for task in tasks) == failures


@shared
async def test_a_retried_job_pays_only_for_the_segments_that_are_missing(
    shop: Shop,
) -> None:
    async with shop.turned({"gemini": {**HELD, "image": {"hang": ""}}}):
        wanted = await order(shop.system, shop.emulators, segments=2, max_in_flight=1)
        await looked(wanted)
        shop.turn({"gemini": {**GOES_ON, "image": {"hang": "headers"}}})
        await eventually(lambda: hangs(wanted))
        await shop.system.cancel(wanted.job_id)
        assert await receipt(shop.system, wanted.job_id) == {"unknown": 1}
    assert purposes(wanted) == {"storyboard": 1, "image": 2, "clip": 1}
    billed = wanted.total(State.BILLED)
    retry = await shop.system.api.RetryJob(v1.RetryJobRequest(job_id=wanted.job_id))
    job = await completed(shop.system, retry.job_id)
    assert purposes(wanted) == {"storyboard": 1, "image": 3, "clip": 2}
    assert usd(job.cost.spent_usd) == wanted.total(State.BILLED) - billed


@shared
async def test_the_fourth_failure_fails_the_job_and_stops_what_else_it_started(
    shop: Shop,
) -> None:
    knobs = {**HELD, "image": {"delay": 0.2, "broken": 0, "hang": ""}}
    async with shop.turned({"gemini": knobs}):
        wanted = await order(shop.system, shop.emulators, segments=2)
        # Of one image at a time, the first one comes and no other.
        await eventually(lambda: "image" in purposes(wanted))
        shop.turn({"gemini": {"image": {"broken": ALWAYS}}})
        await eventually(lambda: of(wanted, "image")[0].answered_at)
        shop.turn({"gemini": {"image": {"hang": "headers"}}})
        await looked(wanted)
        shop.turn({"gemini": {"image": {"hang": "", "delay": 0}}})
        job = await finished(shop.system, wanted.job_id)
        await eventually(
            lambda: [each.state for each in clips_of(wanted)] == [State.CANCELLED]
        )
        cancel = await eventually(lambda: last_cancel(shop, wanted))
    assert job.status == Job.FAILED
    assert "An internal error has occurred." in job.error.message
    assert [each.status for each in of(wanted, "image")] == [200, 500, 500, 500, 500]
    assert cancel
    assert cancel.detail == "omni: confirmed"
    assert usd(cancel.job.cost.spent_usd) == wanted.total(State.BILLED)


def of(wanted: Order, purpose: str) -> list[Any]:
    return [each for each in wanted.exchanges if each.purpose == purpose]


def hangs(wanted: Order) -> bool:
    return any(each.hanging for each in wanted.exchanges)


def asked_to_stop(wanted: Order) -> list[Any]:
    return of(wanted, "cancel")


def clips_of(wanted: Order) -> list[Any]:
    return [charge for charge in wanted.charges() if charge.purpose == "clip"]


async def looked(wanted: Order) -> None:
    """Returns once the id of the order's operation is in the record."""
    await eventually(lambda: of(wanted, "look"))


async def let_calls_age(system: System) -> None:
    """Makes calls that were not answered look as if they had been sent long ago."""
    await system.query(
        "UPDATE provider_calls SET created_at = created_at - interval '1 minute' "
        "WHERE status = 'sent' AND operation_id IS NULL RETURNING call_id"
    )


async def let_the_wait_for_ids_pass(system: System) -> None:
    """Makes the calls of dead generators look as if they had been lost long ago."""
    await eventually(
        lambda: system.query(
            """
            UPDATE provider_calls
            SET ended_at = ended_at - interval '1 minute',
                cancel_due_at = clock_timestamp()
            WHERE cancel_state = 'pending'
                AND operation_id IS NULL
                AND (SELECT count(*) FROM jobs WHERE status = 'cancelling') = 0
            RETURNING call_id
            """
        )
    )


async def handed_back(shop: Shop, wanted: Order) -> bool:
    job = await shop.system.job(wanted.job_id)
    return job.status == Job.PROCESSING and job.tasks_running == 0


async def paused_while_its_clip_is_made(shop: Shop) -> Order:
    wanted = await order(shop.system, shop.emulators)
    await looked(wanted)
    await shop.system.api.PauseJob(
        v1.PauseJobRequest(job_id=wanted.job_id, mode=v1.PauseJobRequest.ABORT)
    )
    await shop.system.until(wanted.job_id, lambda event: event.job.status == Job.PAUSED)
    return wanted


async def last_cancel(shop: Shop, wanted: Order) -> job_pb2.JobEvent | None:
    """Returns the event of what came of a duty, which a watch no longer tells."""
    request = v1.ListJobEventsRequest(job_id=wanted.job_id)
    event = (await shop.system.api.ListJobEvents(request)).events[-1]
    return event if event.kind == job_pb2.JobEvent.PROVIDER_CANCEL else None


async def no_turn_is_under_way(shop: Shop, wanted: Order) -> bool:
    """A turn that dies with its process is taken up by others, but only after 20 s."""
    calls = await shop.system.query(
        "SELECT FROM provider_calls WHERE operation_id = %s "
        "AND cancel_due_at BETWEEN clock_timestamp() AND clock_timestamp() + '9 s'",
        of(wanted, "look")[0].operation_id,
    )
    return bool(calls)


async def pays_once(shop: Shop, wanted: Order) -> None:
    """The job completes, and what it cost is what its provider bills."""
    job = await completed(shop.system, wanted.job_id)
    assert purposes(wanted) == ONCE
    assert usd(job.cost.spent_usd) == wanted.total(State.BILLED)
    assert job.cost.unknown_usd == job.cost.in_flight_usd == 0
