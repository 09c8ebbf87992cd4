"""`refrain up`, its three services stood in for by a small program."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import psycopg
import pytest

from refrain.local.guardian import StartError
from refrain.local.home import Home
from refrain.local.ports import free_port, is_free
from refrain.local.system import GRPC_PORT, LocalSystem
from tests.eventually import eventually

if TYPE_CHECKING:
    from collections.abc import Generator

ROOT = Path(__file__).parents[3]

STAND_IN = """
import os, signal, socket, sys, threading

name, nature = sys.argv[1:]
if nature == "broken":
    sys.exit("the lyre has no strings")
stop = threading.Event()
if nature == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
else:
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
if name == "gateway" and nature != "silent":
    port = int(os.environ["REFRAIN_GRPC_PORT"])
    server = socket.create_server(("127.0.0.1", port), backlog=1000)
print(name, "started", flush=True)
stop.wait()
print(name, "settled", flush=True)
"""

ELSEWHERE = {
    "REFRAIN_DATABASE_URL": "postgresql://elsewhere/refrain",
    "REFRAIN_NATS_URL": "nats://elsewhere",
}
ANY_PORTS = {"REFRAIN_GRPC_PORT": "0", "REFRAIN_HTTP_PORT": "0"}

UP = """
import asyncio, json, sys
from pathlib import Path
from refrain.local.system import up

async def migrate(database_url):
    print("migrate", database_url, flush=True)

home, services = Path(sys.argv[1]), json.loads(sys.argv[2])
say = lambda line: print(line, flush=True)
sys.exit(asyncio.run(up(home, migrate=migrate, say=say, services=services)))
"""


def services(**natures: str) -> dict[str, list[str]]:
    """Return the commands of the three; a nature is broken, stubborn or silent."""
    return {
        name: [sys.executable, "-c", STAND_IN, name, natures.get(name, "good")]
        for name in ("gateway", "generator", "stitcher")
    }


@pytest.fixture
def home() -> Generator[Path]:
    """A home that every user may enter, which pytest's own folders are not.

    What a test starts on it from this process must have ended with the test.
    """
    before = psutil.Process().children()
    with tempfile.TemporaryDirectory(prefix="refrain-") as made:
        Path(made).chmod(0o755)
        yield Path(made)
    assert set(psutil.Process().children()) <= set(before)


@contextmanager
def up(
    home: Path, *, services: dict[str, list[str]], **environment: str
) -> Generator[psutil.Popen]:
    """Run `refrain up` in a process of its own, killed at the end."""
    process = psutil.Popen(
        [sys.executable, "-c", UP, str(home), json.dumps(services)],
        cwd=ROOT,
        env={**os.environ, **ANY_PORTS, **environment},
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            with suppress(psutil.NoSuchProcess):
                process.kill()


def until(process: psutil.Popen, start: str) -> str:
    """Read what it says up to the line with this start, and return that line."""
    for line in process.stdout:
        if line.startswith(start):
            return line
    raise AssertionError(f"ended without saying {start}")


def assert_gone(processes: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=10)
    assert alive == []


async def no_migration(_: str) -> None:
    """The record needs nothing for these tests."""


async def test_ctrl_c_lets_the_services_settle_and_leaves_nothing(home: Path) -> None:
    def logs() -> list[str]:
        return [(home / f"logs/{name}.log").read_text() for name in services()]

    with up(home, services=services()) as process:
        assert until(process, "migrate postgresql://refrain:")
        line = until(process, "Refrain is up: page http://127.0.0.1:")
        where = Home(home).whereabouts()
        assert where is not None
        assert where.pid == process.pid
        assert f"page {where.page}, gRPC {where.grpc}." in line
        children = process.children(recursive=True)
        assert {"postgres", "nats-server"} <= {child.name() for child in children}
        await eventually(lambda: all(log.endswith("started\n") for log in logs()))
        process.send_signal(signal.SIGINT)
        assert process.wait() == 0
        assert [child for child in children if child.is_running()] == []
    assert Home(home).whereabouts() is None
    assert all(log.endswith("settled\n") for log in logs())


def test_the_terminals_ctrl_c_reaches_none_but_up(home: Path) -> None:
    with up(home, services=services(), **ELSEWHERE) as process:
        until(process, "Refrain is up")
        children = process.children(recursive=True)
        assert os.getsid(process.pid) not in {os.getsid(c.pid) for c in children}
        process.terminate()
        assert process.wait() == 0


def test_a_second_up_says_where_the_first_is(home: Path) -> None:
    with up(home, services=services(), **ELSEWHERE) as first:
        until(first, "Refrain is up")
        where = Home(home).whereabouts()
        assert where is not None
        with up(home, services=services(), **ELSEWHERE) as second:
            said, _ = second.communicate()
            assert second.returncode == 1
        assert said == (
            f"Refrain is already up on {home} (process {first.pid}): "
            f"page {where.page}, gRPC {where.grpc}.\n"
        )
        first.terminate()
        assert first.wait() == 0


def test_a_killed_up_leaves_nothing_and_the_next_takes_its_ports(home: Path) -> None:
    ports = {
        "REFRAIN_GRPC_PORT": str(free_port()),
        "REFRAIN_HTTP_PORT": str(free_port()),
    }
    with up(home, services=services(), **ports) as killed:
        until(killed, "Refrain is up")
        children = killed.children(recursive=True)
        killed.kill()
        killed.wait()
        with up(home, services=services(), **ports) as following:
            assert until(following, "Refrain is up")
            assert_gone(children)
            following.terminate()
            assert following.wait() == 0


def test_a_second_ctrl_c_kills_what_does_not_settle(home: Path) -> None:
    with up(home, services=services(generator="stubborn"), **ELSEWHERE) as process:
        until(process, "Refrain is up")
        children = process.children(recursive=True)
        settling = [c for c in children if "gateway" in c.cmdline()]
        process.send_signal(signal.SIGINT)
        assert_gone(settling)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=5) == 0
        assert [child for child in children if child.is_running()] == []


def test_ctrl_c_during_the_start_leaves_nothing(home: Path) -> None:
    with up(home, services=services(gateway="silent"), **ELSEWHERE) as process:
        until(process, "migrate")
        children = process.children(recursive=True)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=5) == 0
        assert [child for child in children if child.is_running()] == []


def test_a_gateway_that_cannot_start_is_quoted(home: Path) -> None:
    with up(home, services=services(gateway="broken"), **ELSEWHERE) as process:
        said, _ = process.communicate()
        assert process.returncode == 1
    assert said.endswith("gateway.log ends with:\nthe lyre has no strings\n")
    assert Home(home).whereabouts() is None


@pytest.mark.parametrize("asked", ["taken", "many", "70000"])
def test_an_asked_port_that_cannot_be_had_ends_the_start(
    home: Path, asked: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1]) if asked == "taken" else asked
        with up(
            home, services=services(), REFRAIN_GRPC_PORT=port, **ELSEWHERE
        ) as process:
            said, _ = process.communicate()
            assert process.returncode == 1
    assert said.startswith(f"REFRAIN_GRPC_PORT={port} is ")
    assert len(said.splitlines()) == 1


async def test_a_usual_port_that_is_taken_is_left_in_one_line(home: Path) -> None:
    said: list[str] = []
    with socket.socket() as other:
        with suppress(OSError):  # then someone else holds it, which serves as well
            other.bind(("127.0.0.1", GRPC_PORT))
            other.listen()
        async with LocalSystem(
            home,
            migrate=no_migration,
            say=said.append,
            services=services(),
            environment=ELSEWHERE,
        ) as system:
            assert system.grpc_port != GRPC_PORT
    (line,) = said
    assert f"gRPC is on {system.grpc_port} because {GRPC_PORT} is taken" in line


async def test_servers_named_by_the_environment_are_used(home: Path) -> None:
    migrated: list[str] = []

    async def migrate(database_url: str) -> None:
        migrated.append(database_url)

    async with LocalSystem(
        home, migrate=migrate, services=services(), environment=ELSEWHERE
    ) as system:
        assert set(system.programs) == set(services())
        seen = psutil.Process(system.programs["stitcher"].pid).environ()
    assert migrated == [ELSEWHERE["REFRAIN_DATABASE_URL"]]
    assert ELSEWHERE.items() <= seen.items()
    assert seen["REFRAIN_STORAGE_URL"] == f"file://{home}/artifacts"


async def test_what_is_killed_is_started_again_at_its_place(home: Path) -> None:
    urls: list[str] = []
    said: list[str] = []

    async def migrate(database_url: str) -> None:
        urls.append(database_url)
        with psycopg.connect(database_url) as connection:
            connection.execute("CREATE TABLE songs ()")

    def has_songs() -> bool:
        try:
            with psycopg.connect(urls[0]) as connection:
                connection.execute("SELECT FROM songs")
        except psycopg.OperationalError:
            return False
        return True

    async with LocalSystem(
        home,
        migrate=migrate,
        say=said.append,
        services=services(),
        environment=ANY_PORTS,
    ) as system:
        killed = {name: program.pid for name, program in system.programs.items()}
        for pid in killed.values():
            os.kill(pid, signal.SIGKILL)
        for name, program in system.programs.items():
            await eventually(
                lambda name=name, program=program: (
                    program.pid != killed[name] and program.exit_code() is None
                )
            )
        await eventually(has_songs)
        await eventually(lambda: not is_free(system.grpc_port))
    assert {line.split()[0] for line in said} == set(killed)
    assert all("(SIGKILL)" in line for line in said)


async def test_a_start_that_fails_leaves_nothing(home: Path) -> None:
    with pytest.raises(StartError, match="strings"):
        async with LocalSystem(
            home,
            migrate=no_migration,
            services=services(gateway="broken"),
            environment={**ELSEWHERE, **ANY_PORTS},
        ):
            pass
