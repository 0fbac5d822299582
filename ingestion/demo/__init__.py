"""The demo: a trial with synthetic participants, and its live part against the simulator."""
