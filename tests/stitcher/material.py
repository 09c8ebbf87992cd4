"""Clips and songs made for the tests of the stitcher."""

from __future__ import annotations

import io
import math
import wave
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame
from PIL import Image

from services.stitcher.clips import Picture
from services.stitcher.timeline import join_clips

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from services.stitcher.captions import Caption

CANONICAL = {"stitchable": "1", "forced-idr": "1", "crf": "18", "b_strategy": "0"}
"""Options of libx264; the last makes it use B-frames whatever it sees."""
WIDTH, HEIGHT, FRAME_RATE = 160, 90, 24
PICTURE = Picture(width=WIDTH, height=HEIGHT, frame_rate=FRAME_RATE)
LENGTHS = (25, 7, 31, 1, 14)
"""Frames of the clips that `clips` makes."""
STARTS = (0, 25, 32, 63, 64)
FRAMES = sum(LENGTHS)
FRAME = 1 / FRAME_RATE
"""Seconds."""


def brightness(clip: int, frame: int) -> int:
    """The mean luminance of a frame, another for every frame of the video."""
    return 20 + 40 * clip + frame


def make_clip(path: Path, frames: int, *, clip: int = 0, **options: str) -> Path:
    """Encodes noise as the local renderer does, with B-frames."""
    width = int(options.pop("width", WIDTH))
    settings = {**CANONICAL, **options}
    noise = np.random.default_rng(clip).integers(-9, 10, (HEIGHT, width))
    with av.open(str(path), "w", format="mp4") as output:
        stream = output.add_stream(  # pyright: ignore[reportUnknownMemberType]
            "libx264", FRAME_RATE, settings, width=width, height=HEIGHT
        )
        for number in range(frames):
            luma = np.roll(noise, number, axis=1) + brightness(clip, number)
            gray = luma.astype(np.uint8)
            chroma = np.full((HEIGHT // 2, width), 128, np.uint8)
            frame = VideoFrame.from_ndarray(np.vstack((gray, chroma)), "yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, FRAME_RATE)
            output.mux(stream.encode(frame))  # pyright: ignore[reportUnknownMemberType]
        output.mux(stream.encode(None))  # pyright: ignore[reportUnknownMemberType]
    return path


def copy(
    source: Path, target: Path, *, skip: int = 0, shift: int = 0, **options: str
) -> Path:
    """Copies a file's packets but the first `skip`, `shift` frames later."""
    with (
        av.open(str(source)) as opened,
        av.open(str(target), "w", format="mp4", container_options=options) as output,
    ):
        streams = {
            stream.index: output.add_stream_from_template(stream)  # pyright: ignore[reportUnknownMemberType]
            for stream in (*opened.streams.video, *opened.streams.audio)
        }
        number = 0
        for packet in opened.demux(*opened.streams.video, *opened.streams.audio):
            if packet.pts is None or packet.dts is None:
                continue
            if packet.stream.type == "video":
                number += 1
                ticks = int(shift / (FRAME_RATE * packet.time_base))
                packet.pts, packet.dts = packet.pts + ticks, packet.dts + ticks
            if packet.stream.type == "audio" or number > skip:
                packet.stream = streams[packet.stream.index]
                output.mux(packet)  # pyright: ignore[reportUnknownMemberType]
    return target


def flip_bits(path: Path) -> None:
    """Flips bits in the middle of every packet, where no length stands."""
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        for packet in container.demux(video=0):
            if packet.size:
                data[(packet.pos or 0) + packet.size // 2] ^= 0x5A
    path.write_bytes(data)


def tone(seconds: float, rate: int) -> np.ndarray[Any, np.dtype[np.int16]]:
    time = np.arange(round(seconds * rate)) / rate
    return (np.sin(time * 440 * 2 * math.pi) * 12_000).astype(np.int16)


def write_wav(
    path: Path,
    seconds: float,
    *,
    rate: int = 44_100,
    channels: int = 2,
    lead: float = 0,
) -> Path:
    """Writes a tone, silent for its first `lead` seconds."""
    samples = tone(seconds, rate)
    samples[: round(lead * rate)] = 0
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.repeat(samples, channels).tobytes())
    return path


def write_mp3_with_cover(path: Path, seconds: float) -> Path:
    """Writes an MP3 behind an ID3v2.3 tag with a picture in it."""
    song = io.BytesIO()
    with av.open(song, "w", format="mp3") as output:
        stream = output.add_stream("libmp3lame", 44_100)  # pyright: ignore[reportUnknownMemberType]
        samples = np.repeat(tone(seconds, 44_100), 2).reshape(1, -1)
        frame = AudioFrame.from_ndarray(samples, "s16", "stereo")
        frame.sample_rate = 44_100
        for block in (frame, None):
            output.mux(stream.encode(block))  # pyright: ignore[reportUnknownMemberType]
    cover = io.BytesIO()
    Image.new("RGB", (64, 64), "orange").save(cover, "JPEG")
    body = b"\0image/jpeg\0\x03\0" + cover.getvalue()
    tag = b"APIC" + len(body).to_bytes(4) + b"\0\0" + body
    synchsafe = bytes(len(tag) >> shift & 0x7F for shift in (21, 14, 7, 0))
    path.write_bytes(b"ID3\x03\0\0" + synchsafe + tag + song.getvalue())
    return path


def join(
    clips: Sequence[Path],
    folder: Path,
    *,
    audio: Path | None = None,
    captions: Sequence[Caption] = (),
    frames: int = FRAMES,
) -> dict[str, Any]:
    made = join_clips(
        clips=[str(clip) for clip in clips],
        audio=audio and str(audio),
        captions=captions,
        width=WIDTH,
        height=HEIGHT,
        frame_rate=FRAME_RATE,
        frames=frames,
        folder=str(folder),
    )
    return {**made}
