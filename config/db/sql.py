"""SQL of the database as a whole: the lock under which one host at a time migrates it."""

from __future__ import annotations

# The parameter is a number of ours among advisory locks of one number. Held to the end of the transaction.
TRY_LOCK = "SELECT pg_try_advisory_xact_lock(%s)"
LOCK = "SELECT pg_advisory_xact_lock(%s)"
