"""Accounts and memberships in the administration: who may sign in, and who works in which trial."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest

from participants import services
from participants.accounts.staff_groups import check_grants, may_edit
from participants.admin.base import (
    AuditedAdminMixin,
    AuditReasonForm,
    ConfirmedAction,
    NoDeleteAdminMixin,
    ReasonForm,
    ServiceAdminMixin,
    changed,
)
from participants.audit import record
from participants.models import Membership, User
from participants.user_input import canonical_address

if TYPE_CHECKING:
    UserAdminBase = DjangoUserAdmin[User]
    UserCreationBase = AdminUserCreationForm[User]
    UserChangeBase = UserChangeForm[User]
    GroupAdminBase = DjangoGroupAdmin
    GroupFormBase = forms.ModelForm[Group]
    MembershipAdminBase = admin.ModelAdmin[Membership]
    MembershipFormBase = forms.ModelForm[Membership]
else:  # Django's own classes take no type parameters when the program runs
    UserAdminBase, UserCreationBase = DjangoUserAdmin, AdminUserCreationForm
    UserChangeBase, GroupAdminBase, GroupFormBase = UserChangeForm, DjangoGroupAdmin, forms.ModelForm
    MembershipAdminBase, MembershipFormBase = admin.ModelAdmin, forms.ModelForm


class UserCreation(UserCreationBase):
    """A new account by e-mail address: two ways to write one are one account."""

    class Meta:
        model = User
        fields = ("email",)

    def clean_email(self) -> str:
        email = canonical_address(self.cleaned_data["email"])
        if User.objects.by_address(email).exists():
            raise ValidationError("There is an account with this e-mail address.")
        return email


class Granting:
    """Mixin of forms that grant rights. `editor`: who fills it in; their own rights are all that they can give."""

    editor: User
    grants: ClassVar[dict[str, str]] = {}  # field -> argument of check_grants

    def clean(self) -> Any:
        cleaned = super().clean()  # type: ignore[misc]
        given: Any = self
        for field, what in self.grants.items():
            if field in given.cleaned_data and field in given.changed_data:
                before = {row.pk for row in given.initial.get(field, [])}
                added = [row for row in given.cleaned_data[field] if row.pk not in before]
                try:
                    check_grants(self.editor, **{what: added})
                except ValidationError as refused:
                    given.add_error(field, refused)
        return cleaned


class UserForm(Granting, UserChangeBase):
    grants: ClassVar[dict[str, str]] = {"groups": "groups", "user_permissions": "permissions"}


class GroupForm(Granting, GroupFormBase):
    grants: ClassVar[dict[str, str]] = {"permissions": "permissions"}


class ByEditor:
    """Tells a form that gives rights who fills it in."""

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        made = super().get_form(request, obj, change=change, **kwargs)  # type: ignore[misc]
        if issubclass(made, Granting):
            made.editor = request.user
        return made


@admin.register(User)
class UserAdmin(NoDeleteAdminMixin, AuditedAdminMixin, ByEditor, UserAdminBase):
    """Users. None is deleted: the audit trail names them. Take `active` away and they cannot sign in.

    Staff change nobody who holds more rights than they do, and only a superuser makes one.
    """

    form = UserForm
    add_form = UserCreation
    ordering = ("email",)
    list_display = ("email", "first_name", "last_name", "trials", "is_staff", "is_active", "last_login")
    list_filter = ("is_active", "is_staff", "is_superuser", "memberships__trial")
    search_fields = ("email", "first_name", "last_name")
    readonly_fields = ("last_login", "date_joined")
    fieldsets = (
        (None, {"fields": ("email", "password")}),
        ("Name", {"fields": ("first_name", "last_name")}),
        (
            "Administration",
            {
                "fields": ("is_active", "is_staff", "is_superuser", "groups", "user_permissions"),
                "description": "Staff may open these pages. Nobody, superusers included, sees a trial's participants "
                "in the dashboards without being a member of it.",
            },
        ),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = ((None, {"classes": ("wide",), "fields": ("email", "usable_password", "password1", "password2")}),)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        editor: Any = request.user
        return super().has_change_permission(request, obj) and (obj is None or may_edit(editor, obj))

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        return (*self.readonly_fields, *(() if request.user.is_superuser else ("is_superuser",)))

    def log_change(self, request: HttpRequest, obj: User, message: Any) -> Any:
        """Django calls it after the page of a password too, which saves by itself."""
        if "password" in str(message).lower():
            record("user.set_password", thing=f"user:{obj.pk}")
        return super().log_change(request, obj, message)

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).prefetch_related("memberships__trial")

    @admin.display(description="member of")
    def trials(self, user: User) -> str:
        return ", ".join(sorted({m.trial.code for m in user.memberships.all() if m.ended_at is None})) or "–"


admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(AuditedAdminMixin, ByEditor, GroupAdminBase):
    """Groups. What one may do is granted to each of its members, and recorded likewise."""

    form = GroupForm


class MembershipForm(AuditReasonForm, MembershipFormBase):
    class Meta:
        model = Membership
        fields = ("user", "trial", "role", "site", "digest_at")

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or {}
        trial = cleaned.get("trial") or (self.instance.trial if self.instance.pk else None)
        site = cleaned.get("site")
        if site and trial and site.trial_id != trial.pk:
            self.add_error("site", "This site belongs to another trial.")
        return cleaned


class EndMembership(ConfirmedAction):
    title, button, done, severe = "End the membership", "End", "memberships ended", True
    says = "From this moment they see nothing of the trial any more. What they did is kept."
    form = ReasonForm
    related = ("user", "trial", "site")

    def fit(self, row: Membership) -> str:
        return "has ended already" if row.ended_at else ""

    def do(self, request: HttpRequest, row: Membership, cleaned: dict[str, Any]) -> None:
        services.membership_end(row, reason=cleaned["reason"])


@admin.register(Membership)
class MembershipAdmin(NoDeleteAdminMixin, ServiceAdminMixin, MembershipAdminBase):
    """Ended, never deleted, so that the past can be told. Another role or site is a new membership."""

    form = MembershipForm
    list_display = ("user", "trial", "role", "site", "started_at", "ended_at")
    list_filter = (("ended_at", admin.EmptyFieldListFilter), "role", "trial")
    search_fields = ("user__email", "user__last_name", "trial__code")
    autocomplete_fields = ("user", "trial", "site")
    list_select_related = ("user", "trial", "site")
    date_hierarchy = "started_at"
    actions = (EndMembership().action(),)

    def get_fields(self, request: HttpRequest, obj: Membership | None = None) -> tuple[str, ...]:
        names = ("user", "trial", "role", "site", "digest_at")
        if obj is None:
            return names[:-1]
        return (*names, "started_at", "ended_at", *(("audit_reason",) if obj.ended_at is None else ()))

    def get_readonly_fields(self, request: HttpRequest, obj: Membership | None = None) -> tuple[str, ...]:
        if obj is None:
            return ()
        return ("user", "trial", "started_at", "ended_at", *(("role", "site", "digest_at") if obj.ended_at else ()))

    def has_change_permission(self, request: HttpRequest, obj: Membership | None = None) -> bool:
        return super().has_change_permission(request, obj) and not (obj and obj.ended_at)

    def save_model(self, request: HttpRequest, obj: Membership, form: Any, change: bool) -> None:
        given = form.cleaned_data
        if change:
            terms: Any = changed(form, services.MembershipChanges.__annotations__)
            stored = services.membership_change(obj, reason=given.get("audit_reason", ""), **terms)
        else:
            stored = services.membership_grant(
                user=given["user"], trial=given["trial"], role=given["role"], site=given["site"]
            )
        obj.pk, obj._state = stored.pk, stored._state
