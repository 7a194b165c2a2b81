"""Loading a pack: all of it, with every fault named by file, line and column.

Guarantee: a pack with any fault is refused as a whole, and all its faults are reported at once. Whatever its files
hold, the answer is a rule set or a coded error.
"""

from collections.abc import Collection
from pathlib import Path

from qa_service.errors import RulePackError
from rules.building import Builder
from rules.documents import Fault, Faults, read_document, validated
from rules.engine import CycleError, RuleSet, in_order
from rules.schema import Pack, Rule, ScorecardModel
from rules.sources import (
    CASES_SUFFIX,
    PACK_FILE,
    PackSource,
    find_pack,
    read_pack,
    rule_files,
    shipped_packs,
    shipped_root,
)
from rules.wording import hint
from rules.yaml_tree import Map, Place, Seq, place_of, shown


def load_pack(path: Path) -> RuleSet:
    """Load, validate and compile the pack in ``path``.

    Raises:
        RulePackError: ``pack_invalid``; ``faults`` lists each fault as ``pack/file.yaml:line:column: what (fix)``.
    """
    faults = Faults()
    source = read_pack(path, faults)
    rule_set = compile_pack(source, faults) if source is not None else None
    if len(faults) or rule_set is None:
        raise invalid(path, faults.found)
    return rule_set


def compile_pack(source: PackSource, faults: Faults) -> RuleSet | None:
    """The rule set that ``source`` writes down; None when it has faults."""
    before = len(faults)
    pack = validated(Pack, source.pack, faults, place=source.pack.place)
    builder = Builder(source.lexicons, source.conditions, faults, unreadable=source.unreadable)
    rules: dict[str, tuple[Rule, str]] = {}
    for name, node in source.rules.items():
        rule = builder.rule(_without_disabled(node, source.disabled))
        if rule is None:
            continue
        if rule.rule in rules:
            first = source.files[rules[rule.rule][1]].name
            faults.add(
                Place(source.files[name]), f"rule {rule.rule!r} is already defined in {first}", "delete one"
            )
            continue
        rules[rule.rule] = (rule, name)
        if rule.rule != name:
            where = place_of(node, ("rule",), node.place)
            faults.add(where, f"the file of rule {rule.rule!r} must be named {rule.rule}.yaml", "rename it")
    _check_references(source, builder, {name: rule for rule, name in rules.values()}, faults)
    scorecard = _scorecard(source, pack, faults) if pack is not None else None
    try:
        in_order([rule for rule, _ in rules.values()])
    except CycleError as error:
        circle = " → ".join(error.args[1])
        faults.add(
            Place(source.path / PACK_FILE),
            f"rules read each other's outcome in a circle: {circle}",
            "let one of them look at the words instead",
        )
    if len(faults) > before or pack is None or scorecard is None:
        return None
    return RuleSet(pack, [rule for rule, _ in rules.values()], scorecard)


def invalid(path: Path, faults: Collection[Fault]) -> RulePackError:
    """The error that lists all faults of the pack in ``path``."""
    texts = tuple(str(fault) for fault in faults)
    return RulePackError(
        "pack_invalid",
        f"rule pack {path.name} has {len(texts)} fault{'s' if len(texts) != 1 else ''}: " + "; ".join(texts),
        faults=texts,
    )


def _without_disabled(node: Map, disabled: Collection[str]) -> Map:
    """``node`` that shares no event with a rule that the pack has disabled."""
    shared = node.get("same_event_as")
    names = list(disabled)  # what a file names may be anything, unhashable things too
    if not isinstance(shared, Seq) or not any(name in names for name in shared):
        return node
    kept = Seq(shared.place)
    for name, place in zip(shared, shared.places, strict=True):
        if name not in names:
            kept.put(name, place)
    node = node.copy()
    node["same_event_as"] = kept
    return node


def _check_references(source: PackSource, builder: Builder, rules: dict[str, Rule], faults: Faults) -> None:
    names = source.names
    for reference in builder.references:
        if reference.rule not in names:
            _no_such_rule(source, reference.rule, reference.place, faults)
    for name, rule in rules.items():
        node = source.rules[name]
        for i, other in enumerate(rule.same_event_as):
            if other not in names:
                _no_such_rule(source, other, place_of(node, ("same_event_as", i), node.place), faults)


def _no_such_rule(source: PackSource, name: str, place: Place, faults: Faults) -> None:
    if name in source.disabled:
        faults.add(place, f"refers to rule {shown(name)}, which this pack disables", "override this rule too")
    else:
        faults.add(place, f"refers to rule {shown(name)}, which this pack does not have", hint(name, source.names))


def _scorecard(source: PackSource, pack: Pack, faults: Faults) -> ScorecardModel | None:
    folders = (*source.scorecard_folders, shipped_root() / "scorecards")
    file = next((f for folder in folders if (f := folder / f"{pack.scorecard}.yaml").is_file()), None)
    if file is None:
        known = sorted({f.stem for folder in folders if folder.is_dir() for f in folder.glob("*.yaml")})
        what = f"no scorecard {pack.scorecard!r}: expected {folders[0] / pack.scorecard}.yaml"
        faults.add(place_of(source.pack, ("scorecard",), source.pack.place), what, hint(pack.scorecard, known))
        return None
    node = read_document(file, faults)
    scorecard = validated(ScorecardModel, node, faults, place=node.place) if node is not None else None
    if scorecard is None:
        return None
    seen: set[str] = set()
    sections = []
    for s, section in enumerate(scorecard.sections):
        items = []
        for i, item in enumerate(section.items):
            where = place_of(node, ("sections", s, "items", i, "rule"), node.place)
            if item.rule in source.disabled:
                continue
            items.append(item)
            if item.rule not in source.names:
                what = f"scores rule {item.rule!r}, which pack {pack.pack} does not have"
                faults.add(where, what, hint(item.rule, source.names))
            if item.rule in seen:
                faults.add(where, f"scores rule {item.rule!r} twice", "delete one of them")
            seen.add(item.rule)
        if items:
            sections.append(section.model_copy(update={"items": tuple(items)}))
    if not sections:
        faults.add(node.place, "scores disabled rules only", f"add a scorecard {pack.scorecard}.yaml of its own")
    return scorecard.model_copy(update={"sections": tuple(sections)})


__all__ = [
    "CASES_SUFFIX",
    "compile_pack",
    "find_pack",
    "invalid",
    "load_pack",
    "rule_files",
    "shipped_packs",
]
