"""What a watch shows: bars on a terminal, else a line for each new stage."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol, Self

from rich.progress import BarColumn, Progress, ProgressColumn, TaskID
from rich.text import Text

from refrain.cli.receipt import status
from refrain.cli.terminal import printable
from refrain.v1.job_pb2 import JobEvent, Task

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.progress import Task as Row

    from refrain.cli.terminal import Terminal
    from refrain.v1.job_pb2 import Job

TITLE_WIDTH = 28

_TROUBLE = {
    JobEvent.TASK_RETRIED: "failed and is tried again",
    JobEvent.TASK_RESCUED: "was taken back from a dead worker",
    JobEvent.TASK_HANDED_BACK: "was handed back",
}


class View(Protocol):
    """Shows the events of jobs, in the order in which they come."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...
    def show(self, event: JobEvent) -> None:
        """Shows one event."""


def view(terminal: Terminal) -> View:
    """Returns what suits the terminal."""
    return Bars(terminal) if terminal.console.is_terminal else Lines(terminal)


class Bars:
    """A live bar for each job: stage, segments, and how long it has taken."""

    def __init__(self, terminal: Terminal) -> None:
        self._progress = Progress(
            _Words(_title),
            _Words(lambda job: f"{status(job):<10}"),
            BarColumn(),
            _Words(_segments),
            _Words(_elapsed),
            console=terminal.console,
        )
        self._rows: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, event: JobEvent) -> None:
        """Shows one event."""
        job = event.job
        if job.job_id not in self._rows:
            self._rows[job.job_id] = self._progress.add_task("", total=None, job=job)
        if line := _trouble(event):
            self._progress.console.print(line)
        self._progress.update(
            self._rows[job.job_id],
            total=job.segments_total or None,
            completed=job.segments_completed,
            job=job,
        )


class Lines:
    """A line for each status and stage that a job comes to."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._seen: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._seen.clear()

    def show(self, event: JobEvent) -> None:
        """Shows one event."""
        job = event.job
        if line := _trouble(event):
            self._terminal.say(line)
        if self._seen.get(job.job_id) != status(job):
            self._seen[job.job_id] = status(job)
            done = f", {_segments(job)} segments" if job.segments_total else ""
            self._terminal.say(f"{job.title}: {status(job)}{done}")


class JsonLines:
    """Every event as one line of JSON."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Every line has been written."""

    def show(self, event: JobEvent) -> None:
        """Shows one event."""
        self._terminal.json_line(event)


class _Words(ProgressColumn):
    """What a function says of the row's job."""

    def __init__(self, words: Callable[[Job], str]) -> None:
        super().__init__()
        self._words = words

    def render(self, task: Row) -> Text:
        return Text(self._words(task.fields["job"]))


def _title(job: Job) -> str:
    return printable(job.title)[:TITLE_WIDTH]


def _segments(job: Job) -> str:
    if not job.segments_total:
        return ""
    return f"{job.segments_completed}/{job.segments_total}"


def _elapsed(job: Job) -> str:
    """Returns the time from the job's creation to its end, or to now."""
    finished = job.HasField("finish_time")
    end = job.finish_time.ToDatetime(UTC) if finished else datetime.now(UTC)
    seconds = (end - job.create_time.ToDatetime(UTC)).total_seconds()
    return str(timedelta(seconds=max(int(seconds), 0)))


def _trouble(event: JobEvent) -> str:
    if event.kind not in _TROUBLE:
        return ""
    task = Task.Kind.Name(event.task_kind).lower()
    if event.HasField("position") and event.task_kind == Task.SEGMENT:
        task = f"{task} {event.position}"
    detail = f": {event.detail}" if event.detail else ""
    return printable(f"{event.job.title}: {task} {_TROUBLE[event.kind]}{detail}")
