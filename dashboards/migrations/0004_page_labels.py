"""Labels and help texts of the pages: state only, the database does not change."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('dashboards', '0003_outreach_unsettled'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='outreach',
            options={'ordering': ('-created_at',), 'verbose_name': 'e-mail or call', 'verbose_name_plural': 'e-mails and calls'},
        ),
        migrations.AlterField(
            model_name='messagetemplate',
            name='causes',
            field=models.JSONField(blank=True, default=list, help_text='Causes that it is about; empty: any.'),
        ),
        migrations.AlterField(
            model_name='outreach',
            name='state',
            field=models.CharField(choices=[('held', 'held'), ('sending', 'sending'), ('sent', 'sent'), ('bounced', 'bounced'), ('failed', 'failed'), ('dropped', 'not sent')], default='held', max_length=8),
        ),
    ]
