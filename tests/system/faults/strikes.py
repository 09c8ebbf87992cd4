"""The faults: what each breaks, and how late a cancel may be for it.

A fault is a context manager. Entered, it strikes, lets the test do something in its
midst, and heals as far as anyone sees to that; left, it does what comes late.
"""

from __future__ import annotations

import asyncio
import signal
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg
from nats.aio.client import Client

from refrain.bus import STOP_SUBJECT
from refrain.fence import EXIT_FENCED
from refrain.v1.stop_event_pb2 import StopEvent
from tests.eventually import eventually
from tests.system.faults.site import (
    GATEWAY,
    GATEWAY_NATS,
    IN_MEDIA,
    PATIENCE,
    STUDIO,
    STUDIO_NATS,
    STUDIO_POSTGRES,
    Site,
    Stage,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine

    from nats.aio.msg import Msg

    Meanwhile = Callable[[], Coroutine[None, None, None]]

MANY = 1000


@asynccontextmanager
async def nats_down(site: Site, meanwhile: Meanwhile) -> AsyncGenerator[None]:
    """Killed, and never back."""
    site.nats.kill()
    site.nats.wait()
    await meanwhile()
    yield


@asynccontextmanager
async def nats_restarted(site: Site, meanwhile: Meanwhile) -> AsyncGenerator[None]:
    """Killed, and back only once the stops were published to nobody."""
    site.nats.kill()
    site.nats.wait()
    await meanwhile()
    await asyncio.to_thread(site.nats.start)
    yield


@dataclass(frozen=True, slots=True)
class PostgresDown:
    """Crashes, and recovers after a while; a studio that ended is started again."""

    seconds: float
    outlived: bool
    """Whether the studio is still there after it."""

    @asynccontextmanager
    async def __call__(self, site: Site, meanwhile: Meanwhile) -> AsyncGenerator[None]:
        studio = site.system.processes[STUDIO]
        await asyncio.to_thread(site.postgres.stop)
        async with asyncio.TaskGroup() as group:
            group.create_task(meanwhile())
            try:
                await asyncio.sleep(self.seconds)
            finally:
                await site.start_postgres()
            assert (studio.poll() is None) == self.outlived
            if not self.outlived:
                assert studio.wait() == EXIT_FENCED
                await site.restart(STUDIO)
        yield


@asynccontextmanager
async def postgres_restarted(site: Site, meanwhile: Meanwhile) -> AsyncGenerator[None]:
    """Every connection breaks at the moment of the cancels."""
    async with asyncio.TaskGroup() as group:
        group.create_task(meanwhile())
        await asyncio.to_thread(site.postgres.stop)
        await site.start_postgres()
    yield


@asynccontextmanager
async def gateway_killed_before_it_published(
    site: Site, meanwhile: Meanwhile
) -> AsyncGenerator[None]:
    """Nothing that it says leaves it any more; with the last commit it is killed."""
    site.proxies[GATEWAY_NATS].silence()
    async with _listening(site) as heard:
        await meanwhile()
        site.system.kill(GATEWAY)
        await site.restart(GATEWAY)
        yield
        assert heard == []


@asynccontextmanager
async def gateway_terminated(site: Site, meanwhile: Meanwhile) -> AsyncGenerator[None]:
    """While it commits: the rows are locked until it takes no more calls."""
    gateway = site.system.processes[GATEWAY]
    async with await psycopg.AsyncConnection.connect(site.system.database_url) as held:
        await held.execute("SELECT FROM jobs FOR UPDATE")
        calls = asyncio.create_task(meanwhile())
        await eventually(lambda: calls.done() or site.waits_for_locks(len(site.jobs)))
        gateway.terminate()
        await eventually(lambda: _refuses_connections(site.system.grpc_port))
        await held.rollback()
    assert await asyncio.to_thread(gateway.wait, PATIENCE) == 0
    await site.restart(GATEWAY)
    await calls
    yield


@asynccontextmanager
async def studio_killed(site: Site, meanwhile: Meanwhile) -> AsyncGenerator[None]:
    """By SIGKILL; another is started."""
    site.system.kill(STUDIO)
    await meanwhile()
    await site.restart(STUDIO)
    yield


@asynccontextmanager
async def studio_frozen(site: Site, meanwhile: Meanwhile) -> AsyncGenerator[None]:
    """Past its lease, while another one works; it wakes when all is over."""
    frozen = site.system.processes.pop(STUDIO)
    site.system.processes["frozen"] = frozen
    site.frozen = set(Stage) - IN_MEDIA
    frozen.send_signal(signal.SIGSTOP)
    await meanwhile()
    await site.restart(STUDIO)
    yield
    frozen.send_signal(signal.SIGCONT)
    assert await asyncio.to_thread(frozen.wait, PATIENCE) == EXIT_FENCED
    del site.system.processes["frozen"]


@asynccontextmanager
async def studio_terminated(site: Site, meanwhile: Meanwhile) -> AsyncGenerator[None]:
    """It lets go of what it runs, at the latest when its drain is over, and ends."""
    studio = site.system.processes.pop(STUDIO)
    site.system.processes["old"] = studio
    studio.terminate()
    await meanwhile()
    assert await asyncio.to_thread(studio.wait, PATIENCE) == 0
    del site.system.processes["old"]
    await site.restart(STUDIO)
    yield


@asynccontextmanager
async def studio_cut_from_nats(
    site: Site, meanwhile: Meanwhile
) -> AsyncGenerator[None]:
    """The link is silent; what it held back arrives when all is over."""
    site.proxies[STUDIO_NATS].silence()
    await meanwhile()
    yield
    site.proxies[STUDIO_NATS].mend()


@asynccontextmanager
async def studio_cut_from_postgres(
    site: Site, meanwhile: Meanwhile
) -> AsyncGenerator[None]:
    """It hears of stops and can settle nothing, until its fence ends it."""
    studio = site.system.processes[STUDIO]
    site.proxies[STUDIO_POSTGRES].silence()
    await meanwhile()
    assert await asyncio.to_thread(studio.wait, PATIENCE) == EXIT_FENCED
    assert not any(map(site.witness.held, Stage))
    await site.restart(STUDIO)
    yield
    site.proxies[STUDIO_POSTGRES].mend()


@asynccontextmanager
async def stops_forged_and_repeated(
    site: Site, meanwhile: Meanwhile
) -> AsyncGenerator[None]:
    """Stops that no row knows of, and old ones again, last to first."""
    async with _listening(site) as heard:
        rows = await site.rows("jobs", site.jobs.values())
        stops = [
            StopEvent.Stop(
                job_id=str(row["job_id"]), event_sequence=row["event_sequence"] + 1
            )
            for row in rows
        ]
        await _publish(site, [StopEvent(kind=StopEvent.CANCEL, stops=stops)])
        await eventually(lambda: _all_held_anew(site))
        await meanwhile()
        await _publish(site, heard[::-1] * 3)
        yield
        await _publish(site, heard[::-1] + heard)


@asynccontextmanager
async def a_thousand_cancels(site: Site, meanwhile: Meanwhile) -> AsyncGenerator[None]:
    """Of other jobs, at the same moment."""
    title = Stage.LYRICS
    jobs = await asyncio.gather(*[site.system.create(title=title) for _ in range(MANY)])
    job_ids = [job.job_id for job in jobs]
    await asyncio.gather(*map(site.cancel, job_ids), meanwhile())
    await site.all_cancelled(job_ids)
    yield


@asynccontextmanager
async def _listening(site: Site) -> AsyncGenerator[list[StopEvent]]:
    """What is published on the subject of stops."""
    heard: list[StopEvent] = []

    async def hear(message: Msg) -> None:
        heard.append(StopEvent.FromString(message.data))

    client = Client()
    await client.connect(site.nats.url)
    await client.subscribe(STOP_SUBJECT, cb=hear)  # pyright: ignore[reportUnknownMemberType]
    await client.flush()
    yield heard
    await client.close()


async def _publish(site: Site, events: list[StopEvent]) -> None:
    client = Client()
    await client.connect(site.nats.url)
    for event in events:
        await client.publish(STOP_SUBJECT, event.SerializeToString())
    await client.flush()
    await client.close()


async def _all_held_anew(site: Site) -> bool:
    held = [site.witness.held(stage) for stage in Stage if stage is not Stage.QUEUED]
    return all(len(calls) == 1 and calls[0].attempt == 2 for calls in held)


async def _refuses_connections(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:
        # It was in the queue of a socket that closed at this moment.
        return False
    writer.close()
    await writer.wait_closed()
    return False
