"""Panels of Grafana's five dashboards: for each its title and its panels, which `dashboards.py` writes down."""

from __future__ import annotations

from typing import NamedTuple

DISKS = 'fstype!~"tmpfs|overlay|squashfs|ramfs|fuse.*"'
PAGES = 'view!~".*(health|metrics|prometheus).*"'
ANSWERS = "django_http_responses_total_by_status_view_method_total"
LATENCY = "django_http_requests_latency_seconds_by_view_method_bucket"


class Panel(NamedTuple):
    """Title, unit, and pairs of query and legend. `kind` is Grafana's name of the form."""

    title: str
    unit: str
    queries: tuple[tuple[str, str], ...]
    kind: str = "timeseries"


def p95(metric: str, by: str, share: str = "0.95", where: str = "") -> str:
    return f"histogram_quantile({share}, sum by (le, {by}) (rate({metric}{where}[$__rate_interval])))"


DASHBOARDS: dict[str, tuple[str, tuple[Panel, ...]]] = {
    "ingest": (
        "Ingest",
        (
            Panel("Samples stored a second", "short", (("ingest:points:rate5m", "stored"),)),
            Panel(
                "Samples by provider, a second",
                "short",
                (
                    ("sum by (provider) (rate(wearable_points_stored_total[5m]))", "{{provider}} new"),
                    ("sum by (provider) (rate(wearable_points_unchanged_total[5m]))", "{{provider}} known"),
                ),
            ),
            Panel(
                "Samples stored in 24 hours",
                "short",
                (("sum(increase(wearable_points_stored_total[24h]))", ""),),
                "stat",
            ),
            Panel("Size of the database", "bytes", (("wearable_database_bytes", "database"),)),
            Panel("Notices that wait", "short", (("wearable_webhooks_unhandled", "notices"),)),
            Panel("Exports", "short", (("wearable_exports", "{{state}}"),)),
            Panel("Oldest audit entry without a checkpoint", "s", (("wearable_audit_unsealed_seconds", "age"),)),
            Panel("E-mails", "short", (("wearable_emails", "{{state}}"),)),
            Panel("Open alerts of trials", "short", (("sum by (trial) (wearable_trial_alerts)", "{{trial}}"),)),
        ),
    ),
    "sync": (
        "Sync",
        (
            Panel("Parts of the installation", "short", (("wearable_ready", "{{part}}"),), "stat"),
            Panel("Lag since the last complete pull", "s", (("wearable_sync_lag_seconds", "quantile {{quantile}}"),)),
            Panel(
                "Connections",
                "short",
                (("wearable_connections", "{{status}}"), ("wearable_connections_overdue", "overdue")),
            ),
            Panel("Windows", "short", (("wearable_sync_windows", "{{state}}"),)),
            Panel("Oldest window that is due", "s", (("wearable_sync_oldest_due_seconds", "age"),)),
            Panel(
                "Windows finished a minute",
                "short",
                (("60 * sum by (state) (rate(wearable_sync_windows_finished_total[5m]))", "{{state}}"),),
            ),
            Panel(
                "The vendor’s answers, 95th percentile",
                "s",
                ((p95("wearable_vendor_request_seconds_bucket", "kind"), "{{kind}}"),),
            ),
            Panel(
                "The vendor’s requests and errors a second",
                "reqps",
                (
                    ("sum by (provider) (rate(wearable_vendor_request_seconds_count[5m]))", "{{provider}} requests"),
                    ("sum by (provider, kind) (rate(wearable_vendor_errors_total[5m]))", "{{provider}} {{kind}}"),
                ),
            ),
            Panel(
                "Tokens refused an hour",
                "short",
                (("sum by (provider) (increase(wearable_token_failures_total[1h]))", "{{provider}}"),),
            ),
            Panel("Messages in queues", "short", (("wearable_queue_messages", "{{queue}}"),)),
            Panel(
                "Tasks a minute",
                "short",
                (("60 * sum by (outcome) (rate(wearable_tasks_total[5m]))", "{{outcome}}"),),
            ),
            Panel("Tasks, 95th percentile", "s", ((p95("wearable_task_seconds_bucket", "task"), "{{task}}"),)),
            Panel("Workers that live", "short", (("wearable_worker_heartbeats", "{{kind}}"),)),
            Panel(
                "Since the scheduler’s last sign",
                "s",
                (("time() - wearable_scheduler_heartbeat_timestamp_seconds", "scheduler"),),
            ),
            Panel(
                "E-mails sent a minute",
                "short",
                (("60 * sum by (outcome) (rate(wearable_emails_sent_total[5m]))", "{{outcome}}"),),
            ),
        ),
    ),
    "web": (
        "Web",
        (
            Panel("Requests a second", "reqps", (("web:requests:rate5m", "all"),)),
            Panel("Share of errors", "percentunit", (("web:errors:ratio5m", "5xx"),)),
            Panel(
                "Latency of pages",
                "s",
                (
                    ("web:latency_seconds:p95_5m", "95 %"),
                    (p95(LATENCY, "job", "0.5", f"{{{PAGES}}}"), "50 %"),
                ),
            ),
            Panel("Answers by status", "reqps", ((f"sum by (status) (rate({ANSWERS}[5m]))", "{{status}}"),)),
            Panel(
                "Slowest views, 95th percentile",
                "s",
                ((f"topk(8, {p95(LATENCY, 'view', where=f'{{{PAGES}}}')})", "{{view}}"),),
            ),
            Panel(
                "Busiest views",
                "reqps",
                ((f"topk(8, sum by (view) (rate({ANSWERS}{{{PAGES}}}[5m])))", "{{view}}"),),
            ),
            Panel("The site from outside", "short", (('probe_success{job="site"}', "{{instance}}"),)),
            Panel("Time of a look from outside", "s", (('probe_duration_seconds{job="site"}', "{{instance}}"),)),
            Panel(
                "The certificate lasts",
                "s",
                (('probe_ssl_earliest_cert_expiry{job="site"} - time()', "{{instance}}"),),
                "stat",
            ),
        ),
    ),
    "database": (
        "Database",
        (
            Panel(
                "Connections",
                "short",
                (
                    ("sum by (state) (pg_stat_activity_count)", "{{state}}"),
                    ("max(pg_settings_max_connections)", "limit"),
                ),
            ),
            Panel(
                "Transactions a second",
                "ops",
                (
                    ('rate(pg_stat_database_xact_commit{datname="wearable"}[5m])', "done"),
                    ('rate(pg_stat_database_xact_rollback{datname="wearable"}[5m])', "undone"),
                ),
            ),
            Panel(
                "Rows a second",
                "ops",
                (
                    ('rate(pg_stat_database_tup_inserted{datname="wearable"}[5m])', "inserted"),
                    ('rate(pg_stat_database_tup_updated{datname="wearable"}[5m])', "updated"),
                    ('rate(pg_stat_database_tup_deleted{datname="wearable"}[5m])', "deleted"),
                ),
            ),
            Panel("Size", "bytes", (('pg_database_size_bytes{datname="wearable"}', "{{datname}}"),)),
            Panel(
                "Found in memory",
                "percentunit",
                (
                    (
                        'rate(pg_stat_database_blks_hit{datname="wearable"}[5m]) / (rate(pg_stat_database_blks_hit'
                        '{datname="wearable"}[5m]) + rate(pg_stat_database_blks_read{datname="wearable"}[5m]))',
                        "blocks",
                    ),
                ),
            ),
            Panel(
                "Longest transaction",
                "s",
                (('max by (state) (pg_stat_activity_max_tx_duration{datname="wearable"})', "{{state}}"),),
            ),
            Panel(
                "Locks and deadlocks",
                "short",
                (
                    ('sum by (mode) (pg_locks_count{datname="wearable"}) > 0', "{{mode}}"),
                    ('increase(pg_stat_database_deadlocks{datname="wearable"}[5m])', "deadlocks"),
                ),
            ),
            Panel(
                "Log held back by slots",
                "bytes",
                (("pg_replication_slots_pg_wal_lsn_diff", "{{slot_name}}"),),
            ),
            Panel("Replica’s lag", "s", (("pg_replication_lag_seconds", "{{instance}}"),)),
            Panel(
                "Since the last backup",
                "s",
                (
                    ("time() - wearable_backup_last_success_timestamp_seconds", "backup"),
                    ("time() - wearable_wal_last_received_timestamp_seconds", "log"),
                ),
            ),
            Panel("Size of the last backup", "bytes", (("wearable_backup_bytes", "backup"),)),
            Panel(
                "Redis’ memory",
                "bytes",
                (("redis_memory_used_bytes", "used"), ("redis_memory_max_bytes", "limit")),
            ),
        ),
    ),
    "host": (
        "Host",
        (
            Panel(
                "Processors in use",
                "percentunit",
                (('1 - avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[5m]))', "{{instance}}"),),
            ),
            Panel(
                "Memory",
                "bytes",
                (
                    ("node_memory_MemTotal_bytes - node_memory_MemAvailable_bytes", "used"),
                    ("node_memory_MemTotal_bytes", "all"),
                ),
            ),
            Panel(
                "Disks in use",
                "percentunit",
                (
                    (
                        f"1 - node_filesystem_avail_bytes{{{DISKS}}} / node_filesystem_size_bytes{{{DISKS}}}",
                        "{{mountpoint}}",
                    ),
                ),
            ),
            Panel("Waiting for disks", "percentunit", (("rate(node_disk_io_time_seconds_total[5m])", "{{device}}"),)),
            Panel(
                "Read and written",
                "Bps",
                (
                    ("sum by (device) (rate(node_disk_read_bytes_total[5m]))", "{{device}} read"),
                    ("sum by (device) (rate(node_disk_written_bytes_total[5m]))", "{{device}} written"),
                ),
            ),
            Panel("Load", "short", (("node_load1", "1 minute"), ("node_load15", "15 minutes"))),
            Panel(
                "Containers: processors",
                "short",
                (('sum by (name) (rate(container_cpu_usage_seconds_total{name!=""}[5m]))', "{{name}}"),),
            ),
            Panel(
                "Containers: memory",
                "bytes",
                (('sum by (name) (container_memory_working_set_bytes{name!=""})', "{{name}}"),),
            ),
            Panel(
                "Containers: started in the last hour",
                "short",
                (('changes(container_start_time_seconds{name!=""}[1h]) > 0', "{{name}}"),),
            ),
        ),
    ),
}
