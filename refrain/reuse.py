"""Reuse: which clips a retried job takes over from the job that it retries.

A clip is taken over if it would be made from the same inputs; their digest is kept
beside it when it is made.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from refrain.job import SegmentRow
    from refrain.v1.job_service_pb2 import CreateJobRequest

RENDERER_VERSION = 1
"""Of the local renderer: raised when it would make another clip of the same inputs."""


def input_digest(request: CreateJobRequest, segment: SegmentRow) -> bytes:
    """Returns the SHA-256 of all that the image and the clip are made from."""
    video = request.video
    inputs = {
        "lines": [dict(line) for line in segment.lines],
        "prompt": segment.prompt,
        "style": request.style,
        "title": request.title,
        "position": segment.position,
        "start": segment.start_offset.total_seconds(),
        "end": segment.end_offset.total_seconds(),
        "size": [video.width, video.height, video.frame_rate],
        "providers": [request.image_provider, request.clip_provider],
        "renderer": RENDERER_VERSION,
    }
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).digest()
