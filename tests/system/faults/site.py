"""Site: a gateway and a studio with a job held in every stage, for faults to strike."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

import grpc
import psycopg

from refrain.artifacts import uri_of
from refrain.local.guardian import StartError
from refrain.timing import TIMING
from refrain.v1 import job_pb2
from tests.eventually import eventually
from tests.proxy import Proxy
from tests.system.faults.studio import WITNESS
from tests.system.system import System, files_under

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from refrain.local.embedded import EmbeddedNats, EmbeddedPostgres
    from tests.system.faults.witness import Witness

STUDIO = "studio"
GATEWAY = "gateway"
RATIO = 0.4
SCALED = {
    name: RATIO * getattr(TIMING, name).total_seconds()
    for name in ("heartbeat", "lease", "fence_abort", "fence_end", "sweep", "grace")
}
"""All of Timing that a cancel depends on, in one ratio."""
SLOTS = {"REFRAIN_SLOTS": "8", "REFRAIN_MEDIA_SLOTS": "3"}
PATIENCE = 30.0
"""Seconds after which a test calls a job stuck, whatever its bound."""


class Stage(StrEnum):
    """Where a job is held; its title says it, to the studio and to the witness."""

    QUEUED = "queued"
    LYRICS = "lyrics"
    CALLING = "calling"
    RENDERING = "rendering"
    STITCHING = "stitching"
    PUBLISHING = "publishing"


IN_MEDIA = frozenset({Stage.RENDERING, Stage.STITCHING})
"""What media processes are at, and not the worker itself."""


@dataclass(frozen=True, slots=True)
class Link:
    """A service and the variable that holds the URL of what it is linked to."""

    service: str
    variable: str


STUDIO_POSTGRES = Link(STUDIO, "REFRAIN_DATABASE_URL")
STUDIO_NATS = Link(STUDIO, "REFRAIN_NATS_URL")
GATEWAY_NATS = Link(GATEWAY, "REFRAIN_NATS_URL")


@dataclass(kw_only=True)
class Site:
    """Its servers are its own to break, or are the test process's, to be restarted."""

    system: System
    witness: Witness
    nats: EmbeddedNats
    postgres: EmbeddedPostgres
    proxies: dict[Link, Proxy] = field(default_factory=dict[Link, Proxy])
    jobs: dict[Stage, str] = field(default_factory=dict[Stage, str])
    fields: dict[str, Any] = field(default_factory=dict[str, Any])
    """What the requests of the jobs hold besides their titles."""
    frozen: Collection[Stage] = ()
    """Stages whose connections a frozen process holds open, as it cannot hang up."""
    overstated: list[str] = field(default_factory=list[str])
    """Jobs that were CANCELLED by their row while a call of theirs was still open."""

    async def __aenter__(self) -> Self:
        self._stack = AsyncExitStack()
        await self._stack.enter_async_context(self.witness)
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._stack.aclose()

    async def start(
        self, seconds: dict[str, float], links: Collection[Link] = ()
    ) -> None:
        """Starts the gateway and a studio, and holds a job in every stage.

        The links are by way of proxies, to be cut; these outlive the services.
        """
        variables = self.system.variables
        variables[GATEWAY] = {}
        variables[STUDIO] = {**SLOTS, WITNESS: self.witness.url}
        for link in links:
            server, url = self.nats, self.nats.url
            if link is STUDIO_POSTGRES:
                server, url = self.postgres, self.system.database_url
            proxy = await self._stack.enter_async_context(Proxy(server.port))
            variables[link.service][link.variable] = proxy.before(url)
            self.proxies[link] = proxy
        await self._stack.enter_async_context(self.system)
        self.system.seconds = seconds
        self.system.scripts[STUDIO] = "faults/studio.py"
        await self.system.start(GATEWAY, STUDIO)
        await asyncio.gather(*map(self._hold, Stage))

    async def restart(self, service: str) -> None:
        """Starts a service that has ended, with no proxy in its links."""
        for link in self.proxies:
            if link.service == service:
                self.system.variables[service].pop(link.variable, None)
        await self.system.start(service)

    async def start_postgres(self) -> None:
        """Starts it again, in the midst of calls.

        Where its user is another, it is forked, and what gRPC does in a child that
        was forked beside calls kills that child now and then.
        """

        async def started() -> bool:
            try:
                await asyncio.to_thread(self.postgres.start)
            except StartError:
                return False
            return True

        await eventually(started)

    async def cancel_all(self) -> None:
        """Cancels every job at once, each until an answer other than UNAVAILABLE."""
        answers = await asyncio.gather(*map(self.cancel, self.jobs.values()))
        assert {answer.status for answer in answers} <= {
            job_pb2.Job.CANCELLING,
            job_pb2.Job.CANCELLED,
        }

    async def cancel(self, job_id: str) -> job_pb2.Job:
        """Returns the first answer of the gateway other than UNAVAILABLE."""
        return await self._until_available(lambda: self.system.cancel(job_id, "enough"))

    async def all_cancelled(self, job_ids: Collection[str] = ()) -> None:
        """Returns once every job is CANCELLED; its calls are ended by then."""
        running = set(job_ids or self.jobs.values())

        async def none_left() -> bool:
            for job_id, status in (await self._statuses(running)).items():
                if status == "cancelled":
                    running.discard(job_id)
                    self._check_calls(job_id)
            return not running

        await eventually(none_left, within=PATIENCE)

    async def all_completed(self) -> None:
        """Lets every job go on, and returns once all are COMPLETED."""
        self.witness.release()
        await eventually(self._end_backoff, within=PATIENCE)
        await self._completed(self.jobs.values())

    async def rows(self, table: str, job_ids: Collection[str]) -> list[dict[str, Any]]:
        """Returns the jobs' rows in a table."""
        return await self.system.query(
            f"SELECT * FROM {table} WHERE job_id = ANY(%s) ORDER BY {table}",  # noqa: S608
            [UUID(job_id) for job_id in job_ids],
        )

    async def account(self) -> dict[str, Any]:
        """Returns all there is to know of the jobs, once no file is unnamed by a row.

        No part of it is to change after that.
        """
        await eventually(self._names_every_file)
        return {
            "files": self._files(),
            "calls": len([c for c in self.witness.calls if self._is_ours(c.job_id)]),
            **{
                table: await self.rows(table, self.jobs.values())
                for table in ("jobs", "tasks", "segments", "provider_calls")
            },
        }

    async def is_alive(self) -> None:
        """A job that comes after all that runs through to its video."""
        request_id = secrets.token_hex()
        job = await self._until_available(
            lambda: self.system.create(
                title="after", max_in_flight=2, request_id=request_id
            )
        )
        await self._completed([job.job_id])

    async def waits_for_locks(self, count: int) -> bool:
        """Whether so many transactions wait for a lock."""
        rows = await self.system.query(
            "SELECT FROM pg_stat_activity "
            "WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return len(rows) >= count

    async def _until_available(
        self, call: Callable[[], Awaitable[job_pb2.Job]]
    ) -> job_pb2.Job:
        """Repeats a call that may be repeated, as its client does."""

        async def answer() -> job_pb2.Job | None:
            try:
                return await call()
            except grpc.aio.AioRpcError as err:
                if err.code() is not grpc.StatusCode.UNAVAILABLE:
                    raise
                return None

        answered = await eventually(answer, within=PATIENCE)
        assert answered is not None
        return answered

    async def _hold(self, stage: Stage) -> None:
        job = await self.system.create(title=stage, max_in_flight=1, **self.fields)
        self.jobs[stage] = job.job_id
        if stage is not Stage.QUEUED:
            await eventually(lambda: self.witness.held(stage), within=PATIENCE)
            return

        async def waits() -> bool:
            (plan,) = await self.rows("tasks", [job.job_id])
            return plan["status"] == "queued" and plan["attempt"] == 1

        await eventually(waits, within=PATIENCE)

    async def _completed(self, job_ids: Collection[str]) -> None:
        async def completed() -> bool:
            return set((await self._statuses(job_ids)).values()) == {"completed"}

        await eventually(completed, within=PATIENCE)

    async def _statuses(self, job_ids: Collection[str]) -> dict[str, str]:
        """Returns the jobs' statuses; none while Postgres is away."""
        ids = [UUID(job_id) for job_id in job_ids]
        try:
            rows = await self.system.query(
                "SELECT job_id, status FROM jobs WHERE job_id = ANY(%s)", ids
            )
        except psycopg.OperationalError:
            return {}
        return {str(row["job_id"]): row["status"] for row in rows}

    async def _end_backoff(self) -> bool:
        """An hour passes for the job that waits to be tried again."""
        try:
            await self.system.query(
                "UPDATE tasks SET available_at = now() "
                "WHERE job_id = %s RETURNING job_id",
                UUID(self.jobs[Stage.QUEUED]),
            )
        except psycopg.OperationalError:
            return False
        return True

    def _check_calls(self, job_id: str) -> None:
        for stage, other in self.jobs.items():
            if other == job_id and stage not in self.frozen:
                self.overstated += [stage for _ in self.witness.held(stage)]

    async def _names_every_file(self) -> bool:
        segments = await self.rows("segments", self.jobs.values())
        jobs = await self.rows("jobs", self.jobs.values())
        named = [row[name] for row in segments for name in ("image_uri", "clip_uri")]
        named += [job["video"]["uri"] for job in jobs if job["video"]]
        return self._files() == {uri for uri in named if uri}

    def _files(self) -> set[str]:
        """The URIs under which the files of the jobs would be named."""
        root = self.system.artifacts
        keys = [str(path.relative_to(root)) for path in files_under(root, "*")]
        return {uri_of(key) for key in keys if self._is_ours(key)}

    def _is_ours(self, text: str) -> bool:
        return any(job_id in text for job_id in self.jobs.values())
