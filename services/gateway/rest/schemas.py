"""Messages as JSON Schema, by protobuf's JSON mapping."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from services.gateway.rest.field_limits import EXAMPLES, LIMITS, REQUIRED
from services.gateway.rest.json_types import json_type

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from typing import TypeAlias

    from google.protobuf.descriptor import (
        Descriptor,
        EnumDescriptor,
        FieldDescriptor,
    )

    Refer: TypeAlias = Callable[[Descriptor], dict[str, Any]]

_ANY = {
    "description": "A message of the type that `@type` names, such as ErrorInfo.",
    "type": "object",
    "properties": {"@type": {"type": "string"}},
    "required": ["@type"],
}


class Schemas:
    """The schemas of messages and enums, each built when it is first referred to."""

    def __init__(self, comments: Mapping[str, str]) -> None:
        self.comments = comments
        self.built: dict[str, Any] = {}
        """By their names under `components/schemas`."""

    def answer(self, message: Descriptor) -> dict[str, Any]:
        """Returns a reference to the message as the API writes it.

        Fields that cannot be absent are in every answer.
        """
        always = [field.json_name for field in message.fields if not field.has_presence]
        more = {"required": always} if always else {}
        return self._refer(message, message.fields, self.answer, more)

    def request(
        self, message: Descriptor, bound: Collection[str] = ()
    ) -> dict[str, Any]:
        """Returns a reference to the message as the API reads it: no other fields.

        Those that the path has are `bound`, and none of the body.
        """
        fields = [field for field in message.fields if field.json_name not in bound]
        more: dict[str, Any] = {"additionalProperties": False}
        if required := REQUIRED.get(message.name):
            more["required"] = required
        if example := EXAMPLES.get(message.name):
            more["examples"] = [example]
        return self._refer(message, fields, self.request, more)

    def parameters(
        self, message: Descriptor, path: str = ""
    ) -> Iterator[tuple[str, FieldDescriptor, dict[str, Any]]]:
        """Yields what a query may name: the path, the field and its schema."""
        for field in message.fields:
            name = f"{path}{field.json_name}"
            if json_type(field) is not None:
                yield name, field, self._schema(field, self.request)
            elif field.message_type is not None:
                yield from self.parameters(field.message_type, f"{name}.")

    def comment(self, full_name: str) -> dict[str, str]:
        """Returns the description of an element, if it has one."""
        comment = self.comments.get(full_name)
        return {"description": comment} if comment else {}

    def _refer(
        self,
        message: Descriptor,
        fields: Iterable[FieldDescriptor],
        refer: Refer,
        more: Mapping[str, Any],
    ) -> dict[str, Any]:
        name = _name(message.full_name)
        if name not in self.built:
            self.built[name] = {}
            self.built[name] = {
                **self.comment(message.full_name),
                "type": "object",
                "properties": {
                    field.json_name: {
                        **self._schema(field, refer),
                        **self.comment(field.full_name),
                    }
                    for field in fields
                },
                **more,
            }
        return {"$ref": f"#/components/schemas/{name}"}

    def _schema(self, field: FieldDescriptor, refer: Refer) -> dict[str, Any]:
        message = field.message_type
        if field.enum_type is not None:
            single = self._enum(field.enum_type)
        elif kind := json_type(field):
            limits = LIMITS.get(_name(field.full_name), {})
            return {**kind.schema, **limits}
        elif message is None or message.full_name == "google.protobuf.Any":
            single = _ANY
        else:
            single = refer(message)
        return {"type": "array", "items": single} if field.is_repeated else single

    def _enum(self, enum: EnumDescriptor) -> dict[str, Any]:
        name = _name(enum.full_name)
        names = [value.name for value in enum.values]
        values = [
            f"- `{value}`: {self.comments[f'{enum.full_name}.{value}']}"
            for value in names
        ]
        self.built[name] = {
            "description": "\n".join([self.comments[enum.full_name], "", *values]),
            "type": "string",
            "enum": names,
        }
        return {"$ref": f"#/components/schemas/{name}"}


def _name(full_name: str) -> str:
    return full_name.removeprefix("refrain.v1.").removeprefix("google.rpc.")
