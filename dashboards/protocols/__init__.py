"""Pages of a trial's protocols: versions, a new one, recomputes."""
