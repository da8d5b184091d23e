"""The API put together: routers, the door around them, and what lives as long as the process."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from fastapi import APIRouter, Depends, FastAPI
from fastapi.routing import APIRoute
from starlette.types import ASGIApp

from api.deps import Databases, Services, own_path
from api.door import Door
from api.engine_room import engine_room
from api.errors import install_error_handlers
from api.frames import StreamEnded, answer_stream_ended
from api.limits import Limiter
from api.metrics import Metrics
from api.openapi import DESCRIPTION, TAGS, finish_openapi
from api.reference import add_reference
from api.routes import (
    admin,
    artifacts,
    auth,
    batch,
    budgets,
    categories,
    expenses,
    exports,
    finance,
    fuel,
    health,
    imports,
    incomes,
    jobs,
    matrix,
    metrics,
    mileage,
    receipt_files,
    receipts,
    reports,
    routes,
    schedules,
    stops,
    streams,
    trips,
    vehicles,
    webhooks,
)
from api.text import refuse_unstorable_text
from core.database import AsyncDatabase, Role
from core.log import configure_logging
from core.open_files import allow_many_files
from core.settings import Settings, get_settings
from core.tracing import start_tracing, stop_tracing
from services.artifacts.store import open_store
from services.passwords import Passwords
from services.tokens import KeyRing, OwnIssuer, Verifier

#: Routers of what belongs to a user; also served below /users/{user_id}.
OWNED: tuple[APIRouter, ...] = (
    routes.router,
    jobs.router,
    streams.router,
    batch.router,
    auth.account_router,
    matrix.router,
    trips.router,
    stops.router,
    vehicles.router,
    fuel.router,
    mileage.router,
    expenses.router,
    incomes.router,
    categories.router,
    budgets.router,
    finance.router,
    imports.router,
    exports.router,
    reports.router,
    receipts.router,
    receipt_files.router,
    schedules.router,
    artifacts.router,
    webhooks.router,
)
ENGINE_POOL_SIZE = 4


class Application(FastAPI):
    """FastAPI inside of our door."""

    def build_middleware_stack(self) -> ASGIApp:
        # the middleware that answers unknown errors is the outermost one of FastAPI,
        # so whatever must dress those answers as well has to stand outside of all of it
        stack = super().build_middleware_stack()
        return Door(stack, self.state.settings, self.state.metrics.requests)

    def openapi(self) -> dict[str, Any]:
        if not self.openapi_schema:
            self.openapi_schema = finish_openapi(super().openapi())
        return self.openapi_schema


def create_app(settings: Settings | None = None) -> Application:
    """The application; it connects to nothing before its lifespan begins."""
    settings = settings or get_settings()
    app = Application(
        title="Wheels and Wins",
        version="0.1.0",
        description=DESCRIPTION,
        license_info={"name": "MIT", "identifier": "MIT"},
        openapi_tags=TAGS,
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
        dependencies=[Depends(refuse_unstorable_text)],
        generate_unique_id_function=_operation_id,
    )
    app.state.settings = settings
    app.state.metrics = Metrics()
    install_error_handlers(app)
    app.add_exception_handler(StreamEnded, answer_stream_ended)
    add_reference(app)
    # routers are tried one after the other, and each that is not meant costs a request 20 µs
    for router in OWNED:
        app.include_router(router, prefix="/api/v1")
    for router in (health.router, metrics.router, auth.keys_router):
        app.include_router(router)
    app.include_router(auth.sign_in_router, prefix="/api/v1")
    for router in OWNED:
        app.include_router(
            router,
            prefix="/api/v1/users/{user_id}",
            dependencies=[Depends(own_path)],
            # the same operations twice would only double every generated client
            include_in_schema=False,
        )
    app.include_router(auth.users_router, prefix="/api/v1")
    app.include_router(admin.router, prefix="/api/v1")
    return app


def _operation_id(route: APIRoute) -> str:
    return f"{route.tags[0]}_{route.name}" if route.tags else route.name


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    async with AsyncExitStack() as closing:
        databases = Databases(
            app=AsyncDatabase(settings, Role.APP, pool_size=settings.database_pool_size),
            engine=AsyncDatabase(settings, Role.ENGINE, pool_size=ENGINE_POOL_SIZE),
        )
        closing.push_async_callback(databases.app.dispose)
        closing.push_async_callback(databases.engine.dispose)
        closing.push_async_callback(app.state.metrics.close)
        limiter = Limiter(settings)
        await limiter.start()
        closing.push_async_callback(limiter.stop)
        passwords = Passwords()
        closing.callback(passwords.close)
        keys = KeyRing.from_settings(settings)
        app.state.services = Services(
            settings=settings,
            databases=databases,
            keys=keys,
            verifier=Verifier([OwnIssuer(settings, keys)]),
            passwords=passwords,
            limiter=limiter,
            artifacts=open_store(settings),
        )
        await closing.enter_async_context(engine_room(app, settings, databases))
        closing.callback(stop_tracing)
        yield


def __getattr__(name: str) -> Any:
    # made when the server asks for `api.app:app`, so that an import needs no settings
    if name != "app":
        raise AttributeError(name)
    configure_logging(get_settings(), "api")
    allow_many_files()
    # before the application is made, which asks once whether anybody traces
    start_tracing(get_settings(), "wheels-api")
    made = create_app()
    # A full collection walks all that was imported, 140 ms every two seconds under load, and
    # every open request waits for it. Nothing of this is garbage while the process lives.
    gc.collect()
    gc.freeze()
    return made
