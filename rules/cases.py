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
        agent 9.2-15.0 [unheard]:
        agent 15.5-18.0 [-12 dB]: 我已经说过了

A line is role, time in seconds, the recogniser's confidence (0.9 when not given) and what was recognised;
``[unheard]`` is speech of which nothing was recognised; ``[-12 dB]`` how loud it is (−20 dBFS when not given);
a line that starts with ``#`` is a comment.
Guarantee: pure but for reading the files; a case runs through the real overlay, metrics and engine.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
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

from qa_service.domain.alignment import turns_of
from qa_service.domain.call import CallMetadata, Direction, HangupSide, Purpose
from qa_service.domain.conversation import (
    LEVEL_STEP_S,
    Conversation,
    SpeakerRole,
    SpeakerSpeech,
    TextOverlay,
    Utterance,
    Word,
)
from qa_service.domain.metrics import measure
from qa_service.domain.numbers.finder import find_numbers
from qa_service.domain.results import Outcome
from qa_service.domain.text import fold
from qa_service.domain.timeline import TimeSpan, union
from qa_service.errors import RulePackError
from qa_service.pinyin import syllables
from rules.documents import Faults, read_document, validated
from rules.engine import RuleSet
from rules.loader import invalid, load_pack
from rules.sources import PackSource, case_rule, read_pack
from rules.wording import hint
from rules.yaml_tree import Map, Place, Seq, shown

DEFAULT_CONFIDENCE: Final = 0.9
DEFAULT_LEVEL_DBFS: Final = -20.0

_LINE = re.compile(
    r"(?P<role>[a-z]+)\s+(?P<start>\d+(?:\.\d+)?)-(?P<end>\d+(?:\.\d+)?)"
    r"(?:\s*\((?P<confidence>[01](?:\.\d+)?)\))?(?:\s*(?P<unheard>\[unheard\]))?"
    r"(?:\s*\[(?P<level>-\d+(?:\.\d+)?) dB\])?\s*[:：](?P<text>.*)"
)
_HAN = "\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0002fa1f"
_WORD = re.compile(rf"\s*(?:[{_HAN}]|\w[^\s{_HAN}]*|[^\w\s]+)")
_EXAMPLE = "agent 0.8-6.5 (0.9): 您好"


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


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
    """One case. ``known_miss``: the rule is known to get it wrong."""

    case: str = Field(min_length=1)
    expect: Outcome
    reason: str | None = None
    known_miss: bool = False
    metadata: CaseMetadata = CaseMetadata()
    dialogue: str
    duration_s: PositiveFloat | None = None
    overlap_measurable: bool = True


class _Cases(RootModel[tuple[Case, ...]]):
    @model_validator(mode="after")
    def _distinct(self) -> "_Cases":
        names = [case.case for case in self.root]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two cases are named {twice[0]!r}")
        return self


@dataclass(frozen=True, slots=True)
class CaseOutcome:
    """What a rule said about one of its cases. ``line`` is where the case starts in ``file``."""

    rule: str
    case: Case
    file: Path
    line: int
    outcome: Outcome
    reason: str

    @property
    def passed(self) -> bool:
        as_expected = self.outcome is self.case.expect and self.case.reason in (None, self.reason)
        return as_expected is not self.case.known_miss

    @property
    def message(self) -> str:
        """One line for people."""
        where = f"{self.file.parent.name}/{self.file.name}:{self.line}: {self.case.case}"
        expected = self.case.expect.value + (f" ({self.case.reason})" if self.case.reason else "")
        got = self.outcome.value + (f" ({self.reason})" if self.reason else "")
        if not self.case.known_miss:
            return f"{where}: expected {expected}, got {got}"
        if self.passed:
            return f"{where}: known miss: should be {expected}, is {got}"
        return f"{where}: is {got} as it should be: no longer a known miss, remove `known_miss`"


def dialogue(
    text: str, *, language: str, duration_s: float | None = None, overlap_measurable: bool = True
) -> Conversation:
    """The conversation that ``text`` writes down, one channel a role in the order in which the roles appear.

    Raises:
        RulePackError: ``dialogue_invalid``; ``faults`` names the lines of ``text`` that cannot be read.
    """
    lines, faults = _parsed(text)
    if faults:
        found = tuple(f"line {number}: {message}" for number, message in faults)
        raise RulePackError("dialogue_invalid", "; ".join(found), faults=found)
    roles = tuple(dict.fromkeys(line.role for line in lines))
    heard = sorted((line for line in lines if line.text), key=lambda line: (line.span, roles.index(line.role)))
    utterances = tuple(_utterance(index, line, roles.index(line.role)) for index, line in enumerate(heard))
    return Conversation(
        duration_s=max((line.span.end for line in lines), default=0.0) if duration_s is None else duration_s,
        language=language,
        utterances=utterances,
        turns=turns_of(utterances),
        speech=tuple(
            SpeakerSpeech(channel, role, union(line.span for line in said), levels=_levels(said))
            for channel, role in enumerate(roles)
            for said in [[line for line in lines if line.role is role]]
        ),
        role_source="unknown" if SpeakerRole.UNKNOWN in roles else "metadata",
        overlap_measurable=overlap_measurable,
    )


def load_cases(path: Path) -> Mapping[Path, tuple[tuple[int, Case], ...]]:
    """The cases that the pack in ``path`` must pass, with the lines at which they start, by file.

    Raises:
        RulePackError: ``pack_invalid``; ``faults`` lists the faults of all files.
    """
    faults = Faults()
    source = read_pack(path, faults)
    found = read_cases(source, faults) if source is not None else {}
    if len(faults):
        raise invalid(path, faults.found)
    return found


def read_cases(source: PackSource, faults: Faults) -> Mapping[Path, tuple[tuple[int, Case], ...]]:
    """The cases of ``source`` that have no fault, by file."""
    found: dict[Path, tuple[tuple[int, Case], ...]] = {}
    for file, rule in source.cases:
        if rule not in source.names and file.parent == source.path:
            what = f"cases of rule {shown(rule)}, which this pack does not have"
            faults.add(Place(file), what, hint(rule, source.names))
        node = read_document(file, faults, holds=Seq)
        cases = validated(_Cases, node, faults, place=node.place) if node is not None else None
        if cases is not None:
            for index, case in enumerate(cases.root):
                _check(node[index], case, faults)
            found[file] = tuple((node.places[index].line, case) for index, case in enumerate(cases.root))
    return found


def _check(node: Map, case: Case, faults: Faults) -> None:
    """Whether the case's dialogue can be read and fits into the call."""
    first, (file, _, column) = node.text_lines["dialogue"], node.places["dialogue"]
    lines, wrong = _parsed(case.dialogue)
    for number, message in wrong:
        faults.add(Place(file, first + number - 1, column), message)
    last_s = max((line.span.end for line in lines), default=0.0)
    if case.duration_s is not None and case.duration_s < last_s:
        faults.add(
            node.places["duration_s"], f"the call ends before its last words at {last_s} s", "make it longer"
        )


def run_cases(pack_path: Path) -> tuple[CaseOutcome, ...]:
    """Run all cases of the pack in ``pack_path``. Raises RulePackError as ``load_pack`` and ``load_cases`` do."""
    rule_set = load_pack(pack_path)
    return tuple(
        _run(rule_set, file, line, case)
        for file, with_lines in load_cases(pack_path).items()
        for line, case in with_lines
    )


def _run(rule_set: RuleSet, file: Path, line: int, case: Case) -> CaseOutcome:
    conversation = dialogue(
        case.dialogue,
        language=rule_set.language,
        duration_s=case.duration_s,
        overlap_measurable=case.overlap_measurable,
    )
    metadata = case.metadata.call_metadata()
    metrics = measure(conversation, metadata, rule_set.metric_options)
    results = {r.rule: r for r in rule_set.evaluate(conversation, metrics, metadata)}
    result = results[case_rule(file)]
    return CaseOutcome(result.rule, case, file, line, result.outcome, result.reason)


@dataclass(frozen=True, slots=True)
class _Line:
    role: SpeakerRole
    span: TimeSpan
    confidence: float
    text: str
    level_dbfs: float


def _parsed(text: str) -> tuple[list[_Line], list[tuple[int, str]]]:
    """The lines that can be read, and what is wrong with the others: 1-based number, message."""
    lines: list[_Line] = []
    faults: list[tuple[int, str]] = []
    for number, written in enumerate(text.splitlines(), start=1):
        if not written.strip() or written.lstrip().startswith("#"):
            continue
        line = _line(written.strip())
        if isinstance(line, str):
            faults.append((number, line))
        elif any(other.role is line.role and other.span.overlap_s(line.span) > 0 for other in lines):
            faults.append((number, f"{line.role.value} already speaks at that time"))
        else:
            lines.append(line)
    return lines, faults


def _line(written: str) -> _Line | str:
    match = _LINE.fullmatch(written)
    if match is None:
        return f"not a line of a dialogue: write it like `{_EXAMPLE}`"
    if match["role"] not in tuple(SpeakerRole):
        return f"unknown role {match['role']!r}: one of {', '.join(SpeakerRole)}"
    start, end, said = float(match["start"]), float(match["end"]), match["text"].strip()
    if end <= start:
        return f"ends at {end} s, before it starts at {start} s"
    confidence = float(match["confidence"] or DEFAULT_CONFIDENCE)
    if confidence > 1.0:
        return f"a confidence of {confidence}: write a number from 0 to 1"
    recognised = any(c.isalnum() for c in said)
    if bool(match["unheard"]) is recognised:
        return "`[unheard]` goes with no words, and no words go with `[unheard]`"
    level_dbfs = float(match["level"] or DEFAULT_LEVEL_DBFS)
    return _Line(SpeakerRole(match["role"]), TimeSpan(start, end), confidence, said, level_dbfs)


def _utterance(index: int, line: _Line, channel: int) -> Utterance:
    texts = _words(line.text)
    step_s = line.span.duration_s / len(texts)
    times = [line.span.start + step_s * n for n in range(len(texts))] + [line.span.end]
    folded = fold(line.text)
    return Utterance(
        index=index,
        role=line.role,
        channel=channel,
        start=line.span.start,
        end=line.span.end,
        text=line.text,
        raw_text=line.text,
        words=tuple(Word(word, times[n], times[n + 1], line.confidence) for n, word in enumerate(texts)),
        word_offsets=tuple(accumulate((len(word) for word in texts[:-1]), initial=0)),
        confidence=line.confidence,
        overlay=TextOverlay(folded.text, folded.offsets, syllables(folded.text)),
        numbers=find_numbers(line.text),
    )


def _levels(lines: Sequence[_Line]) -> tuple[float | None, ...]:
    """The level of each step, as it is measured: None where there is hardly any speech."""
    steps = 1 + int(max(line.span.end for line in lines) / LEVEL_STEP_S)
    found: list[float | None] = []
    for n in range(steps):
        step = TimeSpan(n * LEVEL_STEP_S, (n + 1) * LEVEL_STEP_S)
        loudest = max(lines, key=lambda line: line.span.overlap_s(step))
        found.append(loudest.level_dbfs if loudest.span.overlap_s(step) >= 0.2 else None)
    return tuple(found)


def _words(text: str) -> list[str]:
    """One Han character or Latin word each, punctuation with the word before it, as recognisers write them."""
    words: list[str] = []
    for token in _WORD.findall(text):
        if words and not any(c.isalnum() for c in token):
            words[-1] += token
        else:
            words.append(token)
    return words
