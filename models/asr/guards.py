"""Guards against words that nobody said: Whisper invents them over music, tones and silence.

Guarantee: pure once the table of phrases is read; a guard takes words away or their confidence, it never adds any.
What is struck is no speech that was understood: it satisfies no rule and accuses nobody.

«谢谢» and «再见» are said in calls and invented over hold music alike: the words alone tell nothing. So a guard
strikes where the recogniser doubts that anybody spoke, or what nobody says in a service call.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import accumulate
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from ruamel.yaml import YAML

from qa_service.domain.conversation import Segment, Word
from qa_service.domain.text import fold, is_han, spoken_units

# Raised whenever the guards would strike something else.
GUARDS_REVISION = 3

_TABLE = Path(__file__).parent / "stock_phrases.yaml"
_SENTENCE_ENDS = re.compile(r"[。！？，、…!?,;；.]+")

NO_SPEECH = "no speech"
STOCK_PHRASE = "stock phrase"
REPEATED_PHRASE = "repeated phrase"
REPEATED_SENTENCE = "same sentence again"


@dataclass(frozen=True, slots=True)
class GuardOptions:
    """When a window is doubtful: its no-speech probability is above, and its log probability below, both bounds.

    Of 200 windows of speech (example, test and real calls, Whisper base, 2026-11-22) one is doubtful by these
    bounds, and what was recognised in it was not said; what is invented over music and silence has no-speech
    probabilities of 0.53–0.85 and log probabilities below −0.75. Speech that is cut in the middle of a word comes
    near, with more words than are ever invented: beyond ``few_units`` characters or words the log probability must
    be below ``many_log_probability``.
    ``stock_*``: the bounds for windows of nothing but a stock phrase. ``repeats``: so many times running, a phrase
    of at least ``phrase_units`` characters or words was made up. ``windows``: so many windows that consist of one
    sentence of at least ``sentence_units``, in doubt, were not heard.
    """

    no_speech: float = 0.5
    log_probability: float = -0.6
    few_units: int = 4
    many_log_probability: float = -0.85
    stock_no_speech: float = 0.3
    stock_log_probability: float = -0.6
    repeats: int = 4
    phrase_units: int = 3
    windows: int = 3
    sentence_units: int = 4


class StockPhrases(BaseModel):
    """The phrases of one language, as in the table."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    never: tuple[str, ...]
    alone: tuple[str, ...]


def guarded(
    segments: Sequence[Segment], *, language: str, options: GuardOptions | None = None
) -> tuple[Segment, ...]:
    """One speaker's windows without what was invented; ``Segment.struck`` says which guard struck."""
    options = options or GuardOptions()
    nothing = StockPhrases(never=(), alone=())
    judged = [_judged(s, _table().get(s.language or language, nothing), options) for s in segments]
    again = _said_again(judged, options)
    return tuple(
        _unsure(segment, REPEATED_SENTENCE) if index in again else segment for index, segment in enumerate(judged)
    )


def _judged(segment: Segment, phrases: StockPhrases, options: GuardOptions) -> Segment:
    if not segment.words:
        return segment
    few = spoken_units(_text(segment.words)) <= options.few_units
    if _doubted(segment, options.no_speech, options.log_probability if few else options.many_log_probability):
        return replace(segment, words=(), struck=NO_SPEECH)
    if few and not any(word.confidence for word in segment.words):  # a hum is heard as «Mmm»
        return replace(segment, words=(), struck=NO_SPEECH)
    alone = "|".join(re.escape(fold(phrase).text) for phrase in phrases.alone)
    if (
        alone
        and _doubted(segment, options.stock_no_speech, options.stock_log_probability)
        and re.fullmatch(rf"(?:(?:{alone}) ?)+", fold(_text(segment.words)).text)
    ):
        return replace(segment, words=(), struck=STOCK_PHRASE)
    kept = _without(segment.words, phrases.never)
    if len(kept) < len(segment.words):
        said = any(c.isalnum() for word in kept for c in word.text)
        return replace(segment, words=kept if said else (), struck=STOCK_PHRASE)
    looped = _loops(segment.words, options)
    if looped:
        words = tuple(replace(w, confidence=0.0) if i in looped else w for i, w in enumerate(segment.words))
        return replace(segment, words=words, struck=REPEATED_PHRASE)
    return segment


def _doubted(segment: Segment, no_speech: float, log_probability: float) -> bool:
    return segment.no_speech_probability > no_speech and segment.average_log_probability < log_probability


def _unsure(segment: Segment, struck: str) -> Segment:
    return replace(segment, words=tuple(replace(w, confidence=0.0) for w in segment.words), struck=struck)


def _text(words: Sequence[Word]) -> str:
    return "".join(word.text for word in words)


def _without(words: Sequence[Word], phrases: Sequence[str]) -> tuple[Word, ...]:
    """The words that are no part of any of the phrases."""
    text = _text(words)
    folded = fold(text)
    taken: set[int] = set()
    for phrase in phrases:
        wanted = fold(phrase).text
        # A Latin phrase begins and ends with whole words.
        edges = (r"(?<![a-z])" if not is_han(wanted[0]) else "", r"(?![a-z])" if not is_han(wanted[-1]) else "")
        for match in re.finditer(edges[0] + re.escape(wanted) + edges[1], folded.text):
            taken.update(folded.offsets[match.start() : match.end()])
    starts = accumulate((len(word.text) for word in words[:-1]), initial=0)
    return tuple(
        word
        for word, start in zip(words, starts, strict=True)
        if not any(start + n in taken for n in range(len(word.text)))
    )


def _loops(words: Sequence[Word], options: GuardOptions) -> set[int]:
    """Words of phrases that are said again and again without anything between.

    Numbers repeat (8888…), and so do people in a few characters (好好好, 不是不是): a phrase has several different
    units, and one that is no digit.
    """
    units = [(i, said) for i, word in enumerate(words) if (said := fold(word.text).text)]
    found: set[int] = set()
    for period in range(options.phrase_units, len(units) // options.repeats + 1):
        run = 0
        for at in range(period, len(units)):
            run = run + 1 if units[at][1] == units[at - period][1] else 0
            if run >= period * (options.repeats - 1):
                phrase = {said for _, said in units[at - period + 1 : at + 1]}
                if len(phrase) >= options.phrase_units and not all(said.isdigit() for said in phrase):
                    found.update(range(units[at - run - period + 1][0], units[at][0] + 1))
    return found


def _said_again(segments: Sequence[Segment], options: GuardOptions) -> set[int]:
    """Doubtful windows that consist of a sentence of which others consist, too."""
    doubtful = {
        index: _main_sentence(_text(segment.words))
        for index, segment in enumerate(segments)
        if segment.words
        and (
            segment.no_speech_probability > options.stock_no_speech
            or segment.average_log_probability < options.stock_log_probability
        )
    }
    counts = Counter(doubtful.values())
    return {
        index
        for index, sentence in doubtful.items()
        if counts[sentence] >= options.windows and spoken_units(sentence) >= options.sentence_units
    }


def _main_sentence(text: str) -> str:
    """The sentence that makes up at least half of the text, folded; nothing where none does."""
    sentences = [folded for part in _SENTENCE_ENDS.split(text) if (folded := fold(part).text)]
    sentence, times = max(Counter(sentences).items(), key=lambda s: len(s[0]) * s[1], default=("", 0))
    return sentence if 2 * times * len(sentence) >= sum(map(len, sentences)) else ""


@cache
def _table() -> dict[str, StockPhrases]:
    read = YAML(typ="safe").load(_TABLE.read_text(encoding="utf-8"))
    return {language: StockPhrases.model_validate(phrases) for language, phrases in read.items()}
