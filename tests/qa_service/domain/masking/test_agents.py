"""A colleague's clip without the colleague."""

import pytest

from qa_service.domain.masking.agents import HIDDEN, without_agent


@pytest.mark.parametrize(
    ("quote", "left"),
    [
        ("您好，商城客服，工号1024为您服务", f"您好，商城客服，工号{HIDDEN}为您服务"),
        ("您好，工号是幺零二四", f"您好，工号是{HIDDEN}"),
        ("您好，我叫李娜，请问", f"您好，我叫{HIDDEN}，请问"),
        ("您好，李小娜为您服务", f"您好，{HIDDEN}为您服务"),
        ("叫我小娜就好", f"叫我{HIDDEN}就好"),
        ("Hello, my name is Jane Doe, agent number 12 34", f"Hello, my name is {HIDDEN}, agent number {HIDDEN}"),
        ("请您记录订单号2233", "请您记录订单号2233"),
        ("", ""),
    ],
)
def test_name_and_number_are_gone(quote: str, left: str) -> None:
    assert without_agent(quote, "李小娜", "1024") == left


def test_what_nobody_told_is_not_searched_for() -> None:
    assert without_agent("请问还有什么问题吗", None, None) == "请问还有什么问题吗"
    assert without_agent("李 一", "李", None) == "李 一", "a single character is in half of all sentences"
