"""What rules read of a conversation, found once: its text turn by turn, its sound, and how well it was heard.

Guarantee: derived from the conversation alone; each part is computed when it is first asked for and kept.
"""

import re
from bisect import bisect_right
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from qa_service.domain.conversation import Conversation, SpeakerRole, Utterance, Word
from qa_service.domain.hearing import Hearing, Stretch, heard
from qa_service.domain.text import is_han
from qa_service.domain.timeline import TimeSpan, hull, union
from qa_service.pinyin import sounded

DIGITS = "0123456789零〇一二两三四五六七八九幺"
DIGIT_SOUNDS = frozenset(("ling", "yi", "er", "liang", "san", "si", "wu", "liu", "qi", "ba", "jiu", "yao"))
SOUNDS_OF_DIGITS = "".join(sorted(set(sounded(DIGIT_SOUNDS)) | set("0123456789")))
_NUMBER, _NUMBER_BY_SOUND = re.compile(f"[{DIGITS}]+"), re.compile(f"[{SOUNDS_OF_DIGITS}]+")

TURN_END = "\n"
"""Stands between turns in the text of the whole call: no phrase contains it."""


class TurnText:
    """The folded text of one turn, joined over its utterances so that a pause does not split a phrase.

    ``text`` and ``sounds`` have the same length; Latin words of two utterances get a space between them.
    """

    def __init__(self, index: int, role: SpeakerRole, utterances: Sequence[Utterance], *, at: int) -> None:
        self.index = index
        self.role = role
        self.at = at
        """Where it begins in the text of the whole call."""
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
        heard = self._heard
        if heard.told:
            return tuple(heard.confidences)
        told = zip(heard.confidences, heard.utterances, strict=True)
        return tuple([known if by else self._confidence(i) for i, (known, by) in enumerate(told)])

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

    @cached_property
    def longest_number(self) -> int:
        """The most digits in a row, spoken or written."""
        return max(map(len, _NUMBER.findall(self.text)), default=0)

    @cached_property
    def longest_sounding_number(self) -> int:
        """The most characters in a row that sound like digits."""
        return max(map(len, _NUMBER_BY_SOUND.findall(self.sounds)), default=0)

    @cached_property
    def _heard(self) -> "_Characters":
        return _Characters(self._utterances, self._starts)

    def least(self, start: int, end: int) -> float:
        """Confidence of the weakest word of ``[start, end)``, 1 where there is none."""
        end = min(end, len(self.text))
        if start >= end:
            return 1.0
        heard = self._heard
        utterance = heard.utterances[start]
        if utterance and utterance is heard.utterances[end - 1]:
            return min(heard.confidences[start:end])
        return min((u.heard_at(a, b)[1] for u, a, b in self._pieces(start, end)), default=1.0)

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

    def heard(self, start: int, end: int) -> tuple[float, float, float, tuple[int, ...]]:
        """Start and end in seconds, confidence and utterances of the characters ``[start, end)``.

        They are as sure as their weakest word: a mean hides the one misheard character that decides (能 for 不能).
        """
        heard = self._heard
        utterance = heard.utterances[start]
        if utterance and utterance is heard.utterances[end - 1]:
            begin, finish = heard.begins[start], heard.ends[end - 1]
            return begin, finish if finish > begin else begin, min(heard.confidences[start:end]), utterance
        pieces = self._pieces(start, end)
        spans, confidences = zip(*(u.heard_at(a, b) for u, a, b in pieces), strict=True)
        span = hull(spans)
        return span.start, span.end, min(confidences), tuple(u.index for u, _, _ in pieces)

    def heard_at(self, start: int, end: int) -> tuple[TimeSpan, float, tuple[int, ...]]:
        """``heard``, with the time as a span."""
        begin, finish, confidence, utterances = self.heard(start, end)
        return TimeSpan(begin, finish), confidence, utterances

    def quote(self, start: int, end: int) -> str:
        """What was said there, word for word."""
        return " … ".join(u.quote(a, b) for u, a, b in self._pieces(start, end))

    def clause(self, start: int, end: int) -> str:
        """The clause that the characters ``[start, end)`` stand in, word for word."""
        pieces = self._pieces(start, end)
        if len(pieces) != 1 or self.origin(start) is None:
            return self.quote(start, end)
        ((utterance, first, last),) = pieces
        text, offsets = utterance.text, utterance.overlay.offsets
        start, end = offsets[first], offsets[last - 1] + 1
        ends = _ends(text)
        while start > 0 and text[start - 1] not in ends:
            start -= 1
        while end < len(text) and text[end - 1] not in ends:
            end += 1
        return text[start:end].strip(" ,，、")


class _Characters:
    """The characters of a turn, so prepared that a call's hundreds of hits are told by a few look-ups: start, end
    and confidence of the word behind each, and its utterance.

    ``utterances`` is empty where ``Utterance.heard_at`` has to be asked.
    """

    __slots__ = ("begins", "confidences", "ends", "told", "utterances")

    def __init__(self, utterances: Sequence[Utterance], starts: Sequence[int]) -> None:
        self.begins: list[float] = []
        self.ends: list[float] = []
        self.confidences: list[float] = []
        self.utterances: list[tuple[int, ...]] = []
        self.told = True
        """Whether all are."""
        for utterance, start in zip(utterances, starts, strict=True):
            if start > len(self.utterances):
                self._untold(start - len(self.utterances))
            self._add(utterance)

    def _add(self, utterance: Utterance) -> None:
        """Untold, where not every word that was said has a character, or a character has no word that was."""
        offsets, words, word_offsets = utterance.overlay.offsets, utterance.words, utterance.word_offsets
        behind: list[Word] | list[Utterance] = [utterance] * len(offsets)
        if words:
            numbers = [max(0, bisect_right(word_offsets, offset) - 1) for offset in offsets]
            said = {n for n, word in enumerate(words) if word.text.isalnum() or any(map(str.isalnum, word.text))}
            if said != set(numbers):
                self._untold(len(offsets))
                return
            behind = [words[n] for n in numbers]
        self.begins += [one.start for one in behind]
        self.ends += [one.end for one in behind]
        self.confidences += [one.confidence for one in behind]
        self.utterances += [(utterance.index,)] * len(offsets)

    def _untold(self, count: int) -> None:
        self.begins += [0.0] * count
        self.ends += [0.0] * count
        self.confidences += [1.0] * count
        self.utterances += [()] * count
        self.told = False


_CLAUSE_ENDS = frozenset(",，.。!！?？;；、 …")
_SENTENCE_ENDS = _CLAUSE_ENDS - {" ", ","}


def _ends(text: str) -> frozenset[str]:
    """What ends a clause: where words stand apart, neither a space nor a comma does."""
    spaced = " " in text and not any("\u4e00" <= c <= "\u9fff" for c in text)
    return _SENTENCE_ENDS if spaced else _CLAUSE_ENDS


class CallIndex:
    """A conversation and what rules have found out about it."""

    def __init__(self, conversation: Conversation) -> None:
        self.conversation = conversation
        self._utterances: dict[SpeakerRole | None, tuple[Utterance, ...]] = {None: conversation.utterances}
        self._spans: dict[SpeakerRole | None, Sequence[TimeSpan]] = {}
        self._speech: dict[SpeakerRole | None, tuple[TimeSpan, ...]] = {}
        self._heard: dict[tuple[SpeakerRole, bool], Sequence[Stretch]] = {}
        self._hearing: dict[tuple[SpeakerRole | None, bool], Hearing] = {}
        self.misheard: dict[tuple[float, float], Any] = {}
        """Kept for ``rules.nearly``, which finds it."""

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
    def told(self) -> bool:
        """Whether it is known of each role what it did."""
        return self.roles_known and not self.unheard_roles

    @cached_property
    def turns(self) -> tuple[TurnText, ...]:
        every, at = self.conversation.utterances, 0
        found = []
        for index, turn in enumerate(self.conversation.turns):
            found.append(TurnText(index, turn.role, [every[number] for number in turn.utterances], at=at))
            at += len(found[-1].text) + 1
        return tuple(found)

    @cached_property
    def text(self) -> str:
        """All turns, ``TURN_END`` between them."""
        return TURN_END.join(turn.text for turn in self.turns)

    @cached_property
    def sounds(self) -> str:
        """How ``text`` sounds, character by character."""
        return TURN_END.join(turn.sounds for turn in self.turns)

    @cached_property
    def longest_sounding_number(self) -> int:
        """The most characters in a row of one turn that sound like digits."""
        return max((turn.longest_sounding_number for turn in self.turns), default=0)

    @cached_property
    def turn_of(self) -> list[TurnText]:
        """The turn of each character of ``text``; of its end the one before it."""
        return [turn for turn in self.turns for _ in range(len(turn.text) + 1)]

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
        key = (role, any_language or not self._mixed)
        if key not in self._hearing:
            found = [one for r in ([role] if role else SpeakerRole) for one in self._stretches(r, key[1])]
            self._hearing[key] = Hearing(self.speech_of(role), found)
        return self._hearing[key]

    @cached_property
    def _mixed(self) -> bool:
        """Whether anything was said in another language than the call's."""
        return any(map(self.conversation.foreign, self.conversation.utterances))

    def _stretches(self, role: SpeakerRole, any_language: bool) -> Sequence[Stretch]:
        key = (role, any_language)
        if key not in self._heard:
            foreign = self.conversation.foreign
            said = [u for u in self.utterances(role) if any_language or not foreign(u)]
            self._heard[key] = heard(self.speech_of(role), said)
        return self._heard[key]
