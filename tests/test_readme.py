"""What the README shows is run as it stands there."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from refrain.local.ports import is_free
from tests.system.system import System

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from refrain.local.embedded import EmbeddedNats

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BIN = Path(sys.executable).parent
SERVICE = "refrain.v1.JobService"


@pytest.fixture
async def system(
    tmp_path: Path, database_url: str, nats_server: EmbeddedNats
) -> AsyncIterator[System]:
    async with System(
        folder=tmp_path, database_url=database_url, nats_url=nats_server.url
    ) as system:
        await system.start()
        yield system


@pytest.fixture
async def system_of_the_readme(
    tmp_path: Path, database_url: str, nats_server: EmbeddedNats
) -> AsyncIterator[None]:
    """Serves on the ports that the README names: for one test, as two may meet."""
    if not (is_free(50051) and is_free(8000)):
        pytest.skip("the README's ports, 50051 and 8000, are taken: stop `make run`")
    async with System(
        folder=tmp_path,
        database_url=database_url,
        nats_url=nats_server.url,
        grpc_port=50051,
        http_port=8000,
    ) as system:
        await system.start()
        yield


@pytest.mark.usefixtures("system_of_the_readme")
async def test_the_lines_of_the_readme_do_what_it_says(tmp_path: Path) -> None:
    grpcurl, curl = (block("sh", word) for word in ("grpcurl", "curl --silent"))
    said = await run("bash", "-ec", grpcurl + curl, folder=tmp_path)
    assert '"kind": "SNAPSHOT"' in said
    assert "Job cancelled by user" in said
    assert '"success":true' in said.replace(" ", "")
    assert "Job 'Row Your Boat' has been cancelled." in said
    program = tmp_path / "client.py"
    program.write_text(block("python", "grpc"))
    assert "COMPLETED" in await run(sys.executable, program, folder=tmp_path)


async def test_buf_curl_creates_watches_and_cancels_by_reflection_alone(
    system: System, tmp_path: Path
) -> None:
    async def call(method: str, message: str) -> str:
        return await run(
            "buf",
            "curl",
            "--protocol=grpc",
            "--http2-prior-knowledge",
            f"--data={message}",
            f"http://127.0.0.1:{system.grpc_port}/{SERVICE}/{method}",
            folder=tmp_path,
        )

    created = await call("CreateJob", '{"title": "A song", "lyrics": "One line"}')
    found = re.search(r'"jobId":\s*"([^"]+)"', created)
    assert found
    named = f'{{"job_id": "{found[1]}"}}'
    assert '"CANCELL' in await call("CancelJob", named)
    assert '"status": "CANCELLED"' in (await call("WatchJob", named)).replace(
        '":"', '": "'
    )


def block(language: str, word: str) -> str:
    """Returns the README's one block of code that holds the word."""
    blocks = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    (found,) = [block for block in blocks if word in block]
    return found


async def run(*command: str | Path, folder: Path) -> str:
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    return said.decode()
