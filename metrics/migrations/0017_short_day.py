"""Local days shorter than a valid day do not count, and say so by a reason of their own."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('metrics', '0016_exports_put_back'),
    ]

    operations = [
        migrations.AlterField(
            model_name='dayverdict',
            name='reason',
            field=models.CharField(blank=True, choices=[('before_start', 'before monitoring began'), ('after_end', 'after monitoring ended'), ('paused', 'paused'), ('withdrawn', 'withdrawn'), ('platform', 'a fault of the platform or the vendor'), ('short_day', 'a local day shorter than a valid day')], default='', max_length=12),
        ),
        migrations.AlterField(
            model_name='participantday',
            name='reason',
            field=models.CharField(blank=True, choices=[('before_start', 'before monitoring began'), ('after_end', 'after monitoring ended'), ('paused', 'paused'), ('withdrawn', 'withdrawn'), ('platform', 'a fault of the platform or the vendor'), ('short_day', 'a local day shorter than a valid day')], default='', max_length=12),
        ),
        migrations.AlterField(
            model_name='standing',
            name='excused',
            field=models.CharField(blank=True, choices=[('before_start', 'before monitoring began'), ('after_end', 'after monitoring ended'), ('paused', 'paused'), ('withdrawn', 'withdrawn'), ('platform', 'a fault of the platform or the vendor'), ('short_day', 'a local day shorter than a valid day')], default='', max_length=12),
        ),
    ]
