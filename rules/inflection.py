"""The forms that an English word takes: promise, promises, promised, promising.

Guarantee: pure, without a dictionary of the language. Regular words follow the spelling rules; those that do not
are listed. Where spelling alone does not tell (cancelled, canceled) both are given: what nobody writes matches
nothing. Comparatives are other words. What a rule finds depends on these tables: a change to them is a new
ENGINE_REVISION.
"""

import re
from functools import lru_cache
from itertools import chain
from typing import Final

# Base form, then past and participle where they are not regular; a bar between forms that are both in use.
_VERBS: Final = """
arise arose arisen; awake awoke awoken; bear bore borne; beat beat beaten; become became become;
begin began begun; bend bent; bet bet; bid bid; bind bound; bite bit bitten; bleed bled; blow blew blown;
break broke broken; bring brought; broadcast broadcast; build built; burn burned|burnt; burst burst; buy bought;
cast cast; catch caught; choose chose chosen; cling clung; come came come; cost cost; creep crept; cut cut;
deal dealt; dig dug; draw drew drawn; dream dreamed|dreamt; drink drank drunk; drive drove driven;
eat ate eaten; fall fell fallen; feed fed; feel felt; fight fought; find found; flee fled; fling flung;
fly flew flown; forbid forbade forbidden; forecast forecast|forecasted; foresee foresaw foreseen;
forget forgot forgotten; forgive forgave forgiven; freeze froze frozen; get got got|gotten; give gave given;
grind ground; grow grew grown; hang hung|hanged; hear heard; hide hid hidden; hit hit; hold held; hurt hurt;
keep kept; kneel knelt|kneeled; know knew known; lay laid; lead led; lean leaned|leant; leap leaped|leapt;
learn learned|learnt; leave left; lend lent; let let; light lit|lighted; lose lost; make made; mean meant;
meet met; mislead misled; mistake mistook mistaken; misunderstand misunderstood; outbid outbid;
outdo outdid outdone; overcome overcame overcome; overdo overdid overdone; overhear overheard;
oversee oversaw overseen; overtake overtook overtaken; overpay overpaid; pay paid; prove proved proven|proved;
put put; quit quit|quitted; read read; rebuild rebuilt; redo redid redone; repay repaid; reset reset;
ride rode ridden; ring rang rung; rise rose risen; run ran run; say said; see saw seen; seek sought; sell sold;
send sent; resend resent; set set; sew sewed sewn|sewed; shake shook shaken; shed shed; shine shone|shined;
shoot shot; show showed shown; shrink shrank shrunk; shut shut; sing sang sung; sink sank sunk; sit sat;
sleep slept; slide slid; smell smelled|smelt; speak spoke spoken; speed sped|speeded; spell spelled|spelt;
spend spent; spill spilled|spilt; spin spun; spit spat|spit; split split; spoil spoiled|spoilt; spread spread;
spring sprang sprung; stand stood; steal stole stolen; stick stuck; sting stung; stink stank stunk;
strike struck struck|stricken; strive strove|strived striven; swear swore sworn; sweep swept;
swell swelled swollen; swim swam swum; swing swung; take took taken; teach taught; tear tore torn; tell told;
think thought; throw threw thrown; undergo underwent undergone; understand understood;
undertake undertook undertaken; underwrite underwrote underwritten; undo undid undone; uphold upheld;
upset upset; wake woke woken; wear wore worn; weave wove woven; weep wept; win won; wind wound;
withdraw withdrew withdrawn; withhold withheld; withstand withstood; write wrote written
"""
# All forms but the base form. With some nothing is regular.
_WHOLE: Final = """
be am is are was were been being; have has had having; do does did done doing; go goes went gone going;
can could; will would; shall should; may might; man men; woman women; child children; person people persons;
foot feet; tooth teeth; mouse mice; life lives; wife wives; knife knives; half halves; shelf shelves;
thief thieves; leaf leaves; self selves; penny pennies pence; money moneys monies; ombudsman ombudsmen;
tradesman tradesmen; postman postmen; dial dials dialled dialed dialling dialing;
queue queues queued queuing queueing
"""
_NO_FORMS: Final = frozenset(
    (
        "and",
        "but",
        "for",
        "from",
        "her",
        "his",
        "how",
        "its",
        "not",
        "our",
        "she",
        "that",
        "the",
        "their",
        "them",
        "these",
        "they",
        "this",
        "those",
        "what",
        "who",
        "you",
        "your",
    )
)
_DOUBLED: Final = re.compile(r"^(?P<before>.*?)(?:[^aeiou]|qu)[aeiouy][^aeiouwxy]$")
_VOWELS: Final = re.compile("[aeiouy]+")


def _table(text: str) -> dict[str, tuple[str, ...]]:
    entries = (entry.split() for entry in text.split(";"))
    return {base: tuple(chain.from_iterable(form.split("|") for form in forms)) for base, *forms in entries}


_PASTS: Final = _table(_VERBS)
_ALL_FORMS: Final = _table(_WHOLE)


def word_fault(word: str) -> str | None:
    """Why ``word`` is not one whose forms can be told."""
    if not re.fullmatch("[a-z]+", word):
        return "not an English word in small letters"
    if word in _NO_FORMS or (len(word) < 3 and word not in _ALL_FORMS):
        return "it has one form only"
    base = base_of(word)
    return None if base is None else f"a form of {base}"


def forms_of(word: str) -> frozenset[str]:
    """Every form of the English word whose base form is ``word``, as verb and as noun."""
    if word in _ALL_FORMS:
        return frozenset((word, *_ALL_FORMS[word]))
    return frozenset((word, *_third(word), *(_PASTS.get(word) or _past(word)), *_participle(word)))


def base_of(form: str) -> str | None:
    """The base form of an irregular one that is no base form itself: sell for sold."""
    return _bases().get(form)


@lru_cache(maxsize=1)
def _bases() -> dict[str, str]:
    table = {**_PASTS, **_ALL_FORMS}
    found = {form: base for base, forms in table.items() for form in forms if form not in table}
    # What is a word in its own right: I found it, founded; the ground; a lead, left, a saw, a wound.
    return {form: base for form, base in found.items() if form not in _ALSO_BASES}


_ALSO_BASES: Final = frozenset(
    (
        "found",
        "ground",
        "left",
        "saw",
        "wound",
        "bound",
        "felt",
        "lay",
        "shot",
        "lives",
        "leaves",
        "fell",
        "rose",
        "spoke",
        "bit",
        "wove",
        "spat",
        "might",
        "people",
    )
)


def _third(word: str) -> tuple[str, ...]:
    if re.search("(s|x|z|ch|sh)$", word):
        return (word + "es",)
    if re.search("[^aeiou]y$", word):
        return (word[:-1] + "ies",)
    if re.search("[^aeiou]o$", word):
        return (word + "s", word + "es")
    return (word + "s",)


def _past(word: str) -> tuple[str, ...]:
    if word.endswith("e"):
        return (word + "d",)
    if re.search("[^aeiou]y$", word):
        return (word[:-1] + "ied",)
    return tuple(stem + "ed" for stem in _stems(word))


def _participle(word: str) -> tuple[str, ...]:
    if word.endswith("ie"):
        return (word[:-2] + "ying",)
    if word.endswith("e") and not word.endswith(("ee", "oe", "ye")) and len(word) > 2:
        return (word[:-1] + "ing",)
    return tuple(stem + "ing" for stem in _stems(word))


def _stems(word: str) -> tuple[str, ...]:
    """What -ed and -ing are put to: stopp, offer and offerr, panick."""
    if re.search("[aeiou]c$", word):
        return (word + "k",)
    match = _DOUBLED.match(word)
    if match is None:
        return (word,)
    # One syllable doubles its last letter; of several the stress decides, and usage (cancelled, canceled).
    return (word + word[-1], word) if _VOWELS.search(match["before"]) else (word + word[-1],)
