"""Trials, their protocols and sites in the administration.

A protocol is never edited: a change is the next version. A trial or a site can be deleted while nothing belongs to
it, as a mistake; then it is closed, or stays.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Count, QuerySet
from django.forms.models import model_to_dict
from django.http import HttpRequest
from django.utils import timezone

from participants import services, trial_closing
from participants.admin.base import AuditReasonForm, NoDeleteAdminMixin, ReadOnlyAdminMixin, ServiceAdminMixin, changed
from participants.admin_site import Choosing
from participants.models import Membership, Protocol, Site, Trial

if TYPE_CHECKING:
    TrialAdminBase = admin.ModelAdmin[Trial]
    ProtocolAdminBase = admin.ModelAdmin[Protocol]
    SiteAdminBase = admin.ModelAdmin[Site]
    ProtocolInlineBase = admin.TabularInline[Protocol, Trial]
    SiteInlineBase = admin.TabularInline[Site, Trial]
    MembershipInlineBase = admin.TabularInline[Membership, Trial]
    ProtocolFormBase = forms.ModelForm[Protocol]
    TrialFormBase = forms.ModelForm[Trial]
    SiteFormBase = forms.ModelForm[Site]
else:  # Django's own classes take no type parameters when the program runs
    TrialAdminBase = ProtocolAdminBase = SiteAdminBase = admin.ModelAdmin
    ProtocolInlineBase = SiteInlineBase = MembershipInlineBase = admin.TabularInline
    ProtocolFormBase = TrialFormBase = SiteFormBase = forms.ModelForm


class SiteInline(SiteInlineBase):
    model = Site
    extra = 0
    can_delete = False
    fields = ("code", "name", "phone", "email")


class MembershipInline(Choosing, MembershipInlineBase):
    """New members, and who is one now or was: changed and ended on their own page."""

    model = Membership
    extra = 0
    can_delete = False
    autocomplete_fields = ("user", "site")
    fields = ("user", "role", "site", "started_at", "ended_at")
    readonly_fields = ("started_at", "ended_at")
    show_change_link = True

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ProtocolInline(ReadOnlyAdminMixin, ProtocolInlineBase):
    """The versions of the rules, to look at. A change is a new version, made on its own page."""

    model = Protocol
    extra = 0
    show_change_link = True
    fields = ("version", "effective_on", "valid_day_minutes", "adherence_target", "upload_warn_hours")


KEPT = (
    "How long samples are kept",
    {
        "fields": ("retain_raw_days", "raw_removed_before"),
        "description": "Deleted samples cannot be had back, from backups neither once those have been replaced. They"
        " are then missing from charts by the minute, exports and the API, and samples that come later for that time"
        " are refused. Make sure that the trial's protocol and consent say so.",
    },
)


class TrialForm(AuditReasonForm, TrialFormBase):
    """Closing a trial is asked twice: the first response says what it ends."""

    close = forms.BooleanField(label="Close it", required=False)

    class Meta:
        model = Trial
        fields = ("code", "title", "status", "is_demo", "starts_on", "ends_on", "time_zone", "retain_raw_days")

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        closes = self.instance.pk and "status" in self.changed_data and given.get("status") == Trial.Status.CLOSED
        if closes and not given.get("close"):
            raise ValidationError(
                {
                    "close": "Closing the trial is not undone by opening it again:"
                    f" {trial_closing.ends(self.instance)}. The access to participants’ accounts is given back, and"
                    " no more data are saved. Tick this if that is meant."
                }
            )
        return given


@admin.register(Trial)
class TrialAdmin(NoDeleteAdminMixin, ServiceAdminMixin, TrialAdminBase):
    """Creating a trial also makes version 1 of its protocol, with the default thresholds. It is closed, not deleted."""

    form = TrialForm
    list_display = ("code", "title", "status", "is_demo", "participant_count", "starts_on", "ends_on", "time_zone")
    list_filter = ("status", "is_demo")
    search_fields = ("code", "title")
    ordering = ("code",)
    date_hierarchy = "starts_on"

    def get_fieldsets(self, request: HttpRequest, obj: Trial | None = None) -> Any:
        extra: tuple[Any, ...] = (KEPT,) if obj else ()
        may_close = bool(obj and obj.status != Trial.Status.CLOSED and self.has_change_permission(request, obj))
        if obj and self.has_change_permission(request):
            extra = (*extra, ("Audit trail", {"fields": ("audit_reason",)}))
        return (
            (None, {"fields": ("code", "title", "status", *(("close",) if may_close else ()), "is_demo")}),
            ("Dates", {"fields": ("starts_on", "ends_on", "time_zone")}),
            *extra,
        )

    def get_inlines(self, request: HttpRequest, obj: Trial | None) -> list[Any]:
        return [SiteInline, MembershipInline, *([ProtocolInline] if obj else [])]

    def get_readonly_fields(self, request: HttpRequest, obj: Trial | None = None) -> tuple[str, ...]:
        # Its code is in addresses and exports; whether it may hold synthetic data is settled with the first data.
        settled = ("code", "is_demo") if obj and obj.participants.exists() else ()
        return (*settled, "raw_removed_before")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Trial]:
        counted: QuerySet[Trial] = super().get_queryset(request).annotate(participant_count=Count("participants"))
        return counted

    @admin.display(description="participants", ordering="participant_count")
    def participant_count(self, trial: Any) -> int:
        return int(trial.participant_count)

    def save_model(self, request: HttpRequest, obj: Trial, form: Any, change: bool) -> None:
        given = {name: value for name, value in form.cleaned_data.items() if name not in ("audit_reason", "close")}
        if change:
            fields: Any = changed(form, services.TrialChanges.__annotations__)
            services.trial_update(obj, reason=form.cleaned_data.get("audit_reason", ""), **fields)
            return
        made = services.trial_create(**given)
        obj.pk, obj._state = made.pk, made._state

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """Sites and members by their services; the formset itself only says what is new and what differs."""
        formset.save(commit=False)
        for row in formset.new_objects:
            if isinstance(row, Site):
                services.site_create(
                    trial=form.instance, code=row.code, name=row.name, phone=row.phone, email=row.email
                )
            elif isinstance(row, Membership):
                services.membership_grant(user=row.user, trial=form.instance, role=row.role, site=row.site)
        for row, names in formset.changed_objects:
            services.site_update(row, **{name: getattr(row, name) for name in names})


class ProtocolForm(ProtocolFormBase):
    """A version gets the next number, and begins on a day to come: days that are past were evaluated by their rules."""

    class Meta:
        model = Protocol
        exclude = ("version",)

    def clean_effective_on(self) -> Any:
        effective_on = self.cleaned_data["effective_on"]
        if effective_on <= timezone.now().date():
            raise ValidationError("A new version begins tomorrow at the earliest.")
        return effective_on


@admin.register(Protocol)
class ProtocolAdmin(NoDeleteAdminMixin, ServiceAdminMixin, ProtocolAdminBase):
    """Versions are added, never edited; `from` in the address starts the next one with the values of another."""

    form = ProtocolForm
    change_form_template = "admin/protocol_change.html"
    list_display = ("trial", "version", "effective_on", "in_force", "valid_day_minutes", "adherence_target")
    list_filter = ("trial",)
    search_fields = ("trial__code", "trial__title")
    autocomplete_fields = ("trial",)
    date_hierarchy = "effective_on"
    list_select_related = ("trial",)

    @admin.display(description="in force", boolean=True)
    def in_force(self, protocol: Protocol) -> bool:
        return protocol.effective_on <= timezone.now().date()

    def has_change_permission(self, request: HttpRequest, obj: Protocol | None = None) -> bool:
        return super().has_change_permission(request, obj) and obj is None

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        initial = super().get_changeform_initial_data(request)
        start = str(initial.pop("from", ""))
        before = Protocol.objects.filter(pk=start).first() if start.isdecimal() else None
        if before is None:
            return initial
        today = timezone.now().astimezone(ZoneInfo(before.trial.time_zone)).date()
        return {**model_to_dict(before, exclude=["id", "version"]), "effective_on": today + dt.timedelta(days=1)}

    def save_model(self, request: HttpRequest, obj: Protocol, form: Any, change: bool) -> None:
        services.protocol_revise(obj, today=timezone.now().date())


class SiteForm(AuditReasonForm, SiteFormBase):
    class Meta:
        model = Site
        fields = ("trial", "code", "name", "phone", "email")


@admin.register(Site)
class SiteAdmin(ServiceAdminMixin, SiteAdminBase):
    form = SiteForm
    list_display = ("name", "code", "trial", "phone", "email")
    list_filter = ("trial",)
    search_fields = ("name", "code", "trial__code")
    autocomplete_fields = ("trial",)
    list_select_related = ("trial",)
    actions = None

    def get_fields(self, request: HttpRequest, obj: Site | None = None) -> tuple[str, ...]:
        return ("trial", "code", "name", "phone", "email", *(("audit_reason",) if obj else ()))

    def get_readonly_fields(self, request: HttpRequest, obj: Site | None = None) -> tuple[str, ...]:
        if obj is None:
            return ()
        return ("trial", "code") if obj.participants.exists() else ("trial",)

    def has_delete_permission(self, request: HttpRequest, obj: Site | None = None) -> bool:
        """A mistake alone: a site that nobody was ever enrolled or employed at."""
        used = obj is not None and (obj.participants.exists() or Membership.objects.filter(site=obj).exists())
        return super().has_delete_permission(request, obj) and not used

    def save_model(self, request: HttpRequest, obj: Site, form: Any, change: bool) -> None:
        given = form.cleaned_data
        if change:
            fields: Any = changed(form, services.SiteChanges.__annotations__)
            services.site_update(obj, reason=given["audit_reason"], **fields)
            return
        made = services.site_create(**{name: given[name] for name in ("trial", *services.SiteChanges.__annotations__)})
        obj.pk, obj._state = made.pk, made._state

    def delete_model(self, request: HttpRequest, obj: Site) -> None:
        services.site_remove(obj)
