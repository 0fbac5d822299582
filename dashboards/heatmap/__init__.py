"""Heat map of a trial: participants by days."""
