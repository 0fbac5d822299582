"""Pages of connections: invite, connect, disconnect, sync windows."""
