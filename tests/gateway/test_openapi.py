"""The OpenAPI document tells what the JSON API does, all of it and nothing else."""

from __future__ import annotations

import asyncio
import re
import sys
from typing import TYPE_CHECKING, Any, cast

import pytest

from refrain.v1 import job_service_pb2 as v1
from services.gateway.job_service import JobService
from services.gateway.rest.api import Rest
from services.gateway.rest.openapi import openapi
from services.gateway.rest.rpcs import PREFIX, RPCS

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from refrain.job import Job
    from tests.gateway.conftest import Gateway

# A 400 for what the schema allows is right where one field limits another.
CHECKS = ["--checks", "all", "--exclude-checks", "positive_data_acceptance"]


CONFIG = """
[auth.openapi.csrfToken]
api_key = "{token}"

[auth.openapi.csrfCookie]
api_key = "{token}"

[[operations]]
include-method = "GET"
headers = {{ "X-CSRFToken" = "{token}", "Cookie" = "csrftoken={token}" }}

[[operations]]
include-operation-id = ["WaitJob", "WatchJob"]
parameters = {{ "path.jobId" = "{job_id}" }}

[[operations]]
include-operation-id = "DownloadArtifact"
parameters = {{ "path.key" = "{key}" }}
"""


async def run_schemathesis(
    gateway: Gateway, browser: httpx.AsyncClient, job: Job, folder: Path, *options: str
) -> tuple[int, str]:
    """Returns its exit status and what it printed; the job is a COMPLETED one."""
    assert job.video is not None
    key = job.video["uri"].removeprefix("artifact:")
    config = CONFIG.format(
        token=browser.headers["X-CSRFToken"], job_id=job.job_id, key=key
    )
    (folder / "schemathesis.toml").write_text(config)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "run"),
        f"{gateway.http_url}{PREFIX}/openapi.json",
        *("--no-color", "--no-shrink", "--seed", "1", *CHECKS, *options),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode()


@pytest.mark.parametrize(
    ("phases", "examples"),
    [
        ("examples,fuzzing", 2),
        pytest.param(
            *("examples,coverage,fuzzing", 40),
            marks=[pytest.mark.long, pytest.mark.timeout(900)],
        ),
    ],
)
async def test_schemathesis_finds_no_server_error_and_no_undocumented_answer(
    gateway: Gateway,
    browser: httpx.AsyncClient,
    completed: Job,
    tmp_path: Path,
    phases: str,
    examples: int,
) -> None:
    options = ("--phases", phases, "--max-examples", str(examples))
    status, said = await run_schemathesis(
        gateway, browser, completed, tmp_path, *options
    )

    assert status == 0, said


def test_the_document_has_every_route_and_no_other() -> None:
    routes = Rest(cast("Any", JobService), cast("Any", None)).routes()
    served = {re.sub(r":\w+}", "}", route.path) for route in routes}

    assert openapi()["paths"].keys() == served


def test_every_rpc_has_a_path() -> None:
    service = v1.DESCRIPTOR.services_by_name["JobService"]
    assert {rpc.name for rpc in RPCS} == {method.name for method in service.methods}


async def test_what_the_protos_say_is_what_the_document_says(
    browser: httpx.AsyncClient,
) -> None:
    response = await browser.get(f"{PREFIX}/openapi.json")
    document = response.json()
    operations = [
        operation for path in document["paths"].values() for operation in path.values()
    ]
    fields = document["components"]["schemas"]["Job"]["properties"]

    assert document == openapi()
    assert fields["eventSequence"]["description"].startswith("The sequence of the job")
    assert fields["eventSequence"]["type"] == "string"
    assert all(operation["description"] for operation in operations)
    assert "requestId" in document["paths"][f"{PREFIX}/jobs"]["post"]["description"]
