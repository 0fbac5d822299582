"""SQL of participants: advisory locks, and what an erasure says of itself to the database."""

from __future__ import annotations

# The first of two numbers tells our advisory locks apart; the second is the row's id.
PARTICIPANT_LOCK, TRIAL_LOCK = 1463, 1464

# Held to the end of the transaction; see locks.py for their order.
LOCK_PARTICIPANT = f"SELECT pg_advisory_xact_lock({PARTICIPANT_LOCK}, %s)"
LOCK_TRIAL_SHARED = f"SELECT pg_advisory_xact_lock_shared({TRIAL_LOCK}, %s)"
LOCK_TRIAL_EXCLUSIVE = f"SELECT pg_advisory_xact_lock({TRIAL_LOCK}, %s)"

# A trigger lets the audit trail's details of this participant go, in this transaction alone.
ERASING = "SELECT set_config('wearable_trials.erasing', %s, true)"
