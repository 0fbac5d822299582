"""Groups of staff and the permissions of each in the administration, and what staff may grant to others.

A superuser may do everything. Nobody else grants what they do not hold, or changes an account that holds more: whoever
may change accounts or groups could else make themselves a superuser.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib.auth.models import Group, Permission
from django.core.exceptions import ValidationError
from django.db import transaction

from participants.audit import record
from participants.models import User

SEE, MAKE, CHANGE, DELETE = "view", "add", "change", "delete"
UNDO = "undo"

ENROLMENT: dict[str, tuple[str, ...]] = {
    "participants.trial": (SEE,),
    "participants.site": (SEE,),
    "participants.protocol": (SEE,),
    "participants.participant": (SEE, MAKE, CHANGE),
    "participants.pause": (SEE, MAKE, CHANGE, DELETE),
    "participants.contact": (SEE, MAKE, CHANGE),
    "participants.consentdocument": (SEE,),
    "participants.consent": (SEE,),
    "ingestion.invitation": (SEE, MAKE),
    "ingestion.connection": (SEE,),
    "ingestion.device": (SEE,),
}
# Accounts are a superuser's: whoever changes accounts could make themselves one.
TRIALS: dict[str, tuple[str, ...]] = {
    **ENROLMENT,
    "participants.trial": (SEE, MAKE, CHANGE),
    "participants.site": (SEE, MAKE, CHANGE, DELETE),
    "participants.protocol": (SEE, MAKE),
    "participants.membership": (SEE, MAKE, CHANGE),
    "participants.user": (SEE,),
    "participants.auditentry": (SEE,),
    "participants.consentdocument": (SEE, MAKE),
    "participants.consent": (SEE,),
    "participants.erasure": (SEE,),
    "participants.apitoken": (SEE, CHANGE),
    "ingestion.connection": (SEE, CHANGE),
    "ingestion.syncwindow": (SEE,),
    "ingestion.importfile": (SEE, UNDO),
    "ingestion.rejectedrow": (SEE,),
    "ingestion.connectionevent": (SEE,),
    "ingestion.webhookdelivery": (SEE,),
    "dashboards.messagetemplate": (SEE, MAKE, CHANGE),
    "dashboards.outreach": (SEE,),
    "dashboards.alert": (SEE,),
    "dashboards.alertevent": (SEE,),
    "dashboards.digest": (SEE,),
    "metrics.removal": (SEE, MAKE, CHANGE),
    "metrics.metric": (SEE,),
    "metrics.source": (SEE,),
}
GROUPS = {"Enrolment staff": ENROLMENT, "Trial administrators": TRIALS}


def _label(permission: Permission) -> str:
    return f"{permission.content_type.app_label}.{permission.codename}"


@transaction.atomic
def staff_groups_make() -> list[Group]:
    """Make the groups, or bring them back to what they may do. Their members stay."""
    made = []
    every = {
        (permission.content_type.app_label, permission.codename): permission
        for permission in Permission.objects.select_related("content_type")
    }
    for name, may in GROUPS.items():
        group, _ = Group.objects.get_or_create(name=name)
        permissions = [
            every[app, f"{verb}_{model}"]
            for label, verbs in may.items()
            for app, model in [label.split(".")]
            for verb in verbs
        ]
        old, new = (
            {_label(permission) for permission in granted} for granted in (group.permissions.all(), permissions)
        )
        if old != new:
            group.permissions.set(permissions)
            values = {"name": name, "permissions": sorted(new)}
            record("group.change", thing=f"group:{group.pk}", old={"permissions": sorted(old)}, new=values)
        made.append(group)
    return made


def may_edit(editor: User, user: User) -> bool:
    """Whether the editor holds every right of the user's: else a new password or address would make them theirs."""
    if editor.is_superuser or editor.pk == user.pk:
        return True
    return not user.is_superuser and editor.has_perms(user.get_all_permissions())


def check_grants(editor: User, permissions: Iterable[Permission] = (), groups: Iterable[Group] = ()) -> None:
    """Raise django's ValidationError where the editor would give a permission that they do not hold."""
    if editor.is_superuser:
        return
    granted = {*permissions}
    for group in groups:
        granted.update(group.permissions.select_related("content_type"))
    if withheld := sorted(str(permission) for permission in granted if not editor.has_perm(_label(permission))):
        raise ValidationError(f"You cannot give permissions that you do not have yourself: {'; '.join(withheld)}.")
