"""The samples become videos that other programs play."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import imageio_ffmpeg
import pytest

from refrain.cli.client import Client
from refrain.lyrics import parse_lyrics, timed_lines
from refrain.v1 import job_pb2
from refrain.v1 import job_service_pb2 as v1

if TYPE_CHECKING:
    from tests.system.system import System

SAMPLES = Path(__file__).parents[2] / "samples"
FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
FRAME_RATE = 24
FRAME = 1 / FRAME_RATE
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("slug", "width", "height"),
    [
        ("twinkle", 320, 180),
        pytest.param("greensleeves", 320, 180, marks=pytest.mark.long),
        pytest.param("greensleeves", 1280, 720, marks=pytest.mark.long),
    ],
)
async def test_a_sample_becomes_a_video_that_another_program_plays(
    system: System, tmp_path: Path, slug: str, width: int, height: int
) -> None:
    lyrics = (SAMPLES / f"{slug}.lrc").read_text()
    await system.start()
    async with Client(f"127.0.0.1:{system.grpc_port}") as client:
        audio_uri = await client.upload_audio(SAMPLES / f"{slug}.m4a")
        job = await client.create_job(
            v1.CreateJobRequest(
                title=slug,
                lyrics=lyrics,
                audio_uri=audio_uri,
                video=v1.VideoOptions(width=width, height=height),
            )
        )
        done = await system.until(job.job_id, lambda event: _finished(event.job))
        assert done.job.status == job_pb2.Job.COMPLETED, done.job.error
        video = tmp_path / "video.mp4"
        vtt = tmp_path / "captions.vtt"
        poster = tmp_path / "poster.jpg"
        await client.download(done.job.video.uri, video)
        await client.download(done.job.video.captions_uri, vtt)
        await client.download(done.job.video.poster_uri, poster)
    *_, last = await system.segments(job.job_id)
    song = last.end_offset.ToTimedelta()
    assert abs(await _length(SAMPLES / f"{slug}.m4a", "0:a") - song / SECOND) < FRAME
    picture = await _length(video, "0:v")
    assert await _frames(video) == round(FRAME_RATE * (song / SECOND))
    assert abs(picture - await _length(video, "0:a")) < FRAME
    assert b"moov" in video.read_bytes()[:64]
    expected = [
        (line.text, line.start, line.end or line.start)
        for line in timed_lines(parse_lyrics(lyrics), song)
    ]
    assert await _captions(video) == expected
    assert await _captions(vtt) == expected
    assert await _frames(poster) == 1


def _finished(job: job_pb2.Job) -> bool:
    return job.HasField("finish_time")


async def _frames(path: Path) -> int:
    """Decodes every frame, strictly, and counts them."""
    said = await _ffmpeg("-i", path, "-map", "0:v", "-f", "null", "-")
    return int(re.findall(r"frame=\s*(\d+)", said)[-1])


async def _length(path: Path, stream: str) -> float:
    """Decodes a whole stream, strictly; returns seconds."""
    said = await _ffmpeg("-i", path, "-map", stream, "-f", "null", "-")
    hours, minutes, seconds = re.findall(r"time=(\d+):(\d+):([\d.]+)", said)[-1]
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


async def _captions(path: Path) -> list[tuple[str, timedelta, timedelta]]:
    """Reads captions as WebVTT: what they say, and from when to when."""
    said = await _ffmpeg("-v", "error", "-i", path, "-map", "0:s", "-f", "webvtt", "-")
    cues = re.findall(r"(\S+) --> (\S+)\n(.*?)\n(?:\n|\Z)", said, re.DOTALL)
    return [(text, _time(start), _time(end)) for start, end, text in cues]


def _time(stamp: str) -> timedelta:
    minutes, seconds, milliseconds = map(int, re.split("[:.]", stamp))
    return timedelta(minutes=minutes, seconds=seconds, milliseconds=milliseconds)


async def _ffmpeg(*arguments: str | Path) -> str:
    strict = ("-xerror", "-err_detect", "explode")
    process = await asyncio.create_subprocess_exec(
        FFMPEG,
        "-nostdin",
        "-hide_banner",
        *strict,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    return said.decode()
