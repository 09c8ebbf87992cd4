"""The comments of the .proto files, which are the manual of the API."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import TYPE_CHECKING

from google.protobuf.descriptor_pb2 import FileDescriptorSet

import refrain.v1

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from google.protobuf.descriptor_pb2 import FileDescriptorProto
    from google.protobuf.message import Message

_INDENT = re.compile("^ ", re.MULTILINE)
_LINT = re.compile(r"^buf:lint:.*$", re.MULTILINE)
_SNAKE = re.compile(r"\b[a-z]+(?:_[a-z]+)+\b")


def read_comments() -> Mapping[str, str]:
    """Returns the comment of each element of refrain.v1 by its full name.

    They name fields as JSON does, in lowerCamelCase.
    """
    found = files(refrain.v1).joinpath("descriptors.binpb").read_bytes()
    descriptors = FileDescriptorSet.FromString(found)
    comments = dict(pair for file in descriptors.file for pair in _comments(file))
    fields = {name.rpartition(".")[2] for name in comments}
    return {
        name: _SNAKE.sub(lambda word: _camel(word[0], fields), comment)
        for name, comment in comments.items()
    }


def _comments(file: FileDescriptorProto) -> Iterator[tuple[str, str]]:
    for location in file.source_code_info.location:
        if location.leading_comments:
            name = f"{file.package}.{'.'.join(_names(file, location.path))}"
            lines = _LINT.sub(
                "", re.sub("^ ", "", location.leading_comments, flags=re.M)
            )
            yield name, lines.strip()


def _names(message: Message, path: Sequence[int]) -> list[str]:
    """Returns the names on a path of (number of a field, index) pairs."""
    names: list[str] = []
    inside: Any = message
    for number, index in zip(path[::2], path[1::2], strict=False):
        field = inside.DESCRIPTOR.fields_by_number[number]
        inside = getattr(inside, field.name)[index]
        names.append(inside.name)
    return names


def _camel(word: str, fields: set[str]) -> str:
    if word not in fields:
        return word
    first, *others = word.split("_")
    return first + "".join(map(str.capitalize, others))
