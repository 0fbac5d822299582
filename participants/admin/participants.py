"""Participants and their pauses in the administration: enrolled, looked up, changed; the rest are actions that ask.

The state of a participant is never typed: they are invited, begin, are paused, withdrawn or completed by actions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from participants import services
from participants.admin.base import (
    AuditReasonForm,
    ConfirmedAction,
    NoDeleteAdminMixin,
    ReadOnlyAdminMixin,
    ServiceAdminMixin,
    changed,
)
from participants.admin.enrolment import EnrolmentPages
from participants.admin.participant_actions import ACTS
from participants.forms import LineField
from participants.models import Participant, Pause, Trial
from participants.services.records import has_data

if TYPE_CHECKING:
    ParticipantAdminBase = admin.ModelAdmin[Participant]
    PauseAdminBase = admin.ModelAdmin[Pause]
    PauseInlineBase = admin.TabularInline[Pause, Participant]
    ParticipantFormBase = forms.ModelForm[Participant]
    PauseFormBase = forms.ModelForm[Pause]
else:  # Django's own classes take no type parameters when the program runs
    ParticipantAdminBase = PauseAdminBase = admin.ModelAdmin
    PauseInlineBase = admin.TabularInline
    ParticipantFormBase = PauseFormBase = forms.ModelForm

Status = Participant.Status


class ParticipantForm(AuditReasonForm, ParticipantFormBase):
    """Left empty, the time zone is the trial's."""

    class Meta:
        model = Participant
        exclude = ("withdrawn_on",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "time_zone" in self.fields:
            self.fields["time_zone"].required = False
            self.fields["time_zone"].help_text += " Empty: the trial's. It is fixed once data have arrived."
        if "status" in self.fields:
            self.fields["status"].choices = [(Status.INVITED, "invited"), (Status.ACTIVE, "active")]  # type: ignore[attr-defined]
            self.fields["status"].help_text = "Invited: they connect a device. Active: their data come as files."

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or {}
        trial = cleaned.get("trial") or (self.instance.trial if self.instance.pk else None)
        if trial and "time_zone" in self.fields and not cleaned.get("time_zone"):
            cleaned["time_zone"] = trial.time_zone
        if trial and not self.instance.pk and trial.status == Trial.Status.CLOSED:
            self.add_error("trial", f"Trial {trial.code} is closed: nobody can be enrolled any more.")
        return cleaned


class PauseInline(ReadOnlyAdminMixin, PauseInlineBase):
    """Read-only pauses: one begins and ends by an action, and is corrected on its own page."""

    model = Pause
    extra = 0
    fields = ("starts_on", "ends_on", "reason")
    show_change_link = True


@admin.register(Participant)
class ParticipantAdmin(EnrolmentPages, NoDeleteAdminMixin, ServiceAdminMixin, ParticipantAdminBase):
    """Participants. None is deleted: who was enrolled by mistake is withdrawn, and erased if need be."""

    form = ParticipantForm
    change_form_template = "admin/participant_change.html"
    change_list_template = "admin/participant_list.html"
    list_display = (
        "study_id",
        "trial",
        "site",
        "arm",
        "status",
        "monitoring_starts_on",
        "monitoring_ends_on",
    )
    list_filter = ("status", "trial", "site", "arm", ("withdrawn_on", admin.EmptyFieldListFilter))
    search_fields = ("study_id", "trial__code", "site__name", "site__code")
    search_help_text = "Study id, trial or site"
    autocomplete_fields = ("trial", "site")
    list_select_related = ("trial", "site")
    date_hierarchy = "monitoring_starts_on"
    show_full_result_count = False
    fieldsets = (
        (None, {"fields": ("trial", "study_id", "site", "arm", "status")}),
        ("Days", {"fields": ("time_zone", "monitoring_starts_on", "monitoring_ends_on")}),
    )
    # Actions that packages above this one add: see `offer`.
    acts: ClassVar[list[ConfirmedAction]] = [act() for act in ACTS]
    actions = [act.action() for act in acts]  # noqa: RUF012  Django's own way

    @classmethod
    def offer(cls, act: ConfirmedAction) -> None:
        """Add an action of another package to the list's actions and to each participant's page."""
        cls.acts.append(act)
        cls.actions.append(act.action())

    def has_invite_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("ingestion.add_invitation")

    def get_inlines(self, request: HttpRequest, obj: Participant | None) -> list[Any]:
        return [PauseInline] if obj else []

    def get_fieldsets(self, request: HttpRequest, obj: Participant | None = None) -> Any:
        if obj is None:
            return self.fieldsets
        days = ("time_zone", "monitoring_starts_on", "monitoring_ends_on", "withdrawn_on", "enrolled_at")
        extra = (("Audit trail", {"fields": ("audit_reason",)}),) if self.has_change_permission(request, obj) else ()
        return (self.fieldsets[0], ("Days", {"fields": days}), *extra)

    def get_readonly_fields(self, request: HttpRequest, obj: Participant | None = None) -> tuple[str, ...]:
        if obj is None:
            return ()
        read_only = ["trial", "status", "withdrawn_on", "enrolled_at"]
        if has_data(obj):
            read_only.append("study_id")
        if obj.days.exists():  # they were cut by it
            read_only.append("time_zone")
        return tuple(read_only)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> Any:
        participant = self.get_object(request, object_id)
        acts = []
        if participant:
            allowed = self.get_actions(request)
            acts = [
                (name, act)
                for act in self.acts
                if (name := type(act).__name__.lower()) in allowed and not act.fit(participant)
            ]
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), "acts": acts})

    def save_model(self, request: HttpRequest, obj: Participant, form: Any, change: bool) -> None:
        if change:
            names = services.ParticipantChanges.__annotations__
            services.participant_update(
                obj,
                reason=form.cleaned_data.get("audit_reason", ""),
                **changed(form, names),
            )
            return
        given = {name: value for name, value in form.cleaned_data.items() if name != "audit_reason"}
        try:
            enrolled = services.participant_enrol(**given)
        except services.EnrolmentError as refused:
            raise ValueError(str(refused)) from refused
        # The page goes on with `obj` (the log, the message), so it must be the stored row.
        obj.pk, obj._state = enrolled.pk, enrolled._state


class PauseForm(PauseFormBase):
    """`why`: for the audit trail, of a correction."""

    why = LineField(
        label="Why it is corrected", max_length=200, required=False, help_text="For the audit trail. No names."
    )

    class Meta:
        model = Pause
        fields = ("participant", "starts_on", "ends_on", "reason")


@admin.register(Pause)
class PauseAdmin(ServiceAdminMixin, PauseAdminBase):
    form = PauseForm
    list_display = ("participant", "trial", "starts_on", "ends_on", "reason")
    list_filter = ("participant__trial", ("ends_on", admin.EmptyFieldListFilter))
    search_fields = ("participant__study_id", "reason")
    autocomplete_fields = ("participant",)
    list_select_related = ("participant__trial",)
    date_hierarchy = "starts_on"
    show_full_result_count = False

    @admin.display(description="trial", ordering="participant__trial")
    def trial(self, pause: Pause) -> str:
        return pause.participant.trial.code

    def get_fields(self, request: HttpRequest, obj: Pause | None = None) -> tuple[str, ...]:
        return ("participant", "starts_on", "ends_on", "reason", *(("why",) if obj else ()))

    def get_readonly_fields(self, request: HttpRequest, obj: Pause | None = None) -> tuple[str, ...]:
        return ("participant", "reason") if obj else ()

    def save_model(self, request: HttpRequest, obj: Pause, form: Any, change: bool) -> None:
        given = form.cleaned_data
        if change:
            services.pause_change(obj, why=given.get("why", ""), **changed(form, services.PauseChanges.__annotations__))
            return
        made = services.pause_begin(
            given["participant"], starts_on=given["starts_on"], ends_on=given["ends_on"], reason=given["reason"]
        )
        obj.pk, obj._state = made.pk, made._state

    def delete_model(self, request: HttpRequest, obj: Pause) -> None:
        services.pause_remove(obj, why="deleted in the administration")

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Pause]) -> None:
        for pause in queryset:
            self.delete_model(request, pause)
