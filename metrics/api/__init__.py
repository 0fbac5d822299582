"""API of what was measured: series, the registry, sources, days, gaps, nights, exercise, participants' status."""
