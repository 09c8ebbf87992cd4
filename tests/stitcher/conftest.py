from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.stitcher.material import (
    LENGTHS,
    join,
    make_clip,
)

if TYPE_CHECKING:
    from pathlib import Path


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
