from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """For monitoring, which counts what did not end well or has not ended: without reading all that was ever sent."""

    atomic = False  # an index that is made beside writes needs no transaction

    dependencies = [("dashboards", "0002_outreach_once_a_batch")]

    operations = [
        AddIndexConcurrently(
            model_name="outreach",
            index=models.Index(
                fields=["state", "kind"],
                condition=models.Q(state__in=("held", "sending", "failed", "bounced")),
                name="outreach_unsettled",
            ),
        )
    ]
