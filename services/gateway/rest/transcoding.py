"""Requests over HTTP as messages: from a query, or from a JSON body."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn, cast

from google.protobuf.json_format import ParseDict, ParseError

from refrain.errors import InvalidRequest
from services.gateway.rest.json_types import json_type
from services.gateway.web.bodies import media_type, read_body
from services.gateway.web.refusals import NoJson

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping

    from google.protobuf.descriptor import Descriptor, FieldDescriptor
    from google.protobuf.message import Message
    from starlette.requests import Request

    from services.gateway.rest.json_types import JsonType

MAX_BODY = 4 * 1024 * 1024
"""Bytes of a JSON body: what gRPC takes in one message."""
MAX_VIOLATIONS = 20
"""Fields that one answer names."""
LONGEST_NAME = 64
"""Characters of an unknown field that an answer repeats."""

_LITERAL = re.compile(r"true|false|-?[0-9]{1,30}(\.[0-9]{1,30})?")


async def read_json(request: Request) -> dict[str, Any]:
    """Returns the object that the body holds; empty if there is no body.

    Raises BodyTooLarge, NoJson, and InvalidRequest for anything but an object.
    """
    body = await read_body(request, MAX_BODY)
    if not body:
        return {}
    if media_type(request) != "application/json":
        raise NoJson
    try:
        value = json.loads(
            body, parse_constant=_refuse_constant, object_pairs_hook=_unique
        )
    except (ValueError, RecursionError) as err:
        why = "must be a JSON object, with each name once"
        raise InvalidRequest({"body": why}) from err
    if not isinstance(value, dict):
        raise InvalidRequest({"body": "must be a JSON object, such as {}"})
    return value  # pyright: ignore[reportUnknownVariableType]


def read_query(
    descriptor: Descriptor, pairs: Iterable[tuple[str, str]]
) -> dict[str, Any]:
    """Returns the JSON object that has each value at the path that names it.

    Raises InvalidRequest for a path that leads to no value, or comes twice.
    """
    found: dict[str, Any] = {}
    violations: dict[str, str] = {}
    for path, text in pairs:
        *parents, leaf = path.split(".")
        field = _find(descriptor, parents, leaf)
        if field is None:
            violations[_printable(path)] = "is no parameter of this path"
            continue
        fields = found
        for parent in parents:
            fields = fields.setdefault(parent, {})
        if field.is_repeated:
            fields.setdefault(leaf, []).append(_from_text(field, text))
        elif leaf in fields:
            violations[path] = "must be given once"
        else:
            fields[leaf] = _from_text(field, text)
    _raise(violations)
    return found


def fill(message: Message, fields: Mapping[str, Any]) -> None:
    """Sets the message's fields; raises InvalidRequest with all that are wrong."""
    violations: dict[str, str] = {}
    _fill(message, fields, "", violations)
    _raise(violations)


@contextmanager
def names_as_in_json(descriptor: Descriptor) -> Generator[None]:
    """Names the fields that a call finds wrong as the request named them."""
    try:
        yield
    except InvalidRequest as err:
        violations = {
            _json_path(descriptor, path): why for path, why in err.violations.items()
        }
        raise InvalidRequest(violations) from err


def _fill(
    message: Message, fields: Mapping[str, Any], path: str, violations: dict[str, str]
) -> None:
    known = _fields(cast("Descriptor", message.DESCRIPTOR))
    for name, value in fields.items():
        at = path + _printable(name)
        field = known.get(name)
        if field is None:
            violations[at] = "is no field here; names are in lowerCamelCase"
        elif kind := json_type(field):
            if not _set(message, field, value, kind):
                violations[at] = f"must be {kind.wanted}"
        elif isinstance(value, dict):
            inner = getattr(message, field.name)
            inner.SetInParent()
            _fill(inner, cast("dict[str, Any]", value), f"{at}.", violations)
        else:
            violations[at] = "must be an object"


def _set(message: Message, field: FieldDescriptor, value: Any, kind: JsonType) -> bool:
    """Returns False for a value that is not of the field's type."""
    if not kind.fits(value):
        return False
    try:
        ParseDict({field.json_name: value}, message)
    except (ParseError, OverflowError):
        # Out of range, no day of the calendar, or half a character.
        return False
    return True


def _find(
    descriptor: Descriptor, parents: Iterable[str], leaf: str
) -> FieldDescriptor | None:
    """Returns the field that a path of JSON names leads to, if it holds values."""
    inside: Descriptor | None = descriptor
    for name in parents:
        parent = _fields(inside).get(name)
        inside = None if parent is None or json_type(parent) else parent.message_type
        if inside is None:
            return None
    field = _fields(inside).get(leaf)
    return field if field is not None and json_type(field) else None


def _fields(descriptor: Descriptor) -> Mapping[str, FieldDescriptor]:
    """Returns the fields of a message by their JSON names."""
    # The descriptor's own map takes proto names, too, and breaks on half characters.
    return {field.json_name: field for field in descriptor.fields}


def _from_text(field: FieldDescriptor, text: str) -> Any:
    """Returns the JSON value that a query means; what is none fits no type."""
    kind = json_type(field)
    item = kind and (kind.item or kind)
    if item and item.schema["type"] == "string":
        return text
    return json.loads(text) if _LITERAL.fullmatch(text) else None


def _json_path(descriptor: Descriptor, path: str) -> str:
    """Returns a path of proto names in lowerCamelCase: `video.frameRate`."""
    names: list[str] = []
    inside: Descriptor | None = descriptor
    for name in path.split("."):
        field = inside.fields_by_name.get(name) if inside else None
        names.append(field.json_name if field else name)
        inside = field.message_type if field else None
    return ".".join(names)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError
    return found


def _refuse_constant(_name: str) -> NoReturn:
    """NaN and Infinity are not JSON."""
    raise ValueError


def _printable(name: str) -> str:
    """JSON can name half a character, which no answer can hold."""
    return name[:LONGEST_NAME].encode(errors="replace").decode()


def _raise(violations: Mapping[str, str]) -> None:
    if violations:
        raise InvalidRequest(dict(list(violations.items())[:MAX_VIOLATIONS]))
