"""Asks for a batch run of everything on fakes and follows it to its end, as ``qa batch run`` does."""

from qa_service.settings import load_settings
from tests.worker.member import container
from worker.batching import follow

if __name__ == "__main__":
    here = container(load_settings())
    run, _ = here.batch_runs.request()
    follow(here, run.id, told=lambda _: None)
