"""Writes a simulated half-year into a store as if every call of it had been received, heard, scored and partly
reviewed.

Guarantee: the rows are those that the product itself writes for such calls, with what goes with them (directory,
scorecard, findings, verdicts, final scores). The sums that ``write`` returns are counted here, from what was
simulated and decided, by nothing that the product counts with.
"""

import json
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any, Final

from sqlalchemy import insert, text
from sqlalchemy.orm import Session

from qa_service.db import documents
from qa_service.db.rows import (
    AgentRow,
    CallMetadataRow,
    CallRow,
    ConversationRow,
    EvaluationRow,
    FinalScoreRow,
    FindingRow,
    LatestEvaluationRow,
    RecordingRow,
    Row,
    RuleResultRow,
    ScorecardRow,
    TeamRow,
    UserRow,
    VerdictRow,
)
from qa_service.db.session import Database
from qa_service.domain.call import CallMetadata, Direction
from qa_service.domain.results import Evidence, Outcome, RuleResult, Severity
from qa_service.domain.review import Decision, Reason, Ruling, final
from qa_service.domain.scoring import Scorecard, ScorecardItem, ScorecardSection, fill
from tests.qa_service.db import builders
from tests.simulation.half_year import MET, NOT_MET, UNDETERMINED, Call, HalfYear, Rule

REVIEWED: Final = 0.3
"""Of the findings, the share that somebody has decided; the others are open."""

WRONG: Final = {NOT_MET: 0.1, UNDETERMINED: 0.5}
"""Of those that were decided, the share that was none."""

_AT_ONCE: Final = 4_000
_JSON: Final = frozenset({"document", "sections", "evidence", "roles"})
_INSPECTOR: Final = "simulated.inspector"

Counts = dict[tuple[str, date, str], list[int]]


@dataclass
class Written:
    """What was written. ``faults``: by agent, day and rule, calls with an answer, faults, confirmed ones.
    ``scores``: by agent and day, calls, scored calls, and points."""

    calls: int = 0
    results: int = 0
    findings: int = 0
    verdicts: int = 0
    faults: Counts = field(default_factory=dict)
    scores: dict[tuple[str, date], list[float]] = field(default_factory=dict)


def write(database: Database, year: HalfYear, *, reviewed: float = REVIEWED, seed: int = 1) -> Written:
    """Write all calls into an upgraded, empty store, and have their days counted by whoever counts next."""
    chance, written = random.Random(seed), Written()
    card = _card(year.totals.rules)
    with database.unit_of_work() as unit:
        user_id = _people(unit.session, year, card)
        unit.commit()
    maker = _Maker(year.totals.rules, card, chance, reviewed, user_id, written)
    calls = year.calls()
    while some := list(islice(calls, _AT_ONCE)):
        rows: dict[type[Row], list[dict[str, Any]]] = {row: [] for row in _ORDER}
        for call in some:
            maker.add(call, rows)
        with database.unit_of_work() as unit:
            for row, values in rows.items():
                _put(unit.session, row, values)
            unit.commit()
    with database.unit_of_work() as unit:
        _continue_numbers(unit.session)
        unit.figures.mark_all()
        unit.commit()
    return written


_ORDER: Final[tuple[type[Row], ...]] = (
    *(RecordingRow, CallMetadataRow, ConversationRow, EvaluationRow, LatestEvaluationRow, RuleResultRow),
    *(FindingRow, VerdictRow, FinalScoreRow, CallRow),
)


class _Maker:
    """Makes the rows of calls. A call's number is that of its recording, conversation and evaluation."""

    def __init__(
        self,
        rules: Sequence[Rule],
        card: Scorecard,
        chance: random.Random,
        reviewed: float,
        user_id: int,
        written: Written,
    ) -> None:
        self._severity = {rule.name: _severity(rule) for rule in rules}
        self._card, self._digest = card, documents.dump_scorecard(card)[1]
        self._chance, self._reviewed, self._user_id = chance, reviewed, user_id
        self._written = written
        self._conversation = documents.dump_conversation(builders.conversation())
        self._metrics = documents.dump_metrics(builders.metrics())

    def add(self, call: Call, rows: Mapping[type[Row], list[dict[str, Any]]]) -> None:
        number, at = call.number, call.at.astimezone(UTC)
        received, scored = at + timedelta(hours=1), at + timedelta(hours=12)
        told = CallMetadata(
            call_id=f"c{number:07}",
            agent_id=call.agent_id,
            team=call.team,
            vendor=call.vendor,
            queue=call.queue,
            customer_ref=f"k{number * 7919 % 40_000:05}",
            direction=Direction.INBOUND,
            started_at=at,
        )
        document, digest = documents.dump_metadata(told)
        rows[RecordingRow].append(
            {
                "id": number,
                "sha256": f"{number:064x}",
                "path": f"calls/{number}.wav",
                "file_name": f"{number}.wav",
                "blob_uri": f"blob:{number}",
                "size_bytes": 1000,
                "duration_s": call.duration_s,
                "channels": 2,
                "created_at": received,
            }
        )
        rows[CallMetadataRow].append(
            {
                "recording_id": number,
                "document": document,
                "digest": digest,
                "version": 1,
                "updated_at": received,
            }
        )
        rows[ConversationRow].append(
            {
                "id": number,
                "stage_key": f"heard:{number}",
                "recording_id": number,
                "language": "zh",
                "duration_s": call.duration_s,
                "elapsed_s": 9.0,
                "document": self._conversation,
                "created_at": scored,
            }
        )
        results = tuple(self._result(rule, outcome, call) for rule, outcome in call.outcomes.items())
        rulings = self._findings(call, results, rows, scored)
        machine = fill(self._card, results)
        decided = final(self._card, results, rulings) if rulings else machine
        rows[EvaluationRow].append(
            {
                "id": number,
                "key": f"scored:{number}",
                "recording_id": number,
                "conversation_id": number,
                "pack": "service-zh",
                "ruleset_digest": "d",
                "scorecard": self._card.name,
                "scorecard_digest": self._digest,
                "score": machine.score,
                "raw_score": machine.raw_score,
                "bonus": 0.0,
                "coverage": machine.coverage,
                "fatal": machine.fatal,
                "sections": documents.dump_sections(machine.sections),
                "metrics": self._metrics,
                "created_at": scored,
            }
        )
        rows[LatestEvaluationRow].append({"recording_id": number, "evaluation_id": number})
        if decided != machine:
            rows[FinalScoreRow].append(
                {
                    "id": number,
                    "recording_id": number,
                    "evaluation_id": number,
                    "number": 1,
                    "score": decided.score,
                    "raw_score": decided.raw_score,
                    "bonus": 0.0,
                    "coverage": decided.coverage,
                    "fatal": decided.fatal,
                    "sections": documents.dump_sections(decided.sections),
                    "cause": "review",
                    "user_id": self._user_id,
                    "at": scored + timedelta(days=1),
                }
            )
        rejected = {ruling.rule for ruling in rulings if ruling.decision is Decision.REJECT}
        open_or_fault = [r for r in results if r.needs_a_person and r.rule not in rejected]
        rows[CallRow].append(
            {
                "recording_id": number,
                "at": at,
                "call_id": told.call_id,
                "agent_id": call.agent_id,
                "agent_name": None,
                "team": call.team,
                "vendor": call.vendor,
                "queue": call.queue,
                "direction": "inbound",
                "customer_ref": told.customer_ref,
                "language": "zh",
                "duration_s": call.duration_s,
                "evaluation_id": number,
                "scorecard": self._card.name,
                "score": machine.score,
                "final_score": decided.score,
                "coverage": decided.coverage,
                "fatal": decided.fatal,
                "to_review": len(open_or_fault) - sum(r.decision is Decision.CONFIRM for r in rulings),
                "worst": max((_RANK[result.severity] for result in open_or_fault), default=0),
            }
        )
        self._count(call, decided.score)

    def _result(self, rule: str, outcome: str, call: Call) -> RuleResult:
        doubtful = outcome in (NOT_MET, UNDETERMINED)
        at = call.number * 31 % max(1, int(call.duration_s) - 3)
        evidence = (Evidence(at, at + 2.0, quote="您好，请问有什么可以帮您"),) if doubtful else ()
        reason = "low_confidence" if outcome == UNDETERMINED else ""
        return RuleResult(rule, rule, Outcome(outcome), self._severity[rule], evidence, reason=reason)

    def _findings(
        self,
        call: Call,
        results: Iterable[RuleResult],
        rows: Mapping[type[Row], list[dict[str, Any]]],
        scored: datetime,
    ) -> list[Ruling]:
        """Rule results with their findings, and what was decided about some of them."""
        rulings, written, day = [], self._written, call.at.date()
        for position, result in enumerate(results):
            written.results += 1
            rows[RuleResultRow].append(
                {
                    "id": written.results,
                    "evaluation_id": call.number,
                    "position": position,
                    "rule": result.rule,
                    "title": result.title,
                    "outcome": result.outcome.value,
                    "severity": result.severity.value,
                    "reason": result.reason,
                    "scored": True,
                    "same_event_as": None,
                    "evidence": documents.dump_evidence(result.evidence),
                    "grade": None,
                }
            )
            outcome, decision = result.outcome.value, None
            if outcome in WRONG:
                decision = self._finding(call.number, result, rows, scored)
                if decision is not None:
                    reason = Reason.MISHEARD.value if decision is Decision.REJECT else ""
                    rulings.append(Ruling(result.rule, decision, reason))
            fault = decision is Decision.CONFIRM or (outcome == NOT_MET and decision is None)
            if fault or outcome == MET or decision is not None:
                count = written.faults.setdefault((call.agent_id, day, result.rule), [0, 0, 0])
                count[0] += 1
                count[1] += fault
                count[2] += decision is Decision.CONFIRM
        return rulings

    def _finding(
        self, number: int, result: RuleResult, rows: Mapping[type[Row], list[dict[str, Any]]], scored: datetime
    ) -> Decision | None:
        written, decision = self._written, None
        written.findings += 1
        if self._chance.random() < self._reviewed:
            wrong = self._chance.random() < WRONG[result.outcome.value]
            decision = Decision.REJECT if wrong else Decision.CONFIRM
        states = {None: "open", Decision.CONFIRM: "confirmed", Decision.REJECT: "rejected"}
        at = None if decision is None else scored + timedelta(days=1)
        rows[FindingRow].append(
            {
                "id": written.findings,
                "evaluation_id": number,
                "rule_result_id": written.results,
                "state": states[decision],
                "origin": "machine",
                "decided_at": at,
                "due_at": None,
                "version": 1,
            }
        )
        if decision is not None:
            written.verdicts += 1
            rows[VerdictRow].append(
                {
                    "id": written.verdicts,
                    "finding_id": written.findings,
                    "recording_id": number,
                    "user_id": self._user_id,
                    "decision": decision.value,
                    "cause": "review",
                    "reason": "misheard" if decision is Decision.REJECT else "",
                    "note": "",
                    "start_s": None,
                    "end_s": None,
                    "carried_from": None,
                    "at": at,
                }
            )
        return decision

    def _count(self, call: Call, score: float | None) -> None:
        self._written.calls += 1
        count = self._written.scores.setdefault((call.agent_id, call.at.date()), [0, 0, 0.0])
        count[0] += 1
        if score is not None:
            count[1] += 1
            count[2] += score


_RANK: Final = {Severity.CRITICAL: 3, Severity.MAJOR: 2, Severity.MINOR: 1}


def _severity(rule: Rule) -> Severity:
    return Severity.CRITICAL if rule.weight >= 15 else Severity.MAJOR if rule.weight >= 10 else Severity.MINOR


def _card(rules: Sequence[Rule]) -> Scorecard:
    items = tuple(ScorecardItem(rule.name, rule.weight) for rule in rules)
    return Scorecard("service-zh", 0.6, (ScorecardSection("service", "服务", items),))


def _people(session: Session, year: HalfYear, card: Scorecard) -> int:
    """The directory, who reviews, and the scorecard; the reviewer's number."""
    began = datetime.combine(year.totals.starts, datetime.min.time(), UTC)
    teams = {agent.team: agent.vendor for agent in year.agents}
    session.add_all(TeamRow(name=team, vendor=vendor, version=1) for team, vendor in teams.items())
    session.add_all(
        AgentRow(agent_id=one.agent_id, name=one.agent_id, team=one.team, vendor=one.vendor, first_call_at=began)
        for one in year.agents
    )
    user = UserRow(
        login=_INSPECTOR,
        name=_INSPECTOR,
        display_name="Inspector",
        roles=["inspector"],
        active=True,
        failures=0,
        created_at=began,
        updated_at=began,
    )
    document, digest = documents.dump_scorecard(card)
    session.add_all([user, ScorecardRow(digest=digest, document=document, created_at=began)])
    session.flush()
    return user.id


def _put(session: Session, row: type[Row], values: list[dict[str, Any]]) -> None:
    if not values:
        return
    if session.get_bind().dialect.name != "postgresql":
        session.execute(insert(row), values)
        return
    names = list(values[0])
    driver: Any = session.connection().connection.driver_connection
    with (
        driver.cursor() as cursor,
        cursor.copy(f"COPY {row.__tablename__} ({', '.join(names)}) FROM STDIN") as copy,
    ):
        for each in values:
            copy.write_row([_copied(name, value) for name, value in each.items()])


def _copied(name: str, value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if name in _JSON and not isinstance(value, bytes) else value


def _continue_numbers(session: Session) -> None:
    """PostgreSQL goes on numbering behind what was copied in."""
    if session.get_bind().dialect.name != "postgresql":
        return
    for row in _ORDER:
        if "id" in row.__table__.c:
            table = row.__tablename__
            session.execute(
                text(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), coalesce(max(id), 1)) FROM {table}")
            )
