"""What the studio's media processes do: wait for the witness, then write a file."""

from __future__ import annotations

from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


def encode(*, url: str, parts: list[str], path: str) -> dict[str, Any]:
    """Asks the witness, which may hold the answer, and joins the parts."""
    address = urlsplit(url)
    connection = HTTPConnection(address.netloc)
    connection.request("GET", address.path)
    connection.getresponse().read()
    connection.close()
    joined = b"".join(Path(part).read_bytes() for part in parts)
    Path(path).write_bytes(joined or url.encode())
    return {}
