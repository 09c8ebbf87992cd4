"""Measures audio; runs in a media process."""

from __future__ import annotations

from typing import Any

import av
from av.error import FFmpegError

from refrain.storyboard import LONGEST_SONG


def measure_audio(*, path: str) -> dict[str, Any]:
    """Decodes all of it and returns `{"seconds"}`; raises ValueError if it cannot."""
    try:
        with av.open(path) as container:
            if not container.streams.audio:
                raise ValueError("this file holds no audio; send an audio file")
            seconds = 0.0
            for frame in container.decode(container.streams.audio[0]):
                seconds += frame.samples / frame.sample_rate
                if seconds > LONGEST_SONG.total_seconds():
                    raise ValueError("the audio is longer than 20 minutes")
    except FFmpegError as err:
        raise ValueError(
            "this is not audio that can be read; send MP3, M4A, WAV, Ogg or FLAC"
        ) from err
    if seconds <= 0:
        raise ValueError("the audio is empty")
    return {"seconds": round(seconds, 6)}
