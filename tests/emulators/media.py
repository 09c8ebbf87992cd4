"""Real pictures and clips, made once and kept."""

from __future__ import annotations

import asyncio
import base64
import io
import math
import threading
from fractions import Fraction
from functools import lru_cache
from typing import Any

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.packet import Packet
from av.video.frame import VideoFrame
from PIL import Image

Size = tuple[int, int]
"""Width and height in pixels."""

LOOP = 24
"""Frames that are encoded; a clip repeats them, each time from an IDR frame on."""
ENCODER = {"preset": "ultrafast", "tune": "zerolatency", "g": str(LOOP)}
AUDIO_RATE = 48_000
AUDIO_FRAME = 1024
COMMENT = 65_533
"""Bytes that one comment of a JPEG holds at most."""

_encoding = threading.Lock()


@lru_cache(maxsize=64)
def jpeg(size: Size, length: int, shade: int) -> bytes:
    """Returns a picture in RGB of `length` bytes or more, filled up with comments.

    `shade`, of 0 to 255, tells pictures apart.
    """
    width, height = size
    across = np.linspace(0, 255, width, dtype=np.uint8)[np.newaxis, :]
    down = np.linspace(0, 255, height, dtype=np.uint8)[:, np.newaxis]
    planes = np.broadcast_arrays(across, down, np.uint8(shade))
    file = io.BytesIO()
    Image.fromarray(np.dstack(planes)).save(file, "JPEG", quality=85)
    start, rest = file.getvalue()[:2], file.getvalue()[2:]
    missing = max(0, length - len(rest))
    comment = b"\xff\xfe" + (COMMENT + 2).to_bytes(2, "big") + bytes(COMMENT)
    return start + comment * math.ceil(missing / len(comment)) + rest


async def clip(size: Size, rate: int, seconds: float, *, audio: bool) -> bytes:
    """Returns an MP4 of H.264 and, if asked for, AAC; `rate` in frames a second.

    It has round(seconds * rate) frames.
    """
    return await asyncio.to_thread(_clip_once, size, rate, round(seconds * rate), audio)


def is_picture(encoded: str) -> bool:
    """Says whether it is a JPEG or a PNG, in base64."""
    try:
        picture = base64.b64decode(encoded, validate=True)
    except ValueError:
        return False
    return picture.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"))


def turned(size: Size) -> Size:
    """Returns the size of the upright frame."""
    return size[1], size[0]


def _clip_once(size: Size, rate: int, frames: int, audio: bool) -> bytes:
    """Makes those who ask for a clip in the making wait for it."""
    with _encoding:
        return _clip(size, rate, frames, audio)


@lru_cache(maxsize=32)
def _clip(size: Size, rate: int, frames: int, audio: bool) -> bytes:
    file = io.BytesIO()
    width, height = size
    with av.open(file, "w", format="mp4") as opened:
        output: Any = opened
        stream = output.add_stream(
            "libx264", rate, ENCODER, width=width, height=height, pix_fmt="yuv420p"
        )
        sound = output.add_stream("aac", AUDIO_RATE, layout="mono") if audio else None
        loop: list[bytes] = [
            bytes(packet)
            for number in range(LOOP)
            for packet in stream.encode(_frame(width, height, number))
        ]
        for number in range(frames):
            packet: Any = Packet(loop[number % LOOP])
            packet.pts = packet.dts = number
            packet.duration, packet.time_base = 1, Fraction(1, rate)
            packet.is_keyframe = number % LOOP == 0
            packet.stream = stream
            output.mux(packet)
        if sound is not None:
            _hum(output, sound, frames / rate)
    return file.getvalue()


def _frame(width: int, height: int, number: int) -> VideoFrame:
    shades = np.linspace(16, 235, width, dtype=np.uint8)
    luma = np.tile(np.roll(shades, number * width // LOOP), (height, 1))
    gray = np.full((height // 2, width), 128, np.uint8)
    frame = VideoFrame.from_ndarray(np.vstack((luma, gray)), "yuv420p")
    frame.pts = number
    return frame


def _hum(output: Any, stream: Any, seconds: float) -> None:
    for start in range(0, round(seconds * AUDIO_RATE), AUDIO_FRAME):
        times = np.arange(start, start + AUDIO_FRAME) / AUDIO_RATE
        samples = (0.05 * np.sin(2 * np.pi * 220 * times)).astype(np.float32)
        frame = AudioFrame.from_ndarray(samples[np.newaxis], "fltp", "mono")
        frame.sample_rate, frame.pts = AUDIO_RATE, start
        output.mux(stream.encode(frame))
    output.mux(stream.encode(None))
