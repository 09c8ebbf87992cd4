"""The three services as processes, over real servers, and what they leave behind."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

import grpc
import psutil
import psycopg
from psycopg.rows import dict_row

from refrain.v1 import job_pb2
from refrain.v1 import job_service_pb2 as v1
from refrain.v1.job_service_pb2_grpc import JobServiceStub
from tests.eventually import eventually
from tests.ports import own_port

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable

    from refrain.v1.job_service_pb2_grpc import JobServiceAsyncStub

ROOT = Path(__file__).parents[2]
ROW_OF_LOOKS = 20
SERVICES = ("gateway", "generator", "stitcher")
SCRIPT = "service.py"
SHORT_LEASE = {
    "heartbeat": 0.4,
    "lease": 4.0,
    "fence_abort": 2.8,
    "fence_end": 3.6,
    "sweep": 0.4,
}
"""Less than half of Timing, for tests of the rescue."""


@dataclass(kw_only=True)
class System:
    """Its folder holds the artifacts, the scratch files and the logs."""

    folder: Path
    database_url: str
    nats_url: str
    seconds: dict[str, float] = field(default_factory=dict[str, float])
    """What of Timing differs."""
    media_slots: int = 2
    scripts: dict[str, str] = field(default_factory=dict[str, str])
    """The file in this folder that starts a service, where it is not service.py."""
    variables: dict[str, dict[str, str]] = field(
        default_factory=dict[str, dict[str, str]]
    )
    """What of the environment differs for one service."""
    processes: dict[str, subprocess.Popen[bytes]] = field(
        default_factory=dict[str, "subprocess.Popen[bytes]"]
    )
    grpc_port: int = field(default_factory=own_port)
    http_port: int = field(default_factory=own_port)

    def __post_init__(self) -> None:
        while self.http_port == self.grpc_port:
            self.http_port = own_port()

    async def __aenter__(self) -> Self:
        self._channel = grpc.aio.insecure_channel(
            f"127.0.0.1:{self.grpc_port}",
            options=[
                ("grpc.initial_reconnect_backoff_ms", 100),
                ("grpc.min_reconnect_backoff_ms", 100),
                ("grpc.max_reconnect_backoff_ms", 500),
            ],
        )
        self.api: JobServiceAsyncStub = JobServiceStub(self._channel)
        self._connection: psycopg.AsyncConnection[dict[str, Any]] | None = None
        self._asking = asyncio.Lock()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._channel.close()
        if self._connection is not None:
            await self._connection.close()
        await self.stop()

    async def stop(self) -> dict[str, int]:
        """Ends all services; returns their exit codes (minus the signal)."""
        for process in self.processes.values():
            process.terminate()
        # Services may talk to each other by way of a proxy in this event loop.
        return {
            name: await asyncio.to_thread(_end, process)
            for name, process in self.processes.items()
        }

    async def start(self, *names: str) -> None:
        """Starts services; all of them without names."""
        environment = {
            **os.environ,
            "REFRAIN_DATABASE_URL": self.database_url,
            "REFRAIN_NATS_URL": self.nats_url,
            "REFRAIN_STORAGE_URL": f"file://{self.artifacts}",
            "REFRAIN_SCRATCH": str(self.scratch),
            "REFRAIN_GRPC_PORT": str(self.grpc_port),
            "REFRAIN_HTTP_PORT": str(self.http_port),
            "REFRAIN_MEDIA_SLOTS": str(self.media_slots),
            "PYTHONPATH": str(ROOT),
        }
        for name in names or SERVICES:
            with (self.folder / f"{name}.log").open("ab") as log:
                self.processes[name] = subprocess.Popen(  # noqa: ASYNC220
                    [
                        sys.executable,
                        str(ROOT / "tests/system" / self.scripts.get(name, SCRIPT)),
                        name,
                        json.dumps(self.seconds),
                    ],
                    env={**environment, **self.variables.get(name, {})},
                    cwd=ROOT,
                    stderr=log,
                )
        if "gateway" in self.processes:
            await eventually(self._answers, within=30)
        for name in set(names or SERVICES) - {"gateway"}:
            await eventually(lambda name=name: self._is_registered(name), within=30)

    def kill(self, name: str) -> None:
        """SIGKILL, and no goodbye."""
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    def signal_media(self, pids: set[int], number: signal.Signals) -> None:
        """Freezes or wakes media processes, so that what they do takes long."""
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    @property
    def artifacts(self) -> Path:
        return self.folder / "artifacts"

    @property
    def scratch(self) -> Path:
        return self.folder / "scratch"

    async def create(self, **fields: Any) -> job_pb2.Job:
        """Creates a small job: a song without words, 6 s, unless told otherwise."""
        video = v1.VideoOptions(
            width=fields.pop("width", 256),
            height=fields.pop("height", 144),
            frame_rate=fields.pop("frame_rate", 12),
        )
        request = v1.CreateJobRequest(title="A song", video=video)
        request.song_duration.FromSeconds(fields.pop("seconds", 6))
        request.instrumental = "lyrics" not in fields
        request.MergeFrom(v1.CreateJobRequest(**fields))
        return await self.api.CreateJob(request)

    async def job(self, job_id: str) -> job_pb2.Job:
        return await self.api.GetJob(v1.GetJobRequest(job_id=job_id))

    async def cancel(self, job_id: str, reason: str = "") -> job_pb2.Job:
        return await self.api.CancelJob(
            v1.CancelJobRequest(job_id=job_id, reason=reason)
        )

    async def tasks(self, job_id: str) -> list[job_pb2.Task]:
        answer = await self.api.ListTasks(v1.ListTasksRequest(job_id=job_id))
        return list(answer.tasks)

    async def segments(self, job_id: str) -> list[job_pb2.Segment]:
        answer = await self.api.ListSegments(v1.ListSegmentsRequest(job_id=job_id))
        return list(answer.segments)

    async def until(
        self, job_id: str, condition: Callable[[job_pb2.JobEvent], bool]
    ) -> job_pb2.JobEvent:
        """Watches from the first event on, and returns the one that is meant."""
        request = v1.WatchJobRequest(job_id=job_id, after_sequence=0)
        watch = self.api.WatchJob(request, timeout=60)
        async for event in watch:
            if condition(event):
                watch.cancel()
                return event
        log = "\n".join(p.read_text()[-2000:] for p in self.folder.glob("*.log"))
        raise AssertionError(f"the job ended before it came to that:\n{log}")

    async def clips(self, job_id: str) -> list[str]:
        """Returns the URIs of the clips that were kept."""
        segments = await self.segments(job_id)
        return [segment.clip_uri for segment in segments if segment.clip_uri]

    async def events(self, job_id: str) -> list[job_pb2.JobEvent]:
        """Returns all events of a finished job."""
        request = v1.WatchJobRequest(job_id=job_id, after_sequence=0)
        return [event async for event in self.api.WatchJob(request, timeout=60)]

    async def query(self, statement: str, *params: Any) -> list[dict[str, Any]]:
        """Asks once more if the connection broke, as it does when Postgres restarts."""
        async with self._asking:
            with suppress(psycopg.OperationalError):
                return await self._ask(statement, params)
            return await self._ask(statement, params)

    def children(self, name: str) -> set[int]:
        """The media processes of a service that are alive."""
        with suppress(psutil.NoSuchProcess):
            parent = psutil.Process(self.processes[name].pid)
            return {
                child.pid
                for child in parent.children(recursive=True)
                if child.status() != psutil.STATUS_ZOMBIE
            }
        return set()

    def parts(self) -> list[Path]:
        """Videos that are being written."""
        return files_under(self.scratch, "video.mp4.part")

    async def idle(self, pid: int) -> None:
        """Returns once the media process is gone, or slept for a row of looks."""
        looks: list[float] = []

        def slept() -> bool:
            try:
                process = psutil.Process(pid)
                if process.status() != psutil.STATUS_SLEEPING:
                    looks.clear()
                looks.append(sum(process.cpu_times()[:2]))
            except psutil.NoSuchProcess:
                return True
            return len(looks) > ROW_OF_LOOKS and len({*looks[-ROW_OF_LOOKS:]}) == 1

        await eventually(slept)

    def files_in_the_making(self) -> list[Path]:
        """What an attempt left behind in the scratch folders."""
        return files_under(self.scratch, "*")

    def videos(self, job_id: str) -> list[Path]:
        """What stands under the name of a video of the job."""
        folder = self.artifacts / "jobs" / job_id
        return files_under(folder, "video*")

    async def _ask(
        self, statement: str, params: tuple[Any, ...]
    ) -> list[dict[str, Any]]:
        if self._connection is None or self._connection.closed:
            self._connection = await psycopg.AsyncConnection[dict[str, Any]].connect(
                self.database_url,
                autocommit=True,
                row_factory=dict_row,
            )
        cursor = await self._connection.execute(statement.encode(), params)
        return await cursor.fetchall()

    async def _answers(self) -> bool:
        """A channel may hold a gateway for ready that was just killed."""
        try:
            await self.api.GetServerInfo(v1.GetServerInfoRequest())
        except grpc.aio.AioRpcError as err:
            if err.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
            return False
        return True

    async def _is_registered(self, service: str) -> bool:
        pid = self.processes[service].pid
        rows = await self.query("SELECT FROM workers WHERE pid = %s", pid)
        return len(rows) > 0


def _end(process: subprocess.Popen[bytes]) -> int:
    try:
        return process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def files_under(folder: Path, pattern: str) -> list[Path]:
    """Returns the files of this name, also while folders come and go."""
    while True:
        try:
            return [path for path in folder.rglob(pattern) if path.is_file()]
        except FileNotFoundError:
            continue


def task_started(
    kind: job_pb2.Task.Kind.ValueType,
) -> Callable[[job_pb2.JobEvent], bool]:
    """Returns the condition that a task of this kind was just claimed."""

    def condition(event: job_pb2.JobEvent) -> bool:
        return event.kind == job_pb2.JobEvent.TASK_STARTED and event.task_kind == kind

    return condition


async def assert_nothing_runs(system: System, job_id: str) -> None:
    """The job is CANCELLED, and nobody works on it, by any account."""
    job = await system.job(job_id)
    assert job.status == job_pb2.Job.CANCELLED
    assert job.message == "Job cancelled by user"
    assert job.tasks_running == 0
    assert job.cancellation.HasField("stop_time")
    (late,) = await system.query(
        """
        SELECT
            (SELECT count(*) FROM tasks
                WHERE job_id = jobs.job_id AND status IN ('queued', 'running')) AS open,
            (SELECT count(*) FROM tasks
                WHERE job_id = jobs.job_id AND started_at > cancel_requested_at)
                AS claims,
            (SELECT count(*) FROM provider_calls
                WHERE job_id = jobs.job_id AND created_at > cancel_requested_at)
                AS calls,
            (SELECT count(*) FROM tasks
                WHERE job_id = jobs.job_id AND ended_at > stopped_at) AS ends
        FROM jobs WHERE job_id = %s
        """,
        UUID(job_id),
    )
    assert late == {"open": 0, "claims": 0, "calls": 0, "ends": 0}
    await eventually(lambda: not system.files_in_the_making())
    assert not system.videos(job_id)
