"""`refrain demo`, as someone sees it who has just cloned the project."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.long
@pytest.mark.timeout(180)
def test_the_demo_makes_a_video_cancels_another_and_leaves_nothing(
    tmp_path: Path,
) -> None:
    process = psutil.Popen(
        [sys.executable, "-m", "refrain.cli", "demo"],
        cwd=ROOT,
        env={**os.environ, "REFRAIN_HOME": str(tmp_path)},
        stdout=-1,
        text=True,
    )
    children: set[psutil.Process] = set()
    lines: list[str] = []
    with process:
        for line in process.stdout:
            lines.append(line.rstrip("\n"))
            children |= set(process.children(recursive=True))
    assert process.returncode == 0
    assert len(children) >= 5
    assert [child for child in children if child.is_running()] == []
    said = dict(line.split(maxsplit=1) for line in lines)
    assert said["reason"] == "the demo has seen enough"
    assert int(said["kept"].split()[0]) >= 1
    assert "Greensleeves: cancelled" in "\n".join(lines)
    name, _, path = lines[-1].partition(" ")
    assert name == "video:"
    assert Path(path).stat().st_size > 1_000_000
    assert path == str(tmp_path / "demo/twinkle-twinkle-little-star.mp4")
