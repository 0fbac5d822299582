"""The seed's table as a view, for people who query by hand. It names tables of two apps and waits for both."""

from django.db import migrations

RAW_DATA = """
CREATE VIEW raw_data AS
SELECT t.code || '/' || p.study_id AS client_id, m.time, k.code AS metric, m.value
FROM metrics_measurement m
JOIN participants_participant p ON p.id = m.participant_id
JOIN participants_trial t ON t.id = p.trial_id
JOIN metrics_metric k ON k.id = m.metric_id;
COMMENT ON VIEW raw_data IS
'Every measured value. client_id is TRIAL/STUDY-ID; time is UTC; units of the metrics: table metrics_metric. '
'Values of several sources stand side by side: before adding up, look at metrics_measurement.source_id.'
"""


class Migration(migrations.Migration):
    dependencies = [("metrics", "0001_initial"), ("participants", "0001_initial")]

    operations = [migrations.RunSQL(RAW_DATA, reverse_sql=migrations.RunSQL.noop)]
