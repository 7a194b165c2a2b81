"""Work on rules that takes seconds of processor time: a process of its own, one at a time, for a limited time.

Run as a program it reads a task from standard input and answers on standard output; the web process, which has
others to answer, only waits. Whatever a pack holds, it cannot hold up, crash or outlive the web process for long.
"""

import json
import resource
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from qa_service.errors import ConfigurationError, InputError, QAError, RulePackError, TransientError

LIMIT_S: Final = 60
WAIT_S: Final = 5.0
MEMORY_BYTES: Final = 2 * 1024**3
_KINDS: Final = {kind.__name__: kind for kind in (InputError, ConfigurationError, RulePackError, TransientError)}

_one_at_a_time = threading.Lock()


def in_a_process(task: str, arguments: Mapping[str, Any]) -> Any:
    """What ``task`` answers.

    Raises:
        TransientError: ``rules_busy``, while another is under way.
        InputError: ``rules_timeout``.
        QAError: what the task raises.
    """
    if not _one_at_a_time.acquire(timeout=WAIT_S):
        raise TransientError("rules_busy", "other rules are being tried: ask again in a moment")
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "api.rule_work"],
            input=json.dumps([task, dict(arguments)]),
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired as error:
        raise InputError(
            "rules_timeout", f"it took longer than {LIMIT_S} s: try fewer rules, cases or calls"
        ) from error
    finally:
        _one_at_a_time.release()
    if done.returncode:
        raise InputError("rules_timeout", "it took too much time or memory: try fewer rules, cases or calls")
    answer = json.loads(done.stdout)
    if "kind" in answer:
        kind = _KINDS.get(answer["kind"], QAError)
        if kind is RulePackError:
            raise RulePackError(answer["code"], answer["message"], faults=tuple(answer["faults"]))
        raise kind(answer["code"], answer["message"])
    return answer["result"]


def validate(files: Mapping[str, str]) -> dict[str, Any]:
    """Raises RulePackError ``pack_invalid``."""
    from rules.lint import Level, lint
    from rules.loader import load_pack
    from rules.uploads import folder_of

    with folder_of(files) as folder:
        rules = load_pack(folder)
        found = lint(folder)
    if faults := tuple(str(one.fault) for one in found if one.level is Level.FAULT):  # of the cases
        raise RulePackError("pack_invalid", "the cases have faults: correct them", faults=faults)
    warnings = [
        {
            "file": one.fault.place.file.name,
            "line": one.fault.place.line,
            "column": one.fault.place.column,
            "code": one.code,
            "what": one.fault.what,
            "fix": one.fault.fix,
        }
        for one in found
    ]
    return {
        "pack": rules.pack,
        "language": rules.language,
        "digest": rules.digest,
        "rules": len(rules.rules),
        "warnings": warnings,
    }


def test(files: Mapping[str, str] | None, folder: str | None, only: list[str]) -> dict[str, Any]:
    """Raises RulePackError ``pack_invalid``, ``rule_unknown``."""
    from rules.uploads import folder_of

    if files is None:
        assert folder is not None
        return _ran(Path(folder), only)
    with folder_of(files) as uploaded:
        return _ran(uploaded, only)


def _ran(folder: Path, only: list[str]) -> dict[str, Any]:
    from rules.cases import run_cases
    from rules.loader import load_pack

    known = {rule.rule for rule in load_pack(folder).rules}
    if unknown := sorted(set(only) - known):
        raise RulePackError("rule_unknown", f"the pack has no rule {unknown[0]}: use one of its own")
    ran = run_cases(folder, rules=only)
    return {
        "passed": sum(one.passed for one in ran),
        "failed": sum(not one.passed for one in ran),
        "failures": [
            {
                "rule": one.rule,
                "case": one.case.case,
                "place": one.place,
                "expected": one.case.expect.value,
                "outcome": one.outcome.value,
                "reason": one.reason,
                "known_miss": one.case.known_miss,
            }
            for one in ran
            if not one.passed
        ][:200],
    }


def backtest(
    database_url: str,
    in_use: Mapping[str, str],
    pack: str,
    against: str | None,
    since: str | None,
    until: str | None,
    sample: int,
) -> dict[str, Any]:
    """``in_use``: the pack of each language, by name or folder.

    Raises ConfigurationError ``nothing_to_backtest``.
    """
    from datetime import datetime

    from qa_service.adapters.clock import SystemClock
    from qa_service.db.session import Database
    from qa_service.services.approvals import RuleApprovals
    from qa_service.services.backtest import Backtest, Selection
    from qa_service.services.backtest_report import document
    from qa_service.services.evaluate import EvaluateConversation
    from rules.loader import find_pack, load_pack
    from rules.shelf import Shelf

    database = Database(database_url, clock=SystemClock())
    units = partial(database.unit_of_work, read_only=True)
    shelf = Shelf(list(in_use.values()))

    def load(name: str) -> Any:
        return load_pack(find_pack(name))

    evaluate = EvaluateConversation(
        units=units,
        load_pack=load,
        pack_by_language=in_use,
        approvals=RuleApprovals(units=units, as_shipped=shelf.as_shipped),
    )
    first, last = (None if text is None else datetime.fromisoformat(text) for text in (since, until))
    report = Backtest(units=units, digest_in_force=evaluate.digest_in_force).run(
        load(pack), against=load(against) if against else None, selection=Selection(first, last, sample)
    )
    return document(report)


TASKS: Final[Mapping[str, Callable[..., dict[str, Any]]]] = {
    "validate": validate,
    "test": test,
    "backtest": backtest,
}


def main() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (LIMIT_S, LIMIT_S))  # also when nobody waits any more
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    task, arguments = json.load(sys.stdin)
    answer: dict[str, Any]
    try:
        answer = {"result": TASKS[task](**arguments)}
    except QAError as error:
        faults = list(error.faults) if isinstance(error, RulePackError) else []
        answer = {"kind": type(error).__name__, "code": error.code, "message": error.message, "faults": faults}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
