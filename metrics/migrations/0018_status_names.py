"""Two models and three fields get the field's names; tables and columns keep theirs, so the database does not change."""

from django.db import migrations, models
import django.db.models.deletion


class Migration(migrations.Migration):

    dependencies = [
        ('metrics', '0017_short_day'),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterModelTable(name='dayverdict', table='metrics_dayverdict'),
                migrations.RenameModel(old_name='DayVerdict', new_name='DayStatusHistory'),
                migrations.AlterModelTable(name='standing', table='metrics_standing'),
                migrations.RenameModel(old_name='Standing', new_name='ParticipantStatusSummary'),
                migrations.AlterField(
                    model_name='participantstatussummary',
                    name='participant',
                    field=models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='status_summary', serialize=False, to='participants.participant'),
                ),
                migrations.RenameField('participantstatussummary', 'trail_from', 'day_codes_from'),
                migrations.RenameField('participantstatussummary', 'trail_until', 'day_codes_until'),
                migrations.RenameField('participantstatussummary', 'trail', 'day_codes'),
                migrations.AlterField(
                    model_name='participantstatussummary',
                    name='day_codes_from',
                    field=models.DateField(db_column='trail_from', null=True),
                ),
                migrations.AlterField(
                    model_name='participantstatussummary',
                    name='day_codes_until',
                    field=models.DateField(db_column='trail_until', null=True),
                ),
                migrations.AlterField(
                    model_name='participantstatussummary',
                    name='day_codes',
                    field=models.TextField(blank=True, db_column='trail'),
                ),
            ],
        ),
    ]
