"""SQL of the alert rules: how urgent each rule is of whom now, compared with the alerts that are open."""

from __future__ import annotations

from dashboards.models import Alert
from metrics.models import AttentionStatus, Exclusion
from metrics.models.attention import bit
from participants.models import Participant

Rule, Level = Alert.Rule, Alert.Level
WARN, CRITICAL = Level.WARN.value, Level.CRITICAL.value


def _lasts(attention_status: AttentionStatus) -> str:
    return f"s.lasting_statuses & {bit(attention_status)} <> 0"


# The level of each rule, over metrics_standing s; 0: it is not true. Who never connected has an alert of that; that
# they wore nothing is no news beside it. Not `raises`: low wear that comes of days being counted anew is no news.
_LEVELS = f"""
(VALUES
    ('{Rule.NO_UPLOAD}', CASE WHEN s.critical_from <= %(now)s THEN {CRITICAL}
        WHEN s.silent_from <= %(now)s AND s.critical_from > %(now)s THEN {WARN} ELSE 0 END, true),
    ('{Rule.RECONNECT}', CASE WHEN {_lasts(AttentionStatus.RECONNECT)} THEN {WARN} ELSE 0 END, true),
    ('{Rule.NEVER_CONNECTED}', CASE WHEN {_lasts(AttentionStatus.UNCONNECTED)}
        AND coalesce(s.access_since, p.enrolled_at) <= watched.invited_by THEN {WARN} ELSE 0 END, true),
    ('{Rule.LOW_WEAR}', CASE WHEN {_lasts(AttentionStatus.LOW_WEAR)} AND NOT {_lasts(AttentionStatus.UNCONNECTED)}
        THEN CASE WHEN s.out_of_reach THEN {CRITICAL} ELSE {WARN} END ELSE 0 END, NOT s.recounted),
    ('{Rule.LOW_SLEEP}', CASE WHEN {_lasts(AttentionStatus.LOW_SLEEP)}
        THEN CASE WHEN s.low_sleep >= 2 THEN {CRITICAL} ELSE {WARN} END ELSE 0 END, true)
) AS rule(name, level, raises)
"""

# Where alerts differ from what the rules say: of each participant and rule (trial, participant, rule, its level now or
# 0, the open alert's id or null, when the status summary was written). An alert also differs once the summary was
# written anew: its facts may be others. What is held as it is does not differ: nothing is known of the participant, or
# data of theirs are held up. `people`: null for everybody of the trials.
DIFFERENCES = f"""
WITH watched AS (
    SELECT trial, string_to_array(rules, ',') AS rules, invited_by
    FROM unnest(%(trials)s::int4[], %(rules)s::text[], %(invited_by)s::timestamptz[]) AS w(trial, rules, invited_by)
),
due AS (
    SELECT p.trial_id, p.id AS participant, rule.name, rule.level, rule.raises, s.updated_at
    FROM watched
    JOIN participants_participant p ON p.trial_id = watched.trial AND p.status <> '{Participant.Status.ERASED}'
        AND (%(people)s::int4[] IS NULL OR p.id = ANY(%(people)s))
    JOIN metrics_standing s ON s.participant_id = p.id
        AND (s.lasting_status <= {AttentionStatus.LOW_SLEEP.value} OR %(now)s >= least(s.silent_from, s.critical_from))
    CROSS JOIN LATERAL {_LEVELS}
    WHERE rule.level > 0 AND rule.name = ANY(watched.rules)
),
opened AS (
    SELECT p.trial_id, a.participant_id AS participant, a.rule, a.id, a.level, a.compared_with, s.updated_at,
        a.rule = ANY(watched.rules) AND p.status <> '{Participant.Status.ERASED}'
            AND (s.participant_id IS NULL OR s.excused = '{Exclusion.PLATFORM}'
                OR (s.excused = '' AND s.waiting AND a.rule = '{Rule.NO_UPLOAD}')) AS held
    FROM dashboards_alert a
    JOIN participants_participant p ON p.id = a.participant_id
    JOIN watched ON watched.trial = p.trial_id
    LEFT JOIN metrics_standing s ON s.participant_id = a.participant_id
    WHERE a.resolved_at IS NULL AND (%(people)s::int4[] IS NULL OR p.id = ANY(%(people)s))
),
paired AS (
    SELECT coalesce(due.trial_id, opened.trial_id) AS trial,
        coalesce(due.participant, opened.participant) AS participant,
        coalesce(due.name, opened.rule) AS rule, opened.id, opened.level AS before, opened.compared_with,
        coalesce(due.updated_at, opened.updated_at) AS updated_at,
        CASE WHEN due.raises THEN due.level WHEN due.raises IS NULL THEN 0
            ELSE least(due.level, coalesce(opened.level, 0)) END AS level, opened.held
    FROM due FULL JOIN opened ON opened.participant = due.participant AND opened.rule = due.name
)
SELECT trial, participant, rule, level, id, updated_at FROM paired
WHERE CASE WHEN id IS NULL THEN level > 0
    ELSE compared_with IS DISTINCT FROM updated_at OR (level <> before AND NOT (held AND level = 0)) END
"""
