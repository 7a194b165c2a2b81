"""What people found wrong becomes a case, with numbers masked, and goes into no pack by itself."""

from collections.abc import Callable
from functools import partial

import pytest

from qa_service.db.rows import AuditEventRow, ConversationRow, DraftCaseRow
from qa_service.db.session import Database
from qa_service.domain.access import Principal, Role, Scope
from qa_service.domain.agreement import Scale
from qa_service.domain.calibration import Criterion
from qa_service.domain.call import CallMetadata
from qa_service.domain.results import Outcome
from qa_service.domain.review import Decision
from qa_service.errors import ConflictError, InputError, NotFoundError, QAError
from qa_service.services.calibration import Calibration
from qa_service.services.draft_cases import DraftCases
from qa_service.services.review import Review
from qa_service.statistics.agreement import agreement
from rules.case_writing import CaseWriter
from rules.cases import dialogue
from rules.loader import find_pack, load_pack
from tests.clocks import ManualClock
from tests.qa_service.reviewing import Site

MET, NOT_MET = Outcome.MET, Outcome.NOT_MET
SAID = "agent 0.5-4.0: 您好，您的手机是13800138000吗\ncustomer 4.5-7.0: 对，一三八零零一三八零零零\n"
PACK = load_pack(find_pack("service-zh"))


@pytest.fixture
def site(database: Database, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setattr("tests.qa_service.db.builders.conversation", lambda: dialogue(SAID, language="zh"))
    return Site(database)


@pytest.fixture
def drafts(database: Database) -> DraftCases:
    return DraftCases(
        units=database.unit_of_work,
        units_to_read=partial(database.unit_of_work, read_only=True),
        writing=CaseWriter({"service-zh": PACK}.__getitem__),
    )


@pytest.fixture
def inspector(site: Site) -> Principal:
    return site.person("inspector", Role.INSPECTOR)


@pytest.fixture
def review(database: Database, clock: ManualClock) -> Review:
    read = partial(database.unit_of_work, read_only=True)
    return Review(units=database.unit_of_work, units_to_read=read, clock=clock, claim_s=1800.0)


def decided(
    site: Site, review: Review, inspector: Principal, decision: Decision | None, *, reason: str = "misheard"
) -> int:
    """A finding of the rule ``opening``, decided."""
    call = site.call("call", metadata=CallMetadata(team="A", agent_name="李娜", customer_ref="王先生"))
    finding = site.finding(call).id
    review.claim(inspector, call)
    if decision is not None:
        review.decide(inspector, finding, decision, reason=reason if decision is Decision.REJECT else "")
    return finding


def refused(act: Callable[[], object], error: type[QAError], code: str) -> None:
    with pytest.raises(error) as caught:
        act()
    assert caught.value.code == code


def test_a_rejected_finding_is_a_case_in_which_nothing_is_to_be_found(
    site: Site, review: Review, inspector: Principal, drafts: DraftCases
) -> None:
    finding = decided(site, review, inspector, Decision.REJECT)
    draft = drafts.save(inspector, finding, why=" 说了您好，  回电13912345678 ")
    assert (draft.pack, draft.rule, draft.expect, draft.user_id) == (
        "service-zh",
        "opening",
        MET,
        inspector.user_id,
    )
    assert draft.why == "说了您好， 回电139****5678"
    assert draft.outcome is NOT_MET, "no company, no employee number"
    assert draft.document["known_miss"] is True
    kept = str(draft.document)
    for secret in ("13800138000", "一三八零零一三八零零零", "13912345678", "李娜", "王先生"):
        assert secret not in kept
    assert "您的手机是138****8000吗" in kept
    (stored,) = drafts.page(inspector)
    assert stored == draft
    text = drafts.export(inspector, pack="service-zh", rule="opening")
    assert text.startswith(f"- case: 'finding {finding}: 说了您好， 回电139****5678'\n  expect: met\n")
    with site.database.unit_of_work(read_only=True) as unit:
        actions = [row.action for row in unit.session.query(AuditEventRow).order_by(AuditEventRow.id)]
    assert actions[-2:] == ["draft_case.save", "draft_case.export"]


def test_what_did_not_apply_is_not_to_apply(
    site: Site, review: Review, inspector: Principal, drafts: DraftCases
) -> None:
    finding = decided(site, review, inspector, Decision.REJECT, reason="not_applicable")
    assert drafts.save(inspector, finding, why="回访").expect is Outcome.NOT_APPLICABLE


def test_an_added_fault_is_to_be_found(
    site: Site, review: Review, inspector: Principal, drafts: DraftCases
) -> None:
    call = site.call("call")
    review.claim(inspector, call)
    review.add(inspector, call, "closing", start=0.5, end=1.0)
    draft = drafts.save(inspector, site.finding(call, "closing").id, why="没有再见")
    assert (draft.rule, draft.expect) == ("closing", NOT_MET)


@pytest.mark.parametrize("decision", [None, Decision.CONFIRM])
def test_what_was_right_is_no_case(
    site: Site, review: Review, inspector: Principal, drafts: DraftCases, decision: Decision | None
) -> None:
    finding = decided(site, review, inspector, decision)
    refused(lambda: drafts.save(inspector, finding, why="x"), ConflictError, "finding_not_settled")
    assert site.count(DraftCaseRow) == 0


def test_a_finding_makes_one_case(site: Site, review: Review, inspector: Principal, drafts: DraftCases) -> None:
    finding = decided(site, review, inspector, Decision.REJECT)
    drafts.save(inspector, finding, why="one")
    refused(lambda: drafts.save(inspector, finding, why="two"), ConflictError, "draft_case_exists")
    assert [draft.why for draft in drafts.page(inspector)] == ["one"]


def test_a_case_has_a_reason(site: Site, review: Review, inspector: Principal, drafts: DraftCases) -> None:
    finding = decided(site, review, inspector, Decision.REJECT)
    refused(lambda: drafts.save(inspector, finding, why=" \n"), InputError, "draft_case_unexplained")


def test_calls_outside_the_scope_make_no_cases_and_show_none(
    site: Site, review: Review, inspector: Principal, drafts: DraftCases
) -> None:
    finding = decided(site, review, inspector, Decision.REJECT)
    elsewhere = site.person("elsewhere", Role.INSPECTOR, scope=Scope(teams=frozenset({"B"})))
    refused(lambda: drafts.save(elsewhere, finding, why="x"), NotFoundError, "finding_not_found")
    drafts.save(inspector, finding, why="x")
    assert drafts.page(elsewhere) == ()
    assert drafts.export(elsewhere, pack="service-zh", rule="opening") == "[]\n"
    here = site.person("here", Role.INSPECTOR, scope=Scope(teams=frozenset({"A"})))
    assert len(drafts.page(here)) == 1
    assert drafts.page(here, rule="closing") == drafts.page(here, pack="other") == ()


def test_who_scores_the_call_blind_makes_no_case_of_it(
    site: Site, review: Review, inspector: Principal, drafts: DraftCases
) -> None:
    finding = decided(site, review, inspector, Decision.REJECT)
    manager = site.person("manager", Role.MANAGER)
    measure = partial(agreement, resamples=10)
    calibration = Calibration(units=site.database.unit_of_work, measure=lambda a, scale: measure(a, scale=scale))
    calibration.start(
        manager,
        title="blind",
        recording_ids=[1],
        criteria=[Criterion("opening", Scale.NOMINAL)],
        reviewers=[inspector.user_id, manager.user_id],
    )
    refused(lambda: drafts.save(inspector, finding, why="x"), ConflictError, "call_blind")


def test_what_was_said_is_kept_as_it_was(
    site: Site, review: Review, inspector: Principal, drafts: DraftCases
) -> None:
    finding = decided(site, review, inspector, Decision.REJECT)
    with site.database.unit_of_work(read_only=True) as unit:
        before = unit.session.query(ConversationRow.document).all()
    drafts.save(inspector, finding, why="x")
    with site.database.unit_of_work(read_only=True) as unit:
        assert unit.session.query(ConversationRow.document).all() == before
