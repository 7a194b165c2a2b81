"""``qa coaching list``: who needs what, as a table, JSON lines or a workbook.

Guarantee: whoever runs it sees no customer's number: quotes are masked for everybody here.
"""

import json
import os
import pwd
import sys
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.table import Table
from rich.text import Text

from qa_service.adapters.workbooks import Sheet, write_workbook
from qa_service.db.session import SqlUnitOfWork
from qa_service.domain.access import EVERYTHING
from qa_service.domain.coaching import ActionState, RuleNeed
from qa_service.domain.masking.card_codes import without_card_codes
from qa_service.domain.masking.masking import MaskedConversation, mask
from qa_service.errors import ConfigurationError
from qa_service.ports.coaching import ActionFilter, Clip, CoachingAction
from qa_service.services.coaching_lists import (
    ACTION_COLUMNS,
    CALLS_HELD,
    CLIP_COLUMNS,
    action_rows,
    by_recording,
    clip_rows,
    subject_kind,
)
from qa_service.settings import load_settings
from worker.container import Container
from worker.render import console, printable

_PAGE: Final = 200

coaching_app = typer.Typer(no_args_is_help=True, help="Coaching: who needs what.")


class CoachingFormat(StrEnum):
    TABLE = "table"
    JSON = "json"
    XLSX = "xlsx"


@coaching_app.callback()
def coaching() -> None:
    """Coaching: who needs what."""


@coaching_app.command("list")
def list_coaching(
    team: Annotated[str | None, typer.Option(help="Only this team and its agents.")] = None,
    agent: Annotated[str | None, typer.Option(help="Only this agent number.")] = None,
    module: Annotated[str | None, typer.Option(help="Only this training module.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Closed and dismissed ones too.")] = False,
    refresh: Annotated[
        bool, typer.Option(help="Look first at what figures and findings show, as every night.")
    ] = False,
    output: Annotated[
        CoachingFormat, typer.Option("--format", help="What comes out; xlsx goes to --output.")
    ] = CoachingFormat.TABLE,
    file: Annotated[Path | None, typer.Option("--output", help="The workbook.")] = None,
) -> None:
    """List coaching actions, the most urgent first."""
    if (output is CoachingFormat.XLSX) != (file is not None):
        raise ConfigurationError(
            "output_missing", "--output FILE goes with --format xlsx, and only with it: give both or none"
        )
    container = Container(load_settings())
    if refresh:
        done = container.coaching_rounds.refresh(f"qa coaching ({_account()})")
        typer.echo(f"{done.proposed} proposed, {done.extended} extended, {done.withdrawn} withdrawn", err=True)
    states = frozenset(state for state in ActionState if every or state.is_open)
    wanted = ActionFilter(states=states, agent_id=agent, team=team, module=module)
    with container.database.unit_of_work(read_only=True) as unit:
        found = _all(unit, wanted)
        if output is CoachingFormat.TABLE:
            console().print(_table(found))
            return
        quotes = _Quotes(unit)
        if output is CoachingFormat.JSON:
            for action in found:
                clips = unit.coaching.clips([action.id])[action.id]
                line = json.dumps(_document(action, clips, quotes), ensure_ascii=False)
                sys.stdout.write(line + "\n")
            return
        assert file is not None
        sheets = (
            Sheet("coaching", ACTION_COLUMNS, action_rows(found)),
            Sheet("evidence", CLIP_COLUMNS, clip_rows(by_recording(found, unit.coaching.clips), quotes)),
        )
        try:
            with file.open("wb") as book:
                write_workbook(book, sheets, folder=container.settings.data_dir / "uploads")
        except OSError as error:
            raise ConfigurationError(
                "output_unwritable", f"{file} cannot be written ({error}): check it"
            ) from error
    typer.echo(f"{len(found)} actions written to {printable(str(file))}", err=True)


class _Quotes:
    """What was said in clips, masked; each call is read once where its clips follow each other."""

    def __init__(self, unit: SqlUnitOfWork) -> None:
        self._unit = unit
        self._masked = lru_cache(maxsize=CALLS_HELD)(self._read)

    def __call__(self, clip: Clip) -> str:
        if clip.evidence is None or not clip.evidence.quote:
            return ""
        masked = self._masked(clip.recording_id)
        return "" if masked is None else masked.evidence([clip.evidence])[0].quote

    def _read(self, recording_id: int) -> MaskedConversation | None:
        stored = self._unit.conversations.in_force(recording_id)
        return None if stored is None else mask(without_card_codes(stored.conversation))


def _all(unit: SqlUnitOfWork, wanted: ActionFilter) -> list[CoachingAction]:
    found: list[CoachingAction] = []
    while True:
        after = (found[-1].priority, found[-1].id) if found else None
        page = unit.coaching.page(wanted, EVERYTHING, after=after, limit=_PAGE)
        found += page
        if len(page) < _PAGE:
            return found


def _table(actions: list[CoachingAction]) -> Table:
    table = Table("id", "who", "team", "module", "rules", "state", "due", show_edge=False, pad_edge=False)
    for action in actions:
        who = action.owner.agent_id or subject_kind(action)
        named = f"{who} {action.agent_name}" if action.agent_name else who
        table.add_row(
            str(action.id),
            Text(printable(named)),
            Text(printable(action.owner.team or "")),
            Text(printable(action.module)),
            Text(printable("\n".join(_in_words(rule) for rule in action.rules))),
            action.state.value,
            "" if action.due_at is None else action.due_at.strftime("%Y-%m-%d"),
        )
    return table


def _in_words(rule: RuleNeed) -> str:
    marked = f", {rule.now.unreviewed} unreviewed" if rule.now.unreviewed else ""
    return f"{rule.rule}: {rule.now.faults} of {rule.now.calls} calls{marked} ({rule.cause.value})"


def _document(action: CoachingAction, clips: tuple[Clip, ...], quotes: _Quotes) -> dict[str, Any]:
    told: dict[str, Any] = dict(zip(ACTION_COLUMNS, next(action_rows([action])), strict=True))
    told["rules"] = [
        {
            "rule": rule.rule,
            "title": rule.title,
            "severity": rule.severity.value,
            "cause": rule.cause.value,
            "trend": rule.trend.value,
            **{
                name: {"calls": totals.calls, "faults": totals.faults, "confirmed": totals.confirmed}
                for name, totals in (("now", rule.now), ("before", rule.before), ("peers", rule.peers))
            },
        }
        for rule in action.rules
    ]
    rows = clip_rows([(action.id, clip) for clip in clips], quotes)
    told["clips"] = [dict(zip(CLIP_COLUMNS, row, strict=True)) for row in rows]
    for dropped in ("causes", "trends"):
        del told[dropped]
    return told


def _account() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
