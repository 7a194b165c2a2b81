"""The scoring stage: keyed by conversation, metadata and rules, without any audio."""

import pytest
from sqlalchemy import delete, update

from qa_service.db.rows import EvaluationRow, ReviewItemRow
from qa_service.domain.call import CallMetadata
from qa_service.domain.results import Outcome
from qa_service.errors import InputError
from qa_service.ports import StoredConversation
from tests.fakes import FakeRules, Workplace

NOTHING = CallMetadata()


@pytest.fixture
def heard(workplace: Workplace) -> StoredConversation:
    """A stored conversation whose audio is gone."""
    recording = workplace.ingest.receive(workplace.file("a.wav", b"call"), None).recording
    stored = workplace.hear.hear(recording, NOTHING)
    workplace.delete_blobs()
    return stored


def test_the_same_inputs_find_the_same_evaluation(workplace: Workplace, heard: StoredConversation) -> None:
    first = workplace.evaluate.evaluate(heard, NOTHING)
    assert workplace.evaluate.evaluate(heard, NOTHING) == first
    assert workplace.packs["rules-zh"].evaluated == 1
    assert (first.pack, first.ruleset_digest) == ("rules-zh", "sha256:rules-zh")
    assert (first.evaluation.score, first.evaluation.coverage) == (100.0, 1.0)


def test_changed_rules_are_applied_to_the_stored_conversation(
    workplace: Workplace, heard: StoredConversation
) -> None:
    before = workplace.evaluate.evaluate(heard, NOTHING)
    workplace.packs["rules-zh"] = FakeRules("rules-zh", "sha256:changed", Outcome.NOT_MET)
    after = workplace.evaluate.evaluate(heard, NOTHING)
    assert (before.evaluation.score, after.evaluation.score) == (100.0, 0.0)
    assert after.conversation_id == before.conversation_id
    assert workplace.transcriber.heard == [b"call"]
    assert workplace.count(EvaluationRow) == 2


def test_a_fault_is_queued_for_a_person_with_the_evaluation(
    workplace: Workplace, heard: StoredConversation
) -> None:
    workplace.packs["rules-zh"] = FakeRules("rules-zh", "sha256:strict", Outcome.NOT_MET)
    strict = workplace.evaluate.evaluate(heard, NOTHING)
    with workplace.database.unit_of_work() as unit:
        item = unit.review.get(heard.recording_id)
        unit.session.execute(update(EvaluationRow).values(scorecard_digest=None))  # of an earlier version
        unit.session.execute(delete(ReviewItemRow))
        unit.commit()
    assert item is not None
    assert item.evaluation_id == strict.id
    assert workplace.evaluate.evaluate(heard, NOTHING) == strict
    with workplace.database.unit_of_work() as unit:
        assert unit.review.get(heard.recording_id) is not None
        assert unit.verdicts.sheet(heard.recording_id).scorecard is not None


def test_rules_changed_back_find_the_old_evaluation(workplace: Workplace, heard: StoredConversation) -> None:
    rules = workplace.packs["rules-zh"]
    before = workplace.evaluate.evaluate(heard, NOTHING)
    rules.digest = "sha256:changed"
    workplace.evaluate.evaluate(heard, NOTHING)
    rules.digest = "sha256:rules-zh"
    assert workplace.evaluate.evaluate(heard, NOTHING) == before


def test_changed_metadata_is_another_evaluation(workplace: Workplace, heard: StoredConversation) -> None:
    first = workplace.evaluate.evaluate(heard, NOTHING)
    second = workplace.evaluate.evaluate(heard, CallMetadata(ring_count=4))
    assert first.key != second.key
    assert workplace.count(EvaluationRow) == 2


def test_the_language_chooses_the_pack(workplace: Workplace) -> None:
    recording = workplace.ingest.receive(workplace.file("a.wav", b"call"), None).recording
    english = workplace.hear.hear(recording, CallMetadata(language="en"))
    assert workplace.evaluate.evaluate(english, NOTHING).pack == "rules-en"
    assert workplace.evaluate.evaluate(english, NOTHING, pack="rules-zh").pack == "rules-zh"


def test_a_language_without_a_pack_is_a_coded_failure(workplace: Workplace) -> None:
    recording = workplace.ingest.receive(workplace.file("a.wav", b"call"), None).recording
    french = workplace.hear.hear(recording, CallMetadata(language="fr"))
    with pytest.raises(InputError) as caught:
        workplace.evaluate.evaluate(french, NOTHING)
    assert caught.value.code == "language_unsupported"
    assert "zh, en" in caught.value.message
    assert workplace.evaluate.evaluate(french, NOTHING, pack="rules-en").pack == "rules-en"


def test_two_workers_that_score_at_once_keep_one_evaluation(
    workplace: Workplace, heard: StoredConversation
) -> None:
    class Slow(FakeRules):
        def evaluate(self, *args: object, **options: object) -> tuple[object, ...]:  # type: ignore[override]
            other.evaluate.evaluate(heard, NOTHING)  # another worker is faster
            return super().evaluate(*args, **options)  # type: ignore[arg-type]

    other = Workplace(workplace.database, workplace.folder)
    workplace.packs["rules-zh"] = Slow("rules-zh", "sha256:rules-zh")
    mine = workplace.evaluate.evaluate(heard, NOTHING)
    assert mine == other.evaluate.evaluate(heard, NOTHING)
    assert workplace.count(EvaluationRow) == 1


def test_the_selection_changes_with_any_rules_that_may_be_used(workplace: Workplace) -> None:
    automatic, named = workplace.evaluate.selection_digest(None), workplace.evaluate.selection_digest("rules-zh")
    workplace.packs["rules-en"].digest = "sha256:changed"
    assert workplace.evaluate.selection_digest(None) != automatic
    assert workplace.evaluate.selection_digest("rules-zh") == named
