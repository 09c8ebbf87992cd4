"""Gemini Omni: clips by the Interactions API, in the background, and their files."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.emulators import google, media, prices
from tests.emulators.emulator import exchange_of
from tests.emulators.interaction import (
    SIZES,
    STATUSES,
    TEXT_TOKENS,
    THOUGHT_TOKENS,
    Interaction,
    what_is_wrong,
)
from tests.emulators.ledger import Charge, State
from tests.emulators.operation import Phase

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from tests.emulators.gemini import Gemini

Json = dict[str, Any]


class Omni:
    """The endpoints of Interactions and of files, as a part of Gemini."""

    def __init__(self, gemini: Gemini) -> None:
        self._gemini = gemini
        self.interactions: dict[str, Interaction] = {}

    def routes(self) -> Sequence[BaseRoute]:
        all_of_them, one = "/{version}/interactions", "/{version}/interactions/{id}"
        return (
            Route(all_of_them, self._create, methods=["POST"]),
            Route(one, self._known("look", self._look), methods=["GET"]),
            Route(one, self._known("delete", self._delete), methods=["DELETE"]),
            Route(
                f"{one}/cancel", self._known("cancel", self._cancel), methods=["POST"]
            ),
            Route("/{version}/files/{id}:download", self._download),
        )

    async def _create(self, request: Request) -> Response:
        fault = self._gemini.meet(request, "create")
        if fault or not google.has_key(request, "gemini"):
            return fault or google.bad_key()
        body = await request.json()
        wrong = what_is_wrong(body)
        if wrong:
            return _error(400, wrong)
        interaction = Interaction(self._gemini.knobs.clip, body)
        self.interactions[interaction.operation_id] = interaction
        exchange = exchange_of(request)
        exchange.operation_id = interaction.operation_id
        self._gemini.ledger.add(
            Charge(
                provider=self._gemini.name,
                purpose="clip",
                model=interaction.model,
                usd=prices.tokens(
                    (prices.OMNI_INPUT, interaction.input_tokens),
                    (prices.OMNI[interaction.model], interaction.video_tokens),
                    (prices.OMNI_TEXT, TEXT_TOKENS + THOUGHT_TOKENS),
                ),
                exchange=exchange,
                operation=interaction,
                refusal=State.BILLED,
            )
        )
        return JSONResponse(interaction.described(Phase.PROCESSING))

    def _known(
        self, purpose: str, answer: Callable[[Interaction], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        """Returns an endpoint about an interaction that there must be."""

        async def endpoint(request: Request) -> Response:
            name: str = request.path_params["id"]
            exchange_of(request).operation_id = name
            fault = self._gemini.meet(request, purpose)
            if fault or not google.has_key(request, "gemini"):
                return fault or google.bad_key()
            interaction = self.interactions.get(name)
            if interaction is None:
                return _error(400, f"Invalid interaction name: interactions/{name}")
            return await answer(interaction)

        return endpoint

    async def _look(self, interaction: Interaction) -> Response:
        if self._gemini.knobs.take("confused_looks"):
            return _error(400, "Multiple authentication credentials received.")
        phase = interaction.shown
        described = interaction.described(phase)
        if phase is Phase.COMPLETED and interaction.inline:
            video = described["steps"][-1]["content"][0]
            del video["uri"]
            clip = await self._clip(interaction)
            video["data"] = base64.b64encode(clip).decode()
        return JSONResponse(described)

    async def _cancel(self, interaction: Interaction) -> Response:
        """Says `cancelled` at once, also where looks will say something else."""
        if self._gemini.knobs.clip.cancel == "not_found":
            return google.error(404, "NOT_FOUND", "Method not found.")
        if interaction.ended:
            status = STATUSES[interaction.phase]
            return _error(400, f"Interaction is already {status}.")
        if self._gemini.knobs.clip.cancel == "refuse" or not interaction.cancel():
            return _error(400, "Interaction cannot be cancelled.")
        return JSONResponse(interaction.described(Phase.CANCELLED))

    async def _delete(self, interaction: Interaction) -> Response:
        del self.interactions[interaction.operation_id]
        return JSONResponse({})

    async def _download(self, request: Request) -> Response:
        fault = self._gemini.meet(request, "download")
        if fault or not google.has_key(request, "gemini"):
            return fault or google.bad_key()
        name: str = request.path_params["id"]
        for interaction in self.interactions.values():
            if interaction.file_id == name and interaction.phase is Phase.COMPLETED:
                exchange_of(request).operation_id = interaction.operation_id
                return Response(await self._clip(interaction), media_type="video/mp4")
        return google.error(404, "NOT_FOUND", f"File files/{name} does not exist.")

    async def _clip(self, interaction: Interaction) -> bytes:
        size = SIZES[interaction.resolution]
        return await media.clip(
            media.turned(size) if interaction.upright else size,
            self._gemini.knobs.frame_rate,
            interaction.seconds,
            audio=self._gemini.knobs.audio,
        )


def _error(status: int, message: str) -> Response:
    """Returns an error of this API, whose code is a word."""
    body = {"error": {"message": message, "code": "invalid_request"}}
    return JSONResponse(body, status)
