"""Approving rules: the steps, who may skip none, and what an evaluation makes of them."""

import threading
from collections.abc import Callable, Sequence

import pytest

from qa_service.db.rows import EvaluationRow, FindingRow, RuleTransitionRow, RuleVersionRow
from qa_service.domain.call import CallMetadata
from qa_service.domain.lifecycle import RuleState, RuleTransition, RuleVersion
from qa_service.domain.results import Outcome
from qa_service.errors import ConfigurationError, ConflictError
from qa_service.ports import StoredConversation
from qa_service.services.approvals import NAME_CHARACTERS, NOTE_CHARACTERS
from tests.clocks import ManualClock
from tests.fakes import FakeRules, Workplace

NOTHING = CallMetadata()
DRAFT, APPROVED, LIVE, RETIRED = RuleState


class SiteRules(FakeRules):
    """A pack of a site, with rules that are versions and nothing else; ``shadow`` is never scored."""

    def __init__(self, **digests: str) -> None:
        super().__init__("site", "sha256:site")
        self.digests = digests

    @property
    def versions(self) -> tuple[RuleVersion, ...]:
        return tuple(
            RuleVersion("site", rule, digest, f"content of {digest}", rule != "shadow")
            for rule, digest in sorted(self.digests.items())
        )


def told(steps: Sequence[RuleTransition]) -> list[tuple[str, str, RuleState]]:
    return [(step.rule, step.digest, step.to_state) for step in steps]


def test_a_version_scores_when_it_was_approved_and_published(workplace: Workplace, clock: ManualClock) -> None:
    approvals, rules = workplace.approvals, SiteRules(a="a1", b="b1", shadow="s1")
    assert approvals.states(rules) == {"a": DRAFT, "b": DRAFT}
    approved = approvals.approve(rules, by=" 王  芳 ", note="as agreed on Monday ")
    assert told(approved.taken) == [("a", "a1", APPROVED), ("b", "b1", APPROVED)]
    assert {(step.by, step.note, step.at) for step in approved.taken} == {
        ("王 芳", "as agreed on Monday", clock.now())
    }
    assert approvals.not_live(rules) == {"a": APPROVED, "b": APPROVED}
    clock.advance(60)
    published = approvals.publish(rules, by="Li", only=["b"])
    assert told(published.taken) == [("b", "b1", LIVE)]
    assert approvals.not_live(rules) == {"a": APPROVED}
    assert approvals.history("site") == (*approved.taken, *published.taken)
    assert approvals.history("site", "b") == (approved.taken[1], *published.taken)
    assert approvals.history("other") == ()


def test_what_was_done_already_is_done_once(workplace: Workplace) -> None:
    approvals, rules = workplace.approvals, SiteRules(a="a1")
    approvals.approve(rules, by="Wang")
    again = approvals.approve(rules, by="Li")
    assert (again.taken, again.already) == ((), ("a",))
    approvals.publish(rules, by="Wang")
    for step in (approvals.approve, approvals.publish):
        again = step(rules, by="Li", only=["a"])
        assert (again.taken, again.already) == ((), ("a",))
    approvals.retire("site", by="Wang", only=["a"])
    again = approvals.retire("site", by="Li", only=["a"])
    assert (again.taken, again.already) == ((), ("a",))
    assert [step.by for step in approvals.history("site")] == ["Wang"] * 3


def test_a_changed_rule_is_a_new_draft_and_replaces_the_old_when_it_is_published(workplace: Workplace) -> None:
    approvals, old, new = workplace.approvals, SiteRules(a="a1", b="b1"), SiteRules(a="a2", b="b1")
    for step in (approvals.approve, approvals.publish):
        step(old, by="Wang")
    assert approvals.not_live(new) == {"a": DRAFT}
    approvals.approve(new, by="Wang")
    assert approvals.not_live(old) == {}
    published = approvals.publish(new, by="Li")
    assert told(published.taken) == [("a", "a2", LIVE), ("a", "a1", RETIRED)]
    assert published.taken[1].note == "replaced by a2"
    assert published.already == ("b",)
    assert approvals.not_live(new) == {}
    assert approvals.not_live(old) == {"a": RETIRED}


def test_what_was_retired_comes_back_as_a_new_version_does(workplace: Workplace) -> None:
    approvals, rules = workplace.approvals, SiteRules(a="a1", b="b1")
    for step in (approvals.approve, approvals.publish):
        step(rules, by="Wang")
    retired = approvals.retire("site", by="Wang", only=["a"], note="too many false findings")
    assert told(retired.taken) == [("a", "a1", RETIRED)]
    assert approvals.not_live(rules) == {"a": RETIRED}
    assert approvals.approve(rules, by="Li").left == ("a",)  # nobody meant it who approves other rules
    assert approvals.publish(rules, by="Li").left == ("a",)
    approvals.approve(rules, by="Li", only=["a"])
    approvals.publish(rules, by="Li", only=["a"])
    assert approvals.not_live(rules) == {}
    assert [step.to_state for step in approvals.history("site", "a")] == [APPROVED, LIVE, RETIRED, APPROVED, LIVE]


@pytest.mark.parametrize("retired", [("site", "a"), ("site", "unknown"), ("elsewhere", "a")])
@pytest.mark.parametrize("approved", [False, True])
def test_steps_that_skip_one_are_refused(workplace: Workplace, approved: bool, retired: tuple[str, str]) -> None:
    approvals, rules = workplace.approvals, SiteRules(a="a1")
    if approved:
        approvals.approve(rules, by="Wang")
    before = approvals.history("site")
    pack, rule = retired
    with pytest.raises(ConflictError) as caught:
        approvals.retire(pack, by="Li", only=[rule])
    assert caught.value.code == "rule_transition_refused"
    if not approved:
        with pytest.raises(ConflictError) as caught:
            approvals.publish(rules, by="Li", only=["a"])
        assert caught.value.code == "rule_transition_refused"
    assert approvals.history("site") == before


def test_one_refused_step_takes_none(workplace: Workplace) -> None:
    rules = SiteRules(a="a1", b="b1")
    workplace.approvals.approve(rules, by="Wang", only=["a"])
    with pytest.raises(ConflictError):
        workplace.approvals.publish(rules, by="Wang", only=["a", "b"])
    assert workplace.approvals.not_live(rules) == {"a": APPROVED, "b": DRAFT}
    published = workplace.approvals.publish(rules, by="Wang")
    assert (told(published.taken), published.left) == ([("a", "a1", LIVE)], ("b",))


def test_a_rule_that_the_pack_does_not_have(workplace: Workplace) -> None:
    for step in (workplace.approvals.approve, workplace.approvals.publish):
        with pytest.raises(ConfigurationError) as caught:
            step(SiteRules(a="a1"), by="Wang", only=["a", "z"])
        assert caught.value.code == "rule_unknown"
        assert "z" in caught.value.message
    assert workplace.count(RuleVersionRow) == 0


@pytest.mark.parametrize(
    ("by", "note"), [("", ""), (" \n", ""), ("x" * (NAME_CHARACTERS + 1), ""), ("x", "n" * (NOTE_CHARACTERS + 1))]
)
def test_nobody_signs_with_no_name(workplace: Workplace, by: str, note: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        workplace.approvals.approve(SiteRules(a="a1"), by=by, note=note)
    assert caught.value.code == "approver_invalid"


def test_a_shipped_pack_is_live_without_a_word_in_the_store(workplace: Workplace) -> None:
    rules = workplace.packs["rules-zh"]
    assert workplace.approvals.states(rules) == {"greeting": LIVE}
    assert workplace.approvals.approve(rules, by="Wang").already == ("greeting",)
    assert workplace.approvals.publish(rules, by="Wang").already == ("greeting",)
    with pytest.raises(ConflictError):
        workplace.approvals.retire("rules-zh", by="Wang", only=["greeting"])
    assert workplace.count(RuleVersionRow) == workplace.count(RuleTransitionRow) == 0


def withdraw(workplace: Workplace, version: RuleVersion, by: str = "Wang") -> RuleTransition | None:
    with workplace.database.unit_of_work() as unit:
        step = workplace.approvals.withdraw(unit, version, by=by, note="too many false findings")
        unit.commit()
    return step


def test_a_shipped_rule_is_withdrawn_and_comes_back_by_its_name(workplace: Workplace) -> None:
    approvals, rules = workplace.approvals, workplace.packs["rules-zh"]
    step = withdraw(workplace, rules.versions[0])
    assert step is not None
    assert (step.from_state, step.to_state, step.by) == (LIVE, RETIRED, "Wang")
    assert approvals.not_live(rules) == {"greeting": RETIRED}
    assert withdraw(workplace, rules.versions[0], by="Li") is None
    assert approvals.approve(rules, by="Li").left == ("greeting",)
    for back in (approvals.approve, approvals.publish):
        back(rules, by="Li", only=["greeting"])
    assert approvals.not_live(rules) == {}
    assert [step.to_state for step in approvals.history("rules-zh")] == [RETIRED, APPROVED, LIVE]


def test_a_new_release_of_a_withdrawn_rule_is_live(workplace: Workplace) -> None:
    withdraw(workplace, workplace.packs["rules-zh"].versions[0])
    assert workplace.approvals.not_live(FakeRules("rules-zh", "sha256:next")) == {}


def test_a_published_version_is_withdrawn_as_if_it_were_retired(workplace: Workplace) -> None:
    rules = SiteRules(a="a1", b="b1")
    workplace.approvals.approve(rules, by="Wang")
    with pytest.raises(ConflictError) as caught:
        withdraw(workplace, rules.versions[0])
    assert caught.value.code == "rule_transition_refused"
    workplace.approvals.publish(rules, by="Wang")
    withdraw(workplace, rules.versions[0])
    assert workplace.approvals.not_live(rules) == {"a": RETIRED}


def test_two_at_once_take_each_step_once(workplace: Workplace) -> None:
    rules = SiteRules(**{f"r{number}": f"d{number}" for number in range(9)})
    others = SiteRules(**{f"r{number}": f"other{number}" for number in reversed(range(9))})
    for step in (workplace.approvals.approve, workplace.approvals.publish):
        _at_once(
            *(lambda who=who, step=step: step(rules, by=who) for who in ("Wang", "Li")),
            *(lambda who=who, step=step: step(others, by=who) for who in ("Zhao", "Sun")),
        )
    history = workplace.approvals.history("site")
    for number in range(9):
        own = [step for step in history if step.rule == f"r{number}"]
        for digest in (f"d{number}", f"other{number}"):
            steps = [(step.from_state, step.to_state) for step in own if step.digest == digest]
            assert steps in (
                [(DRAFT, APPROVED), (APPROVED, LIVE)],
                [(DRAFT, APPROVED), (APPROVED, LIVE), (LIVE, RETIRED)],
            )
        # Two packs of one name were published, whichever came first was replaced.
        assert [step.to_state for step in own].count(RETIRED) == 1


def _at_once(*acts: Callable[[], object]) -> None:
    start, errors = threading.Barrier(len(acts)), []

    def run(act: Callable[[], object]) -> None:
        try:
            start.wait()
            act()
        except BaseException as error:  # noqa: BLE001 - shown by the assertion below
            errors.append(error)

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


# What an evaluation makes of it ------------------------------------------------------------------------------


@pytest.fixture
def heard(workplace: Workplace) -> StoredConversation:
    recording = workplace.ingest.receive(workplace.file("a.wav", b"call"), None).recording
    return workplace.hear.hear(recording, NOTHING)


@pytest.fixture
def site(workplace: Workplace) -> FakeRules:
    workplace.packs["site"] = FakeRules("site", "sha256:site", Outcome.NOT_MET)
    return workplace.packs["site"]


def test_a_draft_is_recorded_scores_nobody_and_opens_no_finding(
    workplace: Workplace, heard: StoredConversation, site: FakeRules
) -> None:
    selected = workplace.evaluate.selection_digest("site")
    draft = workplace.evaluate.evaluate(heard, NOTHING, pack="site")
    (result,) = draft.results
    assert (result.outcome, result.scored, result.unscored) == (Outcome.NOT_MET, False, "not_live")
    assert draft.evaluation.score is None
    assert draft.ruleset_digest != site.digest
    assert workplace.count(FindingRow) == 0
    workplace.approvals.approve(site, by="Wang")
    assert workplace.evaluate.evaluate(heard, NOTHING, pack="site") == draft
    assert workplace.evaluate.selection_digest("site") == selected
    workplace.approvals.publish(site, by="Wang")
    live = workplace.evaluate.evaluate(heard, NOTHING, pack="site")
    assert live.id != draft.id
    assert (live.results[0].scored, live.evaluation.score, live.ruleset_digest) == (True, 0.0, site.digest)
    assert workplace.evaluate.selection_digest("site") != selected
    assert workplace.count(FindingRow) == 1
    assert workplace.count(EvaluationRow) == 2


def test_what_is_withdrawn_is_recorded_and_scores_nobody(workplace: Workplace, heard: StoredConversation) -> None:
    scored = workplace.evaluate.evaluate(heard, NOTHING, pack="rules-zh")
    withdraw(workplace, workplace.packs["rules-zh"].versions[0])
    shadow = workplace.evaluate.evaluate(heard, NOTHING, pack="rules-zh")
    assert shadow.id != scored.id
    assert (shadow.results[0].outcome, shadow.results[0].unscored) == (Outcome.MET, "not_live")
    assert (scored.evaluation.score, shadow.evaluation.score) == (100.0, None)


def test_what_is_retired_is_out_of_the_latest_evaluation(
    workplace: Workplace, heard: StoredConversation, site: FakeRules
) -> None:
    """The evaluation without the rule is there from before it was published: that one is the latest again."""
    draft = workplace.evaluate.evaluate(heard, NOTHING, pack="site")
    for step in (workplace.approvals.approve, workplace.approvals.publish):
        step(site, by="Wang")
    live = workplace.evaluate.evaluate(heard, NOTHING, pack="site")
    workplace.approvals.retire("site", by="Wang", only=["greeting"])

    def latest() -> int:
        with workplace.database.unit_of_work() as unit:
            evaluation = unit.evaluations.latest(heard.recording_id)
        assert evaluation is not None
        return evaluation.id

    assert latest() == live.id
    assert workplace.evaluate.evaluate(heard, NOTHING, pack="site") == draft
    assert latest() == draft.id
    assert workplace.count(EvaluationRow) == 2
