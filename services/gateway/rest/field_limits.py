"""What the checks of the gateway allow, as far as JSON Schema can say it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from refrain.store import CHUNK
from services.gateway.fields import MAX_REASON, MAX_REQUEST_ID
from services.gateway.paging import MAX_PAGE
from services.gateway.request import (
    LARGEST_BUDGET,
    MAX_FRAME_RATE,
    MAX_IN_FLIGHT,
    MAX_LABEL,
    MAX_LABELS,
    MAX_NAME,
    MAX_PRIORITY,
    MAX_SIDE,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_NO_NUL = {"pattern": "^[^\\u0000]*$"}
_NAME = {"maxLength": MAX_NAME, **_NO_NUL}
_LABEL = {"maxLength": MAX_LABEL, **_NO_NUL}
_REASON = {"maxLength": MAX_REASON, **_NO_NUL}
_REQUEST_ID = {"maxLength": MAX_REQUEST_ID, **_NO_NUL}
_PIXELS = {"minimum": 0, "maximum": MAX_SIDE, "multipleOf": 2}
_PAGE = {"minimum": 0, "maximum": MAX_PAGE}

LIMITS: Mapping[str, Mapping[str, Any]] = {
    "BatchCancelJobsRequest.job_ids": {"maxItems": CHUNK},
    "BatchCancelJobsRequest.reason": _REASON,
    "CancelJobRequest.reason": _REASON,
    "CancelJobsRequest.reason": _REASON,
    "CreateJobRequest.album": _NAME,
    "CreateJobRequest.artist": _NAME,
    "CreateJobRequest.labels": {
        "maxProperties": MAX_LABELS,
        "propertyNames": _LABEL,
        "additionalProperties": {"type": "string", **_LABEL},
    },
    "CreateJobRequest.lyrics": _NO_NUL,
    "CreateJobRequest.max_cost_usd": {"minimum": 0, "maximum": LARGEST_BUDGET},
    "CreateJobRequest.max_in_flight": {"minimum": 0, "maximum": MAX_IN_FLIGHT},
    "CreateJobRequest.priority": {"minimum": -MAX_PRIORITY, "maximum": MAX_PRIORITY},
    "CreateJobRequest.request_id": _REQUEST_ID,
    "CreateJobRequest.style": _NAME,
    "CreateJobRequest.title": {
        "minLength": 1,
        "maxLength": MAX_NAME,
        "pattern": "^[^\\u0000]*[^\\s\\u0000][^\\u0000]*$",
    },
    "JobFilter.text": _NO_NUL,
    "ListJobEventsRequest.page_size": _PAGE,
    "ListJobsRequest.page_size": _PAGE,
    "RetryJobRequest.request_id": _REQUEST_ID,
    "VideoOptions.frame_rate": {"minimum": 0, "maximum": MAX_FRAME_RATE},
    "VideoOptions.height": _PIXELS,
    "VideoOptions.width": _PIXELS,
}
"""Keywords of JSON Schema, by the field's name in refrain.v1."""
REQUIRED: Mapping[str, list[str]] = {"CreateJobRequest": ["title"]}
"""Fields that must be there, by the message's name."""
EXAMPLES: Mapping[str, Any] = {
    "CreateJobRequest": {
        "title": "Row Your Boat",
        "lyrics": "Row, row, row your boat\nGently down the stream",
    },
    "CancelJobsRequest": {"filter": {"text": "Boat"}, "dryRun": True},
}
