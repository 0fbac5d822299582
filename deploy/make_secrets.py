"""Makes the secrets that docker-compose.yml names and that are missing, in `secrets/`. Run by `make secrets`.

Existing files are never touched: losing a key loses what it encrypts. The folder is its owner's alone, and the files in
it are readable, because each container reads its own under a user of its own and a mounted file keeps its rights.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "secrets"
MADE = (
    "secret_key",
    "token_keys",
    "audit_keys",
    "postgres_password",
    "database_password",
    "watcher_password",
    "backup_password",
    "redis_password",
    "metrics_token",
    "webhook_secret",
    "grafana_password",
)
# What others give you: empty until you fill it in, and empty means that it is not used.
GIVEN = {
    "client_secret": "the vendor's secret of your OAuth client (with CLIENT_ID in .env)",
    "email_host_password": "the password at your mail server (with EMAIL_HOST_USER in .env)",
    "s3_secret_access_key": "the secret of your key at the object store (with S3_ACCESS_KEY_ID in .env)",
}
# What PgBouncer knows of its clients, and what watches Redis: made of another secret, again whenever that one changes.
POOLER, WATCHER = "pooler_users", "redis_exporter"


def make(folder: Path) -> list[str]:
    """Makes what is missing in `folder` and returns its names."""
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    made = []
    for name in (*MADE, *GIVEN):
        path = folder / name
        if path.exists():
            continue
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o444)
        with os.fdopen(descriptor, "w") as file:
            file.write("" if name in GIVEN else secrets.token_urlsafe(48))
        path.chmod(0o644 if name in GIVEN else 0o444)
        made.append(name)
    users = f'"wearable" "{(folder / "database_password").read_text().strip()}"\n'
    watched = json.dumps({"redis://redis:6379": (folder / "redis_password").read_text().strip()})
    for name, content in ((POOLER, users), (WATCHER, watched)):
        path = folder / name
        path.unlink(missing_ok=True)
        path.write_text(content)
        path.chmod(0o444)
    return made


def main() -> int:
    made = make(FOLDER)
    sys.stdout.write(f"Made in {FOLDER}: {', '.join(made)}\n" if made else f"Nothing was missing in {FOLDER}.\n")
    for name, what in GIVEN.items():
        if not (FOLDER / name).read_text().strip():
            sys.stdout.write(f"  secrets/{name} is empty: {what}\n")
    sys.stdout.write("Keep a copy of this folder where you keep no backup of the database: neither is of use alone.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
