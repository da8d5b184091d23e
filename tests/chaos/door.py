"""The API of the product plus an address for each kind of the tests: `tests.chaos.door:app`."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from api.acceptance import Accept
from api.app import create_app
from core.log import configure_logging
from core.settings import get_settings
from tests.faults.kinds import BLINK, DOZE, NAP, SCRIBE, Dictation, Nap

router = APIRouter(prefix="/api/v1/chaos", tags=["chaos"])


@router.post("/nap", status_code=202)
async def nap(body: Nap, work: Accept) -> Response:
    return await work.accept(NAP, body)


@router.post("/doze", status_code=202)
async def doze(body: Nap, work: Accept) -> Response:
    return await work.accept(DOZE, body)


@router.post("/blink", status_code=202)
async def blink(body: Nap, work: Accept) -> Response:
    return await work.accept(BLINK, body)


@router.post("/scribe", status_code=202)
async def scribe(body: Dictation, work: Accept) -> Response:
    return await work.accept(SCRIBE, body)


def __getattr__(name: str) -> Any:
    # as in `api.app`: made when the server asks for it
    if name != "app":
        raise AttributeError(name)
    configure_logging(get_settings(), "api")
    app = create_app()
    app.include_router(router)
    return app
