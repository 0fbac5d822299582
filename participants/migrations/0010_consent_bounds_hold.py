"""The bounds of consents hold of the rows that were there before, too."""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("participants", "0009_consent_within_bounds")]

    operations = [ValidateConstraint(model_name="consent", name="consent_given_within_bounds")]
