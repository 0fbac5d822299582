"""Study ids that differ in case alone are one: enforced by the database, with pairs that are there already left out.

The younger of such a pair is marked and keeps its record: which of the two is right, nobody can tell but the team.
"""

import sys
from collections import Counter
from typing import Any

import django.db.models.functions.text
from django.db import migrations, models

MARK = """
UPDATE participants_participant SET case_twin = true
FROM participants_trial trial
WHERE trial.id = trial_id AND EXISTS (
    SELECT 1 FROM participants_participant older
    WHERE older.trial_id = participants_participant.trial_id AND older.id < participants_participant.id
        AND lower(older.study_id) = lower(participants_participant.study_id))
RETURNING trial.code
"""


def mark(apps: Any, schema_editor: Any) -> None:
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(MARK)
        trials = Counter(code for (code,) in cursor.fetchall())
    for trial, count in sorted(trials.items()):
        sys.stderr.write(
            f"\n  {trial}: {count} study ids differ from an older participant's in upper and lower case alone. Both stay;"
            " find them in the administration under Participants with ?case_twin__exact=1 in the address."
        )


class Migration(migrations.Migration):

    dependencies = [
        ('participants', '0010_consent_bounds_hold'),
    ]

    operations = [
        migrations.AddField(
            model_name='participant',
            name='case_twin',
            field=models.BooleanField(db_default=False, default=False, editable=False, help_text='An older participant of the trial has this study id in other upper and lower case.', verbose_name='differs in case alone'),
        ),
        migrations.RunPython(mark, migrations.RunPython.noop),
        migrations.AddConstraint(
            model_name='participant',
            constraint=models.UniqueConstraint(models.F('trial'), django.db.models.functions.text.Lower('study_id'), condition=models.Q(('case_twin', False)), name='participant_study_id_any_case', violation_error_message='This study id is taken in this trial.'),
        ),
    ]
