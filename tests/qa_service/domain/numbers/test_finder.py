"""Numbers in what was said: what is found, what is left alone, and what holds for any text."""

import re
import time
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_service.domain.numbers.entity import NumberKind, SpokenNumber
from qa_service.domain.numbers.finder import find_numbers


def said(text: str) -> list[str]:
    """What is found, as ``words=kind:value unit``; ``~`` marks an approximate value."""
    return [
        f"{text[n.start : n.end]}={n.kind}:{n.value}{n.unit and ' ' + n.unit}{'~' * n.approximate}"
        for n in find_numbers(text)
    ]


MANDARIN = [
    # digit runs
    ("工号八零二三为您服务", "八零二三=digits:8023"),
    ("公号5107位您服务", "5107=digits:5107"),
    ("我是6035号客服", "6035=digits:6035"),
    ("验证码是七二六", "七二六=digits:726"),
    ("工号零一九", "零一九=digits:019"),
    ("户号是６０２１８８４５", "６０２１８８４５=digits:60218845"),
    ("找到了是7530二九四六名字叫何俊", "7530二九四六=digits:75302946"),
    ("编号是2024-03-0317吧", "2024-03-0317=digits:2024030317"),
    ("七零二三，五五幺八", "七零二三，五五幺八=digits:70235518"),
    ("我就打幺二三四五告你们", "幺二三四五=digits:12345"),
    ("〇五七幺", "〇五七幺=digits:0571"),
    # what the shape of a run says
    ("手机号是幺三九，零零零零，五六七八。", "幺三九，零零零零，五六七八=phone:13900005678"),
    ("打400-617-5520", "400-617-5520=phone:4006175520"),
    ("正好是0571883062", "0571883062=phone:0571883062"),
    (
        "身份证三二零一零二一九九零零三零七二一四X",
        "三二零一零二一九九零零三零七二一四X=identity:32010219900307214X",
    ),
    ("320102 19900307 2143", "320102 19900307 2143=identity:320102199003072143"),
    ("卡号6222 0200 0000 1234 567", "6222 0200 0000 1234 567=card:6222020000001234567"),
    (
        "三二幺二八三，幺九七五，幺三二六，九八四七",
        "三二幺二八三，幺九七五，幺三二六，九八四七=card:321283197513269847",
    ),
    # amounts
    ("三千二百八十元", "三千二百八十元=amount:3280 CNY"),
    ("多了五十多块钱", "五十多块钱=amount:50 CNY~"),
    ("50多块", "50多块=amount:50 CNY~"),
    ("本期8,640元", "8,640元=amount:8640 CNY"),
    ("两块五", "两块五=amount:2.5 CNY"),
    ("三块五毛", "三块五毛=amount:3.5 CNY"),
    ("三元五角二分", "三元五角二分=amount:3.52 CNY"),
    ("五毛钱", "五毛钱=amount:0.5 CNY"),
    ("十块半", "十块半=amount:10.5 CNY"),
    ("一块钱", "一块钱=amount:1 CNY"),
    ("一点五万元", "一点五万元=amount:15000 CNY"),
    ("1.5万元", "1.5万元=amount:15000 CNY"),
    ("二十多万块", "二十多万块=amount:200000 CNY~"),
    ("五百美金", "五百美金=amount:500 USD"),
    ("￥50", "￥50=amount:50 CNY"),
    # percentages
    ("年化百分之十五", "百分之十五=percent:15"),
    ("百分之三点五", "百分之三点五=percent:3.5"),
    ("百分之零点五", "百分之零点五=percent:0.5"),
    ("百分之百保证", "百分之百=percent:100"),
    ("3.5%", "3.5%=percent:3.5"),
    ("５％", "５％=percent:5"),
    # dates
    ("3月5号开通的", "3月5号=date:--03-05"),
    ("二零二五年三月五号", "二零二五年三月五号=date:2025-03-05"),
    ("2025年12月", "2025年12月=date:2025-12"),
    ("五月份的账单", "五月份=date:--05"),
    ("二零二五年", "二零二五年=date:2025"),
    ("2025-03-05", "2025-03-05=date:2025-03-05"),
    ("二月二十九号", "二月二十九号=date:--02-29"),
    # times
    ("下周三上午八点半", "八点半=time:08:30"),
    ("下午三点零五", "三点零五=time:15:05"),
    ("三点二十", "三点二十=time:03:20"),
    ("三点五分", "三点五分=time:03:05"),
    ("中午一点", "一点=time:13:00"),
    ("晚上十二点", "十二点=time:00:00"),
    ("两点一刻", "两点一刻=time:02:15"),
    ("一点半", "一点半=time:01:30"),
    ("八点钟", "八点钟=time:08:00"),
    ("下午3:30", "3:30=time:15:30"),
    # durations
    ("提前二十分钟", "二十分钟=duration:PT20M"),
    ("二十四小时之内", "二十四小时=duration:PT24H"),
    ("两个半小时", "两个半小时=duration:PT2.5H"),
    ("半个小时", "半个小时=duration:PT30M"),
    ("七天无理由", "七天=duration:P7D"),
    ("快两个月了", "两个月=duration:P2M"),
    ("做了八年了", "八年=duration:P8Y"),
    # cardinals
    ("一百二", "一百二=cardinal:120"),
    ("三千五", "三千五=cardinal:3500"),
    ("两千零五", "两千零五=cardinal:2005"),
    ("一万零二十", "一万零二十=cardinal:10020"),
    ("三亿五千万", "三亿五千万=cardinal:350000000"),
    ("3万5", "3万5=cardinal:35000"),
    ("三点五倍", "三点五=cardinal:3.5"),
    ("3000个", "3000=cardinal:3000"),
    ("打了十几个了", "十几=cardinal:10~"),
    ("第三次", "第三=ordinal:3"),
    ("十三月", "十三=cardinal:13"),  # no month
]
ENGLISH = [
    ("employee number 447", "447=digits:447"),
    ("the claim number is 77104", "77104=digits:77104"),
    ("eight oh two three", "eight oh two three=digits:8023"),
    ("double five oh one", "double five oh one=digits:5501"),
    ("seven triple four", "seven triple four=digits:7444"),
    ("room two fifty", "two fifty=digits:250"),
    ("one three eight, zero zero zero zero, one two three four",
     "one three eight, zero zero zero zero, one two three four=phone:13800001234"),
    ("two one two, five five five, one two three four",
     "two one two, five five five, one two three four=phone:2125551234"),
    ("one eight hundred five five five one two three four",
     "one eight hundred five five five one two three four=phone:18005551234"),
    ("4539-1128-7704-2615", "4539-1128-7704-2615=card:4539112877042615"),
    ("a fee of $25 on my card", "$25=amount:25 USD"),
    ("$1,234.50", "$1,234.50=amount:1234.5 USD"),
    ("twenty five dollars", "twenty five dollars=amount:25 USD"),
    ("twenty-five dollars and ten cents", "twenty-five dollars and ten cents=amount:25.1 USD"),
    ("a hundred pounds", "a hundred pounds=amount:100 GBP"),
    ("1.5 million dollars", "1.5 million dollars=amount:1500000 USD"),
    ("fifty cents", "fifty cents=amount:0.5 USD"),
    ("three point five percent", "three point five percent=percent:3.5"),
    ("it pays 15% a year", "15%=percent:15"),
    ("one hundred per cent", "one hundred per cent=percent:100"),
    ("March third", "March third=date:--03-03"),
    ("March 3rd, 2025", "March 3rd, 2025=date:2025-03-03"),
    ("the 9th of June 1988", "9th of June 1988=date:1988-06-09"),
    ("the third of march twenty twenty five", "third of march twenty twenty five=date:2025-03-03"),
    ("May twenty first", "May twenty first=date:--05-21"),
    ("in nineteen eighty four", "nineteen eighty four=date:1984"),
    ("half past two", "half past two=time:02:30"),
    ("quarter to five pm", "quarter to five pm=time:16:45"),
    ("8:30 am", "8:30 am=time:08:30"),
    ("three p.m.", "three p.m.=time:15:00"),
    ("eight thirty in the evening", "eight thirty in the evening=time:20:30"),
    ("five o'clock", "five o'clock=time:05:00"),
    ("12 a.m.", "12 a.m.=time:00:00"),
    ("48 hours", "48 hours=duration:PT48H"),
    ("two and a half hours", "two and a half hours=duration:PT2.5H"),
    ("a two hour wait", "two hour=duration:PT2H"),
    ("three weeks ago", "three weeks=duration:P3W"),
    ("two hundred and five", "two hundred and five=cardinal:205"),
    ("three thousand two hundred eighty", "three thousand two hundred eighty=cardinal:3280"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "found"), [*MANDARIN, *ENGLISH])
def test_found(text: str, found: str) -> None:
    assert said(text) == [found]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("一千二百元二零二五年", ["一千二百元=amount:1200 CNY", "二零二五年=date:2025"]),
        ("每月30元,另外还有22元", ["30元=amount:30 CNY", "22元=amount:22 CNY"]),
        ("后四位是2917,30元", ["2917=digits:2917", "30元=amount:30 CNY"]),
        ("2917，2917，好的", ["2917=digits:2917", "2917=digits:2917"]),  # said twice, not one number of eight
        ("8点半到9点", ["8点半=time:08:30", "9点=time:09:00"]),
        ("统一五十块", ["五十块=amount:50 CNY"]),
        ("周三三点半", ["三点半=time:03:30"]),
        ("万一一百块不够", ["一百块=amount:100 CNY"]),
        ("我的agent说fifteen percent", ["fifteen percent=percent:15"]),
    ],
)
def test_several_in_one_text(text: str, found: list[str]) -> None:
    assert said(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "一下", "一般", "一直", "等一会儿", "一点都不", "快一点", "有两点要说", "十分抱歉", "万一不行",
        "千万别", "三心二意", "星期一", "周三", "礼拜五", "两个人", "一块去", "一天到晚", "一年四季", "统一",
        "唯一", "初三数学", "几十块", "双十一", "七八十块", "三四百", "两三天", "七上八下", "万元户", "二五年",
        "尾号X", "第", "百", "半天", "0.0.0", "no one", "one of them", "give me one second", "one moment",
        "someone", "two or three", "fifty fifty", "twenty four seven", "Oh, one thing", "may I", "march on",
        "you may 3 times", "number one fund", "G20 and 4G", "a point", "and", "half of it", "",
    ],
)  # fmt: skip
def test_left_alone(text: str) -> None:
    assert said(text) == []


UNITS = ["", "十", "百", "千"]


def _spoken(value: int) -> str:
    """``value`` under a hundred million as it is read in Mandarin."""
    if value >= 10_000:
        high, low = divmod(value, 10_000)
        joint = "零" if 0 < low < 1_000 else ""
        return _spoken(high) + "万" + joint + (_spoken(low) if low else "")
    text = "".join(
        "零一二三四五六七八九"[int(digit)] + (UNITS[place] if digit != "0" else "")
        for place, digit in zip(range(len(str(value)) - 1, -1, -1), str(value), strict=True)
    )
    return re.sub("零+", "零", text).rstrip("零")


@given(value=st.integers(11, 99_999_999))
def test_every_cardinal_is_read_back(value: int) -> None:
    (found,) = find_numbers(f"一共是{_spoken(value)}元")
    assert (found.kind, found.value, found.unit) == (NumberKind.AMOUNT, str(value), "CNY")


@given(digits=st.text("0123456789", min_size=3, max_size=30))
def test_every_digit_string_is_read_back(digits: str) -> None:
    text = digits.translate(str.maketrans("0123456789", "零幺二三四五六七八九"))
    (found,) = find_numbers(f"号码是{text}。")
    assert (found.start, found.end, found.value) == (3, 3 + len(digits), digits)


@given(moment=st.dates(date(1900, 1, 1), date(2099, 12, 31)))
def test_every_date_is_read_back(moment: date) -> None:
    year = "".join("零一二三四五六七八九"[int(digit)] for digit in str(moment.year))
    month, day = (_spoken(n) if n > 9 else "零一二三四五六七八九"[n] for n in (moment.month, moment.day))
    (found,) = find_numbers(f"{year}年{month.removeprefix('一') if moment.month > 9 else month}月{day}号")
    assert (found.kind, found.value) == (NumberKind.DATE, moment.isoformat())


PIECES = [
    *"零一二两三四五六七八九幺十百千万亿点半多几第年月日号分刻块元毛角个周初0123456789,.，。、:%- $Xx",
    "百分之", "星期", "下午", "小时", "分钟", "one ", "twenty ", "five ", "hundred ", "thousand ", "and ", "a ",
    "point ", "double ", "oh ", "march ", "may ", "third ", "half past ", " dollars", " percent", " pm", " hours",
    "，",
]  # fmt: skip
TEXTS = st.one_of(st.lists(st.sampled_from(PIECES), max_size=25).map("".join), st.text(max_size=40))
DIGIT_KINDS = (NumberKind.DIGITS, NumberKind.PHONE, NumberKind.IDENTITY, NumberKind.CARD)
FORMS = {
    NumberKind.TIME: r"([01]\d|2[0-3]):[0-5]\d",
    NumberKind.DURATION: r"P(T[\d.]+[HMS]|[\d.]+[DWMY])",
    NumberKind.DATE: r"(\d{4}|-)(-\d{2}){0,2}",
}


def _readable(number: SpokenNumber) -> bool:
    if number.kind in DIGIT_KINDS:
        return re.fullmatch(r"\d+X?", number.value) is not None
    if number.kind in FORMS:
        return re.fullmatch(FORMS[number.kind], number.value) is not None
    return str(Decimal(number.value)) == number.value


@given(text=TEXTS)
def test_numbers_lie_in_the_text_in_order_and_are_readable(text: str) -> None:
    found = find_numbers(text)
    edges = [edge for number in found for edge in (number.start, number.end)]
    assert edges == sorted(edges)
    assert all(0 <= number.start < number.end <= len(text) for number in found)
    assert all(_readable(number) for number in found)
    assert all(bool(number.unit) == (number.kind is NumberKind.AMOUNT) for number in found)


@given(before=TEXTS, after=TEXTS)
def test_a_sentence_without_numbers_between_keeps_two_texts_apart(before: str, after: str) -> None:
    """What is found in one sentence never depends on the other."""
    wall = "好的谢谢您请稍等"
    later = [replace(n, start=n.start + len(before), end=n.end + len(before)) for n in find_numbers(wall + after)]
    assert list(find_numbers(before + wall + after)) == [*find_numbers(before + wall), *later]


@pytest.mark.parametrize(
    "piece",
    [
        "1",
        "幺",
        "一百",
        "1,234,",
        "幺，",
        "1 ",
        "0-",
        "3点",
        "1.1",
        "one ",
        "twenty five, ",
        "万一",
        "a ",
        "march ",
        "百分",
    ],
)
def test_long_runs_take_linear_time(piece: str) -> None:
    """Four times the text takes about four times as long; a quadratic reader would take sixteen."""

    def seconds(length: int) -> float:
        text = (piece * length)[: 2 * length]
        started = time.process_time()
        find_numbers(text)
        return time.process_time() - started

    seconds(500)
    short = min(seconds(1_500) for _ in range(3))
    long = min(seconds(6_000) for _ in range(2))
    assert long < 9 * short + 0.05
