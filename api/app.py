"""The web application: what is under ``/v1`` for people and programs, and how it is doing for operations."""

import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response, status
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute, iter_route_contexts
from fastapi.staticfiles import StaticFiles
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from pydantic import BaseModel
from starlette.routing import Mount

from api import errors
from api.access import EXTENSION
from api.console import figures as figure_pages
from api.console import pages
from api.examples import add_examples
from api.middleware import MAX_BODY_BYTES, Requests
from api.routers import ROUTERS
from api.site import Site
from qa_service import __version__
from qa_service.adapters.clock import SystemClock
from qa_service.adapters.metrics import MachineGauges, QueueGauges
from qa_service.db.queue_depth import queue_depth
from qa_service.db.session import Database
from qa_service.errors import QAError
from qa_service.observability import configure_logging
from qa_service.observing import QueueDepth
from qa_service.settings import Settings, load_settings


class Health(BaseModel):
    """``status`` is ``ok``, or the code of what is wrong."""

    status: str
    version: str = __version__


def create_app(settings: Settings | Callable[[], Settings] | None = None) -> FastAPI:
    """The application; settings are read when it starts, not when it is imported or made."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        active = settings() if callable(settings) else settings or load_settings()
        if settings is None:  # a process of its own
            configure_logging(
                level=active.log_level or "info",
                form=active.log_format,
                service="qa-serve",
                adopted=("uvicorn", "uvicorn.error", "uvicorn.access"),
            )
        site = Site(active)
        site.database.upgrade()
        app.state.site = site
        app.state.metrics = _metrics(active, site.database)
        if settings is None:
            gc.collect()
            gc.freeze()  # what the application is made of: a search through it holds a request up
        yield
        site.close()

    app = FastAPI(
        title="Call quality inspection",
        version=__version__,
        lifespan=lifespan,
        openapi_url="/v1/openapi.json",
        docs_url=None,  # its page would load scripts from elsewhere
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
    )
    app.add_middleware(
        Requests,
        max_upload_bytes=lambda: app.state.site.settings.max_file_bytes + MAX_BODY_BYTES,
        uploads=frozenset({"/v1/recordings"}),
    )
    errors.install(app)
    for router in ROUTERS:
        app.include_router(router, prefix="/v1")
    app.include_router(pages.router, prefix="/console")
    app.include_router(figure_pages.router, prefix="/console")
    app.mount("/console/static", StaticFiles(packages=[("api.console", "static")]))

    @app.get("/", include_in_schema=False)
    def home() -> Response:
        return RedirectResponse(pages.HOME)

    @app.get("/healthz", tags=["operations"])
    def healthz() -> Health:
        """The process answers."""
        return Health(status="ok")

    @app.get("/readyz", tags=["operations"], responses={503: {"model": Health}})
    def readyz(request: Request, response: Response) -> Health:
        """The database answers."""
        site: Site = request.app.state.site
        try:
            site.database.ping()
        except QAError as error:
            response.status_code = status.HTTP_503_SERVICE_UNAVAILABLE
            return Health(status=error.code)
        return Health(status="ok")

    @app.get("/metrics", tags=["operations"], response_class=Response)
    def metrics(request: Request) -> Response:
        """Figures of the queue and the machine for Prometheus; workers serve their own."""
        return Response(generate_latest(request.app.state.metrics), media_type=CONTENT_TYPE_LATEST)

    return checked(app)


def checked(app: FastAPI) -> FastAPI:
    """Everything under ``/v1`` and ``/console`` says who may ask for it; the documentation knows the errors."""
    for route in iter_route_contexts(app.routes):
        told = isinstance(route.original_route, APIRoute) and EXTENSION in (route.openapi_extra or {})
        guarded = (route.path or "").startswith(("/v1", "/console")) and not isinstance(
            route.original_route, Mount
        )
        if guarded and route.path != app.openapi_url and not told:
            raise AssertionError(f"{route.path} declares no permission: make it with api.access.operation")
    plain = app.openapi

    def documented() -> dict[str, Any]:
        document = plain()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        if "Problem" not in schemas:
            schema = errors.Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas.update(schema.pop("$defs", {}), Problem=schema)
            add_examples(document)
        return document

    app.openapi = documented  # type: ignore[method-assign]
    return app


def _metrics(settings: Settings, database: Database) -> CollectorRegistry:
    def look() -> QueueDepth:
        with database.unit_of_work(read_only=True) as unit:
            return queue_depth(unit.session, SystemClock().now())

    registry = CollectorRegistry()
    registry.register(QueueGauges(look))
    registry.register(MachineGauges({"data": settings.data_dir}))
    return registry
