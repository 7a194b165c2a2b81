"""``qa figures``: what calls add up to, counted at once."""

from datetime import date
from pathlib import Path

from qa_service.domain.access import EVERYTHING
from qa_service.domain.figures import FigureFilter
from tests.cli import Here
from tests.worker.containers import FakeContainer


def test_what_waits_is_counted_at_once(here: Here, fakes: FakeContainer, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"call")
    received = fakes.ingest.receive(path, None)
    fakes.jobs.run(fakes.jobs.enqueue(received.recording, received.metadata, pack=None).id)
    wanted = FigureFilter(date(2000, 1, 1), date(3000, 1, 1))
    assert fakes.figures.scores(wanted, EVERYTHING).waiting == 1
    assert "counted 1 days of agents" in here("figures", "recount").stderr
    (line,) = fakes.figures.scores(wanted, EVERYTHING).lines
    assert (line.totals.calls, line.totals.scored) == (1, 1)
    assert "counted 0 days" in here("figures", "recount").stderr
    assert "counted 1 days" in here("figures", "recount", "--all").stderr
