"""What bounds the collection of data beside dates: the instant a trial was closed, pauses of which nothing is kept."""

from django.db import migrations, models

# Of trials that were closed before, nobody noted when: from the upgrade on nothing more is collected.
CLOSED = "UPDATE participants_trial SET closed_at = now() WHERE status = 'closed'"


class Migration(migrations.Migration):

    dependencies = [
        ('participants', '0006_retention'),
    ]

    operations = [
        migrations.AddField(
            model_name='protocol',
            name='collect_in_pauses',
            field=models.BooleanField(db_default=True, default=True, help_text='Data of paused days are collected, though these days do not count. Without it nothing of them is asked for, stored, shown or exported.'),
        ),
        migrations.AddField(
            model_name='trial',
            name='closed_at',
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.RunSQL(CLOSED, migrations.RunSQL.noop),
    ]
