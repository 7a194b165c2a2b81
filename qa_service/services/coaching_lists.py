"""Coaching lists as rows, for tables and workbooks, whoever writes them.

Guarantee: a quote comes out as whoever asks may see it: it is given in, never read here.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from qa_service.domain.coaching import RuleNeed
from qa_service.domain.figures import NO_FAULTS
from qa_service.ports.coaching import Clip, CoachingAction

Cell = str | float | int | bool | None

MAX_CLIPS: Final = 5_000
"""Of an export: to hide what is said in a call takes about 50 ms."""

CALLS_HELD: Final = 4
"""Of so many calls what was said is held at once; one of five minutes takes 0.4 MB."""

_READ_AT_ONCE: Final = 100

ACTION_COLUMNS: Final = (
    *("id", "state", "for", "agent_id", "agent_name", "team", "vendor", "module", "priority"),
    *("rules", "calls", "faults", "confirmed", "unreviewed", "causes", "trends"),
    *("since", "until", "assigned_to", "due_at"),
)
CLIP_COLUMNS: Final = (
    *("action", "kind", "rule", "recording_id", "call_at", "start_s", "end_s", "quote"),
    *("confirmed", "agent_id", "agent_name", "score"),
)


def action_rows(actions: Sequence[CoachingAction]) -> Iterator[list[Cell]]:
    """A row an action, in the order of ``ACTION_COLUMNS``."""
    for action in actions:
        total = sum((rule.now for rule in action.rules), NO_FAULTS)
        yield [
            action.id,
            action.state.value,
            subject_kind(action),
            action.owner.agent_id,
            action.agent_name,
            action.owner.team,
            action.owner.vendor,
            action.module,
            round(action.priority, 2),
            ", ".join(rule.rule for rule in action.rules),
            # Rules are judged in the same calls: their calls are not added up.
            max((rule.now.calls for rule in action.rules), default=0),
            total.faults,
            total.confirmed,
            total.unreviewed,
            _each(action.rules, lambda rule: rule.cause.value),
            _each(action.rules, lambda rule: rule.trend.value),
            action.since.isoformat(),
            action.until.isoformat(),
            action.assigned_name,
            None if action.due_at is None else action.due_at.isoformat(),
        ]


def clip_rows(clips: Iterable[tuple[int, Clip]], quote: Callable[[Clip], str]) -> Iterator[list[Cell]]:
    """A row a clip of an action, in the order of ``CLIP_COLUMNS``."""
    for action_id, clip in clips:
        yield [
            action_id,
            clip.kind.value,
            clip.rule,
            clip.recording_id,
            clip.at.isoformat(),
            None if clip.evidence is None else clip.evidence.start,
            None if clip.evidence is None else clip.evidence.end,
            quote(clip),
            clip.confirmed,
            clip.owner.agent_id,
            clip.agent_name,
            clip.score,
        ]


def by_recording(
    actions: Sequence[CoachingAction],
    read: Callable[[Sequence[int]], Mapping[int, Sequence[Clip]]],
    *,
    most: int = MAX_CLIPS,
) -> list[tuple[int, Clip]]:
    """The first ``most`` clips of these actions, those of one call together: so each call is read once."""
    found: list[tuple[int, Clip]] = []
    for begin in range(0, len(actions), _READ_AT_ONCE):
        if len(found) >= most:
            break
        ids = [action.id for action in actions[begin : begin + _READ_AT_ONCE]]
        clips = read(ids)
        found += [(action_id, clip) for action_id in ids for clip in clips[action_id]]
    return sorted(found[:most], key=lambda each: (each[1].recording_id, each[0]))


def subject_kind(action: CoachingAction) -> str:
    """``agent``, ``team`` or ``site``."""
    if action.owner.agent_id is not None:
        return "agent"
    return "site" if action.owner.team is None else "team"


def _each(rules: Sequence[RuleNeed], said: Callable[[RuleNeed], str]) -> str:
    return ", ".join(dict.fromkeys(said(rule) for rule in rules))
