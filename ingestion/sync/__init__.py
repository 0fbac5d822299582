"""The sync engine: what to ask (plan), who does it and what became of it (engine), the vendor's notices (notices)."""
