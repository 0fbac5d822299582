"""The form of a new version of a trial's protocol: lists as boxes and texts, help from the rules' labels."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError

from dashboards.models import Alert
from dashboards.protocols import services
from dashboards.protocols.labels import GROUPS, RULES
from metrics.registry import METRICS
from participants.models import Protocol
from participants.team_texts import gettext
from participants.user_input import number_of

if TYPE_CHECKING:
    FormBase = forms.ModelForm[Protocol]
else:  # Django's own class takes no type parameters when the program runs
    FormBase = forms.ModelForm

# Of fields in whose names a unit is missing.
UNITS = {
    "valid_day_minutes": gettext("worn minutes"),
    "upload_warn_hours": "hours",
    "upload_critical_hours": "hours",
    "lost_after_hours": "hours",
    "device_keeps_hours": "hours",
    "gap_minutes": "minutes",
    "battery_flat_percent": "%",
    "sleep_nights_warn": gettext("nights of 7"),
    "sleep_nights_critical": gettext("nights of 7"),
    "never_connected_hours": "hours",
    "contact_gap_hours": "hours",
    "valid_day_steps": "steps",
    "adherence_target": gettext("share of 1"),
    "valid_day_variants": gettext("worn minutes, with commas"),
    "source_priority": gettext("one a line, best first"),
}


class MinutesList(forms.CharField):
    """Worn minutes, separated by commas."""

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(map(str, value)) if isinstance(value, list) else value

    def clean(self, value: Any) -> list[int]:
        parts = [part.strip() for part in super().clean(value).split(",") if part.strip()]
        minutes = {number_of(part, 1, 1440) for part in parts}
        if None in minutes:
            raise ValidationError(gettext("Give minutes from 1 to 1440, separated by commas: 480, 720."))
        return sorted(minute for minute in minutes if minute is not None)


class LinesList(forms.CharField):
    """Names, one a line."""

    widget = forms.Textarea(attrs={"rows": 3})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> list[str]:
        return [line.strip() for line in super().clean(value).splitlines() if line.strip()]


class ProtocolForm(FormBase):
    """Form of a version. It begins tomorrow at the earliest, unless two boxes say that past days are re-evaluated."""

    expected_metrics = forms.MultipleChoiceField(
        choices=[(metric.code, metric.name) for metric in METRICS], widget=forms.CheckboxSelectMultiple, required=False
    )
    alert_rules = forms.MultipleChoiceField(
        choices=Alert.Rule.choices, widget=forms.CheckboxSelectMultiple, required=False
    )
    valid_day_variants = MinutesList(required=False)
    # Two choices: a box that a page leaves out would mean no.
    collect_in_pauses = forms.TypedChoiceField(
        choices=[("True", gettext("collected")), ("False", gettext("not collected"))],
        coerce=lambda choice: choice == "True",
    )
    source_priority = LinesList(required=False)
    retroactive = forms.BooleanField(required=False)
    confirmed = forms.BooleanField(required=False)

    class Meta:
        model = Protocol
        fields = ("effective_on", *RULES)
        widgets = {  # noqa: RUF012  Django's own way
            "effective_on": forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
            "quiet_from": forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
            "quiet_until": forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
        }

    def __init__(self, *args: Any, today: dt.date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.today = today
        for name, field in self.fields.items():
            if name in RULES:
                field.label, field.help_text = RULES[name].name, RULES[name].meaning
            if not isinstance(field.widget, forms.CheckboxInput | forms.CheckboxSelectMultiple):
                field.widget.attrs["class"] = "input"
        self.fields["effective_on"].label = gettext("In force from")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        begins = cleaned.get("effective_on")
        if begins:
            confirmation = {name: bool(cleaned.get(name)) for name in ("retroactive", "confirmed")}
            for name, why in services.wrong_begin(begins, self.today, **confirmation).items():
                self.add_error(name, why)
        return cleaned

    def grouped(self) -> list[tuple[str, list[tuple[Any, str]]]]:
        """Bound fields with their units, by group."""
        return [
            (title, [(self[rule.field], UNITS.get(rule.field, "")) for rule in rules])
            for title, rules in GROUPS.items()
        ]
