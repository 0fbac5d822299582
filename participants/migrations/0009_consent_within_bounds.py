"""Consents that were given in a year that no clock can show: they broke their participant's pages and erasure."""

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import Q

from participants.user_input import FIRST_INSTANT, LAST_INSTANT, OUT_OF_BOUNDS

# The audit trail keeps the date that was entered.
WITHIN = """
UPDATE participants_consent SET given_at = least(greatest(given_at, timestamptz '2000-01-01 00:00:00+00'), now()),
    withdrawn_at = CASE WHEN withdrawn_at IS NOT NULL
        THEN least(greatest(withdrawn_at, timestamptz '2000-01-01 00:00:00+00'), now()) END
WHERE given_at NOT BETWEEN timestamptz '1999-12-31 00:00:00+00' AND timestamptz '2100-01-02 00:00:00+00'
"""


class Migration(migrations.Migration):
    dependencies = [("participants", "0008_service_trial")]

    operations = [
        migrations.RunSQL(WITHIN, migrations.RunSQL.noop),
        AddConstraintNotValid(
            model_name="consent",
            constraint=models.CheckConstraint(
                name="consent_given_within_bounds",
                condition=Q(given_at__range=(FIRST_INSTANT, LAST_INSTANT)),
                violation_error_message=OUT_OF_BOUNDS,
            ),
        ),
    ]
