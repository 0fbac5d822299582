from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('metrics', '0006_subject_export'),
    ]

    operations = [
        migrations.AddField(
            model_name='export',
            name='store',
            field=models.CharField(blank=True, db_default='', default='', max_length=300),
        ),
    ]
