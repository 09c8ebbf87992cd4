"""Joins clips and a song into the files of a video, inside a media process.

The picture is copied packet by packet, the sound is encoded anew, and a video
takes its name only after `verify_video` has read it back.
"""

from __future__ import annotations

from contextlib import contextmanager
from fractions import Fraction
from heapq import merge
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, cast

import av
from av.packet import Packet

from services.stitcher.captions import (
    Caption,
    Cue,
    arrange_cues,
    timed_text,
    web_vtt,
)
from services.stitcher.clips import ClipError, ClipSequence, Picture
from services.stitcher.soundtrack import SAMPLE_RATE, sound_blocks
from services.stitcher.verify import verify_video

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.subtitles.stream import SubtitleStream
    from PIL.Image import Image

SOUND_BIT_RATE = 160_000
"""Bits a second of AAC."""

JPEG_QUALITY = 85
"""Of the poster, on Pillow's scale to 95."""

_CAPTION_STYLE = b"""\
[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, Alignment
Style: Default,Arial,18,&Hffffff,2
"""
"""What FFmpeg's encoder writes as the default style of timed text."""


class Video(TypedDict):
    """What `join_clips` made."""

    frames: int
    duration: float
    """Seconds."""
    size_bytes: int
    width: int
    height: int


def join_clips(
    *,
    clips: Sequence[str],
    audio: str | None,
    captions: Sequence[Caption],
    width: int,
    height: int,
    frame_rate: int,
    frames: int,
    folder: str,
) -> Video:
    """Writes `video.mp4`, `poster.jpg` and `captions.vtt` into `folder`.

    `clips` are paths in the order of the song, together `frames` long; `audio`
    is the song in any format that FFmpeg reads, None is silence. A file has its
    name only when it is whole, and the video comes last. Raises `ClipError` for
    a clip that cannot be joined, `SongError` for a song that cannot be read and
    `VideoError` for a result that fails its verification.
    """
    if not clips:
        raise ClipError("a video needs at least one clip")
    picture = Picture(width=width, height=height, frame_rate=frame_rate)
    sequence = ClipSequence(clips, picture)
    cues = arrange_cues(captions, frames * 1000 // frame_rate)
    target = Path(folder)
    with _whole(target / "video.mp4") as video:
        _write_video(video, sequence, frames, audio, cues)
        if sequence.frames != frames:
            raise ClipError(
                f"the clips are {sequence.frames} frames long together, not {frames}"
            )
        verify_video(video, picture, frames=frames, starts=sequence.starts)
        with _whole(target / "poster.jpg") as poster:
            _write_poster(poster, video, Fraction(frames // 3, frame_rate))
        with _whole(target / "captions.vtt") as text:
            text.write_text(web_vtt(cues), encoding="utf-8")
        size_bytes = video.stat().st_size
    return Video(
        frames=frames,
        duration=frames / frame_rate,
        size_bytes=size_bytes,
        width=width,
        height=height,
    )


@contextmanager
def _whole(path: Path) -> Generator[Path]:
    """Lends a temporary name, which becomes `path` if nothing is raised."""
    part = path.with_name(f"{path.name}.part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _write_video(
    path: Path,
    sequence: ClipSequence,
    frames: int,
    song: str | None,
    cues: Sequence[Cue],
) -> None:
    duration = Fraction(frames, sequence.picture.frame_rate)
    # In the default milliseconds the edit lists would cut into the last samples.
    options = {"movflags": "faststart", "movie_timescale": str(SAMPLE_RATE)}
    with av.open(str(path), "w", format="mp4", container_options=options) as output:
        with sequence.template() as template:
            video = output.add_stream_from_template(  # pyright: ignore[reportUnknownMemberType]
                template
            )
        video.time_base = 1 / Fraction(sequence.picture.frame_rate)
        tracks: list[Iterator[Packet[Any]]] = [
            sequence.packets(video),
            _sound_packets(_add_sound(output), song, round(duration * SAMPLE_RATE)),
        ]
        if cues:
            tracks.append(_caption_packets(_add_captions(output), cues))
        output.start_encoding()
        # Merged by time: given one track first, a muxer holds all of it.
        for packet in merge(*tracks, key=_decode_time):
            output.mux(packet)  # pyright: ignore[reportUnknownMemberType]


def _decode_time(packet: Packet[Any]) -> Fraction:
    return (packet.dts or 0) * packet.time_base


def _add_sound(output: OutputContainer) -> AudioStream:
    # FFmpeg's manual: above 64 kb/s this coder is both better and much faster.
    return output.add_stream(  # pyright: ignore[reportUnknownMemberType]
        "aac", SAMPLE_RATE, {"aac_coder": "fast"}, bit_rate=SOUND_BIT_RATE
    )


def _sound_packets(
    output: AudioStream, song: str | None, samples: int
) -> Iterator[Packet[Any]]:
    for block in chain(sound_blocks(song, samples=samples), (None,)):
        yield from output.encode(block)  # pyright: ignore[reportUnknownMemberType]


def _add_captions(output: OutputContainer) -> SubtitleStream:
    stream = output.add_stream("mov_text")  # pyright: ignore[reportUnknownMemberType]
    stream.codec_context.subtitle_header = _CAPTION_STYLE
    stream.time_base = Fraction(1, 1000)
    stream.metadata["language"] = "und"
    return stream


def _caption_packets(
    output: SubtitleStream, cues: Sequence[Cue]
) -> Iterator[Packet[Any]]:
    """Yields one sample a cue; the muxer puts empty ones into the gaps."""
    for cue in cues:
        packet = Packet(timed_text(cue.text))
        packet.stream = output
        packet.time_base = Fraction(1, 1000)
        packet.pts = packet.dts = cue.start
        packet.duration = cue.end - cue.start
        packet.is_keyframe = True
        yield packet


def _write_poster(path: Path, video: Path, time: Fraction) -> None:
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        container.seek(int(time * av.time_base))
        for frame in container.decode(stream):
            if Fraction(frame.time or 0) >= time:
                image = cast("Image", frame.to_image())  # pyright: ignore[reportUnknownMemberType]
                image.save(path, "JPEG", quality=JPEG_QUALITY)
                return
