"""The demo: makes one sample's video, then cancels another in the middle.

It runs on a system of its own, on free ports, which is gone when it ends; only the
video stays.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import grpc.aio

from refrain.cli.calls import explain
from refrain.cli.client import Client
from refrain.cli.commands import slug
from refrain.cli.progress import view
from refrain.cli.receipt import receipt, status
from refrain.cli.terminal import CommandError
from refrain.local.system import LocalSystem
from refrain.lyrics import parse_lyrics
from refrain.providers import LOCAL
from refrain.store import migrate
from refrain.v1.job_pb2 import Job, JobEvent
from refrain.v1.job_service_pb2 import CreateJobRequest

if TYPE_CHECKING:
    from collections.abc import Generator

    from refrain.cli.terminal import Terminal

SAMPLES = Path(__file__).parents[2] / "samples"
SHORT, LONG = "twinkle", "greensleeves"
REASON = "the demo has seen enough"
KEPT = 3
"""Segments that are finished when the cancel is asked for."""

_OWN_SYSTEM = {
    "REFRAIN_DATABASE_URL": "",
    "REFRAIN_NATS_URL": "",
    "REFRAIN_STORAGE_URL": "",
    "REFRAIN_GRPC_PORT": "0",
    "REFRAIN_HTTP_PORT": "0",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A song of `samples/`."""

    request: CreateJobRequest
    audio: Path


async def demo(folder: Path, terminal: Terminal) -> int:
    """Returns 0 when the video is in `folder` and the cancel was what it should be.

    Raises CommandError when the video cannot be made, StartError when nothing runs.
    """
    short, long = read_sample(SHORT), read_sample(LONG)
    with _home(folder) as home:
        system = LocalSystem(
            home,
            migrate=migrate,
            say=terminal.say,
            environment={**os.environ, **_OWN_SYSTEM},
        )
        async with system, Client(system.grpc_address) as client:
            try:
                video = await _make_video(client, short, folder, terminal)
                cancelled = await _cancel_midway(client, long, terminal)
            except grpc.aio.AioRpcError as error:
                raise CommandError(explain(error, client.server)) from error
    failures = shortcomings(cancelled)
    for failure in failures:
        terminal.say(f"failed: {failure}")
    terminal.say(f"video: {video}")
    return 1 if failures else 0


def read_sample(name: str) -> Sample:
    """Raises CommandError when the samples are not there."""
    lyrics, audio = SAMPLES / f"{name}.lrc", SAMPLES / f"{name}.m4a"
    if not (lyrics.exists() and audio.exists()):
        raise CommandError(
            f"the demo needs {lyrics} and {audio.name}: run it in a clone of the "
            "repository"
        )
    text = lyrics.read_text()
    tags = parse_lyrics(text).tags
    request = CreateJobRequest(title=tags["ti"], artist=tags["ar"], lyrics=text)
    # A demo costs nothing, whatever keys there are.
    request.storyboard_provider = request.image_provider = LOCAL
    request.clip_provider = LOCAL
    return Sample(request=request, audio=audio)


def shortcomings(job: Job) -> list[str]:
    """Returns in what the job differs from one cancelled amid its segments."""
    return [
        failure
        for failure, is_so in {
            f"the job is {status(job)}": job.status != Job.CANCELLED,
            "no task was aborted": job.cancellation.tasks_aborted < 1,
            "no segment was kept": job.segments_completed < 1,
        }.items()
        if is_so
    ]


async def _make_video(
    client: Client, sample: Sample, folder: Path, terminal: Terminal
) -> Path:
    job = await _create(client, sample)
    async with aclosing(client.watch(job.job_id)) as events:
        with view(terminal) as shown:
            async for event in events:
                shown.show(event)
                job = event.job
    if job.status != Job.COMPLETED:
        raise CommandError(f"{job.title!r} is {status(job)}: {job.message}")
    path = folder / f"{slug(job.title)}.mp4"
    await client.download(job.video.uri, path)
    _check_size(path, job)
    return path


async def _cancel_midway(client: Client, sample: Sample, terminal: Terminal) -> Job:
    """Cancels when some segments are kept and another has just begun."""
    job = await _create(client, sample)
    asked = False
    async with aclosing(client.watch(job.job_id)) as events:
        with view(terminal) as shown:
            async for event in events:
                shown.show(event)
                if not asked and _is_midway(event):
                    asked = True
                    await client.cancel_job(job.job_id, REASON)
    job = await client.get_job(job.job_id)
    terminal.facts(receipt(job))
    return job


async def _create(client: Client, sample: Sample) -> Job:
    audio_uri = await client.upload_audio(sample.audio)
    request = CreateJobRequest(audio_uri=audio_uri)
    request.MergeFrom(sample.request)
    return await client.create_job(request)


def _check_size(path: Path, job: Job) -> None:
    if path.stat().st_size != job.video.size_bytes:
        raise CommandError(f"{path} has not the size of the video that was made")


def _is_midway(event: JobEvent) -> bool:
    return event.kind == JobEvent.TASK_STARTED and event.job.segments_completed >= KEPT


@contextmanager
def _home(folder: Path) -> Generator[Path]:
    """Makes a home for the system, of which only the logs stay, in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="refrain-demo-") as made:
        home = Path(made)
        # PostgreSQL runs as another user where this one is root.
        home.chmod(0o755)
        (home / "logs").mkdir()
        try:
            yield home
        finally:
            shutil.copytree(home / "logs", folder / "logs", dirs_exist_ok=True)
