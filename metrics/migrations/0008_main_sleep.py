"""What a source says of its main sleep, apart from what is decided; and of each source and date one at most.

Two logs of one night had both been main sleeps. The longest stays, as the days' minutes had it. An episode that is
none where there is no other was called a nap by its source. The table has a row a night: some hundred thousand.
"""

from django.db import migrations, models

ONE_MAIN_SLEEP = """
UPDATE metrics_sleepsession s SET is_main = false
FROM (
    SELECT id, row_number() OVER (
        PARTITION BY participant_id, source_id, date ORDER BY asleep_minutes DESC, starts_at, id) AS place
    FROM metrics_sleepsession WHERE is_main
) AS ranked
WHERE s.id = ranked.id AND ranked.place > 1
"""
NAPS = """
UPDATE metrics_sleepsession s SET claimed_main = false
WHERE NOT s.is_main AND NOT EXISTS (
    SELECT 1 FROM metrics_sleepsession m
    WHERE m.participant_id = s.participant_id AND m.source_id = s.source_id AND m.date = s.date AND m.is_main)
"""


class Migration(migrations.Migration):

    dependencies = [
        ('metrics', '0007_where_exports_lie'),
    ]

    operations = [
        migrations.AddField(
            model_name='sleepsession',
            name='claimed_main',
            field=models.BooleanField(null=True),
        ),
        migrations.RunSQL(ONE_MAIN_SLEEP, migrations.RunSQL.noop),
        migrations.RunSQL(NAPS, migrations.RunSQL.noop),
    ]
