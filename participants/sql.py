"""SQL of participants: advisory locks, the collection interval, erasure, which database the audit chain stands in."""

from __future__ import annotations

# The first of two numbers tells our advisory locks apart; the second is the row's id.
PARTICIPANT_LOCK, TRIAL_LOCK = 1463, 1464

# Held to the end of the transaction; see locks.py for their order.
LOCK_PARTICIPANT = f"SELECT pg_advisory_xact_lock({PARTICIPANT_LOCK}, %s)"
LOCK_TRIAL_SHARED = f"SELECT pg_advisory_xact_lock_shared({TRIAL_LOCK}, %s)"
LOCK_TRIAL_EXCLUSIVE = f"SELECT pg_advisory_xact_lock({TRIAL_LOCK}, %s)"

# What the collection interval of a participant `p` of the trial `t` follows from (participants.collection_interval):
# their rows' own columns; when consent ended, of those who had given it and have none in force; their pauses as
# [first, last, withdrawn?]; the trial's protocols as [effective on, collects in pauses?], ascending.
COLLECTION_COLUMNS = """
p.id, p.status, p.monitoring_starts_on, p.monitoring_ends_on, p.withdrawn_on,
t.starts_on, t.ends_on, t.status, t.closed_at,
(SELECT max(c.withdrawn_at) FROM participants_consent c WHERE c.participant_id = p.id
    HAVING bool_and(c.withdrawn_at IS NOT NULL)),
(SELECT json_agg(json_build_array(e.starts_on, e.ends_on, e.withdrawn) ORDER BY e.starts_on)
    FROM participants_pause e WHERE e.participant_id = p.id),
(SELECT json_agg(json_build_array(v.effective_on, v.collect_in_pauses) ORDER BY v.effective_on, v.version)
    FROM participants_protocol v WHERE v.trial_id = p.trial_id)
"""
COLLECTION = f"""
SELECT {COLLECTION_COLUMNS}
FROM participants_participant p JOIN participants_trial t ON t.id = p.trial_id
WHERE p.id = ANY(%(participants)s)
"""

# A trigger lets the audit trail's details of this participant go, in this transaction alone.
ERASING = "SELECT set_config('wearable_trials.erasing', %s, true)"

# Held to the end of the transaction by who makes checkpoints of the audit trail; its number is the parameter.
TRY_LOCK = "SELECT pg_try_advisory_xact_lock(%s)"

DATABASE = "SELECT oid FROM pg_database WHERE datname = current_database()"
MAY_KNOW_CLUSTER = "SELECT has_function_privilege('pg_control_system()', 'execute')"
CLUSTER = "SELECT system_identifier FROM pg_control_system()"
