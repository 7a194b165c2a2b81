"""What the extra ``reports`` brings is imported where it is used: most commands make no report."""

from collections.abc import Iterator
from contextlib import contextmanager

from qa_service.errors import EngineError


@contextmanager
def reports_extra() -> Iterator[None]:
    """Around what makes pages and workbooks.

    Raises:
        EngineError: ``reports_missing``.
    """
    try:
        yield
    except ImportError as error:
        raise EngineError(
            "reports_missing",
            f"{error.name or error} is not installed on this machine: install the extra 'reports'",
        ) from error
