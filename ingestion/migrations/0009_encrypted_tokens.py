"""Connection.sealed_tokens is called encrypted_tokens. The column keeps its name."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('ingestion', '0008_import_provenance'),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RenameField(
                    model_name='connection', old_name='sealed_tokens', new_name='encrypted_tokens',
                ),
                migrations.AlterField(
                    model_name='connection',
                    name='encrypted_tokens',
                    field=models.TextField(blank=True, db_column='sealed_tokens', editable=False),
                ),
            ],
        ),
    ]
