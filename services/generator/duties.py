"""Duties: what was started at a provider for a job that has stopped is stopped there.

The duty is a row, so it outlives this process, and any generator may do it. One turn
asks the provider to stop, if it has not answered that yet, and looks where the
operation stands; the duty ends when that is an end, or after an hour.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from datetime import timedelta
from typing import TYPE_CHECKING

from refrain.errors import Unavailable
from refrain.provider_call import FREE, CancelState
from services.generator.calls import ID_AWAITED
from services.generator.providers.provider import (
    CancelAnswer,
    Operation,
    OperationStatus,
    ProviderError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from refrain.bus import Bus
    from refrain.provider_call import ProviderCall
    from refrain.store import CallStore
    from services.generator.providers.provider import ClipProvider

log = logging.getLogger(__name__)

POLL = 1.0
"""Seconds between two looks for duties that this process has not heard of."""
TURN = timedelta(seconds=20)
"""A turn that has not ended by then is another process's to take."""
AT_ONCE = 32
"""Turns of one process at the same time."""
FIRST_PAUSE = 0.25
LONGEST_PAUSE = 60.0
"""Seconds between two turns of one duty; they double."""
AWAITED = timedelta(seconds=ID_AWAITED + 1)
"""After it no process of ours awaits the id of an operation any more."""
CLOCKS = timedelta(seconds=5)
"""How far the provider's clock may be behind ours."""


class Duties:
    """Does what is due, until it is cancelled."""

    def __init__(
        self, store: CallStore, bus: Bus, clips: Mapping[str, ClipProvider]
    ) -> None:
        self._store = store
        self._bus = bus
        self._clips = clips
        self._wake = asyncio.Event()
        self._turns: set[asyncio.Task[None]] = set()

    def look(self) -> None:
        """Looks for duties now."""
        self._wake.set()

    async def run(self) -> None:
        """Takes turns until cancelled; what is under way then is taken up by others."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._wake.clear()
                try:
                    await self._claim(group)
                except Unavailable as err:
                    log.warning("no duties: %s", err)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(POLL):
                        await self._wake.wait()

    async def _claim(self, group: asyncio.TaskGroup) -> None:
        free = AT_ONCE - len(self._turns)
        if free < 1:
            return
        for call in await self._store.claim_cancels(self._clips, TURN, free):
            turn = group.create_task(self._take_turn(call))
            self._turns.add(turn)
            turn.add_done_callback(self._end_turn)

    def _end_turn(self, turn: asyncio.Task[None]) -> None:
        self._turns.discard(turn)
        if len(self._turns) == AT_ONCE - 1:
            self._wake.set()

    async def _take_turn(self, call: ProviderCall) -> None:
        try:
            await self._try_turn(call)
        except Unavailable as err:
            log.warning("a duty is left until it is due again: %s", err)
        except Exception:  # the one supervisor of what adapters do in a turn
            log.exception("a duty is left until it is due again", extra=_fields(call))

    async def _try_turn(self, call: ProviderCall) -> None:
        try:
            async with asyncio.timeout(TURN.total_seconds()):
                await self._stop_upstream(call)
        except ProviderError as err:
            log.warning("%s: %s", call.provider, err, extra=_fields(call))
            await self._postpone(call, not_before=err.retry_after)
        except TimeoutError:
            await self._postpone(call)

    async def _stop_upstream(self, call: ProviderCall) -> None:
        if call.cancel_until is not None and call.cancel_until < _claimed_at(call):
            await self._resolve(call, CancelState.UNKNOWN)
            return
        if call.operation_id is None:
            await self._find_operation(call)
            return
        clips = self._clips[call.provider]
        answer = call.cancel_answer
        if answer is None:
            answer = await clips.cancel(call.operation_id)
        operation = await clips.look(call.operation_id)
        if operation.status is OperationStatus.RUNNING:
            await self._postpone(call, answer)
        else:
            state = _end_of(operation, CancelAnswer(answer))
            await self._resolve(call, state, operation)

    async def _find_operation(self, call: ProviderCall) -> None:
        """For a process that died, or gave up, between the call and its answer.

        The id is awaited from when the call was dropped, however old it was by then.
        What the provider runs and no call of ours has started is ours if it is not
        more than we miss. Otherwise it may be someone else's.
        """
        age = _claimed_at(call) - (call.ended_at or call.created_at)
        if age < AWAITED:
            await self._postpone(call, not_before=AWAITED - age)
            return
        started = await self._clips[call.provider].list_started(
            call.created_at - CLOCKS
        )
        known = await self._store.list_operation_ids(call.provider, started)
        unknown = [each for each in started if each not in known]
        lost, awaited = await self._store.count_lost_starts(call)
        if awaited:
            await self._postpone(call)
        elif unknown and len(unknown) <= lost:
            await self._store.record_operation(call.call_id, unknown[0])
            self.look()
        else:
            await self._resolve(call, CancelState.UNKNOWN)

    async def _postpone(
        self,
        call: ProviderCall,
        answer: str | None = None,
        *,
        not_before: timedelta | None = None,
    ) -> None:
        pause = min(FIRST_PAUSE * 2 ** (call.cancel_attempts - 1), LONGEST_PAUSE)
        delay = max(timedelta(seconds=pause), not_before or timedelta())
        await self._store.postpone_cancel(call, delay, answer)
        asyncio.get_running_loop().call_later(delay.total_seconds(), self.look)

    async def _resolve(
        self,
        call: ProviderCall,
        state: CancelState,
        operation: Operation | None = None,
    ) -> None:
        price = None if operation is None else operation.price_usd
        if price is None and state in {CancelState.CONFIRMED, CancelState.NOT_NEEDED}:
            price = FREE
        change = await self._store.resolve_cancel(call, state, price)
        log.info("%s: cancel %s", call.provider, state, extra=_fields(call))
        if change is not None:
            await self._bus.announce([change])


def _claimed_at(call: ProviderCall) -> datetime:
    """By the record's clock, as all of the call's times are."""
    if call.cancel_due_at is None:
        raise ValueError("a call that was not claimed")
    return call.cancel_due_at - TURN


def _end_of(operation: Operation, answer: CancelAnswer) -> CancelState:
    match operation.status:
        case OperationStatus.CANCELLED:
            return CancelState.CONFIRMED
        case OperationStatus.COMPLETED if answer is CancelAnswer.UNSUPPORTED:
            return CancelState.UNSUPPORTED
        case OperationStatus.COMPLETED:
            return CancelState.REFUSED
        case OperationStatus.FAILED | OperationStatus.REFUSED:
            return CancelState.NOT_NEEDED
        case OperationStatus.GONE | OperationStatus.RUNNING:
            return CancelState.UNKNOWN


def _fields(call: ProviderCall) -> dict[str, object]:
    return {"job_id": call.job_id, "task": f"{call.kind} {call.position}"}
