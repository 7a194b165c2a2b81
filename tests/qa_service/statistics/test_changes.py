"""Changes of rates between two windows, beside what the definitions say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_service.statistics.changes import Windows

COUNTS = st.integers(1, 500).flatmap(lambda calls: st.tuples(st.just(calls), st.integers(0, calls)))
AGENTS = st.lists(st.tuples(COUNTS, COUNTS), min_size=3, max_size=12)


def windows(agents: list[tuple[tuple[int, int], tuple[int, int]]]) -> Windows:
    table = np.array([(*before, *after) for before, after in agents], dtype=float)
    return Windows(table[:, 0], table[:, 1], table[:, 2], table[:, 3])


@given(AGENTS)
def test_its_variance_is_what_leaving_out_each_agent_in_turn_gives(
    agents: list[tuple[tuple[int, int], tuple[int, int]]],
) -> None:
    everybody = windows(agents)
    count = len(agents)
    without = [windows(agents[:left_out] + agents[left_out + 1 :]).change for left_out in range(count)]
    expected = (count - 1) / count * sum((change - everybody.change) ** 2 for change in without)
    assert everybody.jackknife == pytest.approx(expected, rel=1e-6, abs=1e-9)
