"""Small packs written to a folder, and conversations judged by them."""

from collections.abc import Collection
from pathlib import Path

from qa_service.domain.call import CallMetadata
from qa_service.domain.conversation import Conversation
from qa_service.domain.metrics import measure
from qa_service.domain.results import RuleResult
from rules.cases import dialogue
from rules.engine import RuleSet
from rules.loader import load_pack


def write_pack(
    folder: Path, rules: dict[str, str], *, lexicons: str = "", settings: str = "", language: str = "zh"
) -> Path:
    """A pack named ``site`` in ``folder``; ``rules`` holds the body of each rule after its title."""
    pack = folder / "site"
    (pack / "scorecards").mkdir(parents=True, exist_ok=True)
    (pack / "pack.yaml").write_text(
        f"pack: site\ntitle: Site\nlanguage: {language}\nscorecard: site\n{settings}", encoding="utf-8"
    )
    if lexicons:
        (pack / "lexicons.yaml").write_text(lexicons, encoding="utf-8")
    items = "".join(f"      - {{rule: {name}, points: 1}}\n" for name in rules)
    (pack / "scorecards" / "site.yaml").write_text(
        f"scorecard: site\ntitle: Site\nsections:\n  - name: all\n    title: All\n    items:\n{items}",
        encoding="utf-8",
    )
    for name, body in rules.items():
        (pack / f"{name}.yaml").write_text(
            f"rule: {name}\ntitle: A title\nseverity: minor\n{body}\n", encoding="utf-8"
        )
    return pack


def rule_set(
    folder: Path, rules: dict[str, str], *, lexicons: str = "", settings: str = "", language: str = "zh"
) -> RuleSet:
    return load_pack(write_pack(folder, rules, lexicons=lexicons, settings=settings, language=language))


def results(
    rules: RuleSet,
    conversation: Conversation,
    metadata: CallMetadata | None = None,
    *,
    not_live: Collection[str] = (),
) -> dict[str, RuleResult]:
    metadata = metadata or CallMetadata()
    metrics = measure(conversation, metadata, rules.metric_options)
    found = rules.evaluate(conversation, metrics, metadata, not_live=not_live)
    return {result.rule: result for result in found}


def judged(
    folder: Path,
    body: str,
    text: str,
    *,
    lexicons: str = "",
    settings: str = "",
    language: str = "zh",
    metadata: CallMetadata | None = None,
    duration_s: float | None = None,
    overlap_measurable: bool = True,
) -> RuleResult:
    """What a pack with the one rule ``body`` says about the dialogue ``text``."""
    conversation = dialogue(text, language=language, duration_s=duration_s, overlap_measurable=overlap_measurable)
    rules = rule_set(folder, {"asked": body}, lexicons=lexicons, settings=settings, language=language)
    return results(rules, conversation, metadata)["asked"]
