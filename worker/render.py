"""What people read in a terminal: the result table, a call's dialogue, progress."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console, Group
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from qa_service.domain.call import CallMetadata
from qa_service.domain.conversation import Conversation, SpeakerRole
from qa_service.domain.faults import ChannelFault, FaultKind
from qa_service.domain.results import Outcome, RuleResult, Severity
from qa_service.ports import StoredEvaluation
from worker.scoring import Failed, Scored

_MANY = 4  # results that one line stands for
PLAIN_WIDTH = 140  # a pipe has no width of its own

_COLOUR = {Severity.CRITICAL: "bold red", Severity.MAJOR: "red", Severity.MINOR: "yellow"}
_UNSCORED = {"shadow": "shadow, not scored", "not_live": "not approved, not scored"}
_RANK = {severity: rank for rank, severity in enumerate((Severity.CRITICAL, Severity.MAJOR, Severity.MINOR))}
_ROLE_COLOUR = {SpeakerRole.AGENT: "cyan", SpeakerRole.CUSTOMER: "green"}


# What moves a cursor, colours a terminal, breaks a line or reverses a text; and bytes that are no text.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """``text`` on one line that no terminal obeys: file names may hold anything but a slash."""
    return _UNPRINTABLE.sub(lambda found: _escaped(found[0]), text)


def _escaped(character: str) -> str:
    byte = ord(character) - 0xDC00  # how Python reads a byte that is not UTF-8
    return f"\\x{byte:02x}" if 0x80 <= byte <= 0xFF else character.encode("unicode_escape").decode()


def call_name(path: Path, second: Path | None) -> str:
    """A call's file name, or both of them."""
    return printable(path.name if second is None else f"{path.name} + {second.name}")


def console(*, stderr: bool = False) -> Console:
    plain = Console(stderr=stderr)
    return plain if plain.is_terminal else Console(stderr=stderr, width=PLAIN_WIDTH)


def clock(seconds: float) -> str:
    """mm:ss, as inspectors write it; hours only when there are any."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes:02d}:{rest:02d}"


def score_text(evaluation: StoredEvaluation) -> Text:
    score = evaluation.evaluation.score
    if score is None:
        return Text("withheld", style="yellow")
    fatal = " fatal" if evaluation.evaluation.fatal else ""
    return Text(f"{score:.1f}{fatal}", style="green" if score >= 90 else "red" if score < 60 else "yellow")


def result_table(answers: Sequence[Scored | Failed]) -> Table:
    """One row a recording: call, agent, length, score, what broke and where, what needs a look.

    What comes from outside is a ``Text``: in plain strings rich reads brackets as markup and ``:x:`` as emoji.
    """
    table = Table(show_lines=True, expand=True)
    table.add_column("Call", overflow="fold", ratio=3)
    table.add_column("Agent", ratio=2)
    table.add_column("Length", justify="right", width=7)
    table.add_column("Score", justify="right", width=11)
    table.add_column("What broke, and where", ratio=9)
    table.add_column("Needs a look", ratio=4)
    for answer in answers:
        name = call_name(answer.path, answer.second_path)
        if isinstance(answer, Failed):
            reason = Text(f"{answer.code}: {printable(answer.message)}", style="red")
            table.add_row(Text(name), "", "", Text("failed", style="red"), reason, "")
            continue
        results = sorted(answer.evaluation.results, key=lambda r: _RANK[r.severity])
        table.add_row(
            Text(name),
            Text(agent_name(answer.received.metadata)),
            clock(answer.conversation.conversation.duration_s),
            score_text(answer.evaluation),
            _lines([_broken(r) for r in results if r.outcome is Outcome.NOT_MET and r.same_event_as is None]),
            _lines(
                [
                    *(Text(fault_text(fault), "yellow") for fault in answer.conversation.conversation.faults),
                    *_doubts([r for r in results if r.outcome is Outcome.UNDETERMINED and r.needs_a_person]),
                ]
            ),
        )
    return table


_FAULTS = {
    FaultKind.SAME_AUDIO: "same audio on both channels",
    FaultKind.CROSS_TALK: "cross-talk",
    FaultKind.SWAPPED: "channels look swapped",
    FaultKind.DEAD: "no signal",
    FaultKind.CLIPPING: "clipping",
    FaultKind.LOW_LEVEL: "very low level",
}


def fault_text(fault: ChannelFault) -> str:
    """``cross-talk on channel 1 (-9.8 dB)``: what it is, where, and how much."""
    where = "" if fault.channel is None else f" on channel {fault.channel}"
    if fault.value is None:
        return f"{_FAULTS[fault.kind]}{where}"
    unit = next((unit for unit in ("dbfs", "db") if fault.measure.endswith(unit)), None)
    much = (
        f"{fault.value:.1%}"
        if unit is None
        else f"{fault.value:.1f} {unit.replace('db', 'dB').replace('fs', 'FS')}"
    )
    return f"{_FAULTS[fault.kind]}{where} ({much})"


def _where(fault: ChannelFault) -> str:
    """The words, or the times, that show it."""
    if fault.quotes:
        return " " + " ".join(
            f"{clock(span.start)}「{printable(quote)}」"
            for span, quote in zip(fault.spans, fault.quotes, strict=True)
        )
    return "".join(f" {clock(span.start)}" for span in fault.spans)


def agent_name(metadata: CallMetadata) -> str:
    return printable(metadata.agent_name or metadata.agent_id or "–")


def _lines(texts: Sequence[Text]) -> Group | Text:
    return Group(*texts) if texts else Text("–", style="dim")


def _broken(result: RuleResult) -> Text:
    times = ", ".join(dict.fromkeys(clock(e.start) for e in result.evidence))
    style = _COLOUR[result.severity] if result.scored else "dim"
    suffix = "" if result.scored else f" ({_UNSCORED.get(result.unscored, 'recorded only')})"
    return Text(f"{result.title} {times}{suffix}", style=style)


def _doubts(results: Sequence[RuleResult]) -> list[Text]:
    """A line a result; where one reason leaves many rules open at no place (no roles, say), one line for all."""
    counts = Counter(r.reason for r in results if not r.evidence)
    common = {reason for reason, count in counts.items() if count >= _MANY}
    lines = [_doubtful(r) for r in results if r.evidence or r.reason not in common]
    return lines + [Text(f"{counts[reason]} rules ({reason})", style="magenta") for reason in sorted(common)]


def _doubtful(result: RuleResult) -> Text:
    times = ", ".join(dict.fromkeys(clock(e.start) for e in result.evidence))
    return Text(f"{result.title} {times} ({result.reason})".replace("  ", " "), style="magenta")


def show_call(
    target: Console,
    *,
    name: str,
    metadata: CallMetadata,
    conversation: Conversation,
    evaluation: StoredEvaluation,
) -> None:
    """Print one call: head, dialogue with findings in place, rules that applied."""
    target.print(Text(f"{name}  {clock(conversation.duration_s)}  agent {agent_name(metadata)}", "bold"))
    card = evaluation.evaluation
    target.print(
        Text("score "),
        score_text(evaluation),
        Text(f"  coverage {card.coverage:.0%}  pack {evaluation.pack}"),
        sep="",
    )
    for fault in conversation.faults:
        target.print(Text(f"  {fault_text(fault)}{_where(fault)}", "yellow"))
    for section in card.sections:
        value = "–" if section.score is None else f"{section.score:.0f}"
        target.print(Text(f"  {section.title} {value}" + (" (fatal)" if section.fatal else ""), "dim"))
    target.print()
    for _, line in sorted([*_dialogue(conversation), *_findings(evaluation.results)], key=lambda item: item[0]):
        target.print(line, soft_wrap=True)
    target.print()
    target.print(_rule_table(evaluation.results))


def _dialogue(conversation: Conversation) -> list[tuple[tuple[float, int], Text]]:
    lines = []
    for utterance in conversation.utterances:
        colour = _ROLE_COLOUR.get(utterance.role, "white")
        line = Text.assemble(
            (f"{clock(utterance.start)} ", "dim"),
            (f"{utterance.role.value:<9}", colour),
            utterance.text,
            (f"  ({utterance.confidence:.2f})" if utterance.confidence < 0.6 else "", "dim"),
        )
        lines.append(((utterance.start, 0), line))
    return lines


def _findings(results: Sequence[RuleResult]) -> list[tuple[tuple[float, int], Text]]:
    lines = []
    for result in results:
        if result.outcome not in (Outcome.NOT_MET, Outcome.UNDETERMINED) or result.same_event_as:
            continue
        broken = result.outcome is Outcome.NOT_MET
        for evidence in result.evidence:
            mark = "✗" if broken else "?"
            quote = f"「{evidence.quote}」" if evidence.quote else ""
            when = f"{clock(evidence.start)}–{clock(evidence.end)}"
            text = f"      {mark} {result.title} {when} {quote} {evidence.note}".rstrip()
            style = _COLOUR[result.severity] if broken else "magenta"
            lines.append(((evidence.start, 1), Text(text, style=style)))
    return lines


def _rule_table(results: Sequence[RuleResult]) -> Table:
    table = Table(show_edge=False, pad_edge=False)
    for column in ("Rule", "", "Outcome", "Why"):
        table.add_column(column)
    for result in results:
        if result.outcome is Outcome.NOT_APPLICABLE:
            continue
        table.add_row(Text(result.rule), Text(result.title), Text(result.outcome.value), Text(_why(result)))
    return table


def _why(result: RuleResult) -> str:
    """The reason, the grade, why it is not scored, what the call leaves to be done."""
    notes = [
        result.reason,
        f"same event as {result.same_event_as}" if result.same_event_as else "",
        f"grade {result.grade}" if result.grade is not None else "",
        "" if result.scored else _UNSCORED.get(result.unscored, "recorded only"),
        *(f"{clock(one.evidence.start)} {one.item} within {one.due_days} days" for one in result.opens),
    ]
    return "; ".join(note for note in notes if note)


class _Speed(ProgressColumn):
    """Hours of audio done, and how many times faster than real time."""

    def render(self, task: Task) -> Text:
        audio_s = float(task.fields.get("audio_s", 0.0))
        elapsed = task.elapsed or 0.0
        speed = f"{audio_s / elapsed:.1f}× real time" if elapsed > 1 and audio_s else ""
        return Text(f"{audio_s / 3600:.2f} h audio  {speed}", style="cyan")


def progress_bar(target: Console) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Speed(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=target,
        transient=True,
    )


class Notes:
    """Prints each warning once."""

    def __init__(self, notes: Console) -> None:
        self._notes = notes
        self._said: set[str] = set()

    def __call__(self, message: str) -> None:
        if message not in self._said:
            self._said.add(message)
            self._notes.print(Text(f"warning: {printable(message)}", style="yellow"), soft_wrap=True)
