"""Imports of which rows were turned away, or that are undone; of a content at most one row that is neither failed nor
undone. A run that died beside another that went on is failed: the other has read the file.
"""

from django.db import migrations, models

LEFT_BEHIND = """
UPDATE ingestion_importfile SET status = 'failed', error = 'left behind: another run has read the file'
WHERE status = 'running' AND EXISTS (
    SELECT 1 FROM ingestion_importfile other
    WHERE other.trial_id = ingestion_importfile.trial_id AND other.sha256 = ingestion_importfile.sha256
        AND other.format = ingestion_importfile.format AND other.whose = ingestion_importfile.whose
        AND (other.status = 'done' OR (other.status = 'running' AND other.id > ingestion_importfile.id)))
"""


class Migration(migrations.Migration):

    dependencies = [
        ('ingestion', '0005_give_back'),
        ('participants', '0011_study_ids_any_case'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='importfile',
            name='importfile_done_once',
        ),
        migrations.AddField(
            model_name='importfile',
            name='claim',
            field=models.UUIDField(editable=False, null=True),
        ),
        migrations.AlterField(
            model_name='importfile',
            name='status',
            field=models.CharField(choices=[('running', 'running'), ('done', 'done'), ('partial', 'rows turned away'), ('failed', 'failed'), ('undoing', 'being undone'), ('undone', 'undone')], default='running', max_length=8),
        ),
        migrations.RunSQL(LEFT_BEHIND, migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name='importfile',
            constraint=models.UniqueConstraint(condition=models.Q(('status__in', ('running', 'done', 'partial', 'undoing'))), fields=('trial', 'sha256', 'format', 'whose'), name='importfile_live_once'),
        ),
    ]
