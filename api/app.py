"""The web application.

For now it answers whether it lives and whether it can work; recordings and reviews follow on the same services.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response, status
from pydantic import BaseModel

from qa_service import __version__
from qa_service.adapters.clock import SystemClock
from qa_service.db.session import Database
from qa_service.errors import QAError
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
        database = Database(active.resolved_database_url, clock=SystemClock())
        database.upgrade()
        app.state.database = database
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

    return app
