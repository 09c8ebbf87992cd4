"""NATS: doorbells and the stop feed. A lost message costs time, never truth.

The services run without it: `announce` never fails, and what it did not say is
found by the next poll.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Self
from uuid import UUID

import nats
import nats.errors
from nats.aio.client import Client

from refrain.job import Status
from refrain.v1.stop_event_pb2 import StopEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from nats.aio.msg import Msg
    from nats.aio.subscription import Subscription

    from refrain.job import Job, Kind
    from refrain.store import Change

log = logging.getLogger(__name__)

STOP_SUBJECT = "refrain.stop"
STOPS_PER_EVENT = 1000


class Bus:
    """One connection to NATS, made in the background and kept for ever."""

    def __init__(self, url: str, name: str) -> None:
        self._url = url
        self._name = name
        self._client = Client()
        self._bells: list[Bell] = []
        self._reconnected: list[Callable[[], None]] = []
        self._on_stop: list[Callable[[StopEvent], None]] = []
        self._on_event: list[Callable[[UUID], None]] = []
        self._connecting: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._connecting = asyncio.create_task(self._connect())
        return self

    async def __aexit__(self, *_exc: object) -> None:
        if self._connecting is None:
            return
        self._connecting.cancel()
        await asyncio.wait([self._connecting])
        # A client that was never connected cannot be closed: it raises.
        if not self._connecting.cancelled() and not self._connecting.exception():
            with contextlib.suppress(nats.errors.Error, OSError):
                await self._client.close()

    @property
    def connected(self) -> bool:
        return self._client.is_connected

    def on_reconnect(self, callback: Callable[[], None]) -> None:
        """Calls back whenever messages may have been missed."""
        self._reconnected.append(callback)

    async def on_stop(self, callback: Callable[[StopEvent], None]) -> None:
        """Hears every stop. The callback neither waits nor raises."""
        self._on_stop.append(callback)
        await self._listen(
            STOP_SUBJECT, lambda message: callback(StopEvent.FromString(message.data))
        )

    async def on_event(self, callback: Callable[[UUID], None]) -> None:
        """Hears the id of every job that has a new event."""
        self._on_event.append(callback)
        await self._listen(
            "refrain.events.*",
            lambda message: callback(UUID(message.subject.rpartition(".")[2])),
        )

    async def on_work(self, kind: Kind, callback: Callable[[], None]) -> Bell:
        """Hears of queued tasks, as one of the group of idle workers."""
        return await self._listen(
            f"refrain.work.{kind}", lambda _message: callback(), group=kind
        )

    async def announce(self, changes: Iterable[Change]) -> None:
        """Tells everyone whom the changes concern to look; never fails.

        This process hears it at once and not from NATS, which echoes nothing.
        """
        changes = list(changes)
        try:
            for event in _stop_events([change for change in changes if change.stops]):
                for callback in self._on_stop:
                    callback(event)
                await self._publish(STOP_SUBJECT, event.SerializeToString())
            for change in changes:
                for ring in self._on_event:
                    ring(change.job.job_id)
                sequence = str(change.job.event_sequence).encode()
                await self._publish(f"refrain.events.{change.job.job_id}", sequence)
                for kind in change.queued:
                    await self._publish(f"refrain.work.{kind}", b"")
        except nats.errors.Error as err:
            log.warning("not announced: %r", err)

    async def _publish(self, subject: str, payload: bytes) -> None:
        if self._client.is_connected:
            await self._client.publish(subject, payload)

    async def _listen(
        self, subject: str, callback: Callable[[Msg], None], *, group: str = ""
    ) -> Bell:
        bell = Bell(self._client, subject, group, callback)
        self._bells.append(bell)
        await bell.open()
        return bell

    async def _connect(self) -> None:
        """Connects, however long that takes; the client reconnects by itself."""
        try:
            await self._connect_once()
        except nats.errors.Error:
            log.exception("no doorbells: NATS refuses us")

    async def _connect_once(self) -> None:
        await self._client.connect(
            self._url,
            name=self._name,
            no_echo=True,
            error_cb=self._on_error,
            reconnected_cb=self._on_connected,
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.25,  # pyright: ignore[reportArgumentType]
            connect_timeout=2,
            ping_interval=5,
            max_outstanding_pings=2,
        )
        await self._on_connected()

    async def _on_connected(self) -> None:
        for bell in self._bells:
            await bell.open()
        for callback in self._reconnected:
            callback()

    async def _on_error(self, error: Exception) -> None:
        log.warning("nats: %r", error)


class Bell:
    """A subscription that can be left and taken up again."""

    def __init__(
        self, client: Client, subject: str, group: str, callback: Callable[[Msg], None]
    ) -> None:
        self._client = client
        self._subject = subject
        self._group = group
        self._callback = callback
        self._wanted = True
        self._subscription: Subscription | None = None

    async def open(self) -> None:
        """Listens, now or as soon as NATS is there."""
        self._wanted = True
        if self._subscription is None and self._client.is_connected:
            with contextlib.suppress(nats.errors.Error):
                self._subscription = await self._client.subscribe(  # pyright: ignore[reportUnknownMemberType]
                    self._subject, queue=self._group, cb=self._hear
                )

    async def close(self) -> None:
        """Listens no more; what is on its way may still arrive."""
        self._wanted = False
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            with contextlib.suppress(nats.errors.Error):
                await subscription.unsubscribe()

    async def _hear(self, message: Msg) -> None:
        if self._wanted:
            self._callback(message)


def _stop_events(changes: list[Change]) -> Iterator[StopEvent]:
    for kind in (StopEvent.CANCEL, StopEvent.PAUSE, StopEvent.FAIL):
        stops = [
            StopEvent.Stop(
                job_id=str(change.job.job_id), event_sequence=change.job.event_sequence
            )
            for change in changes
            if _stop_kind(change.job) == kind
        ]
        for start in range(0, len(stops), STOPS_PER_EVENT):
            yield StopEvent(kind=kind, stops=stops[start : start + STOPS_PER_EVENT])


def _stop_kind(job: Job) -> StopEvent.Kind.ValueType:
    match job.status:
        case Status.CANCELLING:
            return StopEvent.CANCEL
        case Status.PAUSING:
            return StopEvent.PAUSE
        case _:
            return StopEvent.FAIL
