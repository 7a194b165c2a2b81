"""What tests of control charts share."""

from collections import Counter
from collections.abc import Iterable

from qa_service.domain.control_charts import Chart, RunTest


def alarms_by_thousand(charts: Iterable[Chart]) -> dict[RunTest, float]:
    """Of each test, alarms by thousand points."""
    found: Counter[RunTest] = Counter()
    points = 0
    for chart in charts:
        found.update(alarm.test for alarm in chart.alarms)
        points += len(chart.points)
    return {test: 1000 * found[test] / points for test in RunTest}
