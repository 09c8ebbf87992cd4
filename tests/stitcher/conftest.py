from __future__ import annotations

import io
import math
import shutil
import subprocess
import sys
import wave
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame
from PIL import Image

from collections.abc import Sequence
from services.stitcher.captions import Caption
from services.stitcher.clips import ClipError, Picture
from services.stitcher.soundtrack import SongError
from services.stitcher.timeline import join_clips
from services.stitcher.verify import VideoError, verify_fully, verify_video
from tests.stitcher.material import CANONICAL, WIDTH, HEIGHT, FRAME_RATE, PICTURE, LENGTHS, STARTS, FRAMES, FRAME, brightness, make_clip, copy, flip_bits, tone, write_wav, write_mp3_with_cover, join


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("clips")
    return [
        make_clip(folder / f"{position}.mp4", frames, clip=position)
        for position, frames in enumerate(LENGTHS)
    ]


@pytest.fixture(scope="session")
def silent_video(clips: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("video")
    join(clips, folder)
    return folder / "video.mp4"
