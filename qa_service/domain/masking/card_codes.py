"""Card verification codes (CVV, CVC, 安全码, the three digits on the back): not kept by anybody, in any form.

PCI DSS 3.3.1 forbids keeping them after authorisation, encrypted or not; a recording is kept for years.

Guarantee: pure; where a code was asked for or named, what was said for it is a fixed sign that tells neither its
digits nor how many they are. That somebody asked stays, so that rules see it. Doing it again changes nothing.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from qa_service.domain.conversation import MASK, Conversation
from qa_service.domain.masking.editing import Edit, edited
from qa_service.domain.masking.masking import span_of, within_call
from qa_service.domain.masking.runs import Run, Token, runs_of
from qa_service.domain.masking.streams import ALIKE, APART, PAUSE, Said, Stream, streams_of
from qa_service.domain.numbers.entity import NumberKind
from qa_service.domain.numbers.finder import find_numbers
from qa_service.domain.timeline import TimeSpan, hull, union

SIGN: Final = MASK * 3

_NAMED: Final = re.compile(
    r"安全码|安全[吗嘛](?=是|有|在|给|报|多)|(?:信用|银行)?卡(?:片)?(?:的)?(?:验证|校验)码|签名[栏条区处]"
    r"|(?<![a-z])c ?v ?[vc] ?2?(?![a-z])"
    r"|(?:背面|反面|背后|后面|卡背)[^\0\n]{0,6}?(?:[三四34]位|[三四34]个?数)"
    r"|(?<![a-z])(?:card )?security (?:code|number)|card verification|verification value"
    r"|(?:digits?|numbers?|code) (?:is |are )?(?:printed )?(?:on|at) the (?:back|reverse|front)(?![a-z])"
)
_SOUNDS: Final = re.compile(
    r"(?<= )(?:an quan mai?|qian ming (?:lan|tiao|qu)|[xsc]i wei wei|[xsc]i wei xi"
    r"|(?:bei|fan) mian (?:de )?(?:hou |mo |zui hou |na )?(?:san|si|3|4) wei)(?= )"
)
_QUESTION: Final = re.compile("安全[吗嘛么](?!是|有|在|给|报|多)")
"""Whether something is safe: it sounds like 安全码."""
# What follows one of these is something else, whoever asked for the code before.
_OTHER: Final = re.compile(
    r"工号|尾号|[后末]四位|有效期|到期|手机|电话|卡号|身份|证号|订单|单号|编号|热线|验证短信|短信|密码|金额|余额|房|楼|单元"
    r"|(?<![a-z])(?:expir\w*|valid|last four|end(?:s|ing)? in|phone|mobile|card number|order|reference|agent"
    r"|employee|badge|extension|amount|balance|zip|postcode|postal)(?![a-z])"
)
_BOTH: Final = re.compile(r"[\s,，、]*(?:和|跟|与|以及|还有|and|&)")
_WINDOW_S, _NEAR_S, _ECHO_S, _ECHO_EARLY_S = 30.0, 12.0, 5.0, 1.0
_BEFORE = 10
_LEAST, _MOST = 2, 8
_USUAL: Final = (3, 4)
_CARD_AND_CODE: Final = 18
_ECHO_LASTS_S = 1.5
_LONE: Final = re.compile(
    f"(?<![第0-9零一二两三四五六七八九幺{ALIKE}])[0-9零二三四五六七八九幺]"
    f"(?![0-9零一二两三四五六七八九幺{ALIKE}十百千万亿点.:%元块毛个天月年号日时分秒位次种件张条家周楼层岁倍期])"
)
"""One digit that counts nothing, and no 一 or 两, which are mostly none."""


@dataclass(frozen=True, slots=True)
class _Mention:
    """Where something is named: in which stream and utterance, where there, and when. ``code``: a card's code."""

    stream: int
    part: int
    start: int
    end: int
    time_s: float
    code: bool


@dataclass(frozen=True, slots=True)
class _Code:
    """What is said for a code in one utterance: the characters ``[start, end)`` of its stream, and when."""

    stream: int
    start: int
    end: int
    span: TimeSpan


def without_card_codes(conversation: Conversation) -> Conversation:
    """``conversation`` without the card verification codes that are said in it; ``card_codes`` tells when."""
    while (cleaned := _cleaned(conversation)) is not conversation:  # a sign may part what looked like one number
        conversation = cleaned
    return conversation


def _cleaned(conversation: Conversation) -> Conversation:
    streams = streams_of(conversation)
    mentions = sorted(
        (m for number, stream in enumerate(streams) for m in _mentions(number, stream)), key=lambda m: m.time_s
    )
    if not any(mention.code for mention in mentions):
        return conversation
    codes = [code for number, stream in enumerate(streams) for code in _codes(number, stream, mentions)]
    codes += [echo for code in codes for echo in _echoes(streams, code)]
    if not codes:
        return conversation
    edits: dict[int, list[Edit]] = {}
    for code in codes:
        part = streams[code.stream].parts[streams[code.stream].part_at(code.start)]
        edit = Edit(code.start - part.at, code.end - part.at, SIGN)
        edits.setdefault(part.utterance.index, []).append(edit)
    spans = [within_call(code.span, conversation.duration_s) for code in codes]
    return replace(
        conversation,
        utterances=tuple(
            edited(u, _disjoint(edits[u.index])) if u.index in edits else u for u in conversation.utterances
        ),
        card_codes=union((*conversation.card_codes, *spans)),
    )


def _mentions(number: int, stream: Stream) -> Iterator[_Mention]:
    places = {(m.start(), m.end(), True) for m in _NAMED.finditer(stream.plain)}
    questions = {m.start() for m in _QUESTION.finditer(stream.plain)}
    if stream.syllables:
        sounds, at = stream.sounds
        for match in _SOUNDS.finditer(sounds):
            first, last = bisect_left(at, match.start() - 1), bisect_left(at, match.end())
            if first not in questions:
                places.add((first, last, True))
    places |= {(m.start(), m.end(), False) for m in _OTHER.finditer(stream.plain)}
    for start, end, code in sorted(places):
        yield _Mention(number, stream.part_at(start), start, end, _said_at(stream, start), code)


def _said_at(stream: Stream, index: int) -> float:
    part = stream.parts[stream.part_at(index)]
    words = part.utterance.words
    return (
        words[part.utterance.words_at(index - part.at, index - part.at + 1)[0]].start
        if words
        else (part.utterance.start)
    )


def _codes(number: int, stream: Stream, mentions: list[_Mention]) -> Iterator[_Code]:
    """What is said for a code in the stream."""
    times = [mention.time_s for mention in mentions]
    said = (answer for run in runs_of(stream, least=_LEAST) for answer in _answers(stream, run))
    for run in (*said, *_cardinals(stream)):
        said_at = _said_at(stream, run.start)
        near = mentions[bisect_left(times, said_at - _WINDOW_S) : bisect_right(times, said_at + _WINDOW_S)]
        if (code := _code_of(number, stream, run, near)) is not None:
            span = hull([span_of(stream, token) for token in code.tokens])
            for tokens in _by_utterance(stream, code).values():
                yield _Code(number, tokens[0].start, tokens[-1].end, span)


def _by_utterance(stream: Stream, run: Run) -> dict[int, list[Token]]:
    parts: dict[int, list[Token]] = {}
    for token in run.tokens:
        parts.setdefault(stream.part_at(token.start), []).append(token)
    return parts


def _answers(stream: Stream, run: Run) -> Iterator[Run]:
    """The run, cut where an utterance answers another question."""
    first = max(0, run.start - _BEFORE)
    name = max((m.end() + first for m in _OTHER.finditer(stream.plain[first : run.end])), default=0)
    answer: list[Token] = []
    for part, tokens in _by_utterance(stream, run).items():
        asked = stream.asked[part].rpartition(PAUSE)[2]
        if answer and (_OTHER.search(asked) or len(tokens) >= _LEAST):
            yield Run(tuple(answer))
            answer = []
        # the 期 of 有效期 sounds like a seven
        answer += [token for token in tokens if not (token.alike and token.start < name)]
    if answer:
        yield Run(tuple(answer))


def _cardinals(stream: Stream) -> Iterator[Run]:
    """三百五十七: a code read as one number."""
    for part in stream.parts:
        for found in part.utterance.numbers or find_numbers(part.utterance.text):
            if found.kind is NumberKind.CARDINAL and found.value.isdigit() and len(found.value) in _USUAL:
                start, end = part.at + found.start, part.at + found.end
                yield Run((Token(start, end, found.value),))


def _code_of(number: int, stream: Stream, run: Run, mentions: list[_Mention]) -> Run | None:
    digits, said_at = len(run.digits), _said_at(stream, run.start)
    ahead = [m for m in mentions if m.stream == number and run.end <= m.start <= run.end + _BEFORE and m.code]
    if ahead and digits in _USUAL and APART not in stream.plain[run.end : ahead[0].start]:
        before = stream.plain[max(stream.reach(run.start), run.start - _BEFORE) : run.start]
        return None if _OTHER.search(before) else run
    within_s = _WINDOW_S if digits in _USUAL else _NEAR_S
    before_it = [
        m
        for m in mentions
        if (m.end <= run.start if m.stream == number else m.time_s <= said_at) and said_at - m.time_s <= within_s
    ]
    if not any(m.code for m in before_it) or _is_something_else(number, stream, run, before_it):
        return None
    if digits > _MOST:
        tail = run.groups[-1]
        told = SIGN in stream.plain[run.end : run.end + _BEFORE]
        # The card's number and its code in one breath.
        in_one = digits >= _CARD_AND_CODE and len(run.groups) > 1 and len(tail.digits) in _USUAL and not told
        return tail if in_one else None
    if digits in _USUAL:
        return run if run.written >= 2 or _is_answer(number, stream, run, before_it) else None
    return run if run.written == digits and (digits > 2 or _is_answer(number, stream, run, before_it)) else None


def _is_answer(number: int, stream: Stream, run: Run, before: list[_Mention]) -> bool:
    """Whether the run stands in one utterance with the code's name, or right after the other's question."""
    part = stream.part_at(run.start)
    return any(m.code and m.stream == number and m.part == part for m in before) or (
        _NAMED.search(stream.asked[part].rpartition(PAUSE)[2]) is not None
    )


def _is_something_else(number: int, stream: Stream, run: Run, before: list[_Mention]) -> bool:
    """Whether what was named last is something else: in the utterance itself, else in what was said before it."""
    part = stream.part_at(run.start)
    own = [m for m in before if m.stream == number and m.part == part]
    if own:
        last = max(own, key=lambda m: m.end)
        code = max((m for m in own if m.code), key=lambda m: m.end, default=None)
        if last.code or code is None:
            return not last.code
        return _BOTH.match(stream.plain, code.end) is None  # 安全码和有效期: in whichever order they come
    latest = max(before, key=lambda m: m.time_s)
    return not any(m.code for m in before if (m.stream, m.part) == (latest.stream, latest.part))


def _echoes(streams: tuple[Stream, ...], code: _Code) -> Iterator[_Code]:
    """What the other repeats of a code, heard so badly that a single digit is left of it (三母机 for 三五七)."""
    for number, stream in enumerate(streams):
        if number == code.stream:
            continue
        soonest = bisect_left(stream.parts, code.span.end - _ECHO_EARLY_S, key=_begins)
        latest = bisect_right(stream.parts, code.span.end + _ECHO_S, key=_begins)
        for part in stream.parts[soonest:latest]:
            at = part.at
            until = at + min(_BEFORE, len(part.utterance.text))
            lone = _LONE.search(stream.coded, at, until)
            if lone is None or _OTHER.search(stream.plain, at, lone.start()) or SIGN in stream.plain[at:until]:
                continue
            token = Token(lone.start(), lone.end(), "0")
            heard = span_of(stream, token)
            yield _Code(number, token.start, token.end, TimeSpan(heard.start, heard.end + _ECHO_LASTS_S))


def _begins(part: Said) -> float:
    return part.utterance.start


def _disjoint(edits: list[Edit]) -> list[Edit]:
    kept: list[Edit] = []
    for edit in sorted(edits, key=lambda e: (e.start, -e.end)):
        if kept and edit.start < kept[-1].end:
            kept[-1] = replace(kept[-1], end=max(kept[-1].end, edit.end))
        else:
            kept.append(edit)
    return kept
