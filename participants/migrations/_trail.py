"""participants.audit.record for migrations: entries with the models as they are at that point."""

import secrets

from django.utils import timezone

from participants.audit import hash_chain


def record(apps, action, thing, *, old, new=None, reason, trial_id=None):
    """Append an entry of what a migration changed."""
    entries, details = (apps.get_model("participants", name) for name in ("AuditEntry", "AuditDetail"))
    detail = details(salt=secrets.token_hex(16), old=old, new=new or {}, reason=reason)
    entry = entries(at=timezone.now(), action=action, via="command", thing=thing, trial_id=trial_id)
    entry.detail_digest = hash_chain.detail_digest(detail)
    entry.key_id, entry.mac = hash_chain.authenticate(entry)
    entry.save()
    detail.entry = entry
    detail.save(force_insert=True)
