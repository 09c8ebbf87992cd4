"""Worker processes: their lease, and what the sweep finds by level."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

from refrain.job import AbortReason, Kind, Task
from refrain.store.rows import task_from
from refrain.store.transaction import read_all, read_one, write

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import timedelta

    from refrain.store.database import Database

Attempt = tuple[UUID, Kind, int, int]
"""A claim of a task: job id, kind, position, attempt."""


class WorkerStore:
    """Who is alive, and what of the record no one is at work on."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def register_worker(
        self, service: str, host: str, pid: int, lease: timedelta
    ) -> UUID:
        """Adds a worker, alive for one lease, and returns its id."""
        params = {"service": service, "host": host, "pid": pid, "lease": lease}
        rows = await self._read("register_worker", params)
        return rows[0]["worker_id"]

    async def renew_worker(self, worker_id: UUID, lease: timedelta) -> bool:
        """Extends the lease to one from now; False once the worker is dead."""
        params = {"worker_id": worker_id, "lease": lease}
        row = await self._database.read(
            partial(read_one, name="renew_worker", params=params)
        )
        return row is not None

    async def retire_worker(self, worker_id: UUID) -> None:
        """Marks a worker dead that has handed all its tasks back."""
        params = {"worker_id": worker_id}
        await self._database.read(partial(write, name="retire_worker", params=params))

    async def kill_worker(self, worker_id: UUID, job_ids: Collection[UUID]) -> None:
        """Notes that a process ends itself because tasks of these jobs do not end.

        Whoever takes them back once the lease is over then knows how they ended.
        """
        params = {"worker_id": worker_id, "job_ids": list(job_ids)}
        await self._database.read(partial(write, name="kill_worker", params=params))

    async def list_stops(
        self, worker_id: UUID, held: Collection[Attempt]
    ) -> dict[Attempt, AbortReason]:
        """Returns those of the held attempts that are to be aborted, and why."""
        rows = await self._read("list_stops", _held(worker_id, held))
        return {
            (row["job_id"], Kind(row["kind"]), row["position"], row["attempt"]): (
                AbortReason(row["reason"])
            )
            for row in rows
        }

    async def list_unheld_tasks(
        self, worker_id: UUID, held: Collection[Attempt]
    ) -> list[Task]:
        """Returns tasks that run here by their rows, and are not held."""
        rows = await self._read("list_unheld_tasks", _held(worker_id, held))
        return [task_from(row) for row in rows]

    async def mark_dead_workers(self, lease: timedelta) -> list[dict[str, Any]]:
        """Marks and returns workers whose lease has lapsed.

        Marks none until Postgres has itself been up for one lease: before that,
        a lapsed lease says nothing about its worker.
        """
        return await self._read("mark_dead_workers", {"lease": lease})

    async def list_orphaned_jobs(self) -> list[UUID]:
        """Returns the jobs of which a task runs on a worker that is dead."""
        return [row["job_id"] for row in await self._read("list_orphaned_jobs", {})]

    async def list_idle_stopping_jobs(self) -> list[UUID]:
        """Returns stopping and pausing jobs of which no task runs."""
        rows = await self._read("list_idle_stopping_jobs", {})
        return [row["job_id"] for row in rows]

    async def _read(self, name: str, params: Mapping[str, Any]) -> list[dict[str, Any]]:
        return await self._database.read(partial(read_all, name=name, params=params))


def _held(worker_id: UUID, held: Collection[Attempt]) -> dict[str, Any]:
    return {
        "worker_id": worker_id,
        "job_ids": [job_id for job_id, _, _, _ in held],
        "kinds": [kind for _, kind, _, _ in held],
        "positions": [position for _, _, position, _ in held],
        "attempts": [attempt for _, _, _, attempt in held],
    }
