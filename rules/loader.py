"""Loading a pack: all of it, with every fault named by file and line.

Guarantee: a pack with any fault is refused as a whole, and all its faults are reported at once.
"""

from collections.abc import Collection, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from qa_service.errors import RulePackError
from rules.checks import KINDS, Check
from rules.checks.phrases import Lexicon
from rules.documents import Faults, read_document, validated
from rules.engine import CycleError, RuleSet, in_order
from rules.schema import Pack, Rule, ScorecardModel

PACK_FILE, LEXICON_FILE, CASES_SUFFIX = "pack.yaml", "lexicons.yaml", ".cases.yaml"
CONDITIONS = ("applies_when", "for_each", "only_when", "unless", "require", "forbid")
NAMED_CONDITIONS = ("style", "grades")


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


def rule_files(path: Path) -> tuple[Path, ...]:
    """The rule files of the pack in ``path``."""
    return tuple(
        file
        for file in sorted(path.glob("*.yaml"))
        if file.name not in (PACK_FILE, LEXICON_FILE) and not file.name.endswith(CASES_SUFFIX)
    )


def load_pack(path: Path) -> RuleSet:
    """Load, validate and compile the pack in ``path``.

    Raises:
        RulePackError: ``pack_invalid``; ``faults`` lists each fault as ``pack/file.yaml:line: what``.
    """
    faults = Faults()
    pack_node = read_document(path / PACK_FILE, faults)
    pack = validated(Pack, path / PACK_FILE, pack_node, faults) if pack_node is not None else None
    lexicons = _lexicons(path / LEXICON_FILE, faults) if (path / LEXICON_FILE).is_file() else {}
    rules: dict[str, tuple[Rule, Path]] = {}
    names = set()  # of faulty rules too: nobody needs to hear that they are missing
    for file in rule_files(path):
        names.add(file.stem)
        rule = _rule(file, lexicons, faults)
        if rule is None:
            continue
        if rule.rule in rules:
            faults.add(file, None, (), f"rule {rule.rule!r} is already defined in {rules[rule.rule][1].name}")
        else:
            rules[rule.rule] = (rule, file)
    names |= rules.keys()
    for rule, file in rules.values():
        read = {r for check in rule.checks() for r in check.rules()}
        for missing in sorted((read | set(rule.same_event_as)) - names):
            faults.add(file, None, (), f"refers to rule {missing!r}, which this pack does not have")
    scorecard = _scorecard(path, pack, pack_node, names, faults) if pack is not None else None
    try:
        in_order([rule for rule, _ in rules.values()])
    except CycleError as error:
        circle = " → ".join(error.args[1])
        faults.add(path / PACK_FILE, None, (), f"rules read each other's outcome in a circle: {circle}")
    if faults.found or pack is None or scorecard is None:
        raise invalid(path, faults)
    return RuleSet(pack, [rule for rule, _ in rules.values()], scorecard)


def invalid(path: Path, faults: Faults) -> RulePackError:
    """The error that lists all faults of the pack in ``path``."""
    count = len(faults.found)
    return RulePackError(
        "pack_invalid",
        f"rule pack {path.name} has {count} fault{'s' if count != 1 else ''}: " + "; ".join(faults.found),
        faults=tuple(faults.found),
    )


def _scorecard(
    path: Path, pack: Pack, pack_node: object, rules: Collection[str], faults: Faults
) -> ScorecardModel | None:
    own = path / "scorecards" / f"{pack.scorecard}.yaml"
    file = own if own.is_file() else Path(str(files("rules"))) / "scorecards" / f"{pack.scorecard}.yaml"
    if not file.is_file():
        faults.add(path / PACK_FILE, pack_node, ("scorecard",), f"no scorecard {pack.scorecard!r}: expected {own}")
        return None
    node = read_document(file, faults)
    scorecard = validated(ScorecardModel, file, node, faults) if node is not None else None
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


def _lexicons(file: Path, faults: Faults) -> dict[str, Lexicon | None]:
    """Lexicons by name; None behind the name of a faulty one, so that its users are not reported too."""
    node = read_document(file, faults)
    found: dict[str, Lexicon | None] = {}
    for name, value in (node or {}).items():
        content = {"phrases": value} if isinstance(value, list) else value
        found[str(name)] = validated(Lexicon, file, content, faults, root=node, trail=(name,))
    return found


def _rule(file: Path, lexicons: Mapping[str, Lexicon | None], faults: Faults) -> Rule | None:
    node = read_document(file, faults)
    if node is None:
        return None
    conditions = _Conditions(file, node, lexicons, faults)
    before = len(faults.found)
    content: dict[str, Any] = dict(node)
    for key in CONDITIONS:
        if key in content:
            content[key] = conditions.check(content[key], (key,))
    for key in NAMED_CONDITIONS:
        if isinstance(content.get(key), Mapping):
            content[key] = {name: conditions.check(value, (key, name)) for name, value in content[key].items()}
    if len(faults.found) > before or conditions.incomplete:
        return None
    rule = validated(Rule, file, content, faults, root=node)
    if rule is not None and rule.rule != file.stem:
        faults.add(file, node, ("rule",), f"the file of rule {rule.rule!r} must be named {rule.rule}.yaml")
    return rule


class _Conditions:
    """Builds the checks of one rule file. ``incomplete``: one of them uses a faulty lexicon."""

    def __init__(self, file: Path, root: object, lexicons: Mapping[str, Lexicon | None], faults: Faults) -> None:
        self._file, self._root, self._lexicons, self._faults = file, root, lexicons, faults
        self.incomplete = False

    def check(self, value: object, trail: tuple[object, ...]) -> Check | None:
        if not isinstance(value, Mapping) or len(value) != 1:
            self._fault(trail, f"a condition is one of {', '.join(KINDS)} with its settings")
            return None
        kind, settings = next(iter(value.items()))
        trail = (*trail, kind)
        if kind not in KINDS:
            self._fault(trail, f"unknown check {kind!r}: one of {', '.join(KINDS)}")
            return None
        if kind in ("all", "any", "not", "at_least"):
            content = self._group(kind, settings, trail)
        elif isinstance(settings, Mapping):
            content = self._inner(dict(settings), trail)
            if content is not None and kind == "phrase" and not self._take_phrases(content, trail):
                return None
        else:
            self._fault(trail, f"{kind} needs settings")
            return None
        if content is None:
            return None
        return validated(KINDS[kind], self._file, content, self._faults, root=self._root, trail=trail)

    def _inner(self, content: dict[str, Any], trail: tuple[object, ...]) -> dict[str, Any] | None:
        """``content`` with the conditions inside it: what a scope counts from, the steps of a sequence."""
        whole = True
        if isinstance(scope := content.get("scope"), Mapping) and "anchor" in scope:
            anchor = self.check(scope["anchor"], (*trail, "scope", "anchor"))
            content["scope"] = {**scope, "anchor": anchor}
            whole = anchor is not None
        if isinstance(steps := content.get("steps"), list):
            taken: list[object] = []
            for number, step in enumerate(steps):
                if not isinstance(step, Mapping) or "name" not in step:
                    self._fault((*trail, "steps", number), "a step has a `name` and a condition")
                    return None
                condition = {key: value for key, value in step.items() if key != "name"}
                check = self.check(condition, (*trail, "steps", number))
                whole = whole and check is not None
                taken.append({"name": step["name"], "check": check})
            content["steps"] = taken
        return content if whole else None

    def _group(self, kind: str, settings: object, trail: tuple[object, ...]) -> dict[str, Any] | None:
        content: dict[str, Any] = {}
        if kind == "at_least":
            if not isinstance(settings, Mapping) or not isinstance(settings.get("of"), list):
                self._fault(trail, "at_least needs `count`, and a list of conditions in `of`")
                return None
            content, settings, trail = dict(settings), settings["of"], (*trail, "of")
        if isinstance(settings, list):
            children = [self.check(child, (*trail, i)) for i, child in enumerate(settings)]
        else:
            children = [self.check(settings, trail)]
        return None if None in children else {**content, "of": tuple(children)}

    def _take_phrases(self, content: dict[str, Any], trail: tuple[object, ...]) -> bool:
        """Replace `lexicon` names and `any` phrases by the lexicons they mean."""
        named, phrases = content.pop("lexicon", []), content.pop("any", None)
        taken: list[Lexicon | None] = []
        for name in named if isinstance(named, list) else [named]:
            if not isinstance(name, str) or name not in self._lexicons:
                known = ", ".join(sorted(self._lexicons))
                self._fault((*trail, "lexicon"), f"unknown lexicon {name!r}: one of {known}")
                return False
            taken.append(self._lexicons[name])
            self.incomplete = self.incomplete or self._lexicons[name] is None
        if phrases is not None:
            where = (*trail, "any")
            taken.append(
                validated(Lexicon, self._file, {"phrases": phrases}, self._faults, root=self._root, trail=where)
            )
        if not taken:
            self._fault(trail, "a phrase check needs `lexicon` or `any`")
            return False
        content["lexicons"] = tuple(taken)
        return None not in taken

    def _fault(self, trail: Sequence[object], message: str) -> None:
        self._faults.add(self._file, self._root, trail, message)
