"""Provider: an HTTP server that accepts every request and never answers.

Run as `python -m bench.provider`; prints its port, then the last part of the path of
each request once all of it has come.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress


async def wait_for_answer(port: int, name: str) -> None:
    """Asks the provider on this port, and waits until it is cancelled."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"GET /{name} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        answer = await reader.read()
    finally:
        writer.close()
    raise RuntimeError(f"the provider answered {answer!r}")


async def _keep_waiting(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        request = await reader.readuntil(b"\r\n\r\n")
        path = request.split(b" ", 2)[1].decode()
        print(path.rpartition("/")[2], flush=True)  # noqa: T201
        await reader.read()
    writer.close()


async def _serve() -> None:
    server = await asyncio.start_server(_keep_waiting, "127.0.0.1", 0, backlog=1000)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve())
