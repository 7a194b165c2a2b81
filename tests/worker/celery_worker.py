"""A Celery worker on fakes. ``tests/worker/member.py`` says what recordings do to it; the queues are real."""

import logging
import sys

from qa_service.settings import load_settings
from tests.worker.member import container
from worker import app

if __name__ == "__main__":
    app.SWEEP_EVERY_S = 0.5
    celery = app.make_app(load_settings(), make=container)
    worker = celery.Worker(
        queues=[app.SPEECH, app.UPKEEP],
        concurrency=int(sys.argv[1]),
        pool="prefork",
        loglevel=logging.WARNING,
        without_mingle=True,
        without_gossip=True,
    )
    worker.start()
