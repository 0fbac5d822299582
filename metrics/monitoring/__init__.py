"""Monitoring: participant-days evaluated, gaps explained, participants' status summarised."""
