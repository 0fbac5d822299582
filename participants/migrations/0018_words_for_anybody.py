"""Labels, hints and refusals speak of anybody: nothing in the database changes."""

import participants.models
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('participants', '0017_drafts_and_lost_invitations'),
    ]

    operations = [
        migrations.AlterField(
            model_name='consent',
            name='how',
            field=models.CharField(choices=[('paper', 'on paper'), ('online', 'on the connect page')], max_length=8),
        ),
        migrations.AlterField(
            model_name='contact',
            name='language',
            field=models.CharField(default='en', help_text='Of what we write to them: en, nl, de, ...', max_length=8),
        ),
        migrations.AlterField(
            model_name='erasure',
            name='reason',
            field=models.CharField(help_text='Why, e.g. their letter of a date. No names.', max_length=200),
        ),
        migrations.AlterField(
            model_name='participant',
            name='time_zone',
            field=models.CharField(help_text="Where the participant's days begin and end.", max_length=64, validators=[participants.models.validate_time_zone]),
        ),
        migrations.AlterField(
            model_name='signin',
            name='address',
            field=models.CharField(blank=True, help_text='The network they came from: its last part is cut.', max_length=43),
        ),
        migrations.AlterConstraint(
            model_name='consent',
            name='consent_once',
            constraint=models.UniqueConstraint(condition=models.Q(('withdrawn_at', None)), fields=('participant', 'document'), name='consent_once', violation_error_message='The participant has agreed to this version already.'),
        ),
        migrations.AlterConstraint(
            model_name='consent',
            name='consent_ends_after_start',
            constraint=models.CheckConstraint(condition=models.Q(('withdrawn_at', None), ('withdrawn_at__gte', models.F('given_at')), _connector='OR'), name='consent_ends_after_start', violation_error_message='Consent cannot be taken back before it was given.'),
        ),
    ]
