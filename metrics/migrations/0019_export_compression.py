"""Exports say by what their text files are compressed; those of before are gzip. A column with a default: no rewrite."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("metrics", "0018_status_names")]

    operations = [
        migrations.AddField(
            model_name="export",
            name="compression",
            field=models.CharField(
                choices=[("gzip", "gzip"), ("zstd", "zstd")], db_default="gzip", default="gzip", max_length=4
            ),
        ),
    ]
