"""Exports that are put back for what may pass: a full disk, a store that is away."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('metrics', '0015_source_deletion'),
    ]

    operations = [
        migrations.AddField(
            model_name='export',
            name='put_back',
            field=models.PositiveSmallIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='export',
            name='retry_at',
            field=models.DateTimeField(null=True),
        ),
    ]
