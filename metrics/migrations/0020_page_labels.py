"""Labels and help texts of the pages: state only, the database does not change."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('metrics', '0019_export_compression'),
    ]

    operations = [
        migrations.AlterField(
            model_name='gap',
            name='cause',
            field=models.CharField(choices=[('paused', 'paused'), ('withdrawn', 'withdrawn'), ('never_connected', 'never connected'), ('token_dead', 'access ended'), ('consent_partial', 'consent partial'), ('platform', "technical problem (ours or the vendor's)"), ('not_synced', 'not yet synced'), ('battery_flat', 'battery flat'), ('off_wrist', 'off the wrist'), ('unknown', 'unknown')], max_length=16),
        ),
        migrations.AlterField(
            model_name='participantstatussummary',
            name='cause',
            field=models.CharField(blank=True, choices=[('paused', 'paused'), ('withdrawn', 'withdrawn'), ('never_connected', 'never connected'), ('token_dead', 'access ended'), ('consent_partial', 'consent partial'), ('platform', "technical problem (ours or the vendor's)"), ('not_synced', 'not yet synced'), ('battery_flat', 'battery flat'), ('off_wrist', 'off the wrist'), ('unknown', 'unknown')], default='', max_length=16),
        ),
    ]
