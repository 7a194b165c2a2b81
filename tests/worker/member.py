"""A worker process of a fleet on fakes. What a recording's bytes begin with tells what becomes of the process:
``die`` ends it, ``die once`` only the first time; ``slow`` takes a while, ``endless`` for ever. While there is a
file ``broken`` no process starts, while there is ``unfit`` no engine works."""

import os
import random
import signal
import time

from qa_service.db.session import SqlUnitOfWork
from qa_service.errors import EngineError
from qa_service.settings import Settings
from tests.worker.containers import FakeContainer
from worker.member import main as work


def main(descriptor: int) -> None:
    work(descriptor, container)


def container(settings: Settings) -> FakeContainer:
    if (settings.data_dir / "broken").exists():
        os._exit(3)
    made = FakeContainer(settings.data_dir, settings=settings)
    made.workplace.transcriber.during = lambda content: _during(made, content)
    made.workplace.transcriber.rehearse = lambda: _rehearse(made)
    made.sweep_every_s = 0.5
    if chance := float(os.environ.get("DIES_AT_COMMIT", 0)):
        _let_die_at_commits(chance)
    return made


def _let_die_at_commits(chance: float) -> None:
    """Right before a transaction is committed, or right after it: each place where work can be left half done."""
    rng = random.Random(os.getpid())
    commit = SqlUnitOfWork.commit

    def die() -> None:
        if rng.random() < chance:
            os.kill(os.getpid(), signal.SIGKILL)

    def committed(unit: SqlUnitOfWork) -> None:
        die()
        commit(unit)
        die()

    SqlUnitOfWork.commit = committed  # type: ignore[method-assign]


def _rehearse(container: FakeContainer) -> None:
    if (container.settings.data_dir / "unfit").exists():
        raise EngineError("engine_unavailable", "somebody took the GPU out: put it back")


def _during(container: FakeContainer, content: bytes) -> None:
    _rehearse(container)
    folder = container.settings.data_dir / "heard"
    folder.mkdir(parents=True, exist_ok=True)
    mark = folder / content.decode()
    if content.startswith(b"slow"):
        time.sleep(0.3)
    if content.startswith(b"endless"):
        mark.touch()
        time.sleep(600)
    if content.startswith(b"die") and not (content.startswith(b"die once") and mark.exists()):
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    with mark.open("a") as out:
        out.write(f"{os.getpid()}\n")
