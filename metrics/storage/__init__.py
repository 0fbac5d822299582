"""Storage: TimescaleDB's tables and chunks, and which days hold rows."""
