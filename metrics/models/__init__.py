"""Models of metrics: what was measured, what was made of it, and what was taken away."""

from metrics.models.catalogue import Metric, Source
from metrics.models.corrections import DataMove, SourceDeletion
from metrics.models.exports import Export, ExportFile
from metrics.models.measurements import (
    DayRollup,
    HourRollup,
    ImplausibleCount,
    Measurement,
    MinuteRollup,
    OffsetPeriod,
    Revision,
    Rollup,
)
from metrics.models.monitoring import (
    DataCheck,
    DayStatusHistory,
    Gap,
    ParticipantDay,
    ParticipantStatusSummary,
    PendingEvaluation,
    Recompute,
)
from metrics.models.removals import Removal
from metrics.models.sessions import ExerciseSession, SleepSession, SleepStage
from metrics.models.statuses import Access, AttentionStatus, Cause, DayStatus, Exclusion

__all__ = [
    "Access",
    "AttentionStatus",
    "Cause",
    "DataCheck",
    "DataMove",
    "DayRollup",
    "DayStatus",
    "DayStatusHistory",
    "Exclusion",
    "ExerciseSession",
    "Export",
    "ExportFile",
    "Gap",
    "HourRollup",
    "ImplausibleCount",
    "Measurement",
    "Metric",
    "MinuteRollup",
    "OffsetPeriod",
    "ParticipantDay",
    "ParticipantStatusSummary",
    "PendingEvaluation",
    "Recompute",
    "Removal",
    "Revision",
    "Rollup",
    "SleepSession",
    "SleepStage",
    "Source",
    "SourceDeletion",
]
