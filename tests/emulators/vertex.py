"""Veo on Vertex: clips as long-running operations, which nobody can cancel."""

from __future__ import annotations

import base64
import secrets
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.emulators import google, media, prices
from tests.emulators.emulator import Emulator, exchange_of
from tests.emulators.knobs import VertexKnobs
from tests.emulators.ledger import Charge
from tests.emulators.operation import ENDED, Operation, Phase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from tests.emulators.ledger import Ledger

Json = dict[str, Any]

SIZES = {"720p": (1280, 720), "1080p": (1920, 1080)}
SECONDS = (4, 6, 8)
OF_AN_EXPRESS_KEY = "projects/express/locations/us-central1"
FILTERED = (
    "Veo could not generate videos because the input image violates Vertex AI's usage "
    "guidelines. Support codes: 58061214"
)


class VeoOperation(Operation):
    """A clip that Veo makes."""

    def __init__(self, name: str, knobs: VertexKnobs, body: Json) -> None:
        wanted = body["parameters"]
        super().__init__(name, knobs.clip, float(wanted.get("durationSeconds", 8)))
        self.resolution: str = wanted.get("resolution", "720p")
        self.upright = wanted.get("aspectRatio") == "9:16"
        self.audio: bool = wanted.get("generateAudio", True)


class Vertex(Emulator[VertexKnobs]):
    """Vertex with an express key, or with a project and a token."""

    name = "vertex"

    def __init__(self, ledger: Ledger, url: str) -> None:
        super().__init__(ledger, url, VertexKnobs())
        self.operations: dict[str, VeoOperation] = {}

    def routes(self) -> Sequence[BaseRoute]:
        model = "publishers/google/models/{model}"
        return tuple(
            Route(f"/{{version}}/{prefix}{model}:{call}", endpoint, methods=["POST"])
            for prefix in ("", "projects/{project}/locations/{location}/")
            for call, endpoint in (
                ("predictLongRunning", self._create),
                ("fetchPredictOperation", self._look),
            )
        )

    def throttled(self, seconds: float) -> Response:
        return google.throttled(seconds)

    def failed(self, status: int) -> Response:
        return google.failed(status)

    async def _create(self, request: Request) -> Response:
        fault = self.meet(request, "create")
        if fault or not google.has_key(request, self.name):
            return fault or google.bad_key()
        body = google.camel_cased(await request.json())
        model: str = request.path_params["model"]
        if model not in prices.VEO:
            return google.unknown_model(model)
        wanted = body.get("parameters", {})
        if wanted.get("durationSeconds", 8) not in SECONDS:
            return google.bad_argument("durationSeconds must be 4, 6 or 8.")
        if wanted.get("sampleCount", 1) != 1 or wanted.get("storageUri"):
            return google.bad_argument("The emulator makes one clip, and inline.")
        picture = body["instances"][0].get("image")
        if picture and not media.is_picture(picture["bytesBase64Encoded"]):
            return google.bad_argument("Unable to process the input image.")
        operation = VeoOperation(_name(request), self.knobs, body)
        self.operations[operation.operation_id] = operation
        exchange = exchange_of(request)
        exchange.operation_id = operation.operation_id
        per_second = Decimal(prices.VEO[model][operation.resolution])
        self.ledger.add(
            Charge(
                provider=self.name,
                purpose="clip",
                model=model,
                usd=prices.rounded(per_second * Decimal(operation.seconds)),
                exchange=exchange,
                operation=operation,
            )
        )
        return JSONResponse({"name": operation.operation_id})

    async def _look(self, request: Request) -> Response:
        name = google.camel_cased(await request.json()).get("operationName", "")
        exchange_of(request).operation_id = name
        fault = self.meet(request, "look")
        if fault or not google.has_key(request, self.name):
            return fault or google.bad_key()
        operation = self.operations.get(name)
        if operation is None:
            return google.error(404, "NOT_FOUND", f"Operation {name} not found.")
        phase = operation.phase
        answer: Json = {"name": name}
        if phase in ENDED:
            answer["done"] = True
        if phase is Phase.FAILED:
            answer["error"] = {"code": 13, "message": "Video generation failed."}
        elif phase is Phase.REFUSED:
            reasons = [FILTERED]
            answer["response"] = _response(1, raiMediaFilteredReasons=reasons)
        elif phase is Phase.COMPLETED:
            data = base64.b64encode(await self._clip(operation)).decode()
            video = {"bytesBase64Encoded": data, "mimeType": "video/mp4"}
            answer["response"] = _response(0, videos=[video])
        return JSONResponse(answer)

    async def _clip(self, operation: VeoOperation) -> bytes:
        size = SIZES[operation.resolution]
        return await media.clip(
            media.turned(size) if operation.upright else size,
            self.knobs.frame_rate,
            operation.seconds,
            audio=operation.audio,
        )


def _name(request: Request) -> str:
    """Returns the name of a new operation, below its model."""
    path = request.path_params
    prefix = OF_AN_EXPRESS_KEY
    if "project" in path:
        prefix = f"projects/{path['project']}/locations/{path['location']}"
    model = f"publishers/google/models/{path['model']}"
    return f"{prefix}/{model}/operations/{secrets.token_hex(16)}"


def _response(filtered: int, **rest: object) -> Json:
    kind = "cloud.ai.large_models.vision.GenerateVideoResponse"
    return {
        "@type": f"type.googleapis.com/{kind}",
        "raiMediaFilteredCount": filtered,
        **rest,
    }
