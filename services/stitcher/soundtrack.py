"""The sound of the video: the song, made exactly as long as the picture."""

from __future__ import annotations

from contextlib import closing, suppress
from fractions import Fraction
from itertools import chain, groupby
from typing import TYPE_CHECKING

import av
from av.audio.fifo import AudioFifo
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.error import FFmpegError, InvalidDataError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from av.container import InputContainer

SAMPLE_RATE = 48_000
"""Samples a second."""

BLOCK = 1024
"""Samples in a frame of AAC."""


class SongError(ValueError):
    """The song cannot be read."""


def sound_blocks(song: str | None, *, samples: int) -> Iterator[AudioFrame]:
    """Yields `samples` samples of stereo sound, at most `BLOCK` to a frame.

    A longer song is cut, a shorter one is followed by silence, and without a
    song all is silence. Packets that do not decode are passed over, as players
    do. Raises `SongError` when the file holds no sound at all.
    """
    blocks = AudioFifo()
    position = 0
    with closing(_song_frames(song) if song else _silence()) as frames:
        for frame in chain(frames, _silence()):
            frame.pts = None
            blocks.write(frame)
            while block := blocks.read(min(BLOCK, samples - position)):
                block.pts = position
                block.time_base = Fraction(1, SAMPLE_RATE)
                position += block.samples
                yield block
                if position == samples:
                    return


def _song_frames(song: str) -> Generator[AudioFrame]:
    empty = True
    try:
        # Tags in an old encoding are common, and they are not used here.
        with av.open(song, metadata_errors="replace") as container:
            for frame in _resampled(_decoded(container)):
                empty = False
                yield frame
    except FFmpegError as error:
        raise SongError(f"the song cannot be read: {error.strerror}") from error
    if empty:
        raise SongError("the song holds no sound that can be decoded")


def _decoded(container: InputContainer) -> Iterator[AudioFrame]:
    # The best audio stream, never stream 0: cover art is a video stream.
    stream = container.streams.best("audio")
    if not isinstance(stream, AudioStream):
        return
    for packet in container.demux(stream):
        with suppress(InvalidDataError):
            yield from packet.decode()


def _resampled(frames: Iterable[AudioFrame]) -> Iterator[AudioFrame]:
    # A resampler serves one kind of frame, and a stream may change its kind.
    for _, alike in groupby(frames, key=_kind):
        # Without a frame size a resampler with nothing to do cannot be flushed.
        resampler = AudioResampler("fltp", "stereo", SAMPLE_RATE, frame_size=BLOCK)
        for frame in chain(alike, (None,)):
            yield from resampler.resample(frame)


def _kind(frame: AudioFrame) -> tuple[str, str, int]:
    return frame.format.name, frame.layout.name, frame.sample_rate


def _silence() -> Generator[AudioFrame]:
    while True:
        frame = AudioFrame("fltp", "stereo", BLOCK)
        frame.sample_rate = SAMPLE_RATE
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        yield frame
