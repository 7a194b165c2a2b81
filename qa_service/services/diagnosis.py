"""Checks of a machine: each with a bounded wait, and none that can hide another.

Guarantee: every check has one result, in the order given. One that breaks is a failed check with its reason, one
that hangs is a failed check after its time; nobody waits longer than the longest time of all.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import structlog

from qa_service.errors import QAError

log = structlog.get_logger(__name__)


class State(StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


_RANK = {state: rank for rank, state in enumerate(State)}


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found. ``remedy``: what to do, unless there is nothing to be done."""

    state: State
    measured: str
    remedy: str = ""


def ok(measured: str) -> Finding:
    return Finding(State.OK, measured)


def warning(measured: str, remedy: str) -> Finding:
    """The work gets done for now, or done worse."""
    return Finding(State.WARNING, measured, remedy)


def failed(measured: str, remedy: str) -> Finding:
    """Work will fail here."""
    return Finding(State.FAILED, measured, remedy)


def of_error(error: QAError) -> Finding:
    """A failed check of a coded error, whose message is ``what is wrong: what to do``."""
    fault, colon, remedy = error.message.rpartition(": ")
    if not colon:
        fault, remedy = error.message, f"see {error.code} in docs/errors.md"
    return failed(" ".join(f"{error.code}: {fault}".split()), remedy)


def together(findings: Sequence[Finding]) -> Finding:
    """Several findings of one check: the worst state, everything that was measured, each remedy once."""
    return Finding(
        max((finding.state for finding in findings), key=_RANK.__getitem__),
        "; ".join(finding.measured for finding in findings),
        "; ".join(dict.fromkeys(finding.remedy for finding in findings if finding.remedy)),
    )


@dataclass(frozen=True, slots=True)
class Check:
    """``look`` finds out; after ``timeout_s`` nobody waits for it any more."""

    name: str
    look: Callable[[], Finding]
    timeout_s: float


@dataclass(frozen=True, slots=True)
class CheckResult:
    check: str
    state: State
    measured: str
    remedy: str
    elapsed_s: float


def diagnose(checks: Sequence[Check]) -> Iterator[CheckResult]:
    """Make all checks at once; yields each result as soon as those before it are there."""
    running = [_Running(check) for check in checks]
    for one in running:
        yield one.result()


class _Running:
    """A check in a thread of its own. One that hangs is left behind: a daemon, it holds up no exit."""

    def __init__(self, check: Check) -> None:
        self._check = check
        self._finding: Finding | None = None
        self._started = time.monotonic()
        self._ended = self._started
        self._thread = threading.Thread(target=self._look, name=f"check-{check.name}", daemon=True)
        self._thread.start()

    def _look(self) -> None:
        try:
            finding = self._check.look()
        except QAError as error:
            finding = of_error(error)
        except Exception as error:  # whatever breaks a check is its result
            log.debug("check broke", check=self._check.name, exc_info=True)
            finding = failed(
                f"the check broke ({type(error).__name__}: {error})",
                "see the traceback of qa --verbose doctor, and report it if this machine is not to blame",
            )
        self._ended = time.monotonic()
        self._finding = finding

    def result(self) -> CheckResult:
        self._thread.join(max(0.0, self._started + self._check.timeout_s - time.monotonic()))
        finding = self._finding
        elapsed_s = (self._ended if finding else time.monotonic()) - self._started
        if finding is None:
            finding = failed(
                f"no answer in {self._check.timeout_s:g} s",
                "see what it waits for: a server, a network disk or a machine that is overloaded",
            )
        return CheckResult(self._check.name, finding.state, finding.measured, finding.remedy, round(elapsed_s, 3))
