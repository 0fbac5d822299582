"""The metrics that rules and dashboards may name, by who exports them.

Those of other programs were seen in what they answer; cAdvisor's and those of replication in their documentation.
"""

from __future__ import annotations

OURS = {
    "wearable_audit_unsealed_seconds",
    "wearable_connections",
    "wearable_connections_overdue",
    "wearable_data_check_timestamp_seconds",
    "wearable_data_violations",
    "wearable_database_bytes",
    "wearable_database_connections",
    "wearable_email_oldest_due_seconds",
    "wearable_emails",
    "wearable_emails_sent_total",
    "wearable_exports",
    "wearable_points_stored_total",
    "wearable_points_unchanged_total",
    "wearable_queue_messages",
    "wearable_ready",
    "wearable_scheduler_heartbeat_timestamp_seconds",
    "wearable_sync_lag_seconds",
    "wearable_sync_oldest_due_seconds",
    "wearable_sync_windows",
    "wearable_sync_windows_finished_total",
    "wearable_task_seconds",
    "wearable_tasks_total",
    "wearable_token_failures_total",
    "wearable_trial_alerts",
    "wearable_vendor_errors_total",
    "wearable_vendor_request_seconds",
    "wearable_webhooks_unhandled",
    "wearable_worker_heartbeats",
}
OF_THE_BACKUP = {
    "wearable_backup_bytes",
    "wearable_backup_last_success_timestamp_seconds",
    "wearable_wal_last_received_timestamp_seconds",
}
OF_DJANGO = {
    "django_http_requests_latency_seconds_by_view_method",
    "django_http_responses_total_by_status_view_method_total",
}
OF_OTHERS = {
    "Prometheus": {"up", "prometheus_config_last_reload_successful", "prometheus_rule_evaluation_failures_total"},
    "Alertmanager": {"alertmanager_notifications_failed_total"},
    "blackbox exporter": {"probe_duration_seconds", "probe_ssl_earliest_cert_expiry", "probe_success"},
    "node exporter": {
        "node_cpu_seconds_total",
        "node_disk_io_time_seconds_total",
        "node_disk_read_bytes_total",
        "node_disk_written_bytes_total",
        "node_filesystem_avail_bytes",
        "node_filesystem_size_bytes",
        "node_load1",
        "node_load15",
        "node_memory_MemAvailable_bytes",
        "node_memory_MemTotal_bytes",
    },
    "postgres exporter": {
        "pg_database_size_bytes",
        "pg_locks_count",
        "pg_replication_is_replica",
        "pg_replication_lag_seconds",
        "pg_replication_slots_pg_wal_lsn_diff",
        "pg_settings_max_connections",
        "pg_stat_activity_count",
        "pg_stat_activity_max_tx_duration",
        "pg_stat_database_blks_hit",
        "pg_stat_database_blks_read",
        "pg_stat_database_deadlocks",
        "pg_stat_database_tup_deleted",
        "pg_stat_database_tup_inserted",
        "pg_stat_database_tup_updated",
        "pg_stat_database_xact_commit",
        "pg_stat_database_xact_rollback",
        "pg_up",
    },
    "redis exporter": {"redis_memory_max_bytes", "redis_memory_used_bytes", "redis_up"},
    "cAdvisor": {
        "container_cpu_usage_seconds_total",
        "container_memory_working_set_bytes",
        "container_oom_events_total",
        "container_start_time_seconds",
    },
}
ALL = OURS | OF_THE_BACKUP | OF_DJANGO | set().union(*OF_OTHERS.values())
