"""What was measured, in the API: series, the registry, sources, days, gaps, nights, exercise, participants' status."""
