"""Scratch folders end with their task, or with their process."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from refrain.job import Kind, Slot, Task, TaskStatus
from refrain.scratch import Scratch

if TYPE_CHECKING:
    from collections.abc import Generator

ROOT = Path(__file__).parents[2]

OWNER = """
import sys
from pathlib import Path
from refrain.scratch import Scratch

with Scratch(Path(sys.argv[1])) as scratch:
    (next(Path(sys.argv[1]).iterdir()) / "clip.mp4").write_bytes(b"half a clip")
    print("made", flush=True)
    sys.stdin.read()
"""


def task(kind: Kind = Kind.SEGMENT, attempt: int = 1) -> Task:
    return Task(
        job_id=UUID(int=1),
        kind=kind,
        position=0,
        slot=Slot.MEDIA,
        status=TaskStatus.RUNNING,
        attempt=attempt,
        failures=0,
        worker_id=None,
        available_at=None,  # pyright: ignore[reportArgumentType]
        started_at=None,
        ended_at=None,
        stop_mode=None,
        error=None,
    )


@pytest.fixture
def owner(tmp_path: Path) -> Generator[subprocess.Popen[str]]:
    """Another process with a folder of its own under the same root."""
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "made\n"
            yield process
        finally:
            process.kill()


def test_a_folder_goes_with_its_task(tmp_path: Path) -> None:
    with Scratch(tmp_path) as scratch:
        with scratch.folder(task()) as folder:
            (folder / "image.jpg").write_bytes(b"image")
        assert not folder.exists()


def test_a_folder_goes_with_a_task_that_fails(tmp_path: Path) -> None:
    def fail(scratch: Scratch) -> None:
        with scratch.folder(task()) as folder:
            (folder / "image.jpg").write_bytes(b"image")
            raise LookupError(str(folder))

    with Scratch(tmp_path) as scratch:
        with pytest.raises(LookupError) as failed:
            fail(scratch)
        assert not Path(str(failed.value)).exists()


def test_tasks_that_run_at_once_have_folders_apart(tmp_path: Path) -> None:
    with Scratch(tmp_path) as scratch:
        tasks = [task(kind, attempt) for kind in Kind for attempt in (1, 2)]
        with (
            scratch.folder(tasks[0]) as one,
            scratch.folder(tasks[1]) as two,
            scratch.folder(tasks[4]) as three,
        ):
            assert len({one, two, three}) == 3
        assert len({task.folder for task in tasks}) == 6


def test_all_goes_with_the_process(tmp_path: Path) -> None:
    with Scratch(tmp_path):
        assert len(list(tmp_path.iterdir())) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_killed_process_leaves_its_folder_to_the_next(
    tmp_path: Path, owner: subprocess.Popen[str]
) -> None:
    (left,) = tmp_path.iterdir()
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    assert (left / "clip.mp4").exists()
    with Scratch(tmp_path):
        assert not left.exists()


def test_the_folder_of_a_living_process_stays(
    tmp_path: Path, owner: subprocess.Popen[str]
) -> None:
    assert owner.poll() is None
    (living,) = tmp_path.iterdir()
    with Scratch(tmp_path):
        assert (living / "clip.mp4").exists()


def test_what_else_lies_in_the_root_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("mine")
    with Scratch(tmp_path):
        assert (tmp_path / "note.txt").read_text() == "mine"
