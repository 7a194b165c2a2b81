"""Which results a person has to look at."""

import pytest

from qa_service.domain.results import Evidence, Outcome, RuleResult, Severity

HEARD = (Evidence(1.0, 2.0),)


@pytest.mark.parametrize(
    ("outcome", "reason", "evidence", "needed"),
    [
        (Outcome.MET, "", (), False),
        (Outcome.MET, "", HEARD, False),
        (Outcome.NOT_APPLICABLE, "not_applicable", HEARD, False),
        (Outcome.NOT_MET, "", HEARD, True),
        (Outcome.NOT_MET, "", (), True),  # an absence has no place
        (Outcome.UNDETERMINED, "low_confidence", HEARD, True),
        (Outcome.UNDETERMINED, "role_unknown", (), True),
        # A mono call leaves interruptions open; without so much as an overlap there is nothing to listen to.
        (Outcome.UNDETERMINED, "overlap_not_measurable", HEARD, True),
        (Outcome.UNDETERMINED, "overlap_not_measurable", (), False),
    ],
)
def test_who_needs_a_person(outcome: Outcome, reason: str, evidence: tuple[Evidence, ...], needed: bool) -> None:
    result = RuleResult("a-rule", "A rule", outcome, Severity.MAJOR, evidence, reason)
    assert result.needs_a_person is needed


@pytest.mark.parametrize("outcome", Outcome)
@pytest.mark.parametrize(
    ("scored", "same_event_as"), [(False, None), (True, "hold-notice"), (False, "hold-notice")]
)
def test_what_is_recorded_only_or_counted_elsewhere_needs_nobody(
    outcome: Outcome, scored: bool, same_event_as: str | None
) -> None:
    result = RuleResult(
        "a-rule", "A rule", outcome, Severity.MAJOR, HEARD, scored=scored, same_event_as=same_event_as
    )
    assert not result.needs_a_person
