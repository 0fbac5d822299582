"""AuditSeal is called AuditCheckpoint, EnrolmentDraft EnrolmentPreview, and sealed_* fields encrypted_*.

Nothing changes in the database: tables and columns keep their names.
"""

import django.utils.timezone
from django.db import migrations, models


def renamed(model, old, new, field):
    return [
        migrations.RenameField(model_name=model, old_name=old, new_name=new),
        migrations.AlterField(model_name=model, name=new, field=field),
    ]


class Migration(migrations.Migration):

    dependencies = [
        ('participants', '0018_words_for_anybody'),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RenameModel(old_name='AuditSeal', new_name='AuditCheckpoint'),
                migrations.AlterModelTable(name='AuditCheckpoint', table='participants_auditseal'),
                *renamed(
                    'auditcheckpoint', 'sealed_at', 'created_at',
                    models.DateTimeField(db_column='sealed_at', default=django.utils.timezone.now),
                ),
                migrations.RenameModel(old_name='EnrolmentDraft', new_name='EnrolmentPreview'),
                migrations.AlterModelTable(name='EnrolmentPreview', table='participants_enrolmentdraft'),
                *renamed('enrolmentpreview', 'sealed', 'encrypted', models.BooleanField(db_column='sealed')),
                *renamed(
                    'contact', 'sealed_name', 'encrypted_name',
                    models.TextField(blank=True, db_column='sealed_name', editable=False),
                ),
                *renamed(
                    'contact', 'sealed_email', 'encrypted_email',
                    models.TextField(blank=True, db_column='sealed_email', editable=False),
                ),
                *renamed(
                    'contact', 'sealed_phone', 'encrypted_phone',
                    models.TextField(blank=True, db_column='sealed_phone', editable=False),
                ),
                *renamed(
                    'idempotencykey', 'sealed_body', 'encrypted_body',
                    models.TextField(blank=True, db_column='sealed_body'),
                ),
            ],
        ),
    ]
