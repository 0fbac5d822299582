"""System checks of the settings: what starts, but not as its owner may think.

`manage.py check`, `migrate` and so every start of the product show them.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import connections


@register()
def vendor_credentials(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    messages: list[CheckMessage] = []
    if settings.LEGACY_ACCESS_TOKEN_SET:
        messages.append(
            Warning(
                "ACCESS_TOKEN is set and has no meaning any more: it is ignored.",
                hint="Each participant gives their own consent and gets their own token. Remove the variable.",
                id="config.W001",
            )
        )
    if bool(settings.CLIENT_ID) != bool(settings.CLIENT_SECRET):
        missing, present = ("CLIENT_SECRET", "CLIENT_ID") if settings.CLIENT_ID else ("CLIENT_ID", "CLIENT_SECRET")
        messages.append(
            Error(
                f"{present} is set without {missing}: no participant could connect a device.",
                hint="Set both, as the vendor's developer page shows them, or neither.",
                id="config.E001",
            )
        )
    return messages


@register()
def synthetic_devices(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    if settings.SYNTHETIC and find_spec("wearipedia") is None:
        return [
            Warning(
                "SYNTHETIC is on, but the library of synthetic devices is not installed.",
                hint="Install the extra `wearipedia` (Python 3.11 or 3.12), or set SYNTHETIC=False.",
                id="config.W002",
            )
        ]
    return []


@register(deploy=True)
def audit_key(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    if settings.AUDIT_KEYS_SET:
        return []
    return [
        Warning(
            "AUDIT_KEYS is not set: the audit trail is authenticated with SECRET_KEY.",
            hint="Give it a secret of its own, kept where administrators of the database have no access; and before "
            "SECRET_KEY is changed, put the old one at the end of AUDIT_KEYS.",
            id="config.W005",
        )
    ]


@register(deploy=True)
def synthetic_in_deployment(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    if settings.SYNTHETIC:
        return [
            Warning(
                "SYNTHETIC is on in a deployment: demo trials accept invented data.",
                hint="Trials that are no demo refuse it in any case. Set SYNTHETIC=False where only those live.",
                id="config.W003",
            )
        ]
    return []


@register(deploy=True)
def second_factor(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    if settings.SECOND_FACTOR == "required":
        return []
    return [
        Warning(
            "SECOND_FACTOR is optional: who can see contact data may sign in with a password alone.",
            hint="Leave SECOND_FACTOR out, or set it to required (docs/accounts.md).",
            id="config.W006",
        )
    ]


@register(Tags.database)
def mail_server(app_configs: Sequence[AppConfig] | None, **given: Any) -> list[CheckMessage]:
    """Runs with `migrate`, and so at every start: it asks the database whether there are real trials."""
    if settings.EMAIL_HOST or "default" not in (given.get("databases") or ()):
        return []
    from participants.models import Trial

    if Trial._meta.db_table not in connections["default"].introspection.table_names():
        return []  # before the very first migration
    if not Trial.objects.filter(is_demo=False).exclude(status=Trial.Status.CLOSED).exists():
        return []
    return [
        Warning(
            "This site runs trials but has no mail server: nobody can be written to, and no digest is sent.",
            hint="Set EMAIL_HOST and DEFAULT_FROM_EMAIL (docs/messaging.md).",
            id="config.W004",
        )
    ]


@register(Tags.database)
def published_password(app_configs: Sequence[AppConfig] | None, **given: Any) -> list[CheckMessage]:
    """Runs with `migrate`, and so at every start: a site that was a demo must not stay open to its readers."""
    if "default" not in (given.get("databases") or ()):
        return []
    from participants.models import Trial
    from participants.services import published_password

    if Trial._meta.db_table not in connections["default"].introspection.table_names():
        return []  # before the very first migration
    if published_password.opens() or not (accounts := published_password.accounts()):
        return []
    addresses, way_out = (
        ", ".join(accounts.values()),
        "Run `manage.py close_demo_accounts`, or give them other passwords",
    )
    if Trial.objects.filter(is_demo=False).exists():
        return [
            Error(
                f"Accounts have the demo's published password, and this site has a real trial: {addresses}.",
                hint=f"{way_out} (docs/hardening.md).",
                id="config.E003",
            )
        ]
    return [
        Warning(
            f"Accounts have the demo's published password, and nobody signs in with it here: {addresses}.",
            hint=f"{way_out}; or, where this is a demo, set DEMO=True (docs/hardening.md).",
            id="config.W009",
        )
    ]


@register(deploy=True)
def demo_in_deployment(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    if not settings.DEMO:
        return []
    return [
        Warning(
            "DEMO is on in a deployment: a password that everybody can read opens it.",
            hint="Leave DEMO out wherever anything is real.",
            id="config.W008",
        )
    ]


@register()
def buckets(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    names = [name for name in ("EXPORT_STORE", "ERASURE_JOURNAL", "AUDIT_HEAD") if "://" in getattr(settings, name)]
    if not names or find_spec("boto3") is not None:
        return []
    return [
        Error(
            f"{' and '.join(names)} names a bucket, and the library that speaks to it is not installed.",
            hint="Install the extra `server` (requirements/server.lock), as the image does.",
            id="config.E002",
        )
    ]


@register(Tags.database)
def shared_exports(app_configs: Sequence[AppConfig] | None, **given: Any) -> list[CheckMessage]:
    """Hosts that each write exports into a folder of their own: others cannot serve or delete them."""
    if "default" not in (given.get("databases") or ()):
        return []
    from metrics.exports import store
    from metrics.models import Export

    with connections["default"].cursor() as cursor:
        tables = connections["default"].introspection.get_table_list(cursor)
        table = Export._meta.db_table
        if table not in [table_info.name for table_info in tables]:
            return []
        known = connections["default"].introspection.get_table_description(cursor, table)
    if "store" not in [column.name for column in known] or not (foreign := store.foreign()):
        return []
    return [
        Warning(
            f"Exports lie in {len(foreign)} folder(s) that this host does not share: {', '.join(sorted(foreign))}.",
            hint="Share EXPORT_FOLDER among all hosts, or set EXPORT_STORE to a bucket (docs/scaling.md).",
            id="config.W007",
        )
    ]
