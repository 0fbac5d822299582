"""Resources of the API about how data arrive: invitations, connections, their windows, imported files."""
