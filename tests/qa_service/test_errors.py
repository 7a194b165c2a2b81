"""Errors: a stable code, a message for people, context for logs."""

import pytest

from qa_service import errors
from qa_service.errors import QAError, RulePackError


def test_a_coded_error() -> None:
    error = errors.InputError("file_empty", "the file holds no bytes", path="a.wav")
    assert (error.code, error.message, error.context) == (
        "file_empty",
        "the file holds no bytes",
        {"path": "a.wav"},
    )
    assert str(error) == "file_empty: the file holds no bytes"


def test_a_pack_error_keeps_every_fault() -> None:
    error = RulePackError("pack_invalid", "2 faults", faults=("a.yaml:1: x", "b.yaml:2: y"))
    assert error.faults == ("a.yaml:1: x", "b.yaml:2: y")


@pytest.mark.parametrize(
    "kind", [value for value in vars(errors).values() if isinstance(value, type) and value is not QAError]
)
def test_every_kind_is_a_direct_one(kind: type[QAError]) -> None:
    """Handlers are chosen by type: a kind below another would be taken for it (only TransientError is retried)."""
    assert kind.__bases__ == (QAError,)
