"""Environment of the child programs: settings of `.env` and the environment, completed by the embedded servers'."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from contextlib import suppress

from django.core.exceptions import ImproperlyConfigured
from environ import Env

from config.embedded import setup

ROOT = setup.ROOT
VAR = ROOT / "var"
LOGS = VAR / "log"
# Lets `manage.py` in the same folder find the servers while they run: settings.py reads it.
EMBEDDED_ENV = VAR / "embedded.env"


def load_dotenv() -> None:
    """Puts `.env` into this process's environment, where real variables win."""
    if (ROOT / ".env").is_file():
        Env.read_env(ROOT / ".env")


def given(*names: str) -> bool:
    """Whether any of the variables is set, by value or as a path in NAME_FILE."""
    return any(os.environ.get(name) or os.environ.get(f"{name}_FILE") for name in names)


def secret_key() -> str:
    """The key of this installation: made at the first start, kept in `var/secret_key`."""
    return _kept("secret_key", "everyone must log in again")


def token_key() -> str:
    """The key that encrypts participants' tokens, in `var/token_key`. Who loses it loses every connection."""
    return _kept("token_key", "every participant must connect again")


def webhook_secret() -> str:
    """Secret that the simulator sends with its notices, in `var/webhook_secret`."""
    return _kept("webhook_secret", "the simulator's subscriber must be made again")


def _kept(name: str, loss: str) -> str:
    """A secret made at its first use and kept in `var/` for its owner's eyes only. Raises where it was emptied."""
    path = VAR / name
    if not path.exists():
        VAR.mkdir(exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(60))
    key = path.read_text().strip()
    if not key:
        raise ImproperlyConfigured(f"{path} is empty. Delete it to have a new key made ({loss}).")
    return key


def publish(values: Mapping[str, str]) -> None:
    """Writes the embedded servers' addresses for `manage.py`, readable by the owner only."""
    withdraw()
    descriptor = os.open(EMBEDDED_ENV, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write("# Written by the supervisor while it runs; do not edit.\n")
        file.writelines(f'{name}="{value}"\n' for name, value in values.items())


def withdraw() -> None:
    """Removes what `publish` wrote."""
    with suppress(FileNotFoundError):
        EMBEDDED_ENV.unlink()
