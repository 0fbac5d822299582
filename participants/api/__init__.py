"""Resources of the API about who takes part: trials, sites, team, contact data, the audit trail, who asks."""
