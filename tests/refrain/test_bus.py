"""The bus against a real nats-server: who hears what, and what an outage costs."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from refrain.bus import STOPS_PER_EVENT, Bus
from refrain.job import Job, Kind, Status
from refrain.local.embedded import EmbeddedNats
from refrain.local.ports import free_port
from refrain.store import Change
from refrain.v1.stop_event_pb2 import StopEvent
from tests.eventually import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator
    from pathlib import Path

    from refrain.local.guardian import Guardian
    from tests.refrain.record import Record


@asynccontextmanager
async def connected(url: str) -> AsyncGenerator[Bus]:
    async with Bus(url, "test") as bus:
        await eventually(lambda: bus.connected)
        yield bus


@pytest.fixture
async def bus(nats_server: EmbeddedNats) -> AsyncIterator[Bus]:
    async with connected(nats_server.url) as bus:
        yield bus


@pytest.fixture
async def other(nats_server: EmbeddedNats) -> AsyncIterator[Bus]:
    async with connected(nats_server.url) as bus:
        yield bus


@pytest.fixture
async def gateway(nats_server: EmbeddedNats) -> AsyncIterator[Bus]:
    """Announces; what it hears of itself does not come from NATS."""
    async with connected(nats_server.url) as bus:
        yield bus


@pytest.fixture
async def job(record: Record) -> Job:
    return await record.create()


async def ring_until(bus: Bus, change: Change, heard: list[UUID]) -> None:
    """Announces again and again: a subscription may still be on its way."""

    async def heard_it() -> bool:
        await bus.announce([change])
        return change.job.job_id in heard

    await eventually(heard_it)


async def test_a_stop_reaches_everyone_with_its_sequence(
    gateway: Bus, bus: Bus, other: Bus, job: Job
) -> None:
    heard: dict[str, StopEvent] = {}
    await bus.on_stop(lambda event: heard.update(bus=event))
    await other.on_stop(lambda event: heard.update(other=event))
    cancelled = replace(job, status=Status.CANCELLING, event_sequence=7)

    async def both_heard() -> bool:
        await gateway.announce([Change(job=cancelled, stops=True)])
        return len(heard) == 2

    await eventually(both_heard)
    for event in heard.values():
        assert event.kind == StopEvent.CANCEL
        ((job_id, sequence),) = [(s.job_id, s.event_sequence) for s in event.stops]
        assert (UUID(job_id), sequence) == (job.job_id, 7)


async def test_whoever_announces_hears_it_once_and_at_once_even_without_nats(
    bus: Bus, job: Job
) -> None:
    async with Bus(f"nats://127.0.0.1:{free_port()}", "test") as alone:
        for each in (bus, alone):
            stops: list[StopEvent] = []
            events: list[UUID] = []
            await each.on_stop(stops.append)
            await each.on_event(events.append)
            await each.announce([Change(job=job, stops=True)])
            assert len(stops) == 1
            assert events == [job.job_id]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (Status.CANCELLING, StopEvent.CANCEL),
        (Status.PAUSING, StopEvent.PAUSE),
        (Status.PROCESSING, StopEvent.FAIL),
    ],
)
async def test_a_stop_says_why_the_job_stops(
    bus: Bus, job: Job, status: Status, kind: StopEvent.Kind.ValueType
) -> None:
    heard: list[StopEvent] = []
    await bus.on_stop(heard.append)
    await bus.announce([Change(job=replace(job, status=status), stops=True)])
    assert [event.kind for event in heard] == [kind]


async def test_many_stops_go_out_by_the_thousand(bus: Bus, job: Job) -> None:
    heard: list[StopEvent] = []
    await bus.on_stop(heard.append)
    jobs = [replace(job, job_id=UUID(int=number)) for number in range(2500)]
    await bus.announce([Change(job=each, stops=True) for each in jobs])
    await eventually(lambda: len(heard) == 3)
    assert [len(event.stops) for event in heard] == [STOPS_PER_EVENT] * 2 + [500]
    stopped = [stop.job_id for event in heard for stop in event.stops]
    assert stopped == [str(each.job_id) for each in jobs]


async def test_an_event_reaches_those_who_watch_events(
    bus: Bus, other: Bus, job: Job
) -> None:
    heard: list[UUID] = []
    await other.on_event(heard.append)
    await ring_until(bus, Change(job=job), heard)
    assert set(heard) == {job.job_id}


async def test_a_doorbell_rings_at_one_of_those_who_are_idle(
    gateway: Bus, bus: Bus, other: Bus, job: Job
) -> None:
    rung: list[str] = []
    await bus.on_work(Kind.PLAN, lambda: rung.append("bus"))
    bell = await other.on_work(Kind.PLAN, lambda: rung.append("other"))
    await bus.on_work(Kind.STITCH, lambda: rung.append("wrong"))

    async def both_rung() -> bool:
        await gateway.announce([Change(job=job, queued=(Kind.PLAN,))])
        return set(rung) == {"bus", "other"}

    await eventually(both_rung)
    await bell.close()

    async def only_bus_rung() -> bool:
        rung.clear()
        await gateway.announce([Change(job=job, queued=(Kind.PLAN,) * 20)])
        return await eventually(lambda: rung == ["bus"] * 20, within=0.3)

    await eventually(only_bus_rung)
    await bell.open()
    await eventually(both_rung)


async def test_a_callback_that_fails_goes_on_hearing(
    gateway: Bus, bus: Bus, job: Job
) -> None:
    heard: list[UUID] = []

    def fail_at_first(job_id: UUID) -> None:
        heard.append(job_id)
        if len(heard) == 1:
            raise LookupError

    await bus.on_event(fail_at_first)

    async def heard_twice() -> bool:
        await gateway.announce([Change(job=job)])
        return len(heard) > 1

    await eventually(heard_twice)


async def test_without_nats_an_announcement_says_nothing_and_never_fails(
    job: Job,
) -> None:
    async with Bus(f"nats://127.0.0.1:{free_port()}", "test") as bus:
        await bus.on_stop(lambda _event: None)
        await bus.announce([Change(job=job, stops=True, queued=(Kind.PLAN,))])
        assert not bus.connected


async def test_whoever_began_without_nats_hears_as_soon_as_it_is_there(
    guardian: Guardian, tmp_path: Path, job: Job
) -> None:
    late = EmbeddedNats(tmp_path / "nats", guardian)
    heard: list[UUID] = []
    missed = asyncio.Event()
    async with Bus(late.url, "test") as bus, Bus(late.url, "test") as gateway:
        await bus.on_event(heard.append)
        bus.on_reconnect(missed.set)
        assert not missed.is_set()
        with late:
            await eventually(missed.is_set)
            await ring_until(gateway, Change(job=job), heard)


async def test_after_a_restart_of_nats_all_hear_again_and_look_for_what_they_missed(
    guardian: Guardian, tmp_path: Path, job: Job
) -> None:
    mortal = EmbeddedNats(tmp_path / "nats", guardian)
    heard: list[UUID] = []
    missed = asyncio.Event()
    with mortal:
        async with connected(mortal.url) as bus, connected(mortal.url) as gateway:
            await bus.on_event(heard.append)
            bus.on_reconnect(missed.set)
            await ring_until(gateway, Change(job=job), heard)
            missed.clear()
            await asyncio.to_thread(mortal.stop)
            await eventually(lambda: not bus.connected)
            await gateway.announce([Change(job=job)])
            heard.clear()
            await asyncio.to_thread(mortal.start)
            await eventually(missed.is_set)
            await ring_until(gateway, Change(job=job), heard)
