"""A service account belongs to one trial, that of its first membership. Those in another trial are ended here.

Each end, and each token that somebody of another trial made, gets an entry of its own in the audit trail.
"""

import django.db.models.deletion
from django.db import migrations, models
from django.utils import timezone

from participants.migrations._trail import record

REASON = "a service account works in its own trial only"
# The first membership decides; whatever code makes a service account, it cannot be brought into another trial.
GUARD = """
CREATE FUNCTION service_account_has_one_trial() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    program participants_user%ROWTYPE;
BEGIN
    SELECT * INTO program FROM participants_user WHERE id = NEW.user_id AND is_service FOR NO KEY UPDATE;
    IF NOT FOUND OR NEW.ended_at IS NOT NULL THEN
        RETURN NEW;
    END IF;
    IF program.service_trial_id IS NULL THEN
        UPDATE participants_user SET service_trial_id = NEW.trial_id WHERE id = NEW.user_id;
    ELSIF program.service_trial_id <> NEW.trial_id THEN
        RAISE EXCEPTION 'A service account works in its own trial only.'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'service_account_has_one_trial';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER service_account_has_one_trial BEFORE INSERT OR UPDATE ON participants_membership
    FOR EACH ROW EXECUTE FUNCTION service_account_has_one_trial();
"""
UNGUARD = """
DROP TRIGGER service_account_has_one_trial ON participants_membership;
DROP FUNCTION service_account_has_one_trial();
"""


def bring_home(apps, schema_editor):
    """Give each service account its trial; end its memberships of others, and the keys that their managers made."""
    told = []
    for user in apps.get_model("participants", "User").objects.filter(is_service=True):
        memberships = user.memberships.order_by("pk")
        first = memberships.first()
        if first is None:
            continue
        user.service_trial_id = first.trial_id
        user.save(update_fields=["service_trial"])
        elsewhere = memberships.exclude(trial=first.trial_id)
        if elsewhere.exists():
            told += [*_ended(apps, user, elsewhere), *_revoked(apps, user)]
    for line in told:
        print(f"\n    {line}", end="")  # noqa: T201  the operator reads it while migrating


def _ended(apps, user, elsewhere):
    for membership in elsewhere.filter(ended_at=None).select_related("trial"):
        membership.ended_at = timezone.now()
        membership.save(update_fields=["ended_at"])
        thing, old = f"membership:{membership.pk}", {"user": user.email, "role": membership.role}
        record(apps, "membership.end", thing, old=old, reason=REASON, trial_id=membership.trial_id)
        yield f"{user.email} was a member of {membership.trial.code} too, which is not its trial: ended."


def _revoked(apps, user):
    """Keys of one that was a member elsewhere, made by people who never led its own trial: they would still open it."""
    managers = apps.get_model("participants", "Membership").objects.filter(
        trial=user.service_trial_id, role="manager", site=None
    )
    strange = user.api_tokens.filter(revoked_at=None).exclude(created_by=None).exclude(created_by=user)
    for token in strange.exclude(created_by__in=managers.values("user")):
        token.revoked_at = timezone.now()
        token.save(update_fields=["revoked_at"])
        old = {"name": token.name, "user": user.email}
        record(apps, "token.revoke", f"token:{token.pk}", old=old, reason=REASON, trial_id=user.service_trial_id)
        yield f"The token {token.name} of {user.email} was made by somebody of another trial: revoked."


class Migration(migrations.Migration):

    dependencies = [
        ('participants', '0007_collection_interval'),
    ]

    operations = [
        migrations.AddField(
            model_name='user',
            name='service_trial',
            field=models.ForeignKey(blank=True, db_index=False, editable=False, help_text='The only trial that a service account and its tokens reach.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='participants.trial'),
        ),
        migrations.RunPython(bring_home, migrations.RunPython.noop),
        migrations.RunSQL(GUARD, UNGUARD),
    ]
