"""Addresses that were barred for good because their mailbox was full, closed for a while, or refused one message."""

from django.db import migrations

# What stands there: the server's code and its enhanced one (dashboards.messaging.smtp), e.g. "552 5.2.2, the mailbox ...".
LIFTED = r"""
UPDATE participants_contact SET bounced_at = NULL, bounce_reason = ''
WHERE bounced_at IS NOT NULL AND CASE
    WHEN bounce_reason ~ '\m[245]\.[0-9]{1,3}\.[0-9]{1,3}' THEN bounce_reason !~ '\m5\.1\.(0|1|2|3|4|6|10)\M'
    ELSE bounce_reason ~ '^[0-9]{3}' AND bounce_reason !~ '^(550|551|553)\M'
END
"""


class Migration(migrations.Migration):
    dependencies = [("participants", "0015_audit_not_emptied")]

    operations = [migrations.RunSQL(LIFTED, migrations.RunSQL.noop)]
