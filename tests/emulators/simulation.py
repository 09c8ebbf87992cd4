"""A simulation job of Odyssey, as it is asked for and described."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.emulators import media
from tests.emulators.operation import Operation, Phase

if TYPE_CHECKING:
    from tests.emulators.knobs import OdysseyKnobs

Json = dict[str, Any]

SIZE = (1280, 704)
"""Whatever the picture's."""


class Simulation(Operation):
    """A clip that Odyssey makes."""

    def __init__(self, knobs: OdysseyKnobs, body: Json) -> None:
        ends_at = body["script"][-1]["timestamp_ms"]
        super().__init__(f"job_{secrets.token_hex(12)}", knobs.clip, ends_at / 1000)
        self.stream_id = f"stream_{secrets.token_hex(12)}"
        self.size = media.turned(SIZE) if body.get("portrait") else SIZE
        self._settings = knobs

    def summary(self) -> Json:
        """Returns what a list says of it."""
        phase = self.shown
        error = {
            Phase.FAILED: "Simulation failed",
            Phase.REFUSED: "Content moderation: the prompt was rejected",
        }.get(phase)
        return {
            "job_id": self.operation_id,
            "status": "failed" if error else phase.value,
            "priority": "normal",
            "created_at": datetime.fromtimestamp(self.created_at, UTC).isoformat(),
            "completed_at": datetime.now(UTC).isoformat() if self.ended else None,
            "error_message": error,
        }

    def stream(self, url: str) -> Json:
        """Returns where the clip is, for a while; `url` is Odyssey's."""
        expires = time.time() + self._settings.url_seconds
        folder = f"{url}/store/{self.stream_id}"
        query = f"expires={expires:.3f}&signature={secrets.token_hex(8)}"
        return {
            "stream_id": self.stream_id,
            "video_url": f"{folder}/video.mp4?{query}",
            "events_url": None,
            "thumbnail_url": None,
            "preview_url": None,
            "frame_count": round(self.seconds * self._settings.frame_rate),
            "duration_seconds": self.seconds,
            "script_index": 0,
        }


def is_script(script: list[Json] | None) -> bool:
    """Says whether it starts, with a picture if there is one, and ends."""
    if not script or "start" not in script[0] or "end" not in script[-1]:
        return False
    picture = script[0]["start"].get("image")
    return picture is None or media.is_picture(picture.partition(";base64,")[2])
