from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_service.domain.conversation import Conversation, SpeakerRole, Utterance
from qa_service.domain.hearing import stretches
from qa_service.domain.masking.card_codes import SIGN, without_card_codes
from qa_service.domain.masking.masking import mask
from qa_service.domain.timeline import TimeSpan, intersection, total_s
from tests.builders import AGENT, CUSTOMER, conversation, utterance


def call(*said: tuple[SpeakerRole, str], language: str = "zh", pause_s: float = 1.0) -> Conversation:
    found: list[Utterance] = []
    for role, text in said:
        found.append(utterance(text, found[-1].end + pause_s if found else 0.5, role=role))
    return conversation(*found, duration_s=600.0, language=language)


def kept(*said: tuple[SpeakerRole, str], language: str = "zh", pause_s: float = 1.0) -> list[str]:
    return [u.text for u in without_card_codes(call(*said, language=language, pause_s=pause_s)).utterances]


@pytest.mark.parametrize(
    "question",
    [
        "请您报一下信用卡背面的后三位安全码",
        "麻烦提供一下卡片背面签名栏的三位数字",
        "CVV2是多少",
        "您的C V C是多少呢",
        "请问安全马是多少",
        "卡片反面末三位是什么",
        "您的卡验证码报一下",
    ],
)
@pytest.mark.parametrize("answer", ["三五七", "3 5 7", "357。", "要三五", "三百五十七", "幺两零九"])
def test_a_code_that_was_asked_for_is_not_kept(question: str, answer: str) -> None:
    kept_call = without_card_codes(call((AGENT, question), (CUSTOMER, answer), (AGENT, "好的，谢谢您")))
    asked, told, thanks = kept_call.utterances
    assert (asked.text, thanks.text) == (question, "好的，谢谢您")
    assert told.text.strip("。") == told.raw_text.strip("。") == SIGN
    assert "".join(w.text for w in told.words) == told.raw_text
    assert told.overlay.folded == ""
    assert told.numbers == ()
    (span,) = kept_call.card_codes
    assert span.start <= told.start
    assert told.end <= span.end


def test_a_code_that_is_repeated_and_one_that_is_told_unasked() -> None:
    assert kept((CUSTOMER, "嗯，背面是三位数，357"), (AGENT, "好的，三五七对吗")) == [
        f"嗯，背面是三位数，{SIGN}",
        f"好的，{SIGN}对吗",
    ]
    assert kept((CUSTOMER, "357是背面的安全码")) == [f"{SIGN}是背面的安全码"]


def test_a_code_after_the_cards_number() -> None:
    assert kept((CUSTOMER, "卡号是6222 0212 3456 7890，有效期零五二七，安全码三五七")) == [
        f"卡号是6222 0212 3456 7890，有效期零五二七，安全码{SIGN}"
    ]
    assert kept((AGENT, "请提供卡号和安全码"), (CUSTOMER, "6222 0212 3456 7890，357")) == [
        "请提供卡号和安全码",
        f"6222 0212 3456 7890，{SIGN}",
    ]
    assert kept((AGENT, "请提供安全码和有效期"), (CUSTOMER, "357，0527")) == [
        "请提供安全码和有效期",
        SIGN,
    ]


def test_codes_as_they_are_recognised() -> None:
    """What faster-whisper base wrote of rendered calls."""
    assert kept(
        (AGENT, "麻烦您在提供一下卡片背面金明南的后三位数字。"),
        (CUSTOMER, "那357"),
        (AGENT, "好的三母机,我帮您提交,信稍等,"),
        (CUSTOMER, "号内谢谢"),
        (AGENT, "请您再留一个联系电话。"),
        (CUSTOMER, "邀审吧"),
        (CUSTOMER, "0013"),
        (AGENT, "号的订单号是70235518,请您记录。"),
    ) == [
        "麻烦您在提供一下卡片背面金明南的后三位数字。",
        f"那{SIGN}",
        f"好的{SIGN}母机,我帮您提交,信稍等,",
        "号内谢谢",
        "请您再留一个联系电话。",
        "邀审吧",
        "0013",
        "号的订单号是70235518,请您记录。",
    ]
    assert kept(
        (AGENT, "就是卡背面的三位数字。"),
        (CUSTOMER, "我是029,"),
        (AGENT, "029对吗?"),
        (CUSTOMER, "对零二九,"),
        (AGENT, "好的请问身份证后四位是多少?"),
        (CUSTOMER, "六有三二,"),
    ) == [
        "就是卡背面的三位数字。",
        f"我是{SIGN},",
        f"{SIGN}对吗?",
        f"对{SIGN},",
        "好的请问身份证后四位是多少?",
        "六有三二,",
    ]
    assert kept((CUSTOMER, "我的卡号1622、021、3456、7890、有效期是0928背面后三尾式486。")) == [
        f"我的卡号1622、021、3456、7890、有效期是0928背面后三尾式{SIGN}。"
    ]


def test_an_echo_that_was_hardly_heard_is_silent_to_its_end() -> None:
    spoken = call((AGENT, "安全码报一下"), (CUSTOMER, "三五七"), (AGENT, "好的三母机，请稍等"))
    echo = spoken.utterances[2]
    silent = without_card_codes(spoken).card_codes
    assert total_s(intersection(silent, (TimeSpan(echo.words[2].start, echo.words[4].end),))) == 0.75


def test_what_follows_a_code_and_counts_something_is_kept() -> None:
    for said in ("好的，3天内到账", "好的，第三步", "好的，您等一下", "好的，七块钱", "工号8023收到"):
        assert kept((AGENT, "安全码报一下"), (CUSTOMER, "三五七"), (AGENT, said))[-1] == said


def test_a_question_whether_something_is_safe_names_no_code() -> None:
    assert kept((CUSTOMER, "这样安全吗"), (AGENT, "安全的，您记一下 357")) == [
        "这样安全吗",
        "安全的，您记一下 357",
    ]
    assert kept((AGENT, "安全吗是多少"), (CUSTOMER, "357"))[-1] == SIGN


def test_an_english_code() -> None:
    assert kept(
        (AGENT, "What is the security code on the back?"),
        (CUSTOMER, "It is four one nine."),
        (AGENT, "Four one nine, thank you."),
        language="en",
    ) == ["What is the security code on the back?", f"It is {SIGN}.", f"{SIGN}, thank you."]
    assert kept((CUSTOMER, "The CVC is 4 19, and it expires in 0527."), language="en") == [
        f"The CVC is {SIGN}, and it expires in 0527."
    ]


@pytest.mark.parametrize(
    "said",
    [
        [(AGENT, "请提供身份证后三位"), (CUSTOMER, "六三一")],
        [(AGENT, "工号302，请您报一下订单号"), (CUSTOMER, "70235518")],
        [(AGENT, "安全码请您不要告诉任何人"), (AGENT, "您的账单是八百六十四元，最低357块")],
        [(AGENT, "安全码报一下，尾号是6677"), (CUSTOMER, "稍等，我要看一下")],
        [(AGENT, "安全码我们不要"), (AGENT, "有效期是多少"), (CUSTOMER, "0527")],
    ],
)
def test_other_numbers_are_kept(said: list[tuple[SpeakerRole, str]]) -> None:
    spoken = call(*said)
    assert without_card_codes(spoken) is spoken


def test_a_number_long_after_the_question_is_kept() -> None:
    said = [(AGENT, "请报一下安全码"), (CUSTOMER, "算了我不办了"), (AGENT, "您的分机是 357")]
    assert kept(*said, pause_s=20.0)[-1] == "您的分机是 357"


def test_silence_is_added_to_what_masking_silences() -> None:
    spoken = without_card_codes(call((AGENT, "安全码"), (CUSTOMER, "三五七"), (CUSTOMER, "手机13800138000")))
    hidden = mask(spoken)
    assert len(hidden.numbers) == 1
    for span in (*spoken.card_codes, hidden.numbers[0].span):
        assert any(s.start <= span.start and span.end <= s.end for s in hidden.silent)


def test_a_code_counts_as_heard() -> None:
    """Whoever said it is not taken for somebody whom the recogniser could not hear."""
    spoken = call((AGENT, "安全码"), (CUSTOMER, "是三五七对"))
    before, after = (stretches(c.utterances[1]) for c in (spoken, without_card_codes(spoken)))
    assert (after[0][0], after[-1][1]) == (before[0][0], before[-1][1])


def test_an_earlier_silence_is_kept() -> None:
    earlier = TimeSpan(100.0, 101.0)
    spoken = replace(call((AGENT, "安全码"), (CUSTOMER, "三五七")), card_codes=(earlier,))
    assert earlier in without_card_codes(spoken).card_codes


@given(
    st.lists(
        st.tuples(
            st.sampled_from([AGENT, CUSTOMER]),
            st.lists(
                st.sampled_from(
                    [
                        "安全码",
                        "CVV",
                        "三五七",
                        "357",
                        "2",
                        "要",
                        "，",
                        "有效期",
                        "嗯",
                        "6222 0212 3456 7890",
                        "好",
                        "***",
                    ]
                ),
                min_size=1,
                max_size=8,
            ).map(lambda words: "您" + "".join(words)),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_doing_it_again_changes_nothing(said: list[tuple[SpeakerRole, str]]) -> None:
    once = without_card_codes(call(*said))
    assert without_card_codes(once) == once
    assert all(0 <= span.start <= span.end <= once.duration_s for span in once.card_codes)


@given(st.integers(0, 9999), st.sampled_from(["，", " ", "。嗯", ""]), st.sampled_from([3, 4]))
def test_no_digit_of_a_code_survives(code: int, join: str, length: int) -> None:
    digits = str(code).zfill(length)[-length:]
    for alphabet in ("0123456789", "零幺二三四五六七八九"):
        said = join.join(digits.translate(str.maketrans("0123456789", alphabet)))
        (_, told) = kept((AGENT, "请报一下背面的安全码"), (CUSTOMER, f"是{said}"))
        assert not set(told) & set(alphabet)
