"""A TCP proxy before a real server: cut it, silence it, or let it lose a reply."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Self


class Proxy:
    """Listens on a port of its own, with the server behind it.

    An async context manager; `port` is known once it is entered.
    """

    def __init__(self, port: int) -> None:
        self._server_port = port
        self._listening: asyncio.Server | None = None
        self._pairs: set[_Pair] = set()
        self._cut = False
        self.silent = False
        """Whether bytes go nowhere, in a link whose ends believe that it stands."""
        self._lost_reply = b""
        self._lost_after = b""
        self.refused = 0
        """Connections that came while the proxy was cut."""

    @property
    def port(self) -> int:
        if self._listening is None:
            raise RuntimeError("not entered")
        return self._listening.sockets[0].getsockname()[1]

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._listening = await loop.create_server(lambda: _Pair(self), "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_exc: object) -> None:
        self.cut()
        if self._listening is not None:
            self._listening.close()
            await self._listening.wait_closed()

    def before(self, url: str) -> str:
        """The server's URL, by way of the proxy."""
        return url.replace(f":{self._server_port}", f":{self.port}")

    def cut(self) -> None:
        """Drops every connection and accepts none until `mend`."""
        self._cut = True
        for pair in list(self._pairs):
            pair.drop()

    def silence(self) -> None:
        """Holds back every byte until `mend`, as a network does that lost its way."""
        self.silent = True
        for pair in self._pairs:
            pair.pause()

    def mend(self) -> None:
        """Lets connections through again, and what was held back."""
        self._cut = self.silent = False
        for pair in list(self._pairs):
            pair.resume()

    def lose_reply_to(self, request: bytes, *, after: bytes = b"") -> None:
        """Passes on the next such request, and drops the connection on its reply.

        With `after`, the next on a connection that has sent that before it.
        """
        self._lost_reply, self._lost_after = request, after

    @property
    def lost(self) -> bool:
        """True once the reply has been lost."""
        return not self._lost_reply

    def open(self, pair: _Pair) -> bool:
        self._pairs.add(pair)
        self.refused += self._cut
        return not self._cut

    def close(self, pair: _Pair) -> None:
        self._pairs.discard(pair)

    def loses(self, pair: _Pair, request: bytes) -> bool:
        """Whether the reply to these bytes is the one to lose."""
        if not self._lost_reply:
            return False
        pair.qualifies = pair.qualifies or self._lost_after in request
        if not pair.qualifies or self._lost_reply not in request:
            return False
        self._lost_reply = b""
        return True

    async def connect(self, pair: _Pair) -> asyncio.Transport:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_connection(
            lambda: _Reply(pair), "127.0.0.1", self._server_port
        )
        return transport


class _Pair(asyncio.Protocol):
    """A client's connection and the one to the server that answers it."""

    def __init__(self, proxy: Proxy) -> None:
        self.qualifies = False
        """Whether it has sent what must come before the reply to lose."""
        self._proxy = proxy
        self._pending = b""
        self._loses_reply = False
        self._client: asyncio.Transport | None = None
        self._server: asyncio.Transport | None = None
        self._connecting: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._client = transport
        if self._proxy.silent:
            transport.pause_reading()
        if self._proxy.open(self):
            self._connecting = asyncio.create_task(self._connect())
        else:
            transport.abort()

    async def _connect(self) -> None:
        try:
            self._server = await self._proxy.connect(self)
        except OSError:
            self.drop()
        else:
            self._server.write(self._pending)
            if self._proxy.silent:
                self._server.pause_reading()

    def pause(self) -> None:
        for transport in (self._client, self._server):
            if transport is not None:
                transport.pause_reading()

    def resume(self) -> None:
        for transport in (self._client, self._server):
            if transport is not None:
                transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        self._loses_reply = self._loses_reply or self._proxy.loses(self, data)
        if self._server is None:
            self._pending += data
        else:
            self._server.write(data)

    def reply(self, data: bytes) -> None:
        if self._loses_reply:
            self.drop()
        elif self._client is not None:
            self._client.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.drop()

    def drop(self) -> None:
        self._proxy.close(self)
        if self._connecting is not None:
            self._connecting.cancel()
        for transport in (self._client, self._server):
            if transport is not None:
                with contextlib.suppress(OSError):
                    transport.abort()


class _Reply(asyncio.Protocol):
    """The server's side of a pair."""

    def __init__(self, pair: _Pair) -> None:
        self._pair = pair

    def data_received(self, data: bytes) -> None:
        self._pair.reply(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._pair.drop()
