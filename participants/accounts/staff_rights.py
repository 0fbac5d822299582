"""Rules for granting rights to staff: nobody grants what they do not hold, or changes an account that holds more.

A superuser holds everything. Whoever may change accounts or groups could else make themselves one.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib.auth.models import Group, Permission
from django.core.exceptions import ValidationError

from participants.models import User


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
    if withheld := sorted(str(permission) for permission in granted if not editor.has_perm(_name(permission))):
        raise ValidationError(f"You cannot give permissions that you do not have yourself: {'; '.join(withheld)}.")


def _name(permission: Permission) -> str:
    return f"{permission.content_type.app_label}.{permission.codename}"
