"""A worker process of a fleet on fakes. What a recording's bytes begin with tells what becomes of the process:
``die`` ends it, ``die once`` only the first time; ``slow`` takes a while; ``broken`` engines never start."""

import os
import signal
import time

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
    return made


def _during(container: FakeContainer, content: bytes) -> None:
    folder = container.settings.data_dir / "heard"
    folder.mkdir(exist_ok=True)
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
