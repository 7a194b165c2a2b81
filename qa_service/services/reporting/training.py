"""Did training help: what each module did to the faults of its rules, or that nobody can tell yet."""

from collections.abc import Callable
from datetime import datetime

from qa_service.domain.access import Principal, Scope
from qa_service.domain.effects import Effect, Verdict
from qa_service.domain.proportions import Share
from qa_service.domain.reporting.document import (
    Caution,
    Cell,
    Chart,
    ChartKind,
    Limit,
    Measure,
    Paragraph,
    Report,
    Said,
    Section,
    Series,
    Table,
    Unit,
    columns,
    said,
)
from qa_service.domain.training import MODULES
from qa_service.errors import ConflictError, EngineError
from qa_service.services.coaching_effects import MeasuredEffect
from qa_service.services.reporting.reading import Reading

MeasureModule = Callable[[Principal, str], MeasuredEffect]
"""What a module did to agents in the scope of who asks; as ``CoachingEffects.of_module``."""


def training(reading: Reading, as_of: datetime, measure: MeasureModule) -> Report:
    """Every module with sessions in the last year. The span says until when the reader looked, no more: an effect
    is measured by the weeks around sessions."""
    who = _somebody(reading.scope)
    found: list[tuple[str, MeasuredEffect]] = []
    untold: list[str] = []
    blocks: list[Caution | Paragraph | Table | Chart] = [Paragraph(Said("effects_about"))]
    shipped = (module.name for module in MODULES)
    own = (module.name for module in reading.unit.training.modules())
    for name in dict.fromkeys((*shipped, *own)):
        try:
            found.append((name, measure(who, name)))
        except ConflictError:
            untold.append(name)  # nobody was at a session of it yet
        except EngineError:
            blocks.append(Caution(Said("no_statistics_effects")))
            break
    blocks.append(_effects(found))
    if drawn := [(name, one.effect) for name, one in found if one.effect.relative is not None]:
        blocks.append(_chart(drawn))
    if untold:
        blocks.append(Paragraph(said("no_sessions", modules=", ".join(untold))))
    sections = (Section(Said("effects"), tuple(blocks)), Section(Said("effects_of_what"), (_rules(found),)))
    return Report("training", Said("title_training"), "", reading.span, as_of, sections)


def _somebody(scope: Scope) -> Principal:
    return Principal(0, "report", frozenset(), scope, frozenset(), via="command")


def _effects(found: list[tuple[str, MeasuredEffect]]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for name, one in found:
        effect = one.effect
        rows.append(
            (
                *(name, Said(f"effect_{effect.verdict.value}"), effect.treated, effect.peers),
                *(_share(effect.baseline), _share(effect.after), _share(effect.peers_after)),
                Measure(effect.points, Unit.SHARE_CHANGE, effect.points_interval),
                Measure(effect.relative, Unit.SHARE_CHANGE, effect.relative_interval),
                Measure(effect.naive, Unit.SHARE_CHANGE),
            )
        )
    measured = ("baseline", "after", "peers_after", "effect_points", "effect_relative", "effect_naive")
    titles = columns("module", "verdict", "treated", "peers", *measured, measured=measured)
    warned = sorted({warning for _, one in found for warning in one.effect.warnings})
    notes = (
        Said("effect_note"),
        Said("naive_note"),
        *(
            said(
                f"warning_{warning.value}",
                modules=", ".join(name for name, one in found if warning in one.effect.warnings),
            )
            for warning in warned
        ),
    )
    return Table(Said("effects"), titles, tuple(rows), notes, Said("no_effects"))


def _chart(drawn: list[tuple[str, Effect]]) -> Chart:
    series = Series(
        Said("effect_relative"),
        tuple(effect.relative for _, effect in drawn),
        tuple(effect.relative_interval for _, effect in drawn),
    )
    return Chart(
        Said("effects_compared"),
        Said("effects_told"),
        ChartKind.BARS,
        Unit.SHARE_CHANGE,
        tuple(name for name, _ in drawn),
        (series,),
        limits=(Limit(Said("no_change"), (0.0,)),),
        flagged=frozenset(
            at for at, (_, effect) in enumerate(drawn) if effect.verdict in (Verdict.HELPED, Verdict.HARMED)
        ),
    )


def _rules(found: list[tuple[str, MeasuredEffect]]) -> Table:
    rows = tuple((name, ", ".join(one.rules)) for name, one in found)
    return Table(Said("effects_of_what"), columns("module", "rules"), rows)


def _share(counted: Share) -> Measure:
    if counted.value is None:
        return Measure(None, Unit.SHARE, size=0)
    return Measure(counted.value, Unit.SHARE, counted.interval, counted.total)
