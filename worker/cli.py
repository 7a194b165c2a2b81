"""The ``qa`` command. Machine output on stdout; progress, warnings and logs on stderr.

Exit codes: 0 done, 1 some recordings failed, 2 usage or configuration.
"""

import json
import os
import re
import sys
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from qa_service import __version__
from qa_service.adapters.discovery import discover
from qa_service.adapters.metadata_sources import MetadataSources
from qa_service.domain.lifecycle import RuleState
from qa_service.errors import ConfigurationError, EngineError, InputError, QAError, RulePackError
from qa_service.observability import configure_logging
from qa_service.services import report
from qa_service.settings import load_settings
from worker.commands.batch import batch_app
from worker.commands.coaching import coaching_app
from worker.commands.collect import collect
from worker.commands.db import db_app
from worker.commands.doctor import doctor
from worker.commands.figures import figures_app
from worker.commands.floor import floor
from worker.commands.imports import import_table
from worker.commands.kpi import kpi
from worker.commands.models import models_app
from worker.commands.report import report as make_report
from worker.commands.rules import rules_app
from worker.commands.serve import serve
from worker.commands.users import user_app
from worker.commands.work import work
from worker.container import Container
from worker.container import pack as load_named_pack
from worker.logs import set_up_logs
from worker.render import Notes, call_name, clock, console, printable, progress_bar, result_table, show_call
from worker.scoring import Failed, Listener, Scored
from worker.scoring import score as score_files
from worker.stored import stored_call

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.add_typer(batch_app, name="batch")
app.add_typer(coaching_app, name="coaching")
app.add_typer(db_app, name="db")
app.add_typer(figures_app, name="figures")
app.add_typer(models_app, name="models")
app.add_typer(rules_app, name="rules")
app.add_typer(user_app, name="user")
app.command("worker")(work)
app.command()(serve)
app.command()(doctor)
app.command()(collect)
app.command("report")(make_report)
app.command("import")(import_table)
app.command()(kpi)
app.command()(floor)


_UNSAFE_IN_LINES = re.compile("[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


class OutputFormat(StrEnum):
    TABLE = "table"
    JSON = "json"


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"qa {__version__}")
        raise typer.Exit


@app.callback()
def root(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what happens.")] = False,
    version: Annotated[  # noqa: ARG001 - the callback answers
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Quality inspection for call centres: recordings in, scored calls with evidence out."""
    configure_logging(level="debug" if verbose else "warning")
    with suppress(ConfigurationError):  # whoever needs settings says what is wrong with them
        set_up_logs(load_settings(), verbose=verbose)


@app.command()
def score(
    paths: Annotated[list[Path], typer.Argument(help="Recordings, or folders of them.")],
    metadata: Annotated[
        Path | None, typer.Option(help="Call metadata (CSV or JSON); found beside the recordings by itself.")
    ] = None,
    pack: Annotated[
        str | None, typer.Option(help="Rule pack, by name or folder; default: by the call's language.")
    ] = None,
    output: Annotated[OutputFormat, typer.Option("--format", help="What stdout gets.")] = OutputFormat.TABLE,
) -> None:
    """Transcribe, check and score recordings."""
    container = Container(load_settings())
    names = [pack] if pack else [container.settings.pack_zh, container.settings.pack_en]
    packs = {name: load_named_pack(name) for name in names}  # a faulty pack is found before any audio is touched
    _ = container.hear.engines  # and so is a missing model
    notes = console(stderr=True)
    warn = Notes(notes)
    for name, rules in packs.items():
        _warn_of_drafts(name, container.approvals.not_live(rules), warn)
    files = discover(paths)
    if not files:
        raise ConfigurationError("nothing_to_score", "no recordings in the given folders: check the paths")
    answers: list[Scored | Failed] = []
    sources = MetadataSources(container.metadata_options, metadata, warn)
    calls = sources.calls(files)
    with progress_bar(notes) as bar:
        reading = bar.add_task("receiving", total=len(calls))
        scoring = bar.add_task("scoring", total=len(calls), visible=False)
        done = _Done()

        def finished(audio_s: float) -> None:
            done.count(audio_s)
            bar.update(reading, visible=False)
            bar.update(scoring, advance=1, visible=True, audio_s=done.audio_s)

        listener = Listener(warn, received=lambda _path, _size: bar.advance(reading), finished=finished)
        with closing(score_files(container, calls, metadata=sources, pack=pack, listener=listener)) as running:
            for answer in running:
                answers.append(answer)
                _log_line(notes, answer, len(answers), len(calls), done)
                if output is OutputFormat.JSON:
                    _write_line(answer)
    if output is OutputFormat.TABLE:
        console().print(result_table(answers))
    failed = [answer for answer in answers if isinstance(answer, Failed)]
    for answer in failed:
        named = " + ".join(str(path) for path in (answer.path, answer.second_path) if path)
        notes.print(Text(printable(f"{named}: {answer.code}: {answer.message}"), style="red"), soft_wrap=True)
    raise typer.Exit(1 if failed else 0)


@app.command()
def show(
    recording: Annotated[str, typer.Argument(help="Path, file name, or the start of the digest.")],
) -> None:
    """Print a scored call: the dialogue with findings in place."""
    call = stored_call(Container(load_settings()), recording)
    second = Path(call.recording.second_path) if call.recording.second_path else None
    name = call_name(Path(call.recording.path), second)
    show_call(
        console(), name=name, metadata=call.metadata, conversation=call.conversation, evaluation=call.evaluation
    )


def _warn_of_drafts(name: str, not_live: Mapping[str, RuleState], warn: Notes) -> None:
    if not_live:
        named = ", ".join(f"{rule} ({state.value})" for rule, state in not_live.items())
        warn(
            f"pack {name}: {len(not_live)} of its rules are recorded and not scored: {named}: approve them with "
            f"`qa rules approve {name} --by NAME`, then `qa rules publish {name} --by NAME`"
        )


class _Done:
    """How many calls have their answer, in whatever order, and how many seconds of audio they are."""

    def __init__(self) -> None:
        self.calls = 0
        self.audio_s = 0.0
        self._started = time.monotonic()

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._started

    def count(self, audio_s: float) -> None:
        self.calls += 1
        self.audio_s += audio_s


def _log_line(notes: Console, answer: Scored | Failed, number: int, total: int, done: _Done) -> None:
    """Without a terminal there is no bar: one line a recording instead."""
    if notes.is_terminal:
        return
    speed = f"{done.audio_s / done.elapsed_s:.1f}x real time" if done.elapsed_s > 0 else ""
    left = clock((total - done.calls) * done.elapsed_s / max(1, done.calls))
    state = answer.code if isinstance(answer, Failed) else clock(answer.conversation.conversation.duration_s)
    name = call_name(answer.path, answer.second_path)
    line = f"[{number}/{total}] {name} {state}  {done.audio_s / 3600:.2f} h audio, {speed}, {left} left"
    notes.print(Text(line), soft_wrap=True)


def _write_line(answer: Scored | Failed) -> None:
    second_path = str(answer.second_path) if answer.second_path else None
    if isinstance(answer, Failed):
        document = report.failed(
            path=str(answer.path), second_path=second_path, code=answer.code, message=answer.message
        )
    else:
        document = report.scored(
            path=str(answer.path),
            second_path=second_path,
            sha256=answer.received.recording.sha256,
            conversation=answer.conversation.conversation,
            evaluation=answer.evaluation,
        )
    text = json.dumps(document, ensure_ascii=False)
    # JSON leaves these as they are; some readers end a line at some, and terminals obey the others.
    text = _UNSAFE_IN_LINES.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    # A path that is not UTF-8 arrives as lone surrogates; they must not end the run.
    sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace") + b"\n")
    sys.stdout.buffer.flush()


def main() -> None:
    """Entry point: coded errors become one line and exit code 2 (1 for a missing recording)."""
    try:
        app()
    except RulePackError as error:
        faults = error.faults or (error.message,)
        for fault in faults:
            typer.echo(printable(f"{error.code}: {fault}"), err=True)
        sys.exit(2)
    except (ConfigurationError, EngineError, InputError) as error:  # InputError: a --metadata that cannot be read
        typer.echo(printable(str(error)), err=True)
        sys.exit(2)
    except QAError as error:
        typer.echo(printable(str(error)), err=True)
        sys.exit(1)
    except BrokenPipeError:
        # The reader went away (`qa score … | head`): what is scored is stored.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
