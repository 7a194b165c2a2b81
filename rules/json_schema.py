"""JSON Schema (draft 2020-12) of every document of a pack, for editors that complete and check YAML.

Generated from the models that the loader validates with and from the table of check kinds, so that it knows every
key that they know, and no other. What needs more than the shape of a document (references, exclusive keys) is the
loader's.
"""

from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from rules.building import GROUPS, INLINE, USE, parts
from rules.cases import CaseFile
from rules.checks import KINDS, Check
from rules.checks.phrases import Lexicon
from rules.mutations import PATTERNS
from rules.schema import Pack, Rule, ScorecardModel
from rules.sources import OVERRIDE, Extension, LexiconChange

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_ID: Final = {"type": "string", "pattern": "^[a-z][a-z0-9]*(-[a-z0-9]+)*$", "maxLength": 64}
_WORDS: Final = {"type": "array", "items": {"type": "string"}, "minItems": 1}
_CONDITION: Final = {"$ref": "#/$defs/Condition"}
_MODE: Final[JsonSchemaMode] = "validation"

Schema = dict[str, Any]


def schemas() -> dict[str, Schema]:
    """The schemas by kind of document: rule, pack, lexicons, conditions, scorecard, cases."""
    rules = _definitions(Rule, *KINDS.values())
    rule = rules.pop(Rule.__name__)
    conditions = {**rules, "Condition": _condition()}
    lexicon = {"anyOf": [_WORDS, {"$ref": "#/$defs/Lexicon"}, {"$ref": "#/$defs/LexiconChange"}]}
    return {
        "rule": _document("A rule", {"anyOf": [rule, _override(rule)]}, conditions),
        "pack": _document("pack.yaml", *_pack()),
        "lexicons": _document("lexicons.yaml", _named(lexicon), _lexicons()),
        "conditions": _document("conditions.yaml", _named(_CONDITION), conditions),
        "scorecard": _document("A scorecard", *_of(ScorecardModel)),
        "cases": _document("Cases of a rule", *_of(CaseFile)),
    }


def _document(title: str, schema: Schema, definitions: Schema) -> Schema:
    return {"$schema": DIALECT, **schema, "title": title, "$defs": definitions}


def _named(value: Schema) -> Schema:
    return {"type": "object", "propertyNames": _ID, "additionalProperties": value}


def _of(model: type[BaseModel]) -> tuple[Schema, Schema]:
    """The schema of ``model``, and those that it refers to."""
    definitions = _definitions(model)
    return definitions.pop(model.__name__), definitions


def _definitions(*models: type[BaseModel]) -> Schema:
    """Schemas by name of ``models`` and all that they are made of, as they are written in YAML."""
    _, whole = models_json_schema([(model, _MODE) for model in models])
    found: Schema = whole["$defs"]
    for name in {model.__name__ for model in _within(models)} & found.keys():
        found[name] = _as_written(found[name])
    _refer_to_conditions(found)
    found.pop(Check.__name__, None)
    return found


def _within(models: tuple[type[BaseModel], ...]) -> list[type[BaseModel]]:
    """``models`` and those inside them that hold conditions or lexicons."""
    found: dict[type[BaseModel], None] = {}
    waiting = list(models)
    while waiting:
        model = waiting.pop()
        if model not in found:
            found[model] = None
            waiting += [part.model for part in parts(model).values() if part.model is not None]
    return list(found)


def _as_written(schema: Schema) -> Schema:
    """``schema`` with the keys that a document has in place of the fields that the loader builds from them."""
    properties: Schema = dict(schema.get("properties", {}))
    required = [name for name in schema.get("required", ()) if name != INLINE]
    if "lexicons" in properties:
        del properties["lexicons"]
        required.remove("lexicons")
        properties["lexicon"] = {"anyOf": [_ID, {"type": "array", "items": _ID, "minItems": 1}]}
        properties["any"] = _WORDS
    if PATTERNS in properties:
        properties[PATTERNS] = {"anyOf": [{"type": "string"}, properties[PATTERNS]]}
    schema = {**schema, "properties": properties, "required": required}
    if INLINE in properties:
        del properties[INLINE]
        properties.update(_condition()["properties"])
        schema["minProperties"] = schema["maxProperties"] = 1 + len(required)
    if "lexicon" in properties:
        schema["anyOf"] = [{"required": ["lexicon"]}, {"required": ["any"]}]
    return schema


def _refer_to_conditions(node: Any) -> None:
    """What was any check in the models is any condition in a document."""
    if isinstance(node, dict):
        if node.get("$ref") == f"#/$defs/{Check.__name__}":
            node["$ref"] = _CONDITION["$ref"]
        for value in node.values():
            _refer_to_conditions(value)
    elif isinstance(node, list):
        for value in node:
            _refer_to_conditions(value)


def _condition() -> Schema:
    """One check with its settings."""
    properties: Schema = {}
    for kind, model in KINDS.items():
        several = {"anyOf": [{"type": "array", "items": _CONDITION, "minItems": 1}, _CONDITION]}
        properties[kind] = several if kind in GROUPS else {"$ref": f"#/$defs/{model.__name__}"}
    properties[USE] = {**_ID, "description": "A condition of conditions.yaml."}
    return {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }


def _override(rule: Schema) -> Schema:
    """The keys of a rule that a pack changes of the one that it extends; without a value a key is taken away."""
    nullable = {n: {"anyOf": [s, {"type": "null"}]} for n, s in rule["properties"].items() if n != "rule"}
    return {**rule, "properties": {OVERRIDE: _ID, **nullable}, "required": [OVERRIDE]}


def _pack() -> tuple[Schema, Schema]:
    schema, definitions = _of(Pack)
    own, _ = _of(Extension)
    required = schema.pop("required")
    schema["properties"] = {**schema["properties"], **own["properties"]}
    return {
        **schema,
        "if": {"required": ["extends"]},
        "then": {"required": ["pack"]},
        "else": {"required": required},
    }, definitions


def _lexicons() -> Schema:
    lexicon, definitions = _of(Lexicon)
    change, more = _of(LexiconChange)
    lists: Schema = {"anyOf": [_WORDS, {"type": "object", "additionalProperties": _WORDS}]}
    change["properties"] = {**lexicon["properties"], **dict.fromkeys(change["properties"], lists)}
    change["anyOf"] = [{"required": ["add"]}, {"required": ["remove"]}]
    return {**definitions, **more, "Lexicon": lexicon, "LexiconChange": change}
