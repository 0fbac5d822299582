"""Health of the installation: probes, checks, heartbeats."""
