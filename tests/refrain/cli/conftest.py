"""A whole system that `refrain up` runs, for the command line to speak to."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from refrain.cli.__main__ import main
from refrain.local.home import Home

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping

ROOT = Path(__file__).parents[3]
LONG_SONG = ROOT / "samples/greensleeves.lrc"
OURS = ("REFRAIN_", "GEMINI_", "GOOGLE_", "ODYSSEY_", "LRCLIB_")
"""How settings begin; those of whoever runs the tests would be billed to them."""


class Refrain:
    """The commands, on a home of their own."""

    def __init__(self, home: Path, providers: Mapping[str, str]) -> None:
        self.home = home
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(OURS)},
            "LRCLIB_URL": "",
            **providers,
            "REFRAIN_HOME": str(home),
            "REFRAIN_GRPC_PORT": "0",
            "REFRAIN_HTTP_PORT": "0",
            "TERM": "xterm",
        }

    def start(self, *arguments: str, **streams: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "refrain.cli", *arguments],
            cwd=ROOT,
            env=self.environment,
            text=True,
            **streams,
        )

    def run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        pipe = subprocess.PIPE
        with self.start(*arguments, stdin=pipe, stdout=pipe, stderr=pipe) as process:
            output, errors = process.communicate(stdin)
        return subprocess.CompletedProcess(
            arguments, process.returncode, output, errors
        )

    def json(self, *arguments: str, stdin: str = "") -> Any:
        done = self.run(*arguments, "--json", stdin=stdin)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def create(self, lyrics: str | Path, size: str = "320x180") -> str:
        song = ("--lyrics", str(lyrics) if isinstance(lyrics, Path) else "-")
        stdin = "" if isinstance(lyrics, Path) else lyrics
        job = self.json("create", *song, "--size", size, stdin=stdin)
        return job["jobId"]

    @contextmanager
    def watching(self, job_id: str) -> Generator[Iterator[dict[str, Any]]]:
        """The events as they come; the watch is ended with the block."""
        with self.start("watch", job_id, "--json", stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            yield map(json.loads, process.stdout)
            process.terminate()

    def asked(self, *arguments: str, answer: str) -> tuple[int, str]:
        """Runs a command on a terminal; returns its code and what it showed."""
        ours, theirs = pty.openpty()
        with self.start(*arguments, stdin=theirs, stdout=theirs) as process:
            os.close(theirs)
            shown = b""
            while not shown.endswith(b"[y/N] "):
                shown += os.read(ours, 1000)
            os.write(ours, f"{answer}\n".encode())
        os.close(ours)
        return process.returncode, shown.decode()

    @property
    def server(self) -> str:
        where = Home(self.home).whereabouts()
        assert where is not None
        return where.grpc

    def kill_gateway(self) -> None:
        where = Home(self.home).whereabouts()
        assert where is not None
        children = psutil.Process(where.pid).children()
        (gateway,) = [c for c in children if c.cmdline()[-1] == "services.gateway"]
        gateway.kill()
        gateway.wait()


@pytest.fixture(scope="session")
def refrain() -> Iterator[Refrain]:
    """A running system without providers."""
    with running({}) as refrain:
        yield refrain


@contextmanager
def running(providers: Mapping[str, str]) -> Generator[Refrain]:
    """Runs a system in a home that PostgreSQL's own user may enter.

    `providers` is what of its environment says which there are.
    """
    with tempfile.TemporaryDirectory(prefix="refrain-") as made:
        Path(made).chmod(0o755)
        refrain = Refrain(Path(made), providers)
        with refrain.start("up", stdout=subprocess.PIPE) as up:
            try:
                assert up.stdout is not None
                assert up.stdout.readline().startswith("Refrain is up: ")
                yield refrain
            finally:
                up.send_signal(signal.SIGINT)
            assert up.wait() == 0


@pytest.fixture
def long_job(refrain: Refrain) -> Iterator[str]:
    """A job that takes far longer than a test, which leaves it running or CANCELLED."""
    job_id = refrain.create(LONG_SONG, "1280x720")
    yield job_id
    assert refrain.json("cancel", job_id)["status"] == "CANCELLED"


@dataclass(frozen=True, slots=True)
class Said:
    """How a command ended, and what it wrote."""

    code: int
    output: str
    errors: str

    @property
    def json(self) -> list[Any]:
        """The output's JSON documents, one a line."""
        return [json.loads(line) for line in self.output.splitlines()]


@pytest.fixture
def say(refrain: Refrain, capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Runs a command in this process, which saves the start of another."""

    def run(*arguments: str) -> Said:
        with pytest.raises(SystemExit) as ended:
            main([*arguments, "--server", refrain.server])
        assert isinstance(ended.value.code, int)
        written = capsys.readouterr()
        return Said(ended.value.code, written.out, written.err)

    return run
