"""The trees of a pack as they stand in its folder, on top of those of the pack that it extends.

Guarantee: what comes out is what one folder with the merged content would hold; every part still knows its file.
"""

from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict

from qa_service.errors import RulePackError
from rules.documents import Faults, read_document, validated
from rules.wording import hint
from rules.yaml_tree import Map, Place, Seq, place_of, shown

PACK_FILE: Final = "pack.yaml"
LEXICON_FILE: Final = "lexicons.yaml"
CONDITION_FILE: Final = "conditions.yaml"
CASES_SUFFIX: Final = ".cases.yaml"
OVERRIDE: Final = "override"
MAX_PACKS: Final = 8  # of which each extends the next
_MERGED: Final = ("recognition", "metrics")  # settings of which single keys are changed
_EITHER: Final = ("require", "forbid")


class Extension(BaseModel):
    """What ``pack.yaml`` says about the pack that this one extends."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    extends: str | None = None
    disable: tuple[str, ...] = ()


_Lists = Annotated[
    dict[str, tuple[str, ...]],
    BeforeValidator(lambda given: {"phrases": given} if isinstance(given, list) else given),
]


class LexiconChange(BaseModel):
    """A change to a lexicon of the extended pack; lists alone change its phrases."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    add: _Lists = {}
    remove: _Lists = {}


@dataclass(slots=True)
class PackSource:
    """The trees of one pack. ``files``: of each rule, by file name without its ending; ``cases``: every file whose
    cases the pack must pass, with the rule they are about; ``disabled``: rules that an extended pack has;
    ``unreadable``: names of files whose content nobody knows."""

    path: Path
    pack: Map
    lexicons: Map
    conditions: Map
    rules: dict[str, Map] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)
    cases: list[tuple[Path, str]] = field(default_factory=list)
    disabled: set[str] = field(default_factory=set)
    scorecard_folders: tuple[Path, ...] = ()
    unreadable: set[str] = field(default_factory=set)

    @property
    def names(self) -> set[str]:
        """Ids of the rules, of faulty ones too: nobody needs to hear that they are missing."""
        ids = [node.get("rule") for node in self.rules.values()]
        return set(self.files) | {name for name in ids if isinstance(name, str)}


def shipped_packs() -> dict[str, Path]:
    """The packs that come with the product, by name."""
    root = shipped_root() / "packs"
    return {path.name: path for path in sorted(root.iterdir()) if (path / PACK_FILE).is_file()}


def shipped_root() -> Path:
    """The folder of the shipped packs and scorecards."""
    return Path(str(files("rules")))


def find_pack(name_or_path: str) -> Path:
    """A shipped pack by name, or the folder of a site's own pack. Raises RulePackError ``pack_unknown``."""
    shipped = shipped_packs()
    if name_or_path in shipped:
        return shipped[name_or_path]
    path = Path(name_or_path).expanduser()
    if _is_pack(path):
        return path
    raise RulePackError(
        "pack_unknown",
        f"no rule pack {name_or_path!r}: use one of {', '.join(shipped)}, or a folder that holds a {PACK_FILE}",
    )


def _is_pack(path: Path) -> bool:
    try:
        return (path / PACK_FILE).is_file()
    except (OSError, ValueError):  # a name that is too long, or holds a NUL
        return False


def rule_files(path: Path) -> tuple[Path, ...]:
    """The rule files of the pack in ``path``."""
    others = (PACK_FILE, LEXICON_FILE, CONDITION_FILE)
    return tuple(
        file
        for file in sorted(path.glob("*.yaml"))
        if file.name not in others and not file.name.endswith(CASES_SUFFIX)
    )


def read_pack(path: Path, faults: Faults, *, inside: tuple[Path, ...] = ()) -> PackSource | None:
    """The trees of the pack in ``path``; None, and a fault, when even its ``pack.yaml`` cannot be read.

    ``inside``: the packs that extend it, outermost first.
    """
    node = read_document(path / PACK_FILE, faults)
    if node is None:
        return None
    extension, own = _extension(node, faults)
    if extension is None:
        return None
    base = None
    if extension.extends is not None:
        base = _base(path, node, extension.extends, faults, inside)
        if base is None:
            return None
        if "pack" not in own:
            faults.add(node.place, "pack: is missing", "give this pack an id of its own")
    source = PackSource(path, _settings(node, own, base, faults), Map(node.place), Map(node.place))
    source.scorecard_folders = (path / "scorecards", *(base.scorecard_folders if base else ()))
    source.unreadable = set(base.unreadable) if base else set()
    lexicons = _optional(path / LEXICON_FILE, source, faults)
    source.lexicons = lexicons if base is None else _merged_lexicons(base, lexicons, source.unreadable, faults)
    conditions = _optional(path / CONDITION_FILE, source, faults)
    source.conditions = conditions if base is None else _merged(base.conditions, conditions)
    if base is not None:
        source.rules, source.files = dict(base.rules), dict(base.files)
        source.disabled = set(base.disabled)
        for i, name in enumerate(extension.disable):
            if name not in source.files:
                where = place_of(node, ("disable", i), node.place)
                faults.add(
                    where,
                    f"disables rule {shown(name)}, which pack {base.path.name} does not have",
                    hint(name, source.files),
                )
            source.rules.pop(name, None)
            source.files.pop(name, None)
            source.disabled.add(name)
    elif extension.disable:
        faults.add(
            place_of(node, ("disable",), node.place), "`disable` without `extends`", "delete the rules themselves"
        )
    inherited = set(source.files)
    changed = _own_rules(path, source, faults, base)
    source.cases = [(file, rule) for file, rule in (base.cases if base else []) if rule in inherited - changed]
    source.cases += [(file, case_rule(file)) for file in sorted(path.glob(f"*{CASES_SUFFIX}"))]
    return source


def case_rule(file: Path) -> str:
    """The rule that a file of cases is about."""
    return file.name.removesuffix(CASES_SUFFIX)


def _extension(node: Map, faults: Faults) -> tuple[Extension | None, Map]:
    """What the pack extends, and its settings without that."""
    own = node.copy()
    given = {name: own.pop(name) for name in Extension.model_fields if name in own}
    place = node.place
    return validated(Extension, given, faults, place=place, root=node), own


def _base(path: Path, node: Map, name: str, faults: Faults, inside: tuple[Path, ...]) -> PackSource | None:
    where = place_of(node, ("extends",), node.place)
    shipped = shipped_packs()
    found = shipped.get(name) or path / Path(name).expanduser()
    if not _is_pack(found):
        faults.add(
            where, f"no pack {shown(name)} to extend", f"{hint(name, shipped)}, or a folder beside this file"
        )
        return None
    chain = (*inside, path.resolve())
    if found.resolve() in chain:
        circle = " → ".join(p.name for p in (*chain[chain.index(found.resolve()) :], found))
        faults.add(where, f"packs extend each other in a circle: {circle}", "let one of them stand alone")
        return None
    if len(chain) >= MAX_PACKS:
        faults.add(where, f"more than {MAX_PACKS} packs extend each other", "extend a pack nearer to the first")
        return None
    return read_pack(found, faults, inside=chain)


def _settings(node: Map, own: Map, base: PackSource | None, faults: Faults) -> Map:
    if base is None:
        return own
    settings = _merged(base.pack, own)
    for name in _MERGED:
        mine, theirs = own.get(name), base.pack.get(name)
        if isinstance(mine, Map) and isinstance(theirs, Map):
            settings[name] = _merged(theirs, mine)
    if settings.get("language") != base.pack.get("language"):
        where = place_of(node, ("language",), node.place)
        faults.add(where, f"extends a pack of another language, {base.pack.get('language')}", "delete `language`")
    return settings


def _merged(base: Map, own: Map) -> Map:
    """``base`` with the keys of ``own`` in place of its own."""
    merged = base.copy()
    merged.place = own.place
    for key, value in own.items():
        merged.put(key, value, own.places[key])
    merged.text_lines.update(own.text_lines)
    return merged


def _optional(file: Path, source: PackSource, faults: Faults) -> Map:
    """The tree of a file that a pack may lack."""
    found = read_document(file, faults) if file.exists() or file.is_symlink() else Map(Place(file))
    if found is None:
        source.unreadable.add(file.name)
        return Map(Place(file))
    assert isinstance(found, Map)
    return found


def _merged_lexicons(base: PackSource, own: Map, unreadable: set[str], faults: Faults) -> Map:
    merged = _merged(base.lexicons, own)
    for name, value in own.items():
        if isinstance(value, Map) and value.keys() & LexiconChange.model_fields.keys():
            if name in base.lexicons:
                merged[name] = _changed(name, value, base.lexicons[name], faults)
            else:
                what = f"changes lexicon {shown(name)}, which pack {base.path.name} does not have"
                faults.add(own.places[name], what, hint(name, base.lexicons))
                del merged[name]
                unreadable.add(LEXICON_FILE)
    return merged


def _changed(name: str, change: Map, old: object, faults: Faults) -> object:
    """Lexicon ``old`` with phrases added and removed; other keys of ``change`` replace its own."""
    given = {key: change[key] for key in LexiconChange.model_fields if key in change}
    if validated(LexiconChange, given, faults, place=change.place, root=change) is None:
        return old
    new = Map(change.place)
    if isinstance(old, Map):
        new = old.copy()
    else:
        new.put("phrases", old, change.place)
    for key in change.keys() - given.keys():
        new.put(key, change[key], change.places[key])
    for step in [step for step in ("remove", "add") if step in given]:
        by_key = given[step] if isinstance(given[step], Map) else {"phrases": given[step]}
        for key, phrases in by_key.items():
            before = new.get(key)
            before = before if isinstance(before, Seq) else Seq(phrases.place)
            after = Seq(phrases.place)
            for i, phrase in enumerate(before):
                if step == "add" or phrase not in phrases:
                    after.put(phrase, before.places[i])
            for i, phrase in enumerate(phrases):
                if step == "add":
                    after.put(phrase, phrases.places[i])
                elif phrase not in before:
                    known = [p for p in before if isinstance(p, str)]
                    what = f"lexicon {name} has no {shown(phrase)} in its {key} to remove"
                    faults.add(
                        phrases.places[i], what, hint(phrase, known) if len(known) < 20 else "delete it here"
                    )
            new.put(key, after, change.places[step])
    return new


def _own_rules(path: Path, source: PackSource, faults: Faults, base: PackSource | None) -> set[str]:
    """Read the pack's own rules into ``source``; returns the names of their files, without the ending."""
    changed: set[str] = set()
    for file in rule_files(path):
        name = file.stem
        changed.add(name)
        node = read_document(file, faults)
        if node is not None and OVERRIDE in node:
            node = _overridden(file, node, base, faults)
        source.files[name] = file
        source.disabled.discard(name)
        source.rules.pop(name, None)
        if node is not None:
            source.rules[name] = node
    return changed


def _overridden(file: Path, node: Map, base: PackSource | None, faults: Faults) -> Map | None:
    """The base's rule with the top-level keys that ``node`` gives; a key without a value is taken away."""
    name, place = node[OVERRIDE], node.places[OVERRIDE]
    known = base.files if base is not None else {}
    if name != file.stem:
        faults.add(place, f"the file that overrides {shown(name)} must be named {name}.yaml", "rename it")
        return None
    if name not in known:
        what = f"overrides rule {shown(name)}, which " + (
            f"pack {base.path.name} does not have" if base is not None else "needs `extends` in pack.yaml"
        )
        faults.add(place, what, hint(name, known) if base is not None else "write `rule:` for a rule of its own")
        return None
    assert base is not None
    if name not in base.rules:  # it has faults of its own
        return None
    own = node.copy()
    del own[OVERRIDE]
    if "rule" in own:
        faults.add(node.places["rule"], "both `rule` and `override`", "delete one of them")
        return None
    merged = _merged(base.rules[name], own)
    # The other way to ask the question goes with the one that is replaced.
    for mine, other in (_EITHER, _EITHER[::-1]):
        if mine in own and other not in own:
            merged.pop(other, None)
    for key in [key for key, value in own.items() if value is None]:
        del merged[key]
    return merged
