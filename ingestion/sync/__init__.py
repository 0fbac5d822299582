"""Sync engine: what to request (planning), by whom (claims, run), refusals (error_policy), what is kept (storing)."""
