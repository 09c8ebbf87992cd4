"""What `refrain create` asks for: options and files as a CreateJobRequest."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from google.protobuf.duration_pb2 import Duration

from refrain.cli.terminal import CommandError
from refrain.lyrics import LyricsError, parse_lyrics
from refrain.v1 import job_service_pb2 as v1

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping
    from datetime import timedelta


def read_song(asked: Namespace) -> v1.CreateJobRequest:
    """Raises CommandError for lyrics that are no text, and numbers without end.

    Without lyrics, and unless the song has no words, they are to be looked up.
    """
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
            storyboard_provider=asked.storyboard,
            image_provider=asked.images,
            clip_provider=asked.clips,
            video=v1.VideoOptions(
                width=width, height=height, frame_rate=asked.frame_rate
            ),
            max_in_flight=asked.max_in_flight,
            priority=asked.priority,
            cancel_after=_duration(asked.cancel_after),
            max_cost_usd=asked.budget,
            on_refusal=(
                v1.CreateJobRequest.STAND_IN
                if asked.stand_in
                else v1.CreateJobRequest.ON_REFUSAL_UNSPECIFIED
            ),
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
        lyrics = raw.decode()
    except UnicodeDecodeError as error:
        raise CommandError(f"{path} is not UTF-8 text; save it as UTF-8") from error
    if not lyrics.strip():
        raise CommandError(
            f"there are no lyrics in {path}; leave --lyrics out to have them looked up"
        )
    return lyrics


def _tags(lyrics: str) -> Mapping[str, str]:
    try:
        return parse_lyrics(lyrics).tags
    except LyricsError:
        return {}  # The gateway says what is wrong with them.


def _duration(span: timedelta | None) -> Duration | None:
    if span is None:
        return None
    message = Duration()
    message.FromTimedelta(span)
    return message
