"""Counts of the judge, by rule."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.by_rule import Findings, findings, interval, table

Z = 1.959963984540054


@given(st.integers(0, 500), st.integers(1, 500))
def test_the_interval_is_wilsons(hits: int, more: int) -> None:
    of = hits + more
    share, centre = hits / of, (hits + Z * Z / 2) / (of + Z * Z)
    half = Z * math.sqrt(share * (1 - share) * of + Z * Z / 4) / (of + Z * Z)
    value, low, high = (
        float(part) for part in interval(hits, of).replace("(", "").replace(")", "").replace("–", " ").split()
    )
    assert (value, low, high) == pytest.approx((share, max(0.0, centre - half), centre + half), abs=0.0006)


def test_of_nothing_there_is_no_share() -> None:
    assert interval(0, 0) == "–"


def test_rules_are_counted_and_added() -> None:
    def line(**outcomes: str) -> dict[str, object]:
        return {"results": [{"rule": rule, "outcome": outcome} for rule, outcome in outcomes.items()]}

    lines = [
        line(opening="not_met", argue="undetermined", thanks="not_applicable"),
        line(opening="met", argue="met", thanks="not_applicable"),
    ]
    evaluation = {"rules": {"opening": {"tp": 1, "fn": 0, "fp": 0}, "argue": {"tp": 0, "fn": 1, "fp": 0}}}
    counted = findings(evaluation, lines)
    assert counted == {"argue": Findings(0, 1, 0, 2, 1), "opening": Findings(1, 0, 0, 2, 0)}
    twice = {rule: one + one for rule, one in counted.items()}
    rows = table({**twice, "closing": Findings(applicable=4)})
    assert [row.split(" | ")[:4] for row in rows[2:]] == [
        ["| argue", "0", "2", "0"],
        ["| opening", "2", "0", "0"],
        ["| all", "2", "2", "0"],
    ]
    assert rows[-1].endswith("2 of 12 |")
