"""Cases written down from calls: the dialogue in the notation of ``rules/cases.py``, and what the rule says of it.

Guarantee: what is written can be read again: every case is validated, and judged by the real rules, before it is
handed out. It holds what was said, when, how sure the recogniser was, and what else rules read of the call; of
metadata nobody's name, number or reference, and no words but those of the given conversation.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from qa_service.domain.call import CallMetadata
from qa_service.domain.conversation import LEVEL_STEP_S, Conversation, SpeakerRole
from qa_service.domain.results import Outcome
from qa_service.domain.timeline import TimeSpan, difference, union
from qa_service.errors import RulePackError
from rules.cases import PHRASE, Case, CaseAt, call_of
from rules.dialogues import parsed
from rules.engine import RuleSet

_LEAST_UNHEARD_S: Final = 0.5
_METADATA: Final = ("direction", "purpose", "ring_count", "hangup_side", "speakers", "language")


class CaseWriter:
    """Args:
    load: a pack by its id.
    """

    def __init__(self, load: Callable[[str], RuleSet]) -> None:
        self._load = load

    def write(
        self,
        pack: str,
        rule: str,
        *,
        name: str,
        expect: Outcome,
        conversation: Conversation,
        metadata: CallMetadata,
    ) -> tuple[dict[str, Any], Outcome]:
        """The case, and what the pack's rules of now say of it; it is a known miss when that is not as expected.

        Raises:
            RulePackError: ``pack_unknown``, ``pack_invalid``, ``rule_unknown``.
        """
        whole = self._load(pack)
        if rule not in {version.rule for version in whole.versions}:
            raise RulePackError("rule_unknown", f"pack {pack} has no rule {rule!r}: use one of those it has")
        rules = whole.only(rule)
        dialogue = written(conversation)
        last_s = max((line.span.end for line in parsed(dialogue)[0]), default=0.0)
        document: dict[str, Any] = {
            "case": name,
            "expect": expect.value,
            "metadata": _metadata(metadata),
            "dialogue": dialogue,
            "duration_s": max(round(conversation.duration_s, 2), last_s),
            "overlap_measurable": conversation.overlap_measurable,
        }
        case = Case.model_validate(document)
        call = call_of(CaseAt(rule, case, Path(), 0), language=rules.language, options=rules.metric_options)
        result = call.outcome(rules).result
        if result.outcome is not expect:
            document["known_miss"] = True
        return document, result.outcome

    def text(self, documents: Iterable[Mapping[str, Any]]) -> str:
        """The text of a ``<rule>.cases.yaml`` with these cases; names that occur twice get a number."""
        seen: dict[str, int] = {}
        cases = []
        for document in documents:
            name = str(document["case"])
            seen[name] = seen.get(name, 0) + 1
            cases.append({**document, "case": name if seen[name] == 1 else f"{name} ({seen[name]})"})
        text: str = yaml.dump(cases, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=110)
        return text


def written(conversation: Conversation) -> str:
    """The dialogue of ``conversation``: a line for each utterance, and for speech without any words."""
    lines: list[tuple[TimeSpan, str]] = []
    for role in SpeakerRole:
        said = [u for u in conversation.utterances if u.role is role]
        end = 0.0
        for utterance in sorted(said, key=lambda u: (u.start, u.end)):
            text = _plain(utterance.text)
            # Whoever speaks twice at once, in a call on one channel, does so one after the other here.
            span = _rounded(max(utterance.start, end), utterance.end)
            if span is None or not any(c.isalnum() for c in text):
                continue
            end = span.end
            sure = f" ({min(max(utterance.confidence, 0.0), 1.0):.2f})"
            lines.append((span, f"{_when(role, span)}{sure}{_level(conversation, role, span)}: {text}"))
        spoken = union(span for s in conversation.speech if s.role is role for span in s.spans)
        for gap in difference(spoken, [span for span, line in lines if line.startswith(role.value)]):
            span = _rounded(gap.start, gap.end)
            if span is not None and span.duration_s >= _LEAST_UNHEARD_S:
                lines.append((span, f"{_when(role, span)} [unheard]:"))
    return "".join(line + "\n" for _, line in sorted(lines))


def _plain(text: str) -> str:
    return " ".join(text.split()).replace(PHRASE, PHRASE.strip("{}"))


def _rounded(start: float, end: float) -> TimeSpan | None:
    """To hundredths of a second; None when nothing is left."""
    start, end = round(start, 2), round(end, 2)
    return TimeSpan(start, end) if end > start else None


def _when(role: SpeakerRole, span: TimeSpan) -> str:
    return f"{role.value} {span.start:.2f}-{span.end:.2f}"


def _level(conversation: Conversation, role: SpeakerRole, span: TimeSpan) -> str:
    """The mean level of the speaker over the span, where it was measured."""
    first, last = int(span.start / LEVEL_STEP_S), int(span.end / LEVEL_STEP_S)
    measured = [
        level
        for speech in conversation.speech
        if speech.role is role and speech.levels is not None
        for level in speech.levels[first : last + 1]
        if level is not None and -99.0 < level < 0.0
    ]
    return f" [{sum(measured) / len(measured):.1f} dB]" if measured else ""


def _metadata(metadata: CallMetadata) -> dict[str, Any]:
    """What rules read of the call, without what tells whose it is."""
    found: dict[str, Any] = {
        name: str(value) if isinstance(value, str) else value
        for name in _METADATA
        if (value := getattr(metadata, name)) is not None
    }
    if metadata.started_at is not None:
        found["started_at"] = metadata.started_at.isoformat()
    if metadata.hold_spans is not None:
        found["hold_spans"] = [[span.start, span.end] for span in metadata.hold_spans]
    return found


class _Dumper(yaml.SafeDumper):  # type: ignore[misc] # the library is not typed
    """Dialogues as blocks of lines, as people write them."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)
