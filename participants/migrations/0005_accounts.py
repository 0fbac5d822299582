"""Sign-in history, invitations of colleagues, and the table in which failed attempts are counted."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.core.management import call_command
from django.db import migrations, models


def cache_table(apps, schema_editor):
    """The table of settings.CACHES: nothing where it exists already."""
    call_command("createcachetable", database=schema_editor.connection.alias, verbosity=0)


class Migration(migrations.Migration):

    dependencies = [
        ('participants', '0004_consent_and_erasure'),
    ]

    operations = [
        migrations.AddField(
            model_name='user',
            name='signed_out_at',
            field=models.DateTimeField(blank=True, editable=False, help_text='Sessions from before this moment have ended.', null=True),
        ),
        migrations.CreateModel(
            name='ColleagueInvitation',
            fields=[
                ('id', models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('role', models.CharField(choices=[('manager', 'manager'), ('coordinator', 'coordinator'), ('analyst', 'analyst'), ('viewer', 'viewer')], max_length=12)),
                ('email', models.EmailField(max_length=254, verbose_name='e-mail address')),
                ('code_hash', models.CharField(blank=True, db_index=True, editable=False, max_length=64)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('sent_at', models.DateTimeField(blank=True, null=True)),
                ('expires_at', models.DateTimeField()),
                ('accepted_at', models.DateTimeField(blank=True, null=True)),
                ('revoked_at', models.DateTimeField(blank=True, null=True)),
                ('accepted_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('invited_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('site', models.ForeignKey(blank=True, help_text='Empty: all sites of the trial.', null=True, on_delete=django.db.models.deletion.CASCADE, to='participants.site')),
                ('trial', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='colleague_invitations', to='participants.trial')),
            ],
            options={
                'ordering': ('-created_at', '-pk'),
            },
        ),
        migrations.CreateModel(
            name='SignIn',
            fields=[
                ('id', models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(default=django.utils.timezone.now)),
                ('outcome', models.CharField(choices=[('ok', 'signed in'), ('failed', 'failed'), ('locked', 'refused: too many attempts')], max_length=8)),
                ('method', models.CharField(help_text='password, password and app, passkey, ...', max_length=40)),
                ('address', models.CharField(blank=True, help_text='The network she came from: its last part is cut.', max_length=43)),
                ('browser', models.CharField(blank=True, max_length=40)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='sign_ins', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ('-at', '-pk'),
                'indexes': [models.Index(fields=['user', '-at'], name='sign_in_of_user')],
            },
        ),
        migrations.RunPython(cache_table, migrations.RunPython.noop),
    ]
