"""A process of an embedded worker on fakes, see ``tests/worker/member.py``."""

from tests.worker.member import container
from worker import embedded


def main(descriptor: int) -> None:
    embedded.UNFIT_S = embedded.POLL_S = 0.5
    embedded.main(descriptor, container)
