from datetime import UTC, datetime, timedelta

from qa_service.adapters.clock import SystemClock


def test_the_time_is_now_and_aware() -> None:
    now = SystemClock().now()
    assert now.tzinfo is UTC
    assert abs(datetime.now(UTC) - now) < timedelta(seconds=5)
