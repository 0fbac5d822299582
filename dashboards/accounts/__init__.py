"""Pages of accounts: profile, team, API tokens."""
