"""Backtest: what would change, on stored calls, with nothing written and no call lost on the way."""

import json
from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
import structlog
from sqlalchemy import text

from qa_service.db.rows import ConversationRow, Row
from qa_service.db.session import Database
from qa_service.domain.call import CallMetadata
from qa_service.domain.conversation import Conversation
from qa_service.domain.metrics import ConversationMetrics
from qa_service.domain.results import Evidence, Outcome, RuleResult, Severity
from qa_service.domain.scoring import Fatal, Scorecard, ScorecardItem, ScorecardSection
from qa_service.errors import ConfigurationError
from qa_service.services import backtest as module
from qa_service.services.backtest import Backtest, Selection
from qa_service.services.backtest_report import BacktestReport, Baseline, GroupChange, document
from tests.builders import AGENT, conversation, utterance
from tests.fakes import FakeRules, Workplace
from tests.qa_service.db import builders

MET, NOT_MET, UNDETERMINED = Outcome.MET, Outcome.NOT_MET, Outcome.UNDETERMINED
DAY = datetime(2026, 3, 2, 9, tzinfo=UTC)
BAD = "闭嘴"


class WordRules(FakeRules):
    """Each rule forbids one word: ``polite="闭嘴"``. A call in which 坏 is said breaks the engine."""

    def __init__(self, digest: str, **forbidden: str) -> None:
        super().__init__("rules-zh", digest)
        self.forbidden = forbidden
        items = [ScorecardItem(rule, 50, Fatal.CALL if rule == "deadly" else Fatal.NONE) for rule in forbidden]
        self.scorecard = Scorecard("words", 0.5, (ScorecardSection("all", "All", tuple(items)),))

    def evaluate(
        self,
        conversation: Conversation,
        metrics: ConversationMetrics,
        metadata: CallMetadata,
        *,
        not_live: Collection[str] = (),
    ) -> tuple[RuleResult, ...]:
        self.evaluated += 1
        if any("坏" in u.text for u in conversation.utterances):
            raise ZeroDivisionError
        return tuple(self._result(rule, word, conversation) for rule, word in self.forbidden.items())

    def _result(self, rule: str, word: str, conversation: Conversation) -> RuleResult:
        found = tuple(
            Evidence(u.start, u.end, u.role, u.text, (u.index,)) for u in conversation.utterances if word in u.text
        )
        outcome = UNDETERMINED if any(e.quote.endswith("？") for e in found) else NOT_MET if found else MET
        return RuleResult(rule, rule, outcome, Severity.MAJOR, found)


def store(workplace: Workplace, name: str, said: str, *, language: str = "zh", **metadata: object) -> int:
    """A stored call in which the agent says ``said``; its recording's number."""
    recording = builders.add_recording(workplace.database, name.encode(), f"calls/{name}.wav")
    spoken = replace(conversation(utterance(said, 1.0)), language=language)
    with workplace.database.unit_of_work() as unit:
        unit.metadata.put(recording.id, CallMetadata(**metadata))  # type: ignore[arg-type]
        unit.conversations.add(name, recording.id, spoken, elapsed_s=1.0)
        unit.commit()
    return recording.id


def score(workplace: Workplace, *names: str) -> None:
    """Score stored calls with the pack that is in force."""
    for name in names:
        with workplace.database.unit_of_work() as unit:
            stored = unit.conversations.by_key(name)
            assert stored is not None
            metadata = unit.metadata.get(stored.recording_id)
        workplace.evaluate.evaluate(stored, metadata)


def backtest(workplace: Workplace) -> Backtest:
    return Backtest(
        units=partial(workplace.database.unit_of_work, read_only=True),
        digest_in_force=workplace.evaluate.digest_in_force,
    )


def run(workplace: Workplace, candidate: WordRules, **options: object) -> BacktestReport:
    return backtest(workplace).run(candidate, **options)  # type: ignore[arg-type]


def flips(report: BacktestReport) -> dict[tuple[str, Outcome | None, Outcome | None], int]:
    return {(flip.rule, flip.before, flip.after): flip.calls for flip in report.flips}


@pytest.fixture
def rules(workplace: Workplace) -> WordRules:
    """The rules in force."""
    workplace.packs["rules-zh"] = WordRules("sha256:old", polite=BAD, promise="保证")
    return workplace.packs["rules-zh"]


def test_verdicts_scores_and_who_is_affected(workplace: Workplace, rules: WordRules) -> None:
    calls = {
        "a": ("保证修好", {"agent_id": "7", "team": "north"}),
        "b": ("您好", {"agent_id": "7", "team": "north"}),
        "c": ("您好一定修好", {"agent_id": "8", "team": "north"}),
        "d": ("一定？", {"agent_name": "Li", "team": "south"}),
        "e": (BAD, {}),
    }
    ids = {name: store(workplace, name, said, **metadata) for name, (said, metadata) in calls.items()}
    score(workplace, *calls)
    candidate = WordRules("sha256:new", polite=BAD, promise="一定")
    report = run(workplace, candidate)
    assert flips(report) == {
        ("promise", NOT_MET, MET): 1,
        ("promise", MET, NOT_MET): 1,
        ("promise", MET, UNDETERMINED): 1,
    }
    assert (report.calls, report.changed_calls) == (5, 3)
    assert (report.pack, report.digest, report.language, report.against) == ("rules-zh", "sha256:new", "zh", None)
    assert report.baselines == (Baseline("rules-zh", "sha256:old", 5, in_force=True),)
    samples = {flip.after: flip.samples for flip in report.flips}
    (broken,), (mended,) = samples[NOT_MET], samples[MET]
    assert (broken.recording_id, broken.path) == (ids["c"], "calls/c.wav")
    assert [(e.start, e.role, e.quote) for e in broken.evidence] == [(1.0, AGENT, "您好一定修好")]
    # What the candidate no longer finds is quoted from what is stored.
    assert (mended.recording_id, [e.quote for e in mended.evidence]) == (ids["a"], ["保证修好"])
    scores = report.scores
    assert (scores.calls, scores.mean_before, scores.mean_after) == (5, 80.0, 80.0)
    assert (scores.up, scores.down, scores.appeared, scores.disappeared) == (1, 1, 0, 0)
    assert scores.quantiles == ((0.05, -50), (0.25, 0), (0.5, 0), (0.75, 0), (0.95, 50))
    assert report.agents == (GroupChange("7", 2, 25.0), GroupChange("8", 1, -50.0))
    assert report.teams == ()


def test_nothing_is_written(workplace: Workplace, rules: WordRules) -> None:
    for name, said in (("a", "保证"), ("b", "您好")):
        store(workplace, name, said, agent_id="7")
    score(workplace, "a")
    before = _everything(workplace.database)
    assert run(workplace, WordRules("sha256:new", polite="您好")).changed_calls == 1
    run(workplace, WordRules("sha256:new", polite="您好"), against=rules, selection=Selection(sample=1))
    assert _everything(workplace.database) == before
    assert sum(map(len, before.values())) > 10


def _everything(database: Database) -> dict[str, list[tuple[object, ...]]]:
    with database.unit_of_work(read_only=True) as unit:
        return {
            name: sorted(tuple(map(repr, row)) for row in unit.session.execute(table.select()))
            for name, table in Row.metadata.tables.items()
        }


def test_rules_that_only_one_of_the_packs_has(workplace: Workplace, rules: WordRules) -> None:
    store(workplace, "a", "您好")
    score(workplace, "a")
    report = run(workplace, WordRules("sha256:new", polite=BAD, greet="您好"))
    assert flips(report) == {("promise", MET, None): 1, ("greet", None, NOT_MET): 1}


def test_calls_that_become_fatal_and_scores_that_come_and_go(workplace: Workplace, rules: WordRules) -> None:
    for name, said in (("a", BAD), ("b", "闭嘴？保证？"), ("c", "您好？")):
        store(workplace, name, said)
    score(workplace, "a", "b", "c")
    fatal = run(workplace, WordRules("sha256:new", deadly=BAD))
    assert (fatal.newly_fatal, fatal.no_longer_fatal) == (1, 0)
    assert [sample.path for sample in fatal.newly_fatal_samples] == ["calls/a.wav"]
    assert (fatal.scores.appeared, fatal.scores.disappeared) == (0, 0)
    rules.forbidden = {"deadly": BAD}
    withheld = run(workplace, WordRules("sha256:new", greet="您好"))
    assert (withheld.scores.appeared, withheld.scores.disappeared) == (1, 1)
    other = run(workplace, WordRules("sha256:none", polite="。"), against=WordRules("sha256:d", deadly=BAD))
    assert (other.newly_fatal, other.no_longer_fatal) == (0, 1)


def test_what_calls_are_compared_with_is_said(workplace: Workplace, rules: WordRules) -> None:
    for name in "abc":
        store(workplace, name, "保证")
    score(workplace, "a")
    workplace.packs["rules-zh"] = newer = WordRules("sha256:newer", polite=BAD)
    score(workplace, "b")
    report = run(workplace, WordRules("sha256:new", polite=BAD, promise="保证"))
    assert set(report.baselines) == {
        Baseline("rules-zh", "sha256:old", 1, in_force=False),
        Baseline("rules-zh", "sha256:newer", 1, in_force=True),
    }
    assert (report.calls, report.without_baseline) == (3, 1)
    assert flips(report) == {("promise", None, NOT_MET): 1}
    against = run(workplace, WordRules("sha256:new", polite=BAD, promise="保证"), against=newer)
    assert against.baselines == (Baseline("rules-zh", "sha256:newer", 3, in_force=True),)
    assert (against.without_baseline, against.against) == (0, "rules-zh")
    assert flips(against) == {("promise", None, NOT_MET): 3}


def test_the_candidate_is_judged_as_if_it_were_live(workplace: Workplace, rules: WordRules) -> None:
    store(workplace, "a", "保证")
    score(workplace, "a")
    workplace.shipped.clear()
    assert run(workplace, WordRules("sha256:new", promise="保证")).scores.mean_after == 0.0


def test_calls_that_are_not_for_the_pack_are_counted_and_left_out(workplace: Workplace, rules: WordRules) -> None:
    for name, language in (("a", "zh"), ("b", "en"), ("c", "fr"), ("d", "en")):
        store(workplace, name, "保证", language=language)
    candidate = WordRules("sha256:new", promise="保证")
    report = run(workplace, candidate)
    assert (report.calls, report.skipped_languages) == (1, (("en", 2), ("fr", 1)))
    assert candidate.evaluated == 1


def test_one_bad_call_stops_nobody_else(workplace: Workplace, rules: WordRules) -> None:
    for name, said in (("a", "坏"), ("b", "您好"), ("c", "您好"), ("d", "您好")):
        store(workplace, name, said)
    with workplace.database.unit_of_work() as unit:
        unit.session.execute(text("UPDATE conversations SET document = :d WHERE stage_key = 'c'"), {"d": b"no"})
        unit.commit()
    with structlog.testing.capture_logs():
        report = run(workplace, WordRules("sha256:new", polite=BAD))
    assert (report.calls, report.unread_calls) == (2, 2)
    assert {(one.path, one.code) for one in report.unread} == {
        ("calls/a.wav", "internal_error"),
        ("calls/c.wav", "conversation_unreadable"),
    }


def test_a_period_is_by_the_calls_own_time(workplace: Workplace, rules: WordRules) -> None:
    for number in range(4):
        store(workplace, str(number), "您好", started_at=DAY + timedelta(days=number))
    store(workplace, "unknown", "您好")  # by when it was received
    with workplace.database.unit_of_work() as unit:
        unit.session.execute(text("UPDATE recordings SET created_at = '2026-03-04 00:00:00+00:00'"))
        unit.commit()
    candidate = WordRules("sha256:new", polite=BAD)

    def judged(since: datetime | None, until: datetime | None) -> int:
        seen: list[tuple[int, int]] = []
        report = run(
            workplace, candidate, selection=Selection(since, until), progress=lambda *step: seen.append(step)
        )
        assert seen[0] == (0, report.calls)
        assert seen[-1] == (report.calls, report.calls)
        return report.calls

    assert judged(None, None) == 5
    assert judged(DAY, DAY + timedelta(days=1)) == 1
    assert judged(DAY + timedelta(days=1), None) == 4
    assert judged(None, DAY + timedelta(days=2)) == 3
    with pytest.raises(ConfigurationError) as caught:
        judged(DAY + timedelta(days=9), None)
    assert caught.value.code == "nothing_to_backtest"


def test_a_sample_is_the_same_each_time_and_part_of_a_larger_one(
    workplace: Workplace, rules: WordRules, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE", 3)
    for number in range(20):
        store(workplace, str(number), f"保证{number}")

    def drawn(sample: int) -> set[int]:
        heard: set[int] = set()

        class Noting(WordRules):
            def evaluate(self, spoken: Conversation, *args: object, **options: object) -> tuple[RuleResult, ...]:  # type: ignore[override]
                heard.add(int(spoken.utterances[0].text.removeprefix("保证")))
                return super().evaluate(spoken, *args, **options)  # type: ignore[arg-type]

        report = run(workplace, Noting("sha256:new", polite=BAD), selection=Selection(sample=sample))
        assert report.calls == len(heard) == min(sample, 20)
        return heard

    assert drawn(7) == drawn(7)
    assert drawn(7) < drawn(12) < drawn(99)
    assert run(workplace, WordRules("sha256:new", polite=BAD)).calls == 20


def test_samples_do_not_depend_on_the_order(workplace: Workplace, rules: WordRules) -> None:
    ids = [store(workplace, str(number), f"保证{number}") for number in range(12)]
    with workplace.database.unit_of_work(read_only=True) as unit:
        digests = sorted((unit.recordings.get(number).sha256, number) for number in ids)
    report = run(workplace, WordRules("sha256:new", promise="保证"), against=WordRules("sha256:x", promise="。"))
    (flip,) = report.flips
    assert flip.calls == 12
    assert [sample.recording_id for sample in flip.samples] == [number for _, number in digests[:3]]


def test_where_nothing_is_stored(workplace: Workplace, rules: WordRules) -> None:
    with pytest.raises(ConfigurationError) as caught:
        run(workplace, rules)
    assert caught.value.code == "nothing_to_backtest"
    store(workplace, "a", "hello", language="en")
    with pytest.raises(ConfigurationError) as caught:
        run(workplace, rules)
    assert "1 in en" in caught.value.message
    assert workplace.count(ConversationRow) == 1


def test_the_published_form(workplace: Workplace, rules: WordRules) -> None:
    store(workplace, "a", "一定", agent_id="7", team="north")
    score(workplace, "a")
    line = json.loads(json.dumps(document(run(workplace, WordRules("sha256:new", polite=BAD, promise="一定")))))
    (flip,) = line.pop("flips")
    (sample,) = flip.pop("samples")
    assert flip == {"rule": "promise", "from": "met", "to": "not_met", "calls": 1}
    assert sample["path"] == "calls/a.wav"
    assert sample["evidence"] == [{"start": 1.0, "end": 1.5, "role": "agent", "quote": "一定"}]
    assert line == {
        **{"pack": "rules-zh", "ruleset": "sha256:new", "language": "zh", "against": None},
        **{"calls": 1, "changed_calls": 1, "without_baseline": 0, "skipped_languages": {}},
        **{"unread_calls": 0, "unread": []},
        "baselines": [{"pack": "rules-zh", "ruleset": "sha256:old", "calls": 1, "in_force": True}],
        "scores": {
            **{"calls": 1, "mean_before": 100.0, "mean_after": 50.0, "up": 0, "down": 1},
            **{"appeared": 0, "disappeared": 0},
            "quantiles": {"0.05": -50, "0.25": -50, "0.5": -50, "0.75": -50, "0.95": -50},
        },
        "fatal": {"newly": 0, "no_longer": 0, "samples": []},
        "agents": [{"name": "7", "calls": 1, "mean_change": -50.0}],
        "teams": [{"name": "north", "calls": 1, "mean_change": -50.0}],
    }
