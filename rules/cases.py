"""Cases of a rule: small dialogues in a readable notation, and what the rule must say about each.

They stand in ``<rule>.cases.yaml`` beside the rule, a list of

.. code-block:: yaml

    - case: 工号被听成同音字
      expect: met                  # met | not_met | not_applicable | undetermined
      reason: homophone_only       # optional: the reason code of the result
      known_miss: true             # optional: we know that we get it wrong; fails as soon as we get it right
      metadata: {direction: inbound, hangup_side: agent, hold_spans: [[12.0, 95.5]]}
      dialogue: |
        agent 0.8-6.5: 您好，怀信通信客服，公号8023为您服务
        customer 7.0-9.0 (0.4): 你好
    - case: 各种问候
      expect: met
      each: [您好, 早上好]          # one case for each, in place of {phrase}
      dialogue: |
        agent 0.8-4.5: {phrase}，请问有什么可以帮您

Guarantee: pure but for reading the files; a case runs through the real overlay, metrics and engine.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    RootModel,
    field_validator,
    model_validator,
)

from qa_service.domain.call import CallMetadata, Direction, HangupSide, Purpose
from qa_service.domain.metrics import ConversationMetrics, MetricOptions, measure
from qa_service.domain.results import Outcome, RuleResult
from qa_service.domain.timeline import TimeSpan
from rules.dialogues import dialogue, parsed
from rules.documents import Faults, read_document, validated
from rules.engine import RuleSet
from rules.index import CallIndex
from rules.loader import compile_pack, invalid
from rules.sources import PackSource, read_pack
from rules.wording import hint
from rules.yaml_tree import Map, Place, Seq, shown

PHRASE: Final = "{phrase}"


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class CaseMetadata(_Model):
    """What a case says about the call, in the words of ``CallMetadata``; the rest is unknown."""

    call_id: str | None = None
    direction: Direction | None = None
    purpose: Purpose | None = None
    agent_id: str | None = None
    agent_name: str | None = None
    team: str | None = None
    vendor: str | None = None
    queue: str | None = None
    customer_ref: str | None = None
    started_at: datetime | None = None
    language: str | None = None
    ring_count: int | None = None
    hangup_side: HangupSide | None = None
    agent_channel: int | None = None
    speakers: int | None = None
    hold_spans: tuple[tuple[NonNegativeFloat, NonNegativeFloat], ...] | None = None
    extra: dict[str, str] = {}

    @field_validator("hold_spans")
    @classmethod
    def _in_order(cls, spans: tuple[tuple[float, float], ...] | None) -> tuple[tuple[float, float], ...] | None:
        if any(end <= start for start, end in spans or ()):
            raise ValueError("a hold ends after it starts")
        return spans

    def call_metadata(self) -> CallMetadata:
        fields = dict(self)
        if self.hold_spans is not None:
            fields["hold_spans"] = tuple(TimeSpan(start, end) for start, end in self.hold_spans)
        fields["extra"] = tuple(sorted(self.extra.items()))
        return CallMetadata(**fields)


class Case(_Model):
    """One case. ``known_miss``: the rule is known to get it wrong.

    What is given of ``reason``, ``grade``, ``opens`` (the items, one for each place that opens one) and
    ``same_event_as`` must be as in the result. ``each``: one case for each of these in place of ``{phrase}``.
    """

    case: str = Field(min_length=1)
    expect: Outcome
    reason: str | None = None
    grade: int | None = None
    opens: tuple[str, ...] | None = None
    same_event_as: str | None = None
    known_miss: bool = False
    metadata: CaseMetadata = CaseMetadata()
    dialogue: str
    each: tuple[str, ...] = ()
    duration_s: PositiveFloat | None = None
    overlap_measurable: bool = True

    @model_validator(mode="after")
    def _template(self) -> "Case":
        if bool(self.each) is not (PHRASE in self.dialogue):
            raise ValueError(f"`each` lists what {PHRASE} in the dialogue stands for: one needs the other")
        if any("\n" in phrase for phrase in self.each):
            raise ValueError("a phrase of `each` is one line")
        if len(set(self.each)) < len(self.each):
            twice = next(phrase for n, phrase in enumerate(self.each) if phrase in self.each[:n])
            raise ValueError(f"`each` lists {twice!r} twice")
        return self

    def agrees_with(self, result: RuleResult) -> bool:
        """Whether ``result`` is as expected."""
        return (
            result.outcome is self.expect
            and self.reason in (None, result.reason)
            and self.grade in (None, result.grade)
            and self.opens in (None, tuple(item.item for item in result.opens))
            and self.same_event_as in (None, result.same_event_as)
        )


class CaseFile(RootModel[tuple[Case, ...]]):
    """The cases of one rule."""

    @model_validator(mode="after")
    def _distinct(self) -> "CaseFile":
        seen: set[str] = set()
        for case in self.root:
            if case.case in seen:
                raise ValueError(f"two cases are named {case.case!r}")
            seen.add(case.case)
        return self


@dataclass(frozen=True, slots=True)
class CaseAt:
    """A case of ``rule`` and where it stands; with a phrase of its ``each`` in place."""

    rule: str
    case: Case
    file: Path
    line: int


@dataclass(frozen=True, slots=True)
class CaseCall:
    """A case with the call that it writes down."""

    at: CaseAt
    index: CallIndex
    metrics: ConversationMetrics
    metadata: CallMetadata

    def outcome(self, rule_set: RuleSet) -> "CaseOutcome":
        """What ``rule_set`` says about it."""
        results = rule_set.evaluate(self.index, self.metrics, self.metadata)
        result = next(r for r in results if r.rule == self.at.rule)
        return CaseOutcome(self.at.rule, self.at.case, self.at.file, self.at.line, result)


@dataclass(frozen=True, slots=True)
class CaseOutcome:
    """What a rule said about one of its cases. ``line`` is where the case starts in ``file``."""

    rule: str
    case: Case
    file: Path
    line: int
    result: RuleResult

    @property
    def outcome(self) -> Outcome:
        return self.result.outcome

    @property
    def reason(self) -> str:
        return self.result.reason

    @property
    def passed(self) -> bool:
        return self.case.agrees_with(self.result) is not self.case.known_miss

    @property
    def place(self) -> str:
        """``pack/file.yaml:line``."""
        return f"{self.file.parent.name}/{self.file.name}:{self.line}"

    @property
    def message(self) -> str:
        """One line for people."""
        where = f"{self.place}: {self.case.case}"
        case, result = self.case, self.result
        expected = _said(case.expect, case.reason, case.grade, case.opens, case.same_event_as)
        got = _said(
            result.outcome,
            result.reason or None,
            result.grade if case.grade is not None else None,
            tuple(item.item for item in result.opens) if case.opens is not None else None,
            result.same_event_as if case.same_event_as is not None else None,
        )
        if not case.known_miss:
            return f"{where}: expected {expected}, got {got}"
        if self.passed:
            return f"{where}: known miss: should be {expected}, is {got}"
        return f"{where}: is {got} as it should be: no longer a known miss, remove `known_miss`"


def _said(
    outcome: Outcome, reason: str | None, grade: int | None, opens: tuple[str, ...] | None, same: str | None
) -> str:
    more = [
        *([reason] if reason is not None else []),
        *([f"grade {grade}"] if grade is not None else []),
        *([f"opens {', '.join(opens) or 'nothing'}"] if opens is not None else []),
        *([f"the same event as {same}"] if same is not None else []),
    ]
    return outcome.value + (f" ({'; '.join(more)})" if more else "")


def load_cases(path: Path) -> tuple[CaseAt, ...]:
    """The cases that the pack in ``path`` must pass.

    Raises:
        RulePackError: ``pack_invalid``; ``faults`` lists the faults of all files.
    """
    faults = Faults()
    source = read_pack(path, faults)
    found = read_cases(source, faults) if source is not None else ()
    if len(faults):
        raise invalid(path, faults.found)
    return found


def read_cases(source: PackSource, faults: Faults) -> tuple[CaseAt, ...]:
    """The cases of ``source`` that have no fault, in the order of their files."""
    found: list[CaseAt] = []
    for file, rule in source.cases:
        if rule not in source.names and file.parent == source.path:
            what = f"cases of rule {shown(rule)}, which this pack does not have"
            faults.add(Place(file), what, hint(rule, source.names))
        node = read_document(file, faults, holds=Seq)
        cases = validated(CaseFile, node, faults, place=node.place) if node is not None else None
        for index, case in enumerate(cases.root if cases is not None else ()):
            calls = _expanded(node[index], node.places[index], case)
            _check(node[index], calls, faults)
            found += [CaseAt(rule, one, file, place.line) for place, one in calls]
    return tuple(found)


def _expanded(node: Map, place: Place, case: Case) -> list[tuple[Place, Case]]:
    """The case, or one for each phrase of its ``each``, where it stands."""
    if not case.each:
        return [(place, case)]
    calls = []
    for phrase, at in zip(case.each, node["each"].places, strict=True):
        text = case.dialogue.replace(PHRASE, phrase)
        change = {"case": f"{case.case} [{phrase}]", "dialogue": text, "each": ()}
        calls.append((at, case.model_copy(update=change)))
    return calls


def _check(node: Map, calls: list[tuple[Place, Case]], faults: Faults) -> None:
    """Whether the dialogues can be read and fit into the call."""
    first, (file, _, column) = node.text_lines["dialogue"], node.places["dialogue"]
    for number, (place, case) in enumerate(calls):
        lines, wrong = parsed(case.dialogue)
        for line, message in wrong:
            # What is wrong with the first is the template's fault, with another that of its phrase.
            faults.add(place if number else Place(file, first + line - 1, column), message)
        if wrong:
            return
        last_s = max((line.span.end for line in lines), default=0.0)
        if case.duration_s is not None and case.duration_s < last_s:
            what = f"the call ends before its last words at {last_s} s"
            faults.add(node.places["duration_s"], what, "make it longer")


def call_of(at: CaseAt, *, language: str, options: MetricOptions) -> CaseCall:
    """The call that a case writes down."""
    case = at.case
    conversation = dialogue(
        case.dialogue,
        language=language,
        duration_s=case.duration_s,
        overlap_measurable=case.overlap_measurable,
    )
    metadata = case.metadata.call_metadata()
    return CaseCall(at, CallIndex(conversation), measure(conversation, metadata, options), metadata)


def run_cases(pack_path: Path, *, rules: Collection[str] = ()) -> tuple[CaseOutcome, ...]:
    """Run the cases of the pack in ``pack_path``, of ``rules`` alone where any are given.

    Raises:
        RulePackError: ``pack_invalid``; ``faults`` lists those of the pack and of its cases.
    """
    faults = Faults()
    source = read_pack(pack_path, faults)
    rule_set = compile_pack(source, faults) if source is not None else None
    cases = read_cases(source, faults) if source is not None else ()
    if rule_set is None or len(faults):
        raise invalid(pack_path, faults.found)
    wanted = [case for case in cases if not rules or case.rule in rules]
    alone = {name: rule_set.only(name) for name in {case.rule for case in wanted}}
    return tuple(
        call_of(case, language=rule_set.language, options=rule_set.metric_options).outcome(alone[case.rule])
        for case in wanted
    )


__all__ = [
    "Case",
    "CaseAt",
    "CaseCall",
    "CaseOutcome",
    "call_of",
    "dialogue",
    "load_cases",
    "read_cases",
    "run_cases",
]
