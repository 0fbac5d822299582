"""Accounts' addresses in the form in which they are looked up; where two accounts have one, one of them keeps it.

The one that is active and was used last. The others get an address that is nobody's: nobody signs in with it until
staff give the account another one. Each change gets an entry in the audit trail.
"""

from collections import defaultdict

from django.db import migrations

from participants.user_input import canonical_address
from participants.migrations._trail import record

REASON = "addresses are stored as they are looked up"


def make_canonical(apps, schema_editor):
    """Rows are changed where they have to be: those that give an address up come first."""
    alike = defaultdict(list)
    for user in apps.get_model("participants", "User").objects.order_by("pk"):
        alike[canonical_address(user.email)].append(user)
    for address, users in alike.items():
        keeper, *others = sorted(users, key=_use)
        for user in others:
            print(f"\n    {user.email} and {keeper.email} are one address: account {user.pk} needs another.", end="")  # noqa: T201
            _move(apps, user, f"duplicate-{user.pk}@duplicate.invalid")
        _move(apps, keeper, address)


def _use(user):
    """The account that keeps an address comes first."""
    return (not user.is_active, -user.last_login.timestamp() if user.last_login else 0.0, user.pk)


def _move(apps, user, address):
    if user.email == address:
        return
    old, user.email = user.email, address
    user.save(update_fields=["email"])
    record(apps, "user.change", f"user:{user.pk}", old={"email": old}, new={"email": address}, reason=REASON)


class Migration(migrations.Migration):

    dependencies = [
        ('participants', '0013_identity'),
    ]

    operations = [
        migrations.RunPython(make_canonical, migrations.RunPython.noop),
    ]
