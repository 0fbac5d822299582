"""Browser session at the simulator's consent screen without a browser, and faults of an account: for demos."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import httpx


class BrowserSession:
    """Browser session at the simulator's address. Raises httpx.HTTPError where it does not answer as it should."""

    def __init__(self, http: httpx.Client, address: str) -> None:
        self._http = http
        self._address = address

    def account(self, number: int) -> str:
        """Login hint for which the screen offers this account."""
        return f"sim{number:04d}@example.com"

    def consent(self, screen: str) -> str:
        """Allow all that the screen at this address asks for; returns the code that goes to the caller."""
        response = self._http.get(screen, headers={"X-Sim-Auto": "approve"})
        location = str(response.headers.get("Location", ""))
        code = parse_qs(urlsplit(location).query).get("code")
        if not code:
            raise httpx.HTTPStatusError("no code", request=response.request, response=response)
        return code[0]

    def disturb(self, number: int) -> None:
        """Have the vendor answer this account's requests for data with an error of its own from now on."""
        self._http.post(f"{self._address}/_sim/disturb", json={"user": str(number)}).raise_for_status()
