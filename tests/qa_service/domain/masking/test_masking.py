import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_service.domain.conversation import Conversation, SpeakerRole, Utterance
from qa_service.domain.masking.finding import NumberClass
from qa_service.domain.masking.masking import invented, mask, mask_reference, mask_text
from qa_service.domain.results import Evidence, OpenItem, Outcome, RuleResult, Severity
from tests.builders import AGENT, CUSTOMER, UNKNOWN, conversation, utterance


def call(*said: tuple[SpeakerRole, str], language: str = "zh", pause_s: float = 1.0) -> Conversation:
    """A dialogue whose utterances follow one another."""
    found: list[Utterance] = []
    for role, text in said:
        found.append(utterance(text, found[-1].end + pause_s if found else 0.5, role=role))
    return conversation(*found, duration_s=600.0, language=language)


def texts(said: Conversation) -> list[str]:
    return [u.text for u in said.utterances]


def masked(*said: tuple[SpeakerRole, str], language: str = "zh", pause_s: float = 1.0) -> list[str]:
    return texts(mask(call(*said, language=language, pause_s=pause_s)).conversation)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("登记的手机号是13800001234，对吗", "登记的手机号是138****1234，对吗"),
        ("登记的手机号是幺三八，零零零零，幺二三四，对吗", "登记的手机号是幺三八，****，幺二三四，对吗"),
        ("手机号是要三把00001234身份", "手机号是要三把****1234身份"),
        ("请您记录一三八零零零零一二三四", "请您记录一三八****一二三四"),
        ("身份证号是32128319751326984X", "身份证号是**************984X"),
        ("身份证号，三二幺二八三，幺九七五，幺三二六，九八四七。", "身份证号，******，****，****，九八四七。"),
        ("卡号是6222 0212 3456 7890 123，对吧", "卡号是**** **** **** ***0 123，对吧"),
        ("他的卡是两二零零三三三三四四四四五五五五，对", "他的卡是************五五五五，对"),
        ("我家的电话是0571-88306212", "我家的电话是****-****6212"),
        ("我家电话88306212，没有区号", "我家电话******12，没有区号"),
        ("手机号我也报给你,139672056。", "手机号我也报给你,*******56。"),
        ("身份证号是二咬零咬零幺九八把把咬散零物此散而咬。", "身份证号是*************物此散而咬。"),
        ("手机号是138001慈38000", "手机号是138***慈*8000"),
        ("幺三八三个零幺二三四五，是我的手机", "幺三八**二三四五，是我的手机"),
    ],
)
def test_numbers_are_hidden_however_they_are_said(said: str, shown: str) -> None:
    assert masked((CUSTOMER, said)) == [shown]


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("My mobile is 07712 409663.", "My mobile is ***** **9663."),
        ("Her mobile is oh seven seven double one two, four zero nine, six six three.",
         "Her mobile is * * * * *, * * nine, six six three."),
        ("The card is 4539-1128-7704-2615.", "The card is ****-****-****-2615."),
        ("His social security number is 123 45 6789.", "His social security number is *** ** **89."),
        ("Call me back on five five five, one two three, four five six seven.",
         "Call me back on * * *, * * *, * * six seven."),
    ],
)  # fmt: skip
def test_english_numbers_are_hidden(said: str, shown: str) -> None:
    assert masked((CUSTOMER, said), language="en") == [shown]


@pytest.mark.parametrize(
    "said",
    [
        "您好，工号8023为您服务",
        "您的订单号是202403170012345",
        "单号是七零二三，五五幺八",
        "工单号20955731，您拿这个号在手机上查",
        "编号是2024-03-0317吧",
        "我就要投诉到12366，还要打12345和95588",
        "投诉专线，号码是四零零，六幺七，五五二零",
        "热线是400-800-1234",
        "信用卡尾号6677，本期账单是八千六百四十元，最低还款864.00元",
        "二零二五年三月十二号下午三点二十，一共3280000元",
        "身份证后四位是6132，手机尾号8000",
        "户号是60218845，住8号楼2单元1603",
        "第一个是12345和23456，金额328亿402万，357到402号",
        "这个要是有意思就要一起去，又要散步",
        "电话我打了十几个，您就给我一个说法",
    ],
)
def test_what_is_evidence_and_no_secret_stays(said: str) -> None:
    spoken = call((AGENT, said))
    assert mask(spoken).conversation is spoken
    assert mask(spoken).silent == ()


@pytest.mark.parametrize(
    "said",
    [
        "Your order number is one two three four five six seven eight nine zero one.",
        "The claim number is 77104, agent number 318.",
        "It's 800-555-0172, our hotline is open 24 7.",
        "There is a fee of 1,250,000 dollars on the 12th of March 2025.",
    ],
)
def test_english_evidence_stays(said: str) -> None:
    assert masked((AGENT, said), language="en") == [said]


def test_a_number_in_pieces_is_one_number() -> None:
    shown = masked(
        (AGENT, "请您报一下手机号"),
        (CUSTOMER, "幺三八"),
        (AGENT, "嗯"),
        (CUSTOMER, "零零幺三"),
        (AGENT, "好"),
        (CUSTOMER, "那个，八零零零"),
    )
    assert shown == ["请您报一下手机号", "幺三八", "嗯", "****", "好", "那个，八零零零"]


def test_a_piece_after_a_long_pause_is_another_number() -> None:
    assert masked((CUSTOMER, "单元是幺三八"), (CUSTOMER, "零零幺三八零零零"), pause_s=30.0) == [
        "单元是幺三八",
        "零零幺三八零零零",
    ]


def test_pieces_of_two_speakers_are_no_number() -> None:
    assert masked((AGENT, "一三八零零"), (CUSTOMER, "一三八零零零")) == ["一三八零零", "一三八零零零"]


def test_voices_without_a_role_are_told_apart() -> None:
    first = utterance("一三八零零", 0.5, role=UNKNOWN)
    second = replace(utterance("一三八零零零", 3.0, role=UNKNOWN), speaker=1)
    same = replace(second, speaker=0)
    assert mask(conversation(first, second)).numbers == ()
    assert [n.kind for n in mask(conversation(first, same)).numbers] == [NumberClass.PHONE]


def test_who_asks_says_what_the_number_is() -> None:
    assert masked((AGENT, "请您报一下订单号"), (CUSTOMER, "66208177861")) == ["请您报一下订单号", "66208177861"]
    assert masked((AGENT, "请您报一下电话"), (CUSTOMER, "66208177")) == ["请您报一下电话", "******77"]
    assert masked((AGENT, "请问您贵姓"), (CUSTOMER, "66208177")) == ["请问您贵姓", "66208177"]


def test_the_nearest_name_counts() -> None:
    assert masked((AGENT, "您的手机登记的订单是13800138000")) == ["您的手机登记的订单是13800138000"]
    assert masked((AGENT, "您的订单登记的手机是13800138000")) == ["您的订单登记的手机是138****8000"]


def test_an_identity_number_is_one_by_its_check_character() -> None:
    assert masked((AGENT, "编号是11010519491231002X")) == ["编号是**************002X"]
    assert masked((AGENT, "编号是110105194912310029")) == ["编号是110105194912310029"]


def test_a_number_beside_another_is_cut_from_it() -> None:
    assert masked((AGENT, "工号8023，13800138000")) == ["工号8023，138****8000"]
    assert masked((CUSTOMER, "手机13800138000，13900001234")) == ["手机138****8000，139****1234"]
    assert mask_text("8023，13800138000") == "8023，138****8000"


def test_silence_covers_the_number_and_what_may_be_lost_around_it() -> None:
    said = utterance("手机号13800001234，对", 10.0, role=CUSTOMER)
    first, last = said.words[3], said.words[13]
    (span,) = mask(conversation(said)).silent
    assert span.start == pytest.approx(first.start - 0.3)
    assert span.end == pytest.approx(last.end + 0.3)


def test_silence_covers_the_pause_between_pieces() -> None:
    said = mask(call((CUSTOMER, "手机是幺三八零"), (AGENT, "嗯"), (CUSTOMER, "零幺三八零零零")))
    (number,) = said.numbers
    assert said.silent == (number.span,)
    assert number.utterances == (0, 2)
    assert number.digits == 11


def test_words_raw_text_overlay_and_numbers_are_hidden_too() -> None:
    said = call((CUSTOMER, "三千块，手机号13800001234，三月五号打给我"))
    (hidden,) = mask(said).conversation.utterances
    assert "".join(word.text for word in hidden.words) == hidden.text == hidden.raw_text
    assert hidden.overlay.folded == "三千块手机号1381234三月五号打给我"
    assert [hidden.text[i] for i in hidden.overlay.offsets] == list(hidden.overlay.folded)
    assert "0000" not in repr(hidden)
    assert hidden.quote(0, 3) == "三千块"


def test_raw_words_that_do_not_fit_the_text_are_not_shown() -> None:
    said = replace(utterance("手机号13800001234"), raw_text="手機號碼13800001234")
    (hidden,) = mask(conversation(said)).conversation.utterances
    assert "0000" not in repr(hidden)


def test_evidence_is_hidden_as_its_utterances_are() -> None:
    said = mask(call((CUSTOMER, "他的手机号是幺三八"), (CUSTOMER, "零零零零幺二三四，谢谢")))
    quoted = Evidence(0.0, 9.0, CUSTOMER, "幺三八 … 零零零零幺二三四，", (0, 1))
    (shown,) = said.evidence([quoted])
    assert shown == replace(quoted, quote="幺三八 … ****幺二三四，")
    assert said.quote("零零零零", (1,)) == "****"
    assert said.quote("零零零零") == "****"
    assert said.quote("谢谢", (1,)) == "谢谢"
    assert said.quote("手机号是13900005678", (0,)) == "手机号是139****5678"


def test_an_order_number_stays_in_evidence_though_its_name_is_not_quoted() -> None:
    said = mask(call((AGENT, "订单号是2025031700123，手机号是13800001234")))
    assert said.quote("2025031700123", (0,)) == "2025031700123"
    assert said.quote("13800001234", (0,)) == "138****1234"


def test_results_and_open_items_are_hidden_too() -> None:
    quoted = Evidence(0.0, 9.0, AGENT, "回电话13800001234", (0,))
    result = RuleResult(
        "privacy", "t", Outcome.NOT_MET, Severity.MAJOR, (quoted,), opens=(OpenItem("reply", 3, quoted),)
    )
    shown = mask(call((AGENT, "我会给您回电话13800001234"))).result(result)
    assert shown.evidence[0].quote == shown.opens[0].evidence.quote == "回电话138****1234"
    assert replace(shown, evidence=result.evidence, opens=result.opens) == result


def test_a_case_made_from_a_call_holds_a_number_that_is_nobodys() -> None:
    spoken = call((AGENT, "手机号是13800001234，工号8023"), (CUSTOMER, "卡号六二二二，零二幺二，三四五六，七八"))
    assert invented(spoken) == ("手机号是00000000000，工号8023", "卡号零零零零，零零零零，零零零零，零零")
    english = call((CUSTOMER, "my mobile is oh seven seven double one two, four zero nine, 663"), language="en")
    assert invented(english) == ("my mobile is zero zero zero zero zero zero, zero zero zero, 000",)


def test_a_monologue_of_digits_takes_no_longer_than_its_length() -> None:
    (shown,) = masked((CUSTOMER, "幺三八" * 10_000))
    assert shown == "*" * 29_996 + "八幺三八"


def test_evidence_of_a_call_without_numbers_is_as_it_is() -> None:
    evidence = (Evidence(0.0, 1.0, AGENT, "您好", (0,)),)
    assert mask(call((AGENT, "您好"))).evidence(evidence) == evidence


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("13800138000", "138****8000"),
        ("+86 138 0013 8000", "+86 138 **** 8000"),
        ("20250317-101530_8001_13800138000.wav", "20250317-101530_8001_138****8000.wav"),
        ("20250317101530.wav", "20250317101530.wav"),
        ("1742181330.1234", "1742181330.1234"),
        ("C-20250317-0001", "C-20250317-0001"),
        ("q-6222021234567890123.mp3", "q-***************0123.mp3"),
        ("11010519491231002X", "**************002X"),
        ("１３８００１３８０００", "１３８****８０００"),
    ],
)
def test_references_and_names_of_files(text: str, shown: str) -> None:
    assert mask_reference(text) == shown
    assert mask_text(text) == shown


def test_free_text() -> None:
    assert mask_text("客户说身份证110105 19491231 0021，请回电0571-88306212") == (
        "客户说身份证****** ******** 0021，请回电****-****6212"
    )
    assert mask_text("已核对工号8023，订单2025031700123") == "已核对工号8023，订单2025031700123"


DIGITS = {
    "figures": "0123456789",
    "han": "零一二三四五六七八九",
    "spoken": "零幺两三四五六七八九",
}
ENGLISH = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def _values(text: str) -> str:
    """The digits that a reader could make out."""
    for value, word in enumerate(ENGLISH):
        text = re.sub(rf"(?i)\b{word}\b", str(value), text)
    for alphabet in DIGITS.values():
        text = text.translate(str.maketrans(alphabet, "0123456789"))
    return re.sub(r"[^0-9*]", "", text)


numbers = st.one_of(
    st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True),
    st.from_regex(r"[1-6][0-9]{5}19[5-9][0-9]0[1-9]1[0-9][0-9]{4}", fullmatch=True),
    st.from_regex(r"62[0-9]{14,17}", fullmatch=True),
)


@st.composite
def dialogues(draw: st.DrawFn) -> tuple[str, Conversation]:
    """A number that is said in pieces, and the call it is said in."""
    number = draw(numbers)
    cuts = sorted(draw(st.sets(st.integers(1, len(number) - 1), max_size=4)))
    pieces = [number[a:b] for a, b in zip([0, *cuts], [*cuts, len(number)], strict=True)]
    style = draw(st.sampled_from([*DIGITS, "english"]))
    if style == "english":
        pieces = [" ".join(ENGLISH[int(d)] for d in piece) for piece in pieces]
    else:
        pieces = [piece.translate(str.maketrans("0123456789", DIGITS[style])) for piece in pieces]
    joins = draw(st.sampled_from([", ", "，", "。嗯，", " uh, " if style == "english" else "，那个，", None]))
    name = draw(st.sampled_from(["", "My card number is " if style == "english" else "卡号是"]))
    if joins is None:
        said = [(CUSTOMER, piece) for piece in (name + pieces[0], *pieces[1:])]
        turns = [turn for piece in said for turn in (piece, (AGENT, "嗯"))]
    else:
        turns = [(CUSTOMER, name + joins.join(pieces) + "。"), (AGENT, "好的")]
    return number, call((AGENT, "您好，请讲"), *turns, language="en" if style == "english" else "zh")


@given(dialogues())
def test_no_more_of_a_number_survives_than_is_shown(drawn: tuple[str, Conversation]) -> None:
    number, spoken = drawn
    hidden = mask(spoken)
    customer = [u for u in hidden.conversation.utterances if u.role is CUSTOMER]
    for shown in (
        "".join(u.text for u in customer),
        "".join(u.raw_text for u in customer),
        "".join(w.text for u in customer for w in u.words),
    ):
        left = _values(shown)
        assert number not in left.replace("*", "")
        assert len(left.replace("*", "")) <= 7
        assert max(map(len, re.findall("[0-9]+", left)), default=0) <= 4
    folded = _values(" ".join(u.overlay.folded for u in customer))
    assert len(folded) <= 7
    assert all(len(n.value) <= 4 for u in customer for n in u.numbers)
    again = mask(hidden.conversation)
    assert again.conversation == hidden.conversation
    assert again.numbers == ()
    assert all(0 <= span.start <= span.end <= spoken.duration_s for span in hidden.silent)
    words = [w for u in spoken.utterances if u.role is CUSTOMER for w in u.words if _values(w.text)]
    assert all(any(s.start <= w.start and w.end <= s.end for s in hidden.silent) for w in words)


ordinary = st.lists(
    st.tuples(
        st.sampled_from([AGENT, CUSTOMER, UNKNOWN]),
        st.text(alphabet="您好的要一二两三十百3千元工号，。ab 8点*手机电话号", min_size=1, max_size=30).map(
            lambda text: f"您{text}好"
        ),
    ),
    min_size=1,
    max_size=6,
)


@given(ordinary)
def test_masking_twice_is_masking_once_whatever_is_said(said: list[tuple[SpeakerRole, str]]) -> None:
    spoken = call(*said)
    hidden = mask(spoken)
    assert mask(hidden.conversation).conversation == hidden.conversation
    if not hidden.numbers:
        assert hidden.conversation is spoken
    for before, after in zip(spoken.utterances, hidden.conversation.utterances, strict=True):
        assert "".join(w.text for w in after.words) == after.raw_text or before.raw_text != before.text
        assert after.start == before.start
        assert len(after.overlay.folded) == len(after.overlay.offsets) == len(after.overlay.syllables)


@given(st.text(alphabet="0123456789幺两零一 -_.，*号手机x卡one two", max_size=60))
def test_text_masked_twice_is_text_masked_once(text: str) -> None:
    assert mask_text(mask_text(text)) == mask_text(text)
    assert mask_reference(mask_reference(text)) == mask_reference(text)
