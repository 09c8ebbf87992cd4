"""Odyssey: clips as simulation jobs, which only a queued one of can be cancelled."""

from __future__ import annotations

import secrets
import time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.emulators import media, prices
from tests.emulators.emulator import KEYS, Emulator, exchange_of
from tests.emulators.knobs import OdysseyKnobs
from tests.emulators.ledger import Charge
from tests.emulators.operation import QUEUED, Phase
from tests.emulators.simulation import Simulation, is_script

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from tests.emulators.ledger import Ledger

Json = dict[str, Any]

MODEL = "odyssey"
EXPIRED = """<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"""
TWO_KEYS = """<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>InvalidArgument</Code><Message>Only one auth mechanism allowed</Message>
</Error>"""


class Odyssey(Emulator[OdysseyKnobs]):
    """The REST API of odyssey.ml, and the store that its videos lie in."""

    name = "odyssey"

    def __init__(self, ledger: Ledger, url: str) -> None:
        super().__init__(ledger, url, OdysseyKnobs())
        self.jobs: dict[str, Simulation] = {}
        self._tokens: dict[str, float] = {}

    def routes(self) -> Sequence[BaseRoute]:
        job = "/simulation-jobs/{id}"
        return (
            Route("/auth/token", self._token, methods=["POST"]),
            Route("/simulation-jobs", self._create, methods=["POST"]),
            Route("/simulation-jobs", self._list, methods=["GET"]),
            Route(job, self._look, methods=["GET"]),
            Route(job, self._cancel, methods=["DELETE"]),
            Route("/recordings/{id}", self._recording),
            Route("/store/{id}/video.mp4", self._download),
        )

    def throttled(self, seconds: float) -> Response:
        return _limit(
            "RATE_LIMITED",
            "Too many requests.",
            {"retry_after_seconds": seconds},
        )

    def failed(self, status: int) -> Response:
        return _detail(status, "Service unavailable" if status == 503 else "Internal")

    async def _token(self, request: Request) -> Response:
        fault = self.meet(request, "token")
        if fault:
            return fault
        if (await request.json()).get("api_key") != KEYS["odyssey"]:
            return _detail(401, "Invalid API key")
        token = secrets.token_urlsafe(24)
        self._tokens[token] = time.monotonic() + self.knobs.token_seconds
        seconds = int(self.knobs.token_seconds)
        return JSONResponse({"access_token": token, "expires_in": seconds})

    async def _create(self, request: Request) -> Response:
        fault = self.meet(request, "create") or self._stranger(request)
        if fault:
            return fault
        body = await request.json()
        if not is_script(body.get("script")):
            return _detail(422, "script: needs a start, whose image is one, and an end")
        active = sum(not job.ended for job in self.jobs.values())
        if active >= self.knobs.active_limit:
            numbers = {"active_count": active, "limit": self.knobs.active_limit}
            return _limit("CONCURRENT_LIMIT_REACHED", "The queue is full.", numbers)
        job = Simulation(self.knobs, body)
        self.jobs[job.operation_id] = job
        exchange = exchange_of(request)
        exchange.operation_id = job.operation_id
        usd = self.knobs.usd_per_second * Decimal(str(job.seconds))
        self.ledger.add(
            Charge(
                provider=self.name,
                purpose="clip",
                model=MODEL,
                usd=prices.rounded(usd),
                exchange=exchange,
                operation=job,
            )
        )
        summary = {**job.summary(), "status": "pending", "estimated_wait_minutes": 1.5}
        return JSONResponse(summary, 201)

    async def _list(self, request: Request) -> Response:
        fault = self.meet(request, "list") or self._stranger(request)
        if fault:
            return fault
        asked = request.query_params
        found = [
            job.summary()
            for job in reversed(self.jobs.values())
            if "active" not in asked or (asked["active"] == "true") != job.ended
        ]
        if "status" in asked:
            found = [job for job in found if job["status"] == asked["status"]]
        limit, offset = int(asked.get("limit", 20)), int(asked.get("offset", 0))
        page = found[offset : offset + limit]
        return JSONResponse(
            {"jobs": page, "total": len(found), "limit": limit, "offset": offset}
        )

    async def _look(self, request: Request) -> Response:
        job = self._job(request, "look")
        if isinstance(job, Response):
            return job
        streams = [job.stream(self.url)] if job.phase is Phase.COMPLETED else []
        return JSONResponse(
            {
                **job.summary(),
                "assigned_region": "us-west",
                "retry_count": 0,
                "estimated_wait_minutes": None,
                "streams": streams,
            }
        )

    async def _cancel(self, request: Request) -> Response:
        job = self._job(request, "cancel")
        if isinstance(job, Response):
            return job
        if self.knobs.clip.cancel == "not_found":
            return _detail(404, "Not Found")
        if self.knobs.clip.cancel == "refuse" or not job.cancel(QUEUED):
            status = job.summary()["status"]
            return _detail(400, f"Job cannot be cancelled: it is {status}")
        return JSONResponse({"job_id": job.operation_id, "status": "cancelled"})

    async def _recording(self, request: Request) -> Response:
        fault = self.meet(request, "recording") or self._stranger(request)
        if fault:
            return fault
        job = self._of_stream(request)
        if job is None:
            return _detail(404, "Recording not found")
        return JSONResponse(job.stream(self.url))

    async def _download(self, request: Request) -> Response:
        """Answers as object stores do, which know nothing of Odyssey's tokens."""
        fault = self.meet(request, "download")
        if fault:
            return fault
        if "authorization" in request.headers:
            return Response(TWO_KEYS, 400, media_type="application/xml")
        expired = time.time() > float(request.query_params.get("expires", 0))
        job = self._of_stream(request)
        if job is None or expired or self.knobs.take("expired_downloads"):
            return Response(EXPIRED, 403, media_type="application/xml")
        clip = await media.clip(
            job.size,
            self.knobs.frame_rate,
            job.seconds,
            audio=self.knobs.audio,
        )
        return Response(clip, media_type="video/mp4")

    def _job(self, request: Request, purpose: str) -> Simulation | Response:
        """Returns the job that the path names, or what is wrong."""
        name: str = request.path_params["id"]
        exchange_of(request).operation_id = name
        fault = self.meet(request, purpose) or self._stranger(request)
        return fault or self.jobs.get(name) or _detail(404, "Job not found")

    def _of_stream(self, request: Request) -> Simulation | None:
        name: str = request.path_params["id"]
        for job in self.jobs.values():
            if job.stream_id == name and job.phase is Phase.COMPLETED:
                exchange_of(request).operation_id = job.operation_id
                return job
        return None

    def _stranger(self, request: Request) -> Response | None:
        """Returns a 401 unless there is a good token."""
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        good = self._tokens.get(token, 0.0) > time.monotonic()
        if good and not self.knobs.take("revoked_tokens"):
            return None
        return _detail(401, "Invalid or expired token")


def _detail(status: int, detail: object) -> Response:
    return JSONResponse({"detail": detail}, status)


def _limit(error: str, message: str, details: Json) -> Response:
    said = {"error": error, "message": message, "details": details}
    return _detail(429, {**said, "action": "wait", "action_url": None})
