"""SQL of participants: advisory locks, erasure, and which database the audit chain stands in."""

from __future__ import annotations

# The first of two numbers tells our advisory locks apart; the second is the row's id.
PARTICIPANT_LOCK, TRIAL_LOCK = 1463, 1464

# Held to the end of the transaction; see locks.py for their order.
LOCK_PARTICIPANT = f"SELECT pg_advisory_xact_lock({PARTICIPANT_LOCK}, %s)"
LOCK_TRIAL_SHARED = f"SELECT pg_advisory_xact_lock_shared({TRIAL_LOCK}, %s)"
LOCK_TRIAL_EXCLUSIVE = f"SELECT pg_advisory_xact_lock({TRIAL_LOCK}, %s)"

# A trigger lets the audit trail's details of this participant go, in this transaction alone.
ERASING = "SELECT set_config('wearable_trials.erasing', %s, true)"

# Held to the end of the transaction by who makes checkpoints of the audit trail; its number is the parameter.
TRY_LOCK = "SELECT pg_try_advisory_xact_lock(%s)"

DATABASE = "SELECT oid FROM pg_database WHERE datname = current_database()"
MAY_KNOW_CLUSTER = "SELECT has_function_privilege('pg_control_system()', 'execute')"
CLUSTER = "SELECT system_identifier FROM pg_control_system()"
