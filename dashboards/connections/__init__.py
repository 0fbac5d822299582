"""Pages of connections: invite, connect, disconnect, data requests."""
