"""The engine: occurrences, situations, doubt, shared events, and what a digest covers."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_service.domain.call import CallMetadata, Direction, HangupSide
from qa_service.domain.conversation import LEVEL_STEP_S, Conversation, SpeakerRole
from qa_service.domain.results import Evidence, Outcome, RuleResult
from qa_service.domain.timeline import TimeSpan
from rules.cases import dialogue, load_cases
from rules.engine import RuleSet
from rules.loader import load_pack, shipped_packs
from tests.rules.builders import judged, results, rule_set, write_pack

PACKS = {name: load_pack(path) for name, path in shipped_packs().items()}


def of(result: RuleResult) -> tuple[Outcome, str]:
    return result.outcome, result.reason


# --- require and forbid -----------------------------------------------------------------------------------


def test_require(tmp_path: Path) -> None:
    body = "require: {phrase: {any: [您好]}}"
    met = judged(tmp_path, body, "agent 0-2: 您好，请讲")
    assert of(met) == (Outcome.MET, "")
    assert [e.quote for e in met.evidence] == ["您好"]
    missing = judged(tmp_path, body, "agent 0-2: 喂")
    assert of(missing) == (Outcome.NOT_MET, "")
    assert [e.quote for e in missing.evidence] == ["喂"]


def test_forbid(tmp_path: Path) -> None:
    body = "forbid: {phrase: {any: [不归我管]}}"
    broken = judged(tmp_path, body, "agent 0-2: 好的，这不归我管，再见")
    assert of(broken) == (Outcome.NOT_MET, "")
    assert [e.quote for e in broken.evidence] == ["这不归我管"]
    assert judged(tmp_path, body, "agent 0-2: 喂").evidence == ()


def test_style_is_reported_and_not_scored(tmp_path: Path) -> None:
    body = "require: {phrase: {any: [您好]}}\nstyle:\n  致谢: {phrase: {any: [谢谢]}}"
    assert judged(tmp_path, body, "agent 0-2: 您好").style == (("致谢", False),)
    assert judged(tmp_path, body, "agent 0-2: 您好，谢谢").style == (("致谢", True),)
    assert judged(tmp_path, body, "unknown 0-2: 您好，谢谢").style == (("致谢", None),)


# --- for_each ---------------------------------------------------------------------------------------------

NOTICE = "for_each: {silence: {source: silence}}\nrequire: {phrase: {any: [请稍等], scope: {before_s: 10}}}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("agent 0-3: 请稍等\nagent 20-22: 好了", Outcome.MET),
        ("agent 0-3: 请稍等\nagent 20-22: 请稍等\nagent 40-42: 好了", Outcome.MET),
        ("agent 0-3: 请稍等\nagent 20-22: 好了\nagent 40-42: 好了", Outcome.NOT_MET),
        ("agent 0-3: 请稍等\nagent 20-22 [unheard]:\nagent 40-42: 好了", Outcome.UNDETERMINED),
        ("agent 0-3: 嗯嗯\nagent 20-22 [unheard]:\nagent 40-42: 好了", Outcome.NOT_MET),
        ("agent 0-3: 请稍等\nagent 5-22: 好了", Outcome.NOT_APPLICABLE),
    ],
)
def test_one_violation_is_enough_and_one_doubt_keeps_it_from_being_met(
    tmp_path: Path, text: str, expected: Outcome
) -> None:
    assert judged(tmp_path, NOTICE, text).outcome is expected


def test_evidence_of_a_missing_thing_is_the_occurrence(tmp_path: Path) -> None:
    result = judged(tmp_path, NOTICE, "agent 0-3: 请稍等\nagent 20-22: 好了\nagent 40-42: 好了")
    assert result.evidence == (Evidence(22.0, 40.0, note="18.0 s"),)


def test_evidence_of_a_forbidden_thing_is_what_was_said_and_what_provoked_it(tmp_path: Path) -> None:
    provoked = "for_each: {phrase: {role: customer, any: [不需要]}}\n"
    body = provoked + "forbid: {phrase: {any: [今天最后], scope: {after_s: 9}}}"
    result = judged(tmp_path, body, "customer 0-2: 我不需要\nagent 3-5: 今天最后一天")
    assert [(e.role, e.quote) for e in result.evidence] == [
        (SpeakerRole.CUSTOMER, "我不需要"),
        (SpeakerRole.AGENT, "今天最后一天"),
    ]


def test_an_occurrence_in_doubt_never_convicts(tmp_path: Path) -> None:
    body = "for_each: {phrase: {role: customer, any: [我要投诉]}}\nrequire: {phrase: {any: [抱歉]}}"
    assert of(judged(tmp_path, body, "customer 0-2: 我要投诉\nagent 3-5: 好的"))[0] is Outcome.NOT_MET
    doubt = judged(tmp_path, body, "customer 0-2 (0.2): 我要投诉\nagent 3-5: 好的")
    assert of(doubt) == (Outcome.UNDETERMINED, "situation_unsure")
    assert (
        judged(tmp_path, body, "customer 0-2 (0.2): 我要投诉\nagent 3-5: 抱歉").outcome is Outcome.NOT_APPLICABLE
    )


ONLY = """\
for_each: {silence: {source: silence}}
only_when: {phrase: {role: customer, any: [快一点], scope: {before_s: 10}}}
require: {phrase: {any: [请稍等], scope: {before_s: 10}}}
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("customer 0-2: 快一点\nagent 3-5: 嗯嗯\nagent 30-31: 好了", (Outcome.NOT_MET, "")),
        ("customer 0-2: 快一点\nagent 3-5: 请稍等\nagent 30-31: 好了", (Outcome.MET, "")),
        ("customer 0-2: 您好\nagent 3-5: 嗯嗯\nagent 30-31: 好了", (Outcome.NOT_APPLICABLE, "situation_absent")),
        (
            "customer 0-2 [unheard]:\nagent 3-5: 嗯嗯\nagent 30-31: 好了",
            (Outcome.UNDETERMINED, "situation_unsure"),
        ),
        # Neither the situation nor the answer can be told: that is not "not applicable".
        ("unknown 0-5: 嗯嗯\nunknown 30-31: 好了", (Outcome.UNDETERMINED, "role_unknown")),
    ],
)
def test_only_when(tmp_path: Path, text: str, expected: tuple[Outcome, str]) -> None:
    assert of(judged(tmp_path, ONLY, text)) == expected


# --- applies_when -----------------------------------------------------------------------------------------

OUTBOUND = "applies_when: {metadata: {field: direction, equals: outbound}}\n"


def test_an_unknown_situation_never_convicts(tmp_path: Path) -> None:
    body = OUTBOUND + "require: {phrase: {any: [方便吗]}}"
    outbound, inbound = CallMetadata(direction=Direction.OUTBOUND), CallMetadata(direction=Direction.INBOUND)
    assert judged(tmp_path, body, "agent 0-2: 您好", metadata=outbound).outcome is Outcome.NOT_MET
    assert of(judged(tmp_path, body, "agent 0-2: 您好", metadata=inbound)) == (
        Outcome.NOT_APPLICABLE,
        "situation_absent",
    )
    assert of(judged(tmp_path, body, "agent 0-2: 您好")) == (Outcome.UNDETERMINED, "metadata_unknown:direction")
    kept = judged(tmp_path, body, "agent 0-2: 您方便吗")
    assert (kept.outcome, [e.quote for e in kept.evidence]) == (Outcome.MET, ["您方便吗"])


def test_an_unknown_situation_with_occurrences(tmp_path: Path) -> None:
    body = OUTBOUND + NOTICE
    assert judged(tmp_path, body, "agent 0-3: 请稍等\nagent 9-22: 好了").outcome is Outcome.NOT_APPLICABLE
    assert judged(tmp_path, body, "agent 0-3: 请稍等\nagent 20-22: 好了").outcome is Outcome.MET
    broken = judged(tmp_path, body, "agent 0-3: 嗯嗯\nagent 20-22: 好了")
    assert of(broken) == (Outcome.UNDETERMINED, "metadata_unknown:direction")


# --- several rules ----------------------------------------------------------------------------------------

WAITS = {
    "long-wait": "for_each: {silence: {longer_than_s: 60}}\nrequire: {phrase: {any: [请稍等]}}",
    "wait": (
        "for_each: {silence: {longer_than_s: 10}}\nrequire: {phrase: {any: [请稍等]}}\nsame_event_as: [long-wait]"
    ),
}


def test_one_event_is_counted_once(tmp_path: Path) -> None:
    rules = rule_set(tmp_path, WAITS)
    one = results(rules, dialogue("agent 0-1: 嗯嗯\nagent 71-72: 好了", language="zh"))
    assert (one["wait"].outcome, one["wait"].same_event_as) == (Outcome.NOT_MET, "long-wait")
    assert one["long-wait"].same_event_as is None
    two = results(rules, dialogue("agent 0-1: 嗯嗯\nagent 71-72: 好了\nagent 90-91: 喂喂", language="zh"))
    assert two["wait"].same_event_as is None  # the second wait is nobody else's
    none = results(rules, dialogue("agent 0-1: 嗯嗯\nagent 21-22: 好了", language="zh"))
    assert (none["wait"].outcome, none["wait"].same_event_as) == (Outcome.NOT_MET, None)


def test_a_rule_reads_anothers_outcome_whatever_their_names(tmp_path: Path) -> None:
    rules = rule_set(tmp_path, {
        "a-first": "require: {not: {rule: {id: z-last, outcome: not_met}}}",
        "z-last": "forbid: {phrase: {any: [不归我管]}}",
    })  # fmt: skip
    assert [r.rule for r in rules.rules] == ["z-last", "a-first"]
    found = results(rules, dialogue("agent 0-2: 这不归我管", language="zh"))
    assert list(found) == ["a-first", "z-last"]
    assert found["a-first"].outcome is Outcome.NOT_MET
    unknown = results(rules, dialogue("unknown 0-2: 这不归我管", language="zh"))["a-first"]
    assert of(unknown) == (Outcome.UNDETERMINED, "rule_undetermined:z-last")


# --- properties of the shipped packs ----------------------------------------------------------------------


def shipped_conversations(name: str) -> list[tuple[Conversation, CallMetadata]]:
    """Those of the cases, of lists of phrases (`each`) the first."""
    path = shipped_packs()[name]
    cases = {(at.file, at.case.case.split(" [")[0]): at for at in reversed(load_cases(path))}.values()
    return [
        (
            dialogue(
                at.case.dialogue,
                language=PACKS[name].language,
                duration_s=at.case.duration_s,
                overlap_measurable=at.case.overlap_measurable,
            ),
            at.case.metadata.call_metadata(),
        )
        for at in cases
    ]


CONVERSATIONS = {name: shipped_conversations(name) for name in PACKS}
EVERY = [(PACKS[name], *call) for name, calls in CONVERSATIONS.items() for call in calls]


def test_same_input_same_results() -> None:
    again = {name: load_pack(path) for name, path in shipped_packs().items()}
    for rules, conversation, metadata in EVERY:
        assert results(rules, conversation, metadata) == results(again[rules.pack], conversation, metadata)


def convicted(rules: RuleSet, conversation: Conversation, metadata: CallMetadata) -> set[str]:
    return {r.rule for r in results(rules, conversation, metadata).values() if r.outcome is Outcome.NOT_MET}


def by_metadata(metadata: CallMetadata) -> set[str]:
    """Who hung up first, when the call was made and how often: that is known whatever was said."""
    hung_up = {"closing"} if metadata.hangup_side is HangupSide.AGENT else set()
    return hung_up | ({"call-hours"} if metadata.started_at is not None else set())


def test_without_roles_nobody_is_convicted_by_words() -> None:
    for rules, conversation, metadata in EVERY:
        nameless = replace(
            conversation,
            utterances=tuple(replace(u, role=SpeakerRole.UNKNOWN) for u in conversation.utterances),
            turns=tuple(replace(t, role=SpeakerRole.UNKNOWN) for t in conversation.turns),
            speech=tuple(replace(c, role=SpeakerRole.UNKNOWN) for c in conversation.speech),
        )
        if nameless.speech:
            assert convicted(rules, nameless, metadata) <= {"talk-duration", *by_metadata(metadata)}


def test_hardly_heard_words_convict_nobody() -> None:
    """Every word heard with a confidence of 0.1: what remains are overlaps, rates, lengths, and waits before which
    nobody said anything."""
    measured = {"interruption", "customer-interruption", "speech-rate", "talk-duration", "shouting"}
    for rules, conversation, metadata in EVERY:
        mumbled = replace(
            conversation,
            utterances=tuple(
                replace(u, confidence=0.1, words=tuple(replace(w, confidence=0.1) for w in u.words))
                for u in conversation.utterances
            ),
        )
        for result in results(rules, mumbled, metadata).values():
            if result.outcome is Outcome.NOT_MET and result.rule not in {*measured, *by_metadata(metadata)}:
                before = [TimeSpan(max(0.0, e.start - 20.0), e.start) for e in result.evidence]
                assert not any(u.span.overlap_s(span) for u in mumbled.utterances for span in before), result


def shifted(conversation: Conversation, by_s: float) -> Conversation:
    return replace(
        conversation,
        duration_s=conversation.duration_s + by_s,
        utterances=tuple(
            replace(
                u,
                start=u.start + by_s,
                end=u.end + by_s,
                words=tuple(replace(w, start=w.start + by_s, end=w.end + by_s) for w in u.words),
            )
            for u in conversation.utterances
        ),
        turns=tuple(replace(t, start=t.start + by_s, end=t.end + by_s) for t in conversation.turns),
        speech=tuple(
            replace(
                c,
                spans=tuple(TimeSpan(s.start + by_s, s.end + by_s) for s in c.spans),
                levels=None if c.levels is None else (None,) * round(by_s / LEVEL_STEP_S) + c.levels,
            )
            for c in conversation.speech
        ),
    )


# Halves shift floats without rounding, and levels by whole steps.
@given(st.sampled_from(EVERY), st.integers(1, 200).map(lambda n: n / 2))
def test_shifting_all_times_shifts_the_evidence_only(
    call: tuple[RuleSet, Conversation, CallMetadata], by_s: float
) -> None:
    rules, conversation, metadata = call
    holds = tuple(TimeSpan(s.start + by_s, s.end + by_s) for s in metadata.hold_spans or ())
    before = results(rules, conversation, metadata)
    after = results(rules, shifted(conversation, by_s), replace(metadata, hold_spans=holds))
    for name, result in before.items():
        if name in {"talk-duration", "call-hours"}:  # the recording did become longer; the clock is not in it
            continue
        assert of(after[name]) == of(result)
        assert (after[name].same_event_as, after[name].style) == (result.same_event_as, result.style)
        assert [(e.quote, e.role, e.utterances) for e in after[name].evidence] == [
            (e.quote, e.role, e.utterances) for e in result.evidence
        ]
        for mine, theirs in zip(after[name].evidence, result.evidence, strict=True):
            assert (mine.start, mine.end) == pytest.approx((theirs.start + by_s, theirs.end + by_s))


def test_a_phrase_that_nobody_says_changes_nothing(tmp_path: Path) -> None:
    body = "forbid: {phrase: {lexicon: bad}}"
    before = rule_set(tmp_path / "one", {"asked": body}, lexicons="bad: [不归我管]")
    after = rule_set(tmp_path / "two", {"asked": body}, lexicons='bad: [不归我管, 别的短语, "再{any:0-3}闹"]')
    for conversation, metadata in CONVERSATIONS["service-zh"]:
        assert results(before, conversation, metadata) == results(after, conversation, metadata)


# --- digest -----------------------------------------------------------------------------------------------

LEXICON = "polite: {phrases: [您好], reach: 6}"
RULE = "require:\n  all:\n    - phrase: {lexicon: polite, scope: {first_s: 25}}\n    - phrase: {any: [工号]}"


def digest(folder: Path, rule: str = RULE, lexicons: str = LEXICON, settings: str = "") -> str:
    return load_pack(write_pack(folder, {"asked": rule}, lexicons=lexicons, settings=settings)).digest


@pytest.mark.parametrize(
    "changed",
    [
        {"rule": RULE.replace("25", "26")},
        {"rule": RULE.replace("all:", "any:")},
        {"rule": RULE + "\nscored: false"},
        {"lexicons": LEXICON.replace("您好", "你们好")},
        {"lexicons": LEXICON.replace("6", "7")},
        {"settings": "recognition: {convict_confidence: 0.9}"},
        {"settings": "metrics: {silence_notice_s: 12}"},
    ],
    ids=str,
)
def test_the_digest_changes_with_whatever_changes_results(tmp_path: Path, changed: dict[str, str]) -> None:
    assert digest(tmp_path, **changed) != digest(tmp_path)


def test_the_digest_does_not_change_with_a_comment(tmp_path: Path) -> None:
    assert digest(tmp_path, rule="# why\n" + RULE, lexicons=LEXICON + " # polite") == digest(tmp_path)
    assert digest(tmp_path / "elsewhere") == digest(tmp_path)


def test_the_digest_covers_the_scorecard(tmp_path: Path) -> None:
    before = digest(tmp_path)
    card = tmp_path / "site" / "scorecards" / "site.yaml"
    card.write_text(card.read_text(encoding="utf-8").replace("points: 1", "points: 2"), encoding="utf-8")
    assert load_pack(tmp_path / "site").digest != before
