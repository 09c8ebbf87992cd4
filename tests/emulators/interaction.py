"""An interaction with Gemini Omni, as it is asked for and described."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.emulators import media, prices
from tests.emulators.operation import Operation, Phase

if TYPE_CHECKING:
    from tests.emulators.knobs import ClipKnobs

Json = dict[str, Any]

FILES = "https://generativelanguage.googleapis.com/v1beta/files"
"""Where clips are said to be, whatever the base URL, as google-genai expects it."""
SIZES = {"360p": (640, 360), "720p": (1280, 720), "1080p": (1920, 1080)}
TEXT_TOKENS, THOUGHT_TOKENS = 92, 281
"""Beside the video: in the output's total, and apart from it."""
STATUSES = {
    Phase.COMPLETED: "completed",
    Phase.REFUSED: "completed",
    Phase.CANCELLED: "cancelled",
    Phase.FAILED: "failed",
}
REFUSAL = "I can't help with generating that video."


class Interaction(Operation):
    """A clip that Omni makes."""

    def __init__(self, knobs: ClipKnobs, body: Json) -> None:
        form = body["response_format"]
        seconds = int(form["duration"].removesuffix("s"))
        super().__init__(f"v1_{secrets.token_urlsafe(16)}", knobs, float(seconds))
        self.model: str = body["model"]
        self.resolution: str = form.get("resolution", "720p")
        self.upright = form.get("aspect_ratio") == "9:16"
        self.inline = form.get("delivery") != "uri"
        self.file_id = secrets.token_hex(8)
        self.input_tokens = 258 + sum(
            len(part.get("text", "")) // 4 for part in _parts(body["input"])
        )

    @property
    def video_tokens(self) -> int:
        refused = self.end is Phase.REFUSED
        return (
            0 if refused else round(prices.OMNI_TOKENS[self.resolution] * self.seconds)
        )

    @property
    def usage(self) -> Json:
        output = self.video_tokens + TEXT_TOKENS
        by_modality = [{"modality": "video", "tokens": self.video_tokens}]
        return {
            "total_input_tokens": self.input_tokens,
            "total_output_tokens": output,
            "total_thought_tokens": THOUGHT_TOKENS,
            "total_tokens": self.input_tokens + output + THOUGHT_TOKENS,
            "output_tokens_by_modality": by_modality if self.video_tokens else [],
        }

    def described(self, phase: Phase) -> Json:
        """Returns what a GET answers, in a phase."""
        created = datetime.fromtimestamp(self.created_at, UTC).isoformat()
        interaction: Json = {
            "id": self.operation_id,
            "object": "interaction",
            "model": self.model,
            "status": STATUSES.get(phase, "in_progress"),
            "created": created,
            "updated": created,
        }
        if phase in (Phase.COMPLETED, Phase.REFUSED):
            content: Json = {"type": "text", "text": REFUSAL}
            if phase is Phase.COMPLETED:
                content = {"type": "video", "mime_type": "video/mp4"}
                content["uri"] = f"{FILES}/{self.file_id}:download?alt=media"
            output = {"type": "model_output", "content": [content]}
            interaction["steps"] = [{"type": "thought"}, output]
            interaction["usage"] = self.usage
        if phase is Phase.FAILED:
            message = "The model failed to generate a video."
            interaction["errors"] = [{"code": 13, "message": message}]
        return interaction


def what_is_wrong(body: Json) -> str:
    """Returns why an interaction cannot be; empty if it can."""
    form = body.get("response_format", {})
    if body.get("model") not in prices.OMNI:
        return f"Model not found: {body.get('model')}"
    if not body.get("background") or body.get("store") is False:
        return "The emulator makes clips in the background only, and stores them."
    if not re.fullmatch(r"\d+s", str(form.get("duration"))):
        return "Invalid duration: expected a string such as '5s'."
    longest = 10 if body["model"] == "gemini-omni-1.1-flash" else 15
    if not 3 <= int(form["duration"][:-1]) <= longest:
        return f"Invalid duration: must be between 3s and {longest}s."
    if form.get("resolution", "720p") not in SIZES:
        return f"Invalid resolution: {form['resolution']}"
    pictures = (part["data"] for part in _parts(body["input"]) if "data" in part)
    if not all(map(media.is_picture, pictures)):
        return "Invalid image data."
    if form.get("type") != "video":
        return "The emulator makes videos."
    return ""


def _parts(steps: list[Json]) -> list[Json]:
    return [part for step in steps for part in step.get("content", (step,))]
