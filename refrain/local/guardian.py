"""Child processes that end with their owner, even when it is killed outright.

An owner opens one Guardian, a process of its own that reads the ids of the owner's
children from a pipe. When the pipe ends, because the owner closed it or died, the
guardian stops every child still running, stage by stage. PR_SET_PDEATHSIG is no
substitute: it fires when the *thread* that forked ends, and it knows no order.
"""

from __future__ import annotations

import enum
import os
import signal
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pwd import struct_passwd

STAGE_GRACE = 4.0
"""Seconds the children of one stage have to end once the owner is gone."""


class StartError(Exception):
    """Refrain cannot start here; the message says what to do."""


class Stage(enum.IntEnum):
    """What ends first when the owner is gone: the services, then what they talk to."""

    SERVICES = 0
    SERVERS = 1


class Guardian:
    """Watches the children of this process and ends them when it is gone.

    `held` are file descriptors, such as a lock, that stay open until every child has
    ended, even when the owner ends before them.
    """

    def __init__(self, held: Iterable[int] = ()) -> None:
        read_end, write_end = os.pipe()
        self._pipe = os.fdopen(write_end, "w", buffering=1)
        self._process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-I", "-S", __file__],
            stdin=read_end,
            stdout=subprocess.DEVNULL,
            cwd="/",
            pass_fds=tuple(held),
            start_new_session=True,
        )
        os.close(read_end)
        self._watched: set[int] = set()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def watch(self, pid: int, stage: Stage, stop_signal: signal.Signals) -> None:
        """Put a child on the list; it must lead a session of its own."""
        with self._lock:
            self._watched.add(pid)
            self._pipe.write(f"watch {pid} {stage:d} {stop_signal:d}\n")

    def forget(self, pid: int) -> None:
        """Take an ended child off the list, for its id may be given to a stranger."""
        with self._lock:
            if pid in self._watched:
                self._watched.remove(pid)
                self._pipe.write(f"forget {pid}\n")

    def close(self) -> None:
        """End every child that still runs, then the guardian itself."""
        self._pipe.close()
        self._process.wait()


class Program(ABC):
    """What runs as one child at a time and may be started again after a crash.

    The child has a session of its own, out of reach of the terminal's Ctrl-C.
    """

    stage: ClassVar[Stage]
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    stop_grace: ClassVar[float]
    """Seconds between the request to end and the kill."""

    def __init__(self, guardian: Guardian, log: Path) -> None:
        self.log = log
        self._guardian = guardian
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The id of the child last started; RuntimeError before the first start."""
        return self._started().pid

    @abstractmethod
    def start(self) -> None:
        """Start it and return once it is of use."""

    def exit_code(self) -> int | None:
        """Return the exit code (minus the signal), or None while it runs."""
        code = self._started().poll()
        if code is not None:
            self._guardian.forget(self.pid)
        return code

    def wait(self) -> int:
        """Block until it has ended and return its exit code (minus the signal)."""
        code = self._started().wait()
        self._guardian.forget(self.pid)
        return code

    def stop(self) -> None:
        """End it, if it runs, and return once it has ended."""
        if self._child is None or self.exit_code() is not None:
            return
        self._child.send_signal(self.stop_signal)
        try:
            self._child.wait(self.stop_grace)
        except subprocess.TimeoutExpired:
            self.kill()
        self.wait()

    def kill(self) -> None:
        """Kill it, if it runs, and the children in its session, without waiting."""
        if self._child is not None and self._child.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self._child.pid, signal.SIGKILL)

    def _launch(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: str | None = None,
        user: struct_passwd | None = None,
        pass_fds: Iterable[int] = (),
    ) -> None:
        """Start the child, its output appended to the log."""
        with self.log.open("ab") as output:
            self._child = subprocess.Popen(  # noqa: S603
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=env,
                cwd=cwd,
                user=user and user.pw_uid,
                group=user and user.pw_gid,
                extra_groups=[] if user else None,
                pass_fds=tuple(pass_fds),
                start_new_session=True,
            )
        self._guardian.watch(self.pid, self.stage, self.stop_signal)

    def _started(self) -> subprocess.Popen[bytes]:
        if self._child is None:
            raise RuntimeError("not started")
        return self._child


def runs(pid: int) -> bool:
    """Say whether a process with this id runs; a zombie does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return sys.platform != "linux"
    return state != "Z"


def _guard() -> None:
    """Follow the owner's children on standard input; at its end, end them."""
    watched: dict[int, tuple[Stage, signal.Signals]] = {}
    for line in sys.stdin:
        match line.split():
            case ["watch", pid, stage, stop_signal]:
                watched[int(pid)] = Stage(int(stage)), signal.Signals(int(stop_signal))
            case ["forget", pid]:
                del watched[int(pid)]
            case _:
                raise ValueError(line)
    for stage in Stage:
        _end({pid: stop for pid, (at, stop) in watched.items() if at is stage})


def _end(children: dict[int, signal.Signals]) -> None:
    for pid, stop_signal in children.items():
        with suppress(ProcessLookupError):
            os.kill(pid, stop_signal)
    deadline = time.monotonic() + STAGE_GRACE
    while any(map(runs, children)) and time.monotonic() < deadline:
        time.sleep(0.02)
    for pid in filter(runs, children):
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


if __name__ == "__main__":
    _guard()
