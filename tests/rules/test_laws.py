"""What holds of every rule that can be written, on conditions and calls drawn at random."""

import json
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from qa_service.domain.call import CallMetadata
from qa_service.domain.conversation import Conversation
from qa_service.domain.results import Outcome
from rules.cases import dialogue
from rules.engine import RuleSet
from tests.rules.builders import results, rule_set

WORDS = ("您好", "工号", "不归我管", "请稍等", "再见", "投诉")

phrases = st.fixed_dictionaries(
    {"any": st.lists(st.sampled_from(WORDS), min_size=1, max_size=3, unique=True)},
    optional={
        "role": st.sampled_from(["agent", "customer", "any"]),
        "times": st.integers(1, 2),
        "scope": st.sampled_from([{"first_s": 8.0}, {"last_s": 8.0}, {"from_s": 5.0, "to_s": 15.0}]),
    },
).map(lambda phrase: {"phrase": phrase})
leaves = (
    phrases
    | st.integers(1, 12).map(lambda s: {"silence": {"longer_than_s": s}})
    | st.integers(2, 25).map(lambda s: {"metric": {"name": "duration_s", "above": s}})
    | st.just({"metadata": {"field": "ring_count", "at_least": 5}})
    | st.just({"interruption": {}})
)
conditions = st.recursive(
    leaves,
    lambda inner: (
        inner.map(lambda one: {"not": one})
        | st.lists(inner, min_size=1, max_size=3).map(lambda some: {"all": some})
        | st.lists(inner, min_size=1, max_size=3).map(lambda some: {"any": some})
        | st.lists(inner, min_size=2, max_size=3).map(lambda some: {"at_least": {"count": 2, "of": some}})
    ),
    max_leaves=5,
)

Said = list[tuple[str, str, str, int]]

lines: st.SearchStrategy[Said] = st.lists(
    st.tuples(
        st.sampled_from(["agent", "customer", "unknown"]),
        st.lists(st.sampled_from((*WORDS, "好的", "功号")), min_size=1, max_size=3).map("，".join),
        st.sampled_from(["", " (0.5)", " (0.2)"]),
        st.integers(0, 14),
    ),
    min_size=1,
    max_size=5,
)


def call(said: Said) -> Conversation:
    written, at = [], 0
    for role, text, confidence, pause in said:
        at += pause
        written.append(f"{role} {at}-{at + 3}{confidence}: {text}")
        at += 3
    return dialogue("\n".join(written), language="zh")


def rules_of(**bodies: dict[str, Any]) -> RuleSet:
    """JSON is YAML."""
    lines_of = {
        name: "\n".join(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in body.items())
        for name, body in bodies.items()
    }
    with TemporaryDirectory() as folder:
        return rule_set(Path(folder), lines_of)


@given(conditions, lines)
def test_what_is_not_not_required_is_required(condition: dict[str, Any], said: Said) -> None:
    rules = rules_of(
        plain={"require": condition},
        twice={"require": {"not": {"not": condition}}},
        ban={"forbid": {"not": condition}},
    )
    found = results(rules, call(said))
    plain, twice, ban = ((found[name].outcome, found[name].reason) for name in ("plain", "twice", "ban"))
    assert plain == twice == ban


@given(conditions, st.sampled_from(["require", "forbid"]), lines)
def test_what_nobody_knows_convicts_only_where_whatever_it_is_would(
    condition: dict[str, Any], mode: str, said: Said
) -> None:
    """How often the telephone rang, and who spoke."""
    rules = rules_of(asked={mode: condition})
    outcome = results(rules, call(said))["asked"].outcome
    if outcome in (Outcome.MET, Outcome.NOT_MET):
        for rings, role in product((1, 9), ("agent", "customer")):
            known = [(role if who == "unknown" else who, *rest) for who, *rest in said]
            metadata = CallMetadata(ring_count=rings)
            assert results(rules, call(known), metadata)["asked"].outcome is outcome
