"""The version of each rule of a pack: a digest of what decides its outcome and what that costs.

Guarantee: wording for people, the order of files and defaults written out change no digest. A change of a phrase,
of a threshold of the pack, of the rule's points or of a rule that it reads does. A key that a later release adds
leaves the digests of rules that do not use it as they were: an upgrade asks nobody to approve anything again.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from qa_service.domain.lifecycle import RuleVersion
from rules.schema import Pack, Rule, ScorecardModel, SectionModel

_FOR_PEOPLE = {"title", "rationale", "references", "owner", "training", "style"}
_OF_THE_PACK = {"language", "recognition", "metrics"}


def rule_versions(pack: Pack, rules: Sequence[Rule], scorecard: ScorecardModel) -> tuple[RuleVersion, ...]:
    """The versions of ``rules``, which come after those they read, sorted by rule."""
    whole = {
        "pack": pack.model_dump(mode="json", exclude_defaults=True, include=_OF_THE_PACK),
        "scorecard": scorecard.model_dump(
            mode="json", exclude_defaults=True, exclude={"scorecard", "title", "sections"}
        ),
    }
    costs = {item: cost for section in scorecard.sections for item, cost in _costs(section)}
    found: dict[str, RuleVersion] = {}
    for rule in rules:
        content = {
            **whole,
            "rule": rule.model_dump(mode="json", exclude_defaults=True, exclude=_FOR_PEOPLE),
            "item": costs.get(rule.rule),
            "reads": {name: found[name].digest for name in sorted(_read(rule)) if name in found},
        }
        text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        digest = "sha256:" + hashlib.sha256(text.encode()).hexdigest()
        found[rule.rule] = RuleVersion(pack.pack, rule.rule, digest, text, rule.counts)
    return tuple(found[name] for name in sorted(found))


def same_as(
    versions: Iterable[RuleVersion], others: Iterable[Callable[[], Iterable[RuleVersion]]]
) -> frozenset[str]:
    """Rules of which one of ``others`` has the same version; what is not needed to tell is not asked for."""
    open_ = {version.rule: version.digest for version in versions}
    same: set[str] = set()
    for load in others:
        if not open_:
            break
        known = {version.rule: version.digest for version in load()}
        agreed = {rule for rule, digest in open_.items() if known.get(rule) == digest}
        same |= agreed
        open_ = {rule: digest for rule, digest in open_.items() if rule not in agreed}
    return frozenset(same)


def _costs(section: SectionModel) -> Iterable[tuple[str, dict[str, Any]]]:
    shared = section.model_dump(mode="json", exclude_defaults=True, exclude={"title", "items"})
    for item in section.items:
        yield (
            item.rule,
            {"section": shared, **item.model_dump(mode="json", exclude_defaults=True, exclude={"rule"})},
        )


def _read(rule: Rule) -> set[str]:
    """Rules whose outcome can change this one's; styles are reported only."""
    styles = set(map(id, rule.style.values()))
    return {name for check in rule.checks() if id(check) not in styles for name in check.rules()}
