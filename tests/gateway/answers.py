"""What an error of the API says, for tests to ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

if TYPE_CHECKING:
    from collections.abc import Awaitable


def details(error: grpc.aio.AioRpcError) -> status_pb2.Status:
    metadata: dict[str, Any] = dict(error.trailing_metadata() or ())
    return status_pb2.Status.FromString(metadata["grpc-status-details-bin"])


def reason_of(status: status_pb2.Status) -> str:
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert info.domain == "refrain"
    return info.reason


def reason(error: grpc.aio.AioRpcError) -> str:
    return reason_of(details(error))


def violations(error: grpc.aio.AioRpcError) -> dict[str, str]:
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    bad = error_details_pb2.BadRequest()
    assert details(error).details[1].Unpack(bad)
    return {v.field: v.description for v in bad.field_violations}


async def refusal(call: Awaitable[object]) -> grpc.aio.AioRpcError:
    """Returns the error that the call ends with."""
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    return error.value
