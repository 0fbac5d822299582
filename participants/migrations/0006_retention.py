"""How long a trial keeps its samples, and what it keeps no more. Nullable columns: nothing is rewritten."""

import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('participants', '0005_accounts'),
    ]

    operations = [
        migrations.AddField(
            model_name='trial',
            name='retain_raw_days',
            field=models.PositiveIntegerField(blank=True, help_text='Empty: for ever. Samples older than this are deleted each week, for good, and with them the values that were corrected later. Minutes, hours, days, nights and verdicts stay.', null=True, validators=[django.core.validators.MinValueValidator(90)], verbose_name='keep samples for days'),
        ),
        migrations.AddField(
            model_name='trial',
            name='raw_removed_before',
            field=models.DateTimeField(blank=True, editable=False, null=True, verbose_name='samples deleted before'),
        ),
    ]
