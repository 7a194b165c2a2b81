"""The broker between workers: reached, and a message comes back from it."""

import contextlib
import secrets
import time
from queue import Empty
from typing import Any

from qa_service.services.diagnosis import Finding, failed, ok
from qa_service.settings import Settings

_WAIT_S = 5.0


def broker(settings: Settings) -> Finding:
    """Through a queue made for it and removed again; the workers' own are left alone."""
    if settings.broker_url is None:
        return ok("none configured: qa score and qa worker --embedded need none")
    try:
        from celery import Celery
        from kombu.exceptions import KombuError

        from worker.app import SPEECH
    except ModuleNotFoundError as error:
        return failed(f"{error.name} is not installed", "pip install '.[fleet]', or run qa worker --embedded")
    options: dict[str, float] = {"max_retries": 0}
    if settings.broker_url.startswith("redis"):
        options |= {"socket_connect_timeout": _WAIT_S, "socket_timeout": _WAIT_S}
    app: Any = Celery("doctor", broker=settings.broker_url, set_as_current=False)
    try:
        connection = app.connection_for_write(connect_timeout=_WAIT_S, transport_options=options)
        where = connection.as_uri()  # without its password
        troubles = (OSError, KombuError, *connection.connection_errors, *connection.channel_errors)
    except (KeyError, ValueError):
        return failed(
            "QA_BROKER_URL is not the address of a broker", "write it as redis://host/0 or amqp://user@host//"
        )
    try:
        with connection:
            took_ms = _there_and_back(connection, troubles) * 1000
            waiting = _waiting(connection, SPEECH)
    except Empty:
        return failed(
            f"{where} takes messages and gives none back", "see what else uses its queues and its memory"
        )
    except troubles as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        return failed(f"{where} does not work ({reason})", "start it, or correct QA_BROKER_URL and what it allows")
    return ok(f"{where}: a message came back in {took_ms:.0f} ms; {waiting} waiting for workers")


def _there_and_back(connection: Any, troubles: tuple[type[Exception], ...]) -> float:
    """Seconds that a message takes through a queue of its own. Raises Empty."""
    queue = connection.SimpleQueue(
        f"qa.doctor.{secrets.token_hex(8)}",
        no_ack=True,
        queue_opts={"durable": False, "exclusive": True, "auto_delete": True},
        exchange_opts={"durable": False, "auto_delete": True, "delivery_mode": "transient"},
    )
    try:
        started = time.monotonic()
        queue.put("")
        queue.get(timeout=_WAIT_S)
        return time.monotonic() - started
    finally:
        with contextlib.suppress(*troubles):
            queue.queue.delete()
            queue.close()


def _waiting(connection: Any, queue: str) -> int:
    try:
        with connection.channel() as channel:
            return int(channel.queue_declare(queue, passive=True).message_count)
    except connection.channel_errors:
        return 0  # no worker has made the queue yet
