"""Synthetic service calls in Mandarin: conversations as the speech stage would store them, as many as wanted.

Guarantee: the same seed and number give the same calls. They are varied for measuring speed and differences, not
accuracy: agents differ in how often they keep the rules, and words in how surely they were heard.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import accumulate

from qa_service.domain.alignment import turns_of
from qa_service.domain.call import CallMetadata, Direction, HangupSide, Purpose
from qa_service.domain.conversation import (
    Conversation,
    EngineRun,
    SpeakerRole,
    SpeakerSpeech,
    TextOverlay,
    Utterance,
    Word,
)
from qa_service.domain.text import fold
from qa_service.domain.timeline import TimeSpan, union
from qa_service.pinyin import syllables

AGENT, CUSTOMER = SpeakerRole.AGENT, SpeakerRole.CUSTOMER
AGENTS, TEAMS = 120, 8
FIRST_DAY = datetime(2026, 9, 1, tzinfo=UTC)
DAYS = 60

_GREETINGS = (
    "您好，怀信通信客服，工号{number}为您服务",
    "您好，这里是怀信通信，工号{number}",
    "您好欢迎致电怀信通信客服中心",
)
_OFFERS = ("请问有什么可以帮您", "请问您需要办理什么业务", "有什么需要我为您服务的吗")
_TOPICS = {
    "话费": ("我这个月话费怎么多了三十块钱", "我的账单不对，多扣了我的钱", "我想查一下这个月的话费明细"),
    "宽带": ("家里的宽带从昨天晚上就上不去网了", "网速特别慢，看个视频都卡", "我想把宽带移到新家去"),
    "套餐": ("我想换一个便宜一点的套餐", "我现在的套餐流量不够用", "帮我看看有没有适合老人的套餐"),
    "手机": ("我手机收不到验证码了", "我的号码被停机了是怎么回事", "我要补办一张电话卡"),
}
_ASKS = (
    "请您提供一下您的手机号码",
    "麻烦您报一下身份证的后四位",
    "请问机主本人是您吗",
    "您这边用的是什么型号的设备呢",
    "这个情况大概是什么时候开始的",
)
_ANSWERS = (
    "对是我本人",
    "一三八零零一二三四五六",
    "从昨天晚上开始的",
    "我也说不清楚",
    "就是你们营业厅给我装的",
    "好的你看一下",
)
_EXPLAINS = (
    "我这边看到您本月使用了国际漫游流量所以多出了三十元",
    "您当前的套餐是每月一百二十八元包含三十个吉的流量",
    "系统显示您的宽带账号状态正常需要师傅上门检查一下线路",
    "您可以在手机营业厅里面直接办理变更下个月一号生效",
    "这笔费用是因为上个月的赠送优惠到期了恢复了原来的资费",
    "我已经帮您登记好了工单会有专人在两个小时之内跟您联系",
)
_REACTS = (
    "嗯",
    "哦这样啊",
    "那怎么办呢",
    "我不太明白你说的",
    "好吧",
    "那行那就这样办吧",
    "为什么之前没有人告诉我",
)
_ANGRY = (
    "你们这是什么服务，我要投诉你们",
    "再不解决我就找媒体曝光",
    "都打了三次电话了还没有人管",
    "你能不能听我把话说完",
)
_SOOTHES = ("非常抱歉给您带来不便，我马上为您记录并反馈", "对不起，我非常理解您的心情，已经为您登记投诉")
_SNAPS = ("这个不归我们管，你自己想办法", "我不知道，跟我说也没用", "你再闹试试")
_PROMISES = ("我保证明天一定给您修好", "绝对没问题，百分之百能退")
_HOLDS = ("请您稍等，我帮您查询一下", "麻烦您稍等一会儿，我核实一下")
_BACK = ("感谢您的耐心等待", "让您久等了")
_MORE = ("请问还有其他可以帮您的吗", "您看还有什么需要咨询的")
_ENDS = ("感谢您的来电，祝您生活愉快，再见", "那就先这样，再见")
_NOISE = "的了是不我你有在这个那就说看还会要上下来去里面办打问题先生女士"


@dataclass(frozen=True, slots=True)
class SyntheticCall:
    """A call: what its bytes would be known by, what telephony says, and what was heard."""

    name: str
    metadata: CallMetadata
    conversation: Conversation


def synthetic_calls(count: int, *, seed: int = 5, utterances: int = 60) -> Iterator[SyntheticCall]:
    """``count`` calls of about ``utterances`` utterances, 15 characters each."""
    for number in range(count):
        yield _Writer(random.Random(f"{seed}/{number}"), number, utterances).call()


class _Writer:
    """Writes one call. How well an agent keeps the rules is the agent's own."""

    def __init__(self, chance: random.Random, number: int, utterances: int) -> None:
        self._chance, self._number, self._wanted = chance, number, utterances
        self._agent = chance.randrange(AGENTS)
        self._care = 0.55 + 0.45 * random.Random(f"agent {self._agent}").random()
        self._heard = chance.betavariate(8, 2)
        self._said: list[tuple[SpeakerRole, TimeSpan, tuple[str, ...]]] = []
        self._now_s = chance.uniform(0.3, 2.0)

    def call(self) -> SyntheticCall:
        self._open()
        while len(self._said) < self._wanted - 4:
            self._exchange()
        self._close()
        metadata = CallMetadata(
            call_id=f"c{self._number:07d}",
            direction=Direction.INBOUND,
            purpose=Purpose.SERVICE,
            agent_id=f"a{self._agent:03d}",
            team=f"team-{self._agent % TEAMS}",
            customer_ref=f"k{self._chance.randrange(50_000):05d}",
            started_at=FIRST_DAY + timedelta(seconds=self._chance.randrange(DAYS * 86_400)),
            ring_count=self._chance.choice((1, 1, 2, 2, 3, 6)),
            hangup_side=self._chance.choice((HangupSide.AGENT, HangupSide.CUSTOMER, HangupSide.CUSTOMER)),
        )
        return SyntheticCall(f"{metadata.call_id}.wav", metadata, self._conversation())

    def _open(self) -> None:
        greeting = self._chance.choice(_GREETINGS).format(number=8000 + self._agent)
        offer = self._chance.choice(_OFFERS) if self._keeps() else ""
        self._say(AGENT, *((greeting, offer) if self._keeps() else ("喂，哪位",)))
        self._say(CUSTOMER, self._chance.choice(_TOPICS[self._chance.choice(tuple(_TOPICS))]))

    def _exchange(self) -> None:
        chance = self._chance.random()
        if chance < 0.06:
            self._hold()
        elif chance < 0.12:
            self._say(CUSTOMER, self._chance.choice(_ANGRY))
            self._say(AGENT, self._chance.choice(_SOOTHES if self._keeps() else _SNAPS))
        elif chance < 0.14 and not self._keeps():
            self._say(AGENT, self._chance.choice(_PROMISES))
        elif chance < 0.4:
            self._say(AGENT, self._chance.choice(_ASKS))
            self._say(CUSTOMER, self._chance.choice(_ANSWERS), *self._filler(8))
        else:
            self._say(AGENT, self._chance.choice(_EXPLAINS), *self._filler(6))
            self._say(CUSTOMER, self._chance.choice(_REACTS), *self._filler(10))

    def _hold(self) -> None:
        if self._keeps():
            self._say(AGENT, self._chance.choice(_HOLDS))
        self._now_s += self._chance.uniform(4, 40)
        self._say(AGENT, self._chance.choice(_BACK if self._keeps() else _EXPLAINS))

    def _close(self) -> None:
        if self._keeps():
            self._say(AGENT, self._chance.choice(_MORE))
            self._say(CUSTOMER, "没有了谢谢")
        if self._keeps():
            self._say(AGENT, self._chance.choice(_ENDS))
        self._say(CUSTOMER, "再见")

    def _keeps(self) -> bool:
        return self._chance.random() < self._care

    def _filler(self, most: int) -> list[str]:
        return self._chance.choices(_NOISE, k=self._chance.randrange(most))

    def _say(self, role: SpeakerRole, *parts: str) -> None:
        pause_s = self._chance.gauss(0.5, 0.6)
        own = [span.end for said, span, _ in self._said if said is role]
        start = max(self._now_s + pause_s, own[-1] + 0.1 if own else 0.0)  # early: into the other's words
        end = start + max(0.4, sum(map(len, parts)) / self._chance.uniform(3.8, 5.6))
        self._said.append((role, TimeSpan(round(start, 2), round(end, 2)), parts))
        self._now_s = end

    def _conversation(self) -> Conversation:
        roles = (AGENT, CUSTOMER)
        utterances = tuple(
            _utterance(index, role, roles.index(role), span, parts, self._chance, self._heard)
            for index, (role, span, parts) in enumerate(sorted(self._said, key=lambda one: one[1]))
        )
        return Conversation(
            duration_s=self._now_s + 0.5,
            language="zh",
            utterances=utterances,
            turns=turns_of(utterances),
            speech=tuple(
                SpeakerSpeech(channel, role, union(u.span for u in utterances if u.role is role), -24.0)
                for channel, role in enumerate(roles)
            ),
            role_source="metadata",
            overlap_measurable=True,
            provenance=(EngineRun("asr", "synthetic", "none", "1", "cpu"),),
        )


def _utterance(
    index: int,
    role: SpeakerRole,
    channel: int,
    span: TimeSpan,
    parts: tuple[str, ...],
    chance: random.Random,
    heard: float,
) -> Utterance:
    text = "".join(parts)
    each_s = span.duration_s / len(text)
    words = tuple(
        Word(
            character,
            round(span.start + i * each_s, 3),
            round(span.start + (i + 1) * each_s, 3),
            round(_confidence(chance, heard), 3),
        )
        for i, character in enumerate(text)
    )
    return Utterance(
        index=index,
        role=role,
        channel=channel,
        start=span.start,
        end=span.end,
        text=text,
        raw_text=text,
        words=words,
        word_offsets=tuple(accumulate((len(word.text) for word in words[:-1]), initial=0)),
        confidence=round(sum(word.confidence for word in words) / len(words), 3),
        overlay=_overlay(parts),
    )


def _confidence(chance: random.Random, heard: float) -> float:
    """Most words as sure as the call is clear, one of fifteen a guess."""
    sure = heard + (1 - heard) * chance.random()
    return sure if chance.random() > 1 / 15 else 0.4 * sure


@cache
def _folded(part: str) -> TextOverlay:
    folded = fold(part)
    return TextOverlay(folded.text, folded.offsets, syllables(folded.text))


def _overlay(parts: tuple[str, ...]) -> TextOverlay:
    """Part by part, as the same ones come again and again: pinyin is by far the slowest of writing a call."""
    starts = accumulate(map(len, parts), initial=0)
    pieces = [(start, _folded(part)) for start, part in zip(starts, parts, strict=False)]
    return TextOverlay(
        "".join(piece.folded for _, piece in pieces),
        tuple(start + offset for start, piece in pieces for offset in piece.offsets),
        tuple(syllable for _, piece in pieces for syllable in piece.syllables),
    )
