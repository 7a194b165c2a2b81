"""Loading a pack: all of it, with every fault named by file and line.

Guarantee: a pack with any fault is refused as a whole, and all its faults are reported at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError

from qa_service.errors import RulePackError
from rules.checks import KINDS, Check
from rules.checks.phrases import Lexicon
from rules.engine import CycleError, RuleSet
from rules.schema import Pack, Rule, ScorecardModel

MAX_BYTES = 1 << 20
PACK_FILE, LEXICON_FILE, CASES_SUFFIX = "pack.yaml", "lexicons.yaml", ".cases.yaml"
CONDITIONS = ("applies_when", "for_each", "only_when", "require", "forbid")

M = TypeVar("M", bound=BaseModel)


def shipped_packs() -> dict[str, Path]:
    """The packs that come with the product, by name."""
    root = Path(str(files("rules"))) / "packs"
    return {path.name: path for path in sorted(root.iterdir()) if (path / PACK_FILE).is_file()}


def find_pack(name_or_path: str) -> Path:
    """A shipped pack by name, or the folder of a site's own pack. Raises RulePackError ``pack_unknown``."""
    shipped = shipped_packs()
    if name_or_path in shipped:
        return shipped[name_or_path]
    path = Path(name_or_path).expanduser()
    if (path / PACK_FILE).is_file():
        return path
    raise RulePackError(
        "pack_unknown",
        f"no rule pack {name_or_path!r}: use one of {', '.join(shipped)}, or a folder that holds a {PACK_FILE}",
    )


@dataclass
class _Faults:
    found: list[str] = field(default_factory=list)

    def add(self, path: Path, node: object, trail: Sequence[object], message: str) -> None:
        self.found.append(f"{path.parent.name}/{path.name}:{_line(node, trail)}: {message}")


def load_pack(path: Path) -> RuleSet:
    """Load, validate and compile the pack in ``path``.

    Raises:
        RulePackError: ``pack_invalid``; ``faults`` lists each fault as ``pack/file.yaml:line: what``.
    """
    faults = _Faults()
    pack = _model(Pack, path / PACK_FILE, _read(path / PACK_FILE, faults), faults)
    lexicons = _lexicons(path / LEXICON_FILE, faults) if (path / LEXICON_FILE).is_file() else {}
    if faults.found:  # what follows would only repeat that a lexicon is missing
        raise _invalid(path, faults)
    rules: dict[str, tuple[Rule, Path]] = {}
    for file in sorted(path.glob("*.yaml")):
        if file.name in (PACK_FILE, LEXICON_FILE) or file.name.endswith(CASES_SUFFIX):
            continue
        rule = _rule(file, lexicons, faults)
        if rule is None:
            continue
        if rule.rule in rules:
            faults.add(file, None, (), f"rule {rule.rule!r} is already defined in {rules[rule.rule][1].name}")
        rules[rule.rule] = (rule, file)
    for rule, file in rules.values():
        read = {r for check in rule.checks() for r in check.rules()}
        for missing in sorted((read | set(rule.same_event_as)) - rules.keys()):
            faults.add(file, None, (), f"refers to rule {missing!r}, which this pack does not have")
    scorecard = _scorecard(path, pack, rules, faults) if pack is not None and not faults.found else None
    if faults.found or pack is None or scorecard is None:
        raise _invalid(path, faults)
    try:
        return RuleSet(pack, [rule for rule, _ in rules.values()], scorecard)
    except CycleError as error:
        faults.add(path / PACK_FILE, None, (), f"rules read each other's outcome in a circle: {error.args[1]}")
        raise _invalid(path, faults) from error


def _invalid(path: Path, faults: _Faults) -> RulePackError:
    count = len(faults.found)
    return RulePackError(
        "pack_invalid",
        f"rule pack {path.name} has {count} fault{'s' if count != 1 else ''}: " + "; ".join(faults.found),
        faults=tuple(faults.found),
    )


def _scorecard(
    path: Path, pack: Pack, rules: Mapping[str, tuple[Rule, Path]], faults: _Faults
) -> ScorecardModel | None:
    own = path / "scorecards" / f"{pack.scorecard}.yaml"
    file = own if own.is_file() else Path(str(files("rules"))) / "scorecards" / f"{pack.scorecard}.yaml"
    if not file.is_file():
        faults.add(path / PACK_FILE, None, (), f"no scorecard {pack.scorecard!r}: expected {own}")
        return None
    node = _read(file, faults)
    scorecard = _model(ScorecardModel, file, node, faults)
    if scorecard is None:
        return None
    seen: set[str] = set()
    for s, section in enumerate(scorecard.sections):
        for i, item in enumerate(section.items):
            trail = ("sections", s, "items", i, "rule")
            if item.rule not in rules:
                faults.add(file, node, trail, f"scores rule {item.rule!r}, which pack {pack.pack} does not have")
            if item.rule in seen:
                faults.add(file, node, trail, f"scores rule {item.rule!r} twice")
            seen.add(item.rule)
    return scorecard


def _lexicons(file: Path, faults: _Faults) -> dict[str, Lexicon]:
    node = _read(file, faults)
    if not isinstance(node, Mapping):
        return {}
    found = {}
    for name, value in node.items():
        content = {"phrases": value} if isinstance(value, list) else value
        lexicon = _model(Lexicon, file, content, faults, root=node, trail=(name,))
        if lexicon is not None:
            found[str(name)] = lexicon
    return found


def _rule(file: Path, lexicons: Mapping[str, Lexicon], faults: _Faults) -> Rule | None:
    node = _read(file, faults)
    if not isinstance(node, Mapping):
        return None
    before = len(faults.found)
    content: dict[str, Any] = dict(node)
    for key in CONDITIONS:
        if key in content:
            content[key] = _condition(content[key], (key,), file, node, lexicons, faults)
    if isinstance(content.get("style"), Mapping):
        content["style"] = {
            name: _condition(value, ("style", name), file, node, lexicons, faults)
            for name, value in content["style"].items()
        }
    if len(faults.found) > before:
        return None
    rule = _model(Rule, file, content, faults, root=node)
    if rule is not None and rule.rule != file.stem:
        faults.add(file, node, ("rule",), f"the file of rule {rule.rule!r} must be named {rule.rule}.yaml")
    return rule


def _condition(
    value: object,
    trail: tuple[object, ...],
    file: Path,
    root: object,
    lexicons: Mapping[str, Lexicon],
    faults: _Faults,
) -> Check | None:
    if not isinstance(value, Mapping) or len(value) != 1:
        faults.add(file, root, trail, f"a condition is one of {', '.join(KINDS)} with its settings")
        return None
    kind, settings = next(iter(value.items()))
    trail = (*trail, kind)
    if kind not in KINDS:
        faults.add(file, root, trail, f"unknown check {kind!r}: one of {', '.join(KINDS)}")
        return None
    content: dict[str, Any]
    if kind in ("all", "any", "not", "at_least"):
        children = settings if isinstance(settings, list) else [settings]
        content, inner = {}, trail
        if kind == "at_least" and isinstance(settings, Mapping):
            content, children = dict(settings), settings.get("of") or []
            inner = (*trail, "of")
        indexed = isinstance(settings, list) or kind == "at_least"
        content["of"] = tuple(
            _condition(child, (*inner, i) if indexed else inner, file, root, lexicons, faults)
            for i, child in enumerate(children)
        )
        if None in content["of"]:
            return None
    elif not isinstance(settings, Mapping):
        faults.add(file, root, trail, f"{kind} needs settings")
        return None
    else:
        content = dict(settings)
        if kind == "phrase" and not _take_phrases(content, trail, file, root, lexicons, faults):
            return None
    return _model(KINDS[kind], file, content, faults, root=root, trail=trail)


def _take_phrases(
    content: dict[str, Any],
    trail: tuple[object, ...],
    file: Path,
    root: object,
    lexicons: Mapping[str, Lexicon],
    faults: _Faults,
) -> bool:
    """Replace `lexicon` names and `any` phrases by the lexicons they mean."""
    names = content.pop("lexicon", [])
    taken = []
    for name in names if isinstance(names, list) else [names]:
        if name not in lexicons:
            known = ", ".join(sorted(lexicons))
            faults.add(file, root, (*trail, "lexicon"), f"unknown lexicon {name!r}: one of {known}")
            return False
        taken.append(lexicons[name])
    if phrases := content.pop("any", None):
        taken.append(Lexicon(phrases=tuple(phrases)))
    if not taken:
        faults.add(file, root, trail, "a phrase check needs `lexicon` or `any`")
        return False
    content["lexicons"] = tuple(taken)
    return True


def _model(
    model: type[M],
    file: Path,
    content: object,
    faults: _Faults,
    *,
    root: object = None,
    trail: tuple[object, ...] = (),
) -> M | None:
    if content is None:
        return None
    try:
        return model.model_validate(content)
    except ValidationError as error:
        for fault in error.errors(include_url=False):
            where = (*trail, *fault["loc"])
            named = ".".join(str(part) for part in where)
            faults.add(file, root if root is not None else content, where, f"{named}: {fault['msg']}")
        return None


def _read(file: Path, faults: _Faults) -> Any:
    try:
        if file.stat().st_size > MAX_BYTES:
            faults.add(file, None, (), f"larger than {MAX_BYTES} bytes")
            return None
        node = YAML(typ="rt", pure=True).load(file.read_text(encoding="utf-8"))
    except OSError as error:
        faults.add(file, None, (), f"cannot be read: {error.strerror}")
        return None
    except (YAMLError, UnicodeDecodeError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark is not None else 1
        reason = getattr(error, "problem", None) or str(error).splitlines()[0]
        faults.found.append(f"{file.parent.name}/{file.name}:{line}: not valid YAML: {reason}")
        return None
    if not isinstance(node, Mapping):
        faults.add(file, None, (), "must hold a mapping")
        return None
    return node


def _line(node: object, trail: Sequence[object]) -> int:
    """1-based line of the deepest part of ``trail`` that the document has."""
    line = 1
    for part in trail:
        if isinstance(node, CommentedMap) and part in node:
            line = node.lc.key(part)[0] + 1
            node = node[part]
        elif isinstance(node, CommentedSeq) and isinstance(part, int) and part < len(node):
            line = node.lc.item(part)[0] + 1
            node = node[part]
        else:
            break
    return line
