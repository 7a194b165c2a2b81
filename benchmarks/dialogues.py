"""Made-up Mandarin service calls as conversations, without audio: for measuring what reads conversations.

Guarantee: the same number gives the same call; calls differ in what is said, how sure it is and when.
"""

import random
from itertools import accumulate

from qa_service.domain.alignment import turns_of
from qa_service.domain.conversation import Conversation, SpeakerRole, SpeakerSpeech, TextOverlay, Utterance, Word
from qa_service.domain.numbers.finder import find_numbers
from qa_service.domain.text import fold
from qa_service.domain.timeline import union
from qa_service.pinyin import syllables

OPENING = ("您好，这里是晨光家电客服中心", "工号{n}为您服务", "请问有什么可以帮您")
AGENT = (
    "好的，我先帮您查一下这个订单",
    "请您把订单号报一下",
    "嗯，我看到了",
    "您的订单是上个星期三发出来的",
    "目前显示在配送途中",
    "预计明天下午就能送到",
    "这个我可以帮您登记一下",
    "师傅上门之前会先给您打电话",
    "您的地址还是原来那个小区吗",
    "好的，那我帮您改成星期六上午",
    "保修期是从购买那天开始算的",
    "发票已经发到您的邮箱里了",
    "您可以先把电源拔掉等五分钟再试",
    "这种情况一般是滤网需要清洗",
    "非常抱歉给您带来不便",
    "我理解您的心情",
    "我会把您的意见反馈给相关部门",
    "请您稍等，我核实一下",
    "让您久等了",
    "退款大概需要三到五个工作日",
    "这边已经给您备注好了",
    "安装费用是{n}元",
    "您还需要别的型号吗",
    "可以的，没有问题",
)
CUSTOMER = (
    "你好，我想问一下我的订单",
    "订单号是{n}",
    "我上个月在你们这里买了一台洗衣机",
    "怎么到现在还没有送到",
    "嗯",
    "对",
    "好的",
    "是的，就是那个小区",
    "那什么时候能送过来",
    "我平时白天都不在家",
    "能不能改到周末",
    "机器转起来声音特别大",
    "我已经试过了还是不行",
    "上次也是这样，等了好几天",
    "你们能不能快一点",
    "那费用怎么算",
    "发票我没有收到",
    "行，那就星期六吧",
    "我记一下",
    "那个师傅的电话有吗",
    "哦，这样啊",
    "那好吧",
)
CLOSING = (
    "请问您还有其他问题吗",
    "没有了，谢谢",
    "不客气，感谢您的来电",
    "请您稍后对我的服务做出评价",
    "再见",
    "好，再见",
)
CLOSERS = "acaaac"


def dialogue(number: int, *, utterances: int = 60) -> Conversation:
    """Call ``number``: ``utterances`` utterances of about fifteen characters, agent and customer in turn."""
    rng = random.Random(number)
    lines: list[tuple[str, str]] = [("a", line) for line in OPENING]
    while len(lines) < utterances - len(CLOSING):
        who = "c" if lines[-1][0] == "a" or rng.random() < 0.2 else "a"
        said = rng.choice(CUSTOMER if who == "c" else AGENT)
        if rng.random() < 0.5:
            said += "，" + rng.choice(CUSTOMER if who == "c" else AGENT)
        lines.append((who, said))
    lines += list(zip(CLOSERS, CLOSING, strict=True))
    found, at = [], rng.uniform(0.3, 1.5)
    for index, (who, line) in enumerate(lines):
        text = line.replace("{n}", str(rng.randrange(1000, 9999)))
        found.append(_utterance(index, who, text, at, rng))
        at = found[-1].end + rng.uniform(0.2, 1.5)
    spoken = tuple(found)
    return Conversation(
        duration_s=at,
        language="zh",
        utterances=spoken,
        turns=turns_of(spoken),
        speech=tuple(
            SpeakerSpeech(channel, role, union(u.span for u in spoken if u.role is role), -20.0)
            for channel, role in enumerate((SpeakerRole.AGENT, SpeakerRole.CUSTOMER))
        ),
        role_source="metadata",
        overlap_measurable=True,
    )


def _utterance(index: int, who: str, text: str, start: float, rng: random.Random) -> Utterance:
    role = SpeakerRole.AGENT if who == "a" else SpeakerRole.CUSTOMER
    characters = [text[i] for i in range(len(text))]
    step_s = rng.uniform(0.16, 0.24)
    words = tuple(
        Word(c, start + n * step_s, start + (n + 1) * step_s, round(min(1.0, rng.betavariate(12, 1)), 3))
        for n, c in enumerate(characters)
    )
    folded = fold(text)
    return Utterance(
        index=index,
        role=role,
        channel=0 if who == "a" else 1,
        start=start,
        end=start + len(characters) * step_s,
        text=text,
        raw_text=text,
        words=words,
        word_offsets=tuple(accumulate((1 for _ in characters[:-1]), initial=0)),
        confidence=sum(w.confidence for w in words) / len(words),
        overlay=TextOverlay(folded.text, folded.offsets, syllables(folded.text)),
        numbers=find_numbers(text),
    )
