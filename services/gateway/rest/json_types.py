"""How JSON writes the values of protobuf: for the reader and for OpenAPI alike.

As protobuf's JSON mapping does, but in the one form in which the API itself writes:
enums by name, 64 bits as text, no null.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from google.protobuf.descriptor import FieldDescriptor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.protobuf.descriptor import Descriptor


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonType:
    """What a value looks like that is no message with fields of its own."""

    schema: Mapping[str, Any]
    """As JSON Schema has it."""
    wanted: str
    """In words, after `must be`."""
    item: JsonType | None = None
    """What a list or a map consists of."""

    def fits(self, value: Any) -> bool:
        """True if a value that was read from JSON is of this type."""
        match self.schema["type"], value:
            case "array", list():
                return all(map(self._fits_item, cast("list[Any]", value)))
            case "object", dict():
                return all(map(self._fits_item, cast("dict[str, Any]", value).values()))
            case "string", str():
                return self._fits_text(value)
            case "boolean", bool():
                return True
            case _, bool():
                return False
            case "integer", int() | float():
                return value % 1 == 0
            case "number", int() | float():
                return True
            case _:
                return False

    def _fits_item(self, value: Any) -> bool:
        return self.item is not None and self.item.fits(value)

    def _fits_text(self, value: str) -> bool:
        if names := self.schema.get("enum"):
            return value in names
        return re.search(self.schema.get("pattern", ""), value) is not None


DURATION = JsonType(
    schema={"type": "string", "pattern": r"^-?[0-9]{1,12}(\.[0-9]{1,9})?s$"},
    wanted='seconds such as "2.5s"',
)
TIMESTAMP = JsonType(
    schema={
        "type": "string",
        "format": "date-time",
        "pattern": (
            r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}"
            r"(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$"
        ),
    },
    wanted='a time such as "2026-01-31T12:00:00Z"',
)

_WELL_KNOWN = {
    "google.protobuf.Duration": DURATION,
    "google.protobuf.Timestamp": TIMESTAMP,
}
_SCALARS = {
    FieldDescriptor.CPPTYPE_BOOL: JsonType(
        schema={"type": "boolean"}, wanted="true or false"
    ),
    FieldDescriptor.CPPTYPE_STRING: JsonType(schema={"type": "string"}, wanted="text"),
    FieldDescriptor.CPPTYPE_INT32: JsonType(
        schema={"type": "integer", "format": "int32"},
        wanted="a whole number of up to 32 bits",
    ),
    FieldDescriptor.CPPTYPE_INT64: JsonType(
        schema={"type": "string", "format": "int64", "pattern": "^-?[0-9]{1,19}$"},
        wanted='a whole number of up to 64 bits in quotes, such as "7"',
    ),
    FieldDescriptor.CPPTYPE_DOUBLE: JsonType(
        schema={"type": "number", "format": "double"}, wanted="a number"
    ),
}


def json_type(field: FieldDescriptor) -> JsonType | None:
    """Returns the type of what the field holds; None for messages with fields."""
    if is_map(field):
        entry = cast("Descriptor", field.message_type)
        item = _single(entry.fields_by_name["value"])
        return item and JsonType(
            schema={"type": "object", "additionalProperties": item.schema},
            wanted=f"an object, and each value in it {item.wanted}",
            item=item,
        )
    item = _single(field)
    if item is None or not field.is_repeated:
        return item
    return JsonType(
        schema={"type": "array", "items": item.schema},
        wanted=f"a list, and each item {item.wanted}",
        item=item,
    )


def is_map(field: FieldDescriptor) -> bool:
    """True for a map, which protobuf has as a list of entries."""
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def _single(field: FieldDescriptor) -> JsonType | None:
    if field.enum_type is not None:
        names = [value.name for value in field.enum_type.values]
        return JsonType(
            schema={"type": "string", "enum": names},
            wanted=f"one of {', '.join(names[1:])}",
        )
    if field.message_type is not None:
        return _WELL_KNOWN.get(field.message_type.full_name)
    return _SCALARS[field.cpp_type]
