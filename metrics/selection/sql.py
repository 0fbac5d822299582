"""The SQL that asks which sources have data, and of which dates: what the choice among them goes by."""

from __future__ import annotations

_DATES = "unnest(%(participants)s::int4[], %(firsts)s::date[], %(lasts)s::date[]) AS k(participant, first, last)"
_DAYS = "metrics_dayrollup"
# Days of nothing but values that do not count too, for those who read every sample: of no minute.
_ALL_DAYS = """(
    SELECT participant_id, metric_id, source_id, date, minutes, n FROM metrics_dayrollup
    UNION ALL SELECT participant_id, metric_id, source_id, date, 0, n FROM metrics_implausiblecount)"""


def _sources(days: str) -> str:
    return f"""
SELECT d.participant_id, d.metric_id, d.source_id, min(d.date), max(d.date)
FROM {_DATES}
JOIN {days} d ON d.participant_id = k.participant AND d.date BETWEEN k.first AND k.last
WHERE d.metric_id = ANY(%(metrics)s)
GROUP BY 1, 2, 3
"""


def _source_days(days: str) -> str:
    return f"""
COPY (
SELECT d.participant_id, d.metric_id, d.source_id, array_agg((d.date - DATE '1970-01-01')::int8),
    array_agg(d.minutes::int8), array_agg(d.n::int8)
FROM {_DATES}
JOIN unnest(%(series_participants)s::int4[], %(series_metrics)s::int2[]) AS s(participant, metric)
    ON s.participant = k.participant
JOIN {days} d
    ON d.participant_id = s.participant AND d.metric_id = s.metric AND d.date BETWEEN k.first AND k.last
GROUP BY 1, 2, 3
) TO STDOUT (FORMAT BINARY)
"""


# Which sources have data of a participant's metric in intervals of local dates, and of which dates the first and last.
SOURCES, SOURCES_OF_ALL = _sources(_DAYS), _sources(_ALL_DAYS)
# How much each source has of each of these dates, of the series that have several.
SOURCE_DAYS, SOURCE_DAYS_OF_ALL = _source_days(_DAYS), _source_days(_ALL_DAYS)
