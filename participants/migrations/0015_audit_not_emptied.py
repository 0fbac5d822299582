"""The audit trail's tables refuse TRUNCATE, and its head is there from the beginning: without it the trail was emptied."""

from django.db import migrations

from participants.audit import hash_chain

TABLES = ("auditentry", "auditdetail", "auditseal", "audithead")
GUARD = """
CREATE FUNCTION audit_is_not_emptied() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'The audit trail is append-only: % on % is refused.', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$;
""" + "".join(
    f"CREATE TRIGGER audit_is_not_emptied BEFORE TRUNCATE ON participants_{table}"
    " FOR EACH STATEMENT EXECUTE FUNCTION audit_is_not_emptied();\n"
    for table in TABLES
)
UNGUARD = "".join(f"DROP TRIGGER audit_is_not_emptied ON participants_{table};\n" for table in TABLES) + (
    "DROP FUNCTION audit_is_not_emptied();"
)


def begin(apps, schema_editor):
    """Where nothing was ever sealed there is no head yet."""
    heads, seals = (apps.get_model("participants", name).objects for name in ("AuditHead", "AuditSeal"))
    if not heads.exists() and not seals.exists():
        heads.create(pk=1, **hash_chain.first())


class Migration(migrations.Migration):

    dependencies = [
        ('participants', '0014_canonical_addresses'),
    ]

    operations = [
        migrations.RunSQL(GUARD, UNGUARD),
        migrations.RunPython(begin, migrations.RunPython.noop),
    ]
