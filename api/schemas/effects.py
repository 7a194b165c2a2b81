"""Did it help."""

from pydantic import Field

from api.schemas.base import Shown
from api.schemas.figures import IntervalModel, ShareModel
from qa_service.domain.effects import EffectWarning, Verdict
from qa_service.services.coaching_effects import MeasuredEffect


class EffectModel(Shown):
    """By how much faults changed beyond what happened to others at the same time; below nothing: fewer faults."""

    module: str
    rules: list[str]
    verdict: Verdict
    points: float | None = Field(description="Change of the share of calls with a fault: -0.05, five points fewer")
    points_interval: IntervalModel | None
    relative: float | None = Field(description="As a share of the faults that there would have been")
    relative_interval: IntervalModel | None
    naive: float | None = Field(description="Before and after alone, which takes chance for effect")
    treated: int
    peers: int
    baseline: ShareModel
    selection: ShareModel = Field(description="In the days for whose faults people were picked")
    after: ShareModel
    peers_baseline: ShareModel
    peers_after: ShareModel
    warnings: list[EffectWarning]

    @staticmethod
    def of(measured: MeasuredEffect) -> "EffectModel":
        effect = measured.effect
        return EffectModel(
            module=measured.module,
            rules=list(measured.rules),
            verdict=effect.verdict,
            points=effect.points,
            points_interval=IntervalModel.of(effect.points_interval),
            relative=effect.relative,
            relative_interval=IntervalModel.of(effect.relative_interval),
            naive=effect.naive,
            treated=effect.treated,
            peers=effect.peers,
            baseline=ShareModel.of(effect.baseline),
            selection=ShareModel.of(effect.selection),
            after=ShareModel.of(effect.after),
            peers_baseline=ShareModel.of(effect.peers_baseline),
            peers_after=ShareModel.of(effect.peers_after),
            warnings=list(effect.warnings),
        )
