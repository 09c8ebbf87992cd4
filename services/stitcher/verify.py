"""Strict reading of a finished video, before anyone else can see it.

Metadata proves nothing: a file with broken, doubled or unordered packets can
look perfect. So every packet is counted, and decoded where joining could have
gone wrong: one group of pictures on each side of every cut. H.264 has no
checksum, so even strict decoding finds most damage and not all.
"""

from __future__ import annotations

from bisect import bisect
from contextlib import contextmanager
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import av
from av.error import FFmpegError

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
    from pathlib import Path

    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

    from services.stitcher.clips import Picture


class VideoError(ValueError):
    """A video is not what was to be made, or does not decode."""


class _Tracks(NamedTuple):
    container: InputContainer
    video: VideoStream
    audio: AudioStream


def verify_video(
    path: Path, picture: Picture, *, frames: int, starts: Sequence[int]
) -> None:
    """Raises `VideoError` unless the file is a whole video of `frames` frames.

    `starts` are the first frames of its clips, of which the first and the last
    group of pictures are decoded.
    """
    keyframes = _check_file(path, picture, frames)
    ends_of_clips = {
        bisect(keyframes, frame) - 1
        for start, next_start in pairwise([*starts, frames])
        for frame in (start, next_start - 1)
    }
    _decode_picture(path, starts, ends_of_clips)


def verify_fully(
    path: Path, picture: Picture, *, frames: int, starts: Sequence[int]
) -> None:
    """Verifies a video as `verify_video` does, and decodes all of it."""
    keyframes = _check_file(path, picture, frames)
    _decode_picture(path, starts, range(len(keyframes)))
    with _open_tracks(path) as (container, _, audio):
        for packet in container.demux(audio):
            packet.decode()


def _check_file(path: Path, picture: Picture, frames: int) -> list[int]:
    """Checks all but the pictures themselves; returns where keyframes stand."""
    _check_boxes(path)
    with _open_tracks(path) as tracks:
        _check_kind(tracks, picture)
        return _check_times(tracks, picture.frame_rate, frames)


@contextmanager
def _open_tracks(path: Path) -> Generator[_Tracks]:
    try:
        with av.open(str(path)) as container:
            streams = container.streams
            if (len(streams.video), len(streams.audio)) != (1, 1):
                raise VideoError("the video has not one picture and one sound track")
            video, audio = streams.video[0], streams.audio[0]
            for codec in (video.codec_context, audio.codec_context):
                # Slice threads, the default, lose the errors of their slices.
                codec.thread_type = "NONE"
                codec.options = {"err_detect": "explode"}
            yield _Tracks(container, video, audio)
    except FFmpegError as error:
        raise VideoError(f"the video does not decode: {error}") from error


def _check_boxes(path: Path) -> None:
    # With the index ahead of the media, playing starts before all is loaded.
    boxes = list(_box_types(path))
    if b"moov" not in boxes or b"mdat" in boxes[: boxes.index(b"moov")]:
        raise VideoError(f"the video's index is not ahead of its media: {boxes}")


def _box_types(path: Path) -> Iterator[bytes]:
    """Reads the types of the outermost boxes, ISO/IEC 14496-12, 4.2."""
    start = 0
    with path.open("rb") as file:
        while header := file.read(16):
            yield header[4:8]
            size = int.from_bytes(header[:4])
            start += int.from_bytes(header[8:]) if size == 1 else max(size, 8)
            file.seek(start)


def _check_kind(tracks: _Tracks, picture: Picture) -> None:
    video, audio = tracks.video.codec_context, tracks.audio.codec_context
    found = (video.codec_tag, video.pix_fmt, video.width, video.height, audio.codec_tag)
    wanted = ("avc1", "yuv420p", picture.width, picture.height, "mp4a")
    if found != wanted:
        raise VideoError(f"the video is {found}, not {wanted}")


def _check_times(tracks: _Tracks, frame_rate: int, frames: int) -> list[int]:
    """Checks the times of all packets; returns where the keyframes stand."""
    container, video, audio = tracks
    period = Fraction(1, frame_rate)
    keyframes: list[int] = []
    shown: set[Fraction] = set()
    decoded: list[int] = []
    sound_end = Fraction(0)
    for packet in container.demux(video, audio):
        if packet.pts is None or packet.dts is None:  # the demuxer's end mark
            continue
        if packet.stream == audio:
            sound_end = (packet.pts + (packet.duration or 0)) * packet.time_base
            continue
        if packet.is_keyframe:
            keyframes.append(len(decoded))
        decoded.append(packet.dts)
        shown.add(packet.pts * packet.time_base / period)
    if any(later <= dts for dts, later in pairwise(decoded)):
        raise VideoError("the video's frames are not in the order of decoding")
    if len(decoded) != frames or shown != set(range(frames)):
        raise VideoError(f"the video has {len(decoded)} frames, not {frames} in a row")
    if abs(sound_end - frames * period) >= period:
        raise VideoError(f"the sound ends at {sound_end} s, not {frames * period} s")
    return keyframes


def _decode_picture(
    path: Path, starts: Sequence[int], numbers: Collection[int]
) -> None:
    """Decodes the groups of pictures with these numbers, counted from 0."""
    first = 0
    with _open_tracks(path) as (container, video, _):
        for number, group in enumerate(_groups(container.demux(video))):
            if number in numbers and not _decodes(video, group):
                raise VideoError(
                    f"clip {bisect(starts, first) - 1} is broken: frames {first} to "
                    f"{first + len(group) - 1} of the video do not decode"
                )
            first += len(group)


def _groups(
    packets: Iterable[Packet[VideoStream]],
) -> Iterator[list[Packet[VideoStream]]]:
    group: list[Packet[VideoStream]] = []
    for packet in packets:
        if packet.is_keyframe and group:
            yield group
            group = []
        if packet.size:
            group.append(packet)
    yield group


def _decodes(video: VideoStream, group: Sequence[Packet[VideoStream]]) -> bool:
    shown = 0
    try:
        for packet in (*group, None):
            for frame in video.decode(packet):  # pyright: ignore[reportUnknownMemberType]
                # Flipped bits may raise nothing and show in this flag alone.
                if frame.is_corrupt:
                    return False
                shown += 1
    except FFmpegError:
        return False
    video.codec_context.flush_buffers()
    return shown == len(group)
