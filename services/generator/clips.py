"""Clips of providers: an operation is started, or taken up, looked at, and fetched."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from refrain.cancellation import shielded
from refrain.fence import boottime
from refrain.provider_call import (
    FREE,
    CallStatus,
    CancelState,
    NewCall,
    ProviderCall,
    Purpose,
)
from services.generator.calls import ID_AWAITED
from services.generator.providers.provider import (
    Operation,
    OperationStatus,
    ProviderError,
)

if TYPE_CHECKING:
    from pathlib import Path

    from refrain.job import Task
    from refrain.store import CallStore
    from services.generator.calls import Calls
    from services.generator.providers.provider import ClipProvider, ClipRequest

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 5.0
"""Seconds between two looks at an operation; they grow by a third."""
MISSES = 10
"""Looks in a row that may go wrong; the operation runs on meanwhile."""
UNKNOWN_AT_FIRST = 10.0
"""Seconds in which an operation may not be known yet."""
LONGEST = timedelta(minutes=30)
"""No provider takes that long for a clip."""


@dataclass(frozen=True, slots=True)
class ProviderClips:
    """Makes clips with a provider, paying once for each."""

    calls: Calls
    store: CallStore

    async def make(
        self, task: Task, provider: ClipProvider, request: ClipRequest, path: Path
    ) -> ProviderCall:
        """Writes the clip as it came. Raises ProviderError, CallRefused."""
        call = await self._take_up(task, provider)
        if call is None:
            new = NewCall(
                provider=provider.name,
                purpose=Purpose.CLIP,
                model=provider.model,
                estimate_usd=provider.estimate(request),
                on_stop=(
                    CancelState.PENDING if provider.cancels else CancelState.UNSUPPORTED
                ),
            )
            # A start goes on without its job; it must wait for nothing but its answer.
            await provider.prepare()
            call = await self.calls.start(task, new, lambda: provider.start(request))
        operation = await self._wait(call, provider)
        if operation.status is not OperationStatus.COMPLETED:
            raise await self._failure(call, operation)
        price = (
            call.estimate_usd if operation.price_usd is None else operation.price_usd
        )
        await shielded(self.store.finish_call(call, CallStatus.ANSWERED, price))
        await provider.fetch(operation, path)
        return call

    async def discard(self, call: ProviderCall) -> None:
        """Lets the next attempt buy another clip: this one is of no use."""
        await self.store.finish_call(call, CallStatus.FAILED, FREE)

    async def _take_up(self, task: Task, provider: ClipProvider) -> ProviderCall | None:
        """Returns the operation of an earlier attempt, which may still get its id."""
        call = await self.store.take_up_call(
            task, provider=provider.name, purpose=Purpose.CLIP
        )
        if call is None:
            return None
        until = boottime() + ID_AWAITED + 1
        while call.operation_id is None and boottime() < until:
            await asyncio.sleep(0.25)
            call = await self.store.get_call(call.call_id)
        if call.operation_id is not None:
            return call
        await self.store.abandon_call(call)
        return None

    async def _wait(self, call: ProviderCall, provider: ClipProvider) -> Operation:
        pause, misses = FIRST_PAUSE, 0
        began = boottime()
        while boottime() - began < LONGEST.total_seconds():
            try:
                operation = await provider.look(call.operation_id or "")
            except ProviderError as err:
                misses += 1
                if misses > MISSES or not (err.retryable or err.throttled):
                    raise
                if err.throttled:
                    await self.calls.hold_back(call.provider, err)
                wait = err.retry_after
                await asyncio.sleep(wait.total_seconds() if wait else pause)
            else:
                misses = 0
                if not _is_under_way(operation, boottime() - began):
                    return operation
                await asyncio.sleep(pause)
            pause = min(pause * 4 / 3, LONGEST_PAUSE)
        await self.store.abandon_call(call)
        raise ProviderError(
            f"{provider.name} did not finish a clip within {LONGEST}", retryable=True
        )

    async def _failure(self, call: ProviderCall, operation: Operation) -> ProviderError:
        """Records what is billed all the same."""
        words = operation.detail or f"the clip is {operation.status}"
        if operation.status is OperationStatus.GONE:
            await self.store.abandon_call(call)
            return ProviderError(f"{call.provider}: {words}", retryable=True)
        price = operation.price_usd or FREE
        await shielded(self.store.finish_call(call, CallStatus.FAILED, price))
        return ProviderError(
            f"{call.provider}: {words}",
            refused=operation.status is OperationStatus.REFUSED,
            retryable=operation.retryable
            or operation.status is OperationStatus.CANCELLED,
            price_usd=price,
        )


def _is_under_way(operation: Operation, waited: float) -> bool:
    """What was started just now may not be known everywhere at the provider yet."""
    if operation.status is OperationStatus.GONE:
        return waited < UNKNOWN_AT_FIRST
    return operation.status is OperationStatus.RUNNING
