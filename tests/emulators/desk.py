"""Where one who runs the emulators by hand reads the log and turns the knobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route

if TYPE_CHECKING:
    from starlette.requests import Request

    from tests.emulators.ledger import Charge
    from tests.emulators.log import Exchange
    from tests.emulators.server import Emulators


def desk(emulators: Emulators) -> Mount:
    """Returns the routes below /_emulator."""

    async def log(_request: Request) -> Response:
        return JSONResponse([described(each) for each in emulators.log.exchanges])

    async def billed(_request: Request) -> Response:
        return JSONResponse([priced(each) for each in emulators.ledger.charges])

    async def knobs(request: Request) -> Response:
        try:
            for provider, values in (await request.json()).items():
                getattr(emulators, provider).knobs.turn(values)
        except AttributeError as unknown:
            return PlainTextResponse(f"{unknown}\n", 400)
        return Response(status_code=204)

    return Mount(
        "/_emulator",
        routes=[
            Route("/log", log),
            Route("/billed", billed),
            Route("/knobs", knobs, methods=["POST"]),
        ],
    )


def described(exchange: Exchange) -> dict[str, Any]:
    """Returns an exchange without its headers and its body."""
    names = (
        "provider purpose method path status operation_id received_at answered_at"
        " disconnected_at"
    )
    return {name: getattr(exchange, name) for name in names.split()}


def priced(charge: Charge) -> dict[str, str]:
    """Returns a charge as it stands."""
    operation = charge.exchange.operation_id
    names = "provider purpose model usd state"
    said = {name: str(getattr(charge, name)) for name in names.split()}
    return {**said, "operation_id": operation}
