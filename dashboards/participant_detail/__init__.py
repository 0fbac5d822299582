"""A participant's page: header, charts, activity, consent, corrections, notes."""
