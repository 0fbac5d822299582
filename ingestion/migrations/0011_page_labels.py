"""Labels and help texts of the pages: state only, the database does not change."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('ingestion', '0010_labels_of_windows'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='syncwindow',
            options={'ordering': ('connection', 'data_type', 'starts_at'), 'verbose_name': 'data request'},
        ),
        migrations.AlterField(
            model_name='syncwindow',
            name='kind',
            field=models.CharField(choices=[('read', 'data'), ('look', 'change check')], default='read', max_length=4),
        ),
        migrations.AlterField(
            model_name='syncwindow',
            name='reason',
            field=models.CharField(choices=[('scheduled', 'scheduled'), ('webhook', "vendor's notice"), ('restated', 'corrected by the vendor'), ('sweep', 'weekly full fetch'), ('backfill', 'older data'), ('manual', 'by hand'), ('uploaded', 'device synced after missing data'), ('history', 'weekly change check of past data')], max_length=10),
        ),
        migrations.AlterField(
            model_name='syncwindow',
            name='state',
            field=models.CharField(choices=[('due', 'waiting'), ('claimed', 'being fetched'), ('done', 'received'), ('failed', 'failed')], default='due', max_length=8),
        ),
    ]
