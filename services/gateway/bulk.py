"""Cancels of many jobs in one call, each job for itself."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from refrain.cancellation import shielded
from refrain.errors import InvalidRequest, RefrainError
from refrain.job import Status
from refrain.provider_call import FREE
from refrain.store import CHUNK, Change
from services.gateway.fields import read_job_id, read_reason

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal
    from uuid import UUID

    from refrain.job import Job
    from refrain.service import Connections
    from refrain.store import JobFilter

CHUNKS = 10
"""Chunks of one call: each is committed and announced before the next."""
SAMPLE = 20
LOOKS, LOOK = 20, 0.05
"""How often, and after how many seconds, to look again for rows that were held."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """What became of the jobs that a filter matches, or would become of them."""

    at_once: int
    stopping: int
    remaining: int
    sample: Sequence[Job]
    avoidable_usd: Decimal = FREE
    in_flight_usd: Decimal = FREE
    unstoppable_usd: Decimal = FREE
    """Foreseen of all that match, also of those that remain after this call."""


class BulkCancel:
    """Cancels jobs by their ids, or by a filter."""

    def __init__(self, to: Connections) -> None:
        self._to = to

    async def by_ids(
        self, job_ids: Sequence[str], owner: str, reason: str
    ) -> list[Job | RefrainError]:
        """Returns for each id, in its order, the job, or why it was not cancelled."""
        if len(job_ids) > CHUNK:
            why = f"are {len(job_ids):,}; send up to {CHUNK:,} in one call"
            raise InvalidRequest({"job_ids": why})
        read_reason(reason)
        read = [_read(job_id) for job_id in job_ids]
        known = [job_id for job_id in read if not isinstance(job_id, InvalidRequest)]
        answers = iter(await shielded(self._cancel_each(known, owner, reason)))
        return [
            job_id if isinstance(job_id, InvalidRequest) else next(answers)
            for job_id in read
        ]

    async def by_filter(self, owner: str, jobs: JobFilter, reason: str) -> Cancelled:
        """Cancels up to CHUNKS chunks; a caller that leaves ends it between two."""
        counts: Counter[Status] = Counter()
        sample: list[Job] = []
        chunks = looks = 0
        while chunks < CHUNKS:
            if chunk := await shielded(self._cancel_chunk(owner, jobs, reason)):
                chunks += 1
                counts.update(job.status for job in chunk)
                sample += chunk[: SAMPLE - len(sample)]
                continue
            left = await self._to.jobs.count_cancellable(owner, jobs)
            if not left.total or looks == LOOKS:
                break
            # What is left is held by other transactions, which take milliseconds.
            looks += 1
            await asyncio.sleep(LOOK)
        left = await self._to.jobs.count_cancellable(owner, jobs)
        return Cancelled(
            at_once=counts[Status.CANCELLED],
            stopping=counts[Status.CANCELLING],
            remaining=left.total,
            sample=sample,
        )

    async def preview(self, owner: str, jobs: JobFilter) -> Cancelled:
        """Returns what by_filter would do now."""
        found = await self._to.jobs.count_cancellable(owner, jobs)
        stopping = min(found.running, CHUNKS * CHUNK)
        at_once = min(found.idle, CHUNKS * CHUNK - stopping)
        return Cancelled(
            at_once=at_once,
            stopping=stopping,
            remaining=found.total - stopping - at_once,
            sample=await self._to.jobs.list_cancellable(owner, jobs, SAMPLE),
            avoidable_usd=found.avoidable_usd,
            in_flight_usd=found.in_flight_usd,
            unstoppable_usd=found.unstoppable_usd,
        )

    async def _cancel_each(
        self, job_ids: Sequence[UUID], owner: str, reason: str
    ) -> list[Job | RefrainError]:
        answers = await self._to.jobs.cancel_jobs(
            job_ids, owner, requested_by=f"user:{owner}", reason=reason
        )
        changes = [answer for answer in answers if isinstance(answer, Change)]
        await self._to.bus.announce(changes)
        return [
            answer.job
            if isinstance(answer, Change)
            else answer or await self._cancel_held(job_id, owner, reason)
            for job_id, answer in zip(job_ids, answers, strict=True)
        ]

    async def _cancel_held(
        self, job_id: UUID, owner: str, reason: str
    ) -> Job | RefrainError:
        """Waits for a job that another transaction held when the others were free."""
        try:
            change = await self._to.jobs.cancel_job(
                job_id, owner, requested_by=f"user:{owner}", reason=reason
            )
        except RefrainError as err:
            return err
        await self._to.bus.announce([change])
        return change.job

    async def _cancel_chunk(
        self, owner: str, jobs: JobFilter, reason: str
    ) -> list[Job]:
        changes = await self._to.jobs.cancel_matching(
            owner, jobs, requested_by=f"user:{owner}", reason=reason
        )
        await self._to.bus.announce(changes)
        return [change.job for change in changes]


def _read(job_id: str) -> UUID | InvalidRequest:
    try:
        return read_job_id(job_id)
    except InvalidRequest as err:
        return err
