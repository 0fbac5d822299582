"""Sync engine: what to ask (planning), who asks (claims, run), refusals (error_policy), what is kept (storing)."""
