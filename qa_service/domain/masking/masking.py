"""A conversation, its evidence, and any text as people see them who may not see numbers.

Guarantee: pure. Of a mobile's number the first three and the last four digits stay, as the field writes it
(138****5678); of identity and card numbers and of anything else that long the last four, of shorter ones the last
two. Masking what is masked changes nothing, and what holds no number comes back as it is. The sound of a number is
silent as a whole, the digits that may be read included: nobody can cut between two digits.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from qa_service.domain.conversation import MASK, Conversation
from qa_service.domain.masking.editing import Edit, edited, edited_text
from qa_service.domain.masking.finding import NumberClass, secret_numbers
from qa_service.domain.masking.runs import Token
from qa_service.domain.masking.streams import Stream, stream_of_text, streams_of
from qa_service.domain.results import Evidence, RuleResult
from qa_service.domain.timeline import TimeSpan, hull, union

LEAST_PAD_S: Final = 0.3
"""Recognisers place words to about ±0.3 s."""
MOST_PAD_S: Final = 1.0
"""Between a number and its neighbours there may be digits that were not recognised."""
_JOINS: Final = " … "
"""Between the utterances of a quote."""


@dataclass(frozen=True, slots=True)
class FoundNumber:
    """A number that is hidden, and when it is said; ``digits`` long."""

    kind: NumberClass
    span: TimeSpan
    utterances: tuple[int, ...]
    digits: int


@dataclass(frozen=True, slots=True)
class MaskedConversation:
    """``conversation`` with its numbers hidden, and when its recording has to be ``silent`` for the same."""

    conversation: Conversation
    silent: tuple[TimeSpan, ...]
    numbers: tuple[FoundNumber, ...] = ()
    _original: Mapping[int, str] = field(default_factory=dict, repr=False)
    _edits: Mapping[int, tuple[Edit, ...]] = field(default_factory=dict, repr=False)

    def evidence(self, evidence: Iterable[Evidence]) -> tuple[Evidence, ...]:
        """Evidence of this conversation with what its quotes show of the numbers hidden."""
        return tuple(replace(one, quote=self.quote(one.quote, one.utterances)) for one in evidence)

    def result(self, result: RuleResult) -> RuleResult:
        """A rule's result on this conversation, with its evidence and open items as they may be shown."""
        opens = tuple(replace(item, evidence=self.evidence([item.evidence])[0]) for item in result.opens)
        return replace(result, evidence=self.evidence(result.evidence), opens=opens)

    def quote(self, quote: str, utterances: Sequence[int] = ()) -> str:
        """A quote from ``utterances`` of the conversation as it may be shown; of any, where none are named."""
        if not quote:
            return quote
        places = utterances or tuple(self._original)
        return _JOINS.join(self._piece(piece, places) for piece in quote.split(_JOINS))

    def _piece(self, piece: str, utterances: Sequence[int]) -> str:
        """Where the piece stands in several places the one that hides most counts."""
        found: list[tuple[int, str]] = []
        for index in utterances:
            text = self._original.get(index, "")
            at = text.find(piece) if piece else -1
            while at >= 0:
                inside = [
                    Edit(max(0, e.start - at), min(len(piece), e.end - at), e.sign)
                    for e in self._edits.get(index, ())
                    if e.start < at + len(piece) and at < e.end
                ]
                found.append((len(inside), edited_text(piece, inside)))
                at = text.find(piece, at + 1)
        return max(found, key=lambda way: way[0])[1] if found else mask_text(piece)


def mask(conversation: Conversation) -> MaskedConversation:
    """``conversation`` for people who may not see numbers, and when to be silent."""
    edits: dict[int, list[Edit]] = {}
    found: list[FoundNumber] = []
    for stream in streams_of(conversation):
        for number in secret_numbers(stream):
            for index, edit in _edits(stream, number.hidden()):
                edits.setdefault(index, []).append(edit)
            spans = [span_of(stream, token) for token in number.tokens]
            span = within_call(hull(spans), conversation.duration_s)
            indices = tuple(dict.fromkeys(_utterance(stream, token) for token in number.tokens))
            digits = sum(len(token.digits) for token in number.tokens)
            found.append(FoundNumber(number.kind, span, indices, digits))
    found.sort(key=lambda number: (number.span, number.utterances))
    silent = union((*(number.span for number in found), *conversation.card_codes))
    if not edits:
        return MaskedConversation(conversation, silent, _original=_texts(conversation))
    utterances = tuple(edited(u, edits[u.index]) if u.index in edits else u for u in conversation.utterances)
    return MaskedConversation(
        replace(conversation, utterances=utterances),
        silent,
        tuple(found),
        _texts(conversation),
        {index: tuple(sorted(of, key=lambda e: e.start)) for index, of in edits.items()},
    )


def invented(conversation: Conversation) -> tuple[str, ...]:
    """The text of each utterance with every digit of its secret numbers a zero, said as the digit was.

    For a rule's case made from a call: it still holds a number that is read out, and it is nobody's.
    """
    edits: dict[int, list[Edit]] = {}
    for stream in streams_of(conversation):
        for number in secret_numbers(stream):
            for token in number.tokens:
                part = stream.parts[stream.part_at(token.start)]
                edit = Edit(token.start - part.at, token.end - part.at, _zeros(stream, token))
                edits.setdefault(part.utterance.index, []).append(edit)
    return tuple(edited_text(u.text, edits.get(u.index, [])) for u in conversation.utterances)


def _zeros(stream: Stream, token: Token) -> str:
    if token.word:
        return " ".join(["zero"] * len(token.digits))
    return ("0" if stream.plain[token.start].isascii() else "零") * len(token.digits)


def mask_text(text: str) -> str:
    """Free text, such as a note or a quote, for people who may not see numbers."""
    return _masked(text, joined=True)


def mask_reference(reference: str) -> str:
    """A file's name, a customer's or a call's reference, for people who may not see numbers.

    Groups of digits are joined only as numbers are written: the time and the extension in
    ``20250317-101530_8001_13800138000.wav`` are no number together.
    """
    return _masked(reference, joined=False)


def _masked(text: str, *, joined: bool) -> str:
    stream = stream_of_text(text)
    hidden = [t for number in secret_numbers(stream, joined=joined) for t in number.hidden()]
    return edited_text(text, [Edit(token.start, token.end, MASK) for token in hidden])


def _texts(conversation: Conversation) -> dict[int, str]:
    return {u.index: u.text for u in conversation.utterances}


def _edits(stream: Stream, tokens: Iterable[Token]) -> Iterable[tuple[int, Edit]]:
    for token in tokens:
        part = stream.parts[stream.part_at(token.start)]
        yield part.utterance.index, Edit(token.start - part.at, token.end - part.at, MASK)


def _utterance(stream: Stream, token: Token) -> int:
    return stream.parts[stream.part_at(token.start)].utterance.index


def span_of(stream: Stream, token: Token) -> TimeSpan:
    """When the token is said, and the time around it in which more of the number may be."""
    part = stream.parts[stream.part_at(token.start)]
    utterance = part.utterance
    words = utterance.words
    if not words:
        return utterance.span
    first, last = utterance.words_at(token.start - part.at, token.end - part.at)
    start, end = words[first].start, max(words[last].end, words[first].start)
    before = start - words[first - 1].end if first else MOST_PAD_S
    after = words[last + 1].start - end if last + 1 < len(words) else MOST_PAD_S
    return TimeSpan(start - _pad(before), end + _pad(after))


def _pad(gap_s: float) -> float:
    return min(max(gap_s, LEAST_PAD_S), MOST_PAD_S)


def within_call(span: TimeSpan, duration_s: float) -> TimeSpan:
    end = min(max(span.end, 0.0), duration_s)
    return TimeSpan(min(max(span.start, 0.0), end), end)
