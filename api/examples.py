"""Examples for the documentation, put together from the schemas and what such fields hold in a call centre.

Guarantee: an example that somebody wrote stays; every other answer, and request, has one that fits its schema.
"""

from collections.abc import Mapping
from typing import Any, Final

_DEEPEST: Final = 8

_USUAL: Final[Mapping[str, Any]] = {
    "action": "recording.play",
    "address": "192.0.2.7",
    "agent_id": "1024",
    "agent_name": "李娜",
    "by": "wang.fang",
    "call_id": "C-20261120-0042",
    "channel": 0,
    "code": "silent_audio",
    "confidence": 0.93,
    "coverage": 0.94,
    "customer_ref": "R-1001",
    "decision": "confirm",
    "device": "cpu",
    "digest": "sha256:9f2c",
    "display_name": "王芳",
    "duration_s": 182.4,
    "end": 14.25,
    "engine": "faster-whisper",
    "file_name": "20261120-1230.wav",
    "final_score": 92.5,
    "id": 101,
    "inclusion_probability": 0.25,
    "instances": 1,
    "language": "zh",
    "media_type": "audio/wav",
    "model": "base",
    "name": "wang.fang",
    "next": None,
    "note": "语速偏快",
    "pack": "service-zh",
    "quote": "您好，请问有什么可以帮您",
    "raw_score": 87.5,
    "reason": "",
    "recording_id": 101,
    "request_id": "5f2b",
    "revision": "1",
    "role": "agent",
    "rule": "opening",
    "scorecard": "service-zh",
    "score": 87.5,
    "secret": "qat_…",
    "sha256": "9f2c",
    "stage": "asr",
    "start": 12.5,
    "team": "A",
    "teams": ["A"],
    "text": "您好，请问有什么可以帮您",
    "thing": "recording",
    "thing_id": "101",
    "title": "开头语",
    "url": "https://crm.example/qa",
    "user_name": "wang.fang",
    "vendor": "V",
    "version": 1,
    "via": "session",
}
_BY_TYPE: Final[Mapping[str, Any]] = {"string": "…", "integer": 1, "number": 1.0, "boolean": True, "null": None}
_BY_FORMAT: Final[Mapping[str, Any]] = {"date-time": "2026-11-20T04:30:00Z", "date": "2026-11-20"}


def add_examples(document: dict[str, Any]) -> None:
    """Give every request and answer in JSON of an OpenAPI document its example."""
    schemas = document.get("components", {}).get("schemas", {})
    for operations in document["paths"].values():
        for operation in operations.values():
            bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
            for content in (found for body in bodies for found in body.get("content", {}).values()):
                schema = content.get("schema")
                if not schema or "examples" in content or schema.get("format") == "binary":
                    continue
                made = content.get("example") or example_of(schema, schemas)
                content["example"] = _with_nulls(made, schema, schemas)


def example_of(schema: Mapping[str, Any], schemas: Mapping[str, Any], *, name: str = "", depth: int = 0) -> Any:
    """What a value of ``schema`` may look like; ``name``: of the field that holds it."""
    while "$ref" in schema:
        schema = schemas[schema["$ref"].rsplit("/", 1)[1]]
    for told in ("example", "const", "default"):
        if schema.get(told) is not None:
            return schema[told]
    if schema.get("examples"):
        return schema["examples"][0]
    if schema.get("enum"):
        return schema["enum"][0]
    if depth > _DEEPEST:
        return None
    options = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")
    if options:
        return example_of(options[0], schemas, name=name, depth=depth)
    kind = schema.get("type", "object")
    if kind == "object":
        fields = schema.get("properties", {}).items()
        return {field: example_of(of, schemas, name=field, depth=depth + 1) for field, of in fields}
    if kind == "array":
        usual, items = _USUAL.get(name), schema.get("items", {})
        if isinstance(usual, list) and items.get("type") == "string":
            return usual
        return [example_of(items, schemas, name=name.removesuffix("s"), depth=depth + 1)] if items else []
    if schema.get("format") in _BY_FORMAT:
        return _BY_FORMAT[schema["format"]]
    usual = _USUAL.get(name)
    if _fits(usual, kind):
        return usual
    least = schema.get("minimum", schema.get("exclusiveMinimum"))
    return least if least is not None and kind in ("integer", "number") else _BY_TYPE[kind]


def _with_nulls(example: Any, schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Any:
    """FastAPI leaves out of examples what is null."""
    while "$ref" in schema:
        schema = schemas[schema["$ref"].rsplit("/", 1)[1]]
    if isinstance(example, list):
        return [_with_nulls(each, schema.get("items", {}), schemas) for each in example]
    if not isinstance(example, dict):
        return example
    options = [option for option in schema.get("anyOf", ()) if option.get("type") != "null"]
    if len(options) == 1:
        return _with_nulls(example, options[0], schemas)
    fields = schema.get("properties", {})
    missing = {name: None for name in schema.get("required", ()) if name not in example}
    known = {name: _with_nulls(value, fields.get(name, {}), schemas) for name, value in example.items()}
    return {name: {**known, **missing}[name] for name in {**fields, **known} if name in known or name in missing}


def _fits(value: Any, kind: str) -> bool:
    kinds: Mapping[str, tuple[type, ...]] = {"string": (str,), "integer": (int,), "number": (int, float)}
    return value is not None and not isinstance(value, bool) and isinstance(value, kinds.get(kind, ()))
