"""The web application.

For now it answers whether it lives and whether it can work; recordings and reviews follow on the same services.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response, status
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from pydantic import BaseModel

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


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application; settings are read when it starts, not when it is imported."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        active = settings or load_settings()
        if settings is None:  # a process of its own
            configure_logging(
                level=active.log_level or "info",
                form=active.log_format,
                service="qa-serve",
                adopted=("uvicorn", "uvicorn.error", "uvicorn.access"),
            )
        database = Database(active.resolved_database_url, clock=SystemClock())
        database.upgrade()
        app.state.database = database
        app.state.metrics = _metrics(active, database)
        yield
        database.dispose()

    app = FastAPI(title="Call quality inspection", version=__version__, lifespan=lifespan)

    @app.get("/healthz", tags=["operations"])
    def healthz() -> Health:
        """The process answers."""
        return Health(status="ok")

    @app.get("/readyz", tags=["operations"], responses={503: {"model": Health}})
    def readyz(request: Request, response: Response) -> Health:
        """The database answers."""
        database: Database = request.app.state.database
        try:
            database.ping()
        except QAError as error:
            response.status_code = status.HTTP_503_SERVICE_UNAVAILABLE
            return Health(status=error.code)
        return Health(status="ok")

    @app.get("/metrics", tags=["operations"], response_class=Response)
    def metrics(request: Request) -> Response:
        """Figures of the queue and the machine for Prometheus; workers serve their own."""
        return Response(generate_latest(request.app.state.metrics), media_type=CONTENT_TYPE_LATEST)

    return app


def _metrics(settings: Settings, database: Database) -> CollectorRegistry:
    def look() -> QueueDepth:
        with database.unit_of_work(read_only=True) as unit:
            return queue_depth(unit.session, SystemClock().now())

    registry = CollectorRegistry()
    registry.register(QueueGauges(look))
    registry.register(MachineGauges({"data": settings.data_dir}))
    return registry
