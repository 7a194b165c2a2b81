"""Backtest: what would a candidate pack say about the calls that are stored?

Guarantee: needs no audio and writes nothing; memory does not grow with the number of calls. The candidate is
judged as if all its rules were live.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

import structlog

from qa_service.domain.conversation import Conversation
from qa_service.domain.metrics import measure
from qa_service.domain.results import Evidence, Outcome
from qa_service.domain.scoring import fill
from qa_service.errors import ConfigurationError, InputError, QAError
from qa_service.ports import CallHistory, HeardCall, RuleEvaluator, UnitOfWorkFactory
from qa_service.services.backtest_report import BacktestReport, Baseline, Flip, SampleCall, Unread
from qa_service.services.tallies import EVIDENCE, ChangeTally, FlipTally, Judgement, KeptCall

PAGE = 50  # calls that are in memory at once
NAMED_UNREAD = 100

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which stored calls: those that began in ``[since, until)``, and of these ``sample``, drawn by digest."""

    since: datetime | None = None
    until: datetime | None = None
    sample: int | None = None

    @property
    def is_everything(self) -> bool:
        return self.since is None and self.until is None and self.sample is None

    def takes(self, call: HeardCall) -> bool:
        begun = call.started_at if call.started_at.tzinfo else call.started_at.replace(tzinfo=UTC)
        return (self.since is None or begun >= self.since) and (self.until is None or begun < self.until)


class Backtest:
    """Args:
    units: units of work that only read.
    digest_in_force: of a language, the digest that scoring would use today; None where it has no pack.
    """

    def __init__(self, *, units: UnitOfWorkFactory, digest_in_force: Callable[[str], str | None]) -> None:
        self._units = units
        self._digest_in_force = digest_in_force

    def run(
        self,
        candidate: RuleEvaluator,
        *,
        against: RuleEvaluator | None = None,
        selection: Selection = Selection(),
        progress: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> BacktestReport:
        """Judge the selected calls with ``candidate`` and compare with their latest evaluations, or ``against``.

        Args:
            candidate: the pack to try.
            against: compare with what this pack says.
            selection: which calls.
            progress: told how many calls are done, of how many.

        Raises:
            ConfigurationError: ``nothing_to_backtest``.
        """
        chosen = self._chosen(selection)
        total = chosen.total
        run = _Run(candidate, against)
        done = 0
        progress(0, total)
        for calls in self._pages(selection, chosen):
            own = run.for_the_pack(calls)
            with self._units() as unit:  # closed again before anything is judged
                conversations = unit.history.conversations([call.conversation_id for call in own])
                outcomes = unit.history.outcomes(run.to_compare_with(own))
            run.judge(own, conversations, outcomes)
            done += len(calls)
            progress(min(done, total), total)
        if not run.calls and not run.unread_calls:
            skipped = ", ".join(f"{count} in {language}" for language, count in run.skipped.items())
            raise ConfigurationError(
                "nothing_to_backtest",
                f"no stored call of language {candidate.language} among those asked for"
                + (f" ({skipped})" if skipped else "")
                + ": score recordings first, or ask for more of them",
            )
        with self._units() as unit:
            return run.report(unit.history, self._digest_in_force(candidate.language))

    def _chosen(self, selection: Selection) -> "_Chosen":
        if selection.is_everything:
            with self._units() as unit:
                return _Chosen(unit.history.count())
        wanted = (call for call in self._all() if selection.takes(call))
        if selection.sample is None:
            return _Chosen(sum(1 for _ in wanted))
        drawn = heapq.nsmallest(selection.sample, ((call.sha256, call.recording_id) for call in wanted))
        return _Chosen(len(drawn), tuple(sorted(recording_id for _, recording_id in drawn)))

    def _pages(self, selection: Selection, chosen: "_Chosen") -> Iterator[Sequence[HeardCall]]:
        if chosen.recordings is None:
            calls = (call for call in self._all() if selection.takes(call))
            while page := tuple(islice(calls, PAGE)):
                yield page
            return
        for start in range(0, len(chosen.recordings), PAGE):
            with self._units() as unit:
                page = unit.history.among(chosen.recordings[start : start + PAGE])
            yield page

    def _all(self) -> Iterator[HeardCall]:
        last = 0
        while True:
            with self._units() as unit:  # a transaction a page: a long one would hold up the database's cleaning
                page = unit.history.page(after=last, limit=PAGE)
            if not page:
                return
            yield from page
            last = page[-1].recording_id


@dataclass(frozen=True, slots=True)
class _Chosen:
    """How many calls, and which, where they are not simply all that the selection takes."""

    total: int
    recordings: tuple[int, ...] | None = None


class _Run:
    """One backtest, as far as it has come."""

    def __init__(self, candidate: RuleEvaluator, against: RuleEvaluator | None) -> None:
        self._candidate, self._against = candidate, against
        self._tally = ChangeTally()
        self._baselines: Counter[tuple[str, str]] = Counter()
        self._unread: list[Unread] = []
        self.calls = self.unread_calls = self.without_baseline = 0
        self.skipped: Counter[str] = Counter()

    def for_the_pack(self, calls: Iterable[HeardCall]) -> list[HeardCall]:
        """Those in the pack's language; the others are counted."""
        own = []
        for call in calls:
            if call.language == self._candidate.language:
                own.append(call)
            else:
                self.skipped[call.language] += 1
        return own

    def to_compare_with(self, calls: Iterable[HeardCall]) -> list[int]:
        """Numbers of the stored evaluations that are needed."""
        return [] if self._against else [call.scored.evaluation_id for call in calls if call.scored]

    def judge(
        self,
        calls: Iterable[HeardCall],
        conversations: Mapping[int, Conversation | InputError],
        outcomes: Mapping[int, Mapping[str, Outcome]],
    ) -> None:
        for call in calls:
            # One that was deleted a moment ago is as good as unreadable.
            conversation = conversations.get(call.conversation_id) or _gone(call)
            try:
                if isinstance(conversation, InputError):
                    raise conversation
                self._compare(call, conversation, outcomes.get(call.scored.evaluation_id if call.scored else 0))
            except QAError as error:
                self._fails(call, error.code, error.message)
            except Exception as error:  # one call's defect must not stop the others
                log.exception("backtest failed unexpectedly", recording=call.recording_id)
                self._fails(call, "internal_error", f"{type(error).__name__}: please report this with the log")

    def report(self, history: CallHistory, digest_in_force: str | None) -> BacktestReport:
        tally = self._tally
        flips = [
            Flip(rule, before, after, one.calls, _samples(one, rule, history))
            for (rule, before, after), one in tally.flips.items()
        ]
        flips.sort(key=lambda flip: (flip.rule, -flip.calls, flip.before or "", flip.after or ""))
        in_force = self._against.digest if self._against else digest_in_force
        return BacktestReport(
            pack=self._candidate.pack,
            digest=self._candidate.digest,
            language=self._candidate.language,
            against=self._against.pack if self._against else None,
            calls=self.calls,
            changed_calls=tally.changed_calls,
            without_baseline=self.without_baseline,
            baselines=tuple(
                Baseline(pack, digest, count, digest == in_force)
                for (pack, digest), count in self._baselines.most_common()
            ),
            skipped_languages=tuple(sorted(self.skipped.items())),
            unread=tuple(self._unread),
            unread_calls=self.unread_calls,
            flips=tuple(flips),
            scores=tally.scores(),
            newly_fatal=tally.newly_fatal.calls,
            no_longer_fatal=tally.no_longer_fatal,
            newly_fatal_samples=_samples(tally.newly_fatal, None, history),
            agents=tally.agents(),
            teams=tally.teams(),
        )

    def _compare(
        self, call: HeardCall, conversation: Conversation, outcomes: Mapping[str, Outcome] | None
    ) -> None:
        after = _judged(self._candidate, call, conversation)
        if self._against is not None:
            before = _judged(self._against, call, conversation)
            self._baselines[self._against.pack, self._against.digest] += 1
        elif call.scored is not None:
            scored = call.scored
            before = Judgement(outcomes or {}, scored.score, scored.fatal, evaluation_id=scored.evaluation_id)
            self._baselines[scored.pack, scored.digest] += 1
        else:
            self.calls += 1
            self.without_baseline += 1
            return
        self.calls += 1
        self._tally.add(call, before, after)

    def _fails(self, call: HeardCall, code: str, message: str) -> None:
        self.unread_calls += 1
        if len(self._unread) < NAMED_UNREAD:
            self._unread.append(Unread(call.recording_id, call.path, code, message))


def _judged(rules: RuleEvaluator, call: HeardCall, conversation: Conversation) -> Judgement:
    results = rules.evaluate(
        conversation, measure(conversation, call.metadata, rules.metric_options), call.metadata
    )
    evaluation = fill(rules.scorecard, results)
    return Judgement(
        {result.rule: result.outcome for result in results},
        evaluation.score,
        evaluation.fatal,
        {result.rule: result.evidence for result in results},
    )


def _samples(tally: FlipTally, rule: str | None, history: CallHistory) -> tuple[SampleCall, ...]:
    return tuple(SampleCall(one.recording_id, one.path, _evidence(one, rule, history)) for one in tally.samples)


def _evidence(kept: KeptCall, rule: str | None, history: CallHistory) -> tuple[Evidence, ...]:
    if kept.evidence or kept.evaluation_id is None or rule is None:
        return kept.evidence
    return history.evidence(kept.evaluation_id, rule)[:EVIDENCE]


def _gone(call: HeardCall) -> InputError:
    return InputError(
        "conversation_unreadable",
        f"conversation {call.conversation_id} is gone: score its recording again",
        conversation_id=call.conversation_id,
    )
