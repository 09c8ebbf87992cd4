"""Odyssey's token: one for all calls, renewed in time, shared by who waits for it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from services.generator.providers.provider import (
    OperationStatus,
)
from tests.generator.providers.odyssey_calls import (
    adapter,
    error_of,
    sent,
)

if TYPE_CHECKING:
    import httpx

    from services.generator.providers.odyssey import OdysseyClips
    from services.generator.providers.provider import ClipRequest
    from tests.emulators import Emulators


async def test_one_token_serves_all_calls(
    odyssey: OdysseyClips, emulators: Emulators
) -> None:
    await asyncio.gather(*(odyssey.look("j") for _ in range(20)))
    assert len(sent(emulators, "token")) == 1
    assert len({look.headers["authorization"] for look in sent(emulators, "look")}) == 1


async def test_a_token_is_renewed_a_minute_before_it_ends(
    odyssey: OdysseyClips, emulators: Emulators
) -> None:
    emulators.odyssey.knobs.token_seconds = 60
    await odyssey.look("j")
    emulators.odyssey.knobs.token_seconds = 600
    await odyssey.look("j")
    await odyssey.look("j")
    assert len(sent(emulators, "token")) == 2


async def test_a_revoked_token_is_renewed_once_and_the_call_repeated(
    odyssey: OdysseyClips, emulators: Emulators
) -> None:
    emulators.odyssey.knobs.revoked_tokens = 1
    assert (await odyssey.look("j")).status is OperationStatus.GONE
    assert len(sent(emulators, "token")) == 2
    assert [look.status for look in sent(emulators, "look")] == [401, 404]


async def test_a_job_that_is_sent_again_is_sent_whole(
    odyssey: OdysseyClips, emulators: Emulators, wanted: ClipRequest
) -> None:
    emulators.odyssey.knobs.revoked_tokens = 1
    await odyssey.start(wanted)
    first, second = sent(emulators, "create")
    assert (first.status, second.status) == (401, 201)
    assert first.json == second.json


async def test_a_call_that_is_refused_with_a_new_token_too_is_an_error(
    odyssey: OdysseyClips, emulators: Emulators
) -> None:
    emulators.odyssey.knobs.revoked_tokens = 2
    error = await error_of(odyssey.look("j"))
    assert not error.retryable
    assert len(sent(emulators, "look")) == 2


async def test_a_waiter_that_is_cancelled_does_not_break_the_token_for_others(
    odyssey: OdysseyClips, emulators: Emulators
) -> None:
    emulators.odyssey.knobs.token.hang = "headers"
    first = asyncio.create_task(odyssey.look("j"))
    (asked,) = await emulators.until(lambda: sent(emulators, "token"))
    second = asyncio.create_task(odyssey.look("j"))
    third = asyncio.create_task(odyssey.look("j"))
    await asyncio.sleep(0)
    second.cancel()
    first.cancel()
    await emulators.until(lambda: asked.disconnected_at)
    await emulators.until(lambda: len(sent(emulators, "token")) == 2)
    emulators.odyssey.knobs.token.hang = ""
    assert (await third).status is OperationStatus.GONE
    assert first.cancelled()
    assert second.cancelled()
    assert len(sent(emulators, "token")) == 2


async def test_a_wrong_key_says_what_to_set_and_is_not_shown(
    emulators: Emulators, http: httpx.AsyncClient
) -> None:
    clips = adapter(http, emulators.odyssey.url, "ody_wrong")
    error = await error_of(clips.look("j"))
    assert not error.retryable
    assert "ODYSSEY_API_KEY" in str(error)
    assert "ody_wrong" not in str(error)
