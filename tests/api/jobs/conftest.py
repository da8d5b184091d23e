"""Jobs that a test moves by hand, and an API that accepts them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi import FastAPI, Response

from api.acceptance import ACCEPTED, Accept
from tests.api.conftest import MakeApp
from tests.conftest import User
from tests.errands import ERRAND, Errands, Parcel
from tests.lab import Lab
from tests.stack import Stores


@pytest.fixture(scope="module")
def lab(stores: Stores) -> Iterator[Lab]:
    made = Lab(stores)
    yield made
    made.close()


@pytest.fixture
def errands(lab: Lab, user: User) -> Errands:
    """The jobs of `user`."""
    return Errands(lab, user.id)


@pytest.fixture
def errand_app(make_app: MakeApp) -> FastAPI:
    """An application with one more kind of job, which nobody works at: `POST /errands`."""
    app = make_app()

    @app.post("/errands", status_code=202, responses=ACCEPTED)
    async def run_errand(body: Parcel, work: Accept) -> Response:
        return await work.accept(ERRAND, body)

    return app
