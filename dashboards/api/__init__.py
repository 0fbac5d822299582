"""Resources of the API about what the team works with: participants as they stand, protocols, alerts, contacts."""
