"""Files to enrol that wait, apart from sessions; invitations of colleagues that never went out are tried again."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('participants', '0016_full_mailboxes'),
    ]

    operations = [
        migrations.AddField(
            model_name='colleagueinvitation',
            name='attempts',
            field=models.PositiveSmallIntegerField(db_default=0, default=0, editable=False),
        ),
        migrations.AddField(
            model_name='colleagueinvitation',
            name='tried_at',
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.CreateModel(
            name='EnrolmentDraft',
            fields=[
                ('id', models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('sealed', models.BooleanField()),
                ('text', models.TextField()),
                ('made_at', models.DateTimeField(db_index=True, default=django.utils.timezone.now)),
                ('trial', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='participants.trial')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
        ),
    ]
