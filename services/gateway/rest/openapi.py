"""The JSON API as an OpenAPI 3.1 document, from RPCS and the .proto files."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

from google.rpc import status_pb2

from refrain import VERSION
from refrain.errors import Code
from services.gateway.rest.comments import read_comments
from services.gateway.rest.files import ANY_TYPE, MEDIA_TYPES
from services.gateway.rest.rpcs import PREFIX, RPCS
from services.gateway.rest.schemas import Schemas
from services.gateway.web.guard import COOKIE, HEADER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.descriptor import Descriptor

    from services.gateway.rest.rpcs import Rpc

_ERRORS = {
    400: "The request is wrong; a google.rpc.BadRequest names each field.",
    403: "The CSRF token is missing or wrong.",
    404: "There is no such thing.",
    409: "It cannot be done to the job as it stands, or the requestId is taken.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    416: "The file ends before the range.",
    503: "Something that the call needs does not answer; it may be repeated.",
    504: "The call was not done in time.",
}
_TOKEN = {
    "operationId": "GetCsrfToken",
    "summary": f"Returns the token that a write sends as {HEADER}",
    "description": f"It is that of the cookie {COOKIE}, which this sets if need be.",
    "responses": {
        "200": {
            "description": "The token.",
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "properties": {"csrfToken": {"type": "string"}},
                        "required": ["csrfToken"],
                    }
                }
            },
        }
    },
}
_DOCUMENT = {
    "operationId": "GetOpenApi",
    "summary": "Returns this document",
    "description": "It is built from the routes and from the .proto files.",
    "responses": {
        "200": {
            "description": "An OpenAPI document.",
            "content": {"application/json": {"schema": {"type": "object"}}},
        }
    },
}
_OWN_ERRORS = {
    "CreateJob": {409, 504},
    "CancelJob": {409, 504},
    "PauseJob": {409, 504},
    "ResumeJob": {409, 504},
    "RetryJob": {409, 504},
    "DeleteJob": {409, 504},
    "WatchJob": set[int](),
    "UploadAudio": set[int](),
    "DownloadArtifact": {416},
}
_BOUND = {"jobId": {"type": "string", "format": "uuid"}, "key": {"type": "string"}}
_HEADERS = {
    "DownloadArtifact": {
        "Range": {
            "description": "One range of bytes; all others are ignored.",
            "schema": {"type": "string", "examples": ["bytes=0-1023", "bytes=-7"]},
        }
    },
    "WatchJob": {
        "Last-Event-ID": {
            "description": "As afterSequence, which it overrides; an EventSource "
            "sends it when it reconnects.",
            "schema": {"type": "string", "pattern": "^[0-9]{0,18}$"},
        }
    },
}
_BYTES = {"type": "string", "format": "binary"}


def openapi() -> dict[str, Any]:
    """Returns the document, as JSON has it."""
    schemas = Schemas(read_comments())
    paths: dict[str, Any] = {
        f"{PREFIX}/csrfToken": {"get": _TOKEN},
        f"{PREFIX}/openapi.json": {"get": _DOCUMENT},
    }
    for rpc in RPCS:
        path = PREFIX + re.sub(r":\w+}", "}", rpc.path)
        paths.setdefault(path, {})[rpc.method.lower()] = _operation(rpc, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Refrain",
            "version": VERSION,
            **schemas.comment("refrain.v1.JobService"),
        },
        "paths": paths,
        "components": {
            "schemas": {**schemas.built, "Error": _error(schemas)},
            "responses": {
                str(status): _answer(why, {"$ref": "#/components/schemas/Error"})
                for status, why in _ERRORS.items()
            },
            "securitySchemes": {
                "csrfToken": {"type": "apiKey", "in": "header", "name": HEADER},
                "csrfCookie": {"type": "apiKey", "in": "cookie", "name": COOKIE},
            },
        },
    }


def _operation(rpc: Rpc, schemas: Schemas) -> dict[str, Any]:
    comment = schemas.comments[rpc.descriptor.full_name]
    operation: dict[str, Any] = {
        "operationId": rpc.name,
        "summary": " ".join(comment.partition(".")[0].split()),
        "description": comment,
        "parameters": list(_parameters(rpc, schemas)),
        "responses": _responses(rpc, schemas),
    }
    if rpc.has_body:
        operation["requestBody"] = _body(rpc, schemas)
    if rpc.writes:
        operation["security"] = [{"csrfToken": [], "csrfCookie": []}]
    return operation


def _parameters(rpc: Rpc, schemas: Schemas) -> Iterator[dict[str, Any]]:
    for name in rpc.bound:
        yield {"name": name, "in": "path", "required": True, "schema": _BOUND[name]}
    for name, header in _HEADERS.get(rpc.name, {}).items():
        yield {"name": name, "in": "header", **header}
    if rpc.has_body or rpc.name == "DownloadArtifact":
        return
    for name, field, schema in schemas.parameters(rpc.request):
        if name not in rpc.bound:
            described = schemas.comment(field.full_name)
            yield {"name": name, "in": "query", "schema": schema, **described}


def _body(rpc: Rpc, schemas: Schemas) -> dict[str, Any]:
    if rpc.name == "UploadAudio":
        content = {ANY_TYPE: {"schema": _BYTES}}
        return {
            "description": "The bytes of the audio, of any media type.",
            "required": True,
            "content": content,
        }
    content = {"application/json": {"schema": schemas.request(rpc.request, rpc.bound)}}
    return {"content": content}


def _responses(rpc: Rpc, schemas: Schemas) -> dict[str, Any]:
    message = rpc.descriptor.output_type
    responses: dict[str, Any] = {}
    match rpc.name:
        case "DownloadArtifact":
            types = [*MEDIA_TYPES.values(), ANY_TYPE]
            content = {media_type: {"schema": _BYTES} for media_type in types}
            responses["200"] = {"description": "The file.", "content": content}
            responses["206"] = {"description": "A part of it.", "content": content}
        case "WatchJob":
            why = (
                "Server-sent events; the id of each is the sequence. One named "
                "`failure` comes last if the watch breaks off: its data is an Error."
            )
            content = {"text/event-stream": {"schema": _event(schemas.answer(message))}}
            responses["200"] = {"description": why, "content": content}
            responses["204"] = {"description": "Nothing more will come."}
        case _:
            why = schemas.comments[message.full_name]
            responses["200"] = _answer(why, schemas.answer(message))
    for status in sorted(_statuses(rpc)):
        responses[str(status)] = {"$ref": f"#/components/responses/{status}"}
    return responses


def _statuses(rpc: Rpc) -> set[int]:
    """Returns the statuses of errors that the call may answer."""
    statuses = {503} | _OWN_ERRORS.get(rpc.name, {504})
    if rpc.writes:
        statuses |= {403}
    if rpc.name != "DownloadArtifact":
        statuses |= {400}
    if rpc.bound:
        statuses |= {404}
    if rpc.has_body:
        statuses |= {413} if rpc.name == "UploadAudio" else {413, 415}
    return statuses


def _answer(why: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": why, "content": {"application/json": {"schema": schema}}}


def _event(data: dict[str, Any]) -> dict[str, Any]:
    """Returns the schema of one server-sent event."""
    return {
        "type": "object",
        "properties": {
            "event": {"type": "string"},
            "id": {"type": "string"},
            "retry": {"type": "integer"},
            "data": {
                "type": "string",
                "contentMediaType": "application/json",
                "contentSchema": data,
            },
        },
        "required": ["data"],
    }


def _error(schemas: Schemas) -> dict[str, Any]:
    schemas.answer(cast("Descriptor", status_pb2.Status.DESCRIPTOR))
    details = schemas.built["Status"]["properties"]["details"]
    return {
        "description": "An error as AIP-193 has it over HTTP.",
        "type": "object",
        "properties": {
            "error": {
                "type": "object",
                "properties": {
                    "code": {"type": "integer", "description": "The status of HTTP."},
                    "status": {"type": "string", "enum": list(Code.keys())},
                    "message": {"type": "string"},
                    "details": details,
                },
                "required": ["code", "status", "message", "details"],
            }
        },
        "required": ["error"],
    }
