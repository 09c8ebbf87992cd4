"""What each command of the command line does; it returns the exit code."""

from __future__ import annotations

import asyncio
import re
import sys
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import grpc.aio
from google.protobuf.duration_pb2 import Duration

from refrain.cli.client import FINISHED, explain
from refrain.cli.progress import JsonLines, view
from refrain.cli.receipt import clock, facts, receipt, status
from refrain.cli.terminal import complain
from refrain.lyrics import LyricsError, parse_lyrics
from refrain.v1 import job_service_pb2 as v1
from refrain.v1.job_pb2 import Job, JobEvent, Segment, Task

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from datetime import timedelta

    from refrain.cli.client import Client
    from refrain.cli.terminal import Terminal


class CommandError(Exception):
    """The command cannot be done; the message says what to do."""


async def create(client: Client, asked: Namespace, terminal: Terminal) -> int:
    """Creates a job, and with --watch follows it to its end."""
    request = _request(asked)
    if asked.audio:
        request.audio_uri = await client.upload_audio(asked.audio)
    job = await client.create_job(request)
    if asked.watch:
        return await _follow(client, [job.job_id], asked, terminal)
    if asked.json:
        terminal.document(job)
    else:
        terminal.say(job.job_id)
    return 0


async def watch(client: Client, asked: Namespace, terminal: Terminal) -> int:
    """Follows jobs to their end; 0 when each of them has its video."""
    return await _follow(client, asked.job_ids, asked, terminal)


async def cancel(client: Client, asked: Namespace, terminal: Terminal) -> int:
    """Cancels jobs, waits until each is CANCELLED, and shows the receipts."""
    job_ids: list[str] = asked.job_ids
    if terminal.interactive and not asked.yes:
        job_ids = [
            job_id
            for job_id in job_ids
            if terminal.confirm(_cancel_question(await client.get_job(job_id)))
        ]

    async def stop(job_id: str) -> None:
        job = await client.cancel_job(job_id, asked.reason)
        async with aclosing(client.watch(job_id, job.event_sequence)) as events:
            async for event in events:
                job = event.job
        if asked.json:
            terminal.json_line(job)
            return
        terminal.say(f"{job.title}: {status(job)}")
        terminal.facts(receipt(job))

    try:
        return await _each(client, job_ids, stop)
    except asyncio.CancelledError:
        complain("no longer waiting; what was asked to be cancelled will be")
        raise


async def list_jobs(client: Client, asked: Namespace, terminal: Terminal) -> int:
    """Lists jobs, newest first."""
    wanted = v1.JobFilter(statuses=asked.status, text=asked.text)
    jobs = await client.list_jobs(wanted, asked.limit)
    if asked.json:
        terminal.document(v1.ListJobsResponse(jobs=jobs))
        return 0
    terminal.table(
        ["job", "status", "segments", "created", "title", "artist"],
        [
            [
                job.job_id,
                status(job),
                f"{job.segments_completed}/{job.segments_total}",
                clock(job.create_time).rpartition(".")[0],
                job.title,
                job.artist,
            ]
            for job in jobs
        ],
    )
    return 0


async def show(client: Client, asked: Namespace, terminal: Terminal) -> int:
    """Shows a job, its segments, its tasks, and the receipt of its cancel."""
    job, segments, tasks = await asyncio.gather(
        client.get_job(asked.job_id),
        client.list_segments(asked.job_id),
        client.list_tasks(asked.job_id),
    )
    if asked.json:
        terminal.document({"job": job, "segments": segments, "tasks": tasks})
        return 0
    terminal.facts({**facts(job), **receipt(job)})
    terminal.table(
        ["segment", "begins", "ends", "clip", "words"], map(_segment_row, segments)
    )
    terminal.table(
        ["task", "status", "attempt", "failures", "stop", "error"],
        map(_task_row, tasks),
    )
    return 0


async def download(client: Client, asked: Namespace, terminal: Terminal) -> int:
    """Writes the video, its poster and its captions into a folder."""
    job = await client.get_job(asked.job_id)
    if not job.HasField("video"):
        raise CommandError(f"{job.title!r} has no video: it is {status(job)}")
    files = _files(job, asked.to or Path(slug(job.title)))
    for uri, path in files.values():
        await client.download(uri, path)
    paths = {name: str(path) for name, (_, path) in files.items()}
    if asked.json:
        terminal.document(paths)
    else:
        terminal.facts(paths)
    return 0


def slug(title: str) -> str:
    """Returns the title as the name of a file."""
    return re.sub(r"\W+", "-", title.lower()).strip("-")[:60] or "video"


def _request(asked: Namespace) -> v1.CreateJobRequest:
    lyrics = _read_lyrics(asked.lyrics)
    tags = _tags(lyrics)
    width, height = asked.size
    try:
        return v1.CreateJobRequest(
            title=tags.get("ti", "") if asked.title is None else asked.title,
            artist=tags.get("ar", "") if asked.artist is None else asked.artist,
            lyrics=lyrics,
            song_duration=_duration(asked.duration),
            instrumental=asked.instrumental,
            style=asked.style,
            video=v1.VideoOptions(
                width=width, height=height, frame_rate=asked.frame_rate
            ),
            max_in_flight=asked.max_in_flight,
            priority=asked.priority,
            cancel_after=_duration(asked.cancel_after),
            labels=dict(asked.label),
            request_id=asked.request_id,
        )
    except ValueError as error:
        raise CommandError(str(error)) from error


def _read_lyrics(path: str | None) -> str:
    if path is None:
        return ""
    raw = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise CommandError(f"{path} is not UTF-8 text; save it as UTF-8") from error


def _tags(lyrics: str) -> Mapping[str, str]:
    try:
        return parse_lyrics(lyrics).tags
    except LyricsError:
        return {}  # The gateway says what is wrong with them.


def _files(job: Job, folder: Path) -> dict[str, tuple[str, Path]]:
    """Makes the folder and returns by name what comes from where to where."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        "video": (job.video.uri, folder / "video.mp4"),
        "poster": (job.video.poster_uri, folder / "poster.jpg"),
        "captions": (job.video.captions_uri, folder / "captions.vtt"),
    }
    return {name: (uri, path) for name, (uri, path) in files.items() if uri}


def _duration(span: timedelta | None) -> Duration | None:
    if span is None:
        return None
    message = Duration()
    message.FromTimedelta(span)
    return message


async def _follow(
    client: Client, job_ids: Sequence[str], asked: Namespace, terminal: Terminal
) -> int:
    ended: list[Job] = []

    async def follow(shown: Callable[[JobEvent], None], job_id: str) -> None:
        async with aclosing(client.watch(job_id)) as events:
            async for event in events:
                shown(event)
                if event.job.status in FINISHED:
                    ended.append(event.job)

    try:
        with JsonLines(terminal) if asked.json else view(terminal) as shown:
            code = await _each(client, job_ids, partial(follow, shown.show))
    except asyncio.CancelledError:
        complain("no longer watching; the job goes on, `refrain cancel` would stop it")
        raise
    for job in ended:
        if job.status != Job.COMPLETED:
            complain(f"{job.title!r} is {status(job)}: {job.message}")
            code = 1
    return code


async def _each(
    client: Client, job_ids: Sequence[str], act: Callable[[str], Awaitable[None]]
) -> int:
    """Does it for all jobs at once, each for itself; 1 when any call failed."""

    async def attempt(job_id: str) -> int:
        try:
            await act(job_id)
        except grpc.aio.AioRpcError as error:
            complain(explain(error, client.server))
            return 1
        return 0

    return max(await asyncio.gather(*map(attempt, job_ids)), default=0)


def _cancel_question(job: Job) -> str:
    by = f" by {job.artist}" if job.artist else ""
    done = f"{job.segments_completed} of {job.segments_total} segments"
    return f"Cancel {job.title!r}{by} ({done} done)?"


def _segment_row(segment: Segment) -> list[str]:
    return [
        str(segment.position),
        f"{segment.start_offset.ToTimedelta().total_seconds():.2f}",
        f"{segment.end_offset.ToTimedelta().total_seconds():.2f}",
        "made" if segment.clip_uri else "",
        " / ".join(line.text for line in segment.lines),
    ]


def _task_row(task: Task) -> list[str]:
    kind = Task.Kind.Name(task.kind).lower()
    stopped = Task.StopMode.Name(task.stop_mode).lower().replace("_", " ")
    return [
        f"{kind} {task.position}" if task.kind == Task.SEGMENT else kind,
        Task.Status.Name(task.status).lower(),
        str(task.attempt),
        str(task.failures),
        stopped if task.stop_mode else "",
        task.error.message,
    ]
