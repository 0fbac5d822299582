"""Administration of connections, imports and invitations; importing it registers them."""

from ingestion.admin import connections, imports, invitations, schedule  # noqa: F401
