"""Ports of 127.0.0.1: which are free, and which to use."""

from __future__ import annotations

import secrets
import socket
from typing import TYPE_CHECKING

from refrain.local.guardian import StartError

if TYPE_CHECKING:
    from collections.abc import Mapping


def free_port() -> int:
    """Return a port that nothing listens on just now.

    It lies below the range that outgoing connections take theirs from.
    """
    while True:
        port = 20000 + secrets.randbelow(12000)
        if is_free(port):
            return port


def is_free(port: int) -> bool:
    """Say whether a server could listen on the port just now."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def asked_port(environment: Mapping[str, str], name: str, usual: int) -> int:
    """Return the port that the variable names, else the usual one, else a free one.

    Raises StartError when the variable names no port, or one that is taken; 0 asks for
    any free one.
    """
    asked = environment.get(name)
    if not asked:
        return usual if is_free(usual) else free_port()
    if not asked.isdecimal() or int(asked) > 65535:
        raise StartError(f"{name}={asked} is no port: give 1 to 65535, or 0 for any")
    if int(asked) == 0:
        return free_port()
    if not is_free(int(asked)):
        raise StartError(
            f"{name}={asked} is taken: end what listens there, or choose another port"
        )
    return int(asked)
