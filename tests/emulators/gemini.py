"""Gemini: storyboards and pictures by generateContent, and Omni's clips (omni.py)."""

from __future__ import annotations

import asyncio
import base64
import json
import math
import secrets
import zlib
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.emulators import google, media, prices
from tests.emulators.emulator import Emulator, exchange_of
from tests.emulators.knobs import GeminiKnobs
from tests.emulators.ledger import Charge
from tests.emulators.omni import Omni

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from tests.emulators.ledger import Ledger

Json = dict[str, Any]

IMAGE_TOKENS = {"1K": 1120, "2K": 1680}
"""Of a picture, by its size."""
IMAGE_TEXT_TOKENS = 272
"""Beside the picture, in a recorded answer."""
THOUGHT_TOKENS = 300
SIDE = {"1K": 1024, "2K": 2048}
"""Pixels of the side of a square picture."""


class Gemini(Emulator[GeminiKnobs]):
    """The Gemini API with a key."""

    name = "gemini"

    def __init__(self, ledger: Ledger, url: str) -> None:
        super().__init__(ledger, url, GeminiKnobs())
        self.omni = Omni(self)

    def routes(self) -> Sequence[BaseRoute]:
        generate = "/{version}/models/{model}:generateContent"
        return (
            Route(generate, self.generate, methods=["POST"]),
            *self.omni.routes(),
        )

    def throttled(self, seconds: float) -> Response:
        return google.throttled(seconds)

    def failed(self, status: int) -> Response:
        return google.failed(status)

    async def generate(self, request: Request) -> Response:
        """Answers generateContent: a picture if one is asked for, else text."""
        body = google.camel_cased(await request.json())
        settings = body.get("generationConfig", {})
        pictures = "IMAGE" in settings.get("responseModalities", ())
        fault = self.meet(request, "image" if pictures else "storyboard")
        if fault:
            return fault
        if not google.has_key(request, self.name):
            return google.bad_key()
        model: str = request.path_params["model"]
        if model not in (prices.IMAGE if pictures else prices.TEXT):
            return google.unknown_model(model)
        if pictures:
            return await self._image(request, model, body)
        return self._storyboard(request, model, body)

    def _storyboard(self, request: Request, model: str, body: Json) -> Response:
        asked = _asked_segments(body["contents"][-1]["parts"][-1]["text"])
        if asked is None:
            return google.bad_argument("The emulator needs JSON with segments.")
        written = [
            {"position": segment["position"], "prompt": _prompt(segment)}
            for segment in asked
        ]
        if self.knobs.take("partial_storyboards"):
            written = written[::2]
        text = json.dumps({"style": "oil on canvas, at dusk", "segments": written})
        if self.knobs.take("bad_storyboards"):
            text = text[: len(text) // 2]
        tokens_in, tokens_out = _tokens(json.dumps(body)), _tokens(text)
        self._charge(
            request,
            "storyboard",
            model,
            prices.text(model, tokens_in, tokens_out + THOUGHT_TOKENS),
        )
        usage = {
            "promptTokenCount": tokens_in,
            "candidatesTokenCount": tokens_out,
            "thoughtsTokenCount": THOUGHT_TOKENS,
            "totalTokenCount": tokens_in + tokens_out + THOUGHT_TOKENS,
        }
        return _answer(model, usage, _candidate({"text": text}))

    async def _image(self, request: Request, model: str, body: Json) -> Response:
        tokens_in = _tokens(json.dumps(body["contents"]))
        if self.knobs.take("refused_images"):
            return self._refusal(request, model, tokens_in)
        wanted = body["generationConfig"].get("imageConfig", {})
        resolution: str = wanted.get("imageSize", "1K")
        picture = await asyncio.to_thread(
            media.jpeg,
            _size(wanted.get("aspectRatio", "1:1"), SIDE[resolution]),
            self.knobs.image_bytes,
            zlib.crc32(json.dumps(body["contents"]).encode()) % 8 * 32,
        )
        part = {
            "inlineData": {"mimeType": "image/jpeg", "data": _base64(picture)},
            "thoughtSignature": _base64(bytes(self.knobs.signature_bytes)),
        }
        tokens = IMAGE_TOKENS[resolution]
        price = _image_price(model, tokens_in, IMAGE_TEXT_TOKENS, tokens)
        self._charge(request, "image", model, price)
        usage = {
            "promptTokenCount": tokens_in,
            "candidatesTokenCount": tokens + IMAGE_TEXT_TOKENS,
            "totalTokenCount": tokens_in + tokens + IMAGE_TEXT_TOKENS,
            "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": tokens}],
            **_of_prompt(tokens_in),
        }
        return _answer(model, usage, _candidate(part))

    def _refusal(self, request: Request, model: str, tokens_in: int) -> Response:
        reason = self.knobs.image_refusal
        usage = {
            "promptTokenCount": tokens_in,
            "totalTokenCount": tokens_in,
            **_of_prompt(tokens_in),
        }
        self._charge(request, "image", model, _image_price(model, tokens_in, 0, 0))
        if reason == "PROHIBITED_CONTENT":
            feedback = {"blockReason": reason}
            return JSONResponse(
                {"promptFeedback": feedback, "usageMetadata": usage, **_ids(model)}
            )
        candidate: Json = {"content": {}, "finishReason": reason, "index": 0}
        if reason == "IMAGE_SAFETY":
            candidate["finishMessage"] = "Unable to show the generated image."
        return _answer(model, usage, candidate)

    def _charge(self, request: Request, purpose: str, model: str, usd: Decimal) -> None:
        self.ledger.add(
            Charge(
                provider=self.name,
                purpose=purpose,
                model=model,
                usd=usd,
                exchange=exchange_of(request),
            )
        )


def _asked_segments(text: str) -> list[Json] | None:
    """Returns `segments` of the first JSON object in a text that has them."""
    decoder = json.JSONDecoder()
    start = text.find("{")
    while start >= 0:
        try:
            found = decoder.raw_decode(text, start)[0]
        except json.JSONDecodeError:
            found: Json = {}
        if "segments" in found:
            return found["segments"]
        start = text.find("{", start + 1)
    return None


def _prompt(segment: Json) -> str:
    lines = " / ".join(segment.get("lines", ())) or "an instrumental passage"
    return f"Segment {segment['position']}, a wide shot of {lines}"


def _image_price(model: str, tokens_in: int, text: int, image: int) -> Decimal:
    of_input, of_text, of_image = prices.IMAGE[model]
    return prices.tokens((of_input, tokens_in), (of_text, text), (of_image, image))


def _size(aspect: str, side: int) -> media.Size:
    """Returns a size of about side x side pixels; its sides are multiples of 32."""
    across, down = map(int, aspect.split(":"))
    width = side * math.sqrt(across / down) / 32
    return round(width) * 32, round(width * down / across) * 32


def _tokens(text: str) -> int:
    return len(text) // 4 + 1


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _candidate(part: Json) -> Json:
    content = {"parts": [part], "role": "model"}
    return {"content": content, "finishReason": "STOP", "index": 0}


def _answer(model: str, usage: Json, candidate: Json) -> Response:
    return JSONResponse(
        {"candidates": [candidate], "usageMetadata": usage, **_ids(model)}
    )


def _of_prompt(tokens: int) -> Json:
    """Returns what the usage of a picture says of its prompt."""
    details = [{"modality": "TEXT", "tokenCount": tokens}]
    return {"promptTokensDetails": details, "serviceTier": "standard"}


def _ids(model: str) -> Json:
    return {"modelVersion": model, "responseId": secrets.token_urlsafe(12)}
