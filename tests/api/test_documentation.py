"""The API's documentation: every operation says what it is for, takes and answers, and what may go wrong."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from api.app import create_app
from api.errors import PROBLEM

DOCUMENT: dict[str, Any] = create_app().openapi()
OPERATIONS = [
    pytest.param(operation, id=f"{method.upper()} {path}")
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
    if path.startswith("/v1")
]


def contents(operation: dict[str, Any]) -> list[dict[str, Any]]:
    """Of the request and of every answer that is no stream of bytes."""
    bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
    found = [content for body in bodies for content in body.get("content", {}).values()]
    return [content for content in found if "schema" in content and content["schema"].get("format") != "binary"]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_is_documented(operation: dict[str, Any]) -> None:
    assert operation["tags"]
    assert len(operation["description"]) > 5
    refused = {status: answer for status, answer in operation["responses"].items() if status.startswith("4")}
    assert refused
    for answer in refused.values():
        assert list(answer["content"]) == [PROBLEM]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_example_fits_its_schema(operation: dict[str, Any]) -> None:
    for content in contents(operation):
        examples = content.get("examples")
        shown = [content["example"]] if examples is None else [each["value"] for each in examples.values()]
        schema = {**content["schema"], "components": DOCUMENT["components"]}
        for example in shown:
            faults = [f"{list(f.path)}: {f.message}" for f in Draft202012Validator(schema).iter_errors(example)]
            assert faults == []
