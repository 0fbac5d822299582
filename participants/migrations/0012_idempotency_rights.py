"""A stored answer belongs to the token that wrote, and remembers what that was let in for.

Old code goes on: its rows have no token, and are one for each user and key still.
"""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("participants", "0011_study_ids_any_case"),
    ]

    operations = [
        migrations.AddField(
            model_name="idempotencykey",
            name="token",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="participants.apitoken",
            ),
        ),
        migrations.AddField(
            model_name="idempotencykey",
            name="rights",
            field=models.JSONField(db_default=models.Value([], models.JSONField()), default=list),
        ),
        migrations.AddConstraint(
            model_name="idempotencykey",
            constraint=models.UniqueConstraint(
                fields=("user", "token", "key"), name="idempotencykey_of_token_once", nulls_distinct=False
            ),
        ),
        migrations.RemoveConstraint(
            model_name="idempotencykey",
            name="idempotencykey_once",
        ),
    ]
