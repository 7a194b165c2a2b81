"""What rules read of a conversation, found once: its text turn by turn, its sound, and how well it was heard.

Guarantee: derived from the conversation alone; each part is computed when it is first asked for and kept.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from qa_service.domain.conversation import Conversation, SpeakerRole, Utterance
from qa_service.domain.hearing import Hearing, heard
from qa_service.domain.text import is_han
from qa_service.domain.timeline import TimeSpan, hull, union
from qa_service.pinyin import sounded

TURN_END = "\n"
"""Stands between turns in the text of the whole call: no phrase contains it."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A syllable or a Latin word of a turn: folded characters ``[start, end)``, how they sound, how sure that
    is."""

    sound: str
    start: int
    end: int
    confidence: float


class TurnText:
    """The folded text of one turn, joined over its utterances so that a pause does not split a phrase.

    ``text`` and ``sounds`` have the same length; Latin words of two utterances get a space between them.
    """

    def __init__(self, index: int, role: SpeakerRole, utterances: Sequence[Utterance]) -> None:
        self.index = index
        self.role = role
        self.units: tuple[Unit, ...] | None = None
        """Kept for ``rules.nearly``, which finds them."""
        self._utterances = utterances
        self._starts: list[int] = []
        texts: list[str] = []
        length, last = 0, ""
        for utterance in utterances:
            folded = utterance.overlay.folded
            if last and folded and not (is_han(last) or is_han(folded[0])):
                texts.append(" ")
                length += 1
            self._starts.append(length)
            texts.append(folded)
            length += len(folded)
            last = folded[-1:] or last
        self.text = "".join(texts)

    @cached_property
    def syllables(self) -> tuple[str, ...]:
        """One a character, a space for a space between utterances."""
        found: list[str] = []
        for utterance, start in zip(self._utterances, self._starts, strict=True):
            found.extend(" " * (start - len(found)))
            found.extend(utterance.overlay.syllables)
        return tuple(found)

    @cached_property
    def sounds(self) -> str:
        return sounded(self.syllables)

    @cached_property
    def confidences(self) -> tuple[float, ...]:
        """Of the word behind each character, 1 for a space between utterances."""
        return tuple(self._confidence(i) for i in range(len(self.text)))

    @cached_property
    def weakest(self) -> float:
        """The least confidence of any word."""
        return min((word.confidence for u in self._utterances for word in u.words or (u,)), default=1.0)

    def origin(self, index: int) -> tuple[Utterance, int] | None:
        """The utterance and the folded character behind character ``index``, None for a joining space."""
        number = bisect_right(self._starts, index) - 1
        utterance, offset = self._utterances[number], index - self._starts[number]
        return (utterance, offset) if offset < len(utterance.overlay.folded) else None

    def _confidence(self, index: int) -> float:
        place = self.origin(index)
        return 1.0 if place is None else place[0].confidence_at(place[1])

    def _pieces(self, start: int, end: int) -> list[tuple[Utterance, int, int]]:
        """The utterances that the characters ``[start, end)`` are of, and which of their folded characters."""
        first, last = bisect_right(self._starts, start) - 1, bisect_right(self._starts, end - 1)
        if last - first == 1 and end - self._starts[first] <= len(self._utterances[first].overlay.folded):
            begin = self._starts[first]
            return [(self._utterances[first], start - begin, end - begin)]
        found = []
        for utterance, begin in zip(self._utterances[first:last], self._starts[first:last], strict=True):
            a, b = max(0, start - begin), min(end - begin, len(utterance.overlay.folded))
            if a < b:
                found.append((utterance, a, b))
        return found

    def least(self, start: int, end: int) -> float:
        """Confidence of the weakest word of ``[start, end)``, 1 where there is none."""
        end = min(end, len(self.text))
        pieces = self._pieces(start, end) if start < end else ()
        return min((u.heard_at(a, b)[1] for u, a, b in pieces), default=1.0)

    @cached_property
    def _any_respelled(self) -> bool:
        return any(u.respelled for u in self._utterances)

    def respelled(self, start: int, end: int) -> bool:
        """Whether hot words wrote any of the characters ``[start, end)``."""
        return self._any_respelled and any(
            first <= u.overlay.offsets[b - 1] and u.overlay.offsets[a] < last
            for u, a, b in self._pieces(start, end)
            for first, last in u.respelled
        )

    def heard_at(self, start: int, end: int) -> tuple[TimeSpan, float, tuple[int, ...]]:
        """Time, confidence and utterances of the characters ``[start, end)``.

        They are as sure as their weakest word: a mean hides the one misheard character that decides (能 for 不能).
        """
        pieces = self._pieces(start, end)
        if len(pieces) == 1:
            ((utterance, a, b),) = pieces
            return *utterance.heard_at(a, b), (utterance.index,)
        heard = [u.heard_at(a, b) for u, a, b in pieces]
        return hull([span for span, _ in heard]), min(c for _, c in heard), tuple(u.index for u, _, _ in pieces)

    def quote(self, start: int, end: int) -> str:
        """What was said there, word for word."""
        return " … ".join(u.quote(a, b) for u, a, b in self._pieces(start, end))


class CallIndex:
    """A conversation and what rules have found out about it."""

    def __init__(self, conversation: Conversation) -> None:
        self.conversation = conversation
        self._utterances: dict[SpeakerRole | None, tuple[Utterance, ...]] = {None: conversation.utterances}
        self._spans: dict[SpeakerRole | None, Sequence[TimeSpan]] = {}
        self._speech: dict[SpeakerRole | None, tuple[TimeSpan, ...]] = {}
        self._hearing: dict[tuple[SpeakerRole | None, bool], Hearing] = {}

    @cached_property
    def whole(self) -> TimeSpan:
        return TimeSpan(0.0, max(self.conversation.duration_s, 0.0))

    @cached_property
    def roles_known(self) -> bool:
        return self.conversation.roles_known

    @cached_property
    def unheard_roles(self) -> frozenset[SpeakerRole]:
        return self.conversation.unheard_roles

    @cached_property
    def turns(self) -> tuple[TurnText, ...]:
        every = self.conversation.utterances
        return tuple(
            TurnText(index, turn.role, [every[number] for number in turn.utterances])
            for index, turn in enumerate(self.conversation.turns)
        )

    @cached_property
    def text(self) -> str:
        """All turns, ``TURN_END`` between them."""
        return TURN_END.join(turn.text for turn in self.turns)

    @cached_property
    def sounds(self) -> str:
        """How ``text`` sounds, character by character."""
        return TURN_END.join(turn.sounds for turn in self.turns)

    @cached_property
    def starts(self) -> list[int]:
        """Where each turn begins in ``text``."""
        found, at = [], 0
        for turn in self.turns:
            found.append(at)
            at += len(turn.text) + 1
        return found

    def turn_at(self, index: int) -> TurnText:
        """The turn of character ``index`` of ``text``."""
        return self.turns[bisect_right(self.starts, index) - 1]

    def spans(self, role: SpeakerRole | None) -> Sequence[TimeSpan]:
        """When the role, or anybody, was recognised; of a role of which nothing was, when they speak."""
        if role not in self._spans:
            self._spans[role] = [u.span for u in self.utterances(role)] or self.speech_of(role)
        return self._spans[role]

    def utterances(self, role: SpeakerRole | None) -> tuple[Utterance, ...]:
        """Of ``role``, or of all."""
        if role is not None and role not in self._utterances:
            self._utterances[role] = self.conversation.spoken_by(role)
        return self._utterances[role]

    def speech_of(self, role: SpeakerRole | None) -> tuple[TimeSpan, ...]:
        """Of ``role``, or of all."""
        if role not in self._speech:
            roles = [role] if role else [s.role for s in self.conversation.speech]
            self._speech[role] = union(s for r in roles for s in self.conversation.speech_of(r))
        return self._speech[role]

    def hearing(self, role: SpeakerRole | None, *, any_language: bool) -> Hearing:
        """How well the role, or all of them, were heard: in the call's language, or in any."""
        key = (role, any_language)
        if key not in self._hearing:
            found = [
                stretch
                for one in ([role] if role else SpeakerRole)
                for stretch in heard(
                    self.speech_of(one),
                    [u for u in self.utterances(one) if any_language or not self.conversation.foreign(u)],
                )
            ]
            self._hearing[key] = Hearing(self.speech_of(role), found)
        return self._hearing[key]
