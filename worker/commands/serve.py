"""``qa serve``: the whole product on one machine, nothing else to install."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Annotated

import structlog
import typer

from qa_service.errors import ConfigurationError
from qa_service.settings import load_settings
from worker.commands.work import as_many_as_fit, run_embedded, stopped_by_signals
from worker.logs import WORKER, are_verbose, set_up_logs
from worker.metrics import metrics_of
from worker.spawning import how_it_ended

APPLICATION = "api.app:create_app"
"""By its import string: the web process must load no engine, and this one no web application."""

_GOODBYE_S = 10.0

log = structlog.get_logger(__name__)


def serve(
    host: Annotated[
        str, typer.Option(help="Address to listen on; the default is this machine alone.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8000,
    concurrency: Annotated[
        int, typer.Option(min=0, help="Processes that hear calls; 0: what the machine holds.")
    ] = 0,
) -> None:
    """Serve the API and work on jobs until told to stop (Ctrl-C, SIGTERM); what is under way is finished first."""
    settings = load_settings()
    set_up_logs(settings, service=WORKER, usual="info", verbose=are_verbose())
    if find_spec("uvicorn") is None or find_spec("fastapi") is None:
        raise ConfigurationError("api_missing", "the web application is not installed: pip install '.[api]'")
    stop = stopped_by_signals()
    with metrics_of(settings), _web(host, port, ended=stop) as web:
        run_embedded(settings, size=concurrency or as_many_as_fit(settings), stop=stop)
        status = web.poll()
    if status is not None:  # it ended first, and by itself
        raise ConfigurationError(
            "web_ended",
            f"the web process ended by {how_it_ended(status)}: its own words stand above; another program may "
            f"listen on {host}:{port}",
        )


@contextmanager
def _web(host: str, port: int, *, ended: threading.Event) -> Iterator["subprocess.Popen[bytes]"]:
    """The web process; ``ended`` is set when it ends by itself."""
    listen = ("--host", host, "--port", str(port), "--timeout-graceful-shutdown", str(int(_GOODBYE_S / 2)))
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "uvicorn", APPLICATION, "--factory", *listen, "--log-level", "warning"],
        stdin=subprocess.DEVNULL,
        stdout=2,  # standard output is for results alone
        start_new_session=True,  # Ctrl-C is for us to pass on
    )
    threading.Thread(target=_tell, args=(process, ended), name="web", daemon=True).start()
    try:
        log.info("web process started", address=f"http://{host}:{port}")
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_GOODBYE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _tell(process: "subprocess.Popen[bytes]", ended: threading.Event) -> None:
    process.wait()
    ended.set()
