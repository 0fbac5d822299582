"""Liveness probe of a program in the same container: `python -m deploy.probe PORT PATH`. Ends 0 for a response 200.

For the health checks of docker-compose.yml. Standard library only, so that each look is cheap. It asks by the site's
own name and as if by HTTPS, as the proxy in front does: others are refused or sent on.
"""

from __future__ import annotations

import http.client
import os
import sys

SECONDS = 4.0


def status(port: int, path: str) -> int:
    """The status of the response; 0 where there is none."""
    name = os.environ.get("ALLOWED_HOSTS", "localhost").split(",")[0]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    try:
        connection.request("GET", path, headers={"Host": name, "X-Forwarded-Proto": "https"})
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def main() -> int:
    port, path = sys.argv[1:]
    code = status(int(port), path)
    sys.stdout.write(f"{path} on port {port}: {code or 'no answer'}\n")
    return 0 if code == 200 else 1


if __name__ == "__main__":
    sys.exit(main())
