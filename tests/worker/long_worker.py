"""A worker on fakes that works until it is told to stop: ``embedded``, or on a broker.

``tests/worker/member.py`` says what recordings do to it; the queues are real.
"""

import logging
import sys

from qa_service.settings import load_settings
from tests.worker.member import container
from worker import app
from worker.commands.work import run_embedded, stopped_by_signals
from worker.metrics import metrics_of

if __name__ == "__main__":
    settings = load_settings()
    with metrics_of(settings):
        if sys.argv[1] == "embedded":
            run_embedded(settings, size=1, member="tests.worker.embedded_member", stop=stopped_by_signals())
        else:
            app.SWEEP_EVERY_S = app.UNFIT_S = 0.5
            worker = app.make_app(settings, make=container).Worker(
                queues=sys.argv[2:] or [app.SPEECH, app.UPKEEP],
                concurrency=1,
                pool="prefork",
                loglevel=logging.WARNING,
                without_mingle=True,
                without_gossip=True,
            )
            worker.start()
