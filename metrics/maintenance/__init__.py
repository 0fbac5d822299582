"""Maintenance of the store: retention, the nightly routine, checks and a report of its size."""
