"""Re-evaluation of days: after a protocol changed, after plausible ranges changed."""
