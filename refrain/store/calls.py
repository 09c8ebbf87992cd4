"""Provider calls: the fence before, the ledger after, and the duty to stop them."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

import psycopg

from refrain.errors import CallRefused
from refrain.job import Cause, EventKind, Task
from refrain.limits import next_call_after, wait_before_call
from refrain.provider_call import (
    CallStatus,
    CancelState,
    NewCall,
    ProviderCall,
    Purpose,
)
from refrain.store.cancel import CancelRequest, request_cancels
from refrain.store.rows import call_from
from refrain.store.transaction import (
    Change,
    attempt_params,
    lock_job,
    read_all,
    read_one,
    record,
    recount_calls,
    write,
)

if TYPE_CHECKING:
    from collections.abc import Collection
    from uuid import UUID

    from refrain.job import Job
    from refrain.limits import Limit
    from refrain.store.database import Connection, Database, Row

OVER_LIST = Decimal("1.1")
"""A bill may be above the list price, by what a model says beside its picture."""
CONTENDED = timedelta(milliseconds=20)
"""Another process books a call of the same provider at this moment."""


class CallNotYet(Exception):
    """The provider's limit leaves no room for a call now; `wait` says when to ask."""

    def __init__(self, wait: timedelta) -> None:
        super().__init__(f"not before {wait}")
        self.wait = wait


class CallStore:
    """What the generator asks of the record, for calls that cost money."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin_provider_call(
        self, task: Task, new: NewCall
    ) -> ProviderCall | Change:
        """Records a call before it is sent.

        Raises CallRefused, and the call is not to be sent, unless this attempt
        runs on a lease that holds and nothing has asked its job to stop. Raises
        CallNotYet while the provider's limit is reached. A call that would pass
        the job's budget cancels the job instead, and returns that change.
        """
        return await self._database.transact(
            partial(_begin_provider_call, task=task, new=new)
        )

    async def take_up_call(
        self, task: Task, *, provider: str, purpose: Purpose
    ) -> ProviderCall | None:
        """Makes the operation of an earlier attempt this one's, if there is one."""
        params = {**attempt_params(task), "provider": provider, "purpose": purpose}
        row = await self._database.transact(
            partial(_take_up_call, task=task, params=params)
        )
        return None if row is None else call_from(row)

    async def is_running(self, task: Task) -> bool:
        """True if a call of this attempt may be sent now."""
        params = attempt_params(task)
        row = await self._database.read(
            partial(read_one, name="find_running_attempt", params=params)
        )
        return row is not None

    async def record_operation(self, call_id: UUID, operation_id: str) -> None:
        """Keeps what the provider calls the operation that the call started.

        The first id stays, and so does an operation that is another call's.
        """
        params = {"call_id": call_id, "operation_id": operation_id}
        with suppress(psycopg.errors.UniqueViolation):
            await self._database.read(
                partial(write, name="record_operation", params=params)
            )

    async def get_call(self, call_id: UUID) -> ProviderCall:
        """Returns the call as it stands."""
        row = await self._database.read(
            partial(read_one, name="get_provider_call", params={"call_id": call_id})
        )
        if row is None:
            raise CallRefused
        return call_from(row)

    async def finish_call(
        self, call: ProviderCall, status: CallStatus, price_usd: Decimal
    ) -> None:
        """Records that the provider has answered, and what it bills."""
        params = {"call_id": call.call_id, "status": status, "price_usd": price_usd}
        await self._database.transact(
            partial(_write_call, job_id=call.job_id, name="finish_call", params=params)
        )

    async def abandon_call(self, call: ProviderCall) -> None:
        """Records that its attempt, and so nobody, will use what the call makes."""
        params = {"call_id": call.call_id, "attempt": call.attempt}
        await self._database.transact(
            partial(_write_call, job_id=call.job_id, name="abandon_call", params=params)
        )

    async def keep_image(self, task: Task, uri: str) -> bool:
        """Names the image in its segment; False if the task is no longer ours."""
        params = {**attempt_params(task), "image_uri": uri}
        row = await self._database.transact(
            partial(_keep_image, task=task, params=params)
        )
        return row is not None

    async def hold_provider(self, provider: str, delay: timedelta) -> None:
        """Lets nobody call the provider for so long."""
        params = {"provider": provider, "delay": delay}
        await self._database.read(partial(write, name="hold_provider", params=params))

    # The duty to stop

    async def claim_cancels(
        self, providers: Collection[str], lease: timedelta, limit: int
    ) -> list[ProviderCall]:
        """Takes calls that are to be stopped upstream, for so long."""
        params = {"providers": list(providers), "lease": lease, "limit": limit}
        rows = await self._database.read(
            partial(read_all, name="claim_cancels", params=params)
        )
        return [call_from(row) for row in rows]

    async def postpone_cancel(
        self, call: ProviderCall, delay: timedelta, answer: str | None = None
    ) -> None:
        """Makes a claimed call due again, and keeps what the provider answered.

        A call whose operation has become known since is due already, and stays so.
        """
        params = {
            "call_id": call.call_id,
            "operation_id": call.operation_id,
            "delay": delay,
            "answer": answer,
        }
        await self._database.read(partial(write, name="postpone_cancel", params=params))

    async def resolve_cancel(
        self, call: ProviderCall, state: CancelState, price_usd: Decimal | None
    ) -> Change | None:
        """Records how the duty ended; None if another did, or the job is deleted."""
        return await self._database.transact(
            partial(_resolve_cancel, call=call, state=state, price_usd=price_usd)
        )

    async def list_operation_ids(self, provider: str, ids: Collection[str]) -> set[str]:
        """Returns those of the operations that some call has started."""
        params = {"provider": provider, "operation_ids": list(ids)}
        rows = await self._database.read(
            partial(read_all, name="list_operation_ids", params=params)
        )
        return {row["operation_id"] for row in rows}

    async def count_lost_starts(self, call: ProviderCall) -> tuple[int, int]:
        """Counts the provider's calls around this one whose operation is not known.

        Returns those to be stopped, and those whose answer is still awaited.
        """
        params = {"provider": call.provider, "created_at": call.created_at}
        row = await self._database.read(
            partial(read_one, name="count_lost_starts", params=params)
        )
        return (0, 0) if row is None else (row["dropped"], row["sent"])


async def _begin_provider_call(
    connection: Connection, *, task: Task, new: NewCall
) -> ProviderCall | Change:
    job = await lock_job(connection, task.job_id)
    if job is None:
        raise CallRefused
    if _passes_budget(job, new):
        if await read_one(connection, "find_running_attempt", attempt_params(task)):
            return await _stop_at_budget(connection, job)
        raise CallRefused
    if new.limit is not None:
        await _book(connection, new.provider, new.limit)
    params = {
        **attempt_params(task),
        "provider": new.provider,
        "purpose": new.purpose,
        "model": new.model,
        "estimate_usd": new.estimate_usd,
        "on_stop": new.on_stop,
    }
    row = await read_one(connection, "begin_provider_call", params)
    if row is None:
        raise CallRefused
    if new.estimate_usd or new.on_stop is not CancelState.NOT_NEEDED:
        await recount_calls(connection, [job.job_id])
    if new.purpose is Purpose.STORYBOARD and await write(
        connection, "enter_storyboard", {"job_id": task.job_id}
    ):
        actor = f"worker:{task.worker_id}"
        await record(connection, job.job_id, EventKind.STAGE_ENTERED, actor, task=task)
    return call_from(row)


def _passes_budget(job: Job, new: NewCall) -> bool:
    """What may yet be billed counts as if it were; what is free passes nothing."""
    if job.max_cost_usd is None or not new.estimate_usd:
        return False
    unbilled_usd = job.unknown_usd + job.in_flight_usd + new.estimate_usd
    return job.spent_usd + unbilled_usd * OVER_LIST > job.max_cost_usd


async def _stop_at_budget(connection: Connection, job: Job) -> Change:
    budget = CancelRequest(requested_by="budget", reason="", cause=Cause.BUDGET)
    for change in await request_cancels(connection, {job.job_id: job.paid}, budget):
        return change
    raise CallRefused


async def _book(connection: Connection, provider: str, limit: Limit) -> None:
    """Waits for no lock: who holds a job's row must not be held up by another job."""
    row = await read_one(connection, "lock_provider", {"provider": provider})
    if row is None:
        raise CallNotYet(CONTENDED)
    sent = await read_one(connection, "count_sent_calls", {"provider": provider})
    now = row["locked_at"]
    wait = wait_before_call(
        limit,
        now=now,
        next_call_at=row["next_call_at"],
        held_until=row["held_until"],
        calls_under_way=0 if sent is None else sent["calls"],
    )
    if wait:
        raise CallNotYet(wait)
    next_call_at = next_call_after(limit, now=now, next_call_at=row["next_call_at"])
    params = {"provider": provider, "next_call_at": next_call_at}
    await write(connection, "book_provider", params)


async def _take_up_call(
    connection: Connection, *, task: Task, params: dict[str, Any]
) -> Row | None:
    await lock_job(connection, task.job_id)
    if await read_one(connection, "find_running_attempt", params) is None:
        return None
    return await read_one(connection, "take_up_call", params)


async def _keep_image(
    connection: Connection, *, task: Task, params: dict[str, Any]
) -> Row | None:
    await lock_job(connection, task.job_id)
    return await read_one(connection, "keep_image", params)


async def _write_call(
    connection: Connection, *, job_id: UUID, name: str, params: dict[str, Any]
) -> None:
    await lock_job(connection, job_id)
    if await write(connection, name, params):
        await recount_calls(connection, [job_id])


async def _resolve_cancel(
    connection: Connection,
    *,
    call: ProviderCall,
    state: CancelState,
    price_usd: Decimal | None,
) -> Change | None:
    job = await lock_job(connection, call.job_id)
    params = {"call_id": call.call_id, "state": state, "price_usd": price_usd}
    if not await write(connection, "resolve_cancel", params) or job is None:
        return None
    await recount_calls(connection, [job.job_id])
    return Change(
        job=await record(
            connection,
            job.job_id,
            EventKind.PROVIDER_CANCEL,
            "generator",
            task=call,
            detail=f"{call.provider}: {state}",
        )
    )
