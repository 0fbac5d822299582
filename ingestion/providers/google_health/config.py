"""Configuration of the client. Defaults are Google's own addresses; a simulator has others."""

from __future__ import annotations

from dataclasses import dataclass, field

from ingestion.providers.google_health.decode import Origin

# Fitbit and Pixel devices alone, no entries by hand and no other brands.
GOOGLE_WEARABLES = "users/me/dataSourceFamilies/google-wearables"


@dataclass(frozen=True, slots=True, kw_only=True)
class GoogleConfig:
    """`data_source_family`: which devices' data are asked for, None for all (the parameter is then not sent).

    `use_fields`: ask for the members that we keep alone. `page_size`: at most so many points a page, None for the
    largest that each type allows. `timeout` in seconds, for each of connecting, sending, and each piece that is
    read. `attempts`: how often a request is tried that met a fault of the network or the server. `synthetic`: the
    addresses are those of a simulator; what comes from it is marked so, and its sources are kept apart from real
    ones.
    """

    client_id: str
    client_secret: str = field(repr=False)
    auth_url: str = "https://accounts.google.com/o/oauth2/v2/auth"
    token_url: str = "https://oauth2.googleapis.com/token"  # noqa: S105  an address
    revoke_url: str = "https://oauth2.googleapis.com/revoke"
    api_url: str = "https://health.googleapis.com"
    keyset_url: str = "https://www.gstatic.com/googlehealthapi/webhooks/webhooks_public_keyset.json"
    data_source_family: str | None = None
    use_fields: bool = True
    page_size: int | None = None
    timeout: float = 30.0
    attempts: int = 3
    synthetic: bool = False
    webhook_secret: str = field(default="", repr=False)

    @property
    def origin(self) -> Origin:
        return Origin("google_health_simulator" if self.synthetic else "google_health", self.synthetic)
