"""Labels and help texts of the pages: state only, the database does not change."""

import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('participants', '0019_checkpoints_previews_encrypted'),
    ]

    operations = [
        migrations.AlterField(
            model_name='erasure',
            name='reason',
            field=models.CharField(help_text='Why, e.g. their written request of a date. No names.', max_length=200),
        ),
        migrations.AlterField(
            model_name='protocol',
            name='battery_flat_percent',
            field=models.PositiveSmallIntegerField(default=10, help_text='A last reading up to this explains missing uploads.', validators=[django.core.validators.MaxValueValidator(100)]),
        ),
        migrations.AlterField(
            model_name='protocol',
            name='collect_in_pauses',
            field=models.BooleanField(db_default=True, default=True, help_text='Data of paused days are collected, though these days do not count. Without it none of them are requested, saved, shown or exported.'),
        ),
        migrations.AlterField(
            model_name='protocol',
            name='gap_minutes',
            field=models.PositiveSmallIntegerField(default=10, help_text='Intervals without a heart rate of at least this length are gaps; shorter ones are drop-outs.', validators=[django.core.validators.MinValueValidator(1)]),
        ),
        migrations.AlterField(
            model_name='trial',
            name='retain_raw_days',
            field=models.PositiveIntegerField(blank=True, help_text='Empty: for ever. Samples older than this are deleted each week, for good, and with them the values that were corrected later. Minutes, hours, days, nights and day statuses stay.', null=True, validators=[django.core.validators.MinValueValidator(90)], verbose_name='keep samples for days'),
        ),
        migrations.AlterConstraint(
            model_name='consent',
            name='consent_ends_after_start',
            constraint=models.CheckConstraint(condition=models.Q(('withdrawn_at', None), ('withdrawn_at__gte', models.F('given_at')), _connector='OR'), name='consent_ends_after_start', violation_error_message='Consent cannot be withdrawn before it was given.'),
        ),
    ]
