"""Peer: the other end of two floors, a gRPC echo and a NATS listener.

Run as `python -m bench.peer NATS_URL`; prints the port of the echo.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING

import grpc
from nats.aio.client import Client

if TYPE_CHECKING:
    from nats.aio.msg import Msg

ECHO = "/bench.Echo/Echo"
HOP = "bench.hop"


async def _echo(request: bytes, _context: object) -> bytes:
    return request


async def _hear(message: Msg) -> None:
    """Answers with the CLOCK_MONOTONIC time at which the message was heard."""
    await message.respond(str(time.monotonic_ns()).encode())


async def _serve(nats_url: str) -> None:
    listener = Client()
    await listener.connect(nats_url)
    await listener.subscribe(HOP, cb=_hear)  # pyright: ignore[reportUnknownMemberType]
    await listener.flush()
    server = grpc.aio.server()
    handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
        "Echo": grpc.unary_unary_rpc_method_handler(_echo)
    }
    server.add_registered_method_handlers("bench.Echo", handlers)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)  # noqa: T201
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1]))
