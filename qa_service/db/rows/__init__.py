"""Database rows, typed. They stay inside ``qa_service.db``: repositories return domain objects.

Guarantees: every constraint has a name from the first migration on, times are aware UTC on every database,
and no relationship loads behind the caller's back (``lazy="raise"``).
"""

from qa_service.db.rows.base import ERROR_MESSAGE_CHARACTERS, Row, UTCDateTime
from qa_service.db.rows.batch_runs import (
    COUNTED_FAILED,
    COUNTED_NOT_YET,
    UNENDED_RUNS,
    BatchRunJobRow,
    BatchRunRow,
)
from qa_service.db.rows.calibration import (
    CalibrationAnswerRow,
    CalibrationCallRow,
    CalibrationCriterionRow,
    CalibrationDecisionRow,
    CalibrationReviewerRow,
    CalibrationSessionRow,
    CalibrationStepRow,
)
from qa_service.db.rows.calls import CallRow, ScorecardRow
from qa_service.db.rows.coaching import (
    OPEN_ACTIONS,
    CoachingActionRow,
    CoachingClipRow,
    CoachingRoundRow,
    CoachingStepRow,
)
from qa_service.db.rows.complaints import OPEN_COMPLAINTS, CallMarkRow, ComplaintRow, ComplaintStepRow
from qa_service.db.rows.draft_cases import DraftCaseRow
from qa_service.db.rows.evaluations import EvaluationRow, FindingRow, LatestEvaluationRow, RuleResultRow
from qa_service.db.rows.figures import AgentDayRow, BehaviourDayRow, ChangedCallRow
from qa_service.db.rows.imports import (
    AgentStateRow,
    AgentTimesRow,
    ImportedFigureRow,
    ImportFaultRow,
    ImportRow,
)
from qa_service.db.rows.jobs import LEASED_JOBS, OPEN_JOBS, SUSPECTED_JOBS, JobRow
from qa_service.db.rows.kpi import AppraisalRow, KpiClosingRow, KpiResultRow
from qa_service.db.rows.people import (
    AgentRow,
    AuditEventRow,
    IdempotencyKeyRow,
    SessionRow,
    TeamRow,
    TokenRow,
    UserRow,
)
from qa_service.db.rows.promises import UNTOLD_PROMISES, PromiseDecisionRow, PromiseRow
from qa_service.db.rows.quality import (
    QualityMeasurementRow,
    RuleFiguresRow,
    ShadowDecisionRow,
    ShadowProposalRow,
)
from qa_service.db.rows.recordings import CallMetadataRow, ConversationRow, EngineRunRow, RecordingRow
from qa_service.db.rows.reporting import ReportScheduleRow, ScheduledReportRow
from qa_service.db.rows.review import (
    OPEN_ITEMS,
    DisputeStepRow,
    FinalScoreRow,
    ReviewItemRow,
    RuleTallyRow,
    VerdictRow,
)
from qa_service.db.rows.rules import RulesetRuleRow, RuleTransitionRow, RuleVersionRow
from qa_service.db.rows.sampling import SampledCallRow, SamplingDrawRow, SamplingPlanRow
from qa_service.db.rows.sources import SourceFileRow, SourceRow
from qa_service.db.rows.texts import CallTextRow
from qa_service.db.rows.training import (
    ScriptChangeRow,
    ScriptChangeStepRow,
    TrainingAssessmentRow,
    TrainingAttendanceRow,
    TrainingCertificateRow,
    TrainingSessionRow,
    TrainingSubjectRow,
)
from qa_service.db.rows.webhooks import WebhookDeliveryRow, WebhookRow

__all__ = [
    "COUNTED_FAILED",
    "COUNTED_NOT_YET",
    "ERROR_MESSAGE_CHARACTERS",
    "LEASED_JOBS",
    "OPEN_ACTIONS",
    "OPEN_COMPLAINTS",
    "OPEN_ITEMS",
    "OPEN_JOBS",
    "SUSPECTED_JOBS",
    "UNENDED_RUNS",
    "UNTOLD_PROMISES",
    "AgentDayRow",
    "AgentRow",
    "AgentStateRow",
    "AgentTimesRow",
    "AppraisalRow",
    "AuditEventRow",
    "BatchRunJobRow",
    "BatchRunRow",
    "BehaviourDayRow",
    "CalibrationAnswerRow",
    "CalibrationCallRow",
    "CalibrationCriterionRow",
    "CalibrationDecisionRow",
    "CalibrationReviewerRow",
    "CalibrationSessionRow",
    "CalibrationStepRow",
    "CallMarkRow",
    "CallMetadataRow",
    "CallRow",
    "CallTextRow",
    "ChangedCallRow",
    "CoachingActionRow",
    "CoachingClipRow",
    "CoachingRoundRow",
    "CoachingStepRow",
    "ComplaintRow",
    "ComplaintStepRow",
    "ConversationRow",
    "DisputeStepRow",
    "DraftCaseRow",
    "EngineRunRow",
    "EvaluationRow",
    "FinalScoreRow",
    "FindingRow",
    "IdempotencyKeyRow",
    "ImportFaultRow",
    "ImportRow",
    "ImportedFigureRow",
    "JobRow",
    "KpiClosingRow",
    "KpiResultRow",
    "LatestEvaluationRow",
    "PromiseDecisionRow",
    "PromiseRow",
    "QualityMeasurementRow",
    "RecordingRow",
    "ReportScheduleRow",
    "ReviewItemRow",
    "Row",
    "RuleFiguresRow",
    "RuleResultRow",
    "RuleTallyRow",
    "RuleTransitionRow",
    "RuleVersionRow",
    "RulesetRuleRow",
    "SampledCallRow",
    "SamplingDrawRow",
    "SamplingPlanRow",
    "ScheduledReportRow",
    "ScorecardRow",
    "ScriptChangeRow",
    "ScriptChangeStepRow",
    "SessionRow",
    "ShadowDecisionRow",
    "ShadowProposalRow",
    "SourceFileRow",
    "SourceRow",
    "TeamRow",
    "TokenRow",
    "TrainingAssessmentRow",
    "TrainingAttendanceRow",
    "TrainingCertificateRow",
    "TrainingSessionRow",
    "TrainingSubjectRow",
    "UTCDateTime",
    "UserRow",
    "VerdictRow",
    "WebhookDeliveryRow",
    "WebhookRow",
]
