"""A backtest's report for people: what is compared with what, what changes, for whom, and what to listen to."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from rich.console import Console
from rich.table import Table
from rich.text import Text

from qa_service.domain.results import Evidence, Outcome
from qa_service.services.backtest_report import BacktestReport, Flip, GroupChange, SampleCall
from worker.render import clock, printable

_DIGEST_CHARACTERS = len("sha256:") + 12
_COLOUR = {Outcome.NOT_MET: "red", Outcome.MET: "green", Outcome.UNDETERMINED: "magenta"}


def show_backtest(target: Console, report: BacktestReport) -> None:
    """Print the report."""
    for line in _head(report):
        target.print(line, soft_wrap=True)
    if report.flips:
        target.print()
        target.print(_flips(report.flips))
    for title, groups in (("agents", report.agents), ("teams", report.teams)):
        if groups:
            target.print()
            target.print(_groups(title, groups))
    if report.flips:
        target.print(Text("\nto listen to", "bold"))
        for flip in report.flips:
            for sample in flip.samples:
                target.print(_sample(flip, sample), soft_wrap=True)
        for sample in report.newly_fatal_samples:
            target.print(Text(f"  newly fatal  {_name(sample)}", "red"), soft_wrap=True)


def _head(report: BacktestReport) -> Iterator[Text]:
    yield Text(
        f"pack {report.pack} {report.digest[:_DIGEST_CHARACTERS]} on {report.calls} calls ({report.language})",
        "bold",
    )
    for one in report.baselines:
        kind = "" if report.against else ", the rules of today" if one.in_force else ", other rules than today's"
        yield Text(f"  compared with {one.pack} {one.digest[:_DIGEST_CHARACTERS]}{kind}: {one.calls} calls")
    if report.without_baseline:
        yield Text(f"  never scored, nothing to compare with: {report.without_baseline} calls", "yellow")
    for language, calls in report.skipped_languages:
        yield Text(f"  in {printable(language)}, skipped: {calls} calls", "yellow")
    if report.unread_calls:
        yield Text(f"  could not be judged: {report.unread_calls} calls", "red")
    yield Text(f"changed in any way: {report.changed_calls} calls")
    scores = report.scores
    if scores.mean_before is not None and scores.mean_after is not None:
        means = f"{scores.mean_before:.2f} → {scores.mean_after:.2f}"
        yield Text(
            f"score: mean {means} ({scores.mean_after - scores.mean_before:+.2f}) over {scores.calls} calls; "
            f"a point or more up {_share(scores.up, scores.calls)}, down {_share(scores.down, scores.calls)}"
        )
        yield Text(
            "  change at most: " + ", ".join(f"{points:+d} in {share:.0%}" for share, points in scores.quantiles)
        )
    yield Text(f"score appears in {scores.appeared} calls, disappears in {scores.disappeared}")
    yield Text(f"fatal: newly {report.newly_fatal}, no longer {report.no_longer_fatal}")


def _share(part: int, whole: int) -> str:
    return f"{part} ({part / whole:.1%})"


def _flips(flips: Sequence[Flip]) -> Table:
    table = Table("rule", "from", "to", "calls", show_edge=False, pad_edge=False)
    table.columns[-1].justify = "right"
    for rule, own in groupby(flips, key=lambda flip: flip.rule):
        name = rule
        for flip in own:
            table.add_row(Text(name), _outcome(flip.before), _outcome(flip.after), str(flip.calls))
            name = ""
    return table


def _outcome(outcome: Outcome | None) -> Text:
    return Text("(no such rule)", "dim") if outcome is None else Text(outcome.value, _COLOUR.get(outcome, ""))


def _groups(title: str, groups: Sequence[GroupChange]) -> Table:
    table = Table(f"{title} most affected", "calls", "mean change", show_edge=False, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for group in groups:
        table.add_row(Text(printable(group.name or "–")), str(group.calls), f"{group.mean_change:+.2f}")
    return table


def _sample(flip: Flip, sample: SampleCall) -> Text:
    places = " ".join(_place(one) for one in sample.evidence)
    before, after = (outcome.value if outcome else "–" for outcome in (flip.before, flip.after))
    return Text.assemble(
        f"  {flip.rule} ", (f"{before} → {after}", "dim"), f"  {_name(sample)}  ", (places, "cyan")
    )


def _name(sample: SampleCall) -> str:
    return printable(f"{sample.path} (#{sample.recording_id})")


def _place(evidence: Evidence) -> str:
    quote = f"「{printable(evidence.quote)}」" if evidence.quote else ""
    return f"{clock(evidence.start)}–{clock(evidence.end)}{quote}"
