"""JSON of others, which may have any shape."""

from __future__ import annotations

from typing import Any, cast

_LONGEST_WORDS = 500
"""Characters of what a provider says that go into a message."""


def object_of(value: object) -> dict[str, Any]:
    """Returns the value if it is an object, else an empty one."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def objects_of(value: object) -> list[dict[str, Any]]:
    """Returns the objects in the value if it is a list, else none."""
    values = cast("list[Any]", value) if isinstance(value, list) else []
    return [value for value in values if isinstance(value, dict)]


def words_of(value: object) -> str:
    """Returns the value in one line that is not too long; nothing for nothing."""
    words = " ".join(str(value or "").split())
    return words if len(words) <= _LONGEST_WORDS else f"{words[:_LONGEST_WORDS]}…"
