"""What spaCy would cost and find in place of what the rules use: phrases by Aho–Corasick, tokens by RE2.

    python -m benchmarks.spacy_compared          # needs: pip install spacy==3.8.18

Calls of 60 utterances: synthetic ones in Mandarin, the words of the committed English calls again and again.
spaCy gets blank pipelines and documents made beforehand of the same tokens; *documents* is what making them costs.
Times are a call's. Wordings are drawn from the words of the calls themselves. *differing*: wordings in turns where
one finds them and the other does not; then it ends with a non-zero exit.
"""

import json
import random
import sys
import time
from collections.abc import Callable, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from benchmarks.stored_calls import synthetic_calls
from qa_service.domain.text import fold
from rules.checks.tokens import Program, parsed, tokens_of
from rules.loader import load_pack, shipped_packs
from rules.matching import PLACEHOLDER
from rules.phrase_book import Literals

SEED = 20261122
CALLS, UTTERANCES, WORDINGS = 10, 60, 40
LONGEST_GAP = 2  # with longer ones spaCy's matcher does not come to an end: see the last line
GAPS = (1, 2, 4, 6)
ENGLISH = Path(__file__).parents[1] / "tests" / "data" / "calls"

Call = Sequence[str]


def main() -> None:
    import spacy

    differing = 0
    for language, calls in (("zh", mandarin()), ("en", english())):
        vocabulary = spacy.blank(language).vocab
        phrases = phrases_of(f"service-{language}")
        cost = per_call(lambda call, v=vocabulary: [document(v, turn) for turn in call], calls)
        print(
            f"{language}: documents {cost:.0f} µs; {len(phrases)} phrases {by_phrases(vocabulary, phrases, calls)}"
        )
        times, unlike = by_tokens(vocabulary, drawn(calls), calls)
        differing += unlike
        print(f"  {WORDINGS} wordings {times}, differing {unlike}")
        for gap in GAPS if language == "zh" else ():
            wording = "我|你|的|是 " + f"{{0-{gap}}} " * 3 + "的"
            print(f"  {wording}: {by_tokens(vocabulary, [wording], calls[:1])[0]}")
    sys.exit(differing > 0)


def document(vocabulary: Any, text: str) -> Any:
    from spacy.tokens import Doc

    return Doc(vocabulary, words=tokens_of(text) or [" "])


def by_phrases(vocabulary: Any, phrases: Sequence[str], calls: Sequence[Call]) -> str:
    from spacy.matcher import PhraseMatcher

    literals = Literals()
    for number, phrase in enumerate(phrases):
        literals.add_phrase(phrase, number)
    matcher = PhraseMatcher(vocabulary)
    matcher.add("phrase", [document(vocabulary, phrase) for phrase in phrases])
    made = [[document(vocabulary, turn) for turn in call] for call in calls]
    ours = per_call(lambda call: literals.search("\n".join(call)), calls)
    theirs = per_call(lambda documents: [matcher(one) for one in documents], made)
    return f"{ours:.0f} µs, spaCy {theirs:.0f} µs"


def by_tokens(vocabulary: Any, wordings: Sequence[str], calls: Sequence[Call]) -> tuple[str, int]:
    """The times, and how often one finds what the other does not."""
    from spacy.matcher import Matcher

    program, matcher = Program(wordings), Matcher(vocabulary)
    for wording in wordings:
        matcher.add(wording, [spacy_pattern(wording)])
    made = [[document(vocabulary, turn) for turn in call] for call in calls]
    ours = per_call(lambda call: [list(program.search(turn)) for turn in call], calls)
    theirs = per_call(lambda documents: [matcher(one) for one in documents], made)
    found = [{w for w, _, _ in program.search(turn)} for call in calls for turn in call]
    reference = [
        {vocabulary.strings[key] for key, _, _ in matcher(one)} for documents in made for one in documents
    ]
    unlike = sum(len(one ^ other) for one, other in zip(found, reference, strict=True))
    return f"{ours:.0f} µs, spaCy {theirs:.0f} µs, found {sum(map(len, found))}", unlike


def mandarin() -> list[Call]:
    made = synthetic_calls(CALLS, utterances=UTTERANCES)
    return [[utterance.overlay.folded for utterance in one.conversation.utterances] for one in made]


def english() -> list[Call]:
    said = [
        fold(utterance["text"]).text
        for path in sorted(ENGLISH.glob("*/?e??.truth.json"))
        for utterance in json.loads(path.read_text("utf-8"))["utterances"]
    ]
    again = cycle(said)
    return [list(islice(again, UTTERANCES)) for _ in range(CALLS)]


def phrases_of(pack: str) -> list[str]:
    rules = load_pack(shipped_packs()[pack])
    lists = [phrases for rule in rules.rules for check in rule.checks() for phrases in check.phrase_lists()]
    every = {phrase for phrases in lists for phrase in phrases if not PLACEHOLDER.search(phrase)}
    return sorted({fold(phrase).text for phrase in every} - {""})


def drawn(calls: Sequence[Call]) -> list[str]:
    """Wordings of three words or characters that stand close together in one turn; one of them may be missing."""
    rng = random.Random(SEED)
    turns = [tokens for call in calls for turn in call if len(tokens := tokens_of(turn)) > 6]
    words = sorted({token for tokens in turns for token in tokens})
    wordings: dict[str, None] = {}
    while len(wordings) < WORDINGS:
        tokens = rng.choice(turns)
        a, b, c = sorted(rng.sample(range(len(tokens)), 3))
        first = "|".join((tokens[a], *rng.sample(words, 3)))
        if c - a <= 2 * LONGEST_GAP + 2:
            middle = rng.choice((f"({tokens[b]}) {{0-{LONGEST_GAP}}}", tokens[b]))
            gap = rng.choice(("", f" without {rng.choice(words)}"))
            wordings[f"{first} {{0-{LONGEST_GAP}{gap}}} {middle} {{0-{LONGEST_GAP}}} {tokens[c]}"] = None
    return list(wordings)


def spacy_pattern(wording: str) -> list[dict[str, Any]]:
    pattern: list[dict[str, Any]] = []
    for element in parsed(wording):
        if element.words:
            optional = {"OP": "?"} if element.optional else {}
            pattern.append({"ORTH": {"IN": list(element.words)}, **optional})
        else:
            none_of = {"ORTH": {"NOT_IN": sorted(element.without)}} if element.without else {}
            pattern.append({**none_of, "OP": f"{{{element.low},{element.high}}}"})
    return pattern


def per_call(work: Callable[[Any], object], calls: Sequence[Any]) -> float:
    """Microseconds a call, the best of three rounds."""
    rounds = []
    for _ in range(4):
        begin = time.perf_counter()
        for call in calls:
            work(call)
        rounds.append(time.perf_counter() - begin)
    return min(rounds[1:]) / len(calls) * 1e6


if __name__ == "__main__":
    main()
