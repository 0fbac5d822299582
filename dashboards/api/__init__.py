"""Resources of the API about what the team works with: participants with their status, protocols, alerts, contacts."""
