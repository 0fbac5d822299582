"""SQL queries behind /metrics/state: cheap ones, over small tables or partial indexes, never over measurements.

Each is one statement; its rows become the samples of one or more gauges (collectors.py).
"""

from __future__ import annotations

# Parameter: the participants' statuses in which a vendor may be asked (ingestion.models.connections.TAKING_PART).
_ASKING = """
SELECT c.* FROM ingestion_connection c
JOIN participants_participant p ON p.id = c.participant_id
WHERE c.status = 'active' AND p.status = ANY(%(taking_part)s)
"""

CONNECTIONS = "SELECT status, count(*) FROM ingestion_connection GROUP BY 1"

LAG = f"""
SELECT count(*) FILTER (WHERE next_due_at < now() - interval '1 hour'),
    percentile_cont(%(quantiles)s::float8[]) WITHIN GROUP (
        ORDER BY extract(epoch FROM now() - coalesce(last_pull_at, connected_at, status_since))
    )
FROM ({_ASKING}) c
"""

# One partial index each. What is due of connections that may not be asked waits for them: it is not counted.
WINDOWS = f"""
WITH asking AS MATERIALIZED ({_ASKING})
SELECT 'due', count(*), extract(
    epoch FROM now() - min(due_at) FILTER (WHERE reason NOT IN ('backfill', 'history') AND due_at <= now())
)::float8
FROM ingestion_syncwindow w JOIN asking a ON a.id = w.connection_id WHERE w.state = 'due'
UNION ALL
SELECT 'claimed', count(*), NULL FROM ingestion_syncwindow WHERE state = 'claimed'
UNION ALL
SELECT 'failed', count(*), NULL FROM ingestion_syncwindow WHERE state = 'failed'
"""

EMAILS = """
SELECT state, count(*) FROM dashboards_outreach
WHERE kind = 'email' AND state IN ('held', 'sending', 'failed', 'bounced')
GROUP BY 1
"""
EMAIL_DUE = """
SELECT coalesce(extract(epoch FROM now() - min(send_after)), 0)::float8
FROM dashboards_outreach WHERE state = 'held' AND kind = 'email' AND send_after <= now()
"""

# Of trials that are open; those without an alert too, so that a curve does not end where the last one is resolved.
ALERTS = """
SELECT t.code, l.level, count(a.id)
FROM participants_trial t
CROSS JOIN (VALUES (1), (2)) l(level)
LEFT JOIN (
    SELECT a.id, a.level, p.trial_id FROM dashboards_alert a JOIN participants_participant p ON p.id = a.participant_id
    WHERE a.resolved_at IS NULL
) a ON a.trial_id = t.id AND a.level = l.level
WHERE t.status <> 'closed' OR a.id IS NOT NULL
GROUP BY 1, 2
"""

EXPORTS = "SELECT state, count(*) FROM metrics_export GROUP BY 1"
WEBHOOKS = "SELECT count(*) FROM ingestion_webhookdelivery WHERE handled_at IS NULL"

SCHEDULER = "SELECT extract(epoch FROM max(beaten_at))::float8 FROM ingestion_heartbeat WHERE kind = 'scheduler'"
WORKERS = """
SELECT kind, count(*) FROM ingestion_heartbeat
WHERE kind IN ('sync', 'exports') AND beaten_at > now() - make_interval(secs => %(stale)s)
GROUP BY 1
"""

# Entries get checkpoints in the order of their numbers: those behind the last one that has one wait.
WITHOUT_CHECKPOINT = """
SELECT coalesce(extract(epoch FROM now() - min(at)), 0)::float8 FROM participants_auditentry
WHERE id > coalesce((SELECT entry_id FROM participants_auditseal ORDER BY position DESC LIMIT 1), 0)
"""

# Of the newest check; nothing where none was made yet.
DATA_CHECK = """
SELECT found.key, found.value::float8, extract(epoch FROM last.finished_at)::float8
FROM (SELECT found, finished_at FROM metrics_datacheck ORDER BY finished_at DESC LIMIT 1) AS last
CROSS JOIN LATERAL jsonb_each_text(last.found) AS found
"""

DATABASE_BYTES = "SELECT pg_database_size(current_database())"
DATABASE_CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"

# For this transaction; longer than that a query is not waited for.
STATEMENT_TIMEOUT = "SELECT set_config('statement_timeout', %s, true)"
