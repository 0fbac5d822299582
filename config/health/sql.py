"""SQL of the health checks: each statement is cheap, and holds up nobody."""

from __future__ import annotations

# For this transaction: a check that takes longer has failed.
STATEMENT_TIMEOUT = "SELECT set_config('statement_timeout', %s, true)"

ALIVE = "SELECT 1"
MIGRATIONS = "SELECT app, name FROM django_migrations"
STANDBY = "SELECT pg_is_in_recovery()"
BEAT = """
INSERT INTO ingestion_heartbeat (name, kind, holder, beaten_at) VALUES ('health', 'probe', '', now())
ON CONFLICT (name) DO UPDATE SET beaten_at = excluded.beaten_at
"""
# A function's rows, which are kept until all are there: a megabyte, and more than memory may hold of it. Unlike a
# temporary table they leave nothing behind.
LITTLE_MEMORY = "SELECT set_config('work_mem', '64kB', true)"
FILL = "SELECT count(*) FROM generate_series(1, 75000)"

SINCE_BEAT = "SELECT extract(epoch FROM now() - max(beaten_at))::float FROM ingestion_heartbeat WHERE kind = %s"
# Of the active connections: how many the vendor put off or did not answer, and how many were asked for at all lately.
VENDOR = """
SELECT count(*) FILTER (WHERE troubled), count(*) FILTER (WHERE troubled OR served)
FROM (
    SELECT busy_until > now() OR EXISTS (
               SELECT FROM ingestion_syncwindow w
               WHERE w.connection_id = c.id AND w.state = 'due' AND w.error_code <> ''
                 AND w.due_at > now() - interval '2 minutes'
           ) IS TRUE AS troubled,
           last_pull_at > now() - make_interval(secs => %s) AS served
    FROM ingestion_connection c
    WHERE status = 'active'
) connections
"""
STUCK_EMAILS = """
SELECT count(*) FROM dashboards_outreach WHERE state IN ('held', 'sending') AND kind = 'email'
    AND send_after < now() - make_interval(mins => %s)
"""
