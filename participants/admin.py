"""The administration of trials and people: staff create trials, sites, memberships and participants here.

Rules are those of services.py and of the models; this module says how they are shown. What has a history is
ended or superseded, not edited away: memberships end, a protocol in force gives way to a new version.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm
from django.core.exceptions import ValidationError
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from participants import admin_accounts, admin_contacts, services  # noqa: F401  the former two register theirs
from participants.models import Membership, Participant, Pause, Protocol, Site, Trial, User

if TYPE_CHECKING:
    UserAdminBase = DjangoUserAdmin[User]
    UserCreationBase = AdminUserCreationForm[User]
    TrialAdminBase = admin.ModelAdmin[Trial]
    ProtocolAdminBase = admin.ModelAdmin[Protocol]
    SiteAdminBase = admin.ModelAdmin[Site]
    MembershipAdminBase = admin.ModelAdmin[Membership]
    ParticipantAdminBase = admin.ModelAdmin[Participant]
    PauseAdminBase = admin.ModelAdmin[Pause]
    ProtocolInlineBase = admin.TabularInline[Protocol, Trial]
    SiteInlineBase = admin.TabularInline[Site, Trial]
    MembershipInlineBase = admin.TabularInline[Membership, Trial]
    PauseInlineBase = admin.TabularInline[Pause, Participant]
    ProtocolFormBase = forms.ModelForm[Protocol]
    ParticipantFormBase = forms.ModelForm[Participant]
else:  # Django's own classes take no type parameters when the program runs
    UserAdminBase, UserCreationBase = DjangoUserAdmin, AdminUserCreationForm
    TrialAdminBase = ProtocolAdminBase = SiteAdminBase = MembershipAdminBase = admin.ModelAdmin
    ParticipantAdminBase = PauseAdminBase = admin.ModelAdmin
    ProtocolInlineBase = SiteInlineBase = MembershipInlineBase = PauseInlineBase = admin.TabularInline
    ProtocolFormBase = ParticipantFormBase = forms.ModelForm

admin.site.site_header = "Wearable Trials"
admin.site.site_title = "Wearable Trials"
admin.site.index_title = "Administration"


class UserCreation(UserCreationBase):
    """A new account by e-mail address. Its case does not matter, so two that differ only in case are one."""

    class Meta:
        model = User
        fields = ("email",)

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"].lower()
        if User.objects.filter(email__iexact=email).exists():
            raise ValidationError("There is an account with this e-mail address.")
        return email


@admin.register(User)
class UserAdmin(UserAdminBase):
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

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).prefetch_related("memberships__trial")

    @admin.display(description="member of")
    def trials(self, user: User) -> str:
        return ", ".join(sorted({m.trial.code for m in user.memberships.all() if m.ended_at is None})) or "–"


class SiteInline(SiteInlineBase):
    model = Site
    extra = 0
    can_delete = False


class MembershipInline(MembershipInlineBase):
    """Ended, never deleted: give it an end instead."""

    model = Membership
    extra = 0
    can_delete = False
    autocomplete_fields = ("user", "site")
    fields = ("user", "role", "site", "started_at", "ended_at")


class ProtocolInline(ProtocolInlineBase):
    """The versions of the rules, to look at. A change is a new version, made on its own page."""

    model = Protocol
    extra = 0
    show_change_link = True
    fields = ("version", "effective_on", "valid_day_minutes", "adherence_target", "upload_warn_hours")
    readonly_fields = fields

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Trial)
class TrialAdmin(TrialAdminBase):
    """Creating a trial also makes version 1 of its protocol, with the default thresholds."""

    list_display = ("code", "title", "status", "is_demo", "participant_count", "starts_on", "ends_on", "time_zone")
    list_filter = ("status", "is_demo")
    search_fields = ("code", "title")
    date_hierarchy = "starts_on"
    fieldsets = (
        (None, {"fields": ("code", "title", "status", "is_demo")}),
        ("Dates", {"fields": ("starts_on", "ends_on", "time_zone")}),
    )

    def get_inlines(self, request: HttpRequest, obj: Trial | None) -> list[Any]:
        return [SiteInline, MembershipInline, *([ProtocolInline] if obj else [])]

    def get_readonly_fields(self, request: HttpRequest, obj: Trial | None = None) -> tuple[str, ...]:
        # Its code is in addresses and exports; whether it may hold synthetic data is settled with the first data.
        return ("code", "is_demo") if obj and obj.participants.exists() else ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Trial]:
        counted: QuerySet[Trial] = super().get_queryset(request).annotate(people=Count("participants"))
        return counted

    @admin.display(description="participants", ordering="people")
    def participant_count(self, trial: Any) -> int:
        return int(trial.people)

    def save_model(self, request: HttpRequest, obj: Trial, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not change:
            services.protocol_first(obj)


class ProtocolForm(ProtocolFormBase):
    """A version gets the next number, and begins on a day to come: days that are past were judged by their rules."""

    class Meta:
        model = Protocol
        exclude = ("version",)

    def clean_effective_on(self) -> Any:
        effective_on = self.cleaned_data["effective_on"]
        if effective_on <= timezone.now().date():
            raise ValidationError("A new version begins tomorrow at the earliest.")
        return effective_on


@admin.register(Protocol)
class ProtocolAdmin(ProtocolAdminBase):
    form = ProtocolForm
    list_display = ("trial", "version", "effective_on", "in_force", "valid_day_minutes", "adherence_target")
    list_filter = ("trial",)
    search_fields = ("trial__code", "trial__title")
    autocomplete_fields = ("trial",)
    date_hierarchy = "effective_on"

    @admin.display(description="in force", boolean=True)
    def in_force(self, protocol: Protocol) -> bool:
        return protocol.effective_on <= timezone.now().date()

    def has_change_permission(self, request: HttpRequest, obj: Protocol | None = None) -> bool:
        return super().has_change_permission(request, obj) and not (obj and self.in_force(obj))

    def has_delete_permission(self, request: HttpRequest, obj: Protocol | None = None) -> bool:
        return super().has_delete_permission(request, obj) and not (obj and self.in_force(obj))

    def get_readonly_fields(self, request: HttpRequest, obj: Protocol | None = None) -> tuple[str, ...]:
        return ("trial", "version") if obj else ()

    def save_model(self, request: HttpRequest, obj: Protocol, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
        else:
            services.protocol_revise(obj, today=timezone.now().date())


@admin.register(Site)
class SiteAdmin(SiteAdminBase):
    list_display = ("name", "code", "trial")
    list_filter = ("trial",)
    search_fields = ("name", "code", "trial__code")
    autocomplete_fields = ("trial",)
    list_select_related = ("trial",)


@admin.register(Membership)
class MembershipAdmin(MembershipAdminBase):
    """Ended, never deleted, so that the past can be told."""

    list_display = ("user", "trial", "role", "site", "started_at", "ended_at")
    list_filter = ("trial", "role", ("ended_at", admin.EmptyFieldListFilter))
    search_fields = ("user__email", "trial__code")
    autocomplete_fields = ("user", "trial", "site")
    list_select_related = ("user", "trial", "site")
    date_hierarchy = "started_at"
    actions = ("end_now",)

    def has_delete_permission(self, request: HttpRequest, obj: Membership | None = None) -> bool:
        return False

    @admin.action(description="End the selected memberships now", permissions=["change"])
    def end_now(self, request: HttpRequest, queryset: QuerySet[Membership]) -> None:
        ended = queryset.filter(ended_at=None).update(ended_at=timezone.now())
        self.message_user(request, f"{ended} membership{'' if ended == 1 else 's'} ended.")


class ParticipantForm(ParticipantFormBase):
    """Left empty, the time zone is the trial's."""

    class Meta:
        model = Participant
        exclude = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "time_zone" in self.fields:
            self.fields["time_zone"].required = False
            self.fields["time_zone"].help_text += " Empty: the trial's. It is fixed once data have arrived."

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or {}
        trial = cleaned.get("trial") or (self.instance.trial if self.instance.pk else None)
        if trial and "time_zone" in self.fields and not cleaned.get("time_zone"):
            cleaned["time_zone"] = trial.time_zone
        if trial and not self.instance.pk and trial.status == Trial.Status.CLOSED:
            self.add_error("trial", f"Trial {trial.code} is closed: nobody can be enrolled any more.")
        return cleaned


class PauseInline(PauseInlineBase):
    model = Pause
    extra = 0


@admin.register(Participant)
class ParticipantAdmin(ParticipantAdminBase):
    form = ParticipantForm
    inlines = (PauseInline,)
    list_display = (
        "study_id",
        "trial",
        "site",
        "arm",
        "status",
        "monitoring_starts_on",
        "monitoring_ends_on",
        "time_zone",
    )
    list_filter = ("trial", "status", "site", "arm")
    search_fields = ("study_id", "trial__code", "site__name")
    autocomplete_fields = ("trial", "site")
    list_select_related = ("trial", "site")
    date_hierarchy = "monitoring_starts_on"
    readonly_fields = ("enrolled_at",)
    fieldsets = (
        (None, {"fields": ("trial", "study_id", "site", "arm", "status")}),
        (
            "Days",
            {"fields": ("time_zone", "monitoring_starts_on", "monitoring_ends_on", "withdrawn_on", "enrolled_at")},
        ),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Participant | None = None) -> tuple[str, ...]:
        if obj is None:
            return ("enrolled_at", "withdrawn_on")
        # Her stored days were cut by this zone: changing it means counting them anew, which is no form's business.
        return ("enrolled_at", "trial", *(("time_zone",) if obj.days.exists() else ()))

    def save_model(self, request: HttpRequest, obj: Participant, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        enrolled = services.participant_enrol(**form.cleaned_data)
        # The page goes on with `obj` (inlines, the log, the message), so it must be the stored row.
        obj.pk, obj._state = enrolled.pk, enrolled._state

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        services.participant_changed(form.instance)


@admin.register(Pause)
class PauseAdmin(PauseAdminBase):
    list_display = ("participant", "starts_on", "ends_on", "reason")
    list_filter = ("participant__trial", ("ends_on", admin.EmptyFieldListFilter))
    search_fields = ("participant__study_id", "reason")
    autocomplete_fields = ("participant",)
    list_select_related = ("participant",)
    date_hierarchy = "starts_on"

    def save_model(self, request: HttpRequest, obj: Pause, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        services.participant_changed(obj.participant)

    def delete_model(self, request: HttpRequest, obj: Pause) -> None:
        super().delete_model(request, obj)
        services.participant_changed(obj.participant)
