"""What a command does to many jobs, it does to each for itself."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import grpc.aio

from refrain.cli.calls import explain
from refrain.cli.terminal import complain

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from refrain.cli.client import Client


async def each(
    client: Client, job_ids: Sequence[str], act: Callable[[str], Awaitable[None]]
) -> int:
    """Does it for all jobs at once, each for itself; 1 when any call failed."""

    async def attempt(job_id: str) -> int:
        try:
            await act(job_id)
        except grpc.aio.AioRpcError as error:
            complain(explain(error, client.server))
            return 1
        return 0

    return max(await asyncio.gather(*map(attempt, job_ids)), default=0)
