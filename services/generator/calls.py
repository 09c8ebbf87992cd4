"""Calls: the one way to a provider. Permit, row, send, price.

A call that one waits for ends with its connection. A call that starts an operation
does not: its id is awaited even when nobody waits for the clip any more, because
only by its id can the operation be stopped.
"""

from __future__ import annotations

import asyncio
import logging
import random
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Self, TypeVar

from refrain.cancellation import shielded
from refrain.errors import CallRefused, Unavailable
from refrain.fence import boottime
from refrain.provider_call import FREE, CallStatus, CancelState, ProviderCall
from refrain.store import CallNotYet, Change
from services.generator.providers.provider import ProviderError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping
    from decimal import Decimal
    from types import TracebackType
    from typing import Any

    from refrain.bus import Bus
    from refrain.job import Task
    from refrain.limits import Limit
    from refrain.provider_call import NewCall
    from refrain.store import CallStore

T = TypeVar("T")

log = logging.getLogger(__name__)

ID_AWAITED = 5.0
"""Seconds that an operation's id is awaited when nobody waits for its clip."""
STALE = 1.0
"""Seconds after which a permit is asked for again: the process may have been frozen."""
NAP = timedelta(seconds=5)
"""Limits may be lifted, and jobs be paused, while one waits for one's turn."""
THROTTLED = timedelta(seconds=10)
"""How long all calls are held back by a provider that does not say how long."""


class Calls:
    """What handlers send to providers. A context manager, which owns the starts."""

    def __init__(
        self,
        store: CallStore,
        bus: Bus,
        limits: Mapping[str, Limit],
        on_operation: Callable[[], None],
    ) -> None:
        """`on_operation` hears when the id of an operation has become known."""
        self._store = store
        self._bus = bus
        self._limits = limits
        self._on_operation = on_operation
        self._starts: set[asyncio.Task[str | ProviderError]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        if self._starts:
            await asyncio.wait(self._starts, timeout=ID_AWAITED)
        for start in self._starts:
            start.cancel()
        if self._starts:
            await asyncio.wait(self._starts)

    async def begin(self, task: Task, new: NewCall) -> ProviderCall:
        """Records a call; returns as soon as it may be sent.

        Waits for the provider's limit. Raises CallRefused.
        """
        new = replace(new, limit=self._limits.get(new.provider))
        while True:
            asked_at = boottime()
            try:
                begun = await self._begin(task, new)
            except CallNotYet as not_yet:
                wait = min(not_yet.wait, NAP).total_seconds()
                await asyncio.sleep(wait * random.uniform(1, 1.25))  # noqa: S311
                continue
            if isinstance(begun, Change):
                await self._bus.announce([begun])
                raise CallRefused
            if boottime() - asked_at < STALE or await self._store.is_running(task):
                return begun
            await self._store.finish_call(begun, CallStatus.FAILED, FREE)
            raise CallRefused

    async def ask(
        self,
        task: Task,
        new: NewCall,
        send: Callable[[], Awaitable[T]],
        price: Callable[[T], Decimal],
    ) -> T:
        """Sends a call that one waits for, and records what it cost.

        Sends it again while the provider says that there are too many. Raises
        ProviderError, CallRefused.
        """
        while True:
            call = await self.begin(task, new)
            try:
                answer = await send()
            except ProviderError as err:
                await shielded(self.fail(call, err))
                if not err.throttled:
                    raise
            else:
                if call.status is CallStatus.ANSWERED:
                    return answer
                # What was paid for is known, also to an abort at this moment.
                answered = CallStatus.ANSWERED, price(answer)
                await shielded(self._store.finish_call(call, *answered))
                return answer

    async def start(
        self, task: Task, new: NewCall, start: Callable[[], Coroutine[Any, Any, str]]
    ) -> ProviderCall:
        """Sends a call that starts an operation, and returns it with the id.

        A caller that is cancelled leaves at once; the id is still awaited, for a
        while, and recorded. Raises ProviderError, CallRefused.
        """
        while True:
            call = await self.begin(task, new)
            starting = asyncio.create_task(self._start(call, start()))
            self._starts.add(starting)
            starting.add_done_callback(self._starts.discard)
            try:
                started = await asyncio.shield(starting)
            except asyncio.CancelledError:
                asyncio.get_running_loop().call_later(ID_AWAITED, starting.cancel)
                raise
            if isinstance(started, str):
                return replace(call, operation_id=started)
            if not started.throttled:
                raise started

    async def hold_back(self, provider: str, err: ProviderError) -> None:
        """Lets nobody call a provider that has too many calls."""
        delay = err.retry_after or THROTTLED
        log.warning("%s is held back for %s", provider, delay)
        await self._store.hold_provider(provider, delay)

    async def fail(self, call: ProviderCall, err: ProviderError) -> None:
        """Records a call that came to nothing, and holds all back if there are many."""
        if err.throttled:
            await self.hold_back(call.provider, err)
        if err.unanswered:
            await self._store.abandon_call(call)
        else:
            await self._store.finish_call(call, CallStatus.FAILED, err.price_usd)

    async def _begin(self, task: Task, new: NewCall) -> ProviderCall | Change:
        """A caller that is cancelled meanwhile leaves no call that was never sent."""
        beginning = asyncio.create_task(self._store.begin_provider_call(task, new))
        try:
            return await asyncio.shield(beginning)
        except asyncio.CancelledError:
            await shielded(self._withdraw(beginning))
            raise

    async def _withdraw(self, beginning: asyncio.Task[ProviderCall | Change]) -> None:
        try:
            begun = await beginning
            if isinstance(begun, Change):
                await self._bus.announce([begun])
            else:
                await self._store.finish_call(begun, CallStatus.FAILED, FREE)
        except (CallNotYet, CallRefused):
            pass
        except Unavailable as err:
            log.warning("not withdrawn: %s", err)

    async def _start(
        self, call: ProviderCall, start: Coroutine[Any, Any, str]
    ) -> str | ProviderError:
        try:
            operation_id = await start
        except ProviderError as err:
            await self._record(self._fail_start(call, err))
            return err
        await self._record(self._store.record_operation(call.call_id, operation_id))
        self._on_operation()
        return operation_id

    async def _fail_start(self, call: ProviderCall, err: ProviderError) -> None:
        """Of a job that has stopped meanwhile, nothing is left to be stopped."""
        await self.fail(call, err)
        if not err.unanswered:
            state = CancelState.NOT_NEEDED
            change = await self._store.resolve_cancel(call, state, err.price_usd)
            if change is not None:
                await self._bus.announce([change])

    async def _record(self, write: Coroutine[Any, Any, None]) -> None:
        try:
            await shielded(write)
        except Unavailable as err:
            log.error("a call's end is not in the record: %s", err)  # noqa: TRY400
