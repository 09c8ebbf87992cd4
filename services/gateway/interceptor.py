"""Errors as gRPC statuses: the one place where they meet the wire."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, NoReturn

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import code_pb2, error_details_pb2, status_pb2

from refrain.errors import InvalidRequest, RefrainError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from google.protobuf.message import Message

log = logging.getLogger(__name__)

DOMAIN = "refrain"
LONGEST_TEXT = 200

_CODES = {code.value[0]: code for code in grpc.StatusCode}


class ErrorInterceptor(grpc.aio.ServerInterceptor):
    """Ends a call with the code and the details of the error that it raised."""

    def __init__(self) -> None:
        self._handlers: dict[str, Any] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        method = handler_call_details.method
        if not method.startswith("/refrain."):
            return await continuation(handler_call_details)
        if method not in self._handlers:
            handler = await continuation(handler_call_details)
            if handler is None:
                return None
            self._handlers[method] = _wrap(handler)
        return self._handlers[method]


def _wrap(handler: Any) -> Any:
    if handler.unary_stream:
        return _like(handler, grpc.unary_stream_rpc_method_handler, _stream)
    if handler.stream_unary:
        return _like(handler, grpc.stream_unary_rpc_method_handler, _unary)
    return _like(handler, grpc.unary_unary_rpc_method_handler, _unary)


def _like(handler: Any, make: Any, wrap: Any) -> Any:
    behavior = handler.unary_stream or handler.stream_unary or handler.unary_unary
    return make(
        wrap(behavior),
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )


def _unary(behavior: Callable[..., Awaitable[Any]]) -> Any:
    async def call(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        try:
            return await behavior(request, context)
        except Exception as err:  # noqa: BLE001 the one supervisor of all calls
            await _abort(context, err)

    return call


def _stream(behavior: Callable[..., AsyncGenerator[Any]]) -> Any:
    async def call(
        request: Any,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> AsyncGenerator[Any]:
        try:
            async for response in behavior(request, context):
                yield response
        except Exception as err:  # noqa: BLE001 the one supervisor of all calls
            await _abort(context, err)

    return call


async def _abort(
    context: grpc.aio.ServicerContext[Any, Any], error: Exception
) -> NoReturn:
    status = status_of(error)
    await context.abort(
        _CODES[status.code],
        status.message,
        (("grpc-status-details-bin", status.SerializeToString()),),
    )


def status_of(error: Exception) -> status_pb2.Status:
    """Returns the error as google.rpc.Status; unforeseen ones are INTERNAL."""
    if not isinstance(error, RefrainError):
        log.error("unforeseen", exc_info=error)
        return _status(code_pb2.INTERNAL, "An error on our side.", "INTERNAL")
    status = _status(error.code, str(error), error.reason)
    if isinstance(error, InvalidRequest):
        violations = [
            error_details_pb2.BadRequest.FieldViolation(
                field=name, description=_clip(why)
            )
            for name, why in error.violations.items()
        ]
        _add(status, error_details_pb2.BadRequest(field_violations=violations))
    return status


def _status(code: int, message: str, reason: str) -> status_pb2.Status:
    status = status_pb2.Status(code=code, message=_clip(message))
    _add(status, error_details_pb2.ErrorInfo(domain=DOMAIN, reason=reason))
    return status


def _add(status: status_pb2.Status, detail: Message) -> None:
    packed = AnyMessage()
    packed.Pack(detail)
    status.details.append(packed)


def _clip(text: str) -> str:
    """A status travels in headers, which hold 8 KiB."""
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…"
