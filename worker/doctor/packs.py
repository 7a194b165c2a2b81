"""The packs that calls are scored by."""

from collections.abc import Iterator
from functools import partial

from qa_service.adapters.clock import SystemClock
from qa_service.db.inspection import SchemaState
from qa_service.db.session import Database
from qa_service.errors import QAError, RulePackError
from qa_service.services.approvals import RuleApprovals
from qa_service.services.diagnosis import Finding, failed, of_error, ok, together, warning
from qa_service.settings import Settings
from rules.engine import RuleSet
from worker.container import as_shipped, pack
from worker.doctor.store import inspected


def packs(settings: Settings) -> Finding:
    """Each configured pack: loaded as scoring would, with its rules that are not scored yet."""
    return together([*_pack("zh", settings.pack_zh, settings), *_pack("en", settings.pack_en, settings)])


def _pack(language: str, name: str, settings: Settings) -> Iterator[Finding]:
    try:
        rules = pack(name)
    except RulePackError as error:
        if not error.faults:
            yield of_error(error)
            return
        count = f"{len(error.faults)} fault{'s' if len(error.faults) != 1 else ''}"
        yield failed(f"pack {name} has {count}, first: {error.faults[0]}", f"run qa rules lint {name}")
        return
    if rules.language != language:
        yield warning(
            f"pack {name} is written for {rules.language}, and scores calls in {language}",
            f"set QA_PACK_{language.upper()} to a pack for {language}",
        )
    yield _scored(name, rules, settings)


def _scored(name: str, rules: RuleSet, settings: Settings) -> Finding:
    measured = f"{name}: {len(rules.versions)} rules"
    if all(version.rule in as_shipped(rules) for version in rules.versions if version.counts):
        return ok(measured)
    try:
        not_live = _not_live(rules, settings)
    except QAError as error:
        return warning(f"{measured}, which of them are live is not known ({error.code})", "see to the database")
    if not_live is None:
        return warning(f"{measured}, which of them are live is not known", "bring the database to this version")
    if not_live:
        return warning(
            f"{measured}, {not_live} of them not live: recorded and not scored",
            f"run qa rules approve {name} --by NAME, then qa rules publish {name} --by NAME",
        )
    return ok(measured)


def _not_live(rules: RuleSet, settings: Settings) -> int | None:
    """How many rules are not scored: without tables all that need publishing; None in another version's tables."""
    found = inspected(settings)
    if found is None or found.schema is SchemaState.EMPTY:
        return sum(version.counts and version.rule not in as_shipped(rules) for version in rules.versions)
    if found.schema is not SchemaState.CURRENT:
        return None
    database = Database(settings.resolved_database_url, clock=SystemClock())
    try:
        units = partial(database.unit_of_work, read_only=True)
        return len(RuleApprovals(units=units, as_shipped=as_shipped).not_live(rules))
    finally:
        database.dispose()
