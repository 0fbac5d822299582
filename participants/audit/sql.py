"""SQL of the audit chain: which database it stands in, and the lock under which it grows."""

from __future__ import annotations

# Held to the end of the transaction by who makes checkpoints.
TRY_LOCK = "SELECT pg_try_advisory_xact_lock(%s)"

DATABASE = "SELECT oid FROM pg_database WHERE datname = current_database()"
MAY_KNOW_CLUSTER = "SELECT has_function_privilege('pg_control_system()', 'execute')"
CLUSTER = "SELECT system_identifier FROM pg_control_system()"
